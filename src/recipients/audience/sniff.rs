//! Recognises the kind of a file by its first bytes.

use std::fs::File;
use std::io::{self, Read, Seek};

use super::charset::utf16_without_mark;

/// The kind of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Empty,
    /// The container of old Office formats, and of new ones with a password.
    OldBook,
    Text,
    /// A web page or XML, which some programs export as a spreadsheet.
    Markup,
    Unknown,
}

pub(super) const SAMPLE_BYTES: u64 = 64 * 1024;

/// Reads the beginning of a file.
pub(super) fn sample(file: &mut File) -> io::Result<Vec<u8>> {
    let mut sample = Vec::new();
    file.rewind()?;
    file.by_ref().take(SAMPLE_BYTES).read_to_end(&mut sample)?;
    Ok(sample)
}

/// The kind of a file, by its beginning.
pub(super) fn kind(sample: &[u8]) -> Kind {
    match sample {
        [] => Kind::Empty,
        [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1, ..] => Kind::OldBook,
        [b'%', b'P', b'D', b'F', b'-', ..] => Kind::Unknown,
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Kind::Text,
        sample if is_wide(sample) => Kind::Text,
        sample if is_markup(sample) => Kind::Markup,
        sample if is_binary(sample) => Kind::Unknown,
        _ => Kind::Text,
    }
}

fn is_markup(sample: &[u8]) -> bool {
    let text = sample.strip_prefix(b"\xef\xbb\xbf").unwrap_or(sample).trim_ascii_start();
    [&b"<!doctype"[..], b"<html", b"<?xml", b"<table", b"<meta", b"<workbook"]
        .iter()
        .any(|tag| text.get(..tag.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(tag)))
}

/// Whether a sample is UTF-16 without a byte order mark; its single bytes would look binary.
fn is_wide(sample: &[u8]) -> bool {
    let Some(encoding) = utf16_without_mark(sample) else { return false };
    let (text, _) = encoding.decode_without_bom_handling(sample);
    let controls = text.chars().filter(|char| char.is_control() && !char.is_whitespace()).count();
    let broken = text.matches('\u{fffd}').count();
    (controls + broken) * 50 <= text.chars().count()
}

/// Whether a sample is binary. Text has hardly any control characters except white space; UTF-16 has a zero in every other
/// byte.
fn is_binary(sample: &[u8]) -> bool {
    let controls = sample.iter().filter(|byte| matches!(byte, 1..=8 | 14..=25 | 28..=31 | 127)).count();
    let zeros = |first: usize| sample.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    // In some characters, such as the Chinese and Japanese blank, the zero is the other byte.
    let is_wide = even * 10 <= odd || odd * 10 <= even;
    controls * 50 > sample.len() || (!is_wide && (even + odd) * 10 > sample.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_give_the_kind() {
        for (sample, expected) in [
            (&b""[..], Kind::Empty),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", Kind::OldBook),
            (b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0", Kind::Unknown),
            (b"%PDF-1.7\n", Kind::Unknown),
            (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0", Kind::Unknown),
            (b"\xef\xbb\xbfMobile", Kind::Text),
            (b"\xff\xfeM\0o\0", Kind::Text),
            (b"M\0o\0b\0i\0l\0e\0", Kind::Text),
            (b"M\0o\0b\0i\0l\0e\0,\0N\0a\0m\0e\0\r\0\n\0\x71\x5c\0\x30\x2a\x59\n\0", Kind::Text),
            (b"Mobile,Name\n+6581234567,A\0nn\n", Kind::Text),
            (b"\n <!DOCTYPE html><table>", Kind::Markup),
            (b"\xef\xbb\xbf<?xml version=\"1.0\"?>", Kind::Markup),
            (b"<3,Mobile", Kind::Text),
        ] {
            assert_eq!(kind(sample), expected, "{sample:?}");
        }
    }
}
