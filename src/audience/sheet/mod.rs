//! Reads spreadsheets row by row: the chosen sheet, else the first visible sheet that holds a cell.

mod binary;
mod book;
mod compound;
mod document;
#[cfg(test)]
pub(super) mod made;
mod package;
mod records;
mod rows;
mod text;
mod xml;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use calamine::SheetVisible;

use self::book::{Book, OpenError};
use self::compound::Found;
use self::rows::SheetRows;
use super::background::Background;
use super::table::{Form, Source};
use super::{Error, ImportNote};

pub use book::hush_stumbling_readers;
pub(super) use book::{Errors, Format};
pub(super) use text::is_error;

/// What a spreadsheet program does not show of a sheet, or shows differently.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Unseen {
    pub(super) hidden_rows: u64,
    /// Merged areas of several rows.
    pub(super) merged: u64,
}

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

/// A spreadsheet, opened twice.
pub(super) struct Files {
    pub(super) file: File,
    /// For the inspection, which may run in another thread.
    pub(super) another: File,
}

/// Opens the spreadsheet and passes the rows of a sheet to `then`.
///
/// It returns no reader, because the reader borrows from the open file.
pub(super) fn with_rows(
    path: &Path,
    Files { file, mut another }: Files,
    format: Format,
    choice: Option<&SheetChoice>,
    form: &Form,
    then: &mut dyn FnMut(&mut dyn Source, Form) -> Result<(), Error>,
) -> Result<(), Error> {
    if let Some(max) = format.bytes_max().filter(|max| form.bytes_total > *max) {
        return Err(Error::TooLarge { file: path.to_owned(), max });
    }
    let Some(inspected) = inspect(path, format, &mut another)? else {
        return Err(Error::TooHeavy { file: path.to_owned() });
    };
    let (mut book, at) = Book::open(format, file).map_err(|error| match error {
        OpenError::Locked => Error::Locked { file: path.to_owned() },
        OpenError::Broken(source) => Error::NotSpreadsheet { file: path.to_owned(), source },
    })?;
    let sheets = book.sheets();
    let is_hidden =
        |name: &str| sheets.iter().any(|sheet| sheet.name == name && sheet.visible != SheetVisible::Visible);
    let candidates = candidates(path, &sheets, choice)?;
    // Of several sheets, the first pass accepts only one whose header names the numbers: a cover may show a number too.
    let passes = if candidates.len() > 1 { &[true, false][..] } else { &[false] };
    let (mut without_numbers, mut blank) = (None, Vec::new());
    for must_be_named in passes {
        for sheet in &candidates {
            let failed = |source| Error::Sheet { file: path.to_owned(), sheet: sheet.clone(), after_row: 0, source };
            let errors = Arc::new(AtomicU64::new(0));
            let Some(cells) = book.cells(sheet, Arc::clone(&errors)).map_err(failed)? else { continue };
            let mut rows = SheetRows::new(path, sheet, cells, at.clone());
            if !rows.fill()? {
                blank.push(sheet);
                continue;
            }
            let mut form = Form { sheet: Some(sheet.clone()), errors, must_be_named: *must_be_named, ..form.clone() };
            form.notes.extend(is_hidden(sheet).then(|| ImportNote::HiddenSheet { sheet: sheet.clone() }));
            let index = sheets.iter().position(|known| known.name == *sheet).unwrap_or_default();
            let another = another.try_clone().map_err(|source| Error::Read { file: path.to_owned(), source })?;
            form.unseen = inspected.unseen(format, another, sheet.clone(), index);
            let others = candidates.iter().filter(|other| *other != sheet && !blank.contains(other));
            let others: Vec<String> = others.cloned().collect();
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
            Error::NoNumberColumn { file, columns, sheets: candidates.clone() }
        }
        Some(_) | None => Error::Empty { file: path.to_owned() },
    })
}

/// What the inspection of a book has found about its sheets.
enum Inspected {
    /// The sheet is inspected by another thread while it is read.
    Beside,
    InOrder(Vec<Unseen>),
    Named(Vec<(String, Unseen)>),
}

/// Inspects a book before it is opened; `None` if it needs too much memory.
///
/// A small book may request any amount of memory and time.
fn inspect(path: &Path, format: Format, file: &mut File) -> Result<Option<Inspected>, Error> {
    let unreadable = |source| Error::Read { file: path.to_owned(), source };
    let is_light = |file: &mut File| !package::is_too_heavy(format, file);
    Ok(match format {
        Format::Xlsx | Format::Xlsb => is_light(file).then_some(Inspected::Beside),
        Format::Ods => is_light(file).then(|| document::inspect(file)).flatten().map(Inspected::Named),
        Format::Xls => match compound::open(file).map_err(unreadable)? {
            Found::Container(mut container) => {
                let book = container.stream(&["Workbook", "Book"]).map_err(unreadable)?;
                records::inspect(&book.unwrap_or_default()).map(Inspected::InOrder)
            }
            Found::Endless => {
                let source = "its list of sectors has no end".into();
                return Err(Error::NotSpreadsheet { file: path.to_owned(), source });
            }
            Found::Other => Some(Inspected::InOrder(Vec::new())),
        },
    })
}

impl Inspected {
    fn unseen(&self, format: Format, file: File, sheet: String, index: usize) -> Background<Unseen> {
        let known = match self {
            Self::Beside => {
                return Background::planned("audience unseen", move || package::unseen(format, file, &sheet));
            }
            Self::InOrder(all) => all.get(index).copied(),
            Self::Named(all) => all.iter().find(|(name, _)| *name == sheet).map(|(_, unseen)| *unseen),
        };
        Background::known(known.unwrap_or_default())
    }
}

/// The sheets to try, in order: visible sheets first.
fn candidates(path: &Path, sheets: &[calamine::Sheet], choice: Option<&SheetChoice>) -> Result<Vec<String>, Error> {
    let found = match choice {
        None => {
            let visible =
                |wanted: bool| sheets.iter().filter(move |sheet| (sheet.visible == SheetVisible::Visible) == wanted);
            return Ok(visible(true).chain(visible(false)).map(|sheet| sheet.name.clone()).collect());
        }
        Some(SheetChoice::Named(name)) => {
            let exactly = sheets.iter().find(|sheet| sheet.name == *name);
            exactly.or_else(|| sheets.iter().find(|sheet| sheet.name.trim().eq_ignore_ascii_case(name.trim())))
        }
        Some(SheetChoice::Numbered(number)) => number.checked_sub(1).and_then(|index| sheets.get(index)),
    };
    found.map(|sheet| vec![sheet.name.clone()]).ok_or_else(|| Error::NoSuchSheet {
        file: path.to_owned(),
        sheets: sheets.iter().map(|sheet| sheet.name.clone()).collect(),
    })
}

#[cfg(test)]
mod tests;
