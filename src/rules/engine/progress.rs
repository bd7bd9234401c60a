//! What a change of a message tells to its observers.

use crate::base::domain::{Ending, Marks, Present, Progress, State, Status, StepIndex};

/// Statuses that observers are told, in the order in which a message reaches them.
const TOLD: [Status; 3] = [Status::Sent, Status::Delivered, Status::Read];

/// Lists what is new between two states of a message, in order: of each step the statuses, then its failure; at last the
/// outcome.
///
/// - A status implies the earlier ones: if "delivered" is the first report of a step, "sent" comes before it.
/// - A step that is resent may reach a status again.
pub fn progress(before: &Present, after: &Present) -> impl Iterator<Item = Progress> {
    let (was, is, ended) = (before.marks, after.marks, ended(before, after));
    let of_step = move |step| {
        let reached = TOLD
            .into_iter()
            .filter(move |status| has_reached(is, step, *status) && !has_reached(was, step, *status))
            .map(move |status| Progress::Reached { step, status });
        let has_failed = has_failed(is, step) && !has_failed(was, step);
        reached.chain(has_failed.then_some(Progress::Failed { step }))
    };
    StepIndex::all().flat_map(of_step).chain(ended)
}

fn has_reached(marks: Marks, step: StepIndex, status: Status) -> bool {
    marks.status(step) >= Some(status)
}

fn has_failed(marks: Marks, step: StepIndex) -> bool {
    marks.failed(step) || matches!(marks.ending(step), Ending::Rejected | Ending::Undelivered)
}

fn ended(before: &Present, after: &Present) -> Option<Progress> {
    let State::Done { outcome, skipped, .. } = after.state else { return None };
    (before.outcome() != Some(outcome)).then_some(Progress::Ended { outcome, skipped })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{Outcome, Timestamp};

    fn step(index: u8) -> StepIndex {
        StepIndex::new(index).unwrap()
    }

    fn message(marks: Marks) -> Present {
        Present { marks, ..Present::queued(Timestamp::default(), None) }
    }

    fn done(message: Present, outcome: Outcome) -> Present {
        let state = State::Done { outcome, skipped: None, at: Timestamp::default() };
        Present { state, ..message }
    }

    fn told(before: &Present, after: &Present) -> Vec<Progress> {
        progress(before, after).collect()
    }

    #[test]
    fn each_status_of_a_step_is_told_once_and_implies_the_earlier_ones() {
        let first = step(0);
        let accepted = message(Marks::default().with_handed_over(first).with_status(first, Status::Accepted));
        let with = |status| message(accepted.marks.with_status(first, status));
        let reached = |status| Progress::Reached { step: first, status };
        assert!(told(&message(Marks::default()), &accepted).is_empty());
        assert_eq!(told(&accepted, &with(Status::Sent)), [reached(Status::Sent)]);
        assert_eq!(told(&with(Status::Sent), &with(Status::Delivered)), [reached(Status::Delivered)]);
        assert_eq!(told(&accepted, &with(Status::Read)), TOLD.map(reached));
        assert!(told(&with(Status::Read), &with(Status::Read)).is_empty());
    }

    #[test]
    fn a_failed_step_is_told_once_however_the_failure_was_found() {
        let first = step(0);
        let failed = Progress::Failed { step: first };
        let open = message(Marks::default().with_handed_over(first));
        let rejected = message(Marks::default().with_ending(first, Ending::Rejected));
        assert_eq!(told(&open, &rejected), [failed]);
        let reported = message(open.marks.with_failed(first));
        let ended = message(reported.marks.with_ending(first, Ending::Undelivered));
        assert_eq!(told(&open, &reported), [failed]);
        assert!(told(&reported, &ended).is_empty());
        // A step that was not submitted did not fail.
        assert!(told(&open, &message(Marks::default().with_ending(first, Ending::CouldNotLeave))).is_empty());
    }

    #[test]
    fn the_outcome_comes_after_the_step_that_decided_it() {
        let (first, second) = (step(0), step(1));
        let before = message(Marks::default().with_ending(first, Ending::Deadline));
        let marks = before.marks.with_status(second, Status::Sent).with_failed(second);
        let after = done(message(marks.with_ending(second, Ending::Undelivered)), Outcome::Undelivered);
        let ended = |outcome| Progress::Ended { outcome, skipped: None };
        let expected = [
            Progress::Reached { step: second, status: Status::Sent },
            Progress::Failed { step: second },
            ended(Outcome::Undelivered),
        ];
        assert_eq!(told(&before, &after), expected);
        // A late success of the first step.
        let late = done(message(after.marks.with_status(first, Status::Delivered)), Outcome::Reached);
        let reached = |status| Progress::Reached { step: first, status };
        let expected = [reached(Status::Sent), reached(Status::Delivered), ended(Outcome::Reached)];
        assert_eq!(told(&after, &late), expected);
    }
}
