//! One interface to all spreadsheet formats: their sheets, and the cells of a sheet in order.

use std::cell::Cell as StdCell;
use std::fs::File;
use std::io::BufReader;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use calamine::{
    Cell, CellErrorType, Data, DataRef, Ods, OdsError, Range, Reader, Sheet, SheetType, Xls, XlsError, Xlsb, Xlsx,
    XlsxError,
};

use super::text::{borrowed, is_error, write_text};
use crate::audience::decode::Tracked;
use crate::audience::error::BoxError;

type Input = BufReader<Tracked>;

/// The file format of a spreadsheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::audience) enum Format {
    Xlsx,
    Xlsb,
    Xls,
    Ods,
}

impl Format {
    /// The size limit of a format that can only be read whole, which takes about ten times the memory.
    pub(super) const fn bytes_max(self) -> Option<u64> {
        match self {
            Self::Xlsx | Self::Xlsb => None,
            Self::Xls => Some(100 << 20),
            // This format is compressed.
            Self::Ods => Some(20 << 20),
        }
    }
}

pub(super) enum Book {
    Xlsx(Xlsx<Input>),
    Xlsb(Xlsb<Input>),
    Xls(Xls<Input>),
    Ods(Ods<Input>),
}

/// Why a book cannot be opened.
pub(super) enum OpenError {
    Locked,
    Broken(BoxError),
}

impl Book {
    pub(super) fn open(format: Format, file: File) -> Result<(Self, Rc<StdCell<u64>>), OpenError> {
        let (file, at) = Tracked::new(file);
        let input = BufReader::new(file);
        let mut locked = false;
        let book = catch_panic(|| {
            match format {
                Format::Xlsx => Xlsx::new(input).map(Self::Xlsx).map_err(|error| {
                    locked = matches!(error, XlsxError::Password);
                    BoxError::from(error)
                }),
                Format::Xlsb => Xlsb::new(input).map(Self::Xlsb).map_err(BoxError::from),
                Format::Xls => Xls::new(input).map(Self::Xls).map_err(|error| {
                    // A locked XLSX or XLSB file is wrapped in the container of the XLS format.
                    locked = matches!(&error, XlsError::Password | XlsError::Cfb(_));
                    BoxError::from(error)
                }),
                Format::Ods => Ods::new(input).map(Self::Ods).map_err(|error| {
                    locked = matches!(error, OdsError::Password);
                    BoxError::from(error)
                }),
            }
        });
        match book {
            Ok(book) => Ok((book, at)),
            Err(_) if locked => Err(OpenError::Locked),
            Err(error) => Err(OpenError::Broken(error)),
        }
    }

    /// The worksheets, in order.
    pub(super) fn sheets(&self) -> Vec<Sheet> {
        let all = match self {
            Self::Xlsx(book) => book.sheets_metadata(),
            Self::Xlsb(book) => book.sheets_metadata(),
            Self::Xls(book) => book.sheets_metadata(),
            Self::Ods(book) => book.sheets_metadata(),
        };
        all.iter().filter(|sheet| sheet.typ == SheetType::WorkSheet).cloned().collect()
    }

    /// The cells of a sheet; `None` if it is a chart or a macro sheet.
    pub(super) fn cells(&mut self, sheet: &str, errors: Errors) -> Result<Option<Cells<'_>>, BoxError> {
        catch_panic(|| match self {
            Self::Xlsx(book) => match book.worksheet_cells_reader(sheet) {
                Ok(mut cells) => Ok(Some(Cells(Box::new(move |text| Ok(written(cells.next_cell()?, text, &errors)))))),
                Err(XlsxError::NotAWorksheet(_)) => Ok(None),
                Err(error) => Err(error.into()),
            },
            Self::Xlsb(book) => {
                let mut cells = book.worksheet_cells_reader(sheet)?;
                Ok(Some(Cells(Box::new(move |text| Ok(written(cells.next_cell()?, text, &errors))))))
            }
            Self::Xls(book) => Ok(Some(whole(book.worksheet_range(sheet)?, errors, |_| false))),
            // The reader of this format does not report errors: it returns the text that is shown.
            Self::Ods(book) => Ok(Some(whole(book.worksheet_range(sheet)?, errors, is_error))),
        })
    }
}

/// The number of cells that hold an error instead of a value.
pub(in crate::audience) type Errors = Arc<AtomicU64>;

/// The cells of a sheet, row by row.
pub(super) struct Cells<'a>(Box<dyn FnMut(&mut String) -> Next + 'a>);

type Next = Result<Option<(u32, u32)>, BoxError>;

impl Cells<'_> {
    /// Appends the text of the next cell and returns its row and column; `None` at the end.
    pub(super) fn next(&mut self, text: &mut String) -> Next {
        catch_panic(|| (self.0)(text))
    }
}

fn written(cell: Option<Cell<DataRef<'_>>>, text: &mut String, errors: &Errors) -> Option<(u32, u32)> {
    cell.map(|cell| {
        write(text, cell.get_value(), errors);
        cell.get_position()
    })
}

fn write(text: &mut String, value: &DataRef<'_>, errors: &Errors) {
    if !write_text(text, value) {
        errors.fetch_add(1, Ordering::Relaxed);
    }
}

/// The cells of a sheet that is in memory as a whole. A text for which `is_error` is true counts as an error.
fn whole(range: Range<Data>, errors: Errors, is_error: fn(&str) -> bool) -> Cells<'static> {
    let (row, column) = range.start().unwrap_or_default();
    let (width, height) = (range.width().max(1), range.height());
    let mut at = 0;
    Cells(Box::new(move |text| {
        while at / width < height {
            let position = (at / width, at % width);
            at += 1;
            if let Some(cell) = range.get(position).filter(|cell| **cell != Data::Empty) {
                let cell = match cell {
                    Data::String(shown) if is_error(shown) => DataRef::Error(CellErrorType::Value),
                    cell => borrowed(cell),
                };
                write(text, &cell, &errors);
                let far = |from: u32, steps: usize| from.saturating_add(u32::try_from(steps).unwrap_or(u32::MAX));
                return Ok(Some((far(row, position.0), far(column, position.1))));
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

/// Turns a panic of the reader into an error.
///
/// A damaged file can make a reader panic, for example over an invalid cell reference. The reader is not used after that.
fn catch_panic<T>(read: impl FnOnce() -> Result<T, BoxError>) -> Result<T, BoxError> {
    MAY_PANIC.set(true);
    let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read));
    MAY_PANIC.set(false);
    read.unwrap_or_else(|_| Err("it holds data that no spreadsheet program writes".into()))
}
