//! A lane's circuit breaker: limits the requests in flight, and allows none while the provider does not answer.
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
//! A request that ends without an answer may have been processed, and is not sent again. The circuit keeps their number
//! small: a single one halves the limit of requests in flight, and each good answer raises it by one.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Standstill, StandstillCause};
use crate::base::clock::Chance;
use crate::base::domain::{Span, Timestamp};

const SHORTEST_REST: Span = Span::from_millis(250);
const LONGEST_REST: Span = Span::from_secs(60);
/// Ends that are considered, and how many of them without an answer open the circuit.
const WINDOW: usize = 10;
const TOO_MANY: usize = 3;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End<'a> {
    /// The provider accepted a message, or refused one because of its recipient.
    Good,
    /// The provider answered, but refused for another reason.
    Answered,
    /// No answer, or one that proves nothing.
    Unanswered { reason: &'a str, retry_after: Option<Span> },
}

/// What a lane may do now.
#[derive(Debug)]
pub enum Admission {
    /// Send one request.
    Go(Permit),
    /// Wait until a request ends.
    Full,
    /// Wait until this time.
    Rest(Timestamp),
    /// Find out by a harmless read whether the provider answers.
    Read(Read),
}

#[derive(Debug, Clone)]
pub struct Circuit(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    /// Notified when refused callers should retry.
    changed: Notify,
}

#[derive(Debug)]
struct Inner {
    /// The lane's connections.
    most: u32,
    /// The limit of requests in flight.
    limit: u32,
    under_way: u32,
    state: State,
    /// Whether each of the latest ends since the circuit closed was without an answer, the oldest first.
    ends: Vec<bool>,
    /// How often it has opened, or stayed open, since the last good answer.
    openings: u32,
    /// Rises with each opening: requests that began before an opening do not count after it.
    era: u64,
    outage: Option<Outage>,
    /// The time and the reason of the latest end without an answer.
    last: Option<(Timestamp, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        until: Timestamp,
    },
    /// A read is in progress.
    Reading,
    /// One request alone finds out whether messages are accepted; `is_under_way` if it has begun.
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
            ends: Vec::with_capacity(WINDOW),
            openings: 0,
            era: 0,
            outage: None,
            last: None,
        };
        Self(Arc::new(Shared { inner: Mutex::new(inner), changed: Notify::new() }))
    }

    /// Restores the open circuit that an earlier process has stored.
    pub fn go_on_from(&self, standstill: Standstill, now: Timestamp) {
        let Some(Standstill { reason, since, until, in_flight, .. }) = standstill.still_counts(now) else { return };
        let mut inner = self.0.inner.lock();
        // The number of openings that leads to a rest this long.
        let is_less = |doubled: &u32| (SHORTEST_REST.millis() << *doubled) < until.since(now).millis();
        inner.openings = (0..20).take_while(is_less).last().map_or(1, |doubled| doubled + 1);
        inner.state = State::Open { until };
        inner.outage = Some(Outage { since, until, reason, in_flight });
    }

    /// Asks for a permit to send one request.
    pub fn enter(&self, now: Timestamp) -> Admission {
        let mut inner = self.0.inner.lock();
        let is_trial = match inner.state {
            State::Open { until } if until > now => return Admission::Rest(until),
            State::Open { .. } => {
                inner.state = State::Reading;
                return Admission::Read(Read { shared: Some(Arc::clone(&self.0)), era: inner.era });
            }
            State::Reading | State::Trial { is_under_way: true } => return Admission::Full,
            State::Trial { is_under_way: false } => {
                inner.state = State::Trial { is_under_way: true };
                true
            }
            State::Closed if inner.under_way >= inner.limit => return Admission::Full,
            State::Closed => false,
        };
        inner.under_way += 1;
        Admission::Go(Permit { shared: Arc::clone(&self.0), era: inner.era, is_trial, has_ended: false })
    }

    /// Until when nothing may be sent; `None` if the circuit is not resting.
    pub fn rests_until(&self, now: Timestamp) -> Option<Timestamp> {
        match self.0.inner.lock().state {
            State::Open { until } => Some(until).filter(|until| *until > now),
            State::Closed | State::Reading | State::Trial { .. } => None,
        }
    }

    /// Waits until refused callers should retry.
    pub async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// The present outage, until a message is answered.
    pub fn standstill(&self) -> Option<Standstill> {
        let Outage { since, until, reason, in_flight } = self.0.inner.lock().outage.clone()?;
        Some(Standstill { cause: StandstillCause::Outage, reason, since, until, in_flight })
    }

    /// The latest request without an answer, however long ago.
    pub fn last_complaint(&self) -> Option<(Timestamp, String)> {
        self.0.inner.lock().last.clone()
    }
}

impl Shared {}

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
        if self.ends.len() == WINDOW {
            self.ends.remove(0);
        }
        self.ends.push(is_unanswered);
    }

    fn answered(&mut self, is_good: bool) {
        if matches!(self.state, State::Trial { .. }) {
            self.state = State::Closed;
            (self.limit, self.outage) = (1, None);
            self.ends.clear();
        }
        self.note(false);
        if is_good {
            self.openings = 0;
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

/// A permit for one request, until it has ended. A drop means that the request never began.
#[derive(Debug)]
pub struct Permit {
    shared: Arc<Shared>,
    era: u64,
    is_trial: bool,
    has_ended: bool,
}

impl Permit {
    /// Whether the request is the trial: one message alone, to find out whether messages are accepted again.
    pub const fn is_trial(&self) -> bool {
        self.is_trial
    }

    /// The era in which the request began.
    ///
    /// If the circuit has opened since, a request that still waits for a connection must not be sent: one message alone
    /// is tried first.
    pub fn era(&self) -> Era {
        Era { shared: Arc::clone(&self.shared), era: self.era }
    }

    /// Reports how the request ended. A request that began before the circuit opened changes nothing.
    pub fn ended(mut self, end: End<'_>, now: Timestamp, chance: &Chance) {
        self.has_ended = true;
        let mut inner = self.shared.inner.lock();
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
        let mut inner = self.shared.inner.lock();
        inner.under_way = inner.under_way.saturating_sub(1);
        if inner.era == self.era && inner.state == (State::Trial { is_under_way: true }) {
            inner.state = State::Trial { is_under_way: false };
        }
        drop(inner);
        self.shared.changed.notify_one();
    }
}

/// The time between two openings of a circuit.
#[derive(Debug)]
pub struct Era {
    shared: Arc<Shared>,
    era: u64,
}

impl Era {
    /// Whether the circuit has not opened since.
    pub fn is_current(&self) -> bool {
        self.shared.inner.lock().era == self.era
    }
}

/// A harmless read that finds out whether the provider answers. After a drop, the next caller has to make it.
#[derive(Debug)]
pub struct Read {
    shared: Option<Arc<Shared>>,
    era: u64,
}

impl Read {
    /// Reports that the provider itself answered: one message may be tried.
    pub fn answered(mut self) {
        self.end(|inner| inner.state = State::Trial { is_under_way: false });
    }

    /// Reports that the provider did not answer: the lane rests longer than before.
    pub fn failed(mut self, reason: &str, now: Timestamp, chance: &Chance) {
        self.end(|inner| inner.open(reason, None, now, chance));
    }

    fn end(&mut self, change: impl FnOnce(&mut Inner)) {
        let Some(shared) = self.shared.take() else { return };
        let mut inner = shared.inner.lock();
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
mod tests;
