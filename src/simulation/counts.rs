//! What each counter counts, written a second time: from the meaning of its name, and not from how the counters are
//! kept.

use crate::base::domain::{Count, Ending, Outcome, Present, Refused, SkipReason, State, Status, StepIndex, Tallies};

/// Checks the counters of a batch with this many steps against its messages, and against each other.
pub(super) fn check(kept: &Tallies, messages: &[Present], steps: usize) {
    let beyond = kept.entries().find(|(step, ..)| step.index() >= steps);
    assert_eq!(beyond, None, "counted after the last of {steps} steps");
    for step in StepIndex::all().take(steps) {
        for count in Count::ALL {
            let counted = messages.iter().filter(|message| is_counted(*count, step, message, steps)).count();
            let kept = kept.get(step, *count);
            assert_eq!(usize::try_from(kept).ok(), Some(counted), "{count} at {step:?}: {messages:?}");
        }
        check_balance(kept, step);
    }
    let sum = |counts: &[Count]| -> i64 { counts.iter().map(|count| kept.total(*count)).sum() };
    assert_eq!(sum(&[Count::EnteredByFallback]), sum(&FELL_BACK) - sum(&ENDED), "fallbacks: {kept:?}");
}

const OPEN: [Count; 5] = [Count::Queued, Count::SetAside, Count::Sending, Count::AwaitingOpen, Count::AwaitingLast];
const FELL_BACK: [Count; 7] = [
    Count::FellDeadline,
    Count::FellUndelivered,
    Count::FellRejected,
    Count::CouldNotLeave,
    Count::OutsideWindow,
    Count::MissingVariable,
    Count::OptedOut,
];
/// Counted with the fallbacks, although the message ended there.
const ENDED: [Count; 4] =
    [Count::EndedCouldNotLeave, Count::EndedOutsideWindow, Count::EndedMissingVariable, Count::EndedOptedOut];
const NOT_SUBMITTED: [Count; 7] = [
    Count::NotSubmittedRejected,
    Count::NotSubmittedCouldNotLeave,
    Count::OutsideWindow,
    Count::MissingVariable,
    Count::OptedOut,
    Count::NotSubmittedExpired,
    Count::NotSubmittedCalledOff,
];

/// Checks that every message which entered a step is accounted for in both sums of the report.
fn check_balance(kept: &Tallies, step: StepIndex) {
    let sum = |counts: &[Count]| -> i64 { counts.iter().map(|count| kept.get(step, *count)).sum() };
    let entered = sum(&[Count::EnteredFirst, Count::EnteredByFallback]);
    let submission = sum(&[Count::HandedOver, Count::ToSubmit]) + sum(&NOT_SUBMITTED);
    assert_eq!(entered, submission, "submitted or not at {step:?}: {kept:?}");
    let done: i64 = Count::OUTCOMES.iter().map(|(count, _)| kept.get(step, *count)).sum();
    // A message to which no step applies ends at a step that it never entered.
    let ended = done - sum(&[Count::NeverEntered]);
    let present = sum(&FELL_BACK) - sum(&ENDED) + sum(&OPEN) + ended;
    assert_eq!(entered, present, "fell back, open or ended at {step:?}: {kept:?}");
}

fn is_counted(count: Count, step: StepIndex, message: &Present, steps: usize) -> bool {
    let Present { state, step: present, marks, first_submitted_at, .. } = *message;
    let is_present = step == present;
    // A step that was queued and taken back counts nothing.
    let has_come = step <= present;
    let has_status = |status: Status| has_come && marks.status(step).is_some_and(|known| known >= status);
    let ended = |ending: Ending| has_come && marks.ending(step) == ending;
    let fell_back = |ending: Ending| step < present && marks.ending(step) == ending;
    let awaits = is_present && matches!(state, State::Awaiting { .. });
    let is_queued = is_present && matches!(state, State::Queued { .. });
    let may_follow = || !marks.cut() && (step.index() + 1..steps).any(|later| !passed_over(message, later));
    let has_outcome = |wanted: Outcome| is_present && matches!(state, State::Done { outcome, .. } if outcome == wanted);
    let was_skipped = |reason: SkipReason| {
        has_outcome(Outcome::Skipped) && matches!(state, State::Done { skipped, .. } if skipped == Some(reason))
    };
    let has_entered = has_come && !passed_over(message, step.index());
    let comes_first = || (0..step.index()).all(|earlier| passed_over(message, earlier));
    // A rejection may be of a second try, and a receipt may show that a step was submitted after all.
    let was_never_sent = has_entered && !marks.handed_over(step);
    // Nothing was decided about the step itself.
    let is_undecided = was_never_sent && is_present && marks.ending(step) == Ending::Open;
    let is_over = matches!(state, State::Awaiting { .. } | State::Done { .. });
    match count {
        Count::EnteredFirst => has_entered && comes_first(),
        Count::EnteredByFallback => has_entered && !comes_first(),
        Count::ToSubmit => is_undecided && !is_over,
        Count::NotSubmittedRejected => was_never_sent && ended(Ending::Rejected),
        Count::NotSubmittedCouldNotLeave => was_never_sent && ended(Ending::CouldNotLeave),
        Count::NotSubmittedExpired => is_undecided && has_outcome(Outcome::Expired),
        Count::NotSubmittedCalledOff => is_undecided && is_over && !has_outcome(Outcome::Expired),
        Count::NeverEntered => has_come && is_present && passed_over(message, step.index()),
        Count::EndedCouldNotLeave => is_present && ended(Ending::CouldNotLeave),
        Count::EndedOutsideWindow => is_present && ended(Ending::OutsideWindow),
        Count::EndedMissingVariable => is_present && ended(Ending::MissingVariable),
        Count::EndedOptedOut => is_present && ended(Ending::OptedOut),
        Count::Queued => is_queued && message.refused != Refused::SetAside,
        Count::SetAside => is_queued && message.refused == Refused::SetAside,
        Count::NeverLeft => is_queued && first_submitted_at.is_none(),
        Count::Sending => is_present && matches!(state, State::Sending { .. }),
        Count::AwaitingOpen => awaits && may_follow(),
        Count::AwaitingLast => awaits && !may_follow(),
        Count::Waived => awaits && marks.waived(),
        Count::WaivedUnknown => awaits && marks.waived() && marks.unknown(step),
        Count::HandedOver => has_come && marks.handed_over(step),
        Count::Sent => has_status(Status::Sent),
        Count::Delivered => has_status(Status::Delivered),
        Count::Read => has_status(Status::Read),
        Count::Undelivered => has_come && marks.failed(step),
        Count::Rejected => ended(Ending::Rejected),
        Count::Unknown => has_come && marks.unknown(step),
        Count::FellDeadline => fell_back(Ending::Deadline),
        Count::FellUndelivered => fell_back(Ending::Undelivered),
        Count::FellRejected => fell_back(Ending::Rejected),
        Count::CouldNotLeave => ended(Ending::CouldNotLeave),
        Count::OutsideWindow => ended(Ending::OutsideWindow),
        Count::MissingVariable => ended(Ending::MissingVariable),
        Count::OptedOut => ended(Ending::OptedOut),
        Count::ReachedBy => marks.reached_by() == Some(step),
        Count::OutcomeReached => has_outcome(Outcome::Reached),
        Count::OutcomeUndelivered => has_outcome(Outcome::Undelivered),
        Count::OutcomeSilent => has_outcome(Outcome::Silent),
        Count::OutcomeUnknown => has_outcome(Outcome::Unknown),
        Count::OutcomeExpired => has_outcome(Outcome::Expired),
        Count::OutcomeCancelled => has_outcome(Outcome::Cancelled),
        Count::SkippedOptedOut => was_skipped(SkipReason::OptedOut),
        Count::SkippedMissingVariable => was_skipped(SkipReason::MissingVariable),
        Count::SkippedOutsideWindow => was_skipped(SkipReason::OutsideWindow),
        Count::SkippedExcluded => was_skipped(SkipReason::Excluded),
        Count::SkippedNoStep => was_skipped(SkipReason::NoStep),
        // These count the message as a whole.
        Count::DeliveredTwice => step == StepIndex::FIRST && marks.delivered_twice(),
        Count::Late => step == StepIndex::FIRST && marks.late(),
        Count::PassedOver => passed_over(message, step.index()),
        Count::Recalled => was_recalled(message, step),
    }
}

fn passed_over(message: &Present, step: usize) -> bool {
    StepIndex::all().nth(step).is_some_and(|step| message.marks.passed_over(step))
}

/// Whether this step was queued by a fallback, and the earlier step reached the recipient after all.
fn was_recalled(message: &Present, step: StepIndex) -> bool {
    let Present { state, step: present, marks, .. } = *message;
    let is_reached = matches!(state, State::Done { outcome: Outcome::Reached, .. }) && !marks.late();
    let by_present = is_reached && marks.reached_by() == Some(present);
    let had_fallen_back = !matches!(marks.ending(present), Ending::Open | Ending::Success);
    let between = present.index() + 1..step.index();
    let follows =
        present < step && !marks.passed_over(step) && between.into_iter().all(|one| passed_over(message, one));
    by_present && had_fallen_back && follows
}
