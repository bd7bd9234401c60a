//! The ways in which a step continues or ends.

use super::event::{Decision, Rule};
use super::machine::{Machine, moved};
use crate::base::domain::{Ending, Outcome, Present, SkipReason, State, Status, Timestamp};

/// Whether an earlier try of the present step is known to be on its way while a later one is being submitted. If the
/// later one fails, no retry is needed.
pub(super) const fn earlier_try_lives(message: &Present) -> bool {
    message.marks.may_live(message.step) && !message.marks.unknown(message.step)
}

impl Machine<'_> {
    /// Records that the provider accepted the present step at `at`, or counts as having accepted it.
    pub(super) fn submitted(self, message: Present, at: Timestamp, rule: Rule) -> Decision {
        let success = self.plan.step(message.step).map(|step| step.success);
        if rule == Rule::HandedOver && success == Some(Status::Accepted) {
            return self.succeed(self.with_submission(message, at, rule), message, message.step);
        }
        moved(self.after_submission(message, at, rule), rule)
    }

    /// As [`Machine::submitted`], for a step whose acceptance is not yet success.
    pub(super) fn after_submission(self, message: Present, at: Timestamp, rule: Rule) -> Present {
        let message = self.with_submission(message, at, rule);
        if self.has_reached(&message) {
            return self.done(message, Outcome::Reached, None);
        }
        self.awaiting(message)
    }

    /// Marks the present step as submitted, or as possibly submitted.
    pub(super) fn with_submission(self, mut message: Present, at: Timestamp, rule: Rule) -> Present {
        let step = message.step;
        // A retry after a temporary failure keeps the time of its first try (rule 2). An unknown submission that is
        // adopted keeps its intent time (rule 7). Otherwise both could be postponed for ever.
        let keeps = message.marks.failed(step) || (message.marks.handed_over(step) && rule == Rule::Adopted);
        let intent = match message.state {
            State::Sending { intent, .. } => intent,
            State::Queued { .. } | State::Awaiting { .. } | State::Done { .. } => at,
        };
        message.first_submitted_at = message.first_submitted_at.or(Some(intent));
        message.accepted = message.accepted.filter(|_| keeps).or(Some(at));
        message.marks = message.marks.with_handed_over(step).without_failed(step);
        if !matches!(rule, Rule::CountedAsHandedOver | Rule::Resent) {
            message.marks = message.marks.with_unknown(step, false).with_status(step, Status::Accepted);
        }
        message
    }

    /// Waits for receipts: until the deadline if another step may follow, otherwise until the receipt window closes.
    pub(super) fn awaiting(self, message: Present) -> Present {
        let due = self.deadline(&message).unwrap_or_else(|| self.closes(&message));
        Present { state: State::Awaiting { due }, ..self.with_batch_cut(message) }
    }

    /// Returns the present step to its queue, because it was not submitted or may be retried; unless nothing may be
    /// submitted.
    pub(super) fn requeue(
        self,
        message: Present,
        not_before: Timestamp,
        gives_up: Option<Timestamp>,
        rule: Rule,
    ) -> Decision {
        if self.has_reached(&message) {
            return self.recall(message);
        }
        if self.is_cut(&message) {
            return self.end_route(message, Rule::CalledOffPresentLast);
        }
        if earlier_try_lives(&message) {
            return moved(self.awaiting(message), Rule::Adopted);
        }
        moved(Present { state: State::Queued { not_before, gives_up }, ..message }, rule)
    }

    /// Ends a message that an earlier step has reached while the present one is queued. The present step is recalled as
    /// if it had never been queued. If it was submitted before and was to be retried, it stays recorded.
    pub(super) fn recall(self, message: Present) -> Decision {
        let (step, rule) = match message.marks.preceding(message.step) {
            Some(previous) if !message.marks.handed_over(message.step) => (previous, Rule::Recalled),
            Some(_) | None => (message.step, Rule::ReachedEarlier),
        };
        moved(self.done(Present { step, tries: 0, ..message }, Outcome::Reached, None), rule)
    }

    /// The message as it was before it fell back to the present step with `ending`. `None` if the present step has been
    /// submitted, or something else was decided since.
    pub(super) fn before_fallback(self, message: &Present, ending: Ending) -> Option<Present> {
        let marks = message.marks;
        let step = marks.preceding(message.step)?;
        let is_undecided = marks.ending(step) == ending && marks.may_live(step) && !marks.handed_over(message.step);
        let may = is_undecided && !self.has_reached(message) && !self.is_cut(message);
        may.then(|| Present { step, marks: marks.with_ending(step, Ending::Open), ..*message })
    }

    /// The message as it was before it fell back to the present step because of a refusal, in the answer or by a
    /// receipt. `None` if the present step has been submitted, or a copy of the step before may be on its way.
    pub(super) fn before_refusal(self, message: &Present) -> Option<Present> {
        let marks = message.marks;
        let step = marks.preceding(message.step)?;
        let was_refused = matches!(marks.ending(step), Ending::Rejected | Ending::Undelivered);
        let is_alone = !marks.unknown(step) && !marks.may_live(step) && !marks.handed_over(message.step);
        let may = was_refused && is_alone && !self.has_reached(message) && !self.is_cut(message);
        may.then(|| Present { step, marks: marks.with_ending(step, Ending::Open).without_failed(step), ..*message })
    }

    /// Ends the present step because it cannot be submitted, unless it was submitted before.
    pub(super) fn cannot_leave(self, message: Present, ending: Ending) -> Decision {
        let step = message.step;
        if self.has_reached(&message) {
            self.recall(message)
        } else if self.is_cut(&message) {
            self.end_route(message, Rule::CalledOffPresentLast)
        } else if message.marks.unknown(step) || earlier_try_lives(&message) {
            // Only the resend could not be submitted. The first copy may be on its way, and its deadline decides.
            moved(self.awaiting(message), Rule::CountedAsHandedOver)
        } else if message.marks.failed(step) {
            // It was submitted and failed temporarily, and its time ran out before the retry.
            self.end_step(message, Ending::Undelivered)
        } else {
            self.end_step(message, ending)
        }
    }

    /// Ends the present step, and queues the next one if there is one and it may be submitted.
    pub(super) fn end_step(self, mut message: Present, ending: Ending) -> Decision {
        message.marks = message.marks.with_ending(message.step, ending).with_waived(false);
        if self.has_reached(&message) {
            return moved(self.done(message, Outcome::Reached, None), Rule::ReachedEarlier);
        }
        let Some(next) = self.next(&message) else {
            return self.end_route(message, Rule::Ended(ending));
        };
        if self.is_expired(&message) {
            return moved(self.done(message, Outcome::Expired, None), Rule::Expired);
        }
        let state = State::Queued { not_before: self.now, gives_up: self.gives_up(&message, next) };
        moved(Present { state, step: next, tries: 0, ..message }, Rule::FellBack(ending))
    }

    /// Ends the route: nothing more is submitted. The step that was submitted last may still arrive, unless it is known
    /// to have failed.
    pub(super) fn end_route(self, message: Present, rule: Rule) -> Decision {
        let message = self.with_batch_cut(message);
        let ending = message.marks.ending(message.step);
        let last = message.marks.last_handed_over();
        let (outcome, skipped) = match (ending, last) {
            // A rejected or failed step is over. So is a last step whose time for submission ran out.
            (Ending::Undelivered | Ending::Rejected, _) => (Outcome::Undelivered, None),
            (Ending::CouldNotLeave, _) => (Outcome::Expired, None),
            (_, Some(last)) if message.marks.failed(last) => (Outcome::Undelivered, None),
            (_, Some(_)) => {
                let message = Present { marks: message.marks.with_cut(), ..message };
                let due = self.closes(&message);
                if due <= self.now {
                    return self.end_without_receipt(message);
                }
                return moved(Present { state: State::Awaiting { due }, ..message }, rule);
            }
            // Stopped before anything was submitted.
            (Ending::Open | Ending::Success | Ending::Deadline, None) if message.marks.opted_out() => {
                (Outcome::Skipped, Some(SkipReason::OptedOut))
            }
            (Ending::Open | Ending::Success | Ending::Deadline, None) => (Outcome::Cancelled, None),
            (Ending::OutsideWindow | Ending::MissingVariable | Ending::OptedOut, None)
                if self.was_rejected(&message) =>
            {
                (Outcome::Undelivered, None)
            }
            (Ending::OptedOut, None) => (Outcome::Skipped, Some(SkipReason::OptedOut)),
            (Ending::OutsideWindow, None) => (Outcome::Skipped, Some(SkipReason::OutsideWindow)),
            (Ending::MissingVariable, None) => (Outcome::Skipped, Some(SkipReason::MissingVariable)),
        };
        moved(self.done(message, outcome, skipped), rule)
    }

    /// Ends a message for which no receipt can arrive any longer.
    pub(super) fn end_without_receipt(self, message: Present) -> Decision {
        if message.marks.waived() && self.may_go_on(&message) && self.is_expired(&message) {
            // The gap hid whether the step arrived, and it is too late for another step.
            return moved(self.done(message, Outcome::Expired, None), Rule::Expired);
        }
        let unknown = message.marks.last_handed_over().is_some_and(|last| message.marks.unknown(last));
        let outcome = if unknown { Outcome::Unknown } else { Outcome::Silent };
        moved(self.done(message, outcome, None), Rule::WindowClosed)
    }

    pub(super) const fn done(self, message: Present, outcome: Outcome, skipped: Option<SkipReason>) -> Present {
        Present { state: State::Done { outcome, skipped, at: self.now }, ..message }
    }

    /// Marks the message as cut if its batch was cancelled. A cancel does not change the rows; each row gets the mark
    /// with its next change.
    pub(super) fn with_batch_cut(self, message: Present) -> Present {
        let marks = if self.is_cut(&message) { message.marks.with_cut() } else { message.marks };
        Present { marks, ..message }
    }
}
