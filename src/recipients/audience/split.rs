//! Splits text into rows and cells: quotes, delimiters and line ends.
//!
//! Why not a library:
//! - Rejects name lines, and line numbers must be right after CRLF, lone CR, blank lines and quoted line breaks.
//! - An open quote must give an error with its line.
//! - The delimiter is found by splitting a sample with exactly these rules.
//! - Cells go straight into a [`Block`].
//!
//! Rules:
//! - A quote opens a quoted cell only as its first character.
//! - In a quoted cell, `""` is one quote, and delimiters and line ends are text.
//! - Text after the closing quote is appended unchanged.
//! - A row ends with LF, CR or CRLF.

use std::io::{self, Read};

use super::block::Block;
use super::note::RowCount;
use super::number::DIGITS_FOR_SURE;

/// Maximum length of a row, which bounds its memory. No real row reaches it, but an open quote soon does.
pub(super) const MAX_ROW_BYTES: usize = 1 << 20;
const BUFFER_BYTES: usize = 128 * 1024;

#[derive(Debug)]
pub(super) struct Splitter<R> {
    input: R,
    delimiter: u8,
    buffer: Box<[u8]>,
    at: usize,
    filled: usize,
    /// Line of the next byte, from 1.
    line: u64,
    /// Quoted cells that span several lines and contain delimiters.
    pub(super) long_quotes: RowCount,
    /// The last row ended with CR, so an LF that follows belongs to the same line end.
    after_cr: bool,
}

#[derive(Debug)]
pub(super) enum SplitError {
    Io(io::Error),
    OpenQuote { line: u64 },
    TooLong { line: u64 },
}

impl From<io::Error> for SplitError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Tracks whether a line of a quoted cell looks like a row.
#[derive(Default)]
struct QuotedLines {
    is_after_first: bool,
    has_delimiter: bool,
    digits: usize,
    was_like_a_row: bool,
}

impl QuotedLines {
    fn add(&mut self, byte: u8, delimiter: u8) {
        if matches!(byte, b'\n' | b'\r') {
            *self = Self { is_after_first: true, was_like_a_row: self.is_like_a_row(), ..Self::default() };
        } else {
            self.has_delimiter |= byte == delimiter;
            self.digits += usize::from(byte.is_ascii_digit());
        }
    }

    /// Whether a line after the first could be a row: it has a delimiter and a number. An address has only delimiters.
    const fn is_like_a_row(&self) -> bool {
        self.was_like_a_row || (self.is_after_first && self.has_delimiter && self.digits >= DIGITS_FOR_SURE)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    CellStart,
    Plain,
    Quoted,
    /// After a quote in a quoted cell: the end of the cell, or the first half of `""`.
    QuoteSeen,
}

impl<R: Read> Splitter<R> {
    pub(super) fn new(input: R, delimiter: u8) -> Self {
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        Self { input, delimiter, buffer, at: 0, filled: 0, line: 1, long_quotes: RowCount::default(), after_cr: false }
    }

    /// Reads one row into `block`; false at the end of the text. Skips blank rows.
    pub(super) fn row(&mut self, block: &mut Block) -> Result<bool, SplitError> {
        loop {
            if self.after_cr && self.fill_buffer()? {
                self.after_cr = false;
                if self.buffer[self.at] == b'\n' {
                    self.at += 1;
                }
            }
            if !self.fill_buffer()? {
                return Ok(false);
            }
            let line = self.line;
            self.one_row(block, line)?;
            if block.end_row(line) {
                return Ok(true);
            }
        }
    }

    fn one_row(&mut self, block: &mut Block, line: u64) -> Result<(), SplitError> {
        let mut state = State::CellStart;
        let mut quoted_cr = false;
        let (mut opened, mut inside) = (line, QuotedLines::default());
        loop {
            if !self.fill_buffer()? {
                if state == State::Quoted {
                    return Err(SplitError::OpenQuote { line: opened });
                }
                block.end_cell();
                return Ok(());
            }
            let rest = &self.buffer[self.at..self.filled];
            match state {
                State::CellStart if rest[0] == b'"' => {
                    self.at += 1;
                    (opened, inside) = (self.line, QuotedLines::default());
                    state = State::Quoted;
                }
                State::QuoteSeen if rest[0] == b'"' => {
                    block.push(b"\"");
                    self.at += 1;
                    state = State::Quoted;
                }
                State::Quoted => {
                    let close = rest.iter().position(|byte| *byte == b'"');
                    let text = &rest[..close.unwrap_or(rest.len())];
                    for byte in text {
                        // CRLF counts once, with its CR.
                        self.line += u64::from(*byte == b'\r' || (*byte == b'\n' && !quoted_cr));
                        quoted_cr = *byte == b'\r';
                        inside.add(*byte, self.delimiter);
                    }
                    block.push(text);
                    self.at += text.len() + usize::from(close.is_some());
                    if close.is_some() {
                        if inside.is_like_a_row() {
                            self.long_quotes.add(opened);
                            inside = QuotedLines::default();
                        }
                        state = State::QuoteSeen;
                        quoted_cr = false;
                    }
                }
                State::CellStart | State::Plain | State::QuoteSeen => {
                    let delimiter = self.delimiter;
                    let stop = rest.iter().position(|byte| *byte == delimiter || *byte == b'\n' || *byte == b'\r');
                    block.push(&rest[..stop.unwrap_or(rest.len())]);
                    match stop.map(|stop| (stop, rest[stop])) {
                        None => {
                            self.at = self.filled;
                            state = State::Plain;
                        }
                        Some((stop, end)) => {
                            self.at += stop + 1;
                            block.end_cell();
                            state = State::CellStart;
                            if end != delimiter {
                                self.line += 1;
                                self.after_cr = end == b'\r';
                                return Ok(());
                            }
                        }
                    }
                }
            }
            if block.open_memory() > MAX_ROW_BYTES {
                let quoted = state == State::Quoted;
                return Err(if quoted { SplitError::OpenQuote { line: opened } } else { SplitError::TooLong { line } });
            }
        }
    }

    /// Reads more input if the buffer is used up. Returns false at the end of the input.
    fn fill_buffer(&mut self) -> io::Result<bool> {
        while self.at == self.filled {
            match self.input.read(&mut self.buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    self.at = 0;
                    self.filled = count;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of `text` with their lines, read in small pieces that split tokens.
    fn rows(text: &str) -> Vec<(u64, Vec<String>)> {
        let whole = split(text, usize::MAX);
        for piece in 1..4 {
            assert_eq!(split(text, piece), whole, "in pieces of {piece}");
        }
        whole
    }

    fn split(text: &str, piece: usize) -> Vec<(u64, Vec<String>)> {
        struct Pieces<'a>(&'a [u8], usize);
        impl Read for Pieces<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let size = buffer.len().min(self.1);
                self.0.read(&mut buffer[..size])
            }
        }
        let mut splitter = Splitter::new(Pieces(text.as_bytes(), piece), b',');
        let mut block = Block::default();
        while splitter.row(&mut block).unwrap() {}
        block.seal().unwrap().iter().map(|row| (row.line, row.cells().map(str::to_owned).collect())).collect()
    }

    fn row(line: u64, cells: &[&str]) -> (u64, Vec<String>) {
        (line, cells.iter().map(|cell| (*cell).to_owned()).collect())
    }

    #[test]
    fn line_numbers_are_right_after_every_line_end_and_blank_line() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "1,2", "", " ", "3,\"x", "y\"", "5,6"].join(end);
            let quoted = format!("x{end}y");
            let expected = vec![row(1, &["a", "b"]), row(2, &["1", "2"]), row(5, &["3", &quoted]), row(7, &["5", "6"])];
            assert_eq!(rows(&text), expected, "{end:?}");
        }
    }

    #[test]
    fn quoted_cells_contain_delimiters_line_ends_and_quotes() {
        assert_eq!(rows("\"a,\"\"b\"\"\",\"c\"d,e\"f\"\n"), vec![row(1, &["a,\"b\"", "cd", "e\"f\""])]);
        assert_eq!(rows("\"\",\"x\""), vec![row(1, &["", "x"])]);
    }

    #[test]
    fn rows_may_differ_in_width_and_lack_the_last_line_end() {
        assert_eq!(rows("a\n1,2,3\n,x"), vec![row(1, &["a"]), row(2, &["1", "2", "3"]), row(3, &["", "x"])]);
        assert_eq!(rows("a,\n"), vec![row(1, &["a", ""])]);
    }

    #[test]
    fn rows_of_blank_cells_are_skipped() {
        assert_eq!(rows(",,\n\n,\" \",\nx\n"), vec![row(4, &["x"])]);
    }

    #[test]
    fn an_open_quote_is_an_error_with_its_line() {
        let endless = format!("a\nb\n\"c{}", "x\n".repeat(MAX_ROW_BYTES));
        for text in ["a\nb\n\"c,d\ne,f\n", "a\nb,\"c\nd\",\"e\nf\n", &endless] {
            let mut splitter = Splitter::new(text.as_bytes(), b',');
            let mut block = Block::default();
            let error = loop {
                match splitter.row(&mut block) {
                    Ok(more) => assert!(more),
                    Err(error) => break error,
                }
            };
            assert!(matches!(error, SplitError::OpenQuote { line: 3 }), "{error:?}");
        }
    }

    #[test]
    fn a_row_over_the_limit_is_an_error() {
        let endless = ",".repeat(MAX_ROW_BYTES + 2);
        let mut splitter = Splitter::new(endless.as_bytes(), b',');
        assert!(matches!(splitter.row(&mut Block::default()), Err(SplitError::TooLong { line: 1 })));
    }
}
