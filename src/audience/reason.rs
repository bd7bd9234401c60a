//! Why a row is not accepted.

use std::fmt;

use serde::{Serialize, Serializer};

/// Every reason for which a row is rejected. Its word stands in reports and files, its sentence tells a person what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    Empty,
    NotANumber,
    SeveralNumbers,
    DigitsLost,
    TooShort,
    TooLong,
    CountryMissing,
    CountryUnknown,
    PlusMissing,
    NotValid,
    FixedLine,
    IdTooLong,
    TooManyCells,
    Duplicate,
    Elsewhere,
    OptedOut,
}

impl Reason {
    pub const ALL: &'static [Self] = &[
        Self::Empty,
        Self::NotANumber,
        Self::SeveralNumbers,
        Self::DigitsLost,
        Self::TooShort,
        Self::TooLong,
        Self::CountryMissing,
        Self::CountryUnknown,
        Self::PlusMissing,
        Self::NotValid,
        Self::FixedLine,
        Self::IdTooLong,
        Self::TooManyCells,
        Self::Duplicate,
        Self::Elsewhere,
        Self::OptedOut,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "no number",
            Self::NotANumber => "not a number",
            Self::SeveralNumbers => "several numbers",
            Self::DigitsLost => "digits lost",
            Self::TooShort => "too short",
            Self::TooLong => "too long",
            Self::CountryMissing => "country missing",
            Self::CountryUnknown => "country unknown",
            Self::PlusMissing => "plus missing",
            Self::NotValid => "not valid",
            Self::FixedLine => "fixed line",
            Self::IdTooLong => "id too long",
            Self::TooManyCells => "too many cells",
            Self::Duplicate => "duplicate",
            Self::Elsewhere => "duplicate across sources",
            Self::OptedOut => "opted out",
        }
    }

    /// What is wrong and what to do about it, in one sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Empty => "The cell for the number is empty; fill it in or delete the row.",
            Self::NotANumber => {
                "The cell holds something other than a phone number; write digits, such as +6591234567."
            }
            Self::SeveralNumbers => "The cell holds several numbers, and none of them exists; write one that does.",
            Self::DigitsLost => {
                "A spreadsheet has rounded the number (such as 6.59E+09); format the column as text and export it again."
            }
            Self::TooShort => "The number has too few digits for its country; look up the whole number.",
            Self::TooLong => {
                "The number has too many digits for its country; check for a doubled prefix or a typing error."
            }
            Self::CountryMissing => {
                "The number is national and nothing says of which country; say it with --country or in a Country column, or write the number with + and country code."
            }
            Self::CountryUnknown => {
                "The row's country is none that is known; write two letters, such as SG, or its name, or write the number with + and country code."
            }
            Self::PlusMissing => {
                "No such number exists in its country; with + it would be another country's. Mostly a digit is missing or too many: check the digits, or write it with +."
            }
            Self::NotValid => "No such number exists in its country; check the digits and the country.",
            Self::FixedLine => {
                "The number is a fixed line or a service, and only mobile ones were asked for; find the person's mobile number."
            }
            Self::IdTooLong => "The ClientMessageId has more than 50 characters; shorten it.",
            Self::TooManyCells => {
                "The row has more filled cells than the header has columns; put quotes around text that contains the delimiter."
            }
            Self::Elsewhere => {
                "An earlier source, or the audience that this is added to, has the same number and keeps it; nothing to do."
            }
            Self::Duplicate => "An earlier row has the same number and was kept; nothing to do.",
            Self::OptedOut => "The person wants no more messages; nothing to do.",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_word_and_a_sentence() {
        let mut words: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Reason::ALL.len());
        assert!(Reason::ALL.iter().all(|reason| reason.sentence().ends_with('.')));
    }
}
