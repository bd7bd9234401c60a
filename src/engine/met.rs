//! Which events have met messages in which states: what a simulation has to have tried.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::{Event, Report};
use crate::domain::{Present, State};

/// A state and an event, as words.
pub(crate) type Pair = (&'static str, &'static str);

thread_local! {
    static MET: RefCell<BTreeMap<Pair, u64>> = const { RefCell::new(BTreeMap::new()) };
}

pub(super) fn note(message: &Present, event: &Event) {
    let pair = (state(message), word(event));
    MET.with_borrow_mut(|met| *met.entry(pair).or_default() += 1);
}

/// What has met on this thread since the last time.
pub(crate) fn take() -> BTreeMap<Pair, u64> {
    MET.take()
}

const fn state(message: &Present) -> &'static str {
    match message.state {
        State::Queued { .. } => "queued",
        State::Sending { .. } => "sending",
        State::Awaiting { .. } => "awaiting",
        State::Done { .. } => "done",
    }
}

const fn word(event: &Event) -> &'static str {
    use super::Answer;
    match event {
        Event::Claimed => "claimed",
        Event::Answered { answer, .. } => match answer {
            Answer::Accepted => "accepted",
            Answer::Refused { .. } => "refused",
            Answer::Unavailable { .. } => "unavailable",
            Answer::Unknown => "unknown",
            Answer::NotBegun => "not begun",
            Answer::CannotLeave(_) => "cannot leave",
        },
        Event::Receipt { report: Report::Reached(_), .. } => "good news",
        Event::Receipt { report: Report::Failed { .. }, .. } => "bad news",
        Event::Due { .. } => "due",
        Event::TierSpent { .. } => "tier spent",
        Event::CalledOff(_) => "called off",
    }
}
