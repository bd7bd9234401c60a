//! The machine itself: one function for each kind of event. What receipts say is in `news`, the ways in which a step
//! goes on or ends are in `ways`, what the plan says about times is in `times`.

use super::event::{Answer, CallOff, Decision, Event, Ignored, Report, Rule, Silence};
use super::ways::lives;
use crate::domain::{
    AfterGap, BatchState, Ending, Fault, Marks, OnUnknown, Outcome, Plan, Present, SenderPart, SkipReason, State,
    StepIndex, Timestamp,
};

/// Where the message's batch stands, as far as the machine cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Live,
    /// A person called the batch off: nothing leaves, and every present step is the last.
    Cancelled,
}

impl Standing {
    pub const fn of(state: BatchState) -> Self {
        if state.is_cancelled() { Self::Cancelled } else { Self::Live }
    }
}

/// A message at the start of its life, of which `marks` say the steps that are not for it. The first that is may leave
/// from `not_before` on, until the step's `leave_within` is over. Where none is, the message has ended before it began.
pub fn begin(plan: &Plan, marks: Marks, not_before: Timestamp) -> Present {
    let message = Present { marks: marks.at_first(), ..Present::queued(not_before, None) };
    let machine = Machine { plan, standing: Standing::Live, now: not_before };
    match plan.first(marks) {
        Some(step) => {
            let gives_up = machine.leaves_by(step, not_before);
            Present { step, state: State::Queued { not_before, gives_up }, ..message }
        }
        None => machine.done(message, Outcome::Skipped, Some(SkipReason::NoStep)),
    }
}

/// Decides what an event makes of a message.
pub fn advance(plan: &Plan, standing: Standing, message: &Present, event: Event, now: Timestamp) -> Decision {
    let decision = Machine { plan, standing, now }.decide(message, event);
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

/// Given back by the provider once more.
const fn tried(message: Present) -> Present {
    Present { tries: message.tries.saturating_add(1), ..message }
}

impl Machine<'_> {
    fn decide(self, message: &Present, event: Event) -> Decision {
        match event {
            Event::Claimed => self.claimed(*message),
            Event::Answered { step, answer } => self.answered(*message, step, answer),
            Event::Receipt { step, report: Report::Reached(status) } => self.reached(*message, step, status),
            Event::Receipt { step, report: Report::Failed { fault, again } } => {
                self.failed(*message, step, fault, again)
            }
            Event::Due { silence } => self.due(*message, silence),
            Event::TierSpent { step } => self.tier_spent(*message, step),
            Event::PutOff { until } => self.put_off(*message, until),
            Event::Doubted { silence, tries } => self.doubted(*message, silence, tries),
            Event::RefusalRecalled { step, tries } => self.refusal_recalled(*message, step, tries),
            Event::CalledOff(why) => self.called_off(*message, why),
        }
    }

    fn claimed(self, message: Present) -> Decision {
        match message.state {
            State::Queued { not_before, .. } if not_before > self.now => Decision::Ignored(Ignored::NotYet),
            // The batch is called off or the time is up: the sweep or the timer ends it, never a hand-over.
            State::Queued { gives_up, .. } if self.is_cut(&message) || self.is_too_late(&message, gives_up) => {
                Decision::Ignored(Ignored::Stale)
            }
            State::Queued { not_before, gives_up } => {
                let state = State::Sending { intent: self.now, not_before, gives_up };
                moved(Present { state, ..message }, Rule::Claimed)
            }
            State::Sending { .. } => Decision::Ignored(Ignored::InFlight),
            State::Awaiting { .. } => Decision::Ignored(Ignored::Stale),
            State::Done { .. } => Decision::Ignored(Ignored::Ended),
        }
    }

    fn answered(self, message: Present, step: StepIndex, answer: Answer) -> Decision {
        let (intent, not_before, gives_up) = match message.state {
            State::Sending { intent, not_before, gives_up } if message.step == step => (intent, not_before, gives_up),
            // A receipt has overtaken the answer and proved the hand-over, or the claim was taken away.
            State::Sending { .. } | State::Queued { .. } | State::Awaiting { .. } | State::Done { .. } => {
                return Decision::Ignored(Ignored::Stale);
            }
        };
        match answer {
            Answer::Accepted => self.handed_over(message, self.now, Rule::HandedOver),
            Answer::Unknown => self.unknown(message, intent),
            Answer::Refused { fault: Fault::Recipient, .. } => self.give_way(message, Ending::Rejected),
            Answer::Refused { fault: Fault::Person, .. } => self.suppress(message, Ending::Rejected),
            Answer::Refused { fault: Fault::Sender(part), again } => {
                let at = if part == SenderPart::Step { again } else { not_before };
                self.requeue(tried(message), at, gives_up, Rule::KeptForSender(part))
            }
            Answer::Refused { fault: Fault::Passing, again } | Answer::Unavailable { again } => {
                self.requeue(tried(message), again, gives_up, Rule::TriedAgain)
            }
            Answer::NotBegun => self.requeue(message, not_before, gives_up, Rule::HandedBack),
            Answer::Later { at } => self.requeue(message, at.max(not_before), gives_up, Rule::PutOff),
            Answer::CannotLeave(obstacle) => self.cannot_leave(message, obstacle.ending()),
        }
    }

    /// Nobody knows whether the provider took it. It counts as handed over at its intent; where the route prefers a
    /// double to a miss it goes once more, and only once: a provider that breaks every time must not be a machine gun.
    fn unknown(self, message: Present, intent: Timestamp) -> Decision {
        let step = message.step;
        if lives(&message) {
            return moved(self.left(message, intent, Rule::CountedAsHandedOver), Rule::CountedAsHandedOver);
        }
        let again = self.plan.on_unknown == OnUnknown::Resend && !message.marks.unknown(step) && !self.is_cut(&message);
        let message = Present { marks: message.marks.with_unknown(step, true), ..message };
        if again {
            // A try like any other: what is said of the one before must not be taken for news of this one.
            let message = tried(self.taken(message, intent, Rule::Resent));
            return self.requeue(message, self.now, self.gives_up(&message, step), Rule::Resent);
        }
        self.handed_over(message, intent, Rule::CountedAsHandedOver)
    }

    fn due(self, message: Present, silence: Silence) -> Decision {
        match message.state {
            State::Queued { gives_up, .. } if self.is_too_late(&message, gives_up) => {
                self.queued_too_long(message, silence)
            }
            State::Awaiting { due } if due <= self.now => self.waited(message, silence),
            State::Awaiting { .. }
                if silence == Silence::Filled && message.marks.waived() && self.may_go_on(&message) =>
            {
                self.waited(message, silence)
            }
            State::Queued { .. } | State::Awaiting { .. } => Decision::Ignored(Ignored::NotYet),
            State::Sending { .. } => Decision::Ignored(Ignored::InFlight),
            State::Done { .. } => Decision::Ignored(Ignored::Ended),
        }
    }

    /// The time in which a queued step may leave is up.
    fn queued_too_long(self, message: Present, silence: Silence) -> Decision {
        if self.is_cut(&message) {
            return self.rest(message, Rule::CalledOffPresentLast);
        }
        if message.marks.unknown(message.step) {
            // Only its second copy could not leave: the first may be on its way, and its deadline decides.
            let next = self.awaiting(message);
            return match next.state {
                State::Awaiting { due } if due <= self.now => self.waited(next, silence),
                _ => moved(next, Rule::CountedAsHandedOver),
            };
        }
        if self.is_expired(&message) {
            return moved(self.done(message, Outcome::Expired, None), Rule::Expired);
        }
        self.cannot_leave(message, Ending::CouldNotLeave)
    }

    /// The step's turn came at an hour at which it may not leave. It keeps its place among those who wait as long.
    fn put_off(self, message: Present, until: Timestamp) -> Decision {
        match message.state {
            State::Queued { gives_up, .. } if self.is_too_late(&message, gives_up) => Decision::Ignored(Ignored::Stale),
            State::Queued { not_before, .. } if not_before >= until => Decision::Ignored(Ignored::NothingNew),
            State::Queued { gives_up, .. } => {
                // Whoever has not begun begins then, and has as long to leave as whoever could at once.
                let begins = message.first_left.is_none() && message.tries == 0;
                let is_first = self.plan.first(message.marks) == Some(message.step);
                let gives_up = if begins && is_first { self.leaves_by(message.step, until) } else { gives_up };
                self.requeue(message, until, gives_up, Rule::PutOff)
            }
            State::Sending { .. } => Decision::Ignored(Ignored::InFlight),
            State::Awaiting { .. } => Decision::Ignored(Ignored::Stale),
            State::Done { .. } => Decision::Ignored(Ignored::Ended),
        }
    }

    /// The step's turn came and there is no place in the tier.
    fn tier_spent(self, message: Present, step: StepIndex) -> Decision {
        match message.state {
            State::Queued { .. } if message.step != step => Decision::Ignored(Ignored::Stale),
            State::Queued { not_before, .. } if not_before > self.now => Decision::Ignored(Ignored::NotYet),
            // Without a step to go on to it waits for a place: to be late is better than never to come.
            State::Queued { .. } if !self.may_go_on(&message) && !self.is_cut(&message) => {
                Decision::Ignored(Ignored::NotYet)
            }
            State::Queued { .. } => self.cannot_leave(message, Ending::CouldNotLeave),
            State::Sending { .. } => Decision::Ignored(Ignored::InFlight),
            State::Awaiting { .. } => Decision::Ignored(Ignored::Stale),
            State::Done { .. } => Decision::Ignored(Ignored::Ended),
        }
    }

    /// The due time of an awaiting message has come: a deadline, or the close of its receipt window.
    fn waited(self, message: Present, silence: Silence) -> Decision {
        let waived = message.marks.waived() && silence != Silence::Filled;
        let deadline = self.deadline(&message).filter(|_| !waived);
        let ends = deadline.unwrap_or_else(|| self.unheard_until(&message));
        if ends > self.now {
            return moved(
                Present { state: State::Awaiting { due: ends }, ..self.noted_cut(message) },
                Rule::Rescheduled,
            );
        }
        // What the provider still repeats may be the news we wait for; that is as true of a window as of a deadline.
        if let Silence::Held { until } = silence
            && until > self.now
        {
            return moved(Present { state: State::Awaiting { due: until }, ..message }, Rule::DeadlineHeld);
        }
        if deadline.is_none() {
            return self.unheard(message);
        }
        if silence == Silence::Lost && self.plan.after_gap != AfterGap::FallBack {
            let message = Present { marks: message.marks.with_waived(true), ..message };
            let due = self.unheard_until(&message);
            if due <= self.now {
                return self.unheard(message);
            }
            return moved(Present { state: State::Awaiting { due }, ..message }, Rule::DeadlineWaived);
        }
        self.give_way(message, Ending::Deadline)
    }

    /// The step before has given way by a silence that is in doubt now. What is not claimed yet goes back to awaiting, and
    /// its deadline is looked at again there.
    fn doubted(self, message: Present, silence: Silence, tries: u16) -> Decision {
        let is_in_doubt = match silence {
            Silence::Held { until } => until > self.now,
            Silence::Lost => self.plan.after_gap != AfterGap::FallBack,
            Silence::Trusted | Silence::Filled => false,
        };
        match message.state {
            State::Queued { .. } if !is_in_doubt => Decision::Ignored(Ignored::NothingNew),
            State::Queued { .. } => match self.before_fallback(&message, Ending::Deadline) {
                Some(before) => moved(self.awaiting(Present { tries, ..before }), Rule::TakenBack),
                None => Decision::Ignored(Ignored::Stale),
            },
            State::Sending { .. } => Decision::Ignored(Ignored::InFlight),
            State::Awaiting { .. } => Decision::Ignored(Ignored::Stale),
            State::Done { .. } => Decision::Ignored(Ignored::Ended),
        }
    }

    /// The step before was refused by the fault of the sender. What has not been submitted since returns to its queue, as
    /// if that had been known at once.
    fn refusal_recalled(self, message: Present, step: StepIndex, tries: u16) -> Decision {
        match message.state {
            State::Queued { .. } if message.marks.preceding(message.step) != Some(step) => {
                Decision::Ignored(Ignored::Stale)
            }
            State::Queued { .. } => match self.before_refusal(&message) {
                Some(before) => {
                    let before = self.undone(Present { tries, ..before });
                    let gives_up = self.gives_up(&before, before.step);
                    self.requeue(before, self.now, gives_up, Rule::RefusalRecalled)
                }
                None => Decision::Ignored(Ignored::Stale),
            },
            State::Sending { .. } => Decision::Ignored(Ignored::InFlight),
            State::Awaiting { .. } => Decision::Ignored(Ignored::Stale),
            State::Done { .. } => Decision::Ignored(Ignored::Ended),
        }
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
            State::Queued { .. } if message.first_left.is_none() => self.rest(message, Rule::CalledOffUnsent),
            // It may be leaving at this moment. The mark outlives the answer, so that nothing follows it.
            State::Sending { .. } => moved(message, Rule::CalledOffPresentLast),
            State::Queued { .. } | State::Awaiting { .. } | State::Done { .. } => {
                self.rest(message, Rule::CalledOffPresentLast)
            }
        }
    }
}
