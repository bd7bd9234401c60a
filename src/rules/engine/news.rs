//! How receipts change a message. They arrive twice, late, out of order, and before the answer that they follow.

use super::event::{AttemptReport, Decision, Ignored, Rule};
use super::machine::{Machine, moved};
use crate::base::domain::{
    Ending, Fault, OnRecipientLimit, Outcome, Present, State, Status, Step, StepIndex, Timestamp,
};

/// The stored tries of one step, each counted from zero: the last of all, and the last that was submitted.
#[derive(Debug, Clone, Copy, Default)]
pub struct OnRecord {
    last: Option<u16>,
    left: Option<u16>,
}

impl OnRecord {
    /// Collects tries, each with whether it was submitted.
    pub fn of(tries: impl Iterator<Item = (u16, bool)>) -> Self {
        tries.fold(Self::default(), |known, (tries, has_left)| Self {
            last: known.last.max(Some(tries)),
            left: known.left.max(has_left.then_some(tries)),
        })
    }

    pub const fn has_left(self) -> bool {
        self.left.is_some()
    }

    /// Whether a try of the step is being submitted that is not stored yet.
    pub fn is_under_way(self, message: &Present, step: StepIndex) -> bool {
        step == message.step && matches!(message.state, State::Sending { .. }) && self.last < Some(message.tries)
    }

    /// The try that was submitted last.
    pub fn latest(self, message: &Present, step: StepIndex) -> u16 {
        if self.is_under_way(message, step) { message.tries } else { self.left.unwrap_or(0) }
    }
}

/// Whether a report on one try of a step still says something about the step, which may have been retried since.
///
/// `reported` is the try that the report is about, and `latest` is the try that was submitted last; both count from
/// zero.
///
/// - A failure counts only for the latest try.
/// - A success status counts for every try.
/// - Exception: the reported try failed, and the step is retried, or its time for the retry ran out. Then "accepted"
///   and "sent" are outdated; only success or a delivery counts.
pub fn counts(
    message: &Present,
    step: StepIndex,
    [reported, latest]: [u16; 2],
    report: AttemptReport,
    success: Status,
) -> bool {
    match report {
        AttemptReport::Reached(status) => {
            let is_old = step == message.step && !message.marks.may_live(step) && reported < message.tries;
            !is_old || status >= success.min(Status::Delivered)
        }
        AttemptReport::Failed { .. } => reported >= latest,
    }
}

/// Whether the message has not been submitted as far as its row knows. A receipt that proves the submission settles
/// that.
const fn waits_for_answer(message: &Present) -> bool {
    match message.state {
        State::Queued { .. } => true,
        State::Sending { .. } => message.tries == 0,
        State::Awaiting { .. } | State::Done { .. } => false,
    }
}

impl<'a> Machine<'a> {
    /// Handles a receipt with a status. It also proves that the attempt exists, whatever the row says.
    pub(super) fn reached(self, before: Present, step: StepIndex, status: Status) -> Decision {
        let Some(rules) = self.step_if_begun(&before, step) else {
            return Decision::Ignored(Ignored::NotBegun);
        };
        if step < before.step && !before.marks.handed_over(step) && status < rules.success {
            // The provider rejected the step, or it was never submitted. Only an arrival would change anything now.
            return Decision::Ignored(Ignored::Stale);
        }
        let message = self.with_reported_status(before, (step, rules), status);
        // A failure implies acceptance, which is no success if it comes first. An arrival after it is.
        let arrived_after_all = before.marks.failed(step) && status >= Status::Delivered;
        let is_new = arrived_after_all || before.marks.status(step) < Some(rules.success);
        if status >= rules.success && is_new {
            return self.succeed(message, before, step);
        }
        // Below success, a receipt still settles a submission whose answer is missing. A step that is retried after a
        // failure stays queued: "sent" may come from the failed try. A step whose next try is in flight stays too: the
        // answer shows which try the receipt was about.
        let settles = waits_for_answer(&before) && step == before.step && !message.marks.failed(step);
        let next = if settles { self.after_submission(message, self.now, Rule::Adopted) } else { message };
        if next == before {
            Decision::Ignored(Ignored::NothingNew)
        } else if settles || before.marks.unknown(step) {
            moved(next, Rule::Adopted)
        } else {
            moved(next, Rule::Progressed)
        }
    }

    /// Records a reported status in the marks.
    fn with_reported_status(self, mut message: Present, (step, rules): (StepIndex, &Step), status: Status) -> Present {
        if waits_for_answer(&message) && step == message.step && !message.marks.failed(step) {
            message = self.with_submission(message, self.now, Rule::Adopted);
        }
        let marks = message.marks.with_handed_over(step).with_unknown(step, false).with_status(step, status);
        let first_submitted_at = message.first_submitted_at.or(Some(self.now));
        // The clock of a step that is to be sent again a day later stands: only that submission, or an arrival, starts it.
        let arrives = step == message.step && status >= rules.success.min(Status::Delivered);
        let waits_for_recipient = message.accepted.is_none() && message.marks.failed(message.step) && !arrives;
        let accepted = message.accepted.or((!waits_for_recipient).then_some(self.now));
        Present { marks, first_submitted_at, accepted, ..message }
    }

    /// Records that `step` met its success status for the first time. `before` is the message without that report.
    pub(super) fn succeed(self, mut message: Present, before: Present, step: StepIndex) -> Decision {
        message.marks = message.marks.without_failed(step);
        let earlier = step < before.step;
        if before.marks.reached_by().is_some() {
            // "Twice" means that two steps met their success status. That a second one was submitted is not yet a
            // double.
            message.marks = message.marks.with_delivered_twice();
            let settled = earlier || matches!(before.state, State::Done { .. });
            let next = if settled { message } else { self.done(message, Outcome::Reached, None) };
            return moved(next, Rule::DeliveredTwice);
        }
        if let State::Done { outcome: Outcome::Cancelled | Outcome::Skipped, .. } = before.state {
            // These messages were not to be sent and keep their outcome (rule 6 names the others).
            return moved(message, Rule::Progressed);
        }
        message.marks = message.marks.with_reached_by(step);
        match before.state {
            State::Done { .. } => {
                message.marks = message.marks.with_late();
                moved(self.done(message, Outcome::Reached, None), Rule::Late)
            }
            State::Queued { .. } if earlier => self.recall(message),
            // The later step may have been submitted. Its answer is still to come, and ends the message.
            State::Sending { .. } if earlier => moved(message, Rule::ReachedEarlier),
            State::Awaiting { .. } if earlier => {
                moved(self.done(message, Outcome::Reached, None), Rule::ReachedEarlier)
            }
            State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } => {
                moved(self.done(message, Outcome::Reached, None), Rule::Reached)
            }
        }
    }

    /// Handles a receipt with a failure. It never undoes a success.
    pub(super) fn failed(self, before: Present, step: StepIndex, fault: Fault, again: Timestamp) -> Decision {
        let Some(rules) = self.step_if_begun(&before, step) else {
            return Decision::Ignored(Ignored::NotBegun);
        };
        if before.marks.status(step) >= Some(rules.success.min(Status::Delivered)) {
            return Decision::Ignored(Ignored::NothingNew);
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
        self.failed_earlier(before, step)
    }

    /// Handles a failure that overtook the answer: the failure proves that the provider had accepted the step.
    fn failed_in_flight(self, message: Present, fault: Fault, again: Timestamp) -> Decision {
        let goes_again = match fault {
            Fault::Sender(_) | Fault::Temporary => true,
            Fault::RecipientLimit => self.retries_at_limit(&message),
            Fault::Recipient | Fault::OptedOut => false,
        };
        if goes_again && message.tries > 0 {
            // This may be a repeated receipt of the try before; to act on it would send twice.
            return Decision::Ignored(Ignored::InFlight);
        }
        self.failed_present(self.with_submission(message, self.now, Rule::Adopted), fault, again)
    }

    fn failed_present(self, message: Present, fault: Fault, again: Timestamp) -> Decision {
        let step = message.step;
        let marks = message.marks.with_unknown(step, false);
        let message = Present { marks: marks.with_failed(step), ..message };
        match fault {
            Fault::Recipient | Fault::OptedOut => self.end_step(message, Ending::Undelivered),
            Fault::Sender(_) | Fault::Temporary if self.is_cut(&message) => self.end_step(message, Ending::Undelivered),
            Fault::Sender(part) => {
                let message = self.undone(message);
                self.requeue(message, self.now, self.gives_up(&message, step), Rule::KeptForSender(part))
            }
            Fault::Temporary => self.failed_in_passing(message, again),
            Fault::RecipientLimit => self.limited(message),
        }
    }

    /// Sends the same step again a day later if the step says so, and if its time lasts so long. Its deadline then runs
    /// from the later submission.
    fn limited(self, message: Present) -> Decision {
        let again = self.now + OnRecipientLimit::REST;
        let retries = self.retries_at_limit(&message) && !self.is_cut(&message);
        // By then the campaign may have ended. Its end is in no row, so it decides here alone.
        let is_in_time = self.plan.end.is_none_or(|end| again < end);
        match self.tries_until(&message).filter(|until| retries && is_in_time && again < *until) {
            Some(ends) => {
                let message = Present { tries: message.tries.saturating_add(1), accepted: None, ..message };
                self.requeue(message, again, Some(ends), Rule::WaitsForRecipient)
            }
            None => self.end_step(message, Ending::Undelivered),
        }
    }

    /// Retries the same step, within its time: the deadline or window that runs since its first try, and the TTLs of
    /// step and message.
    fn failed_in_passing(self, message: Present, again: Timestamp) -> Decision {
        let time = self.deadline(&message).unwrap_or_else(|| self.closes(&message));
        let ends = self.tries_until(&message).map_or(time, |until| until.min(time));
        if ends <= self.now {
            return self.end_step(message, Ending::Undelivered);
        }
        let message = Present { tries: message.tries.saturating_add(1), ..message };
        self.requeue(message, again, Some(ends), Rule::TriedAgain)
    }

    fn retries_at_limit(self, message: &Present) -> bool {
        self.plan.step(message.step).is_some_and(Step::retries_at_limit)
    }

    /// Undoes the submission of the present step, as if the provider had refused it at once (rule 2). If it was the
    /// only one, the message counts as never submitted.
    pub(super) fn undone(self, message: Present) -> Present {
        let marks = message.marks.without_hand_over(message.step).with_waived(false);
        let tries = message.tries.saturating_add(1);
        match marks.last_handed_over() {
            Some(_) => Present { marks, tries, ..message },
            None => Present { marks, tries, first_submitted_at: None, accepted: None, ..message },
        }
    }

    /// Handles a failure of an earlier or ended step. It decides something only if nothing else is under way.
    fn failed_earlier(self, before: Present, step: StepIndex) -> Decision {
        let mut message = before;
        if message.marks.handed_over(step) {
            message.marks = message.marks.with_unknown(step, false).with_failed(step);
        }
        if matches!(message.state, State::Awaiting { .. }) && message.marks.last_handed_over() == Some(step) {
            return moved(self.done(message, Outcome::Undelivered, None), Rule::Ended(Ending::Undelivered));
        }
        match (message == before, before.marks.unknown(step)) {
            (true, _) => Decision::Ignored(Ignored::NothingNew),
            (false, true) => moved(message, Rule::Adopted),
            (false, false) => moved(message, Rule::Recorded),
        }
    }

    /// The plan's step, if an attempt of it may exist and a receipt may therefore be about it.
    fn step_if_begun(self, message: &Present, step: StepIndex) -> Option<&'a Step> {
        let rules = self.plan.step(step).filter(|_| !message.marks.passed_over(step))?;
        let had_no_content =
            matches!(message.marks.ending(step), Ending::OutsideWindow | Ending::MissingVariable | Ending::OptedOut);
        let tried = matches!(message.state, State::Sending { .. })
            || message.tries > 0
            || message.marks.ending(step) != Ending::Open;
        let may_exist = !had_no_content && (step < message.step || (step == message.step && tried));
        (message.marks.handed_over(step) || may_exist).then_some(rules)
    }
}
