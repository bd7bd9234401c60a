//! People's spellings of phone numbers to E.164.
//!
//! A cell is taken apart here and in `spelling`; which numbers exist is known to `plans`.

#[cfg(test)]
mod agreement;
mod cell;
mod dialling;
mod plans;
mod rules;
mod spelling;
#[cfg(test)]
mod tests;

pub(super) use cell::{DIGITS_FOR_SURE, digits, is_date};
use cell::{LISTING, behind_place, pieces, trimmed, without_extension, without_remarks};
use plans::{Plans, Region};
use spelling::{Digits, bare};

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
    /// Words and marks, which say nothing about it.
    pub(super) words: bool,
    /// Nothing: neither a `+`, nor a country that somebody has told. Its first digits were taken for a calling code.
    pub(super) untold: bool,
    /// Its country is told, and it is another country's number, by a calling code without a `+`.
    pub(super) foreign: bool,
}

/// How a cell says of which country its number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// With a `+`, or with the digits that people dial to get out of their country.
    International,
    /// With a calling code, and nothing before it.
    Coded,
    /// Not at all.
    National,
}

/// Of which country a national number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// A number without `+` is of this country. One that is not would be a stranger's: mostly it lacks a digit.
    Known(Region),
    /// The column's numbers have their calling codes: what is not of this country, where it is known, may be of another. Not
    /// a fixed line: no message goes there, but what lost a digit often is one.
    Coded(Option<Region>),
    /// The same of a list of opt-outs or exclusions: whatever may be a number is one.
    Any(Option<Region>),
    /// Nothing says.
    Missing,
    /// Nothing says, and most numbers of the file lack their country: none of them is taken for an international one.
    National,
    /// Something says, in words we cannot read.
    Unreadable,
}

impl Home {
    /// None for a country that has no phone numbers.
    pub(super) fn of(country: Country) -> Option<Self> {
        let country = if country.is_known() { country } else { country_names::named(country.as_str())? };
        Plans::shared().region(country).map(Self::Known)
    }

    /// The same, where numbers have their calling codes.
    pub(super) fn coded(self) -> Self {
        match self {
            Self::Known(region) => Self::Coded(Some(region)),
            Self::Unreadable => Self::Coded(None),
            Self::Coded(_) | Self::Any(_) | Self::Missing | Self::National => self,
        }
    }

    /// The same, of a list of opt-outs or exclusions.
    pub(super) fn any(self) -> Self {
        match self.coded() {
            Self::Coded(region) => Self::Any(region),
            other => other,
        }
    }

    /// What a row's country cell says; `default` where it says nothing.
    pub(super) fn of_cell(cell: &str, default: Self) -> Self {
        let cell = cell.trim();
        if cell.is_empty() {
            return default;
        }
        let of_code = |code: &str| Plans::shared().of_calling_code(code).map(Self::Known);
        // What spreadsheets make of a code where other rows have none.
        let whole = cell.strip_suffix(".0").unwrap_or(cell);
        let of_both = || {
            let (beside, code) = beside_code(cell)?;
            country_names::named(&beside).and_then(Self::of).or_else(|| of_code(code))
        };
        // What people write where they know none.
        let says_nothing = || {
            !cell.chars().any(char::is_alphanumeric)
                || ["n/a", "none", "null", "unknown"].iter().any(|word| cell.eq_ignore_ascii_case(word))
        };
        let untold = || if says_nothing() { default } else { Self::Unreadable };
        country_names::named(cell).and_then(Self::of).or_else(|| of_code(whole)).or_else(of_both).unwrap_or_else(untold)
    }
}

/// `Singapore (+65)`, `+65 SG`, `(+65)`: what stands beside a calling code, and the code.
fn beside_code(cell: &str) -> Option<(String, &str)> {
    let (before, behind) = cell.split_once('+')?;
    let end = behind.find(|char: char| !char.is_ascii_digit()).unwrap_or(behind.len());
    let (code, behind) = behind.split_at(end);
    let beside = format!("{before} {behind}");
    Some((beside.trim_matches(|char: char| !char.is_alphanumeric()).to_owned(), code))
}

/// Has ready what every reading of a number needs, while nobody waits for it yet.
pub(super) fn warm_up() {
    let _ = (Plans::shared(), country_names::named(""));
}

/// A mobile number that exists in a country.
pub fn example(country: Country) -> Option<Msisdn> {
    Plans::shared().example(country)
}

/// Reads one cell: a number, with an extension or without, or the first of several that exists.
pub(super) fn read(cell: &str, home: Home) -> Result<Number, Reason> {
    let cell = bare(cell);
    match behind_place(cell).map(|number| one(number, home)) {
        Some(Ok(number)) => return Ok(Number { beside: Beside { words: true, ..number.beside }, ..number }),
        // The place in the list is no calling code, which is all that is missing.
        Some(Err(Reason::CountryMissing)) => return Err(Reason::CountryMissing),
        Some(Err(_)) | None => {}
    }
    let reason = match one(cell, home) {
        Ok(number) => return Ok(number),
        // What is left of the digits is nobody's number.
        Err(Reason::DigitsLost) => return Err(Reason::DigitsLost),
        Err(reason) => reason,
    };
    // Too few digits for any number.
    if digits(cell) < DIGITS_FOR_SURE {
        return Err(reason);
    }
    if let Some(number) = without_extension(cell).and_then(|cell| one(cell, home).ok()) {
        return Ok(Number { beside: Beside { extension: true, ..number.beside }, ..number });
    }
    let said = without_remarks(cell).ok_or(reason)?;
    let is_listed = reason == Reason::SeveralNumbers;
    let whole = || existing(&Digits::of(&said)?, cell, home);
    // An area code of its own belongs to what is behind it.
    if is_listed && said.split(LISTING).next().is_some_and(|first| (1..DIGITS_FOR_SURE).contains(&digits(first))) {
        return whole();
    }
    let pieces = pieces(&said).filter(|piece| *piece != cell);
    let are_whole = || said.split_whitespace().all(|word| !(1..DIGITS_FOR_SURE).contains(&digits(word)));
    let of_words = || {
        let words = said.split_whitespace().map(trimmed);
        (reason == Reason::TooLong && are_whole()).then(|| first_of(words, cell, home)).flatten()
    };
    match first_of(pieces, cell, home).or_else(of_words) {
        Some(number) => Ok(number),
        // It may be one number after all, written as a quantity: `6,591,234,567`.
        None if is_listed => whole(),
        None => Err(reason),
    }
}

/// The first of several pieces, each without what surrounds it, that is a number which exists, and what the others are.
fn first_of<'a>(pieces: impl Iterator<Item = &'a str> + Clone, cell: &str, home: Home) -> Option<Number> {
    // Parts of one number may be numbers somewhere as well, but short ones.
    let is_long = |text: &str| digits(text) >= DIGITS_FOR_SURE;
    // What is behind a calling code of its own is no number without it.
    if pieces.clone().any(|piece| !is_long(piece) && piece.contains('+')) {
        return None;
    }
    let mut long = pieces.filter(|piece| is_long(piece));
    let others = long.clone().count() > 1;
    let (piece, number) = long.find_map(|piece| {
        let number = one(piece, home).ok().or_else(|| one(without_extension(piece)?, home).ok());
        number.map(|number| (piece, number))
    })?;
    let said = |text: &str| text.chars().filter(|char| char.is_alphanumeric()).count();
    let words = !others && said(cell) > said(piece);
    Some(Number { beside: Beside { others, words, ..number.beside }, ..number })
}

/// How the number of a cell is written. None where more stands there than one number.
pub(super) fn written(cell: &str, number: Msisdn) -> Option<Written> {
    let digits = Digits::of(bare(cell)).ok()?;
    let (typed, whole) = (&digits.as_str()[1..], number.get().to_string());
    Some(match typed.strip_suffix(whole.as_str()) {
        _ if digits.plus => Written::International,
        Some("") => Written::Coded,
        Some(_) => Written::International,
        None => Written::National,
    })
}

/// Whether a cell holds the digits of one number, without a `+`.
pub(super) fn is_bare(cell: &str) -> bool {
    Digits::of(bare(cell)).is_ok_and(|digits| !digits.plus)
}

/// Reads one number. Without `+` it is tried as a national number of `home` first, then as an international one whose `+`
/// was lost, as spreadsheets lose it, where `home` lets it be one.
fn one(cell: &str, home: Home) -> Result<Number, Reason> {
    let digits = Digits::of(cell)?;
    if digits.listed { Err(Reason::SeveralNumbers) } else { existing(&digits, cell, home) }
}

fn existing(digits: &Digits, cell: &str, home: Home) -> Result<Number, Reason> {
    if digits.plus {
        return Plans::shared().international(digits.as_str());
    }
    if is_date(cell) {
        return Err(Reason::NotANumber);
    }
    let region = match home {
        Home::Known(region) => Some(region),
        Home::Coded(region) | Home::Any(region) => region,
        Home::Missing | Home::National | Home::Unreadable => None,
    };
    let no_such = match region.map(|region| existing_at_home(digits, region)) {
        Some(Ok(number)) => return Ok(number),
        Some(Err(reason)) => Some(reason),
        None => None,
    };
    // Behind what the country itself dials: `0011` leads out of Australia, and not to America.
    if let Some(number) = behind_way_out(digits, region) {
        return Ok(number);
    }
    let begins_with = |zeros| digits.as_str().starts_with(zeros);
    let coded = || Plans::shared().international(digits.as_str()).ok().filter(|_| !begins_with("+0"));
    match home {
        Home::Known(_) if coded().is_some() => Err(Reason::PlusMissing),
        Home::Coded(_) | Home::Any(_) => match coded() {
            Some(number) if number.is_fixed && matches!(home, Home::Coded(_)) => Err(Reason::PlusMissing),
            Some(number) => Ok(Number { beside: Beside { foreign: true, ..number.beside }, ..number }),
            None => Err(no_such.unwrap_or(Reason::CountryUnknown)),
        },
        Home::Known(_) => Err(no_such.unwrap_or(Reason::NotValid)),
        Home::Unreadable => Err(Reason::CountryUnknown),
        Home::Missing | Home::National if begins_with("+00") => Err(Reason::NotValid),
        Home::National => Err(Reason::CountryMissing),
        Home::Missing => {
            let untold = |number: Number| Number { beside: Beside { untold: true, ..number.beside }, ..number };
            coded().map(untold).ok_or(Reason::CountryMissing)
        }
    }
}

/// A number as people dial it in its own country, or with its calling code.
fn existing_at_home(digits: &Digits, region: Region) -> Result<Number, Reason> {
    let number = Plans::shared().national(&digits.as_str()[1..], region)?;
    if !number.is_fixed {
        return Ok(number);
    }
    // Some numbers with their country's code are fixed lines without it: people mean the mobile.
    let international = Plans::shared().international(digits.as_str()).ok();
    let is_mobile = |other: &Number| !other.is_fixed && other.country == number.country;
    Ok(international.filter(is_mobile).unwrap_or(number))
}

/// A number behind the way out of most countries, or out of America. Where a country is told, the latter may be an area: it
/// is Buenos Aires.
fn behind_way_out(digits: &Digits, region: Option<Region>) -> Option<Number> {
    let ways_out: &[&str] = if region.is_some() { &["+00"] } else { &["+00", "+011"] };
    let rests = ways_out.iter().filter_map(|way_out| digits.as_str().strip_prefix(way_out));
    rests.map(Digits::from_ascii).find_map(|rest| Plans::shared().international(rest.as_str()).ok())
}
