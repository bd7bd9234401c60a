//! The state of a message while the receipts of one group are applied, and the holds that follow.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;

use super::incoming::Incoming;
use crate::base::domain::{BatchId, Present, SenderPart, State, StepIndex, Timestamp, Umid};
use crate::rules::engine::Made;
use crate::sending::book::{Case, Entry, hold_for_refusal};
use crate::store::{Attempt, FoundAttempt, HeldBy, Hold, Recall, StepHold, Verdict};

/// The state of a message while the receipts of one group are applied.
pub(super) struct Working {
    pub(super) entry: Arc<Entry>,
    pub(super) case: Case,
    /// The umid of the attempt, if its receipt has overtaken its answer.
    pub(super) umid: Option<Umid>,
    /// Whether the facts show that no earlier try of its present step was submitted.
    pub(super) is_first_submitted: bool,
}

impl Working {
    /// The fact of an attempt that a receipt proves before its answer is recorded.
    ///
    /// - If the process died in between, nothing else would write the fact. The answer completes it later.
    /// - If an earlier try of the step was submitted, only the fact of the later try shows which one a receipt is about,
    ///   so the fact waits for the answer.
    /// - While the message is claimed the fact also waits: the answer decides about the claim, or the next start does.
    pub(super) fn overtaken_fact(&self, now: Timestamp) -> Option<Attempt> {
        let before = &self.case.message;
        let State::Sending { intent, not_before, .. } = before.present.state else { return None };
        let (step, tries) = (before.present.step, before.present.tries);
        // A submission that the provider has undone since does not count as handed over, but it was made.
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

    /// Whether it is claimed for a retry of its step.
    pub(super) const fn is_claimed_for_retry(&self) -> bool {
        let present = &self.case.message.present;
        matches!(present.state, State::Sending { .. }) && present.tries > 0
    }

    /// Whether its claim may still wait to be submitted although another submission has decided. A report about a message
    /// without earlier tries is about the claim itself, which then was submitted.
    pub(super) fn has_pending_claim(&self) -> bool {
        let is_claimed = |present: &Present| matches!(present.state, State::Sending { .. });
        is_claimed(&self.case.message.present) && (self.case.message.present.tries > 0 || is_claimed(&self.case.now))
    }
}

/// Keeps, of holds on the same template, the one about the latest submission: a refused template causes many receipts.
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
    found: &FoundAttempt,
    part: SenderPart,
    incoming: &Incoming,
    now: Timestamp,
) -> Option<Hold> {
    let (entry, step) = (&message.entry, found.step);
    let lane = entry.lane_of(&message.case.message, step)?;
    let reason = incoming.failure()?.meaning;
    Hold::for_fault(entry.plan.step(step)?, lane, part, HeldBy::Receipt, Some(incoming.code), reason, now)
}

/// The hold on a step whose message was refused after submission because of the sender.
pub(super) fn step_hold(
    message: &Working,
    found: &FoundAttempt,
    incoming: &Incoming,
    recall: Option<Recall>,
    now: Timestamp,
) -> Option<((BatchId, StepIndex), StepHold)> {
    let (of_step, failure) = ((message.entry.id, found.step), incoming.failure()?);
    let code = Some(incoming.code);
    Some((of_step, hold_for_refusal(of_step, failure.subject, code, failure.meaning, recall, now)))
}
