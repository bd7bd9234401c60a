//! The machine: one function for each kind of event. Receipts are in `news`, the ways in which a step continues or ends
//! in `ways`, the times of the plan in `times`.

use super::event::{Answer, AttemptReport, CallOff, Decision, Event, Ignored, Rule, Silence};
use super::ways::earlier_try_lives;
use crate::base::domain::{
    AfterGap, BatchState, Ending, Fault, Marks, OnUnknown, Outcome, Plan, Present, Refused, SenderPart, SkipReason,
    State, StepIndex, Timestamp,
};

/// The state of the message's batch, as far as the machine needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Live,
    /// An operator cancelled the batch: nothing is submitted, and every present step is the last.
    Cancelled,
}

impl Standing {
    pub const fn of(state: BatchState) -> Self {
        if state.is_cancelled() { Self::Cancelled } else { Self::Live }
    }
}

/// Creates a message at the start of its life.
///
/// `marks` say which steps do not apply to it, and `expires` is its own expiry, if it has one. The first step that applies
/// may be submitted from `not_before` on, until its `leave_within` is over or the message expires. If no step applies, the
/// message is done at once.
pub fn begin(plan: &Plan, marks: Marks, not_before: Timestamp, expires: Option<Timestamp>) -> Present {
    let message = Present { marks: marks.at_first(), expires, ..Present::queued(not_before, None) };
    let machine = Machine { plan, standing: Standing::Live, now: not_before };
    match plan.first(marks) {
        Some(step) => {
            let gives_up = machine.gives_up(&message, step);
            Present { step, state: State::Queued { not_before, gives_up }, ..message }
        }
        None => machine.done(message, Outcome::Skipped, Some(SkipReason::NoStep)),
    }
}

/// Decides how an event changes a message.
pub fn advance(plan: &Plan, standing: Standing, message: &Present, event: Event, now: Timestamp) -> Decision {
    let decision = Machine { plan, standing, now }.decide(message, event).unwrap_or_else(Decision::Ignored);
    let decision = forget_refusals(message, decision);
    #[cfg(test)]
    super::met::note(message, &event, &decision);
    decision
}

#[derive(Clone, Copy)]
pub(super) struct Machine<'a> {
    pub(super) plan: &'a Plan,
    pub(super) standing: Standing,
    pub(super) now: Timestamp,
}

pub(super) const fn moved(next: Present, rule: Rule) -> Decision {
    Decision::Moved { next, rule }
}

/// Refusals concern the present step while it is queued or sending. Whatever ends that forgets them.
fn forget_refusals(before: &Present, decision: Decision) -> Decision {
    match decision {
        Decision::Moved { next, rule } => {
            let is_unsent = matches!(next.state, State::Queued { .. } | State::Sending { .. });
            let refused = if is_unsent && next.step == before.step { next.refused } else { Refused::Never };
            moved(Present { refused, ..next }, rule)
        }
        ignored @ Decision::Ignored(_) => ignored,
    }
}

/// The times `not_before` and `gives_up` of a queued message, or why one that is not queued ignores the event.
const fn queued(message: &Present) -> Result<(Timestamp, Option<Timestamp>), Ignored> {
    match message.state {
        State::Queued { not_before, gives_up } => Ok((not_before, gives_up)),
        State::Sending { .. } => Err(Ignored::InFlight),
        State::Awaiting { .. } => Err(Ignored::Stale),
        State::Done { .. } => Err(Ignored::Ended),
    }
}

/// The same, for a message that a claim may take.
const fn claimable(message: &Present) -> Result<(Timestamp, Option<Timestamp>), Ignored> {
    if message.is_set_aside() { Err(Ignored::Stale) } else { queued(message) }
}

/// Counts one more try that the provider gave back.
const fn with_another_try(message: Present) -> Present {
    Present { tries: message.tries.saturating_add(1), ..message }
}

impl Machine<'_> {
    fn decide(self, message: &Present, event: Event) -> Result<Decision, Ignored> {
        match event {
            Event::Claimed => self.claimed(*message),
            Event::Answered { step, answer } => Ok(self.answered(*message, step, answer)),
            Event::Receipt { step, report: AttemptReport::Reached(status) } => Ok(self.reached(*message, step, status)),
            Event::Receipt { step, report: AttemptReport::Failed { fault, again } } => {
                Ok(self.failed(*message, step, fault, again))
            }
            Event::Due { silence } => Ok(self.due(*message, silence)),
            Event::TierSpent { step } => self.tier_spent(*message, step),
            Event::Postponed { until } => self.put_off(*message, until),
            Event::Doubted { silence, tries } => self.doubted(*message, silence, tries),
            Event::RefusalRecalled { step, tries } => self.refusal_recalled(*message, step, tries),
            Event::RefusedAlone { step } => self.refused_alone(*message, step),
            Event::Released => self.released(*message),
            Event::CalledOff(why) => Ok(self.called_off(*message, why)),
        }
    }

    fn claimed(self, message: Present) -> Result<Decision, Ignored> {
        let (not_before, gives_up) = claimable(&message)?;
        if not_before > self.now {
            return Err(Ignored::NotYet);
        }
        // The batch is cancelled, or the message's time is up. The sweep or the timer ends it; it is never submitted.
        if self.is_cut(&message) || self.is_too_late(&message, gives_up) {
            return Err(Ignored::Stale);
        }
        let state = State::Sending { intent: self.now, not_before, gives_up };
        Ok(moved(Present { state, ..message }, Rule::Claimed))
    }

    fn answered(self, message: Present, step: StepIndex, answer: Answer) -> Decision {
        let (intent, not_before, gives_up) = match message.state {
            State::Sending { intent, not_before, gives_up } if message.step == step => (intent, not_before, gives_up),
            // A receipt arrived before the answer and proved the submission, or the claim was taken away.
            State::Sending { .. } | State::Queued { .. } | State::Awaiting { .. } | State::Done { .. } => {
                return Decision::Ignored(Ignored::Stale);
            }
        };
        match answer {
            Answer::Accepted => self.submitted(message, self.now, Rule::HandedOver),
            Answer::Unknown => self.unknown(message, intent),
            Answer::Refused { fault: Fault::Recipient | Fault::RecipientLimit | Fault::OptedOut, .. } => {
                self.end_step(message, Ending::Rejected)
            }
            Answer::Refused { fault: Fault::Sender(part), again } => {
                let at = if part == SenderPart::Step { again } else { not_before };
                self.requeue(with_another_try(message), at, gives_up, Rule::KeptForSender(part))
            }
            Answer::Unclear { again } => {
                let refused = match message.refused {
                    Refused::Never | Refused::Once => Refused::Once,
                    Refused::Alone | Refused::Again | Refused::SetAside => Refused::Again,
                };
                let message = with_another_try(Present { refused, ..message });
                // It may be recorded later than it was answered.
                self.requeue(message, again.max(self.now), gives_up, Rule::MovedToEnd)
            }
            Answer::Refused { fault: Fault::Temporary, again } | Answer::Unavailable { again } => {
                self.requeue(with_another_try(message), again, gives_up, Rule::TriedAgain)
            }
            Answer::NotBegun => self.requeue(message, not_before, gives_up, Rule::HandedBack),
            Answer::Later { at } => self.requeue(message, at.max(not_before), gives_up, Rule::Postponed),
            Answer::CannotLeave(obstacle) => self.cannot_leave(message, obstacle.ending()),
        }
    }

    /// Handles an answer that does not say whether the provider accepted the step.
    ///
    /// The step counts as submitted at its intent. If the route prefers a double to a miss, it is resent, and only
    /// once: otherwise a provider that fails every time would get the message without end.
    fn unknown(self, message: Present, intent: Timestamp) -> Decision {
        let step = message.step;
        if earlier_try_lives(&message) {
            return moved(self.after_submission(message, intent, Rule::CountedAsHandedOver), Rule::CountedAsHandedOver);
        }
        let again = self.plan.on_unknown == OnUnknown::Resend && !message.marks.unknown(step) && !self.is_cut(&message);
        let message = Present { marks: message.marks.with_unknown(step, true), ..message };
        if again {
            // The resend counts as a new try, so a report on the first try is not taken for a report on the resend.
            let message = with_another_try(self.with_submission(message, intent, Rule::Resent));
            return self.requeue(message, self.now, self.gives_up(&message, step), Rule::Resent);
        }
        self.submitted(message, intent, Rule::CountedAsHandedOver)
    }

    fn due(self, message: Present, silence: Silence) -> Decision {
        let ends_waiver = silence == Silence::Filled && message.marks.waived() && self.may_go_on(&message);
        match message.state {
            State::Queued { gives_up, .. } if self.is_too_late(&message, gives_up) => {
                self.queued_too_long(message, silence)
            }
            State::Awaiting { due } if due <= self.now || ends_waiver => self.waited(message, silence),
            State::Queued { .. } | State::Awaiting { .. } => Decision::Ignored(Ignored::NotYet),
            State::Sending { .. } => Decision::Ignored(Ignored::InFlight),
            State::Done { .. } => Decision::Ignored(Ignored::Ended),
        }
    }

    /// Handles a queued step whose time for submission is over.
    fn queued_too_long(self, message: Present, silence: Silence) -> Decision {
        if self.is_cut(&message) {
            return self.end_route(message, Rule::CalledOffPresentLast);
        }
        if message.marks.unknown(message.step) {
            // Only the resend could not be submitted. The first copy may be on its way, and its deadline decides.
            let next = self.awaiting(message);
            return match next.state {
                State::Awaiting { due } if due <= self.now => self.waited(next, silence),
                _ => moved(next, Rule::CountedAsHandedOver),
            };
        }
        if self.is_expired(&message) {
            return moved(self.done(message, Outcome::Expired, None), Rule::Expired);
        }
        if let State::Queued { not_before, .. } = message.state
            && message.is_set_aside()
        {
            // Its plan has got more time since. It waits for an operator, so no fallback follows.
            let state = State::Queued { not_before, gives_up: self.gives_up_aside(&message) };
            return moved(Present { state, ..message }, Rule::Rescheduled);
        }
        self.cannot_leave(message, Ending::CouldNotLeave)
    }

    /// Postpones a queued step that came up outside its send hours. It keeps its order among the messages that wait for
    /// the same time.
    fn put_off(self, message: Present, until: Timestamp) -> Result<Decision, Ignored> {
        let (not_before, gives_up) = claimable(&message)?;
        if self.is_too_late(&message, gives_up) {
            return Err(Ignored::Stale);
        }
        if not_before >= until {
            return Err(Ignored::NothingNew);
        }
        // A message that has not begun begins at that time. Its `leave_within` then runs from there, as for a message
        // that could be sent at once.
        let begins = message.first_submitted_at.is_none() && message.tries == 0;
        let is_first = self.plan.first(message.marks) == Some(message.step);
        let gives_up = if begins && is_first { self.gives_up_from(&message, message.step, until) } else { gives_up };
        Ok(self.requeue(message, until, gives_up, Rule::Postponed))
    }

    /// Handles a step that came up while its tier has no free slot.
    fn tier_spent(self, message: Present, step: StepIndex) -> Result<Decision, Ignored> {
        let (not_before, _) = claimable(&message)?;
        if message.step != step {
            return Err(Ignored::Stale);
        }
        // Without a further step the message waits for a slot: late is better than never.
        let waits_for_slot = !self.may_go_on(&message) && !self.is_cut(&message);
        if not_before > self.now || waits_for_slot {
            return Err(Ignored::NotYet);
        }
        Ok(self.cannot_leave(message, Ending::CouldNotLeave))
    }

    /// Handles the due time of an awaiting message: a deadline, or the end of its receipt window.
    fn waited(self, message: Present, silence: Silence) -> Decision {
        let waived = message.marks.waived() && silence != Silence::Filled;
        let deadline = self.deadline(&message).filter(|_| !waived);
        let ends = deadline.unwrap_or_else(|| self.waits_until(&message));
        if ends > self.now {
            return moved(
                Present { state: State::Awaiting { due: ends }, ..self.with_batch_cut(message) },
                Rule::Rescheduled,
            );
        }
        // A receipt that the provider still repeats may be the awaited one. This holds for a window as well as for a
        // deadline.
        if let Silence::Held { until } = silence
            && until > self.now
        {
            return moved(Present { state: State::Awaiting { due: until }, ..message }, Rule::DeadlineHeld);
        }
        if deadline.is_none() {
            return self.end_without_receipt(message);
        }
        if silence == Silence::Lost && self.plan.after_gap != AfterGap::FallBack {
            let message = Present { marks: message.marks.with_waived(true), ..message };
            let due = self.waits_until(&message);
            if due <= self.now {
                return self.end_without_receipt(message);
            }
            return moved(Present { state: State::Awaiting { due }, ..message }, Rule::DeadlineWaived);
        }
        self.end_step(message, Ending::Deadline)
    }

    /// Reverses a fallback by a deadline whose silence is now in doubt. A message that is not claimed yet returns to
    /// awaiting, where its deadline is checked again.
    fn doubted(self, message: Present, silence: Silence, tries: u16) -> Result<Decision, Ignored> {
        queued(&message)?;
        let is_in_doubt = match silence {
            Silence::Held { until } => until > self.now,
            Silence::Lost => self.plan.after_gap != AfterGap::FallBack,
            Silence::Trusted | Silence::Filled => false,
        };
        if !is_in_doubt {
            return Err(Ignored::NothingNew);
        }
        let before = self.before_fallback(&message, Ending::Deadline).ok_or(Ignored::Stale)?;
        Ok(moved(self.awaiting(Present { tries, ..before }), Rule::TakenBack))
    }

    /// Reverses a fallback by a refusal that the sender caused. If the present step has not been submitted, the step
    /// before returns to its queue, as if the cause had been known at once.
    fn refusal_recalled(self, message: Present, step: StepIndex, tries: u16) -> Result<Decision, Ignored> {
        queued(&message)?;
        if message.marks.preceding(message.step) != Some(step) {
            return Err(Ignored::Stale);
        }
        let before = self.before_refusal(&message).ok_or(Ignored::Stale)?;
        let before = self.undone(Present { tries, ..before });
        let gives_up = self.gives_up(&before, before.step);
        Ok(self.requeue(before, self.now, gives_up, Rule::RefusalRecalled))
    }

    /// Handles the proof that a refusal concerned this message alone: another one was accepted afterwards.
    ///
    /// The first proof is remembered, and the second one sets the message aside. It then waits for an operator, so
    /// `leave_within` ends: no fallback follows from a fault that may be the sender's.
    fn refused_alone(self, message: Present, step: StepIndex) -> Result<Decision, Ignored> {
        let (_, gives_up) = queued(&message)?;
        if message.step != step || self.is_cut(&message) || self.is_too_late(&message, gives_up) {
            return Err(Ignored::Stale);
        }
        match message.refused {
            Refused::Once => Ok(moved(Present { refused: Refused::Alone, ..message }, Rule::RefusedAlone)),
            Refused::Again => {
                let state = State::Queued { not_before: self.now, gives_up: self.gives_up_aside(&message) };
                Ok(moved(Present { refused: Refused::SetAside, state, ..message }, Rule::SetAside))
            }
            Refused::Never | Refused::Alone | Refused::SetAside => Err(Ignored::NothingNew),
        }
    }

    /// Returns a message that was set aside to its queue, as if it had not been refused.
    fn released(self, message: Present) -> Result<Decision, Ignored> {
        let (_, gives_up) = queued(&message)?;
        if !message.is_set_aside() {
            return Err(Ignored::NothingNew);
        }
        if self.is_cut(&message) || self.is_too_late(&message, gives_up) {
            return Err(Ignored::Stale);
        }
        let message = Present { refused: Refused::Never, ..message };
        Ok(self.requeue(message, self.now, self.gives_up(&message, message.step), Rule::Released))
    }

    pub(super) fn called_off(self, message: Present, why: CallOff) -> Decision {
        if matches!(message.state, State::Done { .. }) {
            return Decision::Ignored(Ignored::Ended);
        }
        let mut marks = message.marks.with_cut();
        if why == CallOff::OptOut {
            marks = marks.with_opted_out();
        }
        if marks == message.marks {
            return Decision::Ignored(Ignored::NothingNew);
        }
        let message = Present { marks, ..message };
        match message.state {
            State::Queued { .. } if message.first_submitted_at.is_none() => {
                self.end_route(message, Rule::CalledOffUnsent)
            }
            // The step may be on its way to the provider. The mark outlives the answer, so no step follows.
            State::Sending { .. } => moved(message, Rule::CalledOffPresentLast),
            State::Queued { .. } | State::Awaiting { .. } | State::Done { .. } => {
                self.end_route(message, Rule::CalledOffPresentLast)
            }
        }
    }
}
