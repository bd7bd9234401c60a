//! What receipts make of a message. They come twice, late, out of order and before the answer that they follow.

use super::event::{CallOff, Decision, Ignored, Report, Rule};
use super::machine::{Machine, moved};
use crate::domain::{Ending, Fault, Outcome, Present, State, Status, Step, StepIndex, Timestamp};

/// What is on record of the tries of one step, each counted from nought: the last of all, and the last that left.
#[derive(Debug, Clone, Copy, Default)]
pub struct OnRecord {
    last: Option<u16>,
    left: Option<u16>,
}

impl OnRecord {
    /// Of tries, each with whether it left.
    pub fn of(tries: impl Iterator<Item = (u16, bool)>) -> Self {
        tries.fold(Self::default(), |known, (tries, has_left)| Self {
            last: known.last.max(Some(tries)),
            left: known.left.max(has_left.then_some(tries)),
        })
    }

    pub const fn has_left(self) -> bool {
        self.left.is_some()
    }

    /// Whether a try of the step is being handed over that is not on record yet.
    pub fn is_under_way(self, message: &Present, step: StepIndex) -> bool {
        step == message.step && matches!(message.state, State::Sending { .. }) && self.last < Some(message.tries)
    }

    /// The try that left last.
    pub fn latest(self, message: &Present, step: StepIndex) -> u16 {
        if self.is_under_way(message, step) { message.tries } else { self.left.unwrap_or(0) }
    }
}

/// Whether news of one try of a step still says something about the step, which may have been tried again since: of
/// what is told it is the try `told`, and `latest` is the one that left last, each counted from nought.
///
/// Good news counts from every try, except where the step goes again because the try it speaks of came to nothing, or was
/// to and its time ran out: that it had been accepted or sent is old, that it has arrived is not. Bad news is about one try alone.
pub fn counts(message: &Present, step: StepIndex, [told, latest]: [u16; 2], report: Report, success: Status) -> bool {
    match report {
        Report::Reached(status) => {
            let is_old = step == message.step && !message.marks.may_live(step) && told < message.tries;
            !is_old || status >= success.min(Status::Delivered)
        }
        Report::Failed { .. } => told >= latest,
    }
}

/// Whether it has not left as far as the row knows, and a receipt that says it did settles that.
const fn waits_for_answer(message: &Present) -> bool {
    match message.state {
        State::Queued { .. } => true,
        State::Sending { .. } => message.tries == 0,
        State::Awaiting { .. } | State::Done { .. } => false,
    }
}

impl<'a> Machine<'a> {
    /// A receipt with good news. It also proves that the attempt exists, whatever we believed.
    pub(super) fn reached(self, before: Present, step: StepIndex, status: Status) -> Decision {
        let Some(rules) = self.begun(&before, step) else {
            return Decision::Ignored(Ignored::NotBegun);
        };
        if step < before.step && !before.marks.handed_over(step) && status < rules.success {
            // The provider had said no, or we never asked. Only an arrival would make a difference now.
            return Decision::Ignored(Ignored::Stale);
        }
        let message = self.heard(before, step, status);
        // Bad news tells of acceptance too, which is no success where it comes first. What arrived after all is.
        let arrived_after_all = before.marks.failed(step) && status >= Status::Delivered;
        let is_new = arrived_after_all || before.marks.status(step) < Some(rules.success);
        if status >= rules.success && is_new {
            return self.succeed(message, before, step);
        }
        // Short of success, a receipt still settles a hand-over whose answer is missing. A step that goes again after
        // a failure stays where it is: "sent" may come from the try that failed.
        // Nor does one whose next try is on its way: the answer to that says of which try this was.
        let settles = waits_for_answer(&before) && step == before.step && !message.marks.failed(step);
        let next = if settles { self.left(message, self.now, Rule::Adopted) } else { message };
        if next == before {
            Decision::Ignored(Ignored::NothingNew)
        } else if settles || before.marks.unknown(step) {
            moved(next, Rule::Adopted)
        } else {
            moved(next, Rule::Progressed)
        }
    }

    /// Writes good news into the marks.
    fn heard(self, mut message: Present, step: StepIndex, status: Status) -> Present {
        if waits_for_answer(&message) && step == message.step && !message.marks.failed(step) {
            message = self.taken(message, self.now, Rule::Adopted);
        }
        let marks = message.marks.with_handed_over(step).with_unknown(step, false).with_status(step, status);
        let first_left = message.first_left.or(Some(self.now));
        let accepted = message.accepted.or(Some(self.now));
        Present { marks, first_left, accepted, ..message }
    }

    /// `step` has met its success status for the first time; `before` is the message without that news.
    pub(super) fn succeed(self, mut message: Present, before: Present, step: StepIndex) -> Decision {
        message.marks = message.marks.without_failed(step);
        let earlier = step < before.step;
        if before.marks.reached_by().is_some() {
            // Twice means that two steps met their success status: that a second one has left is not yet a double.
            message.marks = message.marks.with_delivered_twice();
            let settled = earlier || matches!(before.state, State::Done { .. });
            let next = if settled { message } else { self.done(message, Outcome::Reached, None) };
            return moved(next, Rule::DeliveredTwice);
        }
        if let State::Done { outcome: Outcome::Cancelled | Outcome::Skipped, .. } = before.state {
            // Never meant to leave: these stay what they are (rule 6 names the others).
            return moved(message, Rule::Progressed);
        }
        message.marks = message.marks.with_reached_by(step);
        match before.state {
            State::Done { .. } => {
                message.marks = message.marks.with_late();
                moved(self.done(message, Outcome::Reached, None), Rule::Late)
            }
            State::Queued { .. } if earlier => self.recall(message),
            // The later step may have left: its answer is still to come, and then the message ends.
            State::Sending { .. } if earlier => moved(message, Rule::ReachedEarlier),
            State::Awaiting { .. } if earlier => {
                moved(self.done(message, Outcome::Reached, None), Rule::ReachedEarlier)
            }
            State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } => {
                moved(self.done(message, Outcome::Reached, None), Rule::Reached)
            }
        }
    }

    /// A receipt with bad news. It never undoes good news.
    pub(super) fn failed(self, before: Present, step: StepIndex, fault: Fault, again: Timestamp) -> Decision {
        let Some(rules) = self.begun(&before, step) else {
            return Decision::Ignored(Ignored::NotBegun);
        };
        if before.marks.status(step) >= Some(rules.success.min(Status::Delivered)) {
            return match fault {
                // It arrived, and still nothing may follow it.
                Fault::Person => self.called_off(before, CallOff::OptOut),
                Fault::Recipient | Fault::Sender(_) | Fault::Passing => Decision::Ignored(Ignored::NothingNew),
            };
        }
        if step == before.step {
            match before.state {
                State::Sending { .. } => return self.failed_in_flight(before, fault, again),
                State::Queued { .. } | State::Awaiting { .. } if before.marks.handed_over(step) => {
                    if !before.marks.failed(step) {
                        return self.failed_present(before, fault, again);
                    }
                }
                State::Queued { .. } | State::Awaiting { .. } | State::Done { .. } => {}
            }
        }
        self.failed_before(before, step, fault)
    }

    /// The receipt overtook the answer; that it failed proves that it had been taken.
    fn failed_in_flight(self, message: Present, fault: Fault, again: Timestamp) -> Decision {
        let goes_again = matches!(fault, Fault::Sender(_) | Fault::Passing);
        if goes_again && message.tries > 0 {
            // This may as well be a repeated receipt of the try before, and acting on it would send twice.
            return Decision::Ignored(Ignored::InFlight);
        }
        self.failed_present(self.taken(message, self.now, Rule::Adopted), fault, again)
    }

    fn failed_present(self, message: Present, fault: Fault, again: Timestamp) -> Decision {
        let step = message.step;
        let marks = message.marks.with_unknown(step, false);
        let message = Present { marks: marks.with_failed(step), ..message };
        match fault {
            Fault::Recipient => self.give_way(message, Ending::Undelivered),
            Fault::Person => self.suppress(message, Ending::Undelivered),
            Fault::Sender(_) | Fault::Passing if self.is_cut(&message) => self.give_way(message, Ending::Undelivered),
            Fault::Sender(part) => {
                let message = self.undone(message);
                self.requeue(message, self.now, self.gives_up(&message, step), Rule::KeptForSender(part))
            }
            Fault::Passing => self.failed_in_passing(message, again),
        }
    }

    /// The same step again, within its time: until the deadline or window that runs since its first try, and the TTLs of
    /// step and message.
    fn failed_in_passing(self, message: Present, again: Timestamp) -> Decision {
        let time = self.deadline(&message).unwrap_or_else(|| self.closes(&message));
        let ends = self.tries_until(&message).map_or(time, |until| until.min(time));
        if ends <= self.now {
            return self.give_way(message, Ending::Undelivered);
        }
        let message = Present { tries: message.tries.saturating_add(1), ..message };
        self.requeue(message, again, Some(ends), Rule::TriedAgain)
    }

    /// The hand-over of the present step is undone, as if the provider had refused it at once (rule 2): where it was
    /// the only one, the message has never left.
    pub(super) fn undone(self, message: Present) -> Present {
        let marks = message.marks.without_hand_over(message.step).with_waived(false);
        let tries = message.tries.saturating_add(1);
        match marks.last_handed_over() {
            Some(_) => Present { marks, tries, ..message },
            None => Present { marks, tries, first_left: None, accepted: None, ..message },
        }
    }

    /// The step has had its turn. That it failed decides something only where nothing else is under way any more, or
    /// where the person wants no more.
    fn failed_before(self, before: Present, step: StepIndex, fault: Fault) -> Decision {
        let mut message = before;
        if message.marks.handed_over(step) {
            message.marks = message.marks.with_unknown(step, false).with_failed(step);
        }
        let alone = message.marks.last_handed_over() == Some(step);
        match (message.state, fault) {
            (State::Queued { .. }, Fault::Person) if alone || message.first_left.is_none() => {
                return self.suppress(message, message.marks.ending(message.step));
            }
            (State::Awaiting { .. }, Fault::Person) if alone => {
                return self.suppress(message, message.marks.ending(message.step));
            }
            (State::Awaiting { .. }, _) if alone => {
                return moved(self.done(message, Outcome::Undelivered, None), Rule::Ended(Ending::Undelivered));
            }
            (State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. }, Fault::Person) => {
                if let called_off @ Decision::Moved { .. } = self.called_off(message, CallOff::OptOut) {
                    return called_off;
                }
            }
            (State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } | State::Done { .. }, _) => {}
        }
        match (message == before, before.marks.unknown(step)) {
            (true, _) => Decision::Ignored(Ignored::NothingNew),
            (false, true) => moved(message, Rule::Adopted),
            (false, false) => moved(message, Rule::Noted),
        }
    }

    /// The rules of a step of which an attempt may exist, so that a receipt may speak of it.
    fn begun(self, message: &Present, step: StepIndex) -> Option<&'a Step> {
        let rules = self.plan.step(step).filter(|_| !message.marks.passed_over(step))?;
        let had_nothing_to_say = matches!(message.marks.ending(step), Ending::OutsideWindow | Ending::MissingVariable);
        let tried = matches!(message.state, State::Sending { .. })
            || message.tries > 0
            || message.marks.ending(step) != Ending::Open;
        let may_exist = !had_nothing_to_say && (step < message.step || (step == message.step && tried));
        (message.marks.handed_over(step) || may_exist).then_some(rules)
    }
}
