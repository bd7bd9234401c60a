//! One interface to all spreadsheet formats: their sheets, and the cells of a sheet in order.

use std::cell::Cell as StdCell;
use std::fs::File;
use std::io::BufReader;
use std::rc::Rc;
use std::sync::Arc;

use calamine::{Data, Range, Reader, SheetType, SheetVisible, Xls, XlsError};

use super::binary::BinaryBook;
use super::cell::push_limited;
use super::counts::SheetCounts;
use super::document::Document;
use super::failed::Failed;
use super::text::{borrowed, write_text};
use super::workbook::Workbook;
use crate::recipients::audience::decode::Tracked;

/// The file format of a spreadsheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::recipients::audience) enum Format {
    Xlsx,
    Xlsb,
    Xls,
    Ods,
}

/// A sheet that can hold recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sheet {
    pub(super) name: String,
    pub(super) is_visible: bool,
}

/// Where a cell is, from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) row: u32,
    pub(super) column: u32,
    /// Its text is over the limit of a cell, and only its beginning was passed on.
    pub(super) is_too_long: bool,
}

pub(super) enum Book {
    Xlsx(Workbook),
    Xlsb(BinaryBook),
    Xls(OldBook),
    Ods(Document),
}

/// A workbook of a format that is read whole.
pub(super) struct OldBook {
    reader: Xls<BufReader<Tracked>>,
    sheets: Vec<Sheet>,
}

/// The least that the shared texts of a book may take, and the most.
const MEMORY: std::ops::RangeInclusive<u64> = 128 << 20..=512 << 20;
/// What they may take for each byte of the file.
const MEMORY_TIMES: u64 = 4;

impl Book {
    /// Opens a book. Also returns the position up to which the file is read.
    pub(super) fn open(format: Format, file: File) -> Result<(Self, Rc<StdCell<u64>>), Failed> {
        let bytes = file.metadata()?.len();
        let memory = bytes.saturating_mul(MEMORY_TIMES).clamp(*MEMORY.start(), *MEMORY.end());
        let memory = usize::try_from(memory).unwrap_or(usize::MAX);
        Ok(match format {
            Format::Xlsx => {
                let (book, at) = Workbook::open(file, memory)?;
                (Self::Xlsx(book), at)
            }
            Format::Xlsb => {
                let (book, at) = BinaryBook::open(file, memory)?;
                (Self::Xlsb(book), at)
            }
            Format::Ods => {
                let (book, at) = Document::open(file)?;
                (Self::Ods(book), at)
            }
            Format::Xls => {
                let (book, at) = OldBook::open(file)?;
                (Self::Xls(book), at)
            }
        })
    }

    /// The worksheets, in order.
    pub(super) fn sheets(&self) -> &[Sheet] {
        match self {
            Self::Xlsx(book) => &book.sheets,
            Self::Xlsb(book) => &book.sheets,
            Self::Xls(book) => &book.sheets,
            Self::Ods(book) => &book.sheets,
        }
    }

    /// The cells of a sheet, by its place among the worksheets.
    pub(super) fn cells(&mut self, sheet: usize, counts: Arc<SheetCounts>) -> Result<Cells<'_>, Failed> {
        Ok(match self {
            Self::Xlsx(book) => {
                let mut cells = book.cells(sheet, counts)?;
                Cells(Box::new(move |text| cells.next(text)))
            }
            Self::Xlsb(book) => {
                let mut cells = book.cells(sheet, counts)?;
                Cells(Box::new(move |text| cells.next(text)))
            }
            Self::Ods(book) => {
                let mut cells = book.cells(sheet, counts)?;
                Cells(Box::new(move |text| cells.next(text)))
            }
            Self::Xls(book) => whole(book.range(sheet)?, counts),
        })
    }
}

/// Appends the text of the next cell and returns its position; `None` at the end.
type NextCell<'a> = dyn FnMut(&mut String) -> Result<Option<Position>, Failed> + 'a;

/// The cells of a sheet, row by row.
pub(super) struct Cells<'a>(Box<NextCell<'a>>);

impl Cells<'_> {
    /// Appends the text of the next cell and returns its position; `None` at the end.
    pub(super) fn next(&mut self, text: &mut String) -> Result<Option<Position>, Failed> {
        (self.0)(text)
    }
}

impl OldBook {
    fn open(file: File) -> Result<(Self, Rc<StdCell<u64>>), Failed> {
        let (file, at) = Tracked::new(file);
        let opened = catch_panic(|| match Xls::new(BufReader::new(file)) {
            Ok(reader) => Ok(reader),
            // A locked XLSX or XLSB file is wrapped in the container of the XLS format.
            Err(XlsError::Password | XlsError::Cfb(_)) => Err(Failed::Locked),
            Err(error) => Err(Failed::Broken(error.into())),
        });
        let reader = opened?;
        let worksheets = reader.sheets_metadata().iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
        let sheets = worksheets
            .map(|sheet| Sheet { name: sheet.name.clone(), is_visible: sheet.visible == SheetVisible::Visible })
            .collect();
        Ok((Self { reader, sheets }, at))
    }

    fn range(&mut self, sheet: usize) -> Result<Range<Data>, Failed> {
        let name = self.sheets.get(sheet).map_or("", |sheet| sheet.name.as_str());
        catch_panic(|| self.reader.worksheet_range(name).map_err(|error| Failed::Broken(error.into())))
    }
}

/// The cells of a sheet that is in memory as a whole.
fn whole(range: Range<Data>, counts: Arc<SheetCounts>) -> Cells<'static> {
    let (row, column) = range.start().unwrap_or_default();
    let (width, height) = (range.width().max(1), range.height());
    let (mut at, mut own) = (0, String::new());
    Cells(Box::new(move |text| {
        while at / width < height {
            let position = (at / width, at % width);
            at += 1;
            if let Some(cell) = range.get(position).filter(|cell| **cell != Data::Empty) {
                own.clear();
                if !write_text(&mut own, &borrowed(cell)) {
                    counts.add_error();
                }
                let is_too_long = push_limited(text, &own, false);
                let far = |from: u32, steps: usize| from.saturating_add(u32::try_from(steps).unwrap_or(u32::MAX));
                let (row, column) = (far(row, position.0), far(column, position.1));
                return Ok(Some(Position { row, column, is_too_long }));
            }
        }
        Ok(None)
    }))
}

thread_local! {
    /// Whether this thread runs a reader whose panics are caught.
    static MAY_PANIC: StdCell<bool> = const { StdCell::new(false) };
}

/// Silences the panics of spreadsheet readers on stderr, because they become errors.
///
/// Call it once; it concerns the whole process. All other panics are reported as before.
pub fn hush_stumbling_readers() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !MAY_PANIC.get() {
            report(panic);
        }
    }));
}

/// Turns a panic of the reader of old workbooks into an error.
///
/// A damaged file can make it panic, for example over an invalid cell reference. The reader is not used after that.
fn catch_panic<T>(read: impl FnOnce() -> Result<T, Failed>) -> Result<T, Failed> {
    MAY_PANIC.set(true);
    let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read));
    MAY_PANIC.set(false);
    read.unwrap_or_else(|_| Err("it holds data that no spreadsheet program writes".into()))
}
