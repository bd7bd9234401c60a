//! Finds the delimiter between the cells of a text.

use super::block::{Block, Row};
use super::names;
use super::number::{DIGITS_FOR_SURE, is_date};
use super::split::Splitter;

const DELIMITERS: [u8; 4] = *b",;\t|";
const DELIMITER_ROWS: usize = 100;

/// How a text is split into cells.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) delimiter: u8,
    /// The first line only names the delimiter, `sep=;`, as Excel writes and reads it.
    pub(super) named: bool,
}

/// Finds the delimiter. Splits the beginning of a text with every candidate and compares the results:
///
/// 1. A candidate that isolates phone numbers wins.
/// 2. Otherwise the one wins whose row width most rows share; among equals, the one with more columns.
///
/// Titles above the table and remarks below it are not split, but they are few. If one of the first rows names a
/// number column, it is a header, and only a candidate that isolates that name counts.
pub(super) fn find(sample: &[u8], stated: Option<u8>) -> Cut {
    let named = named(sample);
    if let Some(delimiter) = stated.or(named) {
        return Cut { delimiter, named: named.is_some() };
    }
    let all = DELIMITERS.map(|delimiter| Candidate::of(sample, delimiter));
    let is_header = all.iter().any(|it| it.header_width > 0);
    let candidates = all
        .iter()
        .filter(|it| it.usual_width > 1 && it.agreement >= AGREEMENT_MIN && (!is_header || it.header_width > 1));
    // The first of several equals: reversed, because `max_by_key` keeps the last.
    let best = candidates.rev().max_by_key(|it| (it.isolates_numbers, it.agreement, it.usual_width));
    Cut { delimiter: best.map_or(b',', |it| it.delimiter), named: false }
}

/// Rows in a thousand that must share a width. A rarer character is punctuation within cells.
const AGREEMENT_MIN: usize = 300;
/// Number of rows that are searched for a header.
const HEADER_ROWS: usize = 20;

/// The result of splitting a text at one delimiter.
struct Candidate {
    delimiter: u8,
    /// The most frequent number of cells, among rows with at least two.
    usual_width: usize,
    /// Rows in a thousand that have that many cells.
    agreement: usize,
    /// Number of cells in the first row that names a number column; 0 if there is none.
    header_width: usize,
    /// At least half of the rows have a cell with only a phone number.
    isolates_numbers: bool,
}

impl Candidate {
    fn of(sample: &[u8], delimiter: u8) -> Self {
        let mut splitter = Splitter::new(sample, delimiter);
        let mut rows = Block::default();
        // The last row of the sample may be incomplete, or end in an open quote; only the rows before it count.
        while rows.len() < DELIMITER_ROWS && matches!(splitter.row(&mut rows), Ok(true)) {}
        let widths: Vec<usize> = rows.widths().collect();
        let cut: Vec<usize> = widths.iter().copied().filter(|width| *width > 1).collect();
        let usual = most_frequent(&cut);
        let agreeing = widths.iter().filter(|width| **width == usual).count();
        // If the sample ends within a character, the block has no readable cells for any candidate.
        let rows = rows.seal().unwrap_or_default();
        let is_name = |row: &Row<'_>| row.cells().any(|cell| names::called(cell).is_some());
        let named = rows.iter().take(HEADER_ROWS).find(is_name);
        let with_number = rows.iter().filter(|row| row.width() > 1 && row.cells().any(is_number)).count();
        let is_first_cut = widths.first().is_some_and(|width| *width > 1);
        Self {
            delimiter,
            usual_width: usual,
            agreement: agreeing * 1_000 / widths.len().max(1),
            header_width: named.map_or(0, |row| row.width()),
            isolates_numbers: is_first_cut && with_number > 0 && with_number * 2 >= widths.len(),
        }
    }
}

/// Whether a cell holds only a phone number, perhaps after a word. Dates and quantities do not count.
fn is_number(cell: &str) -> bool {
    let cell = cell.trim_start_matches(|char: char| char.is_alphabetic() || ":' ".contains(char)).trim_end();
    let digits = cell.bytes().filter(u8::is_ascii_digit).count();
    let is_quantity = cell.matches('.').count() == 1 && !cell.contains([' ', '-', '(', '/']) && !cell.starts_with('+');
    digits >= DIGITS_FOR_SURE
        && cell.bytes().all(|byte| byte.is_ascii_digit() || b" +-.()/".contains(&byte))
        && !is_date(cell)
        && !is_quantity
}

/// The delimiter that a first line `sep=;` names.
fn named(sample: &[u8]) -> Option<u8> {
    let line = sample.split(|byte| matches!(byte, b'\n' | b'\r')).next()?;
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match line {
        [name @ .., b'=', delimiter] if name.eq_ignore_ascii_case(b"sep") && is_delimiter(*delimiter) => {
            Some(*delimiter)
        }
        _ => None,
    }
}

/// Whether a byte may be a delimiter: not a quote, a `+`, a letter or a digit.
pub(super) const fn is_delimiter(byte: u8) -> bool {
    byte == b'\t' || (byte.is_ascii_graphic() && !byte.is_ascii_alphanumeric() && byte != b'"' && byte != b'+')
}

fn most_frequent(widths: &[usize]) -> usize {
    let mut sorted = widths.to_vec();
    sorted.sort_unstable();
    sorted.chunk_by(|a, b| a == b).max_by_key(|same| same.len()).map_or(0, |same| same[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_gives_numbers_and_rows_of_equal_width() {
        for (sample, delimiter) in [
            ("a,b\n1,2\n", b','),
            ("Name;Price;City\nA;1,50;x\nB;2,50;y, z\n", b';'),
            ("a\tb\n1,5\t2\n", b'\t'),
            ("a|b|c\n1;2|x|y\n", b'|'),
            ("a,b\n\"x;y;z\",2\n\"1;2\n;;\",2", b','),
            ("Mobile\n81234567\n", b','),
            ("Mobile\n1;2\n3;4\n", b','),
            ("Customers, as of May, June\n\nMobile;Name\n1;a\n2;b\n3;c\n", b';'),
            ("Who,Mobile\nA,+6581234567\n\"B;\",\";;\"\n;C,;;;\n;;D,\n", b','),
            ("+6581234567;Ann\n+6581234568;Bob\n", b';'),
            ("+436641234500;12,5\n+436641234501;13,5\n", b';'),
            ("0171 1234500;1,50;2,50;0,00\n0171 1234501;1,50;2,50;0,00\n", b';'),
            (
                "name,reach,visits\nA,tel:+6581234567,2024-11-20;2024-11-21\nB,tel:+6581234568,2024-11-20;2024-11-21\n",
                b',',
            ),
            ("Kunde;Kontakt;Pos\nA;+49 171 2345678 priv;52.520008,13.404954\n", b';'),
            ("Who;Reach\nA;+6581234567,+6591234567\nB;+6581234568,+6591234567\n", b';'),
            ("A\nB\nC\nD\nName;Handy\nx;0171 1\ny;0172 1\n", b';'),
            ("81234567\n81234568\n81234569\n81234561;81234562\n81234563\n", b','),
        ] {
            assert_eq!(find(sample.as_bytes(), None), Cut { delimiter, named: false }, "{sample:?}");
        }
    }

    #[test]
    fn a_delimiter_may_be_named_in_the_file_or_stated() {
        assert_eq!(find(b"sep=;\r\na,b;c\r\n", None), Cut { delimiter: b';', named: true });
        assert_eq!(find(b"\"sep=;\"\na,b;c\n", None), Cut { delimiter: b';', named: true });
        assert_eq!(find(b"sep=;\na,b;c\n", Some(b',')), Cut { delimiter: b',', named: true });
        assert_eq!(find(b"a;b\n", Some(b'^')), Cut { delimiter: b'^', named: false });
    }
}
