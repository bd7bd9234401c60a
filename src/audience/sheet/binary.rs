//! Counts the hidden rows and the merged areas of several rows in an XLSB sheet, beside the reader of its cells.

use std::io::{self, BufReader, Read};

use encoding_rs::UTF_16LE;

use super::Unseen;
use super::compound::u32_at;

const SHEET: u16 = 0x9c;
const ROW: u16 = 0;
const MERGED: u16 = 0xb0;
/// The most bytes read of each record; the rest is skipped.
const RECORD_BYTES: u64 = 4 * 1024;

/// The relation id of the part that holds a sheet.
pub(super) fn relation(book: &mut dyn Read, sheet: &str) -> io::Result<Option<String>> {
    let mut found = None;
    records(book, &mut |kind, data| {
        if kind == SHEET
            && let Some((id, rest)) = data.get(8..).and_then(text)
            && text(rest).is_some_and(|(name, _)| name == sheet)
        {
            found = Some(id);
        }
        found.is_none()
    })?;
    Ok(found)
}

pub(super) fn unseen(sheet: &mut dyn Read) -> io::Result<Unseen> {
    let mut unseen = Unseen::default();
    records(sheet, &mut |kind, data| {
        match kind {
            ROW => unseen.hidden_rows += u64::from(data.get(11).is_some_and(|flags| flags & 0x10 != 0)),
            MERGED if data.len() >= 8 => unseen.merged += u64::from(u32_at(data, 0) != u32_at(data, 4)),
            _ => {}
        }
        true
    })?;
    Ok(unseen)
}

/// Reads a text with its length before it. Returns it and the rest of the data.
fn text(data: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = data.split_first_chunk()?;
    let bytes = usize::try_from(u32::from_le_bytes(*length)).ok()?.checked_mul(2)?;
    let (text, rest) = rest.split_at_checked(bytes)?;
    let (text, _) = UTF_16LE.decode_without_bom_handling(text);
    Some((text.into_owned(), rest))
}

/// Calls `visit` with the kind and the data of each record, until it returns false.
fn records(part: &mut dyn Read, visit: &mut dyn FnMut(u16, &[u8]) -> bool) -> io::Result<()> {
    let mut part = BufReader::new(part);
    let mut data = Vec::new();
    while let Some(kind) = number(&mut part, 2)? {
        let length = number(&mut part, 4)?.unwrap_or(0);
        data.clear();
        let read = (&mut part).take(length.min(RECORD_BYTES)).read_to_end(&mut data)?;
        io::copy(&mut (&mut part).take(length - read as u64), &mut io::sink())?;
        if !visit(u16::try_from(kind).unwrap_or(u16::MAX), &data) {
            break;
        }
    }
    Ok(())
}

/// Reads a number of at most `bytes` bytes, with seven bits in each; `None` at the end of the part.
fn number(part: &mut dyn Read, bytes: u32) -> io::Result<Option<u64>> {
    let mut number = 0;
    for index in 0..bytes {
        let mut byte = [0];
        if part.read(&mut byte)? == 0 {
            return Ok(None);
        }
        number |= u64::from(byte[0] & 0x7f) << (7 * index);
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    Ok(Some(number))
}
