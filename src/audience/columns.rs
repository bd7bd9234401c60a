//! Which column is what.

use super::block::{Row, Rows};
use super::names;
use super::number::{self, Home};
use crate::domain::Country;

/// The columns of a file, in its order, and which of them hold what the import itself needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    names: Vec<String>,
    number: usize,
    country: Option<usize>,
    client_message_id: Option<usize>,
}

/// Why a first row is no header that we can work with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoColumns {
    /// It looks like data.
    NoHeader,
    NoNumber(Vec<String>),
}

impl Columns {
    /// The names, each different, none empty.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The name of the column that holds the numbers.
    pub fn number(&self) -> &str {
        self.names.get(self.number).map_or("", String::as_str)
    }

    /// Those of numbers that come without a file: they stand in one column, and nothing stands in the others.
    pub(super) fn of_numbers(names: Vec<String>, number: &str) -> Self {
        let number = names.iter().position(|name| name == number).unwrap_or(0);
        Self { names, number, country: None, client_message_id: None }
    }

    pub(super) const fn number_place(&self) -> usize {
        self.number
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn number_cell<'a>(&self, row: &Row<'a>) -> &'a str {
        row.cell(self.number)
    }

    pub(super) fn client_message_id<'a>(&self, row: &Row<'a>) -> Option<&'a str> {
        self.client_message_id.map(|index| row.cell(index).trim()).filter(|id| !id.is_empty())
    }

    /// The country of a row's national number.
    pub(super) fn home(&self, row: &Row<'_>, default: Home) -> Home {
        self.country.map_or(default, |index| Home::of_cell(row.cell(index), default))
    }

    /// Reads the header with the help of the first rows behind it.
    pub(super) fn find(header: Row<'_>, head: &Rows, default: Home) -> Result<Self, NoColumns> {
        if looks_like_data(header, default) {
            return Err(NoColumns::NoHeader);
        }
        let names = name_all(header, head);
        let keys: Vec<String> = names.iter().map(|name| names::key(name)).collect();
        let country = keys.iter().enumerate().position(|(index, key)| {
            names::is_country(key) && head.iter().any(|row| row.cell(index).parse::<Country>().is_ok())
        });
        let client_message_id = keys.iter().position(|key| names::is_client_message_id(key));
        let found = Self { names, number: 0, country, client_message_id };
        let evidence: Vec<Evidence> = (0..keys.len()).map(|index| Evidence::of(&found, index, head, default)).collect();

        let by_name = || {
            let known = keys.iter().zip(&evidence).enumerate().filter_map(|(index, (key, evidence))| {
                names::number_rank(key).map(|rank| (evidence.valid == 0, rank, index))
            });
            // A column whose first cells hold no number gives way to one that does; the names decide between equals.
            known.min().map(|(_, _, index)| index)
        };
        let by_content = || {
            let likely = evidence
                .iter()
                .enumerate()
                .filter(|(index, evidence)| evidence.mostly_numbers() && Some(*index) != client_message_id);
            likely
                .max_by_key(|(index, evidence)| {
                    (names::may_be_number(&keys[*index]), evidence.valid, evidence.digits, std::cmp::Reverse(*index))
                })
                .map(|(index, _)| index)
        };
        match by_name().or_else(by_content) {
            Some(number) => Ok(Self { number, ..found }),
            None => Err(NoColumns::NoNumber(found.names)),
        }
    }
}

/// What the first cells of a column say.
struct Evidence {
    filled: usize,
    valid: usize,
    /// How long its numbers are together: between two columns of numbers the longer are the phone numbers.
    digits: usize,
}

impl Evidence {
    fn of(columns: &Columns, index: usize, head: &Rows, default: Home) -> Self {
        let mut evidence = Self { filled: 0, valid: 0, digits: 0 };
        for row in head.iter() {
            let cell = row.cell(index);
            evidence.filled += usize::from(!cell.trim().is_empty());
            if is_number(cell, columns.home(&row, default)) {
                evidence.valid += 1;
                evidence.digits += digits(cell);
            }
        }
        evidence
    }

    fn mostly_numbers(&self) -> bool {
        self.valid > 0 && self.valid * 2 >= self.filled
    }
}

/// A header names things; a row of data has a number in it.
fn looks_like_data(header: Row<'_>, default: Home) -> bool {
    header.cells().all(|cell| names::number_rank(&names::key(cell)).is_none())
        && header.cells().any(|cell| is_number(cell, default))
}

/// A number for sure, where nothing but the content speaks for it: some countries have numbers as short as a year.
fn is_number(cell: &str, home: Home) -> bool {
    digits(cell) >= 7 && number::read(cell, home).is_ok()
}

fn digits(cell: &str) -> usize {
    cell.chars().filter(|char| char.is_numeric()).count()
}

/// Every column's name: as written, and where that says nothing or says it twice, made to differ. Columns behind the
/// last name exist only if they hold something: spreadsheets like to end every line with empty cells.
fn name_all(header: Row<'_>, head: &Rows) -> Vec<String> {
    let named = header.cells().collect::<Vec<_>>();
    let is_used = |index: usize| head.iter().any(|row| !row.cell(index).trim().is_empty());
    let width = (0..named.len()).rev().find(|index| !named[*index].trim().is_empty() || is_used(*index));
    let mut names: Vec<String> = Vec::new();
    let mut taken = std::collections::HashSet::new();
    for (index, name) in named.iter().enumerate().take(width.map_or(0, |last| last + 1)) {
        let name = name.trim().trim_start_matches('\u{feff}');
        let base = if name.is_empty() { format!("Column {}", index + 1) } else { name.to_owned() };
        let mut unique = base.clone();
        let mut times = 1;
        while !taken.insert(unique.clone()) {
            times += 1;
            unique = format!("{base} {times}");
        }
        names.push(unique);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::super::block::Block;
    use super::*;

    fn find(lines: &[&str], country: &str) -> Result<Columns, NoColumns> {
        let rows = |lines: &[&str]| {
            let mut block = Block::default();
            for (index, line) in lines.iter().enumerate() {
                for cell in line.split(',') {
                    block.push(cell.as_bytes());
                    block.end_cell();
                }
                block.end_row(index as u64);
            }
            block.seal().unwrap()
        };
        let default = country.parse().ok().and_then(Home::of).unwrap_or(Home::Missing);
        Columns::find(rows(&lines[..1]).iter().next().unwrap(), &rows(&lines[1..]), default)
    }

    #[test]
    fn a_known_name_wins_and_mobile_wins_over_phone() {
        assert_eq!(find(&["Phone,Name,MOBILE no", "x,y,+6581234567"], "").unwrap().number(), "MOBILE no");
        assert_eq!(find(&["Phone,Mobile", "+6581234567,", "+6581234568,"], "").unwrap().number(), "Phone");
        assert_eq!(find(&["Name,Teléfono", "x,bad"], "").unwrap().number(), "Teléfono");
    }

    #[test]
    fn otherwise_the_content_decides() {
        assert_eq!(find(&["Who,Where,Reach", "Ann,SG,81234567", "Bob,SG,81234568"], "SG").unwrap().number(), "Reach");
        assert_eq!(find(&["Number,Reach", "12,81234567", "14,81234568"], "SG").unwrap().number(), "Reach");
        assert_eq!(find(&["Order,Number", "+6581234567,+6581234567"], "").unwrap().number(), "Number");
    }

    #[test]
    fn ids_and_years_that_could_be_numbers_of_some_country_are_not_taken_for_them() {
        assert_eq!(find(&["Kunde,Kontakt", "302345,030 1234567"], "DE").unwrap().number(), "Kontakt");
        assert_eq!(find(&["Kunde,Ziel", "3023456,030 12345678"], "DE").unwrap().number(), "Ziel");
        assert_eq!(find(&["Handy,302345678", "01512 3456789,x"], "DE").unwrap().number(), "Handy");
    }

    #[test]
    fn the_country_of_the_row_helps_to_find_the_number() {
        let columns = find(&["A,Country,B", "1,SG,81234567", "2,DE,01512 3456789"], "").unwrap();
        assert_eq!((columns.number(), columns.country), ("B", Some(1)));
    }

    #[test]
    fn a_country_column_that_holds_no_codes_is_only_a_field() {
        assert_eq!(find(&["Mobile,Country", "+6581234567,Singapore"], "").unwrap().country, None);
    }

    #[test]
    fn without_a_number_the_columns_are_listed() {
        assert_eq!(find(&["A,B", "x,y"], "SG"), Err(NoColumns::NoNumber(vec!["A".into(), "B".into()])));
        assert_eq!(find(&["81234567,Ann", "81234568,Bob"], "SG"), Err(NoColumns::NoHeader));
    }

    #[test]
    fn names_differ_and_empty_columns_at_the_end_are_none() {
        let columns = find(&["Mobile,Name,,Name,,", "+6581234567,a,b,c,d,"], "").unwrap();
        assert_eq!(columns.names(), ["Mobile", "Name", "Column 3", "Name 2", "Column 5"]);
    }
}
