//! A lane's circuit breaker: how many requests it may have under way, and none while the provider is out.
//!
//! ```text
//!            three of the last ten ends without an answer                 read answered
//!   closed ───────────────────────────────────────────────► open ───────────────────────────► trial
//!     ▲                                                      │ ▲ read failed: rest for longer   │ │
//!     │                                                      └─┘                                │ │
//!     │                                                        ▲────────── no answer ───────────┘ │
//!     └──────────────── answered: one request at a time, then two, four, … ──────────────────────┘
//! ```
//!
//! A request that ends without an answer may have been processed, and is not sent again. So their number is what the
//! circuit keeps small: a lone one halves the requests that may be under way, and each good answer allows one more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{Cause, Standstill};
use crate::clock::Chance;
use crate::domain::{Span, Timestamp};

const SHORTEST_REST: Span = Span::from_millis(250);
const LONGEST_REST: Span = Span::from_secs(60);
/// So many ends are looked at, and so many of them without an answer open the circuit.
const LOOKED_AT: usize = 10;
const TOO_MANY: usize = 3;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End<'a> {
    /// The provider took a message, or refused one for its recipient.
    Good,
    /// The provider answered, but not well.
    Answered,
    /// No answer, or one that proves nothing.
    Unanswered { reason: &'a str, retry_after: Option<Span> },
}

/// What a lane may do now.
#[derive(Debug)]
pub enum Entry {
    /// Send one request.
    Go(Permit),
    /// Nothing, until a request ends.
    Full,
    /// Nothing before then.
    Rest(Timestamp),
    /// Find out by a harmless read whether the provider answers.
    Read(Read),
}

#[derive(Debug, Clone)]
pub struct Circuit(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    /// Told when whoever was refused entry should ask again.
    changed: Notify,
}

#[derive(Debug)]
struct Inner {
    /// The lane's connections.
    most: u32,
    /// How many requests may be under way.
    limit: u32,
    under_way: u32,
    state: State,
    /// The latest ends since the circuit closed, the oldest first; whether each was without an answer.
    ends: Vec<bool>,
    /// How often it has opened, or stayed open, since the last good answer.
    openings: u32,
    /// Rises with each opening: what was begun before says nothing of what comes after.
    era: u64,
    outage: Option<Outage>,
    /// The latest end without an answer, and when that was.
    last: Option<(Timestamp, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        until: Timestamp,
    },
    /// A read is under way.
    Reading,
    /// One request alone finds out whether messages are taken; whether it is under way.
    Trial {
        is_under_way: bool,
    },
}

#[derive(Debug, Clone)]
struct Outage {
    since: Timestamp,
    until: Timestamp,
    reason: String,
    in_flight: u32,
}

impl Circuit {
    pub fn new(connections: u32) -> Self {
        let most = connections.max(1);
        let inner = Inner {
            most,
            limit: most,
            under_way: 0,
            state: State::Closed,
            ends: Vec::with_capacity(LOOKED_AT),
            openings: 0,
            era: 0,
            outage: None,
            last: None,
        };
        Self(Arc::new(Shared { inner: Mutex::new(inner), changed: Notify::new() }))
    }

    /// Goes on from where another process has left off: open, for all that is known.
    pub fn go_on_from(&self, standstill: Standstill, now: Timestamp) {
        let Some(Standstill { reason, since, until, in_flight, .. }) = standstill.still_counts(now) else { return };
        let mut inner = self.0.lock();
        inner.openings = 1;
        inner.state = State::Open { until };
        inner.outage = Some(Outage { since, until, reason, in_flight });
    }

    /// Asks for leave to send one request.
    pub fn enter(&self, now: Timestamp) -> Entry {
        let mut inner = self.0.lock();
        let is_alone = match inner.state {
            State::Open { until } if until > now => return Entry::Rest(until),
            State::Open { .. } => {
                inner.state = State::Reading;
                return Entry::Read(Read { shared: Some(Arc::clone(&self.0)), era: inner.era });
            }
            State::Reading | State::Trial { is_under_way: true } => return Entry::Full,
            State::Trial { is_under_way: false } => {
                inner.state = State::Trial { is_under_way: true };
                true
            }
            State::Closed if inner.under_way >= inner.limit => return Entry::Full,
            State::Closed => false,
        };
        inner.under_way += 1;
        Entry::Go(Permit { shared: Arc::clone(&self.0), era: inner.era, is_alone, has_ended: false })
    }

    /// Until when nothing may be sent, where that is so.
    pub fn rests_until(&self, now: Timestamp) -> Option<Timestamp> {
        match self.0.lock().state {
            State::Open { until } => Some(until).filter(|until| *until > now),
            State::Closed | State::Reading | State::Trial { .. } => None,
        }
    }

    /// Ends once whoever was refused entry should ask again.
    pub async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// Since when the provider is out, until a message is answered.
    pub fn standstill(&self) -> Option<Standstill> {
        let Outage { since, until, reason, in_flight } = self.0.lock().outage.clone()?;
        Some(Standstill { cause: Cause::Outage, reason, since, until, in_flight })
    }

    /// How the latest request without an answer ended, however long ago.
    pub fn last_complaint(&self) -> Option<(Timestamp, String)> {
        self.0.lock().last.clone()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn open(&mut self, reason: &str, retry_after: Option<Span>, now: Timestamp, chance: &Chance) {
        let rest = now + chance.back_off(SHORTEST_REST, self.openings, LONGEST_REST);
        let until = rest.max(retry_after.map_or(rest, |asked| now + asked));
        self.openings = self.openings.saturating_add(1);
        self.era += 1;
        self.ends.clear();
        self.state = State::Open { until };
        let in_flight = self.under_way;
        match &mut self.outage {
            Some(outage) => {
                (outage.until, outage.reason) = (until, reason.to_owned());
                outage.in_flight = outage.in_flight.max(in_flight);
            }
            None => self.outage = Some(Outage { since: now, until, reason: reason.to_owned(), in_flight }),
        }
    }

    fn note(&mut self, is_unanswered: bool) {
        if self.ends.len() == LOOKED_AT {
            self.ends.remove(0);
        }
        self.ends.push(is_unanswered);
    }

    fn answered(&mut self, is_good: bool) {
        if matches!(self.state, State::Trial { .. }) {
            self.state = State::Closed;
            (self.limit, self.openings, self.outage) = (1, 0, None);
            self.ends.clear();
        }
        self.note(false);
        if is_good {
            self.limit = self.limit.saturating_add(1).min(self.most);
        }
    }

    fn unanswered(&mut self, reason: &str, retry_after: Option<Span>, now: Timestamp, chance: &Chance) {
        self.note(true);
        self.last = Some((now, reason.to_owned()));
        self.limit = (self.limit / 2).max(1);
        let unanswered = self.ends.iter().filter(|is_unanswered| **is_unanswered).count();
        if matches!(self.state, State::Trial { .. }) || unanswered >= TOO_MANY {
            self.open(reason, retry_after, now, chance);
        }
    }
}

/// Leave for one request, until it has ended. Dropped, it never began.
#[derive(Debug)]
pub struct Permit {
    shared: Arc<Shared>,
    era: u64,
    is_alone: bool,
    has_ended: bool,
}

impl Permit {
    /// Whether the request tries out, with one message alone, if the provider takes messages again.
    pub const fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// Tells how the request ended. What was begun before the circuit opened changes nothing more.
    pub fn ended(mut self, end: End<'_>, now: Timestamp, chance: &Chance) {
        self.has_ended = true;
        let mut inner = self.shared.lock();
        inner.under_way = inner.under_way.saturating_sub(1);
        if inner.era == self.era {
            match end {
                End::Good => inner.answered(true),
                End::Answered => inner.answered(false),
                End::Unanswered { reason, retry_after } => inner.unanswered(reason, retry_after, now, chance),
            }
        }
        drop(inner);
        self.shared.changed.notify_one();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let mut inner = self.shared.lock();
        inner.under_way = inner.under_way.saturating_sub(1);
        if inner.era == self.era && inner.state == (State::Trial { is_under_way: true }) {
            inner.state = State::Trial { is_under_way: false };
        }
        drop(inner);
        self.shared.changed.notify_one();
    }
}

/// A harmless read that finds out whether the provider answers. Dropped, somebody else has to make it.
#[derive(Debug)]
pub struct Read {
    shared: Option<Arc<Shared>>,
    era: u64,
}

impl Read {
    /// The provider itself answered: one message may try.
    pub fn answered(mut self) {
        self.end(|inner| inner.state = State::Trial { is_under_way: false });
    }

    /// It did not: the lane rests for longer than before.
    pub fn failed(mut self, reason: &str, now: Timestamp, chance: &Chance) {
        self.end(|inner| inner.open(reason, None, now, chance));
    }

    fn end(&mut self, change: impl FnOnce(&mut Inner)) {
        let Some(shared) = self.shared.take() else { return };
        let mut inner = shared.lock();
        if inner.era == self.era && inner.state == State::Reading {
            change(&mut inner);
        }
        drop(inner);
        shared.changed.notify_one();
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        self.end(|inner| {
            let until = inner.outage.as_ref().map_or(Timestamp::default(), |outage| outage.until);
            inner.state = State::Open { until };
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const BROKEN: End<'static> = End::Unanswered { reason: "HTTP status 503", retry_after: None };

    fn second(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    fn chance() -> Chance {
        Chance::seeded(7)
    }

    /// As many permits as there are.
    fn permits(circuit: &Circuit, now: Timestamp) -> Vec<Permit> {
        let permit = || match circuit.enter(now) {
            Entry::Go(permit) => Some(permit),
            Entry::Full | Entry::Rest(_) | Entry::Read(_) => None,
        };
        std::iter::from_fn(permit).collect()
    }

    fn one(circuit: &Circuit, now: Timestamp) -> Permit {
        let Entry::Go(permit) = circuit.enter(now) else { panic!("{circuit:?}") };
        permit
    }

    fn end(circuit: &Circuit, end: End<'_>, now: Timestamp) {
        one(circuit, now).ended(end, now, &chance());
    }

    fn opened(circuit: &Circuit, now: Timestamp) {
        for _ in 0..3 {
            end(circuit, BROKEN, now);
        }
        assert!(circuit.rests_until(now).is_some());
    }

    fn read(circuit: &Circuit, now: Timestamp) -> Read {
        let Entry::Read(read) = circuit.enter(now) else { panic!("{circuit:?}") };
        read
    }

    #[test]
    fn a_lone_unanswered_request_halves_the_limit_which_grows_again() {
        let circuit = Circuit::new(64);
        assert_eq!(permits(&circuit, second(0)).len(), 64);
        end(&circuit, BROKEN, second(0));
        assert_eq!(permits(&circuit, second(0)).len(), 32);
        for _ in 0..5 {
            end(&circuit, End::Good, second(0));
        }
        end(&circuit, End::Answered, second(0));
        assert_eq!(permits(&circuit, second(0)).len(), 37, "only good answers let it grow");
        for _ in 0..100 {
            end(&circuit, End::Good, second(0));
        }
        assert_eq!(permits(&circuit, second(0)).len(), 64);
    }

    #[test]
    fn one_unanswered_request_in_a_hundred_never_opens_it() {
        let circuit = Circuit::new(64);
        for request in 0..2_000 {
            end(&circuit, if request % 100 == 0 { BROKEN } else { End::Good }, second(0));
        }
        assert!(circuit.standstill().is_none());
    }

    #[test]
    fn three_of_the_last_ten_open_it_and_two_of_them_do_not() {
        for (between, opens) in [(3, true), (4, false)] {
            let circuit = Circuit::new(64);
            for _ in 0..3 {
                end(&circuit, BROKEN, second(0));
                if circuit.rests_until(second(0)).is_none() {
                    (0..between).for_each(|_| end(&circuit, End::Answered, second(0)));
                }
            }
            assert_eq!(circuit.rests_until(second(0)).is_some(), opens, "{between} answers between");
        }
    }

    #[test]
    fn an_open_circuit_sends_nothing_counts_what_was_in_flight_and_ignores_its_ends() {
        let circuit = Circuit::new(8);
        let mut under_way = permits(&circuit, second(0));
        for _ in 0..3 {
            under_way.pop().unwrap().ended(BROKEN, second(0), &chance());
        }
        let Entry::Rest(until) = circuit.enter(second(0)) else { panic!("{circuit:?}") };
        assert_eq!(circuit.standstill().unwrap().in_flight, 5);
        under_way.pop().unwrap().ended(End::Good, second(0), &chance());
        for permit in under_way {
            permit.ended(BROKEN, second(0), &chance());
        }
        assert_eq!(circuit.rests_until(second(0)), Some(until), "late ends neither close it nor make it rest longer");
    }

    #[test]
    fn a_read_then_one_message_then_slow_start_close_it() {
        let circuit = Circuit::new(8);
        opened(&circuit, second(0));
        let first = read(&circuit, second(1));
        assert!(matches!(circuit.enter(second(1)), Entry::Full), "one read at a time");
        first.answered();
        let trial = one(&circuit, second(1));
        assert!(trial.is_alone() && matches!(circuit.enter(second(1)), Entry::Full));
        drop(trial);
        assert!(circuit.changed().now_or_never().is_some(), "who waits is told");
        end(&circuit, End::Good, second(1));
        assert!(circuit.standstill().is_none());
        let mut round = permits(&circuit, second(1));
        for expected in [2, 4, 8, 8] {
            assert_eq!(round.len(), expected);
            for permit in round {
                assert!(!permit.is_alone());
                permit.ended(End::Good, second(1), &chance());
            }
            round = permits(&circuit, second(1));
        }
    }

    #[test]
    fn backoff_survives_a_read_that_succeeds() {
        let circuit = Circuit::new(8);
        opened(&circuit, second(0));
        let mut now = second(1);
        let mut rests = Vec::new();
        for _ in 0..12 {
            read(&circuit, now).answered();
            end(&circuit, BROKEN, now);
            let until = circuit.rests_until(now).unwrap();
            rests.push(until.since(now).millis());
            now = until;
        }
        assert!(rests[0] >= 250 && rests[11] >= 30_000, "{rests:?}");
        read(&circuit, now).failed("connection refused", now, &chance());
        assert!(circuit.rests_until(now).unwrap().since(now).millis() >= 30_000);
        now = circuit.rests_until(now).unwrap();
        read(&circuit, now).answered();
        end(&circuit, End::Good, now);
        opened(&circuit, now);
        assert!(circuit.rests_until(now).unwrap().since(now).millis() <= 250, "a good answer begins it again");
    }

    #[test]
    fn a_dropped_read_is_made_by_the_next_and_any_answer_ends_the_trial() {
        let circuit = Circuit::new(8);
        opened(&circuit, second(0));
        drop(read(&circuit, second(1)));
        read(&circuit, second(1)).answered();
        end(&circuit, End::Answered, second(1));
        assert!(circuit.standstill().is_none());
        assert_eq!(permits(&circuit, second(1)).len(), 1);
    }

    #[test]
    fn the_provider_gets_the_rest_that_it_asks_for() {
        let circuit = Circuit::new(1);
        let week = Span::from_secs(7 * 86_400);
        for _ in 0..3 {
            end(&circuit, End::Unanswered { reason: "503", retry_after: Some(week) }, second(0));
        }
        assert_eq!(circuit.rests_until(second(0)), Some(second(0) + week));
    }

    #[test]
    fn a_process_goes_on_in_the_middle_of_an_outage() {
        let circuit = Circuit::new(8);
        let standstill = Standstill {
            cause: Cause::Outage,
            reason: "HTTP status 503".to_owned(),
            since: second(0),
            until: second(60),
            in_flight: 4,
        };
        circuit.go_on_from(standstill.clone(), second(1));
        assert_eq!(
            (circuit.rests_until(second(1)), circuit.standstill()),
            (Some(second(60)), Some(standstill.clone()))
        );
        drop(read(&circuit, second(60)));
        let next = Circuit::new(8);
        next.go_on_from(standstill, second(900));
        assert!(next.standstill().is_none(), "what is long over counts no more");
    }
}
