//! People's spellings of phone numbers to E.164, and the only module that knows the phone number crate.
//!
//! The spelling is taken apart here (marks, digits of other scripts, what spreadsheets do to numbers); which numbers
//! exist is the crate's knowledge, libphonenumber's metadata.

use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberType, Region, ValidationError,
};

use super::{Reason, country_names};
use crate::domain::{Country, Msisdn};

/// A number that exists, and whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) msisdn: Msisdn,
    pub(super) country: Country,
    /// Its country tells mobile numbers apart, and this is none: messages hardly get there.
    pub(super) is_fixed: bool,
    pub(super) beside: Beside,
}

/// What stood beside a number in its cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Beside {
    /// Other numbers: this is the first of them that exists.
    pub(super) others: bool,
    pub(super) extension: bool,
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
        let country = if country.is_known() { country } else { country_names::named(country.as_str())? };
        let region = Region::from_code(country.as_str()).ok()?;
        PHONE_NUMBER_UTIL.get_country_code_for_region(region).map(|_| Self::Known(region))
    }

    /// What a row's country cell says; `default` where it says nothing.
    pub(super) fn of_cell(cell: &str, default: Self) -> Self {
        if cell.trim().is_empty() {
            return default;
        }
        country_names::named(cell).and_then(Self::of).unwrap_or(Self::Unreadable)
    }
}

/// Reads one cell: a number, with an extension or without, or the first of several that exists.
pub(super) fn read(cell: &str, home: Home) -> Result<Number, Reason> {
    let cell = bare(cell);
    let reason = match one(cell, home) {
        Ok(number) => return Ok(number),
        // What is left of the digits is nobody's number.
        Err(Reason::DigitsLost) => return Err(Reason::DigitsLost),
        Err(reason) => reason,
    };
    if let Some(number) = without_extension(cell).and_then(|cell| one(cell, home).ok()) {
        return Ok(Number { beside: Beside { extension: true, ..number.beside }, ..number });
    }
    let mut several = pieces(cell).peekable();
    several.next_if_eq(&cell);
    for piece in several {
        let number = one(piece, home).ok().or_else(|| one(without_extension(piece)?, home).ok());
        if let Some(number) = number {
            return Ok(Number { beside: Beside { others: true, extension: false }, ..number });
        }
    }
    Err(reason)
}

/// Reads one number. Without `+` it is tried as a national number of `home` first, then as an international one whose `+`
/// was lost, as spreadsheets lose it.
fn one(cell: &str, home: Home) -> Result<Number, Reason> {
    let digits = Digits::of(cell)?;
    if digits.plus {
        return international(digits.as_str());
    }
    // The ways out of most countries, and out of America.
    for way_out in ["+00", "+011"] {
        if let Some(rest) = digits.as_str().strip_prefix(way_out)
            && let Ok(number) = international(Digits::from_ascii(rest).as_str())
        {
            return Ok(number);
        }
    }
    let national = match home {
        Home::Known(region) => {
            let parsed = PhoneNumber::parse(&digits.as_str()[1..], Some(region)).map_err(|error| of_parse(&error));
            match parsed.and_then(|parsed| existing(&parsed)) {
                // Some numbers with their country's code are fixed lines without it: people mean the mobile.
                Ok(number) if number.is_fixed => {
                    let international = international(digits.as_str()).ok();
                    let is_mobile = |other: &Number| !other.is_fixed && other.country == number.country;
                    return Ok(international.filter(is_mobile).unwrap_or(number));
                }
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

/// Words with which an extension begins, behind the number.
const EXTENSIONS: [&str; 12] =
    ["ext", "extn", "extension", "x", "#", "poste", "durchwahl", "dw", "anexo", "ramal", "int", "доб"];

/// What stands before an extension. Nothing where there is none: a number comes first, then a word, then few digits.
fn without_extension(cell: &str) -> Option<&str> {
    let is_word = |char: char| char.is_alphabetic() || char == '#';
    let (word, _) = cell.char_indices().find(|(_, char)| is_word(*char))?;
    let (number, rest) = cell.split_at(word);
    let end = rest.find(|char: char| !is_word(char)).unwrap_or(rest.len());
    let (word, extension) = rest.split_at(end);
    let is_known = EXTENSIONS.iter().any(|known| word.to_lowercase() == *known);
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).count();
    let is_short = extension.chars().all(|char| char.is_ascii_digit() || " .:-=".contains(char));
    let fits = is_known && digits(number) >= DIGITS_FOR_SURE && is_short && (1..=7).contains(&digits(extension));
    fits.then(|| number.trim_end_matches([' ', ',', ';', '-', '.', '/', '(']))
}

/// What several numbers in one cell may be, cut at what people write between them.
fn pieces(cell: &str) -> impl Iterator<Item = &str> {
    let is_mark = |char: char| matches!(char, '/' | ',' | ';' | '|' | '&' | '\n' | '\r' | '、' | '，' | '；');
    // A plus begins a number, so the next one begins another.
    let before_plus = cell.char_indices().filter(|(_, char)| matches!(char, '+' | '＋')).map(|(place, _)| place);
    let marks = cell.char_indices().filter(move |(_, char)| is_mark(*char)).map(|(place, _)| place);
    let words = cell.char_indices().zip(cell.chars().skip(1)).filter(|((_, one), next)| {
        // "or", "and", and their like in any language.
        one.is_alphabetic() && !next.is_alphabetic()
    });
    let words = words.map(|((place, _), _)| place);
    let mut cuts: Vec<usize> = before_plus.chain(marks).chain(words).collect();
    cuts.sort_unstable();
    cuts.push(cell.len());
    let between = move |char: char| is_mark(char) || char.is_alphabetic() || char == '.' || char.is_whitespace();
    let mut from = 0;
    cuts.into_iter().filter_map(move |to| {
        let piece = cell.get(from..to)?.trim_matches(between);
        from = to;
        // Parts of one number may be numbers somewhere as well, but short ones.
        (piece.chars().filter(|char| char.is_numeric()).count() >= DIGITS_FOR_SURE).then_some(piece)
    })
}

/// A number for sure, where nothing but the content speaks for it: some countries have numbers as short as a year.
pub(super) const DIGITS_FOR_SURE: usize = 7;

fn international(number: &str) -> Result<Number, Reason> {
    PhoneNumber::parse(number, None).map_err(|error| of_parse(&error)).and_then(|parsed| existing(&parsed))
}

fn existing(parsed: &PhoneNumber) -> Result<Number, Reason> {
    let kind = parsed.get_type();
    let region = parsed.get_region_code().filter(|_| kind != PhoneNumberType::Unknown);
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
    let is_fixed = matches!(
        kind,
        PhoneNumberType::FixedLine
            | PhoneNumberType::TollFree
            | PhoneNumberType::PremiumRate
            | PhoneNumberType::SharedCost
            | PhoneNumberType::Pager
            | PhoneNumberType::UAN
            | PhoneNumberType::VoiceMail
    );
    Ok(Number { msisdn, country, is_fixed, beside: Beside::default() })
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
        let text = cell;
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
            "011 65 8123 4567",
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
    fn of_several_numbers_the_first_that_exists_counts() {
        for cell in [
            "81234567 / 91234567",
            "+6581234567 +6591234567",
            "+65 8123 4567, +65 9123 4567",
            "81234567;91234567;",
            "81234567 or 91234567",
            "81234567\n91234567",
            "123 / 81234567",
            "8123 4567 ext. 12 / 9123 4567",
            "n/a, 81234567",
        ] {
            let number = read(cell, home("SG")).unwrap();
            assert_eq!((number.msisdn.get(), number.beside.others), (6_581_234_567, true), "{cell:?}");
        }
        // One number that is written with such marks is one.
        for (cell, country) in [("0171/1234567", "DE"), ("+49 (0) 171 / 123 45 67", ""), ("81234567,", "SG")] {
            assert!(!read(cell, home(country)).unwrap().beside.others, "{cell:?}");
        }
    }

    #[test]
    fn an_extension_is_left_out() {
        for cell in [
            "+1 650-253-0000 ext. 12",
            "(650) 253-0000 x12",
            "6502530000;ext=12",
            "650 253 0000 #3",
            "6502530000, Extension 1234",
        ] {
            let number = read(cell, home("US")).unwrap();
            assert_eq!((number.msisdn.get(), number.beside.extension), (16_502_530_000, true), "{cell:?}");
        }
        assert!(!read("+16502530000", Home::Missing).unwrap().beside.extension);
    }

    #[test]
    fn a_mobile_without_its_plus_is_no_fixed_line_of_its_own_country() {
        assert_eq!(text("4915123456010", "DE"), Ok("+4915123456010 DE".to_owned()));
        assert_eq!(text("030901820", "DE"), Ok("+4930901820 DE".to_owned()));
    }

    #[test]
    fn fixed_lines_are_told_apart_where_their_country_does() {
        let is_fixed = |cell: &str| read(cell, Home::Missing).unwrap().is_fixed;
        assert_eq!(
            ["+6561234567", "+6581234567", "+4930123456", "+16502530000"].map(is_fixed),
            [true, false, true, false]
        );
        assert!(is_fixed("+18002530000"), "toll-free");
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
            ("8123 / 8124 / 91234567890123", "SG", Reason::SeveralNumbers),
            ("+652123 +652124", "SG", Reason::SeveralNumbers),
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
