//! What became of a message at each step, in brief, from its row alone.

use crate::base::domain::{Channel, Ending, Outcome, Plan, Present, State, Status, StepIndex};

/// What became of a message at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepResult {
    /// The step does not apply to the country of the number.
    PassedOver,
    Queued,
    Sending,
    /// Submitted: receipts may still come.
    Awaiting,
    /// It met its success status.
    Reached,
    NotInTime,
    Undelivered,
    Rejected,
    CouldNotLeave,
    OutsideWindow,
    MissingVariable,
    /// The recipient had opted out of what the step is.
    OptedOut,
    /// The receipt window closed, and no receipt had decided it.
    NoReceipt,
    /// It is unknown whether the provider has it.
    Unknown,
    /// Submitted, and another step decided the message.
    Submitted,
    /// The message ended before the step was submitted.
    NotSent,
}

/// A step that a message came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepBrief {
    pub step: StepIndex,
    pub channel: Channel,
    pub result: StepResult,
    /// The best status that was reported.
    pub best: Option<Status>,
    /// The status that counts as reached.
    pub success: Status,
}

/// The steps that a message came to, in the order of the route, and those that do not apply to it.
pub fn steps_in_brief(plan: &Plan, present: &Present) -> Vec<StepBrief> {
    let marks = present.marks;
    let came_to =
        |step: StepIndex| step <= present.step || marks.handed_over(step) || marks.ending(step) != Ending::Open;
    let steps = plan.indexed_steps().filter(|(index, _)| came_to(*index));
    steps
        .map(|(index, step)| StepBrief {
            step: index,
            channel: step.channel,
            result: result(present, index),
            best: marks.status(index),
            success: step.success,
        })
        .collect()
}

fn result(present: &Present, step: StepIndex) -> StepResult {
    let marks = present.marks;
    if marks.passed_over(step) {
        return StepResult::PassedOver;
    }
    if marks.reached_by() == Some(step) {
        return StepResult::Reached;
    }
    match marks.ending(step) {
        Ending::Open => without_ending(present, step),
        Ending::Success => StepResult::Reached,
        Ending::Deadline => StepResult::NotInTime,
        Ending::Undelivered => StepResult::Undelivered,
        Ending::Rejected => StepResult::Rejected,
        Ending::CouldNotLeave => StepResult::CouldNotLeave,
        Ending::OutsideWindow => StepResult::OutsideWindow,
        Ending::MissingVariable => StepResult::MissingVariable,
        Ending::OptedOut => StepResult::OptedOut,
    }
}

/// The result of a step whose end is not marked: the state of the message tells it.
fn without_ending(present: &Present, step: StepIndex) -> StepResult {
    let (marks, is_present) = (present.marks, step == present.step);
    let was_submitted = marks.handed_over(step);
    match present.state {
        State::Queued { .. } if is_present => StepResult::Queued,
        State::Sending { .. } if is_present => StepResult::Sending,
        _ if marks.failed(step) => StepResult::Undelivered,
        State::Awaiting { .. } if was_submitted => StepResult::Awaiting,
        State::Done { outcome: Outcome::Silent, .. } if was_submitted => StepResult::NoReceipt,
        State::Done { outcome: Outcome::Unknown, .. } if marks.unknown(step) => StepResult::Unknown,
        State::Done { outcome: Outcome::Undelivered, .. } if is_present => StepResult::Undelivered,
        _ if was_submitted => StepResult::Submitted,
        _ => StepResult::NotSent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{Marks, Refused, Step, Timestamp};

    const AT: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn step(index: u8) -> StepIndex {
        StepIndex::new(index).unwrap()
    }

    fn results(present: &Present) -> Vec<StepResult> {
        let of = |channel| Step::of_text(channel, "lane", "Hi");
        let plan = Plan::of_steps(vec![of(Channel::WhatsApp), of(Channel::Viber), of(Channel::Sms)]);
        steps_in_brief(&plan, present).iter().map(|brief| brief.result).collect()
    }

    fn present(state: State, at: u8, marks: Marks) -> Present {
        Present {
            state,
            step: step(at),
            marks,
            first_submitted_at: Some(AT),
            accepted: Some(AT),
            tries: 0,
            refused: Refused::Never,
            expires: None,
        }
    }

    fn done(outcome: Outcome) -> State {
        State::Done { outcome, skipped: None, at: AT }
    }

    #[test]
    fn each_step_that_a_message_came_to_has_its_result() {
        let marks = Marks::default().with_handed_over(step(0)).with_ending(step(0), Ending::Deadline);
        let marks = marks.with_handed_over(step(1)).with_ending(step(1), Ending::Undelivered);
        let queued = State::Queued { not_before: AT, gives_up: None };
        let lost = [StepResult::NotInTime, StepResult::Undelivered];
        assert_eq!(results(&present(queued, 2, marks)), [&lost[..], &[StepResult::Queued]].concat());
        assert_eq!(results(&present(done(Outcome::Expired), 2, marks)), [&lost[..], &[StepResult::NotSent]].concat());
        let marks = marks.with_handed_over(step(2));
        for (state, last) in [
            (State::Awaiting { due: AT }, StepResult::Awaiting),
            (done(Outcome::Silent), StepResult::NoReceipt),
            (done(Outcome::Undelivered), StepResult::Undelivered),
        ] {
            assert_eq!(results(&present(state, 2, marks)), [&lost[..], &[last]].concat());
        }
        let unknown = marks.with_unknown(step(2), true);
        assert_eq!(results(&present(done(Outcome::Unknown), 2, unknown))[2], StepResult::Unknown);
    }

    #[test]
    fn a_late_success_of_an_earlier_step_counts_there() {
        let marks = Marks::default().with_handed_over(step(0)).with_ending(step(0), Ending::Deadline);
        let marks = marks.with_handed_over(step(1)).with_reached_by(step(0));
        let seen = results(&present(done(Outcome::Reached), 1, marks));
        assert_eq!(seen, [StepResult::Reached, StepResult::Submitted]);
        assert_eq!(
            results(&present(State::Sending { intent: AT, not_before: AT, gives_up: None }, 0, Marks::default())),
            [StepResult::Sending]
        );
    }
}
