//! How receivers have behaved since the start, and which of them get something now.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;

use crate::base::domain::{Span, Timestamp};
use crate::store::Receiver;

/// Callbacks that answer and get something at once. They may be many, and all of them may be slow.
const CALLBACKS_MAX: usize = 256;
/// Strangers that get something at once: callbacks that have not answered, or failed last. All of them may hang.
const STRANGERS_MAX: usize = 64;
/// Receivers whose behaviour is remembered, more or less.
const KNOWN_MAX: usize = 10_000;
/// After a failure a receiver rests, so that one that is down gets no stream of requests.
const SHORTEST_REST: Span = Span::from_secs(1);
const LONGEST_REST: Span = Span::from_secs(60);

/// How many deliveries a receiver gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// Requests at once, at most.
    pub(super) each: usize,
    /// Deliveries that are recorded together.
    pub(super) page: u32,
}

/// A receiver that answers.
const FULL: Pace = Pace { each: 8, page: 32 };
/// A receiver that has not answered yet, or failed last.
const TRIAL: Pace = Pace { each: 1, page: 1 };
/// A failing receiver whose repeats have times of their own.
const SCHEDULED: Pace = Pace { each: 1, page: 8 };

/// How a receiver has behaved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Answers,
    /// It failed so many times, once more after each other, and rests until then.
    Fails {
        times: u32,
        rests_until: Timestamp,
    },
}

/// The behaviour of receivers.
#[derive(Debug, Default)]
pub(super) struct Standings(Mutex<BTreeMap<Receiver, Standing>>);

impl Standings {
    /// The pace of a receiver. The repeats of scheduled ones have times of their own.
    pub(super) fn pace(&self, receiver: &Receiver, is_scheduled: bool) -> Pace {
        match self.0.lock().get(receiver) {
            Some(Standing::Answers) => FULL,
            Some(Standing::Fails { .. }) if is_scheduled => SCHEDULED,
            Some(Standing::Fails { .. }) | None => TRIAL,
        }
    }

    pub(super) fn succeeds(&self, receiver: &Receiver) {
        self.0.lock().insert(receiver.clone(), Standing::Answers);
    }

    /// Lets a receiver rest after a failure, unless its repeats have times of their own.
    pub(super) fn fails(&self, receiver: &Receiver, is_scheduled: bool, now: Timestamp) {
        let mut known = self.0.lock();
        let times = match known.get(receiver) {
            Some(Standing::Fails { times, .. }) => times.saturating_add(1),
            Some(Standing::Answers) | None => 0,
        };
        let rest = SHORTEST_REST.millis().saturating_mul(1 << times.min(10)).min(LONGEST_REST.millis());
        let rest = if is_scheduled { Span::ZERO } else { Span::from_millis(rest) };
        known.insert(receiver.clone(), Standing::Fails { times, rests_until: now + rest });
    }

    /// Chooses who gets something now, given who does already.
    ///
    /// - Subscriptions and alerts always do: operators have created them, so they are few.
    /// - Strangers have an allowance of their own: however many hang, the callbacks that answer do not wait for them.
    /// - Among strangers, those that failed the longest time ago come first, and new ones before them.
    pub(super) fn choose(&self, due: Vec<Receiver>, busy: &BTreeSet<Receiver>, now: Timestamp) -> Vec<Receiver> {
        let known = self.0.lock();
        let is_stranger = |receiver: &Receiver| known.get(receiver) != Some(&Standing::Answers);
        let rested_at = |receiver: &Receiver| match known.get(receiver) {
            Some(Standing::Fails { rests_until, .. }) => Some(*rests_until),
            Some(Standing::Answers) | None => None,
        };
        let is_free = |receiver: &Receiver| !busy.contains(receiver) && rested_at(receiver).is_none_or(|at| at <= now);
        let (busy_strangers, busy_callbacks): (Vec<_>, Vec<_>) =
            busy.iter().filter(|receiver| is_callback(receiver)).partition(|receiver| is_stranger(receiver));
        let (callbacks, mut chosen): (Vec<_>, Vec<_>) = due.into_iter().filter(is_free).partition(is_callback);
        let (mut strangers, mut callbacks): (Vec<_>, Vec<_>) = callbacks.into_iter().partition(is_stranger);
        strangers.sort_by_key(rested_at);
        strangers.truncate(STRANGERS_MAX.saturating_sub(busy_strangers.len()));
        callbacks.truncate(CALLBACKS_MAX.saturating_sub(busy_callbacks.len()));
        chosen.extend(callbacks);
        chosen.extend(strangers);
        chosen
    }

    /// Forgets callbacks that are not among the waiting ones: clients may name any number of them.
    pub(super) fn forget_idle(&self, waiting: &[(Receiver, Timestamp)]) {
        let mut known = self.0.lock();
        if known.len() > KNOWN_MAX {
            let waiting: BTreeSet<&Receiver> = waiting.iter().map(|(receiver, _)| receiver).collect();
            known.retain(|receiver, _| !is_callback(receiver) || waiting.contains(receiver));
        }
    }
}

const fn is_callback(receiver: &Receiver) -> bool {
    matches!(receiver, Receiver::Callback(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SubscriptionId;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    fn callback(n: usize) -> Receiver {
        Receiver::Callback(format!("https://client-{n:04}.example"))
    }

    #[test]
    fn strangers_that_hang_leave_room_for_everybody_else() {
        let (standings, crm) = (Standings::default(), Receiver::Subscription(SubscriptionId(1)));
        let trusted = callback(9_999);
        standings.succeeds(&trusted);
        let due: Vec<Receiver> = (0..1_000).map(callback).chain([trusted.clone(), crm.clone()]).collect();
        let first = standings.choose(due.clone(), &BTreeSet::new(), at(0));
        assert_eq!(first.len(), STRANGERS_MAX + 2);
        assert_eq!(first[..2], [crm.clone(), trusted.clone()]);
        // While they hang, no other stranger gets something, and the others do.
        let busy: BTreeSet<Receiver> = first[2..].iter().cloned().collect();
        assert_eq!(standings.choose(due.clone(), &busy, at(1)), [crm.clone(), trusted]);
        // After they failed, the next ones have their turn.
        for stranger in &busy {
            standings.fails(stranger, true, at(5));
        }
        let next = standings.choose(due, &BTreeSet::from([crm]), at(5));
        assert!(next[1..].iter().all(|receiver| !busy.contains(receiver)));
        assert_eq!(next.len(), STRANGERS_MAX + 1);
    }

    #[test]
    fn slow_callbacks_leave_room_for_subscriptions_and_alerts() {
        let (standings, crm) = (Standings::default(), Receiver::Subscription(SubscriptionId(1)));
        let ops = Receiver::Alert("ops".to_owned());
        let callbacks: Vec<Receiver> = (0..1_000).map(callback).collect();
        for callback in &callbacks {
            standings.succeeds(callback);
        }
        let due: Vec<Receiver> = callbacks.into_iter().chain([ops.clone(), crm.clone()]).collect();
        let first = standings.choose(due.clone(), &BTreeSet::new(), at(0));
        assert_eq!((first.len(), &first[..2]), (CALLBACKS_MAX + 2, &[ops.clone(), crm.clone()][..]));
        let busy: BTreeSet<Receiver> = first[2..].iter().cloned().collect();
        assert_eq!(standings.choose(due, &busy, at(1)), [ops, crm]);
    }

    #[test]
    fn a_failing_receiver_rests_longer_each_time_and_a_scheduled_one_does_not() {
        let (standings, crm) = (Standings::default(), Receiver::Subscription(SubscriptionId(1)));
        let is_chosen = |second| !standings.choose(vec![crm.clone()], &BTreeSet::new(), at(second)).is_empty();
        assert_eq!(standings.pace(&crm, false), TRIAL);
        standings.fails(&crm, false, at(0));
        assert!(!is_chosen(0) && is_chosen(1));
        standings.fails(&crm, false, at(1));
        assert!(!is_chosen(2) && is_chosen(3));
        for _ in 0..40 {
            standings.fails(&crm, false, at(3));
        }
        assert!(!is_chosen(62) && is_chosen(63));
        standings.succeeds(&crm);
        assert_eq!(standings.pace(&crm, false), FULL);
        standings.fails(&crm, true, at(70));
        assert!(is_chosen(70));
        assert_eq!(standings.pace(&crm, true), SCHEDULED);
    }
}
