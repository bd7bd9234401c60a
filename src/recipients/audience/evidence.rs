//! Finds the number column, from the names of the columns and their first cells.

use super::Reason;
use super::block::Row;
use super::calling_codes::CallingCodes;
use super::columns::Columns;
use super::names;
use super::number::{self, Home, digits};
use crate::base::domain::Country;

/// The column whose name means phone numbers. A name of which only one word is known counts only if most cells are numbers.
pub(super) fn by_name(names: &[String], evidence: &[Evidence]) -> Option<usize> {
    let known = names.iter().zip(evidence).enumerate().filter_map(|(index, (name, evidence))| {
        let rank = names::called(name).filter(|_| names::is_whole_phone_name(name) || evidence.mostly_numbers())?;
        Some((evidence.valid == 0, rank, index))
    });
    // A column with numbers in its first cells comes before one without; the names decide between equals.
    known.min().map(|(_, _, index)| index)
}

/// The column whose first cells are phone numbers. Cells formatted as phone numbers come before bare digits.
pub(super) fn by_content(names: &[String], evidence: &[Evidence], client_message_id: Option<usize>) -> Option<usize> {
    let likely = evidence
        .iter()
        .enumerate()
        .filter(|(index, evidence)| evidence.mostly_numbers() && Some(*index) != client_message_id);
    let best = likely.max_by_key(|(index, evidence)| {
        let name = &names[*index];
        let (is_suitable, may_be) = (!names::is_other_data(name), names::may_be_number(name));
        let is_formatted = evidence.formatted * 2 >= evidence.valid;
        (is_suitable, may_be, is_formatted, evidence.valid - evidence.fixed, evidence.digits, std::cmp::Reverse(*index))
    });
    best.map(|(index, _)| index)
}

/// Fewest digits of a number, without leading zeros.
const MIN_DIGITS: usize = 4;

/// Counts over the first cells of a column.
#[derive(Default)]
pub(super) struct Evidence {
    pub(super) filled: usize,
    valid: usize,
    /// Of the valid numbers: fixed lines.
    fixed: usize,
    /// Of the valid numbers: with a `+`, a dialling prefix or separators. Ids are not written like that.
    formatted: usize,
    /// Of the valid numbers: with neither a `+` nor a known country.
    bare: usize,
    /// The country of the first bare number, and whether all bare numbers share it.
    first_country: Option<(Country, bool)>,
    /// Numbers that lack only their country.
    country_missing: usize,
    codes: CallingCodes,
    /// Total digits of its numbers: of two number columns, the one with longer numbers is the phone column.
    digits: usize,
}

impl Evidence {
    pub(super) fn of<'a>(columns: &Columns, index: usize, data: impl Iterator<Item = Row<'a>>, default: Home) -> Self {
        let mut evidence = Self::default();
        for row in data {
            let cell = columns.cell(&row, index);
            evidence.filled += usize::from(!cell.trim().is_empty());
            // Short codes padded with zeros would be tried against the plans of all countries, which is slow.
            let is_short =
                || cell.trim_start_matches(|char: char| char == '0' || !char.is_numeric()).len() < MIN_DIGITS;
            if digits(cell) < number::DIGITS_FOR_SURE || is_short() {
                continue;
            }
            let read = number::read(cell, columns.home(&row, default).coded());
            if read != Err(Reason::TwoReadings) {
                evidence.codes.add(cell, read.ok());
            }
            match read {
                Ok(number) => {
                    evidence.valid += 1;
                    evidence.fixed += usize::from(number.is_fixed);
                    evidence.formatted += usize::from(is_formatted(cell));
                    if number.beside.untold {
                        evidence.bare += 1;
                        let (first, is_one) = evidence.first_country.unwrap_or((number.country, true));
                        evidence.first_country = Some((first, is_one && first == number.country));
                    }
                    evidence.digits += digits(cell);
                }
                Err(Reason::TwoReadings) => {
                    evidence.valid += 1;
                    evidence.formatted += usize::from(is_formatted(cell));
                    evidence.digits += digits(cell);
                }
                Err(Reason::CountryMissing) => evidence.country_missing += 1,
                Err(_) => {}
            }
        }
        evidence
    }

    /// Whether at least half of the filled cells are valid numbers.
    pub(super) fn mostly_numbers(&self) -> bool {
        self.valid > 0 && self.valid * 2 >= self.filled
    }

    /// Whether the numbers are national numbers of an unknown country. Some of them may be valid in other countries by chance,
    /// but hardly all in the same one.
    pub(super) fn is_national(&self) -> bool {
        let by_chance = self.country_missing >= self.bare || self.first_country.is_some_and(|(_, is_one)| !is_one);
        self.country_missing > 0 && self.country_missing * 4 >= self.country_missing + self.bare && by_chance
    }

    /// Whether the numbers without a `+` begin with their calling code.
    pub(super) fn is_coded(&self) -> bool {
        self.codes.are_written()
    }

    /// Whether this is another column of phone numbers, besides the chosen one. With a phone name, numbers without a country
    /// count too.
    pub(super) fn are_others(&self, name: &str, is_guess: bool) -> bool {
        if names::called(name).is_some() {
            let numbers = self.valid + self.country_missing;
            return numbers > 0 && numbers * 2 >= self.filled;
        }
        let is_like_phones = is_guess || self.formatted * 2 >= self.valid;
        self.mostly_numbers() && is_like_phones && !names::is_other_data(name)
    }
}

/// Whether a number is formatted as phone numbers are, and other numbers are not.
fn is_formatted(cell: &str) -> bool {
    let cell = cell.trim();
    cell.starts_with(['+', '0', '＋', '(']) || cell.contains([' ', '-', '(', '/'])
}
