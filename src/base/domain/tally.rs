//! The counts of a batch. Every count is a sum over the contributions of the batch's messages in their present state.
//! The counters that change with the messages can therefore always be verified against the rows.

use super::word::words;
use super::{Ending, Outcome, Present, SkipReason, State, Status, StepIndex};

words! {
    /// A counter that is stored for each batch and step.
    Count, "count" {
        Queued = 0, "queued";
        Sending = 1, "sending";
        /// Submitted, and another step may follow.
        AwaitingOpen = 2, "awaiting";
        /// Submitted, and no step will follow.
        AwaitingLast = 3, "awaiting last";
        HandedOver = 4, "handed over";
        Sent = 5, "sent";
        Delivered = 6, "delivered";
        Read = 7, "read";
        Undelivered = 8, "undelivered";
        Rejected = 9, "rejected";
        Unknown = 10, "unknown";
        FellDeadline = 11, "fell back: deadline";
        FellUndelivered = 12, "fell back: undelivered";
        FellRejected = 13, "fell back: rejected";
        CouldNotLeave = 14, "could not leave";
        OutsideWindow = 15, "outside window";
        MissingVariable = 16, "missing variable";
        /// Messages for which this step met its success status first.
        ReachedBy = 17, "reached by";
        OutcomeReached = 18, "reached";
        OutcomeUndelivered = 19, "outcome undelivered";
        OutcomeSilent = 20, "outcome silent";
        OutcomeUnknown = 21, "outcome unknown";
        OutcomeExpired = 22, "outcome expired";
        OutcomeCancelled = 23, "outcome cancelled";
        SkippedOptedOut = 24, "skipped: opted out";
        SkippedMissingVariable = 25, "skipped: missing variable";
        SkippedOutsideWindow = 26, "skipped: outside window";
        SkippedExcluded = 27, "skipped: excluded";
        DeliveredTwice = 28, "delivered twice";
        Late = 29, "late";
        /// Queued and never submitted: a cancel turns these into cancelled at once.
        NeverLeft = 30, "never left";
        SkippedNoStep = 31, "skipped: no step applies";
        /// Messages to which the step does not apply.
        PassedOver = 32, "passed over";
        /// Submitted, but the deadline fell into a time in which receipts were lost, so it decides nothing.
        Waived = 33, "waived";
        /// The step was queued and recalled, because an earlier step had succeeded after all.
        Recalled = 34, "recalled";
        /// Waived, and the provider cannot be asked, because its id of the attempt is unknown.
        WaivedUnknown = 35, "waived, unknown";
        /// Messages whose first step this is: to those before, if any, it does not apply.
        EnteredFirst = 36, "entered first";
        /// Messages that fell back to the step. A fallback that was recalled or taken back counts no more.
        EnteredByFallback = 37, "entered by a fallback";
        /// Queued or being sent, and not yet submitted on the step.
        ToSubmit = 38, "to submit";
        /// The provider rejected the step, and it was never submitted.
        NotSubmittedRejected = 39, "not submitted: rejected";
        NotSubmittedCouldNotLeave = 40, "not submitted: could not leave";
        /// Expired at the step before it was submitted.
        NotSubmittedExpired = 41, "not submitted: expired";
        /// Stopped at the step before it was submitted: by a cancel, an opt-out or an exclusion.
        NotSubmittedCalledOff = 42, "not submitted: called off";
        /// Of `CouldNotLeave`: those for which no further step was queued.
        EndedCouldNotLeave = 43, "ended: could not leave";
        /// Of `OutsideWindow`: those for which no further step was queued.
        EndedOutsideWindow = 44, "ended: outside window";
        /// Of `MissingVariable`: those for which no further step was queued.
        EndedMissingVariable = 45, "ended: missing variable";
        /// Ended when they were created, because no step applies to them, whatever else ended them.
        NeverEntered = 46, "never entered a step";
        /// Queued, and set aside: it alone is refused, and no claim takes it.
        SetAside = 47, "set aside";
        /// Messages whose recipients had opted out of what the step is.
        OptedOut = 48, "opted out";
        /// Of `OptedOut`: those for which no further step was queued.
        EndedOptedOut = 49, "ended: opted out";
    }
}

impl Count {
    /// The counts of outcomes, each with its outcome. Over all steps they sum to the messages that are done.
    pub const OUTCOMES: [(Self, Outcome); 11] = [
        (Self::OutcomeReached, Outcome::Reached),
        (Self::OutcomeUndelivered, Outcome::Undelivered),
        (Self::OutcomeSilent, Outcome::Silent),
        (Self::OutcomeUnknown, Outcome::Unknown),
        (Self::OutcomeExpired, Outcome::Expired),
        (Self::OutcomeCancelled, Outcome::Cancelled),
        (Self::SkippedOptedOut, Outcome::Skipped),
        (Self::SkippedMissingVariable, Outcome::Skipped),
        (Self::SkippedOutsideWindow, Outcome::Skipped),
        (Self::SkippedExcluded, Outcome::Skipped),
        (Self::SkippedNoStep, Outcome::Skipped),
    ];

    /// The counts that follow each message through the steps. Batches of versions that did not keep them lack them, or
    /// have counted only what happened since: see [`Tallies::follows_messages`].
    pub const FOLLOWING: [Self; 11] = [
        Self::NeverEntered,
        Self::EnteredFirst,
        Self::EnteredByFallback,
        Self::ToSubmit,
        Self::NotSubmittedRejected,
        Self::NotSubmittedCouldNotLeave,
        Self::NotSubmittedExpired,
        Self::NotSubmittedCalledOff,
        Self::EndedCouldNotLeave,
        Self::EndedOutsideWindow,
        Self::EndedMissingVariable,
    ];

    const fn of_outcome(outcome: Outcome, skipped: Option<SkipReason>) -> Self {
        match outcome {
            Outcome::Reached => Self::OutcomeReached,
            Outcome::Undelivered => Self::OutcomeUndelivered,
            Outcome::Silent => Self::OutcomeSilent,
            Outcome::Unknown => Self::OutcomeUnknown,
            Outcome::Expired => Self::OutcomeExpired,
            Outcome::Cancelled => Self::OutcomeCancelled,
            Outcome::Skipped => match skipped {
                None => Self::SkippedExcluded,
                Some(reason) => Self::of_skip(reason),
            },
        }
    }

    pub const fn of_skip(reason: SkipReason) -> Self {
        match reason {
            SkipReason::Excluded => Self::SkippedExcluded,
            SkipReason::OptedOut => Self::SkippedOptedOut,
            SkipReason::MissingVariable => Self::SkippedMissingVariable,
            SkipReason::OutsideWindow => Self::SkippedOutsideWindow,
            SkipReason::NoStep => Self::SkippedNoStep,
        }
    }
}

const STEPS: usize = StepIndex::COUNT_MAX as usize;
const COUNTS: usize = Count::ALL.len();

/// The counts of one batch, or a change of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tallies(Box<[[i64; COUNTS]; STEPS]>);

impl Default for Tallies {
    fn default() -> Self {
        Self(Box::new([[0; COUNTS]; STEPS]))
    }
}

impl Tallies {
    pub fn get(&self, step: StepIndex, count: Count) -> i64 {
        self.0[step.index()][usize::from(count.code())]
    }

    pub fn add(&mut self, step: StepIndex, count: Count, by: i64) {
        self.0[step.index()][usize::from(count.code())] += by;
    }

    /// A count over all steps.
    pub fn total(&self, count: Count) -> i64 {
        self.0.iter().map(|step| step[usize::from(count.code())]).sum()
    }

    pub fn outcome(&self, outcome: Outcome) -> i64 {
        Count::OUTCOMES.iter().filter(|(_, of)| *of == outcome).map(|(count, _)| self.total(*count)).sum()
    }

    pub fn done(&self) -> i64 {
        Count::OUTCOMES.iter().map(|(count, _)| self.total(*count)).sum()
    }

    /// The number of all messages.
    pub fn messages(&self) -> i64 {
        StepIndex::all().map(|step| self.open_at(step)).sum::<i64>() + self.done()
    }

    /// The number of messages at a step that have their outcome.
    pub fn done_at(&self, step: StepIndex) -> i64 {
        Count::OUTCOMES.iter().map(|(count, _)| self.get(step, *count)).sum()
    }

    /// The number of recipients whose first message is this step's. Those who are skipped get none.
    pub fn beginning_at(&self, step: StepIndex) -> u64 {
        let skipped = Count::OUTCOMES.iter().filter(|(_, outcome)| *outcome == Outcome::Skipped);
        let skipped: i64 = skipped.map(|(count, _)| self.get(step, *count)).sum();
        let entered = self.get(step, Count::EnteredFirst) - (skipped - self.get(step, Count::NeverEntered));
        u64::try_from(entered).unwrap_or(0)
    }

    /// The number of messages at a step that have no outcome.
    pub fn open_at(&self, step: StepIndex) -> i64 {
        let open = [Count::Queued, Count::SetAside, Count::Sending, Count::AwaitingOpen, Count::AwaitingLast];
        open.into_iter().map(|count| self.get(step, count)).sum()
    }

    /// Whether the [counts that follow each message](Count::FOLLOWING) have been kept since the batch was created. They
    /// begin with a message and never without one, so the first message of a version that keeps them shows it.
    pub fn follows_messages(&self) -> bool {
        self.total(Count::EnteredFirst) + self.total(Count::NeverEntered) != 0 || self.messages() == 0
    }

    /// Clears the [counts that follow each message](Count::FOLLOWING).
    pub fn unfollow(&mut self) {
        for step in self.0.iter_mut() {
            Count::FOLLOWING.iter().for_each(|count| step[usize::from(count.code())] = 0);
        }
    }

    /// How many waived deadlines of a step the provider can be asked about.
    pub fn to_ask(&self, step: StepIndex) -> i64 {
        self.get(step, Count::Waived) - self.get(step, Count::WaivedUnknown)
    }

    /// Whether no message is left to submit, except those that are set aside.
    pub fn is_finished(&self) -> bool {
        [Count::Queued, Count::Sending, Count::AwaitingOpen].into_iter().all(|count| self.total(count) == 0)
    }

    /// Whether every message has its outcome.
    pub fn is_settled(&self) -> bool {
        self.is_finished() && [Count::AwaitingLast, Count::SetAside].into_iter().all(|count| self.total(count) == 0)
    }

    /// All counts that are not zero.
    pub fn entries(&self) -> impl Iterator<Item = (StepIndex, Count, i64)> + '_ {
        StepIndex::all().flat_map(move |step| {
            Count::ALL.iter().map(move |count| (step, *count, self.get(step, *count))).filter(|(_, _, n)| *n != 0)
        })
    }

    /// Adds a change of the counts.
    pub fn merge(&mut self, change: &Self) {
        for (step, count, by) in change.entries() {
            self.add(step, count, by);
        }
    }

    /// Counts a change of one message from `before` to `after`, in a route of `steps` steps.
    pub fn moved(&mut self, steps: usize, before: &Present, after: &Present) {
        self.weigh(steps, before, -1);
        self.weigh(steps, after, 1);
    }

    /// Adds the contributions of `message`, `times` times.
    pub fn weigh(&mut self, steps: usize, message: &Present, times: i64) {
        let Present { state, step, marks, .. } = message;
        match state {
            State::Queued { .. } => {
                self.add(*step, if message.is_set_aside() { Count::SetAside } else { Count::Queued }, times);
                if message.first_submitted_at.is_none() {
                    self.add(*step, Count::NeverLeft, times);
                }
            }
            State::Sending { .. } => self.add(*step, Count::Sending, times),
            State::Awaiting { .. } if marks.cut() || marks.following(*step, steps).is_none() => {
                self.add(*step, Count::AwaitingLast, times);
            }
            State::Awaiting { .. } => self.add(*step, Count::AwaitingOpen, times),
            State::Done { outcome, skipped, .. } => {
                self.add(*step, Count::of_outcome(*outcome, *skipped), times);
                if marks.passed_over(*step) {
                    self.add(*step, Count::NeverEntered, times);
                }
            }
        }
        if matches!(state, State::Awaiting { .. }) && marks.waived() {
            self.add(*step, Count::Waived, times);
            if marks.unknown(*step) {
                self.add(*step, Count::WaivedUnknown, times);
            }
        }
        if let Some(by) = marks.reached_by() {
            self.add(by, Count::ReachedBy, times);
        }
        if let (State::Done { outcome: Outcome::Reached, .. }, false) = (state, marks.late())
            && marks.reached_by() == Some(*step)
            && !matches!(marks.ending(*step), Ending::Open | Ending::Success)
            && let Some(next) = marks.following(*step, steps)
        {
            self.add(next, Count::Recalled, times);
        }
        if marks.delivered_twice() {
            self.add(StepIndex::FIRST, Count::DeliveredTwice, times);
        }
        if marks.late() {
            self.add(StepIndex::FIRST, Count::Late, times);
        }
        for index in StepIndex::all().filter(|index| marks.passed_over(*index)) {
            self.add(index, Count::PassedOver, times);
        }
        for index in StepIndex::all().take_while(|index| index <= step) {
            self.weigh_step(message, index, times);
        }
    }

    fn weigh_step(&mut self, message: &Present, index: StepIndex, times: i64) {
        let marks = message.marks;
        if !marks.passed_over(index) {
            let is_first = marks.preceding(index).is_none();
            self.add(index, if is_first { Count::EnteredFirst } else { Count::EnteredByFallback }, times);
            if let Some(count) = not_submitted(message, index) {
                self.add(index, count, times);
            }
        }
        let status = marks.status(index);
        if marks.handed_over(index) {
            self.add(index, Count::HandedOver, times);
        }
        for (rank, count) in
            [(Status::Sent, Count::Sent), (Status::Delivered, Count::Delivered), (Status::Read, Count::Read)]
        {
            if status >= Some(rank) {
                self.add(index, count, times);
            }
        }
        if marks.unknown(index) {
            self.add(index, Count::Unknown, times);
        }
        if marks.failed(index) {
            self.add(index, Count::Undelivered, times);
        }
        let fell_back = index < message.step;
        match marks.ending(index) {
            Ending::Open | Ending::Success => {}
            Ending::Deadline if fell_back => self.add(index, Count::FellDeadline, times),
            Ending::Undelivered if fell_back => self.add(index, Count::FellUndelivered, times),
            Ending::Deadline | Ending::Undelivered => {}
            Ending::Rejected => {
                self.add(index, Count::Rejected, times);
                if fell_back {
                    self.add(index, Count::FellRejected, times);
                }
            }
            Ending::CouldNotLeave => {
                self.add_unsent(index, [Count::CouldNotLeave, Count::EndedCouldNotLeave], fell_back, times);
            }
            Ending::OutsideWindow => {
                self.add_unsent(index, [Count::OutsideWindow, Count::EndedOutsideWindow], fell_back, times);
            }
            Ending::MissingVariable => {
                self.add_unsent(index, [Count::MissingVariable, Count::EndedMissingVariable], fell_back, times);
            }
            Ending::OptedOut => {
                self.add_unsent(index, [Count::OptedOut, Count::EndedOptedOut], fell_back, times);
            }
        }
    }

    /// Counts a step that could not be submitted: all of them, and those for which no further step was queued.
    fn add_unsent(&mut self, step: StepIndex, [all, ended]: [Count; 2], fell_back: bool, times: i64) {
        self.add(step, all, times);
        if !fell_back {
            self.add(step, ended, times);
        }
    }
}

/// The count of a message that entered a step and was not submitted on it. `None` if it was submitted, or if the count of
/// the step's ending already says why not.
fn not_submitted(message: &Present, step: StepIndex) -> Option<Count> {
    let marks = message.marks;
    if marks.handed_over(step) {
        return None;
    }
    match (marks.ending(step), message.state) {
        (Ending::OutsideWindow | Ending::MissingVariable | Ending::OptedOut, _) => None,
        (Ending::Rejected, _) => Some(Count::NotSubmittedRejected),
        (Ending::CouldNotLeave, _) => Some(Count::NotSubmittedCouldNotLeave),
        (_, State::Queued { .. } | State::Sending { .. }) => Some(Count::ToSubmit),
        (_, State::Done { outcome: Outcome::Expired, .. }) => Some(Count::NotSubmittedExpired),
        (_, State::Awaiting { .. } | State::Done { .. }) => Some(Count::NotSubmittedCalledOff),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_each_count_is_its_index() {
        for (index, count) in Count::ALL.iter().enumerate() {
            assert_eq!(usize::from(count.code()), index);
        }
    }
}
