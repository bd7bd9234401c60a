//! People's spellings of phone numbers to E.164, and the only module that knows the phone number crate.
//!
//! The spelling is taken apart here (marks, digits of other scripts, what spreadsheets do to numbers); which numbers
//! exist is the crate's knowledge, libphonenumber's metadata.

use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, Region, ValidationError};

use super::Reason;
use crate::domain::{Country, Msisdn};

/// A number that exists, and whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) msisdn: Msisdn,
    pub(super) country: Country,
}

/// Of which country a national number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    Known(Region),
    /// Nothing says.
    Missing,
    /// Something says, in words we cannot read.
    Unreadable,
}

impl Home {
    /// None for a country that has no phone numbers.
    pub(super) fn of(country: Country) -> Option<Self> {
        // The one code that people use against the standard.
        let code = if country.as_str() == "UK" { "GB" } else { country.as_str() };
        let region = Region::from_code(code).ok()?;
        PHONE_NUMBER_UTIL.get_country_code_for_region(region).map(|_| Self::Known(region))
    }

    /// What a row's country cell says; `default` where it says nothing.
    pub(super) fn of_cell(cell: &str, default: Self) -> Self {
        let cell = cell.trim();
        if cell.is_empty() {
            return default;
        }
        cell.parse().ok().and_then(Self::of).unwrap_or(Self::Unreadable)
    }
}

/// Reads one cell. A number without `+` is tried as a national number of `home` first, then as an international one
/// whose `+` was lost, as spreadsheets lose it.
pub(super) fn read(cell: &str, home: Home) -> Result<Number, Reason> {
    let digits = Digits::of(cell)?;
    if digits.plus {
        return international(digits.as_str());
    }
    if let Some(rest) = digits.as_str().strip_prefix("+00")
        && let Ok(number) = international(Digits::from_ascii(rest).as_str())
    {
        return Ok(number);
    }
    let national = match home {
        Home::Known(region) => {
            let parsed = PhoneNumber::parse(&digits.as_str()[1..], Some(region)).map_err(|error| of_parse(&error));
            match parsed.and_then(|parsed| existing(&parsed)) {
                Ok(number) => return Ok(number),
                Err(reason) => reason,
            }
        }
        Home::Missing if digits.as_str().starts_with("+00") => Reason::NotValid,
        Home::Missing => Reason::CountryMissing,
        Home::Unreadable => Reason::CountryUnknown,
    };
    // What failed for its country and has no valid international reading either failed for its country.
    if digits.as_str().starts_with("+0") { Err(national) } else { international(digits.as_str()).map_err(|_| national) }
}

fn international(number: &str) -> Result<Number, Reason> {
    PhoneNumber::parse(number, None).map_err(|error| of_parse(&error)).and_then(|parsed| existing(&parsed))
}

fn existing(parsed: &PhoneNumber) -> Result<Number, Reason> {
    let region = parsed.get_region_code().filter(|region| parsed.is_valid_for_region(*region));
    let Some(region) = region else {
        return Err(match parsed.is_possible_with_reason() {
            Err(ValidationError::TooShort) | Ok(NumberLengthType::IsPossibleLocalOnly) => Reason::TooShort,
            Err(ValidationError::TooLong) => Reason::TooLong,
            Err(ValidationError::InvalidCountryCode | ValidationError::InvalidLength)
            | Ok(NumberLengthType::IsPossible) => Reason::NotValid,
        });
    };
    let country = match region {
        Region::World => Country::WORLD,
        region => region.as_region_str().parse().unwrap_or(Country::WORLD),
    };
    let msisdn = e164(parsed).and_then(|digits| Msisdn::try_from(digits).ok()).ok_or(Reason::TooLong)?;
    Ok(Number { msisdn, country })
}

/// The digits in order: country code, zeros that belong to the number (as in Italy), number.
fn e164(parsed: &PhoneNumber) -> Option<u64> {
    let zeros = if parsed.italian_leading_zero() { parsed.number_of_leading_zeros() } else { 0 };
    let places = parsed.national_number.checked_ilog10().unwrap_or(0) + 1 + u32::try_from(zeros).ok()?;
    let code = u64::try_from(parsed.country_code).ok()?;
    code.checked_mul(10_u64.checked_pow(places)?)?.checked_add(parsed.national_number)
}

fn of_parse(error: &ParseError) -> Reason {
    match error {
        ParseError::InvalidCountryCode => Reason::NotValid,
        // Only digits come here, so what does not look like a number to the crate has too few of them.
        ParseError::NotANumber(_) | ParseError::TooShortAfterIdd | ParseError::TooShortNsn => Reason::TooShort,
        ParseError::TooLongNsn => Reason::TooLong,
    }
}

/// Fifteen digits, `00` or a doubled prefix before them, and a few more so that "too long" can be told.
const MAX_DIGITS: usize = 24;

/// The digits of a cell behind a `+`, whether the cell had one or not.
struct Digits {
    ascii: [u8; MAX_DIGITS + 1],
    len: usize,
    plus: bool,
}

impl Digits {
    fn new() -> Self {
        Self { ascii: [b'+'; MAX_DIGITS + 1], len: 1, plus: false }
    }

    fn push(&mut self, digit: u8) -> Result<(), Reason> {
        *self.ascii.get_mut(self.len).ok_or(Reason::TooLong)? = digit;
        self.len += 1;
        Ok(())
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.ascii[..self.len]).unwrap_or("+")
    }

    /// What is longer than fits is no number, and cutting it off shows that as well.
    fn from_ascii(digits: &str) -> Self {
        let mut all = Self::new();
        for digit in digits.bytes() {
            let _ = all.push(digit);
        }
        all
    }

    fn of(cell: &str) -> Result<Self, Reason> {
        let text = bare(cell);
        let text =
            if text.bytes().any(|byte| matches!(byte, b'e' | b'E' | b'.' | b',')) { whole_number(text)? } else { text };
        let mut digits = Self::new();
        // A mark that people write between two numbers, but also inside one: `0171/123456`.
        let mut between = false;
        for char in text.chars() {
            match char {
                '0'..='9' => {
                    digits.push(char as u8).map_err(|long| if between { Reason::SeveralNumbers } else { long })?;
                }
                '+' | '＋' if digits.len == 1 && !digits.plus => digits.plus = true,
                '+' | '＋' => return Err(Reason::SeveralNumbers),
                '/' | ',' | ';' | '|' | '&' | '\n' => between = true,
                ' ' | '-' | '.' | '(' | ')' | '[' | ']' | '_' | '\t' | '\r' | '\'' => {}
                other if !other.is_ascii() && is_silent(other) => {}
                other => match foreign_digit(other) {
                    Some(digit) => digits.push(digit)?,
                    None => return Err(Reason::NotANumber),
                },
            }
        }
        // The longest number has fifteen digits, seventeen with its 00.
        if between && digits.len > 18 {
            return Err(Reason::SeveralNumbers);
        }
        if digits.len == 1 { Err(Reason::Empty) } else { Ok(digits) }
    }
}

/// Without what surrounds a number: blanks, quotes, the marks with which spreadsheets and links say "text" and "call".
fn bare(cell: &str) -> &str {
    let mut text = cell.trim();
    if let Some(inside) = text.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')) {
        text = inside.trim();
    }
    text = text.trim_matches(['"', '\'']).trim();
    match text.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("tel:") => text[4..].trim(),
        _ => text,
    }
}

/// Undoes what spreadsheets do to a number that they take for a quantity: `6591234567.0`, `6.591234567E+09`. Where
/// they have rounded it, no digit may be guessed. Everything else is given back as it is.
fn whole_number(text: &str) -> Result<&str, Reason> {
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, ""));
    if !all_digits(whole) || !all_digits(fraction) || whole.is_empty() {
        return Ok(text);
    }
    let Some(exponent) = exponent else {
        let padded = whole.len() >= 7 && matches!(fraction, "0" | "00");
        return Ok(if padded { whole } else { text });
    };
    match exponent.strip_prefix('+').unwrap_or(exponent).parse::<usize>() {
        // All digits are there: only the point has moved. The marks go with the rest of them.
        Ok(places) if places == fraction.len() => Ok(mantissa),
        Ok(_) => Err(Reason::DigitsLost),
        Err(_) => Ok(text),
    }
}

/// Marks that say nothing: blanks, dashes and directions of other scripts and of word processors.
const fn is_silent(char: char) -> bool {
    matches!(char,
        '\u{a0}' | '\u{ad}' | '\u{1680}' | '\u{2000}'..='\u{2015}' | '\u{2018}' | '\u{2019}' | '\u{2026}'
        | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{2212}' | '\u{3000}' | '\u{30fc}' | '\u{fe63}'
        | '\u{feff}' | '\u{ff08}' | '\u{ff09}' | '\u{ff0d}' | '\u{ff0e}' | '·')
}

/// The decimal digits of the scripts in which people type phone numbers, as ASCII.
fn foreign_digit(char: char) -> Option<u8> {
    // Full width, Arabic, Persian, Devanagari, Bengali, Tamil, Thai, Lao, Myanmar, Khmer.
    const ZEROS: [u32; 10] = [0xff10, 0x660, 0x6f0, 0x966, 0x9e6, 0xbe6, 0xe50, 0xed0, 0x1040, 0x17e0];
    let code = u32::from(char);
    ZEROS.iter().find_map(|zero| {
        let value = code.checked_sub(*zero).filter(|value| *value < 10)?;
        u8::try_from(value).ok().map(|value| b'0' + value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn home(country: &str) -> Home {
        country.parse().ok().and_then(Home::of).unwrap_or(Home::Missing)
    }

    fn text(cell: &str, country: &str) -> Result<String, Reason> {
        read(cell, home(country)).map(|number| format!("{} {}", number.msisdn, number.country))
    }

    #[test]
    fn whatever_country_a_number_is_of_is_known() {
        let code = |region: Region| region.as_region_str().to_string();
        let mut regions: Vec<String> = PHONE_NUMBER_UTIL.get_supported_regions().map(code).collect();
        regions.push(Country::WORLD.to_string());
        regions.sort_unstable();
        assert_eq!(regions, Country::known().collect::<Vec<_>>());
    }

    #[test]
    fn every_spelling_of_a_number_is_that_number() {
        for spelling in [
            "+6581234567",
            "6581234567",
            "006581234567",
            "81234567",
            " +65 8123-4567 ",
            "(+65) 8123.4567",
            "'+6581234567",
            "=\"+6581234567\"",
            "tel:+65-8123-4567",
            "6581234567.0",
            "6.581234567E+09",
            "6.581234567e9",
            "８１２３４５６７",
            "+٦٥٨١٢٣٤٥٦٧",
            "\u{202a}+65\u{a0}8123\u{2011}4567\u{202c}",
        ] {
            assert_eq!(text(spelling, "SG"), Ok("+6581234567 SG".to_owned()), "{spelling:?}");
        }
    }

    #[test]
    fn the_country_is_that_of_the_number_not_of_the_default() {
        assert_eq!(text("+49 1512 3456789", "SG"), Ok("+4915123456789 DE".to_owned()));
        assert_eq!(text("491512 3456789", "SG"), Ok("+4915123456789 DE".to_owned()));
        assert_eq!(text("01512/3456789", "DE"), Ok("+4915123456789 DE".to_owned()));
        assert_eq!(text("+44 (0)7400 123456", ""), Ok("+447400123456 GB".to_owned()));
        assert_eq!(text("07400123456", "UK"), Ok("+447400123456 GB".to_owned()));
        assert_eq!(text("(204) 234-5678", "US"), Ok("+12042345678 CA".to_owned()));
    }

    #[test]
    fn zeros_that_belong_to_the_number_stay() {
        assert_eq!(text("+39 02 1234 5678", ""), Ok("+390212345678 IT".to_owned()));
    }

    #[test]
    fn numbers_of_no_country_have_the_world_for_theirs() {
        assert_eq!(text("+800 1234 5678", ""), Ok("+80012345678 ZZ".to_owned()));
    }

    #[test]
    fn what_is_no_number_says_why() {
        for (cell, country, reason) in [
            ("", "SG", Reason::Empty),
            (" - ", "SG", Reason::Empty),
            ("n/a", "SG", Reason::NotANumber),
            ("1-800-FLOWERS", "US", Reason::NotANumber),
            ("8123x567", "SG", Reason::NotANumber),
            ("6.58E+09", "SG", Reason::DigitsLost),
            ("6,58E+09", "SG", Reason::DigitsLost),
            ("81234567 / 81234568 / 81234569", "SG", Reason::SeveralNumbers),
            ("+6581234567 +6581234568", "SG", Reason::SeveralNumbers),
            ("8123", "SG", Reason::TooShort),
            ("+65812345678901", "SG", Reason::TooLong),
            ("1234567890123456789012345678", "SG", Reason::TooLong),
            ("81234567", "", Reason::CountryMissing),
            ("+6521234567", "SG", Reason::NotValid),
            ("+999123456789", "SG", Reason::NotValid),
        ] {
            assert_eq!(text(cell, country), Err(reason), "{cell:?}");
        }
        assert_eq!(read("81234567", Home::Unreadable), Err(Reason::CountryUnknown));
    }

    proptest! {
        #[test]
        fn no_cell_panics(cell in any::<String>(), digits in "[+0-9 ./eE()-]{0,30}") {
            for home in [home("DE"), Home::Missing] {
                let _ = read(&cell, home);
                let _ = read(&digits, home);
            }
        }

        #[test]
        fn a_number_reads_as_itself_again(digits in "[1-9][0-9]{6,14}") {
            if let Ok(number) = read(&format!("+{digits}"), Home::Missing) {
                prop_assert_eq!(read(&number.msisdn.to_string(), Home::Missing), Ok(number));
            }
        }
    }
}
