//! What is known of each step of a message, packed into one integer.

use super::{Status, StepIndex};

/// How a step ended for this message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// It has not ended.
    Open = 0,
    /// It met its success status.
    Success = 1,
    /// Its deadline passed without success.
    Deadline = 2,
    /// The provider accepted it and later reported that it did not arrive.
    Undelivered = 3,
    /// The provider rejected it.
    Rejected = 4,
    /// It could not be submitted in time: rate, tier, quiet hours, a hold, an outage.
    CouldNotLeave = 5,
    /// Free text on WhatsApp, outside an open 24-hour window.
    OutsideWindow = 6,
    /// A variable without a value and without a default.
    MissingVariable = 7,
    /// The recipient has opted out of what the step is, and it was never submitted.
    OptedOut = 8,
}

impl Ending {
    /// In the order of their codes.
    pub const ALL: [Self; 9] = [
        Self::Open,
        Self::Success,
        Self::Deadline,
        Self::Undelivered,
        Self::Rejected,
        Self::CouldNotLeave,
        Self::OutsideWindow,
        Self::MissingVariable,
        Self::OptedOut,
    ];

    pub fn of_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    const fn from_bits(bits: u64) -> Self {
        Self::ALL[(bits & 0b111) as usize]
    }
}

/// The facts about each step, packed into one integer of the row. Eight bits a step: three for the best status and
/// whether it failed, one for submitted, one for unknown, three for the ending. Then flags of the whole message. A step
/// that does not apply to the message is passed over: a rank that no status has, and no other bit. With an ending, that rank
/// says that the recipient had opted out of the step.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Marks(u64);

impl Marks {
    const STATUS: u64 = 0b111;
    /// The codes after those of a status. A failed attempt may have been sent before, and nothing better.
    const FAILED: u64 = 5;
    const FAILED_SENT: u64 = 6;
    const PASSED_OVER: u64 = 7;
    const OPTED_OUT_OF_STEP: u64 = Self::PASSED_OVER | 0b111 << Self::ENDING_SHIFT;
    const HANDED_OVER: u64 = 1 << 3;
    const UNKNOWN: u64 = 1 << 4;
    const ENDING_SHIFT: u32 = 5;
    const DELIVERED_TWICE: u64 = 1 << 56;
    const LATE: u64 = 1 << 57;
    const CUT: u64 = 1 << 58;
    const WAIVED: u64 = 1 << 59;
    const REACHED_BY_SHIFT: u32 = 60;
    const OPTED_OUT: u64 = 1 << 63;

    /// The bits, as the row stores them.
    pub const fn bits(self) -> i64 {
        self.0.cast_signed()
    }

    pub const fn from_bits(bits: i64) -> Self {
        Self(bits.cast_unsigned())
    }

    const fn of(self, step: StepIndex) -> u64 {
        (self.0 >> (step.get() as u32 * 8)) & 0xff
    }

    const fn with(self, step: StepIndex, byte: u64) -> Self {
        let shift = step.get() as u32 * 8;
        Self((self.0 & !(0xff << shift)) | (byte << shift))
    }

    const fn with_rank(self, step: StepIndex, rank: u64) -> Self {
        self.with(step, (self.of(step) & !Self::STATUS) | rank)
    }

    /// The best status ever reported for the step's attempt.
    pub const fn status(self, step: StepIndex) -> Option<Status> {
        match self.of(step) & Self::STATUS {
            1 | Self::FAILED => Some(Status::Accepted),
            2 | Self::FAILED_SENT => Some(Status::Sent),
            3 => Some(Status::Delivered),
            4 => Some(Status::Read),
            _ => None,
        }
    }

    /// Raises the status: a receipt that ranks lower than the known status changes nothing. A delivery clears an
    /// earlier failure.
    #[must_use]
    pub fn with_status(self, step: StepIndex, status: Status) -> Self {
        if self.status(step) >= Some(status) {
            return self;
        }
        if self.failed(step) && status == Status::Sent {
            return self.with_rank(step, Self::FAILED_SENT);
        }
        self.with_rank(step, status.code() as u64)
    }

    /// Whether the provider reported that the step's attempt did not arrive, and nothing better since.
    pub const fn failed(self, step: StepIndex) -> bool {
        matches!(self.of(step) & Self::STATUS, Self::FAILED | Self::FAILED_SENT)
    }

    /// Records a failure of the attempt. It never undoes a delivery.
    #[must_use]
    pub const fn with_failed(self, step: StepIndex) -> Self {
        match self.status(step) {
            Some(Status::Delivered | Status::Read) => self,
            Some(Status::Sent) => self.with_rank(step, Self::FAILED_SENT),
            Some(Status::Accepted) | None => self.with_rank(step, Self::FAILED),
        }
    }

    /// Clears the failure of an attempt, because the step was resent or has arrived after all.
    #[must_use]
    pub const fn without_failed(self, step: StepIndex) -> Self {
        match self.of(step) & Self::STATUS {
            Self::FAILED => self.with_rank(step, Status::Accepted.code() as u64),
            Self::FAILED_SENT => self.with_rank(step, Status::Sent.code() as u64),
            _ => self,
        }
    }

    /// Whether the step does not apply to this message: it is never queued, as if it were not in the route.
    pub const fn passed_over(self, step: StepIndex) -> bool {
        self.of(step) == Self::PASSED_OVER
    }

    /// Set only before the message begins, and never cleared.
    #[must_use]
    pub const fn with_passed_over(self, step: StepIndex) -> Self {
        self.with(step, Self::PASSED_OVER)
    }

    /// The marks that the message began with: the steps that are passed over.
    #[must_use]
    pub fn at_first(self) -> Self {
        StepIndex::all()
            .filter(|step| self.passed_over(*step))
            .fold(Self::default(), |marks, step| marks.with_passed_over(step))
    }

    /// The next position after `step`, of a route of `steps` steps, that applies to this message.
    pub fn following(self, step: StepIndex, steps: usize) -> Option<StepIndex> {
        StepIndex::all().take(steps).skip(step.index() + 1).find(|next| !self.passed_over(*next))
    }

    /// The last position before `step` that applies to this message.
    pub fn preceding(self, step: StepIndex) -> Option<StepIndex> {
        StepIndex::all().rev().find(|previous| *previous < step && !self.passed_over(*previous))
    }

    /// Whether the provider accepted the step's attempt, or may have.
    pub const fn handed_over(self, step: StepIndex) -> bool {
        self.of(step) & Self::HANDED_OVER != 0
    }

    #[must_use]
    pub const fn with_handed_over(self, step: StepIndex) -> Self {
        self.with(step, self.of(step) | Self::HANDED_OVER)
    }

    /// Undoes a submission that the provider refused because of the sender, so the step may be sent again.
    #[must_use]
    pub const fn without_hand_over(self, step: StepIndex) -> Self {
        self.with(step, 0)
    }

    /// Whether the provider accepted the attempt, or may have, and it has not failed.
    pub const fn may_live(self, step: StepIndex) -> bool {
        self.handed_over(step) && !self.failed(step)
    }

    /// Whether it is still unknown if the provider accepted the attempt.
    pub const fn unknown(self, step: StepIndex) -> bool {
        self.of(step) & Self::UNKNOWN != 0
    }

    #[must_use]
    pub const fn with_unknown(self, step: StepIndex, unknown: bool) -> Self {
        let byte = self.of(step);
        self.with(step, if unknown { byte | Self::UNKNOWN } else { byte & !Self::UNKNOWN })
    }

    pub const fn ending(self, step: StepIndex) -> Ending {
        match self.of(step) {
            Self::OPTED_OUT_OF_STEP => Ending::OptedOut,
            byte => Ending::from_bits(byte >> Self::ENDING_SHIFT),
        }
    }

    #[must_use]
    pub const fn with_ending(self, step: StepIndex, ending: Ending) -> Self {
        if let Ending::OptedOut = ending {
            return self.with(step, Self::OPTED_OUT_OF_STEP);
        }
        let low = (1 << Self::ENDING_SHIFT) - 1;
        self.with(step, (self.of(step) & low) | ((ending as u64) << Self::ENDING_SHIFT))
    }

    /// The step that met its success status first.
    #[expect(clippy::cast_possible_truncation, reason = "three bits fit into eight")]
    pub const fn reached_by(self) -> Option<StepIndex> {
        match (self.0 >> Self::REACHED_BY_SHIFT) & 0b111 {
            0 => None,
            number => StepIndex::new((number - 1) as u8),
        }
    }

    /// Records the step, unless one succeeded before. A step that had already fallen back keeps that ending, because
    /// the submission that followed from it has happened.
    #[must_use]
    pub const fn with_reached_by(self, step: StepIndex) -> Self {
        if self.reached_by().is_some() {
            return self;
        }
        let marks = match self.ending(step) {
            Ending::Open => self.with_ending(step, Ending::Success),
            _ => self,
        };
        Self(marks.0 | (step.get() as u64 + 1) << Self::REACHED_BY_SHIFT)
    }

    /// Whether more than one step met its success status: the message was delivered twice.
    pub const fn delivered_twice(self) -> bool {
        self.0 & Self::DELIVERED_TWICE != 0
    }

    #[must_use]
    pub const fn with_delivered_twice(self) -> Self {
        Self(self.0 | Self::DELIVERED_TWICE)
    }

    /// Whether success came only after the message had ended otherwise.
    pub const fn late(self) -> bool {
        self.0 & Self::LATE != 0
    }

    #[must_use]
    pub const fn with_late(self) -> Self {
        Self(self.0 | Self::LATE)
    }

    /// Whether the route is cut short: no further step is submitted, whatever happens. A cancel or an opt-out cuts it,
    /// and so does the engine if no later step can be submitted.
    pub const fn cut(self) -> bool {
        self.0 & Self::CUT != 0
    }

    #[must_use]
    pub const fn with_cut(self) -> Self {
        Self(self.0 | Self::CUT)
    }

    /// Whether the route was cut because the recipient opted out.
    pub const fn opted_out(self) -> bool {
        self.0 & Self::OPTED_OUT != 0
    }

    #[must_use]
    pub const fn with_opted_out(self) -> Self {
        Self(self.0 | Self::OPTED_OUT)
    }

    /// Whether the present step's deadline fell into a gap that cannot be filled, so silence decides nothing.
    pub const fn waived(self) -> bool {
        self.0 & Self::WAIVED != 0
    }

    #[must_use]
    pub const fn with_waived(self, waived: bool) -> Self {
        Self(if waived { self.0 | Self::WAIVED } else { self.0 & !Self::WAIVED })
    }

    /// The latest step whose attempt the provider accepted, or may have.
    pub fn last_handed_over(self) -> Option<StepIndex> {
        StepIndex::all().rev().find(|step| self.handed_over(*step))
    }
}

impl std::fmt::Debug for Marks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut list = f.debug_list();
        for step in StepIndex::all().filter(|step| self.of(*step) != 0) {
            if self.passed_over(step) {
                list.entry(&format_args!("{step}:passed over"));
                continue;
            }
            list.entry(&format_args!(
                "{step}:{}{}{}{}:{:?}",
                self.status(step).map_or("-", Status::as_str),
                if self.failed(step) { " failed" } else { "" },
                if self.handed_over(step) { "" } else { " not handed over" },
                if self.unknown(step) { " unknown" } else { "" },
                self.ending(step)
            ));
        }
        if let Some(step) = self.reached_by() {
            list.entry(&format_args!("reached by {step}"));
        }
        let flags = [
            (self.delivered_twice(), "twice"),
            (self.late(), "late"),
            (self.cut(), "cut"),
            (self.opted_out(), "opted out"),
            (self.waived(), "waived"),
        ];
        for (flag, word) in flags {
            if flag {
                list.entry(&format_args!("{word}"));
            }
        }
        list.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn step(index: u8) -> StepIndex {
        StepIndex::new(index).unwrap()
    }

    proptest! {
        #[test]
        fn marks_of_one_step_do_not_change_the_others(bits: i64, changed in 0_u8..7, other in 0_u8..7) {
            prop_assume!(changed != other);
            let before = Marks::from_bits(bits);
            let after = before
                .with_status(step(changed), Status::Read)
                .with_handed_over(step(changed))
                .with_unknown(step(changed), true)
                .with_ending(step(changed), Ending::MissingVariable);
            prop_assert_eq!(before.of(step(other)), after.of(step(other)));
            prop_assert_eq!(before.late(), after.late());
            prop_assert_eq!(after.ending(step(changed)), Ending::MissingVariable);
        }
    }

    #[test]
    fn a_passed_over_step_keeps_that_mark_and_gets_no_other() {
        for index in StepIndex::all() {
            let at_first = Marks::default().with_passed_over(index);
            assert!(at_first.passed_over(index));
            assert_eq!((at_first.status(index), at_first.failed(index)), (None, false));
            assert_eq!((at_first.handed_over(index), at_first.unknown(index)), (false, false));
            assert_eq!(at_first.ending(index), Ending::Open);
            let other = StepIndex::all().find(|other| *other != index).unwrap();
            let later = at_first.with_handed_over(other).with_failed(other).with_ending(other, Ending::Rejected);
            assert_eq!((later.with_late().with_cut().at_first(), later.passed_over(other)), (at_first, false));
        }
    }

    #[test]
    fn a_status_only_rises() {
        let marks = Marks::default().with_status(step(6), Status::Delivered);
        assert_eq!(marks.with_status(step(6), Status::Sent).status(step(6)), Some(Status::Delivered));
        assert_eq!(marks.with_status(step(6), Status::Read).status(step(6)), Some(Status::Read));
        assert_eq!(marks.status(step(0)), None);
    }

    #[test]
    fn a_failure_keeps_the_status_and_a_delivery_clears_it() {
        let marks = Marks::default().with_failed(step(1));
        assert_eq!((marks.failed(step(1)), marks.status(step(1))), (true, Some(Status::Accepted)));
        let marks = marks.with_status(step(1), Status::Sent);
        assert_eq!((marks.failed(step(1)), marks.status(step(1))), (true, Some(Status::Sent)));
        assert_eq!(marks.with_failed(step(1)), marks);
        assert_eq!(marks.without_failed(step(1)), Marks::default().with_status(step(1), Status::Sent));
        let marks = marks.with_status(step(1), Status::Delivered);
        assert_eq!((marks.failed(step(1)), marks.status(step(1))), (false, Some(Status::Delivered)));
        assert_eq!(marks.with_failed(step(1)), marks);
    }

    #[test]
    fn the_first_step_to_succeed_stays_recorded() {
        let marks = Marks::default().with_ending(step(0), Ending::Deadline).with_opted_out();
        for first in StepIndex::all() {
            let reached = marks.with_reached_by(first);
            assert_eq!(reached.reached_by(), Some(first));
            assert_eq!(reached.with_reached_by(step(3)).reached_by(), Some(first));
            assert_eq!(Marks::from_bits(reached.bits()), reached);
        }
        assert_eq!(marks.with_reached_by(step(0)).ending(step(0)), Ending::Deadline);
        assert_eq!(marks.with_reached_by(step(1)).ending(step(1)), Ending::Success);
    }
}
