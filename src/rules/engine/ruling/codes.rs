//! Rulings and notes as they are stored: rules, results and causes as codes, a ruling as an integer, notes as bytes.

use super::super::event::{Ignored, Rule};
use super::{Cause, Made, Met, Note, Ruling, Worth};
use crate::base::domain::{Ending, SenderPart, Timestamp};

impl Made {
    /// Its code, which is the lowest byte of a ruling.
    pub const fn code(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Superseded => 1,
            Self::Ignored(why) => 8 + why as u8,
            Self::Moved(rule) => 16 + code_of(rule),
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Nothing),
            1 => Some(Self::Superseded),
            8..16 => Ignored::ALL.get(usize::from(code - 8)).copied().map(Self::Ignored),
            _ => rule_of(code.checked_sub(16)?).map(Self::Moved),
        }
    }
}

impl Ignored {
    /// In the order of their codes.
    pub const ALL: [Self; 6] =
        [Self::NothingNew, Self::NotBegun, Self::NotYet, Self::Stale, Self::Ended, Self::InFlight];
}

/// Rules without parameters, and those of an ending that has no bits. They are stored by their index here, which never
/// changes.
const PLAIN: [Rule; 32] = [
    Rule::Claimed,
    Rule::HandedOver,
    Rule::CountedAsHandedOver,
    Rule::Resent,
    Rule::HandedBack,
    Rule::Postponed,
    Rule::TriedAgain,
    Rule::Reached,
    Rule::Progressed,
    Rule::Recorded,
    Rule::TakenBack,
    Rule::RefusalRecalled,
    Rule::Recalled,
    Rule::ReachedEarlier,
    Rule::DeliveredTwice,
    Rule::Late,
    Rule::DeadlineHeld,
    Rule::DeadlineWaived,
    Rule::Rescheduled,
    Rule::WindowClosed,
    Rule::Expired,
    Rule::CalledOffUnsent,
    Rule::CalledOffPresentLast,
    Rule::Suppressed,
    Rule::Adopted,
    Rule::MovedToEnd,
    Rule::RefusedAlone,
    Rule::SetAside,
    Rule::Released,
    Rule::WaitsForRecipient,
    Rule::FellBack(Ending::OptedOut),
    Rule::Ended(Ending::OptedOut),
];
const KEPT_FOR_SENDER: u8 = 32;
const GAVE_WAY: u8 = 40;
const ENDED: u8 = 48;

const fn code_of(rule: Rule) -> u8 {
    match rule {
        Rule::Claimed => 0,
        Rule::HandedOver => 1,
        Rule::CountedAsHandedOver => 2,
        Rule::Resent => 3,
        Rule::HandedBack => 4,
        Rule::Postponed => 5,
        Rule::TriedAgain => 6,
        Rule::Reached => 7,
        Rule::Progressed => 8,
        Rule::Recorded => 9,
        Rule::TakenBack => 10,
        Rule::RefusalRecalled => 11,
        Rule::Recalled => 12,
        Rule::ReachedEarlier => 13,
        Rule::DeliveredTwice => 14,
        Rule::Late => 15,
        Rule::DeadlineHeld => 16,
        Rule::DeadlineWaived => 17,
        Rule::Rescheduled => 18,
        Rule::WindowClosed => 19,
        Rule::Expired => 20,
        Rule::CalledOffUnsent => 21,
        Rule::CalledOffPresentLast => 22,
        Rule::Suppressed => 23,
        Rule::Adopted => 24,
        Rule::MovedToEnd => 25,
        Rule::RefusedAlone => 26,
        Rule::SetAside => 27,
        Rule::Released => 28,
        Rule::WaitsForRecipient => 29,
        Rule::FellBack(Ending::OptedOut) => 30,
        Rule::Ended(Ending::OptedOut) => 31,
        Rule::KeptForSender(part) => KEPT_FOR_SENDER + part as u8,
        Rule::FellBack(ending) => GAVE_WAY + ending as u8,
        Rule::Ended(ending) => ENDED + ending as u8,
    }
}

fn rule_of(code: u8) -> Option<Rule> {
    match code {
        KEPT_FOR_SENDER..GAVE_WAY => {
            let parts = [SenderPart::Lane, SenderPart::Template, SenderPart::Step];
            parts.get(usize::from(code - KEPT_FOR_SENDER)).copied().map(Rule::KeptForSender)
        }
        GAVE_WAY..ENDED => Ending::of_code(code - GAVE_WAY).map(Rule::FellBack),
        ENDED..56 => Ending::of_code(code - ENDED).map(Rule::Ended),
        _ => PLAIN.get(usize::from(code)).copied(),
    }
}

impl Cause {
    /// In the order of their codes.
    const ALL: [Self; 14] = [
        Self::Due(Worth::Trusted),
        Self::Due(Worth::Held),
        Self::Due(Worth::Lost),
        Self::Due(Worth::Filled),
        Self::Doubted(Worth::Trusted),
        Self::Doubted(Worth::Held),
        Self::Doubted(Worth::Lost),
        Self::Doubted(Worth::Filled),
        Self::RefusalRecalled,
        Self::Cancel,
        Self::OptOut,
        Self::HandedBack,
        Self::RefusedAlone,
        Self::Released,
    ];

    const fn code(self) -> u8 {
        match self {
            Self::Due(worth) => worth as u8,
            Self::Doubted(worth) => 4 + worth as u8,
            Self::RefusalRecalled => 8,
            Self::Cancel => 9,
            Self::OptOut => 10,
            Self::HandedBack => 11,
            Self::RefusedAlone => 12,
            Self::Released => 13,
        }
    }
}

impl Ruling {
    /// The ruling as an integer. It is small if little has happened, so a row stores it in a few bytes.
    pub const fn bits(self) -> i64 {
        // No row changes sixteen million times.
        let version = if self.version < 1 << 24 { self.version } else { (1 << 24) - 1 };
        self.made.code() as i64
            | (self.met as i64) << 8
            | (self.is_cancelled as i64) << 10
            | (self.moves as i64) << 11
            | (version as i64) << 19
            | (self.tries as i64) << 43
    }

    #[expect(clippy::cast_sign_loss, reason = "each part is cut to its own bits")]
    pub fn from_bits(bits: i64) -> Option<Self> {
        let met = match (bits >> 8) & 0b11 {
            0 => Met::Queued,
            1 => Met::Sending,
            2 => Met::Awaiting,
            _ => Met::Done,
        };
        Some(Self {
            version: ((bits >> 19) & 0xff_ffff) as u32,
            moves: ((bits >> 11) & 0xff) as u8,
            met,
            tries: u16::try_from(bits >> 43).ok()?,
            is_cancelled: (bits >> 10) & 1 == 1,
            made: Made::from_code((bits & 0xff) as u8)?,
        })
    }
}

/// The bytes of one note: its ruling, its time and its cause.
const NOTE: usize = 17;

impl Note {
    pub fn bytes(&self) -> [u8; NOTE] {
        let mut bytes = [0; NOTE];
        bytes[..8].copy_from_slice(&self.ruling.bits().to_be_bytes());
        bytes[8..16].copy_from_slice(&self.at.millis().to_be_bytes());
        bytes[16] = self.cause.code();
        bytes
    }

    /// The notes of a row; `None` if the bytes are invalid.
    pub fn all_of(bytes: &[u8]) -> Option<Vec<Self>> {
        let (notes, rest) = bytes.as_chunks::<NOTE>();
        rest.is_empty().then(|| notes.iter().map(Self::of).collect())?
    }

    fn of(bytes: &[u8; NOTE]) -> Option<Self> {
        let number = |part: &[u8]| Some(i64::from_be_bytes(part.try_into().ok()?));
        Some(Self {
            ruling: Ruling::from_bits(number(&bytes[..8])?)?,
            at: Timestamp::from_millis(number(&bytes[8..16])?),
            cause: *Cause::ALL.get(usize::from(bytes[16]))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::machine::Standing;
    use super::super::super::table::rules;
    use super::*;
    use crate::base::domain::Present;

    #[test]
    fn stored_rulings_and_notes_are_read_back_unchanged() {
        let of_each = |rule| match rule {
            Rule::KeptForSender(_) => {
                [SenderPart::Lane, SenderPart::Template, SenderPart::Step].map(Rule::KeptForSender).to_vec()
            }
            Rule::FellBack(_) => (0..9).filter_map(Ending::of_code).map(Rule::FellBack).collect(),
            Rule::Ended(_) => (0..9).filter_map(Ending::of_code).map(Rule::Ended).collect(),
            plain => vec![plain],
        };
        let made = rules().into_iter().flat_map(of_each).map(Made::Moved).chain(Ignored::ALL.map(Made::Ignored));
        let mut seen = std::collections::HashSet::new();
        for made in made.chain([Made::Superseded, Made::Nothing]) {
            for (met, tries) in [(Met::Queued, 0), (Met::Sending, 1), (Met::Awaiting, u16::MAX), (Met::Done, 300)] {
                for version in [0, 1, 77_000, (1 << 24) - 1] {
                    let ruling = Ruling { version, moves: 255, met, tries, is_cancelled: tries > 0, made };
                    assert_eq!(Ruling::from_bits(ruling.bits()), Some(ruling));
                    let note = Note { at: Timestamp::from_millis(1_800_000_000_123), cause: Cause::HandedBack, ruling };
                    assert_eq!(Note::all_of(&[note.bytes(), note.bytes()].concat()), Some(vec![note, note]));
                }
            }
            assert!(seen.insert(made.code()), "{made:?} has the code of another");
        }
        assert!(
            Ruling::on(3, 0, &Present::queued(Timestamp::default(), None), Standing::Live, Made::Nothing).bits()
                < 1 << 23
        );
        assert_eq!(Note::all_of(&[1, 2, 3]), None);
        for (code, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(cause.code()), code);
        }
    }
}
