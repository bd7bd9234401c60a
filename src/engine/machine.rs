//! The machine itself. One function for each kind of event, and below them the few ways in which a step can end.

use super::event::{Answer, CallOff, Decision, Event, Ignored, Report, Rule, Silence};
use crate::domain::{
    AfterGap, Ending, Fault, OnUnknown, Outcome, Plan, Present, SkipReason, Span, State, Status, Step, StepIndex,
    Timestamp,
};

/// Where the message's batch stands, as far as the machine cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Live,
    /// A person called the batch off: nothing leaves, and every present step is the last.
    Cancelled,
}

/// Decides what an event makes of a message.
pub fn advance(plan: &Plan, standing: Standing, message: &Present, event: Event, now: Timestamp) -> Decision {
    let machine = Machine { plan, standing, now };
    match event {
        Event::Claimed => machine.claimed(*message),
        Event::Answered { step, answer } => machine.answered(*message, step, answer),
        Event::Receipt { step, report: Report::Reached(status) } => machine.reached(*message, step, status),
        Event::Receipt { step, report: Report::Failed { fault, again } } => {
            machine.failed(*message, step, fault, again)
        }
        Event::Due { silence } => machine.due(*message, silence),
        Event::CalledOff(why) => machine.called_off(*message, why),
    }
}

#[derive(Clone, Copy)]
struct Machine<'a> {
    plan: &'a Plan,
    standing: Standing,
    now: Timestamp,
}

const fn moved(next: Present, rule: Rule) -> Decision {
    Decision::Moved { next, rule }
}

impl Machine<'_> {
    fn claimed(self, message: Present) -> Decision {
        match message.state {
            State::Queued { not_before, .. } if not_before > self.now => Decision::Ignored(Ignored::NotYet),
            // The batch is called off or the time is up: the sweep or the timer ends it, never a hand-over.
            State::Queued { gives_up, .. } if self.is_cut(&message) || gives_up.is_some_and(|at| at <= self.now) => {
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
            Answer::Unknown if self.plan.on_unknown == OnUnknown::Resend && !self.is_cut(&message) => {
                let marks = message.marks.with_handed_over(step).with_unknown(step, true);
                let first_left = message.first_left.or(Some(intent));
                let message = Present { marks, first_left, accepted: Some(intent), ..message };
                self.requeue(message, self.now, gives_up, Rule::Resent)
            }
            Answer::Unknown => {
                let message = Present { marks: message.marks.with_unknown(step, true), ..message };
                self.handed_over(message, intent, Rule::CountedAsHandedOver)
            }
            Answer::Refused { fault: Fault::Recipient, .. } => self.give_way(message, Ending::Rejected),
            Answer::Refused { fault: Fault::Person, .. } => self.suppress(message, Ending::Rejected),
            Answer::Refused { fault: Fault::Sender(part), .. } => {
                self.requeue(message, not_before, gives_up, Rule::KeptForSender(part))
            }
            Answer::Refused { fault: Fault::Passing, again } | Answer::Unavailable { again } => {
                let message = Present { tries: message.tries.saturating_add(1), ..message };
                self.requeue(message, again, gives_up, Rule::TriedAgain)
            }
            Answer::NotBegun => self.requeue(message, not_before, gives_up, Rule::HandedBack),
            Answer::CannotLeave(ending) => self.give_way(message, ending),
        }
    }

    /// A receipt with good news. It also proves that the attempt exists, whatever we believed.
    fn reached(self, mut message: Present, step: StepIndex, status: Status) -> Decision {
        let Some(rules) = self.plan.step(step).filter(|_| step <= message.step) else {
            return Decision::Ignored(Ignored::NotBegun);
        };
        let before = message;
        if message.step == step && matches!(message.state, State::Sending { .. } | State::Queued { .. }) {
            // It overtook the answer, or the attempt that we were about to repeat had arrived after all.
            if matches!(message.state, State::Queued { .. }) && message.first_left.is_none() && message.tries == 0 {
                return Decision::Ignored(Ignored::NotBegun);
            }
            if let Decision::Moved { next, .. } = self.handed_over(message, self.now, Rule::Adopted) {
                message = next;
            }
        }
        let was_unknown = message.marks.unknown(step);
        message.marks = message.marks.with_unknown(step, false).with_status(step, status);
        if status < rules.success || before.marks.ending(step) == Ending::Success {
            return if message == before {
                Decision::Ignored(Ignored::NothingNew)
            } else {
                moved(message, if was_unknown { Rule::Adopted } else { Rule::Progressed })
            };
        }
        self.succeed(message, step, before)
    }

    /// `step` has met its success status for the first time.
    fn succeed(self, mut message: Present, step: StepIndex, before: Present) -> Decision {
        let had_reached = self.has_reached(&before);
        let overwritten = message.marks;
        message.marks = message.marks.with_ending(step, Ending::Success);
        match before.state {
            State::Done { outcome: Outcome::Reached, .. } => {
                // How the second step ended stays as it was; that two met their status is what counts.
                message.marks = overwritten.with_delivered_twice();
                message.state = before.state;
                if message == before {
                    Decision::Ignored(Ignored::NothingNew)
                } else {
                    moved(message, Rule::DeliveredTwice)
                }
            }
            State::Done {
                outcome: Outcome::Undelivered | Outcome::Silent | Outcome::Unknown | Outcome::Expired,
                ..
            } => {
                message.marks = message.marks.with_late();
                moved(self.done(message, Outcome::Reached, None), Rule::Late)
            }
            State::Done { outcome: Outcome::Cancelled | Outcome::Skipped, .. } => {
                message.marks = overwritten;
                if message == before { Decision::Ignored(Ignored::Ended) } else { moved(message, Rule::Progressed) }
            }
            State::Queued { .. } if step < before.step => {
                // The later step has not left: it is taken back, and was never begun.
                let marks = message.marks.with_ending(before.step, Ending::Open);
                moved(self.done(Present { step, marks, ..message }, Outcome::Reached, None), Rule::Recalled)
            }
            // The later step may have left: its answer is still to come, and then the message ends.
            State::Sending { .. } if step < before.step => moved(message, Rule::ReachedEarlier),
            State::Awaiting { .. } if step < before.step => {
                moved(self.done(message, Outcome::Reached, None), Rule::ReachedEarlier)
            }
            State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } => {
                if had_reached {
                    message.marks = overwritten.with_delivered_twice();
                    return moved(self.done(message, Outcome::Reached, None), Rule::DeliveredTwice);
                }
                moved(self.done(message, Outcome::Reached, None), Rule::Reached)
            }
        }
    }

    /// A receipt with bad news. It never undoes good news.
    fn failed(self, mut message: Present, step: StepIndex, fault: Fault, again: Timestamp) -> Decision {
        if step > message.step || step.index() >= self.plan.steps.len() {
            return Decision::Ignored(Ignored::NotBegun);
        }
        if message.marks.status(step) >= Some(Status::Delivered) || message.marks.ending(step) == Ending::Success {
            return Decision::Ignored(Ignored::NothingNew);
        }
        let was_unknown = message.marks.unknown(step);
        message.marks = message.marks.with_unknown(step, false);
        let noted = if was_unknown { moved(message, Rule::Adopted) } else { Decision::Ignored(Ignored::NothingNew) };
        match message.state {
            State::Done { .. } => noted,
            State::Queued { .. } if step == message.step && !was_unknown => noted,
            State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } if step < message.step => {
                // The step has given way already. It matters only where nothing else is under way any more.
                let alone =
                    matches!(message.state, State::Awaiting { .. }) && message.marks.last_handed_over() == Some(step);
                if alone {
                    moved(self.done(message, Outcome::Undelivered, None), Rule::Ended(Ending::Undelivered))
                } else {
                    noted
                }
            }
            State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } => {
                if let State::Sending { intent, .. } = message.state {
                    // It overtook the answer; that it failed proves that it had been taken.
                    message.marks = message.marks.with_handed_over(step);
                    message.first_left = message.first_left.or(Some(intent));
                    message.accepted = Some(self.now);
                }
                self.failed_present(message, fault, again)
            }
        }
    }

    fn failed_present(self, message: Present, fault: Fault, again: Timestamp) -> Decision {
        let step = message.step;
        match fault {
            Fault::Recipient => self.give_way(message, Ending::Undelivered),
            Fault::Person => self.suppress(message, Ending::Undelivered),
            Fault::Sender(_) | Fault::Passing if self.is_cut(&message) => self.give_way(message, Ending::Undelivered),
            Fault::Sender(part) => {
                let message = Present { marks: message.marks.without_hand_over(step), ..message };
                self.requeue(message, self.now, self.gives_up(&message, step), Rule::KeptForSender(part))
            }
            Fault::Passing => {
                // Within its time: the deadline that ran for the first try holds for this one too.
                let deadline = match message.state {
                    State::Awaiting { due } => Some(due),
                    State::Queued { gives_up, .. } | State::Sending { gives_up, .. } => gives_up,
                    State::Done { .. } => None,
                };
                let marks = message.marks.without_hand_over(step);
                let message = Present { marks, tries: message.tries.saturating_add(1), ..message };
                self.requeue(message, again, deadline, Rule::TriedAgain)
            }
        }
    }

    fn due(self, message: Present, silence: Silence) -> Decision {
        match message.state {
            State::Queued { gives_up: Some(at), .. } if at <= self.now => {
                if self.is_cut(&message) {
                    self.rest(message, Rule::CalledOffPresentLast)
                } else if self.is_expired(&message) {
                    moved(self.done(message, Outcome::Expired, None), Rule::Expired)
                } else {
                    self.give_way(message, Ending::CouldNotLeave)
                }
            }
            State::Awaiting { due } if due <= self.now => self.waited(message, silence),
            State::Queued { .. } | State::Awaiting { .. } => Decision::Ignored(Ignored::NotYet),
            State::Sending { .. } => Decision::Ignored(Ignored::InFlight),
            State::Done { .. } => Decision::Ignored(Ignored::Ended),
        }
    }

    /// The due time of an awaiting message has come: a deadline, or the close of its receipt window.
    fn waited(self, message: Present, silence: Silence) -> Decision {
        let deadline = self.deadline(&message).filter(|_| !message.marks.waived());
        let Some(deadline) = deadline else {
            if self.may_go_on(&message) && self.is_expired(&message) {
                return moved(self.done(message, Outcome::Expired, None), Rule::Expired);
            }
            return self.close(message);
        };
        if deadline > self.now {
            return moved(Present { state: State::Awaiting { due: deadline }, ..message }, Rule::Rescheduled);
        }
        match silence {
            Silence::Held { until } if until > self.now => {
                moved(Present { state: State::Awaiting { due: until }, ..message }, Rule::DeadlineHeld)
            }
            Silence::Lost if self.plan.after_gap != AfterGap::FallBack => {
                let message = Present { marks: message.marks.with_waived(true), ..message };
                let due = self.closes(&message).min(self.expires(&message).unwrap_or(Timestamp::MAX));
                moved(Present { state: State::Awaiting { due }, ..message }, Rule::DeadlineWaived)
            }
            Silence::Trusted | Silence::Held { .. } | Silence::Lost => self.give_way(message, Ending::Deadline),
        }
    }

    fn called_off(self, mut message: Present, why: CallOff) -> Decision {
        match message.state {
            State::Sending { .. } => Decision::Ignored(Ignored::InFlight),
            State::Done { .. } => Decision::Ignored(Ignored::Ended),
            State::Queued { .. } | State::Awaiting { .. } if message.marks.cut() => {
                Decision::Ignored(Ignored::NothingNew)
            }
            State::Queued { .. } if message.marks.last_handed_over().is_none() => {
                let (outcome, skipped) = match why {
                    CallOff::Cancel => (Outcome::Cancelled, None),
                    CallOff::OptOut => (Outcome::Skipped, Some(SkipReason::OptedOut)),
                };
                moved(self.done(message, outcome, skipped), Rule::CalledOffUnsent)
            }
            State::Queued { .. } => self.rest(message, Rule::CalledOffPresentLast),
            State::Awaiting { .. } => {
                message.marks = message.marks.with_cut();
                let due = self.closes(&message);
                moved(Present { state: State::Awaiting { due }, ..message }, Rule::CalledOffPresentLast)
            }
        }
    }
}

/// The ways in which a step can go on or end.
impl Machine<'_> {
    /// The provider took the present step at `at`, or is counted as having taken it.
    fn handed_over(self, mut message: Present, at: Timestamp, rule: Rule) -> Decision {
        let step = message.step;
        let intent = match message.state {
            State::Sending { intent, .. } => intent,
            State::Queued { .. } | State::Awaiting { .. } | State::Done { .. } => at,
        };
        message.marks = message.marks.with_handed_over(step);
        if rule != Rule::CountedAsHandedOver {
            message.marks = message.marks.with_unknown(step, false).with_status(step, Status::Accepted);
        }
        message.first_left = message.first_left.or(Some(intent));
        message.accepted = Some(at);
        if self.has_reached(&message) {
            return moved(self.done(message, Outcome::Reached, None), rule);
        }
        let enough = self.plan.step(step).is_some_and(|rules| rules.success == Status::Accepted);
        if enough && rule == Rule::HandedOver {
            message.marks = message.marks.with_ending(step, Ending::Success);
            return moved(self.done(message, Outcome::Reached, None), Rule::Reached);
        }
        if self.standing == Standing::Cancelled {
            message.marks = message.marks.with_cut();
        }
        let due = self.deadline(&message).unwrap_or_else(|| self.closes(&message));
        moved(Present { state: State::Awaiting { due }, ..message }, rule)
    }

    /// The present step has not left, or may go again: back to its queue, unless nothing may leave any more.
    fn requeue(self, message: Present, not_before: Timestamp, gives_up: Option<Timestamp>, rule: Rule) -> Decision {
        if self.has_reached(&message) {
            return moved(self.done(message, Outcome::Reached, None), Rule::ReachedEarlier);
        }
        if self.is_cut(&message) {
            return self.rest(message, Rule::CalledOffPresentLast);
        }
        moved(Present { state: State::Queued { not_before, gives_up }, ..message }, rule)
    }

    /// The present step is over; the next one is queued, where there is one and it may leave.
    fn give_way(self, mut message: Present, ending: Ending) -> Decision {
        if self.has_reached(&message) {
            return moved(self.done(message, Outcome::Reached, None), Rule::ReachedEarlier);
        }
        message.marks = message.marks.with_ending(message.step, ending).with_waived(false);
        let next = self.plan.after(message.step).filter(|_| !self.is_cut(&message));
        let Some(next) = next else {
            return self.rest(message, Rule::Ended(ending));
        };
        if self.is_expired(&message) {
            return moved(self.done(message, Outcome::Expired, None), Rule::Expired);
        }
        let state = State::Queued { not_before: self.now, gives_up: self.gives_up(&message, next) };
        moved(Present { state, step: next, tries: 0, ..message }, Rule::GaveWay(ending))
    }

    /// Nothing leaves any more. What was handed over last may still arrive, unless we know better.
    fn rest(self, mut message: Present, rule: Rule) -> Decision {
        if self.is_cut(&message) || rule == Rule::CalledOffPresentLast {
            message.marks = message.marks.with_cut();
        }
        let ending = message.marks.ending(message.step);
        let (outcome, skipped) = match (ending, message.marks.last_handed_over()) {
            // What the provider said no to is over. So is a last step whose time to leave ran out.
            (Ending::Undelivered | Ending::Rejected, _) => (Outcome::Undelivered, None),
            (Ending::CouldNotLeave, _) => (Outcome::Expired, None),
            (_, Some(last)) if message.marks.ending(last) == Ending::Undelivered => (Outcome::Undelivered, None),
            (_, Some(_)) => {
                message.marks = message.marks.with_cut();
                let due = self.closes(&message);
                let message = Present { state: State::Awaiting { due }, ..message };
                return if due <= self.now { self.close(message) } else { moved(message, rule) };
            }
            (_, None) if self.was_rejected(&message) => (Outcome::Undelivered, None),
            (Ending::OutsideWindow, None) => (Outcome::Skipped, Some(SkipReason::OutsideWindow)),
            (Ending::MissingVariable, None) => (Outcome::Skipped, Some(SkipReason::MissingVariable)),
            (Ending::Open | Ending::Success | Ending::Deadline, None) => (Outcome::Cancelled, None),
        };
        moved(self.done(message, outcome, skipped), rule)
    }

    /// The person wants no more: nothing goes out on any channel.
    fn suppress(self, mut message: Present, ending: Ending) -> Decision {
        message.marks = message.marks.with_ending(message.step, ending);
        moved(self.done(message, Outcome::Skipped, Some(SkipReason::OptedOut)), Rule::Suppressed)
    }

    /// The receipt window of what was handed over last has closed, or is still open for a while.
    fn close(self, message: Present) -> Decision {
        let closes = self.closes(&message);
        if closes > self.now {
            return moved(Present { state: State::Awaiting { due: closes }, ..message }, Rule::Rescheduled);
        }
        let unknown = message.marks.last_handed_over().is_some_and(|last| message.marks.unknown(last));
        let outcome = if unknown { Outcome::Unknown } else { Outcome::Silent };
        moved(self.done(message, outcome, None), Rule::WindowClosed)
    }

    const fn done(self, message: Present, outcome: Outcome, skipped: Option<SkipReason>) -> Present {
        Present { state: State::Done { outcome, skipped, at: self.now }, ..message }
    }
}

/// What the plan says about times.
impl Machine<'_> {
    fn is_cut(self, message: &Present) -> bool {
        self.standing == Standing::Cancelled || message.marks.cut()
    }

    fn has_reached(self, message: &Present) -> bool {
        self.plan.places().any(|(step, _)| message.marks.ending(step) == Ending::Success)
    }

    fn was_rejected(self, message: &Present) -> bool {
        self.plan.places().any(|(step, _)| message.marks.ending(step) == Ending::Rejected)
    }

    /// Whether another step may follow the present one.
    fn may_go_on(self, message: &Present) -> bool {
        !self.is_cut(message) && self.plan.after(message.step).is_some()
    }

    /// When the present step gives way, where it does by itself.
    fn deadline(self, message: &Present) -> Option<Timestamp> {
        if !self.may_go_on(message) || !message.marks.handed_over(message.step) {
            return None;
        }
        Some(message.accepted? + self.plan.step(message.step)?.fallback_after?)
    }

    /// When the receipt window of the step that was handed over last closes.
    fn closes(self, message: &Present) -> Timestamp {
        let window = message.marks.last_handed_over().and_then(|last| self.plan.step(last));
        let window = window.map_or(Span::ZERO, |rules: &Step| rules.receipt_window);
        message.accepted.map_or(self.now, |accepted| accepted + window)
    }

    /// The latest moment at which a step may leave.
    fn expires(self, message: &Present) -> Option<Timestamp> {
        match message.first_left {
            Some(first) => self.plan.ttl.map(|ttl| first + ttl),
            None => self.plan.end,
        }
    }

    fn is_expired(self, message: &Present) -> bool {
        self.expires(message).is_some_and(|at| at <= self.now)
    }

    /// When waiting for `step` to leave ends.
    fn gives_up(self, message: &Present, step: StepIndex) -> Option<Timestamp> {
        let leave_within = self.plan.step(step).and_then(|rules| rules.leave_within).map(|span| self.now + span);
        [leave_within, self.expires(message)].into_iter().flatten().min()
    }
}
