//! Inspects the records of an XLS book to learn how much memory its reader needs.
//!
//! The reader holds the whole book and allocates whatever the book declares. A few damaged bytes can request more memory
//! than there is.

use super::compound::{u16_at, u32_at};

/// The largest file of this format.
pub(super) const FILE_MAX: u64 = 100 << 20;
/// What reading a file of up to 32 MiB may take, and a larger one for each of its bytes.
const MEMORY_MAX: u64 = 240 << 20;
const SMALL_FILE: u64 = 32 << 20;
const MEMORY_TIMES: u64 = 10;
/// What the reader holds of each cell while it collects them, and then of each place in the area of a sheet.
const COLLECTED_BYTES: u64 = 64;
const PLACED_BYTES: u64 = 32;
/// What it holds of each character, in two copies.
const CHARACTER_BYTES: u64 = 6;

/// What a spreadsheet program does not show of a sheet, or shows differently.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Unseen {
    pub(super) hidden_rows: u64,
    /// Merged areas of several rows.
    pub(super) merged: u64,
}

/// Limits of the format.
const ROWS_MAX: u64 = 1 << 16;
const COLUMNS_MAX: u64 = 1 << 8;

const BEGIN: u16 = 0x0809;
const END: u16 = 0x000a;
const CONTINUE: u16 = 0x003c;
const SHEET: u16 = 0x0085;
/// The kind of sheet that holds cells.
const WORKSHEET: u8 = 0;
const TEXTS: u16 = 0x00fc;
const DIMENSIONS: u16 = 0x0200;
const SHARED_TEXT: u16 = 0x00fd;
const ROW: u16 = 0x0208;
const MERGED: u16 = 0x00e5;
const SEVERAL_NUMBERS: u16 = 0x00bd;
/// The text that a formula gives.
const RESULT_TEXT: u16 = 0x0207;
/// Records of one cell: formula, label with runs, number, label, boolean, short number.
const CELLS: [u16; 6] = [0x0006, 0x00d6, 0x0203, 0x0204, 0x0205, 0x027e];

struct Record<'a> {
    kind: u16,
    data: &'a [u8],
    /// The data of the continuation records.
    more: Vec<&'a [u8]>,
}

/// The records of a stream, split as the reader splits it. A broken record ends it.
fn records(mut stream: &[u8]) -> impl Iterator<Item = Record<'_>> {
    std::iter::from_fn(move || {
        let (kind, data, mut rest) = first(stream)?;
        let mut more = Vec::new();
        while let Some((CONTINUE, data, after)) = first(rest) {
            more.push(data);
            rest = after;
        }
        stream = rest;
        Some(Record { kind, data, more })
    })
}

/// The kind and the data of the first record, and the rest of the stream.
fn first(stream: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (head, rest) = stream.split_first_chunk::<4>()?;
    let (data, after) = rest.split_at_checked(usize::from(u16_at(head, 2)))?;
    Some((u16_at(head, 0), data, after))
}

/// Returns what is not shown of each sheet, in order; `None` if reading the book costs too much.
///
/// That is a book that needs too much memory, or one whose sheets share the same records. `file` is the size of its file.
pub(super) fn inspect(book: &[u8], file: u64) -> Option<Vec<Unseen>> {
    let (mut sheets, mut texts) = (Vec::new(), Vec::new());
    for record in records(book).take_while(|record| record.kind != END) {
        match record.kind {
            SHEET if record.data.len() >= 6 => sheets.push((u32_at(record.data, 0), record.data[5])),
            TEXTS => texts = lengths(&record),
            _ => {}
        }
    }
    let memory_max = if file <= SMALL_FILE { MEMORY_MAX } else { file.saturating_mul(MEMORY_TIMES) };
    // The reader holds the file and the stream of the book, which it copies while that grows.
    let mut scan = Scan { left: memory_max.checked_sub(3 * file)?, ..Scan::default() };
    let mut unseen = Vec::new();
    for (at, kind) in sheets {
        let sheet = usize::try_from(at).ok().and_then(|at| book.get(at..)).unwrap_or_default();
        let of_sheet = scan.add_sheet(sheet, &texts)?;
        unseen.extend((kind == WORKSHEET).then_some(of_sheet));
        if scan.bytes > 2 * book.len() as u64 {
            return None;
        }
    }
    Some(unseen)
}

/// Totals of the sheets so far.
#[derive(Default)]
struct Scan {
    /// Memory that the sheets may still take.
    left: u64,
    /// Bytes of records that were walked through.
    bytes: u64,
}

impl Scan {
    /// Adds a sheet; `None` if the total is then too large.
    fn add_sheet(&mut self, sheet: &[u8], texts: &[u16]) -> Option<Unseen> {
        let (mut depth, mut area, mut unseen) = (0_u32, Area::default(), Unseen::default());
        let (mut filled, mut characters) = (0_u64, 0_u64);
        for Record { kind, data, more } in records(sheet) {
            self.bytes += (data.len() + more.iter().map(|more| more.len()).sum::<usize>()) as u64 + 4;
            match kind {
                BEGIN => depth += 1,
                END if depth <= 1 => break,
                END => depth -= 1,
                // A chart within a sheet has cells of its own, which do not count.
                _ if depth > 1 => {}
                DIMENSIONS if !fits(data) => return None,
                SHARED_TEXT if data.len() >= 10 => {
                    area.add(data, 0);
                    let text = usize::try_from(u32_at(data, 6)).ok().and_then(|index| texts.get(index));
                    characters += text.map_or(0, |length| u64::from(*length));
                    filled += 1;
                }
                SEVERAL_NUMBERS => {
                    let more = (data.len().saturating_sub(6) / 6).saturating_sub(1);
                    area.add(data, more);
                    filled += more as u64 + 1;
                }
                // A row without columns holds nothing.
                ROW if data.len() >= 14 && u16_at(data, 2) < u16_at(data, 4) => {
                    unseen.hidden_rows += u64::from(data[12] & 0x20 != 0);
                }
                MERGED => {
                    let areas = data.get(2..).unwrap_or_default().as_chunks::<8>().0.iter();
                    unseen.merged += areas.filter(|area| u16_at(*area, 0) != u16_at(*area, 2)).count() as u64;
                }
                RESULT_TEXT => characters += data.len() as u64,
                _ if CELLS.contains(&kind) => {
                    area.add(data, 0);
                    filled += 1;
                    characters += data.len() as u64;
                }
                _ => {}
            }
        }
        // The cells are collected in a list that grows, then placed in the area, which is copied once.
        let placed = area.cells().saturating_mul(PLACED_BYTES);
        let collected = filled * COLLECTED_BYTES;
        let memory = (collected + collected / 2).max(collected.saturating_add(placed)).max(2 * placed);
        let memory = memory.saturating_add(characters * CHARACTER_BYTES);
        self.left = self.left.checked_sub(memory)?;
        Some(unseen)
    }
}

/// Whether the declared size of a sheet is within the limits of the format.
fn fits(dimensions: &[u8]) -> bool {
    let (first, last) = match dimensions.len() {
        10 => (u32::from(u16_at(dimensions, 0)), u32::from(u16_at(dimensions, 2))),
        14 | 16 => (u32_at(dimensions, 0), u32_at(dimensions, 4)),
        // The reader refuses this record.
        _ => return true,
    };
    let columns = u16_at(dimensions, dimensions.len().min(12) - 2);
    // Both are one past the last; an empty sheet has zero.
    let is_empty = last == 0 || columns == 0;
    is_empty || (first <= last && u64::from(last) <= ROWS_MAX && u64::from(columns) <= COLUMNS_MAX)
}

/// The bounds of the filled cells: top, bottom, left, right.
#[derive(Default)]
struct Area(Option<[u16; 4]>);

impl Area {
    /// Adds a cell and `more` cells to the right of it.
    fn add(&mut self, cell: &[u8], more: usize) {
        let Some((position, _)) = cell.split_first_chunk::<4>() else { return };
        let (row, column) = (u16_at(position, 0), u16_at(position, 2));
        let last = column.saturating_add(u16::try_from(more).unwrap_or(u16::MAX));
        let [top, bottom, left, right] = self.0.unwrap_or([row, row, column, last]);
        self.0 = Some([top.min(row), bottom.max(row), left.min(column), right.max(last)]);
    }

    fn cells(&self) -> u64 {
        self.0.map_or(0, |[top, bottom, left, right]| (u64::from(bottom - top) + 1) * (u64::from(right - left) + 1))
    }
}

/// The length of each shared text, in characters. Cells refer to these texts by index.
fn lengths(record: &Record<'_>) -> Vec<u16> {
    let mut pieces = record.more.iter();
    let mut data = record.data.get(8..).unwrap_or_default();
    let mut lengths = Vec::new();
    // A truncated text ends the table and is not counted.
    let mut one = || {
        while data.is_empty() {
            data = pieces.next()?;
        }
        let (head, rest) = data.split_first_chunk::<3>()?;
        let (length, mut flags) = (u16_at(head, 0), head[2]);
        data = rest;
        // Bytes that follow the text: formatting runs and phonetic data.
        let mut trailing = 0;
        if flags & 8 != 0 {
            let (runs, rest) = data.split_first_chunk::<2>()?;
            (trailing, data) = (4 * usize::from(u16_at(runs, 0)), rest);
        }
        if flags & 4 != 0 {
            let (bytes, rest) = data.split_first_chunk::<4>()?;
            (trailing, data) = (trailing + usize::try_from(u32_at(bytes, 0)).ok()?, rest);
        }
        let mut left = usize::from(length);
        while left > 0 {
            if data.is_empty() {
                // Each continuation states the width of its characters.
                (flags, data) = pieces.next()?.split_first().map(|(flags, rest)| (*flags, rest))?;
            }
            let width = 1 + usize::from(flags & 1);
            let here = left.min(data.len().div_ceil(width));
            data = &data[data.len().min(here * width)..];
            left -= here;
        }
        while trailing > data.len() {
            trailing -= data.len();
            data = pieces.next()?;
        }
        data = &data[trailing..];
        Some(length)
    };
    while let Some(length) = one() {
        lengths.push(length);
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u16, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(data.len()).unwrap();
        [&kind.to_le_bytes(), &length.to_le_bytes(), data].concat()
    }

    fn dimensions(first: u32, last: u32, columns: u16) -> Vec<u8> {
        record(
            DIMENSIONS,
            &[&first.to_le_bytes()[..], &last.to_le_bytes(), &[0, 0], &columns.to_le_bytes(), &[0; 2]].concat(),
        )
    }

    fn at(row: u16, column: u16) -> Vec<u8> {
        [row.to_le_bytes(), column.to_le_bytes()].concat()
    }

    fn number(row: u16, column: u16) -> Vec<u8> {
        record(0x0203, &[at(row, column), vec![0; 10]].concat())
    }

    fn shared(row: u16, text: u32) -> Vec<u8> {
        record(SHARED_TEXT, &[&at(row, 0)[..], &[0; 2], &text.to_le_bytes()].concat())
    }

    /// A book with these shared texts, and with `sheets` sheets that all point to the same records.
    fn book(texts: &[u8], sheets: u32, body: &[u8]) -> Vec<u8> {
        let begin = record(BEGIN, &[0, 6, 5, 0]);
        let head = |at: u32| {
            let one = record(SHEET, &[&at.to_le_bytes()[..], &[0; 8]].concat());
            [&begin[..], texts, &one.repeat(sheets as usize), &record(END, &[])].concat()
        };
        let at = u32::try_from(head(0).len()).unwrap();
        [head(at), begin.clone(), body.to_vec(), record(END, &[])].concat()
    }

    /// What is not shown of a book in a small file.
    fn inspected(book: &[u8]) -> Option<Vec<Unseen>> {
        inspect(book, 0)
    }

    fn heavy(body: &[Vec<u8>]) -> bool {
        inspected(&book(&[], 1, &body.concat())).is_none()
    }

    #[test]
    fn a_sheet_larger_than_the_format_allows_is_refused() {
        assert!(!heavy(&[dimensions(0, 65_536, 256), number(0, 0), number(65_535, 50)]));
        assert!(heavy(&[number(0, 0), number(65_535, 255)]), "the reader holds the whole area");
        assert!(!heavy(&[dimensions(0, 0, 0)]));
        assert!(heavy(&[dimensions(0, 65_537, 1)]));
        assert!(heavy(&[dimensions(0, u32::MAX, 256)]));
        assert!(heavy(&[dimensions(0, 10, 257)]));
        assert!(heavy(&[dimensions(9, 8, 1)]), "it ends before it begins");
        assert!(heavy(&[number(0, 0), number(65_535, 60_000)]));
        let several = |numbers: usize| record(SEVERAL_NUMBERS, &[at(0, 0), vec![0; 6 * numbers + 2]].concat());
        assert!(heavy(&[several(400), number(65_535, 0)]) && !heavy(&[several(40), number(65_535, 0)]));
    }

    #[test]
    fn the_cells_of_a_chart_within_a_sheet_are_skipped() {
        let chart = |end: u16| [record(BEGIN, &[0, 6, 32, 0]), number(65_535, 60_000), record(end, &[])].concat();
        assert!(!heavy(&[number(0, 0), chart(END), number(1, 0)]));
        assert!(heavy(&[chart(END), number(0, 0), number(65_535, 60_000)]));
    }

    #[test]
    fn sheets_that_share_their_records_are_refused() {
        assert!(inspected(&book(&[], 1, &number(0, 0).repeat(1_000))).is_some());
        assert!(inspected(&book(&[], 10, &number(0, 0).repeat(1_000))).is_none());
    }

    #[test]
    fn a_long_shared_text_in_too_many_cells_is_refused() {
        let long = [&[0; 8][..], &40_000_u16.to_le_bytes(), &[0], &[b'x'; 8_000]].concat();
        let next = [&[0][..], &[b'x'; 8_200]].concat();
        // The last piece continues in wide characters; a short text with two runs follows.
        let last =
            [&[1][..], &[0; 2 * 7_400], &2_u16.to_le_bytes(), &[8], &2_u16.to_le_bytes(), b"ab", &[0; 8]].concat();
        let pieces: Vec<u8> = [next.clone(), next.clone(), next, last].map(|more| record(CONTINUE, &more)).concat();
        let texts = [record(TEXTS, &long), pieces].concat();
        let table = records(&texts).next().unwrap();
        assert_eq!(lengths(&table), [40_000, 2]);
        let cells = |text: u32| (0..20_000).flat_map(|row| shared(row, text)).collect::<Vec<u8>>();
        assert!(inspected(&book(&texts, 1, &cells(0))).is_none());
        assert!(inspected(&book(&texts, 1, &cells(1))).is_some());
    }

    #[test]
    fn hidden_rows_are_counted_only_if_they_hold_a_cell() {
        let row =
            |columns: u8, flags: u8| record(ROW, &[&[0, 0, 0, 0, columns, 0][..], &[0; 6], &[flags, 1, 0, 0]].concat());
        let merged = record(MERGED, &[[2, 0, 0, 0, 0, 0, 0, 0, 1, 0], [1, 0, 3, 0, 0, 0, 0, 0, 0, 0]].concat()[..18]);
        let body = [row(3, 0x20), row(0, 0x20), row(3, 0), merged].concat();
        assert_eq!(inspected(&book(&[], 1, &body)).unwrap(), [Unseen { hidden_rows: 1, merged: 1 }]);
    }

    #[test]
    fn a_broken_record_ends_the_inspection() {
        let whole = book(&[], 1, &number(0, 0).repeat(3));
        assert!((0..whole.len()).all(|end| inspected(&whole[..end]).is_some()));
        let text = record(TEXTS, &[&[0; 8][..], &9_u16.to_le_bytes(), &[13, 1, 0, 4, 0, 0, 0], b"abc"].concat());
        assert!(
            (0..text.len()).all(|end| records(&text[..end]).next().is_none_or(|record| lengths(&record).len() < 2))
        );
    }
}
