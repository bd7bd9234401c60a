//! What a file is: by its first bytes, then by all of them.

use std::fs::File;
use std::io::{self, Read, Seek};

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::block::Block;
use super::split::Splitter;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Empty,
    Zip,
    /// The container of the old Office formats, and of new ones with a password.
    OldSpreadsheet,
    Text(Text),
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) encoding: &'static Encoding,
    /// How many bytes of byte order mark come first.
    pub(super) mark: u64,
}

pub(super) const SAMPLE_BYTES: u64 = 64 * 1024;

pub(super) fn kind(file: &mut File) -> io::Result<Kind> {
    let mut sample = Vec::new();
    file.rewind()?;
    file.by_ref().take(SAMPLE_BYTES).read_to_end(&mut sample)?;
    let text = |encoding, mark| Kind::Text(Text { encoding, mark });
    Ok(match sample.as_slice() {
        [] => Kind::Empty,
        [b'P', b'K', 3 | 5 | 7, 4 | 6 | 8, ..] => Kind::Zip,
        [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ..] => Kind::OldSpreadsheet,
        [b'%', b'P', b'D', b'F', b'-', ..] => Kind::Unknown,
        [0xef, 0xbb, 0xbf, ..] if is_utf8(file)? => text(UTF_8, 3),
        // Marked as UTF-8 by a program that then appended something else; the mark is a mark all the same.
        [0xef, 0xbb, 0xbf, ..] => text(WINDOWS_1252, 3),
        [0xff, 0xfe, ..] => text(UTF_16LE, 2),
        [0xfe, 0xff, ..] => text(UTF_16BE, 2),
        sample if sample.contains(&0) => match utf16_without_mark(sample) {
            Some(encoding) => text(encoding, 0),
            None => Kind::Unknown,
        },
        _ if is_utf8(file)? => text(UTF_8, 0),
        _ => text(WINDOWS_1252, 0),
    })
}

/// Most of what recipient files hold is ASCII, whose other byte is zero in UTF-16: always the same one of two.
fn utf16_without_mark(sample: &[u8]) -> Option<&'static Encoding> {
    let zeros = |first: usize| sample.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let pairs = sample.len() / 2;
    match (zeros(0), zeros(1)) {
        (0, low) if low * 2 > pairs => Some(UTF_16LE),
        (high, 0) if high * 2 > pairs => Some(UTF_16BE),
        _ => None,
    }
}

/// Whether the whole file is UTF-8: one look at every byte before the first row, since a byte near the end can
/// decide how the first row is read.
fn is_utf8(file: &mut File) -> io::Result<bool> {
    file.rewind()?;
    let mut buffer = vec![0; 256 * 1024];
    let mut kept = 0;
    loop {
        let count = match file.read(&mut buffer[kept..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        let filled = kept + count;
        match std::str::from_utf8(&buffer[..filled]) {
            Ok(_) => kept = 0,
            // A character that the buffer's end has cut in two is judged with its rest.
            Err(error) if error.error_len().is_none() && count > 0 => {
                buffer.copy_within(error.valid_up_to()..filled, 0);
                kept = filled - error.valid_up_to();
            }
            Err(_) => return Ok(false),
        }
        if count == 0 {
            return Ok(true);
        }
    }
}

const DELIMITERS: [u8; 4] = *b",;\t|";
const DELIMITER_ROWS: usize = 50;

/// How the text is cut into cells.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) delimiter: u8,
    /// The first line only names the delimiter, `sep=;`, as Excel writes and reads it.
    pub(super) named: bool,
}

/// Splits the sample with every delimiter; the one whose rows agree most about their width wins, and among equals the
/// one that cuts more. A delimiter that the header does not contain is none, since every column has its name there.
pub(super) fn cut(sample: &[u8]) -> Cut {
    if let Some(delimiter) = named_delimiter(sample) {
        return Cut { delimiter, named: true };
    }
    let candidates = DELIMITERS.iter().filter_map(|delimiter| {
        let widths = widths(sample, *delimiter);
        let header = *widths.first()?;
        let usual = most_frequent(&widths);
        let agreeing = widths.iter().filter(|width| **width == usual).count();
        (header > 1).then_some(((agreeing * 1_000 / widths.len(), usual), *delimiter))
    });
    // Of several equals the first: reversed, because `max_by_key` keeps the last.
    let best = candidates.rev().max_by_key(|(score, _)| *score);
    let delimiter = best.map_or(b',', |(_, delimiter)| delimiter);
    Cut { delimiter, named: false }
}

fn named_delimiter(sample: &[u8]) -> Option<u8> {
    let line = sample.split(|byte| matches!(byte, b'\n' | b'\r')).next()?;
    match line {
        [name @ .., b'=', delimiter] if name.eq_ignore_ascii_case(b"sep") && is_delimiter(*delimiter) => {
            Some(*delimiter)
        }
        _ => None,
    }
}

/// What may be named as one: no quote, nothing that stands in numbers and names.
const fn is_delimiter(byte: u8) -> bool {
    byte == b'\t' || (byte.is_ascii_graphic() && !byte.is_ascii_alphanumeric() && byte != b'"' && byte != b'+')
}

fn widths(sample: &[u8], delimiter: u8) -> Vec<usize> {
    let mut splitter = Splitter::new(sample, delimiter);
    let mut block = Block::default();
    // A row that the sample's end cuts off is ragged in every reading, or an open quote: what came before counts.
    while block.len() < DELIMITER_ROWS && matches!(splitter.row(&mut block), Ok(true)) {}
    block.widths().collect()
}

fn most_frequent(widths: &[usize]) -> usize {
    let mut sorted = widths.to_vec();
    sorted.sort_unstable();
    sorted.chunk_by(|a, b| a == b).max_by_key(|same| same.len()).map_or(0, |same| same[0])
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn kind_of(bytes: &[u8]) -> Kind {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        kind(&mut file).unwrap()
    }

    fn text(encoding: &'static Encoding, mark: u64) -> Kind {
        Kind::Text(Text { encoding, mark })
    }

    #[test]
    fn the_first_bytes_tell_the_kind() {
        assert_eq!(kind_of(b""), Kind::Empty);
        assert_eq!(kind_of(b"PK\x03\x04rest"), Kind::Zip);
        assert_eq!(kind_of(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest"), Kind::OldSpreadsheet);
        assert_eq!(kind_of(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"), Kind::Unknown);
        assert_eq!(kind_of(b"\xef\xbb\xbfMobile"), text(UTF_8, 3));
        assert_eq!(kind_of(b"\xef\xbb\xbfMobile\xe9"), text(WINDOWS_1252, 3));
        assert_eq!(kind_of(b"\xff\xfeM\0o\0"), text(UTF_16LE, 2));
        assert_eq!(kind_of(b"\xfe\xff\0M\0o"), text(UTF_16BE, 2));
        assert_eq!(kind_of(b"M\0o\0b\0"), text(UTF_16LE, 0));
        assert_eq!(kind_of(b"\0M\0o\0b"), text(UTF_16BE, 0));
        assert_eq!(kind_of("Zoë".as_bytes()), text(UTF_8, 0));
        assert_eq!(kind_of(b"Zo\xeb,1"), text(WINDOWS_1252, 0));
    }

    #[test]
    fn one_byte_at_the_very_end_decides_the_encoding_and_buffers_cut_no_character() {
        for shift in 0..4 {
            let mut bytes = vec![b'a'; shift];
            bytes.extend("é€😀".repeat(70_000).bytes());
            assert_eq!(kind_of(&bytes), text(UTF_8, 0), "shifted by {shift}");
            bytes.push(0xe9);
            assert_eq!(kind_of(&bytes), text(WINDOWS_1252, 0), "shifted by {shift}");
        }
    }

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
        ] {
            assert_eq!(cut(sample.as_bytes()), Cut { delimiter, named: false }, "{sample:?}");
        }
        assert_eq!(cut(b"sep=;\r\na,b;c\r\n"), Cut { delimiter: b';', named: true });
    }
}
