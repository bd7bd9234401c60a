//! Writes tables to files, row by row: CSV, or XLSX in sheets.
//!
//! A file is written next to its target and renamed once it is complete. The target is therefore unchanged or complete.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rust_xlsxwriter::{Workbook, XlsxError};
use tempfile::NamedTempFile;

use crate::base::domain::formula;

/// Rows of a sheet below its header.
const SHEET_ROWS: u32 = 1_048_575;
const BUFFER_BYTES: usize = 256 * 1024;
/// Characters that fit into one cell of a sheet.
const CELL_MAX: usize = 32_767;

/// Why a table could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}; check that its folder exists, may be written to and has room", file.display())]
pub struct WriteError {
    file: PathBuf,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// A table that is being written to a file. If it is dropped without [`Sheets::finish`], no file remains.
pub struct Sheets {
    target: PathBuf,
    header: Vec<String>,
    form: Form,
}

impl std::fmt::Debug for Sheets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sheets({})", self.target.display())
    }
}

enum Form {
    Csv(Box<csv::Writer<Output>>),
    Xlsx { book: Box<Workbook>, file: NamedTempFile, sheet: usize, row: u32, rows_max: u32 },
}

enum Output {
    /// A temporary file next to the target.
    Temporary(NamedTempFile),
    /// A pipe or a terminal, which no file can be renamed to.
    Direct(Box<dyn Write + Send>),
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Temporary(file) => file.write(bytes),
            Self::Direct(to) => to.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Temporary(file) => file.flush(),
            Self::Direct(to) => to.flush(),
        }
    }
}

fn temporary(target: &Path) -> io::Result<NamedTempFile> {
    if target.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    NamedTempFile::new_in(folder)
}

impl Sheets {
    /// Writes CSV directly to an output that no file can be renamed to.
    pub fn straight(to: Box<dyn Write + Send>, header: Vec<String>) -> Result<Self, WriteError> {
        let form = Form::csv_to(Output::Direct(to));
        Self { target: PathBuf::from("-"), header, form }.begun()
    }

    /// Whether a file may have this name. Any other extension would not match the content, so no program would open the
    /// file.
    pub fn fits(target: &Path) -> bool {
        const KNOWN: [&str; 3] = ["xlsx", "csv", "txt"];
        target.extension().is_none_or(|extension| KNOWN.iter().any(|known| extension.eq_ignore_ascii_case(known)))
    }

    /// Begins a file: XLSX if its extension says so, else CSV.
    pub fn create(target: &Path, header: Vec<String>) -> Result<Self, WriteError> {
        let is_xlsx = target.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("xlsx"));
        let form = if is_xlsx { Form::xlsx(target, SHEET_ROWS) } else { Form::csv(target) };
        Self { target: target.to_owned(), header, form: form.map_err(|source| failed(target, source))? }.begun()
    }

    fn begun(mut self) -> Result<Self, WriteError> {
        let header = self.header.clone();
        self.form.write(&header, &header).map_err(|source| failed(&self.target, source))?;
        Ok(self)
    }

    pub fn row(&mut self, cells: &[String]) -> Result<(), WriteError> {
        self.form.write(&self.header, cells).map_err(|source| failed(&self.target, source))
    }

    /// Completes the file and renames it to its target.
    pub fn finish(self) -> Result<(), WriteError> {
        let Self { target, form, .. } = self;
        form.finish(&target).map_err(|source| failed(&target, source))
    }
}

type Broken = Box<dyn std::error::Error + Send + Sync>;

fn failed(target: &Path, source: Broken) -> WriteError {
    WriteError { file: target.to_owned(), source }
}

impl Form {
    fn csv_to(output: Output) -> Self {
        Self::Csv(Box::new(csv::WriterBuilder::new().buffer_capacity(BUFFER_BYTES).from_writer(output)))
    }

    fn csv(target: &Path) -> Result<Self, Broken> {
        let is_special = target.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir());
        let output = match is_special {
            true => Output::Direct(Box::new(File::options().write(true).open(target)?)),
            false => Output::Temporary(temporary(target)?),
        };
        Ok(Self::csv_to(output))
    }

    fn xlsx(target: &Path, rows_max: u32) -> Result<Self, Broken> {
        let (mut book, file) = (Box::new(Workbook::new()), temporary(target)?);
        book.add_worksheet_with_constant_memory()?;
        Ok(Self::Xlsx { book, file, sheet: 0, row: 0, rows_max })
    }

    fn write(&mut self, header: &[String], cells: &[String]) -> Result<(), Broken> {
        match self {
            Self::Csv(csv) => {
                csv.write_record(cells.iter().map(|cell| formula::marked(cell).into_owned())).map_err(unwrapped)
            }
            Self::Xlsx { book, sheet, row, rows_max, .. } => {
                if *row > *rows_max {
                    book.add_worksheet_with_constant_memory()?;
                    (*sheet, *row) = (*sheet + 1, 1);
                    write_row(book, *sheet, 0, header)?;
                }
                write_row(book, *sheet, *row, cells)?;
                *row += 1;
                Ok(())
            }
        }
    }

    fn finish(self, target: &Path) -> Result<(), Broken> {
        let file = match self {
            Self::Csv(csv) => match csv.into_inner().map_err(csv::IntoInnerError::into_error)? {
                Output::Temporary(file) => file,
                Output::Direct(mut to) => return Ok(to.flush()?),
            },
            Self::Xlsx { mut book, mut file, .. } => {
                book.save_to_writer(file.as_file_mut())?;
                file
            }
        };
        file.as_file().sync_all()?;
        file.persist(target)?;
        Ok(())
    }
}

/// The text of rows of a CSV file.
pub fn csv_text(rows: &[Vec<String>]) -> io::Result<Vec<u8>> {
    let mut csv = csv::WriterBuilder::new().buffer_capacity(BUFFER_BYTES).from_writer(Vec::new());
    for cells in rows {
        csv.write_record(cells.iter().map(|cell| formula::marked(cell).into_owned()))?;
    }
    csv.into_inner().map_err(csv::IntoInnerError::into_error)
}

/// The operating system's own error, so that the caller recognizes a closed pipe.
fn unwrapped(error: csv::Error) -> Broken {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        other => format!("{other:?}").into(),
    }
}

fn write_row(book: &mut Workbook, sheet: usize, row: u32, cells: &[String]) -> Result<(), XlsxError> {
    let sheet = book.worksheet_from_index(sheet)?;
    for (column, cell) in (0_u16..).zip(cells).filter(|(_, cell)| !cell.is_empty()) {
        // Text is written as text, never as a formula.
        let end = cell.char_indices().nth(CELL_MAX).map_or(cell.len(), |(end, _)| end);
        sheet.write_string(row, column, &cell[..end])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use calamine::{Reader, Xlsx};

    fn cells(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn no_cell_of_a_csv_file_is_a_formula_and_numbers_stay_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out.csv");
        let mut sheets = Sheets::create(&file, cells(&["a", "b"])).unwrap();
        for (cell, wanted) in [("=1+1", "'=1+1"), ("@x", "'@x"), ("-2+3", "'-2+3"), ("+6591000001", "+6591000001")] {
            sheets.row(&cells(&[cell, "x, y"])).unwrap();
            assert_eq!(formula::marked(cell), wanted);
        }
        assert!(!file.exists(), "half a file");
        sheets.finish().unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text, "a,b\n'=1+1,\"x, y\"\n'@x,\"x, y\"\n'-2+3,\"x, y\"\n+6591000001,\"x, y\"\n");
        drop(Sheets::create(&folder.path().join("gone.csv"), cells(&["a"])).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "an abandoned table left a file behind");
    }

    #[test]
    fn a_full_sheet_continues_in_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out.xlsx");
        let form = Form::xlsx(&file, 2).unwrap();
        let mut sheets = Sheets { target: file.clone(), header: cells(&["a", "b"]), form }.begun().unwrap();
        for row in 0..5 {
            sheets.row(&cells(&["=1+1", &format!("row {row}")])).unwrap();
        }
        sheets.finish().unwrap();
        let mut book: Xlsx<_> = calamine::open_workbook(&file).unwrap();
        let rows: Vec<usize> =
            book.sheet_names().iter().map(|name| book.worksheet_range(name).unwrap().height()).collect();
        assert_eq!(rows, [3, 3, 2]);
        let first = book.worksheet_range("Sheet2").unwrap();
        assert_eq!(first.get_value((0, 0)).unwrap().to_string(), "a");
        assert_eq!(first.get_value((1, 0)).unwrap().to_string(), "=1+1");
    }

    #[test]
    fn a_write_error_names_the_file() {
        let error = Sheets::create(Path::new("nowhere/at/all/out.csv"), Vec::new()).unwrap_err();
        assert!(error.to_string().contains("nowhere/at/all/out.csv"), "{error}");
    }
}
