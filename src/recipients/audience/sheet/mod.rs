//! Reads spreadsheets row by row: the chosen sheet, else the first visible sheet that holds a cell.
//!
//! XLSX, XLSB and ODS are read by readers of our own, because those of the crate `calamine` hold each tag, text and comment
//! whole, and an ODS file as well: a workbook of two megabytes could take any amount of memory. XLS is read by `calamine`,
//! after its records were inspected.

#[cfg(test)]
mod agreement;
mod binary;
mod book;
mod cell;
mod compound;
mod counts;
mod document;
mod failed;
mod formats;
#[cfg(test)]
pub(super) mod made;
mod package;
mod records;
mod rows;
mod text;
mod workbook;
mod xml;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use self::book::{Book, Sheet};
use self::compound::Found;
use self::failed::Failed;
use self::records::Unseen;
use self::rows::SheetRows;
use super::open::{GROWTH_MAX, unpacked_max};
use super::table::{Form, Source};
use super::{Error, ImportNote};

pub(super) use book::Format;
pub use book::hush_stumbling_readers;
pub(super) use counts::SheetCounts;
pub(super) use text::is_error;

/// The sheet of a spreadsheet that holds the recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SheetChoice {
    Named(String),
    /// From 1.
    Numbered(usize),
}

impl std::str::FromStr for SheetChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(0) => Err("invalid sheet 0; give a number from 1, or the name of the sheet".to_owned()),
            Ok(number) => Ok(Self::Numbered(number)),
            Err(_) => Ok(Self::Named(text.to_owned())),
        }
    }
}

/// Sheets that are tried to find the one with the recipients.
const TRIED_MAX: usize = 100;

/// Opens the spreadsheet and passes the rows of a sheet to `then`.
///
/// It returns no reader, because the reader borrows from the open file.
pub(super) fn with_rows(
    path: &Path,
    mut file: File,
    format: Format,
    choice: Option<&SheetChoice>,
    form: &Form,
    then: &mut dyn FnMut(&mut dyn Source, Form) -> Result<(), Error>,
) -> Result<(), Error> {
    let unseen = if format == Format::Xls { inspect(path, &mut file)? } else { Vec::new() };
    let refused = |failed| match failed {
        Failed::Broken(source) => Error::NotSpreadsheet { file: path.to_owned(), source },
        failed => refusal(path, failed),
    };
    let (mut book, at) = Book::open(format, file).map_err(refused)?;
    let sheets = book.sheets().to_vec();
    let text_max = unpacked_max(form.bytes_total);
    let candidates = candidates(path, &sheets, choice)?;
    // Of several sheets, the first pass accepts only one whose header names the numbers: a cover may show a number too.
    let passes = if candidates.len() > 1 { &[true, false][..] } else { &[false] };
    let (mut without_numbers, mut blank) = (None, Vec::new());
    for must_be_named in passes {
        for index in candidates.iter().copied().take(TRIED_MAX) {
            let Sheet { name, is_visible } = &sheets[index];
            let counts = Arc::new(SheetCounts::default());
            if let Some(Unseen { hidden_rows, merged }) = unseen.get(index) {
                counts.add_hidden_rows(*hidden_rows);
                counts.add_merged(*merged);
            }
            let cells = book.cells(index, Arc::clone(&counts)).map_err(|failed| broken(path, name, 0, failed))?;
            let mut rows = SheetRows::new(path, name, cells, at.clone(), text_max);
            if !rows.fill()? {
                blank.push(index);
                continue;
            }
            let mut form = Form { sheet: Some(name.clone()), counts, must_be_named: *must_be_named, ..form.clone() };
            form.notes.extend((!is_visible).then(|| ImportNote::HiddenSheet { sheet: name.clone() }));
            let others = candidates.iter().filter(|other| **other != index && !blank.contains(other));
            let others: Vec<String> = others.map(|other| sheets[*other].name.clone()).collect();
            form.notes.extend((!others.is_empty()).then_some(ImportNote::OtherSheets { sheets: others }));
            match then(&mut rows, form) {
                // This sheet is a cover or instructions.
                Err(error @ Error::NoNumberColumn { .. }) if candidates.len() > 1 => {
                    without_numbers.get_or_insert(error);
                }
                done => return done,
            }
        }
    }
    Err(match without_numbers {
        Some(Error::NoNumberColumn { file, columns, .. }) => {
            let sheets = candidates.iter().map(|index| sheets[*index].name.clone()).collect();
            Error::NoNumberColumn { file, columns, sheets }
        }
        Some(_) | None => Error::Empty { file: path.to_owned() },
    })
}

/// Why a sheet cannot be read after a row.
fn broken(path: &Path, sheet: &str, after_row: u64, failed: Failed) -> Error {
    match failed {
        Failed::Broken(source) => Error::Sheet { file: path.to_owned(), sheet: sheet.to_owned(), after_row, source },
        failed => refusal(path, failed),
    }
}

fn refusal(path: &Path, failed: Failed) -> Error {
    let file = path.to_owned();
    match failed {
        Failed::Locked => Error::Locked { file },
        Failed::TooHeavy => Error::TooHeavy { file },
        Failed::Bomb => Error::Bomb { file, times: GROWTH_MAX },
        Failed::Broken(source) => Error::NotSpreadsheet { file, source },
    }
}

/// Inspects a book of a format that is read whole. Returns what is not shown of each of its worksheets.
///
/// A small book may request any amount of memory and time.
fn inspect(path: &Path, file: &mut File) -> Result<Vec<Unseen>, Error> {
    let unreadable = |source| Error::Read { file: path.to_owned(), source };
    let bytes = file.metadata().map_err(unreadable)?.len();
    if bytes > records::FILE_MAX {
        return Err(Error::TooLarge { file: path.to_owned(), max: records::FILE_MAX });
    }
    let inspected = match compound::open(file).map_err(unreadable)? {
        Found::Container(mut container) => {
            let book = container.stream(&["Workbook", "Book"]).map_err(unreadable)?;
            records::inspect(&book.unwrap_or_default(), bytes)
        }
        Found::Endless => {
            let source = "its list of sectors has no end".into();
            return Err(Error::NotSpreadsheet { file: path.to_owned(), source });
        }
        Found::Other => Some(Vec::new()),
    };
    inspected.ok_or_else(|| Error::TooHeavy { file: path.to_owned() })
}

/// The sheets to try, by their places and in order: visible sheets first.
fn candidates(path: &Path, sheets: &[Sheet], choice: Option<&SheetChoice>) -> Result<Vec<usize>, Error> {
    let place = |is_chosen: &dyn Fn(&Sheet) -> bool| sheets.iter().position(is_chosen);
    let found = match choice {
        None => {
            let (visible, hidden): (Vec<usize>, Vec<usize>) =
                (0..sheets.len()).partition(|index| sheets[*index].is_visible);
            return Ok([visible, hidden].concat());
        }
        Some(SheetChoice::Named(name)) => place(&|sheet| sheet.name == *name)
            .or_else(|| place(&|sheet| sheet.name.trim().eq_ignore_ascii_case(name.trim()))),
        Some(SheetChoice::Numbered(number)) => number.checked_sub(1).filter(|index| *index < sheets.len()),
    };
    found.map(|index| vec![index]).ok_or_else(|| Error::NoSuchSheet {
        file: path.to_owned(),
        sheets: sheets.iter().map(|sheet| sheet.name.clone()).collect(),
    })
}

#[cfg(test)]
mod tests;
