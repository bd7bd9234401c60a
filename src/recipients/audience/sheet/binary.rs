//! Reads an XLSB workbook (MS-XLSB): its sheets, its shared texts, and the cells of a sheet as they come.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::rc::Rc;
use std::sync::Arc;

use calamine::DataRef;
use encoding_rs::UTF_16LE;

use super::book::{Position, Sheet};
use super::cell::{CHARACTERS_MAX, SharedTexts, push_limited};
use super::compound::{u16_at, u32_at};
use super::counts::SheetCounts;
use super::failed::Failed;
use super::formats::Formats;
use super::package::{Budget, Package, Part, Relation};
use super::text::write_text;

const BOOK: &str = "xl/workbook.bin";

const ROW: u16 = 0;
const SHORT_NUMBER: u16 = 2;
const NUMBER: u16 = 5;
const TEXT: u16 = 6;
const SHARED_TEXT: u16 = 7;
/// Formulas with their results: a text, a number.
const TEXT_RESULT: u16 = 8;
const NUMBER_RESULT: u16 = 9;
const TRUTHS: [u16; 2] = [4, 10];
const ERRORS: [u16; 2] = [3, 11];
const SHARED: u16 = 0x13;
const FORMAT: u16 = 0x2c;
const STYLE: u16 = 0x2f;
const END_OF_CELLS: u16 = 0x92;
const PROPERTIES: u16 = 0x99;
const SHEET: u16 = 0x9c;
const MERGED: u16 = 0xb0;
const STYLES_OF_CELLS: u16 = 0x269;
const END_OF_STYLES: u16 = 0x26a;

/// The most bytes read of each record; the rest is skipped. The longest text of a cell fits.
const RECORD_BYTES: u64 = 2 * CHARACTERS_MAX as u64 + 1_024;

/// An open workbook.
pub(super) struct BinaryBook {
    package: Package,
    pub(super) sheets: Vec<Sheet>,
    /// The part of each sheet.
    parts: Vec<String>,
    texts: SharedTexts,
    formats: Formats,
}

impl BinaryBook {
    pub(super) fn open(file: File, memory: usize) -> Result<(Self, Rc<Cell<u64>>), Failed> {
        let (mut package, at) = Package::open(file)?;
        let mut budget = Budget::new();
        let relations = package.relations(BOOK, &mut budget)?;
        let mut formats = Formats::default();
        let (sheets, parts) = read_sheets(package.known_part(BOOK)?, &relations, &mut formats, &mut budget)?;
        if let Some(styles) = package.part("xl/styles.bin")? {
            read_styles(styles, &mut formats, &mut budget)?;
        }
        let mut texts = SharedTexts::new(memory);
        if let Some(shared) = package.part("xl/sharedStrings.bin")? {
            read_texts(shared, &mut texts)?;
        }
        Ok((Self { package, sheets, parts, texts, formats }, at))
    }

    /// The cells of a sheet, by its place among the sheets.
    pub(super) fn cells(&mut self, sheet: usize, counts: Arc<SheetCounts>) -> Result<BinaryCells<'_>, Failed> {
        let part = self.package.known_part(self.parts.get(sheet).map_or("", String::as_str))?;
        let records = Records::new(part);
        Ok(BinaryCells { records, texts: &self.texts, formats: &self.formats, counts, row: 0 })
    }
}

fn read_sheets(
    book: Part<'_>,
    relations: &[Relation],
    formats: &mut Formats,
    budget: &mut Budget,
) -> Result<(Vec<Sheet>, Vec<String>), Failed> {
    let (mut sheets, mut parts): (Vec<Sheet>, Vec<String>) = Default::default();
    let mut records = Records::new(book);
    while let Some(record) = records.next()? {
        match record.kind {
            PROPERTIES => formats.counts_from_1904 = record.data.first().is_some_and(|flags| flags & 1 != 0),
            SHEET => {
                let [state, ..] = record.from::<8>(0)?;
                let (id, after) = record.text(8)?;
                let (name, _) = record.text(after)?;
                let relation = relations.iter().find(|of| of.id == id.text).ok_or("a sheet has no part")?;
                let is_worksheet = relation.kind == "worksheet" || relation.target.contains("worksheets/");
                // Sheets that share a part are no sheets of a spreadsheet program.
                if is_worksheet && !parts.contains(&relation.target) {
                    budget.spend(name.text.len() + relation.target.len())?;
                    sheets.push(Sheet { name: name.text, is_visible: state == 0 });
                    parts.push(relation.target.clone());
                }
            }
            _ => {}
        }
    }
    Ok((sheets, parts))
}

fn read_styles(styles: Part<'_>, formats: &mut Formats, budget: &mut Budget) -> Result<(), Failed> {
    let mut are_of_cells = false;
    let mut records = Records::new(styles);
    while let Some(record) = records.next()? {
        match record.kind {
            FORMAT => formats.add_own(u32::from(u16_at(&record.from::<2>(0)?, 0)), &record.text(2)?.0.text, budget)?,
            STYLES_OF_CELLS => are_of_cells = true,
            END_OF_STYLES => are_of_cells = false,
            STYLE if are_of_cells => formats.add_style(u32::from(u16_at(&record.from::<2>(2)?, 0)), budget)?,
            _ => {}
        }
    }
    Ok(())
}

fn read_texts(shared: Part<'_>, texts: &mut SharedTexts) -> Result<(), Failed> {
    let mut records = Records::new(shared);
    while let Some(record) = records.next()? {
        if record.kind == SHARED {
            let (text, _) = record.text(1)?;
            if !texts.add(|shared| push_limited(shared, &text.text, text.is_cut)) {
                return Err(Failed::TooHeavy);
            }
        }
    }
    Ok(())
}

/// The cells of a sheet.
pub(super) struct BinaryCells<'a> {
    records: Records<Part<'a>>,
    texts: &'a SharedTexts,
    formats: &'a Formats,
    counts: Arc<SheetCounts>,
    row: u32,
}

impl BinaryCells<'_> {
    /// Appends the text of the next cell and returns its position; `None` after the last.
    pub(super) fn next(&mut self, text: &mut String) -> Result<Option<Position>, Failed> {
        loop {
            let Some(record) = self.records.next()? else { return Err("a sheet has no end".into()) };
            let mut is_too_long = false;
            match record.kind {
                ROW => {
                    self.row = u32::from_le_bytes(record.from(0)?);
                    let is_hidden = record.data.get(11).is_some_and(|flags| flags & 0x10 != 0);
                    self.counts.add_hidden_rows(u64::from(is_hidden));
                    continue;
                }
                END_OF_CELLS => {
                    self.find_merged();
                    return Ok(None);
                }
                SHORT_NUMBER => write_number(text, self.formats, &record, short_number(record.from(8)?))?,
                NUMBER | NUMBER_RESULT => {
                    write_number(text, self.formats, &record, f64::from_le_bytes(record.from(8)?))?;
                }
                TEXT | TEXT_RESULT => {
                    let (own, _) = record.text(8)?;
                    is_too_long = push_limited(text, &own.text, own.is_cut);
                }
                SHARED_TEXT => {
                    let at = usize::try_from(u32::from_le_bytes(record.from(8)?)).unwrap_or(usize::MAX);
                    let (shared, is_shared_too_long) =
                        self.texts.get(at).ok_or("a cell names a text that does not exist")?;
                    text.push_str(shared);
                    is_too_long = is_shared_too_long;
                }
                kind if TRUTHS.contains(&kind) => {
                    let [truth] = record.from(8)?;
                    write_text(text, &DataRef::Bool(truth != 0));
                }
                kind if ERRORS.contains(&kind) => self.counts.add_error(),
                _ => continue,
            }
            let column = u32::from_le_bytes(record.from(0)?);
            return Ok(Some(Position { row: self.row, column, is_too_long }));
        }
    }

    /// Counts the merged areas of several rows, which follow the cells. What cannot be read there has none.
    fn find_merged(&mut self) {
        while let Ok(Some(record)) = self.records.next() {
            if record.kind == MERGED && record.data.len() >= 8 {
                self.counts.add_merged(u64::from(u32_at(record.data, 0) != u32_at(record.data, 4)));
            }
        }
    }
}

/// Writes a number in the format of its cell.
fn write_number(text: &mut String, formats: &Formats, record: &Record<'_>, number: f64) -> Result<(), Failed> {
    let style = u32::from_le_bytes(record.from(4)?) & 0x00ff_ffff;
    let format = formats.of_style(usize::try_from(style).unwrap_or(usize::MAX));
    write_text(text, &formats.value(number, format));
    Ok(())
}

/// A number in 30 bits: a whole one or the upper part of a longer one, and perhaps in hundredths.
fn short_number(bytes: [u8; 4]) -> f64 {
    let bits = u32::from_le_bytes(bytes);
    let number = if bits & 2 != 0 {
        f64::from(i32::from_le_bytes(bytes) >> 2)
    } else {
        f64::from_bits(u64::from(bits & !3) << 32)
    };
    if bits & 1 != 0 { number / 100.0 } else { number }
}

/// The records of a part.
struct Records<R> {
    part: BufReader<R>,
    data: Vec<u8>,
}

/// A record: its kind, and the first bytes of its data.
struct Record<'a> {
    kind: u16,
    data: &'a [u8],
    /// Its whole length.
    length: u64,
}

/// A text of a record.
struct RecordText {
    text: String,
    /// Only its beginning was read.
    is_cut: bool,
}

impl<R: Read> Records<R> {
    fn new(part: R) -> Self {
        Self { part: BufReader::with_capacity(64 * 1024, part), data: Vec::new() }
    }

    fn next(&mut self) -> io::Result<Option<Record<'_>>> {
        let Some(kind) = number(&mut self.part, 2)? else { return Ok(None) };
        let length = number(&mut self.part, 4)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.data.clear();
        let read = (&mut self.part).take(length.min(RECORD_BYTES)).read_to_end(&mut self.data)? as u64;
        let skipped = io::copy(&mut (&mut self.part).take(length - read), &mut io::sink())?;
        if read + skipped < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some(Record { kind: u16::try_from(kind).unwrap_or(u16::MAX), data: &self.data, length }))
    }
}

impl Record<'_> {
    /// The bytes at a place.
    fn from<const N: usize>(&self, at: usize) -> Result<[u8; N], Failed> {
        let bytes = self.data.get(at..).and_then(|data| data.first_chunk());
        bytes.copied().ok_or_else(|| "a record is too short".into())
    }

    /// The text at a place, with its length before it. Also returns the place after it.
    fn text(&self, at: usize) -> Result<(RecordText, usize), Failed> {
        let length = usize::try_from(u32::from_le_bytes(self.from(at)?)).unwrap_or(usize::MAX);
        let start = at + 4;
        let end = length.checked_mul(2).and_then(|bytes| start.checked_add(bytes)).ok_or("a text is too long")?;
        if end as u64 > self.length {
            return Err("a text is longer than its record".into());
        }
        let bytes = &self.data[start..end.min(self.data.len())];
        let (text, _) = UTF_16LE.decode_without_bom_handling(bytes);
        Ok((RecordText { text: text.into_owned(), is_cut: end > self.data.len() }, end))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_numbers_are_read_in_each_form() {
        let whole = |number: i32| ((number << 2) | 2).to_le_bytes();
        let upper = |number: f64| u32::try_from(number.to_bits() >> 32).unwrap() & !3;
        assert_eq!([whole(7), whole(-7)].map(short_number), [7.0, -7.0]);
        assert_eq!(short_number(((1_234 << 2) | 3_i32).to_le_bytes()), 12.34);
        assert_eq!([upper(1.5), upper(150.0) | 1].map(|bits| short_number(bits.to_le_bytes())), [1.5, 1.5]);
    }

    #[test]
    fn a_record_of_any_length_takes_little_memory() {
        let long = [0x86_u8, 0x01, 0xff, 0xff, 0xff, 0x7f];
        let part = long.chain(io::repeat(b'x').take((1 << 28) - 1)).chain(&[0x92_u8, 0x01, 0][..]);
        let mut records = Records::new(part);
        let record = records.next().unwrap().unwrap();
        let kept = usize::try_from(RECORD_BYTES).unwrap();
        assert_eq!((record.kind, record.length, record.data.len()), (0x86, (1 << 28) - 1, kept));
        assert_eq!(records.next().unwrap().unwrap().kind, END_OF_CELLS);
        assert!(records.next().unwrap().is_none());
        assert!(records.data.capacity() < 2 * kept);
    }
}
