//! Reasons why a row is rejected.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::base::domain::Msisdn;

/// Why a row is rejected. Reports and files contain its short form; its sentence tells the operator what to do.
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
    TwoReadings,
    NotValid,
    Landline,
    IdTooLong,
    TooManyCells,
    TooMuchText,
    Duplicate,
    EarlierSource,
    OptedOut,
}

/// Stands between a reason and its two readings in a file.
const BEFORE_READINGS: &str = ": ";

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
        Self::TwoReadings,
        Self::NotValid,
        Self::Landline,
        Self::IdTooLong,
        Self::TooManyCells,
        Self::TooMuchText,
        Self::Duplicate,
        Self::EarlierSource,
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
            Self::TwoReadings => "two readings",
            Self::NotValid => "not valid",
            Self::Landline => "landline",
            Self::IdTooLong => "id too long",
            Self::TooManyCells => "too many cells",
            Self::TooMuchText => "too much text",
            Self::Duplicate => "duplicate",
            Self::EarlierSource => "duplicate across sources",
            Self::OptedOut => "opted out",
        }
    }

    /// One sentence: the problem and what to do about it.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Empty => "The cell for the number is empty; fill it in or delete the row.",
            Self::NotANumber => {
                "The cell contains something other than a phone number; write digits, such as +6591234567."
            }
            Self::SeveralNumbers => "The cell contains several numbers, and none of them is valid; write a valid one.",
            Self::DigitsLost => {
                "A spreadsheet has rounded the number (such as 6.59E+09); format the column as text and export it again."
            }
            Self::TooShort => "The number has too few digits for its country; complete it.",
            Self::TooLong => {
                "The number has too many digits for its country; check for a repeated prefix or a typing error."
            }
            Self::CountryMissing => {
                "The number has no country code, and the row names no country; give the country with --country or in a Country column, or write the number with + and country code."
            }
            Self::CountryUnknown => {
                "The country that this row names is not known; write its two-letter code, such as SG, or its name, or write the number with + and country code."
            }
            Self::PlusMissing => {
                "The number is invalid in its country. With a + it would be valid in another country; check its digits, or add the + if that is meant."
            }
            Self::TwoReadings => {
                "The digits can be read as two valid numbers; write the one that is meant, with + and country code."
            }
            Self::NotValid => "The number is invalid in its country; check the digits and the country.",
            Self::Landline => {
                "The number is a landline or a service number, and --lines mobile accepts only mobile numbers; find the recipient's mobile number."
            }
            Self::IdTooLong => "The ClientMessageId has more than 50 characters; shorten it.",
            Self::TooManyCells => {
                "The row has more filled cells than the header has columns; put quotes around text that contains the delimiter."
            }
            Self::TooMuchText => {
                "A cell of the row has more than 32,767 characters, or the whole row more than a mebibyte of text; shorten it."
            }
            Self::EarlierSource => {
                "An earlier source, or the audience that this file is added to, already has this number; nothing to do."
            }
            Self::Duplicate => "An earlier row has the same number and was accepted; nothing to do.",
            Self::OptedOut => "The recipient has opted out; nothing to do.",
        }
    }

    /// The cell of a file of rejected rows, which names both numbers that a row can be read as.
    pub fn in_file(self, readings: Option<Readings>) -> Cow<'static, str> {
        match readings {
            Some(readings) => Cow::Owned(format!("{self}{BEFORE_READINGS}{readings}")),
            None => Cow::Borrowed(self.as_str()),
        }
    }

    /// Whether a cell is one that [`Reason::in_file`] writes.
    pub(super) fn is_in_file(cell: &str) -> bool {
        let word = cell.split_once(BEFORE_READINGS).map_or(cell, |(word, _)| word);
        Self::ALL.iter().any(|reason| reason.as_str() == word)
    }

    /// The sentence for a number outside a file, such as an argument of a command: it names no cell, row or column.
    pub const fn sentence_of_bare_number(self) -> &'static str {
        match self {
            Self::Empty => "The number is empty; write it.",
            Self::NotANumber => "This is not a phone number; write digits, such as +6591234567.",
            Self::SeveralNumbers => "These are several numbers, and none of them is valid; write a valid one.",
            Self::DigitsLost => "A spreadsheet has rounded the number (such as 6.59E+09); write all of its digits.",
            Self::CountryMissing => {
                "The number has no country code, and its country is unknown; write it with + and country code, such as +6591234567, or give its country with --country (in a campaign file: `country`)."
            }
            other => other.sentence(),
        }
    }
}

/// Two valid numbers that one spelling can be read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Readings(pub [Msisdn; 2]);

impl Readings {
    /// The sentence of [`Reason::TwoReadings`] about these two numbers.
    pub fn sentence(self) -> String {
        format!("The digits can be read as {self}; write the one that is meant, with + and country code.")
    }
}

impl fmt::Display for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, other] = self.0;
        write!(f, "{one} or {other}")
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

impl PartialSchema for Reason {
    fn schema() -> RefOr<Schema> {
        let words = Self::ALL.iter().map(|reason| reason.as_str());
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
    }
}

impl ToSchema for Reason {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("RejectionReason")
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let found = Self::ALL.iter().find(|reason| reason.as_str() == text).copied();
        found.ok_or_else(|| serde::de::Error::custom(format_args!("unknown reason \"{text}\"")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_distinct_short_form_and_a_sentence() {
        let mut words: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Reason::ALL.len());
        assert!(Reason::ALL.iter().all(|reason| reason.sentence().ends_with('.')));
    }

    #[test]
    fn a_file_of_rejects_names_both_readings_and_is_recognized() {
        let readings = Readings(["+4915104796669", "+915104796669"].map(|number| number.parse().unwrap()));
        let cell = Reason::TwoReadings.in_file(Some(readings));
        assert_eq!(cell, "two readings: +4915104796669 or +915104796669");
        assert!(Reason::is_in_file(&cell));
        assert!(Reason::ALL.iter().all(|reason| Reason::is_in_file(&reason.in_file(None))));
        assert!(!Reason::is_in_file("two: +4915104796669"));
        assert_eq!(
            readings.sentence(),
            "The digits can be read as +4915104796669 or +915104796669; write the one that is meant, with + and country code."
        );
    }

    #[test]
    fn the_sentence_of_a_bare_number_names_no_part_of_a_file() {
        // The other reasons are about tables, or compare numbers with other rows.
        for reason in [
            Reason::Empty,
            Reason::NotANumber,
            Reason::SeveralNumbers,
            Reason::DigitsLost,
            Reason::TooShort,
            Reason::TooLong,
            Reason::CountryMissing,
            Reason::PlusMissing,
            Reason::TwoReadings,
            Reason::NotValid,
            Reason::Landline,
        ] {
            let sentence = reason.sentence_of_bare_number();
            assert!(sentence.ends_with('.'), "{sentence}");
            assert!(["olumn", "cell", "row"].iter().all(|part| !sentence.contains(part)), "{sentence}");
        }
    }
}
