//! The times of a message, from the plan and its marks, and the step that may follow.

use super::machine::{Machine, Standing};
use crate::base::domain::{Ending, Present, Span, StepIndex, Timestamp};

impl Machine<'_> {
    pub(super) fn is_cut(self, message: &Present) -> bool {
        self.standing == Standing::Cancelled || message.marks.cut()
    }

    pub(super) const fn has_reached(self, message: &Present) -> bool {
        message.marks.reached_by().is_some()
    }

    pub(super) fn was_rejected(self, message: &Present) -> bool {
        self.plan.indexed_steps().any(|(step, _)| message.marks.ending(step) == Ending::Rejected)
    }

    /// The step that may follow the present one.
    ///
    /// It always applies to the message. The last step that applies is therefore the message's last, even if the route
    /// has further steps.
    pub(super) fn next(self, message: &Present) -> Option<StepIndex> {
        self.plan.after(message.step, message.marks).filter(|_| !self.is_cut(message))
    }

    pub(super) fn may_go_on(self, message: &Present) -> bool {
        self.next(message).is_some()
    }

    /// When the present step falls back by its deadline, if it has one.
    pub(super) fn deadline(self, message: &Present) -> Option<Timestamp> {
        if !self.may_go_on(message) || !message.marks.handed_over(message.step) {
            return None;
        }
        Some(message.accepted? + self.plan.step(message.step)?.fallback_after?)
    }

    /// Until when the present step may be retried. Its own TTL runs from its first submission, the message's TTL from
    /// the first submission of all steps.
    pub(super) fn tries_until(self, message: &Present) -> Option<Timestamp> {
        let own = self.plan.step(message.step).and_then(|step| Some(message.accepted? + step.ttl?));
        [own, self.expires(message)].into_iter().flatten().min()
    }

    /// When the receipt window of the step that was submitted last closes.
    pub(super) fn closes(self, message: &Present) -> Timestamp {
        let window = message.marks.last_handed_over().and_then(|last| self.plan.step(last));
        let window = window.map_or(Span::ZERO, |step| step.receipt_window);
        message.accepted.map_or(self.now, |accepted| accepted + window)
    }

    /// Until when the message waits for receipts if no deadline decides: the end of the window, or of the TTL if the
    /// deadline was waived.
    pub(super) fn waits_until(self, message: &Present) -> Timestamp {
        let expires = self.expires(message).filter(|_| message.marks.waived() && self.may_go_on(message));
        expires.map_or_else(|| self.closes(message), |at| at.min(self.closes(message)))
    }

    /// The latest time at which a step may be submitted: by the plan, or by the message's own expiry if that is earlier.
    ///
    /// The campaign's `end` limits only the first submission. Later steps are limited by the TTL; otherwise a message
    /// sent shortly before the end could not fall back.
    pub(super) fn expires(self, message: &Present) -> Option<Timestamp> {
        let planned = match message.first_submitted_at {
            Some(first) => self.plan.ttl.map(|ttl| first + ttl),
            None => self.plan.end,
        };
        planned.into_iter().chain(message.expires).min()
    }

    pub(super) fn is_expired(self, message: &Present) -> bool {
        self.expires(message).is_some_and(|at| at <= self.now)
    }

    /// When the wait for the submission of `step` ends if it is queued now.
    pub(super) fn gives_up(self, message: &Present, step: StepIndex) -> Option<Timestamp> {
        self.gives_up_from(message, step, self.now)
    }

    /// When the wait for the submission of `step` ends if it is queued at `from`, as stored in the message's row. The
    /// campaign's end is in no row, so it can be changed at any time.
    pub(super) fn gives_up_from(self, message: &Present, step: StepIndex, from: Timestamp) -> Option<Timestamp> {
        [self.submit_by(step, from), self.gives_up_aside(message)].into_iter().flatten().min()
    }

    /// When the wait of a message ends that is set aside, as stored in its row: when it expires.
    pub(super) fn gives_up_aside(self, message: &Present) -> Option<Timestamp> {
        match message.first_submitted_at {
            Some(_) => self.expires(message),
            None => message.expires,
        }
    }

    /// Until when a step that is queued at `from` may be submitted, if it has a `leave_within`.
    fn submit_by(self, step: StepIndex, from: Timestamp) -> Option<Timestamp> {
        Some(from + self.plan.step(step)?.leave_within?)
    }

    /// Whether it is too late to submit a queued step: by its row, or because the campaign ended before the message's
    /// first submission.
    pub(super) fn is_too_late(self, message: &Present, gives_up: Option<Timestamp>) -> bool {
        let is_over = message.first_submitted_at.is_none() && self.is_expired(message);
        is_over || gives_up.is_some_and(|at| at <= self.now)
    }
}
