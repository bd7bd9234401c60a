//! What stands between the cells of a text.

use super::block::Block;
use super::names;
use super::split::Splitter;
use crate::domain::column_key;

const DELIMITERS: [u8; 4] = *b",;\t|";
const DELIMITER_ROWS: usize = 100;

/// How a text is cut into cells.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) delimiter: u8,
    /// The first line only names the delimiter, `sep=;`, as Excel writes and reads it.
    pub(super) named: bool,
}

/// Splits the beginning of a text with every delimiter: the one wins on whose width most rows agree, and among equals the
/// one that cuts more. Titles above the table and remarks below it agree with nobody, and are outnumbered. Where the first
/// row names a column of numbers, though, it is a header, and what does not cut that name out of it is no delimiter.
pub(super) fn find(sample: &[u8], told: Option<u8>) -> Cut {
    let named = named(sample);
    if let Some(delimiter) = told.or(named) {
        return Cut { delimiter, named: named.is_some() };
    }
    let ways = DELIMITERS.map(|delimiter| Way::of(sample, delimiter));
    let is_header = ways.iter().any(|way| way.cuts_out_a_name);
    let candidates = ways.iter().filter(|way| way.usual > 1 && (!is_header || (way.cuts_out_a_name && way.first > 1)));
    // Of several equals the first: reversed, because `max_by_key` keeps the last.
    let best = candidates.rev().max_by_key(|way| (way.agreement, way.usual));
    Cut { delimiter: best.map_or(b',', |way| way.delimiter), named: false }
}

/// How a text looks if it is cut at one delimiter.
struct Way {
    delimiter: u8,
    /// Cells of the first row, and of most rows.
    first: usize,
    usual: usize,
    /// How many rows of a thousand have as many as most.
    agreement: usize,
    /// A cell of the first row is what people call a column of numbers.
    cuts_out_a_name: bool,
}

impl Way {
    fn of(sample: &[u8], delimiter: u8) -> Self {
        let mut splitter = Splitter::new(sample, delimiter);
        let (mut first, mut rows) = (Block::default(), Block::default());
        // A row that the sample's end cuts off is ragged in every reading, or an open quote: what came before counts.
        let mut more = matches!(splitter.row(&mut first), Ok(true));
        while more && rows.len() < DELIMITER_ROWS {
            more = matches!(splitter.row(&mut rows), Ok(true));
        }
        let widths: Vec<usize> = first.widths().chain(rows.widths()).collect();
        let usual = most_frequent(&widths);
        let agreeing = widths.iter().filter(|width| **width == usual).count();
        let is_name = |cell: &str| names::number_rank(&column_key(cell)).is_some();
        // The sample may end in the middle of a character, but hardly of the first row.
        let cuts_out_a_name =
            first.seal().is_some_and(|rows| rows.iter().next().is_some_and(|row| row.cells().any(is_name)));
        Self {
            delimiter,
            first: widths.first().copied().unwrap_or(0),
            usual,
            agreement: agreeing * 1_000 / widths.len().max(1),
            cuts_out_a_name,
        }
    }
}

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

/// What may be named as one: no quote, nothing that stands in numbers and names.
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
    fn the_delimiter_is_the_one_on_which_the_rows_agree() {
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
        ] {
            assert_eq!(find(sample.as_bytes(), None), Cut { delimiter, named: false }, "{sample:?}");
        }
    }

    #[test]
    fn it_may_be_named_or_told() {
        assert_eq!(find(b"sep=;\r\na,b;c\r\n", None), Cut { delimiter: b';', named: true });
        assert_eq!(find(b"\"sep=;\"\na,b;c\n", None), Cut { delimiter: b';', named: true });
        assert_eq!(find(b"sep=;\na,b;c\n", Some(b',')), Cut { delimiter: b',', named: true });
        assert_eq!(find(b"a;b\n", Some(b'^')), Cut { delimiter: b'^', named: false });
    }
}
