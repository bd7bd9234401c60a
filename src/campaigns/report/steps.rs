//! The figures of each step, and the sums that they have to satisfy.

use serde::Serialize;

use super::figures::Report;
use crate::base::domain::{BatchState, Channel, Count, Money, Plan, StepIndex, Tallies};

#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct StepReport {
    pub step: u8,
    pub channel: Channel,
    pub lanes: Vec<String>,
    /// Messages that the step does not apply to.
    pub passed_over: i64,
    /// `None` if the campaign was created by a version that did not count this.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub course: Option<StepCourse>,
    pub handed_over: i64,
    pub sent: i64,
    pub delivered: i64,
    pub read: i64,
    /// Messages whose attempt on this step the recipient replied to.
    pub replied: i64,
    pub undelivered: i64,
    pub rejected: i64,
    /// Submissions with an unknown result.
    pub unknown_count: i64,
    /// Messages for which it was queued and recalled, because an earlier step had arrived.
    pub recalled: i64,
    /// Messages that expired at this step.
    pub expired: i64,
    /// Messages that were cancelled while they waited for it, without an earlier submission.
    pub cancelled: i64,
    /// Messages that reached their success status first by this step.
    pub reached: i64,
    pub fell_back: FellBack,
    /// The cost of its messages, by the prices at the launch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spent: Option<Money>,
    /// What is charged if its messages that may still arrive are delivered; missing where nothing is reserved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserved: Option<Money>,
}

/// What became of the messages that entered a step. Two sums hold at any time:
///
/// - `entered` = the step's `handed_over` + `to_submit` + `not_submitted`
/// - `entered` = the step's `fell_back` + `open` + `ended`
///
/// A fallback that was recalled, because an earlier step had arrived after all, counts in neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct StepCourse {
    pub entered: Entered,
    /// Messages that are queued or being sent, and were not submitted on this step before.
    pub to_submit: i64,
    pub not_submitted: NotSubmitted,
    /// Messages at this step that have no outcome yet.
    pub open: i64,
    /// Messages that got their outcome at this step.
    pub ended: i64,
}

/// How messages came to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Entered {
    /// It is the first step that applies to them.
    pub first: i64,
    pub by_fallback: i64,
}

impl Entered {
    pub const fn total(&self) -> i64 {
        self.first + self.by_fallback
    }
}

/// Why messages that entered a step were never submitted on it, whether they fell back or ended there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct NotSubmitted {
    pub rejected: i64,
    pub could_not_leave: i64,
    pub outside_window: i64,
    pub missing_variable: i64,
    /// The recipient had opted out of what the step is.
    pub opted_out: i64,
    /// The message's TTL or the campaign's end was over.
    pub expired: i64,
    /// A cancel, an opt-out or an exclusion.
    pub called_off: i64,
}

impl NotSubmitted {
    pub const fn total(&self) -> i64 {
        self.rejected
            + self.could_not_leave
            + self.outside_window
            + self.missing_variable
            + self.opted_out
            + self.expired
            + self.called_off
    }
}

/// Why messages went on to their next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FellBack {
    pub deadline: i64,
    pub undelivered: i64,
    pub rejected: i64,
    pub could_not_leave: i64,
    pub outside_window: i64,
    pub missing_variable: i64,
    /// The recipient had opted out of what the step is.
    pub opted_out: i64,
}

impl FellBack {
    pub const fn total(&self) -> i64 {
        self.deadline
            + self.undelivered
            + self.rejected
            + self.could_not_leave
            + self.outside_window
            + self.missing_variable
            + self.opted_out
    }
}

impl StepCourse {
    /// The course of the messages of a step, of which a cancel ends `cancelled` before their rows are changed.
    fn of(tallies: &Tallies, step: StepIndex, cancelled: i64) -> Self {
        let count = |count| tallies.get(step, count);
        Self {
            entered: Entered { first: count(Count::EnteredFirst), by_fallback: count(Count::EnteredByFallback) },
            to_submit: count(Count::ToSubmit) - cancelled,
            not_submitted: NotSubmitted {
                rejected: count(Count::NotSubmittedRejected),
                could_not_leave: count(Count::NotSubmittedCouldNotLeave),
                outside_window: count(Count::OutsideWindow),
                missing_variable: count(Count::MissingVariable),
                opted_out: count(Count::OptedOut),
                expired: count(Count::NotSubmittedExpired),
                called_off: count(Count::NotSubmittedCalledOff) + cancelled,
            },
            open: tallies.open_at(step) - cancelled,
            // A message to which no step applies ends at a step that it never entered.
            ended: tallies.done_at(step) - count(Count::NeverEntered) + cancelled,
        }
    }
}

/// The figures of every step of the plan, without replies and costs.
pub(super) fn steps(plan: &Plan, state: BatchState, tallies: &Tallies) -> Vec<StepReport> {
    let follows = tallies.follows_messages();
    let of = |index: StepIndex| {
        let count = |count| tallies.get(index, count);
        let fell_back = |all, ended| count(all) - if follows { count(ended) } else { 0 };
        let cancelled = if state.is_cancelled() { count(Count::NeverLeft) } else { 0 };
        let step = plan.step(index)?;
        Some(StepReport {
            step: index.get() + 1,
            channel: step.channel,
            lanes: step.lanes.names().map(str::to_owned).collect(),
            passed_over: count(Count::PassedOver),
            course: follows.then(|| StepCourse::of(tallies, index, cancelled)),
            handed_over: count(Count::HandedOver),
            sent: count(Count::Sent),
            delivered: count(Count::Delivered),
            read: count(Count::Read),
            replied: 0,
            undelivered: count(Count::Undelivered),
            rejected: count(Count::Rejected),
            unknown_count: count(Count::Unknown),
            recalled: count(Count::Recalled),
            expired: count(Count::OutcomeExpired),
            cancelled: count(Count::OutcomeCancelled) + cancelled,
            reached: count(Count::ReachedBy),
            fell_back: FellBack {
                deadline: count(Count::FellDeadline),
                undelivered: count(Count::FellUndelivered),
                rejected: count(Count::FellRejected),
                could_not_leave: fell_back(Count::CouldNotLeave, Count::EndedCouldNotLeave),
                outside_window: fell_back(Count::OutsideWindow, Count::EndedOutsideWindow),
                missing_variable: fell_back(Count::MissingVariable, Count::EndedMissingVariable),
                opted_out: fell_back(Count::OptedOut, Count::EndedOptedOut),
            },
            spent: (!step.prices.is_empty()).then_some(Money::ZERO),
            reserved: step.prices.all().any(|tariff| tariff.is_reserved()).then_some(Money::ZERO),
        })
    };
    plan.indexed_steps().filter_map(|(index, _)| of(index)).collect()
}

impl Report {
    /// The sums over steps that do not add up, as sentences. Always empty, unless counters are wrong.
    pub fn imbalances(&self) -> Vec<String> {
        let courses = self.steps.iter().filter_map(|step| Some((step, step.course?)));
        let (mut first, mut by_fallback, mut fell_back, mut wrong) = (0, 0, 0, Vec::new());
        for (step, course) in courses {
            let StepCourse { entered, to_submit, not_submitted, open, ended } = course;
            let (number, went) = (step.step, step.fell_back.total());
            first += entered.first;
            by_fallback += entered.by_fallback;
            fell_back += went;
            let entered = entered.total();
            let submission = step.handed_over + to_submit + not_submitted.total();
            if submission != entered {
                wrong.push(format!(
                    "step {number}: {entered} messages entered it, but those submitted, to submit and not submitted sum \
                     to {submission}"
                ));
            }
            if went + open + ended != entered {
                wrong.push(format!(
                    "step {number}: {entered} messages entered it, but those that fell back, are open and ended sum to {}",
                    went + open + ended
                ));
            }
        }
        if by_fallback != fell_back {
            wrong.push(format!("{fell_back} messages fell back, but {by_fallback} entered a step by a fallback"));
        }
        let is_followed = self.steps.iter().any(|step| step.course.is_some());
        if is_followed && first + self.never_entered != self.audience {
            wrong.push(format!("{first} messages entered a first step, of an audience of {}", self.audience));
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{Ending, Marks, Outcome, Present, State, Step, Timestamp};

    fn plan() -> Plan {
        Plan::of_steps([Channel::Viber, Channel::Sms].map(|channel| Step::of_text(channel, "lane", "Hi")).to_vec())
    }

    /// Three messages: one to submit, one that fell back and waits for its second step, one that expired there.
    fn tallies() -> Tallies {
        let second = StepIndex::FIRST.next().unwrap();
        let first = Present::queued(Timestamp::default(), None);
        let left = Marks::default().with_handed_over(StepIndex::FIRST).with_ending(StepIndex::FIRST, Ending::Deadline);
        let next = Present { step: second, marks: left, first_submitted_at: Some(Timestamp::default()), ..first };
        let state = State::Done { outcome: Outcome::Expired, skipped: None, at: Timestamp::default() };
        let marks = left.with_ending(second, Ending::CouldNotLeave);
        let mut tallies = Tallies::default();
        for message in [first, next, Present { state, marks, ..next }] {
            tallies.weigh(2, &message, 1);
        }
        tallies
    }

    #[test]
    fn each_message_that_entered_a_step_is_in_both_sums() {
        let steps = steps(&plan(), BatchState::Running, &tallies());
        let [first, second] = [0, 1].map(|at: usize| steps[at].course.unwrap());
        assert_eq!((first.entered.total(), steps[0].handed_over, first.to_submit), (3, 2, 1));
        assert_eq!((steps[0].fell_back.deadline, first.open, first.ended), (2, 1, 0));
        assert_eq!((second.entered.by_fallback, second.to_submit, second.not_submitted.could_not_leave), (2, 1, 1));
        assert_eq!((steps[1].fell_back.total(), second.open, second.ended), (0, 1, 1));
    }

    #[test]
    fn a_cancel_counts_at_the_steps_before_the_rows_change() {
        let steps = steps(&plan(), BatchState::Cancelled, &tallies());
        let first = steps[0].course.unwrap();
        assert_eq!((first.to_submit, first.not_submitted.called_off, steps[0].cancelled), (0, 1, 1));
        assert_eq!((first.open, first.ended), (0, 1));
    }

    #[test]
    fn without_the_counts_of_the_course_a_step_has_none() {
        let mut old = tallies();
        old.unfollow();
        // Counted since the update.
        old.add(StepIndex::FIRST, Count::ToSubmit, -1);
        let steps = steps(&plan(), BatchState::Running, &old);
        assert!(steps.iter().all(|step| step.course.is_none()));
        assert_eq!(steps[1].fell_back.could_not_leave, 1);
    }
}
