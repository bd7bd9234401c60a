//! What names and first cells say of which column holds the numbers.

use super::Reason;
use super::block::Row;
use super::codes::Codes;
use super::columns::Columns;
use super::names;
use super::number::{self, Home, digits};
use crate::domain::Country;

/// The column whose name says that it holds numbers; a name that says so with one of its words only where they are there.
pub(super) fn by_name(names: &[String], evidence: &[Evidence]) -> Option<usize> {
    let known = names.iter().zip(evidence).enumerate().filter_map(|(index, (name, evidence))| {
        let rank = names::called(name).filter(|_| names::is_known(name) || evidence.mostly_numbers())?;
        Some((evidence.valid == 0, rank, index))
    });
    // A column whose first cells hold no number gives way to one that does; the names decide between equals.
    known.min().map(|(_, _, index)| index)
}

/// The column whose first cells say so: what is written as people write phone numbers rather than what could be one.
pub(super) fn by_content(names: &[String], evidence: &[Evidence], client_message_id: Option<usize>) -> Option<usize> {
    let likely = evidence
        .iter()
        .enumerate()
        .filter(|(index, evidence)| evidence.mostly_numbers() && Some(*index) != client_message_id);
    let best = likely.max_by_key(|(index, evidence)| {
        let name = &names[*index];
        let (is_apt, may_be) = (!names::speaks_against(name), names::may_be_number(name));
        let is_dressed = evidence.dressed * 2 >= evidence.valid;
        (is_apt, may_be, is_dressed, evidence.valid - evidence.fixed, evidence.digits, std::cmp::Reverse(*index))
    });
    best.map(|(index, _)| index)
}

/// What no number is shorter than, without the noughts before it.
const SHORTEST: usize = 4;

/// What the first cells of a column say.
#[derive(Default)]
pub(super) struct Evidence {
    pub(super) filled: usize,
    valid: usize,
    /// Of these, fixed lines.
    fixed: usize,
    /// Of these, with a plus, a digit before them that one dials, or marks within: nobody writes an id so.
    dressed: usize,
    /// Of these, with neither plus nor country.
    untold: usize,
    /// Of which country the first of those would be, and whether all of them would.
    whose: Option<(Country, bool)>,
    /// Numbers that lack nothing but a country.
    homeless: usize,
    codes: Codes,
    /// How long its numbers are together: between two columns of numbers the longer are the phone numbers.
    digits: usize,
}

impl Evidence {
    pub(super) fn of<'a>(columns: &Columns, index: usize, data: impl Iterator<Item = Row<'a>>, default: Home) -> Self {
        let mut evidence = Self::default();
        for row in data {
            let cell = columns.cell(&row, index);
            evidence.filled += usize::from(!cell.trim().is_empty());
            // Codes that are filled up with noughts would have the plans of all countries looked through.
            let is_short = || cell.trim_start_matches(|char: char| char == '0' || !char.is_numeric()).len() < SHORTEST;
            if digits(cell) < number::DIGITS_FOR_SURE || is_short() {
                continue;
            }
            let read = number::read(cell, columns.home(&row, default).coded());
            evidence.codes.look_at(cell, read.ok());
            match read {
                Ok(number) => {
                    evidence.valid += 1;
                    evidence.fixed += usize::from(number.is_fixed);
                    evidence.dressed += usize::from(is_dressed(cell));
                    if number.beside.untold {
                        evidence.untold += 1;
                        let (first, is_one) = evidence.whose.unwrap_or((number.country, true));
                        evidence.whose = Some((first, is_one && first == number.country));
                    }
                    evidence.digits += digits(cell);
                }
                Err(Reason::CountryMissing) => evidence.homeless += 1,
                Err(_) => {}
            }
        }
        evidence
    }

    pub(super) fn mostly_numbers(&self) -> bool {
        self.valid > 0 && self.valid * 2 >= self.filled
    }

    /// Whether they are numbers of a country that nobody has said: some of those could be of others by chance, but hardly
    /// all of one.
    pub(super) fn is_national(&self) -> bool {
        let by_chance = self.homeless >= self.untold || self.whose.is_some_and(|(_, is_one)| !is_one);
        self.homeless > 0 && self.homeless * 4 >= self.homeless + self.untold && by_chance
    }

    /// Whether those without a `+` begin with their calling code.
    pub(super) fn is_coded(&self) -> bool {
        self.codes.are_written()
    }

    /// Whether they are numbers of phones as well, beside those of the column that was taken, and not of something else
    /// that could be one. A name that says so is enough where they lack nothing but a country.
    pub(super) fn are_others(&self, name: &str, is_guess: bool) -> bool {
        if names::called(name).is_some() {
            let numbers = self.valid + self.homeless;
            return numbers > 0 && numbers * 2 >= self.filled;
        }
        let is_like_phones = is_guess || self.dressed * 2 >= self.valid;
        self.mostly_numbers() && is_like_phones && !names::speaks_against(name)
    }
}

/// Whether a number is written as people write phone numbers, and programs no other ones.
fn is_dressed(cell: &str) -> bool {
    let cell = cell.trim();
    cell.starts_with(['+', '0', '＋', '(']) || cell.contains([' ', '-', '(', '/'])
}
