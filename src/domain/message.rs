//! The present of a message: everything the engine has to know, small enough to copy.

use super::{Outcome, SkipReason, Status, StepIndex, Timestamp};

/// Where a message is in its life. The engine alone draws the arrows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Waiting to leave, in the place that `not_before` gives it; `gives_up` is when waiting ends.
    Queued {
        not_before: Timestamp,
        gives_up: Option<Timestamp>,
    },
    /// Claimed at `intent`, on its way to the provider. The rest is what a hand-back restores.
    Sending {
        intent: Timestamp,
        not_before: Timestamp,
        gives_up: Option<Timestamp>,
    },
    /// Handed over; at `due` the step gives way, or the message ends.
    Awaiting {
        due: Timestamp,
    },
    Done {
        outcome: Outcome,
        skipped: Option<SkipReason>,
        at: Timestamp,
    },
}

/// How a step ended, as far as it is this message's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// It has not.
    Open = 0,
    /// It met its success status.
    Success = 1,
    /// Its deadline came first.
    Deadline = 2,
    /// The provider took it and later said that it did not arrive.
    Undelivered = 3,
    /// The provider did not take it.
    Rejected = 4,
    /// It could not leave in time: pace, tier, quiet hours, a hold, an outage.
    CouldNotLeave = 5,
    /// Free text on WhatsApp, outside an open 24-hour window.
    OutsideWindow = 6,
    /// A variable without value and without default.
    MissingVariable = 7,
}

impl Ending {
    const fn from_bits(bits: u64) -> Self {
        match bits & 0b111 {
            0 => Self::Open,
            1 => Self::Success,
            2 => Self::Deadline,
            3 => Self::Undelivered,
            4 => Self::Rejected,
            5 => Self::CouldNotLeave,
            6 => Self::OutsideWindow,
            _ => Self::MissingVariable,
        }
    }
}

/// What is known of each step, packed into one integer of the row: eight bits a step (three for the best status,
/// one for handed over, one for unknown, three for the ending), then flags of the whole message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Marks(u64);

impl Marks {
    const HANDED_OVER: u64 = 1 << 3;
    const UNKNOWN: u64 = 1 << 4;
    const ENDING_SHIFT: u32 = 5;
    const DELIVERED_TWICE: u64 = 1 << 56;
    const LATE: u64 = 1 << 57;
    const CUT: u64 = 1 << 58;
    const WAIVED: u64 = 1 << 59;

    /// The bits, for the row.
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

    /// The best that was ever reported of the step's attempt.
    pub fn status(self, step: StepIndex) -> Option<Status> {
        u8::try_from(self.of(step) & 0b111).ok().and_then(Status::from_code)
    }

    /// Upwards only: a receipt that ranks lower than what is known changes nothing.
    #[must_use]
    pub fn with_status(self, step: StepIndex, status: Status) -> Self {
        let byte = self.of(step);
        if byte & 0b111 >= u64::from(status.code()) {
            return self;
        }
        self.with(step, (byte & !0b111) | u64::from(status.code()))
    }

    /// Whether the provider took the step's attempt, or may have.
    pub const fn handed_over(self, step: StepIndex) -> bool {
        self.of(step) & Self::HANDED_OVER != 0
    }

    #[must_use]
    pub const fn with_handed_over(self, step: StepIndex) -> Self {
        self.with(step, self.of(step) | Self::HANDED_OVER)
    }

    /// Takes back a hand-over that the provider undid in passing, so that the step may go again.
    #[must_use]
    pub const fn without_hand_over(self, step: StepIndex) -> Self {
        self.with(step, 0)
    }

    /// Whether nobody knows yet if the provider took the attempt.
    pub const fn unknown(self, step: StepIndex) -> bool {
        self.of(step) & Self::UNKNOWN != 0
    }

    #[must_use]
    pub const fn with_unknown(self, step: StepIndex, unknown: bool) -> Self {
        let byte = self.of(step);
        self.with(step, if unknown { byte | Self::UNKNOWN } else { byte & !Self::UNKNOWN })
    }

    pub const fn ending(self, step: StepIndex) -> Ending {
        Ending::from_bits(self.of(step) >> Self::ENDING_SHIFT)
    }

    #[must_use]
    pub const fn with_ending(self, step: StepIndex, ending: Ending) -> Self {
        let low = (1 << Self::ENDING_SHIFT) - 1;
        self.with(step, (self.of(step) & low) | ((ending as u64) << Self::ENDING_SHIFT))
    }

    /// Whether more than one step met its success status: the person got it twice.
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

    /// Whether a person cut the route short: no further step leaves, whatever happens.
    pub const fn cut(self) -> bool {
        self.0 & Self::CUT != 0
    }

    #[must_use]
    pub const fn with_cut(self) -> Self {
        Self(self.0 | Self::CUT)
    }

    /// Whether the present step's deadline fell into a gap that cannot be filled, so that silence decides nothing.
    pub const fn waived(self) -> bool {
        self.0 & Self::WAIVED != 0
    }

    #[must_use]
    pub const fn with_waived(self, waived: bool) -> Self {
        Self(if waived { self.0 | Self::WAIVED } else { self.0 & !Self::WAIVED })
    }

    /// The latest step whose attempt the provider took, or may have.
    pub fn last_handed_over(self) -> Option<StepIndex> {
        StepIndex::all().rev().find(|step| self.handed_over(*step))
    }
}

impl std::fmt::Debug for Marks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut list = f.debug_list();
        for step in StepIndex::all().filter(|step| self.of(*step) != 0) {
            list.entry(&format_args!(
                "{step}:{}{}{}:{:?}",
                self.status(step).map_or("-", Status::as_str),
                if self.handed_over(step) { "" } else { " not handed over" },
                if self.unknown(step) { " unknown" } else { "" },
                self.ending(step)
            ));
        }
        for (flag, word) in [(self.delivered_twice(), "twice"), (self.late(), "late"), (self.cut(), "cut")] {
            if flag {
                list.entry(&format_args!("{word}"));
            }
        }
        list.finish()
    }
}

/// One message as it stands, without what never changes (its batch, number and fields).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Present {
    pub state: State,
    /// The step that the state speaks of; in `Done` the last one that was begun.
    pub step: StepIndex,
    pub marks: Marks,
    /// When the first step was handed over; the message's `ttl` runs from here.
    pub first_left: Option<Timestamp>,
    /// When the latest step was handed over: its deadline and its receipt window run from here.
    pub accepted: Option<Timestamp>,
    /// How often the present step has been tried and given back by the provider.
    pub tries: u8,
}

impl Present {
    /// A message that waits for its first step.
    pub fn queued(not_before: Timestamp, gives_up: Option<Timestamp>) -> Self {
        Self {
            state: State::Queued { not_before, gives_up },
            step: StepIndex::FIRST,
            marks: Marks::default(),
            first_left: None,
            accepted: None,
            tries: 0,
        }
    }

    pub const fn outcome(&self) -> Option<Outcome> {
        match self.state {
            State::Done { outcome, .. } => Some(outcome),
            State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } => None,
        }
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
        fn marks_of_one_step_leave_the_others_alone(bits: i64, changed in 0_u8..7, other in 0_u8..7) {
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
    fn a_status_only_rises() {
        let marks = Marks::default().with_status(step(6), Status::Delivered);
        assert_eq!(marks.with_status(step(6), Status::Sent).status(step(6)), Some(Status::Delivered));
        assert_eq!(marks.with_status(step(6), Status::Read).status(step(6)), Some(Status::Read));
        assert_eq!(marks.status(step(0)), None);
    }
}
