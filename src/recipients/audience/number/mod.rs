//! Reads phone numbers in any common spelling and returns them as E.164.
//!
//! This module and `spelling` take a cell apart; `plans` knows which numbers exist; `readings` finds out whether a spelling
//! is two of them.

#[cfg(test)]
mod agreement;
mod cell;
mod dialling;
mod plans;
mod readings;
mod rules;
mod spelling;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod typed;

pub(super) use cell::{DIGITS_FOR_SURE, digits, is_date};
use cell::{SEPARATORS, pieces, trimmed, without_extension, without_list_number, without_remarks};
use plans::{Plans, Region};
use spelling::{Digits, bare};

use super::{Reason, country_names};
use crate::base::domain::{Country, Msisdn};

/// A number that exists, and its country.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) msisdn: Msisdn,
    pub(super) country: Country,
    /// Not a mobile number, in a country that tells them apart: it hardly ever receives messages.
    pub(super) is_fixed: bool,
    pub(super) beside: CellExtras,
}

/// What a cell holds beside its number, and how its country was determined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct CellExtras {
    /// Other numbers: this is the first of them that exists.
    pub(super) others: bool,
    pub(super) extension: bool,
    /// Words and marks that do not belong to the number.
    pub(super) words: bool,
    /// Neither a `+` nor a given country: its first digits were read as a calling code.
    pub(super) untold: bool,
    /// A country is given, but the number is of another one, by a calling code without a `+`.
    pub(super) foreign: bool,
    /// A country is given, but the national number is of another one that shares its calling code.
    pub(super) neighbor: bool,
}

/// How a cell states the country of its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    /// With a `+` or an international prefix such as `00`.
    International,
    /// With the calling code alone.
    Coded,
    /// Without a calling code.
    National,
}

/// The country of a number without a `+`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// This country. A number that is only valid in another one is rejected: mostly it lacks a digit.
    Known(Region),
    /// The numbers of the column have calling codes: one that is not of this country, if given, may be of another.
    ///
    /// A landline of another country is rejected: it receives no messages, and a number that lacks a digit often is one.
    Coded(Option<Region>),
    /// The same in a list of opt-outs or exclusions, where every possible number is accepted.
    Any(Option<Region>),
    /// No country is given.
    Missing,
    /// No country is given and most numbers of the file lack theirs, so none is read as an international number.
    National,
    /// A country is given in unknown words.
    Unreadable,
}

impl Home {
    /// `None` for a country without phone numbers.
    pub(super) fn of(country: Country) -> Option<Self> {
        let country = if country.is_known() { country } else { country_names::named(country.as_str())? };
        Plans::shared().region(country).map(Self::Known)
    }

    /// The same for a column whose numbers have calling codes.
    pub(super) fn coded(self) -> Self {
        match self {
            Self::Known(region) => Self::Coded(Some(region)),
            Self::Unreadable => Self::Coded(None),
            Self::Coded(_) | Self::Any(_) | Self::Missing | Self::National => self,
        }
    }

    /// The same for a list of opt-outs or exclusions.
    pub(super) fn any(self) -> Self {
        match self.coded() {
            Self::Coded(region) => Self::Any(region),
            other => other,
        }
    }

    /// The region whose national numbers are read.
    const fn region(self) -> Option<Region> {
        match self {
            Self::Known(region) => Some(region),
            Self::Coded(region) | Self::Any(region) => region,
            Self::Missing | Self::National | Self::Unreadable => None,
        }
    }

    /// Reads the country cell of a row; returns `default` if it names none.
    pub(super) fn of_cell(cell: &str, default: Self) -> Self {
        let cell = cell.trim();
        if cell.is_empty() {
            return default;
        }
        let of_code = |code: &str| Plans::shared().of_calling_code(code).map(Self::Known);
        // Spreadsheets write a code as `65.0` if other rows have none.
        let whole = cell.strip_suffix(".0").unwrap_or(cell);
        let of_both = || {
            let (name, code) = name_and_code(cell)?;
            country_names::named(&name).and_then(Self::of).or_else(|| of_code(code))
        };
        let is_placeholder = || {
            !cell.chars().any(char::is_alphanumeric)
                || ["n/a", "none", "null", "unknown"].iter().any(|word| cell.eq_ignore_ascii_case(word))
        };
        let other = || if is_placeholder() { default } else { Self::Unreadable };
        country_names::named(cell).and_then(Self::of).or_else(|| of_code(whole)).or_else(of_both).unwrap_or_else(other)
    }
}

/// Splits a country cell with a calling code, such as `Singapore (+65)`, `+65 SG` or `(+65)`, into name and code.
fn name_and_code(cell: &str) -> Option<(String, &str)> {
    let (before, after) = cell.split_once('+')?;
    let end = after.find(|char: char| !char.is_ascii_digit()).unwrap_or(after.len());
    let (code, after) = after.split_at(end);
    let name = format!("{before} {after}");
    Some((name.trim_matches(|char: char| !char.is_alphanumeric()).to_owned(), code))
}

/// Loads the tables that reading a number needs, before the first row waits for them.
pub(super) fn warm_up() {
    let _ = (Plans::shared(), country_names::named(""));
}

/// Reads a number as a program writes it: E.164 with or without its `+`, or a national number of `country`. Also returns its
/// country: that of its calling code, even if no such number is known to exist.
pub fn of_program(text: &str, country: Option<Country>) -> Option<(Msisdn, Country)> {
    if let Some(home) = country.and_then(Home::of)
        && let Ok(number) = read(text, home.coded())
    {
        return Some((number.msisdn, number.country));
    }
    let msisdn: Msisdn = text.trim().parse().ok()?;
    let plans = Plans::shared();
    if let Ok(number) = plans.international(&msisdn.to_string()) {
        return Some((msisdn, number.country));
    }
    let digits = msisdn.get().to_string();
    // No calling code begins with another one.
    let region = (1..=3).find_map(|length| plans.of_calling_code(digits.get(..length)?));
    Some((msisdn, region.and_then(|region| plans.country(region)).unwrap_or(Country::WORLD)))
}

/// An example mobile number of a country.
pub fn example(country: Country) -> Option<Msisdn> {
    Plans::shared().example(country)
}

/// Reads one cell: a number, with or without an extension, or the first of several that exists.
pub(super) fn read(cell: &str, home: Home) -> Result<Number, Reason> {
    let cell = bare(cell);
    match without_list_number(cell).map(|number| one(number, home)) {
        Some(Ok(number)) => return Ok(Number { beside: CellExtras { words: true, ..number.beside }, ..number }),
        // The country is all that is missing; the list number must not be read as a calling code.
        Some(Err(reason @ (Reason::CountryMissing | Reason::TwoReadings))) => return Err(reason),
        Some(Err(_)) | None => {}
    }
    let reason = match one(cell, home) {
        Ok(number) => return Ok(number),
        // A part of the digits is not the number.
        Err(reason @ (Reason::DigitsLost | Reason::TwoReadings)) => return Err(reason),
        Err(reason) => reason,
    };
    // Too few digits for any number.
    if digits(cell) < DIGITS_FOR_SURE {
        return Err(reason);
    }
    match without_extension(cell).map(|cell| one(cell, home)) {
        Some(Ok(number)) => return Ok(Number { beside: CellExtras { extension: true, ..number.beside }, ..number }),
        Some(Err(Reason::TwoReadings)) => return Err(Reason::TwoReadings),
        Some(Err(_)) | None => {}
    }
    let text = without_remarks(cell).ok_or(reason)?;
    let is_listed = reason == Reason::SeveralNumbers;
    let whole = || existing(&Digits::of(&text)?, cell, home);
    // A separate area code belongs to the digits after it.
    if is_listed && text.split(SEPARATORS).next().is_some_and(|first| (1..DIGITS_FOR_SURE).contains(&digits(first))) {
        return whole();
    }
    let pieces = pieces(&text).filter(|piece| *piece != cell);
    let are_whole = || text.split_whitespace().all(|word| !(1..DIGITS_FOR_SURE).contains(&digits(word)));
    let of_words = || {
        let words = text.split_whitespace().map(trimmed);
        (reason == Reason::TooLong && are_whole()).then(|| first_of(words, cell, home)).flatten()
    };
    match first_of(pieces, cell, home).or_else(of_words) {
        Some(number) => Ok(number),
        // It may still be one number, written as a quantity: `6,591,234,567`.
        None if is_listed => whole(),
        None => Err(reason),
    }
}

/// All existing numbers of a cell from which [`read`] takes the first of several.
pub(super) fn all(cell: &str, home: Home) -> Vec<Number> {
    let cell = bare(cell);
    if !read(cell, home).is_ok_and(|number| number.beside.others) {
        return Vec::new();
    }
    let Some(text) = without_remarks(cell) else { return Vec::new() };
    let found: Vec<Number> = pieces(&text).filter(|piece| *piece != cell).filter_map(|it| long(it, home)).collect();
    if found.is_empty() {
        return text.split_whitespace().filter_map(|word| long(trimmed(word), home)).collect();
    }
    found
}

/// Reads a piece of a cell. A part of one number may itself be a number of some country, but a short one.
fn long(piece: &str, home: Home) -> Option<Number> {
    let is_long = digits(piece) >= DIGITS_FOR_SURE;
    let read = || one(piece, home).ok().or_else(|| one(without_extension(piece)?, home).ok());
    is_long.then(read).flatten()
}

/// The first piece that is an existing number, with a note of what the others are.
fn first_of<'a>(pieces: impl Iterator<Item = &'a str> + Clone, cell: &str, home: Home) -> Option<Number> {
    let is_long = |text: &str| digits(text) >= DIGITS_FOR_SURE;
    // A separate calling code belongs to the digits after it.
    if pieces.clone().any(|piece| !is_long(piece) && piece.contains('+')) {
        return None;
    }
    let others = pieces.clone().filter(|piece| is_long(piece)).count() > 1;
    let (piece, number) = pieces.into_iter().find_map(|piece| long(piece, home).map(|number| (piece, number)))?;
    let alphanumerics = |text: &str| text.chars().filter(|char| char.is_alphanumeric()).count();
    let words = !others && alphanumerics(cell) > alphanumerics(piece);
    Some(Number { beside: CellExtras { others, words, ..number.beside }, ..number })
}

/// How the number of a cell is written; `None` if the cell holds more than digits and marks.
pub(super) fn written(cell: &str, number: Msisdn) -> Option<Notation> {
    let digits = Digits::of(bare(cell)).ok()?;
    let (typed, whole) = (&digits.as_str()[1..], number.get().to_string());
    Some(match typed.strip_suffix(whole.as_str()) {
        _ if digits.plus => Notation::International,
        Some("") => Notation::Coded,
        Some(_) => Notation::International,
        None => Notation::National,
    })
}

/// Whether a cell holds the digits of one number, without a `+`.
pub(super) fn is_bare(cell: &str) -> bool {
    Digits::of(bare(cell)).is_ok_and(|digits| !digits.plus)
}

/// Reads one number.
///
/// Without a `+`, and without `00` before it, it is read as a national number of `home` first. If `home` allows it, it is
/// then read as an international number that lost its `+`, as numbers in spreadsheets do.
fn one(cell: &str, home: Home) -> Result<Number, Reason> {
    let digits = Digits::of(cell)?;
    if digits.listed { Err(Reason::SeveralNumbers) } else { existing(&digits, cell, home) }
}

/// Reads the digits of a cell, and refuses them if they are also another number.
fn existing(digits: &Digits, cell: &str, home: Home) -> Result<Number, Reason> {
    let number = first_reading(digits, cell, home)?;
    match readings::other(digits, home.region(), &number) {
        Some(_) => Err(Reason::TwoReadings),
        None => Ok(number),
    }
}

/// Both numbers that a cell can be read as: `None` unless [`read`] refuses it for that.
pub(super) fn both_readings(cell: &str, home: Home) -> Option<[Msisdn; 2]> {
    let cell = bare(cell);
    let both = |cell: &str| {
        let digits = Digits::of(cell).ok()?;
        let number = first_reading(&digits, cell, home).ok()?;
        Some([number.msisdn, readings::other(&digits, home.region(), &number)?.msisdn])
    };
    without_list_number(cell).and_then(both).or_else(|| both(cell)).or_else(|| both(without_extension(cell)?))
}

fn first_reading(digits: &Digits, cell: &str, home: Home) -> Result<Number, Reason> {
    if digits.plus {
        return Plans::shared().international(digits.as_str());
    }
    if is_date(cell) {
        return Err(Reason::NotANumber);
    }
    let region = home.region();
    if let Some(number) = readings::after_international_prefix(digits, region) {
        return Ok(number);
    }
    if readings::is_wrong_after_prefix(digits) {
        return Err(Reason::NotValid);
    }
    let mut not_national = None;
    if let Some(region) = region {
        match readings::at_home(digits, region) {
            Ok(number) => return Ok(number),
            Err(reason) => not_national = Some(reason),
        }
    }
    let begins_with = |zeros| digits.as_str().starts_with(zeros);
    let coded = || Plans::shared().international(digits.as_str()).ok().filter(|_| !begins_with("+0"));
    match home {
        Home::Known(_) if coded().is_some() => Err(Reason::PlusMissing),
        Home::Coded(_) | Home::Any(_) => match coded() {
            Some(number) if number.is_fixed && matches!(home, Home::Coded(_)) => Err(Reason::PlusMissing),
            Some(number) => Ok(Number { beside: CellExtras { foreign: true, ..number.beside }, ..number }),
            None => Err(not_national.unwrap_or(Reason::CountryUnknown)),
        },
        Home::Known(_) => Err(not_national.unwrap_or(Reason::NotValid)),
        Home::Unreadable => Err(Reason::CountryUnknown),
        Home::National => Err(Reason::CountryMissing),
        Home::Missing => {
            let untold = |number: Number| Number { beside: CellExtras { untold: true, ..number.beside }, ..number };
            coded().map(untold).ok_or(Reason::CountryMissing)
        }
    }
}
