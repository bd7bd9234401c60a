//! The ways in which a step goes on or ends.

use super::event::{Decision, Rule};
use super::machine::{Machine, moved};
use crate::domain::{Ending, Outcome, Present, SkipReason, State, Status, Timestamp};

/// Whether an earlier try of the present step is known to be on its way, while a later one is being handed over: where
/// nothing comes of that, nothing has to go again.
pub(super) const fn lives(message: &Present) -> bool {
    message.marks.may_live(message.step) && !message.marks.unknown(message.step)
}

impl Machine<'_> {
    /// The provider took the present step at `at`, or is counted as having taken it.
    pub(super) fn handed_over(self, message: Present, at: Timestamp, rule: Rule) -> Decision {
        let success = self.plan.step(message.step).map(|step| step.success);
        if rule == Rule::HandedOver && success == Some(Status::Accepted) {
            return self.succeed(self.taken(message, at, rule), message, message.step);
        }
        moved(self.left(message, at, rule), rule)
    }

    /// As [`Machine::handed_over`], where acceptance alone is not yet success.
    pub(super) fn left(self, message: Present, at: Timestamp, rule: Rule) -> Present {
        let message = self.taken(message, at, rule);
        if self.has_reached(&message) {
            return self.done(message, Outcome::Reached, None);
        }
        self.awaiting(message)
    }

    /// Notes that the provider took the present step, or may have.
    pub(super) fn taken(self, mut message: Present, at: Timestamp, rule: Rule) -> Present {
        let step = message.step;
        // A step that goes again after a failure in passing has the time of its first try (rule 2), and an unknown
        // hand-over that is adopted keeps that of its intent (rule 7); else both could be put off for ever.
        let keeps = message.marks.failed(step) || (message.marks.handed_over(step) && rule == Rule::Adopted);
        let intent = match message.state {
            State::Sending { intent, .. } => intent,
            State::Queued { .. } | State::Awaiting { .. } | State::Done { .. } => at,
        };
        message.first_left = message.first_left.or(Some(intent));
        message.accepted = message.accepted.filter(|_| keeps).or(Some(at));
        message.marks = message.marks.with_handed_over(step).without_failed(step);
        if !matches!(rule, Rule::CountedAsHandedOver | Rule::Resent) {
            message.marks = message.marks.with_unknown(step, false).with_status(step, Status::Accepted);
        }
        message
    }

    /// Waits for receipts: until the deadline, where another step may follow, else until the receipt window closes.
    pub(super) fn awaiting(self, message: Present) -> Present {
        let due = self.deadline(&message).unwrap_or_else(|| self.closes(&message));
        Present { state: State::Awaiting { due }, ..self.noted_cut(message) }
    }

    /// The present step has not left, or may go again: back to its queue, unless nothing may leave any more.
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
            return self.rest(message, Rule::CalledOffPresentLast);
        }
        if lives(&message) {
            return moved(self.awaiting(message), Rule::Adopted);
        }
        moved(Present { state: State::Queued { not_before, gives_up }, ..message }, rule)
    }

    /// An earlier step has reached the person, and the present one waits to leave. It is taken back as if it had
    /// never had its turn; what has left before, and was to go again, has had it.
    pub(super) fn recall(self, message: Present) -> Decision {
        let (step, rule) = match message.marks.preceding(message.step) {
            Some(previous) if !message.marks.handed_over(message.step) => (previous, Rule::Recalled),
            Some(_) | None => (message.step, Rule::ReachedEarlier),
        };
        moved(self.done(Present { step, tries: 0, ..message }, Outcome::Reached, None), rule)
    }

    /// The message as it was before the present step followed one that gave way with `ending`. Nothing where the present
    /// one has been submitted, or something else has been decided since.
    pub(super) fn before_fallback(self, message: &Present, ending: Ending) -> Option<Present> {
        let marks = message.marks;
        let step = marks.preceding(message.step)?;
        let is_undecided = marks.ending(step) == ending && marks.may_live(step) && !marks.handed_over(message.step);
        let may = is_undecided && !self.has_reached(message) && !self.is_cut(message);
        may.then(|| Present { step, marks: marks.with_ending(step, Ending::Open), ..*message })
    }

    /// The message as it was before the present step followed one that was refused, in the answer or by a receipt.
    /// Nothing where the present one has been submitted, or where a copy of the one before may be on its way.
    pub(super) fn before_refusal(self, message: &Present) -> Option<Present> {
        let marks = message.marks;
        let step = marks.preceding(message.step)?;
        let was_refused = matches!(marks.ending(step), Ending::Rejected | Ending::Undelivered);
        let is_alone = !marks.unknown(step) && !marks.may_live(step) && !marks.handed_over(message.step);
        let may = was_refused && is_alone && !self.has_reached(message) && !self.is_cut(message);
        may.then(|| Present { step, marks: marks.with_ending(step, Ending::Open).without_failed(step), ..*message })
    }

    /// The present step cannot leave: its turn is over, unless it has left before.
    pub(super) fn cannot_leave(self, message: Present, ending: Ending) -> Decision {
        let step = message.step;
        if self.has_reached(&message) {
            self.recall(message)
        } else if self.is_cut(&message) {
            self.rest(message, Rule::CalledOffPresentLast)
        } else if message.marks.unknown(step) || lives(&message) {
            // Only its second copy could not leave: the first may be on its way, and its deadline decides.
            moved(self.awaiting(message), Rule::CountedAsHandedOver)
        } else if message.marks.failed(step) {
            // It did leave, failed in passing, and its time ran out before it could go again.
            self.give_way(message, Ending::Undelivered)
        } else {
            self.give_way(message, ending)
        }
    }

    /// The present step is over; the next one is queued, where there is one and it may leave.
    pub(super) fn give_way(self, mut message: Present, ending: Ending) -> Decision {
        message.marks = message.marks.with_ending(message.step, ending).with_waived(false);
        if self.has_reached(&message) {
            return moved(self.done(message, Outcome::Reached, None), Rule::ReachedEarlier);
        }
        let Some(next) = self.next(&message) else {
            return self.rest(message, Rule::Ended(ending));
        };
        if self.is_expired(&message) {
            return moved(self.done(message, Outcome::Expired, None), Rule::Expired);
        }
        let state = State::Queued { not_before: self.now, gives_up: self.gives_up(&message, next) };
        moved(Present { state, step: next, tries: 0, ..message }, Rule::GaveWay(ending))
    }

    /// Nothing leaves any more. What was handed over last may still arrive, unless we know better.
    pub(super) fn rest(self, message: Present, rule: Rule) -> Decision {
        let message = self.noted_cut(message);
        let ending = message.marks.ending(message.step);
        let last = message.marks.last_handed_over();
        let (outcome, skipped) = match (ending, last) {
            // What the provider said no to is over. So is a last step whose time to leave ran out.
            (Ending::Undelivered | Ending::Rejected, _) => (Outcome::Undelivered, None),
            (Ending::CouldNotLeave, _) => (Outcome::Expired, None),
            (_, Some(last)) if message.marks.failed(last) => (Outcome::Undelivered, None),
            (_, Some(_)) => {
                let message = Present { marks: message.marks.with_cut(), ..message };
                let due = self.closes(&message);
                if due <= self.now {
                    return self.unheard(message);
                }
                return moved(Present { state: State::Awaiting { due }, ..message }, rule);
            }
            // Called off before anything was handed over.
            (Ending::Open | Ending::Success | Ending::Deadline, None) if message.marks.opted_out() => {
                (Outcome::Skipped, Some(SkipReason::OptedOut))
            }
            (Ending::Open | Ending::Success | Ending::Deadline, None) => (Outcome::Cancelled, None),
            (Ending::OutsideWindow | Ending::MissingVariable, None) if self.was_rejected(&message) => {
                (Outcome::Undelivered, None)
            }
            (Ending::OutsideWindow, None) => (Outcome::Skipped, Some(SkipReason::OutsideWindow)),
            (Ending::MissingVariable, None) => (Outcome::Skipped, Some(SkipReason::MissingVariable)),
        };
        moved(self.done(message, outcome, skipped), rule)
    }

    /// The person wants no more: nothing goes out on any channel.
    pub(super) fn suppress(self, mut message: Present, ending: Ending) -> Decision {
        message.marks = message.marks.with_ending(message.step, ending);
        if self.has_reached(&message) {
            return moved(self.done(message, Outcome::Reached, None), Rule::ReachedEarlier);
        }
        moved(self.done(message, Outcome::Skipped, Some(SkipReason::OptedOut)), Rule::Suppressed)
    }

    /// The last moment at which news could still come has passed.
    pub(super) fn unheard(self, message: Present) -> Decision {
        if message.marks.waived() && self.may_go_on(&message) && self.is_expired(&message) {
            // The gap hid whether the step arrived, and by now no other may leave.
            return moved(self.done(message, Outcome::Expired, None), Rule::Expired);
        }
        let unknown = message.marks.last_handed_over().is_some_and(|last| message.marks.unknown(last));
        let outcome = if unknown { Outcome::Unknown } else { Outcome::Silent };
        moved(self.done(message, outcome, None), Rule::WindowClosed)
    }

    pub(super) const fn done(self, message: Present, outcome: Outcome, skipped: Option<SkipReason>) -> Present {
        Present { state: State::Done { outcome, skipped, at: self.now }, ..message }
    }

    /// A batch that was called off cuts its messages; each row says so from its next change on.
    pub(super) fn noted_cut(self, message: Present) -> Present {
        let marks = if self.is_cut(&message) { message.marks.with_cut() } else { message.marks };
        Present { marks, ..message }
    }
}
