//! A message on its way through the receipts of one group, and what they mean beyond it.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;

use super::incoming::Incoming;
use crate::domain::{BatchId, Present, SenderPart, State, StepIndex, Timestamp, Umid};
use crate::engine::Made;
use crate::store::{Attempt, Case, Entry, Found, HeldBy, Hold, Recall, StepHold, Verdict};

/// A message on its way through the receipts of one group.
pub(super) struct Working {
    pub(super) entry: Arc<Entry>,
    pub(super) case: Case,
    /// What the provider calls the attempt whose answer its receipt has overtaken.
    pub(super) umid: Option<Umid>,
    /// Whether the facts show that no earlier try of its present step was submitted.
    pub(super) is_first_submitted: bool,
}

impl Working {
    /// The fact of an attempt that a receipt has proven before its answer was written down: should the process die in
    /// between, nobody else would ever write it. The answer, once it is there, says the rest. If an earlier try of the
    /// step was submitted, only the fact tells of which try a receipt speaks, so it waits for the answer. So it does while
    /// the claim stands: the answer decides about it, or the next start does.
    pub(super) fn overtaken(&self, now: Timestamp) -> Option<Attempt> {
        let before = &self.case.message;
        let State::Sending { intent, not_before, .. } = before.present.state else { return None };
        let (step, tries) = (before.present.step, before.present.tries);
        // What the provider has undone since counts as never handed over, and has left all the same.
        let has_left =
            self.case.now.marks.handed_over(step) || (self.case.now.step == step && self.case.now.tries > tries);
        let is_claimed = matches!(self.case.now.state, State::Sending { .. });
        let is_first =
            if tries == 0 { !before.present.marks.handed_over(step) } else { self.is_first_submitted && !is_claimed };
        (is_first && has_left).then(|| Attempt {
            step,
            lane: self.case.message.lane,
            queued: not_before,
            intent: Some(intent),
            answered: now,
            verdict: Verdict::Accepted,
            tries,
            code: None,
            detail: None,
            umid: self.umid.clone(),
            ruling: self.case.behind(Made::Nothing),
        })
    }

    /// Whether it is claimed for another try of its step.
    pub(super) const fn is_claimed_again(&self) -> bool {
        let present = &self.case.message.present;
        matches!(present.state, State::Sending { .. }) && present.tries > 0
    }

    /// Whether its claim may still wait for its turn to leave although another hand-over has decided: news of a message
    /// that was never tried before speak of the claim itself, which then has left.
    pub(super) fn waits_in_vain(&self) -> bool {
        let is_claimed = |present: &Present| matches!(present.state, State::Sending { .. });
        is_claimed(&self.case.message.present) && (self.case.message.present.tries > 0 || is_claimed(&self.case.now))
    }
}

/// Of holds on the same the one that is about the latest hand-over: of a refused template many receipts come together.
pub(super) fn latest_of_each(holds: Vec<(Hold, Timestamp)>) -> impl Iterator<Item = (Hold, Timestamp)> {
    let mut latest: HashMap<(String, String), (Hold, Timestamp)> = HashMap::new();
    for (hold, at) in holds {
        match latest.entry((hold.lane.clone(), hold.template.clone())) {
            Slot::Vacant(slot) => {
                slot.insert((hold, at));
            }
            Slot::Occupied(mut slot) if slot.get().1 < at => {
                slot.insert((hold, at));
            }
            Slot::Occupied(_) => {}
        }
    }
    latest.into_values()
}

pub(super) fn hold(
    message: &Working,
    found: &Found,
    part: SenderPart,
    incoming: &Incoming,
    now: Timestamp,
) -> Option<Hold> {
    let (entry, step) = (&message.entry, found.step);
    let lane = entry.lane_of(&message.case.message, step)?;
    let reason = incoming.failure()?.meaning.to_owned();
    Hold::for_fault(entry.plan.step(step)?, lane, part, HeldBy::Receipt, Some(incoming.code), reason, now)
}

/// The hold on a step whose message was refused after it was submitted, by the fault of the sender.
pub(super) fn step_hold(
    message: &Working,
    found: &Found,
    incoming: &Incoming,
    recall: Option<Recall>,
    now: Timestamp,
) -> Option<((BatchId, StepIndex), StepHold)> {
    let (place, failure) = ((message.entry.id, found.step), incoming.failure()?);
    let code = Some(incoming.code);
    Some((place, StepHold::for_refusal(place, failure.subject, code, failure.meaning, recall, now)))
}
