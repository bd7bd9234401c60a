//! Spreadsheets of every kind, behind one face: their sheets, and the cells of one of them in order.

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

/// What kind of file a spreadsheet is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::audience) enum Format {
    Xlsx,
    Xlsb,
    Xls,
    Ods,
}

impl Format {
    /// The most bytes of a file whose format can only be read as a whole: it takes some ten times as much memory.
    pub(super) const fn bytes_max(self) -> Option<u64> {
        match self {
            Self::Xlsx | Self::Xlsb => None,
            Self::Xls => Some(100 << 20),
            // Packed.
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
pub(super) enum Unopened {
    Locked,
    Broken(BoxError),
}

impl Book {
    pub(super) fn open(format: Format, file: File) -> Result<(Self, Rc<StdCell<u64>>), Unopened> {
        let (file, at) = Tracked::new(file);
        let input = BufReader::new(file);
        let mut locked = false;
        let book = unbroken(|| {
            match format {
                Format::Xlsx => Xlsx::new(input).map(Self::Xlsx).map_err(|error| {
                    locked = matches!(error, XlsxError::Password);
                    BoxError::from(error)
                }),
                Format::Xlsb => Xlsb::new(input).map(Self::Xlsb).map_err(BoxError::from),
                Format::Xls => Xls::new(input).map(Self::Xls).map_err(|error| {
                    // A new format that is locked is kept in the container of the old one.
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
            Err(_) if locked => Err(Unopened::Locked),
            Err(error) => Err(Unopened::Broken(error)),
        }
    }

    /// Its sheets of cells, in order.
    pub(super) fn sheets(&self) -> Vec<Sheet> {
        let all = match self {
            Self::Xlsx(book) => book.sheets_metadata(),
            Self::Xlsb(book) => book.sheets_metadata(),
            Self::Xls(book) => book.sheets_metadata(),
            Self::Ods(book) => book.sheets_metadata(),
        };
        all.iter().filter(|sheet| sheet.typ == SheetType::WorkSheet).cloned().collect()
    }

    /// The cells of a sheet; nothing where it turns out to be none, as charts and macros do.
    pub(super) fn cells(&mut self, sheet: &str, errors: Errors) -> Result<Option<Cells<'_>>, BoxError> {
        unbroken(|| match self {
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
            // What an error is in this format its reader does not know, and tells as the text that is shown.
            Self::Ods(book) => Ok(Some(whole(book.worksheet_range(sheet)?, errors, is_error))),
        })
    }
}

/// How many cells hold an error instead of a value.
pub(in crate::audience) type Errors = Arc<AtomicU64>;

/// The cells of a sheet, row by row: each call writes down the next one, and tells its row and column.
pub(super) struct Cells<'a>(Box<dyn FnMut(&mut String) -> Next + 'a>);

type Next = Result<Option<(u32, u32)>, BoxError>;

impl Cells<'_> {
    /// Nothing at the end.
    pub(super) fn next(&mut self, text: &mut String) -> Next {
        unbroken(|| (self.0)(text))
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

/// Those of a sheet that is in memory as a whole, and which of its texts are none.
fn whole(range: Range<Data>, errors: Errors, is_error: fn(&str) -> bool) -> Cells<'static> {
    let (row, column) = range.start().unwrap_or_default();
    let (width, height) = (range.width().max(1), range.height());
    let mut at = 0;
    Cells(Box::new(move |text| {
        while at / width < height {
            let place = (at / width, at % width);
            at += 1;
            if let Some(cell) = range.get(place).filter(|cell| **cell != Data::Empty) {
                let cell = match cell {
                    Data::String(shown) if is_error(shown) => DataRef::Error(CellErrorType::Value),
                    cell => borrowed(cell),
                };
                write(text, &cell, &errors);
                let far = |from: u32, steps: usize| from.saturating_add(u32::try_from(steps).unwrap_or(u32::MAX));
                return Ok(Some((far(row, place.0), far(column, place.1))));
            }
        }
        Ok(None)
    }))
}

thread_local! {
    /// Whether this thread is within a reader that may stumble.
    static MAY_STUMBLE: StdCell<bool> = const { StdCell::new(false) };
}

/// Keeps a reader that stumbles over a damaged file from crying out to stderr: that becomes an error with a sentence. For
/// the whole process, once; every other panic is told as before.
pub fn hush_stumbling_readers() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !MAY_STUMBLE.get() {
            tell(panic);
        }
    }));
}

/// A damaged file can make the reader itself stumble, over a cell whose name is no number that there is for example. It is
/// the file's fault then, and nothing is read from it any more.
fn unbroken<T>(read: impl FnOnce() -> Result<T, BoxError>) -> Result<T, BoxError> {
    MAY_STUMBLE.set(true);
    let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read));
    MAY_STUMBLE.set(false);
    read.unwrap_or_else(|_| Err("something in it cannot be what a spreadsheet program has written".into()))
}
