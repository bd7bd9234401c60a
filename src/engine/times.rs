//! What the plan and a message's marks say about times and about what may follow.

use super::machine::{Machine, Standing};
use crate::domain::{Ending, Present, Span, StepIndex, Timestamp};

impl Machine<'_> {
    pub(super) fn is_cut(self, message: &Present) -> bool {
        self.standing == Standing::Cancelled || message.marks.cut()
    }

    pub(super) const fn has_reached(self, message: &Present) -> bool {
        message.marks.reached_by().is_some()
    }

    pub(super) fn was_rejected(self, message: &Present) -> bool {
        self.plan.places().any(|(step, _)| message.marks.ending(step) == Ending::Rejected)
    }

    /// The step that may follow the present one: never one that is not for this message, so the last that is for it is
    /// its last step, whatever stands behind it in the route.
    pub(super) fn next(self, message: &Present) -> Option<StepIndex> {
        self.plan.after(message.step, message.marks).filter(|_| !self.is_cut(message))
    }

    pub(super) fn may_go_on(self, message: &Present) -> bool {
        self.next(message).is_some()
    }

    /// When the present step gives way, where it does by itself.
    pub(super) fn deadline(self, message: &Present) -> Option<Timestamp> {
        if !self.may_go_on(message) || !message.marks.handed_over(message.step) {
            return None;
        }
        Some(message.accepted? + self.plan.step(message.step)?.fallback_after?)
    }

    /// Until when the present step may be tried again: its own TTL runs from its first hand-over, as the message's does
    /// from the first of all.
    pub(super) fn tries_until(self, message: &Present) -> Option<Timestamp> {
        let own = self.plan.step(message.step).and_then(|step| Some(message.accepted? + step.ttl?));
        [own, self.expires(message)].into_iter().flatten().min()
    }

    /// When the receipt window of the step that was handed over last closes.
    pub(super) fn closes(self, message: &Present) -> Timestamp {
        let window = message.marks.last_handed_over().and_then(|last| self.plan.step(last));
        let window = window.map_or(Span::ZERO, |step| step.receipt_window);
        message.accepted.map_or(self.now, |accepted| accepted + window)
    }

    /// Until when news is waited for where no deadline decides: the window, or the TTL where the deadline was waived.
    pub(super) fn unheard_until(self, message: &Present) -> Timestamp {
        let expires = self.expires(message).filter(|_| message.marks.waived() && self.may_go_on(message));
        expires.map_or_else(|| self.closes(message), |at| at.min(self.closes(message)))
    }

    /// The latest moment at which a step may leave. The campaign's `end` is the latest first hand-over and says
    /// nothing about later steps: theirs is the TTL, else nobody reached shortly before the end could fall back.
    pub(super) fn expires(self, message: &Present) -> Option<Timestamp> {
        match message.first_left {
            Some(first) => self.plan.ttl.map(|ttl| first + ttl),
            None => self.plan.end,
        }
    }

    pub(super) fn is_expired(self, message: &Present) -> bool {
        self.expires(message).is_some_and(|at| at <= self.now)
    }

    /// When waiting for `step` to leave ends, as the message's row says it. The campaign's end stands in no row, so that
    /// it can be moved at any time.
    pub(super) fn gives_up(self, message: &Present, step: StepIndex) -> Option<Timestamp> {
        let expires = message.first_left.and_then(|_| self.expires(message));
        [self.leaves_by(step, self.now), expires].into_iter().flatten().min()
    }

    /// Until when a step may leave that waits from then on, where it says so.
    pub(super) fn leaves_by(self, step: StepIndex, from: Timestamp) -> Option<Timestamp> {
        Some(from + self.plan.step(step)?.leave_within?)
    }

    /// Whether a queued step may leave no more: its row says so, or the campaign has ended before the message ever left.
    pub(super) fn is_too_late(self, message: &Present, gives_up: Option<Timestamp>) -> bool {
        let is_over = message.first_left.is_none() && self.is_expired(message);
        is_over || gives_up.is_some_and(|at| at <= self.now)
    }
}
