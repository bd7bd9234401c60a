//! XLSX to rows, cell by cell: the first sheet in sight that holds anything.
//!
//! A cell becomes the text that a person means by it: a number its digits, a day its ISO date, a truth TRUE or FALSE.
//! Rows begin at the header's first column; whatever stands left of it is no part of the table.

use std::cell::Cell;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::rc::Rc;

use calamine::{DataRef, ExcelDateTime, Reader, SheetType, SheetVisible, Xlsx, XlsxCellReader, XlsxError};

use super::Error;
use super::block::Block;
use super::decode::Tracked;
use super::table::{Form, MAX_COLUMNS, Source};

type Cells<'a> = XlsxCellReader<'a, BufReader<Tracked>>;

/// Opens the spreadsheet and hands its rows to `then`: the reader borrows from the open file, so it cannot be returned.
pub(super) fn with_rows(
    path: &Path,
    file: File,
    form: &Form,
    then: &mut dyn FnMut(&mut dyn Source, Form) -> Result<(), Error>,
) -> Result<(), Error> {
    let (file, at) = Tracked::new(file);
    let mut book: Xlsx<_> = unbroken(|| Xlsx::new(BufReader::new(file)))
        .map_err(|error| Error::NotXlsx { file: path.to_owned(), source: error.into() })?;
    let sheets: Vec<String> = book
        .sheets_metadata()
        .iter()
        .filter(|sheet| sheet.typ == SheetType::WorkSheet && sheet.visible == SheetVisible::Visible)
        .map(|sheet| sheet.name.clone())
        .collect();
    for sheet in sheets {
        let failed = |source: XlsxError| Error::Sheet {
            file: path.to_owned(),
            sheet: sheet.clone(),
            after_row: 0,
            source: source.into(),
        };
        let cells = match unbroken(|| book.worksheet_cells_reader(&sheet)) {
            Ok(cells) => cells,
            // Charts and macros are listed among the sheets.
            Err(XlsxError::NotAWorksheet(_)) => continue,
            Err(error) => return Err(failed(error)),
        };
        let mut rows = SheetRows::new(path, &sheet, cells, Rc::clone(&at));
        if rows.fill()? {
            return then(&mut rows, Form { sheet: Some(sheet.clone()), ..form.clone() });
        }
    }
    Err(Error::Empty { file: path.to_owned() })
}

/// A damaged file can make the reader itself stumble, over a cell whose name is no number that there is for example. It is
/// the file's fault then, and nothing is read from it any more.
fn unbroken<T>(read: impl FnOnce() -> Result<T, XlsxError>) -> Result<T, XlsxError> {
    let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read));
    read.unwrap_or(Err(XlsxError::Unexpected("something in it cannot be what a spreadsheet program has written")))
}

struct SheetRows<'a> {
    path: &'a Path,
    sheet: &'a str,
    cells: Cells<'a>,
    /// The cell that has been read and belongs to the next row: row, column, text in `text`.
    next: Option<(u32, u32)>,
    text: String,
    /// The header's first column and how many there are; known once the header has been read.
    table: Option<(u32, usize)>,
    at: Rc<Cell<u64>>,
}

impl<'a> SheetRows<'a> {
    fn new(path: &'a Path, sheet: &'a str, cells: Cells<'a>, at: Rc<Cell<u64>>) -> Self {
        Self { path, sheet, cells, next: None, text: String::new(), table: None, at }
    }

    /// Reads the next cell that is not blank; false at the end of the sheet.
    fn fill(&mut self) -> Result<bool, Error> {
        let after_row = self.next.map_or(0, |(row, _)| u64::from(row) + 1);
        loop {
            let cells = &mut self.cells;
            let cell = unbroken(move || cells.next_cell()).map_err(|source| Error::Sheet {
                file: self.path.to_owned(),
                sheet: self.sheet.to_owned(),
                after_row,
                source: source.into(),
            })?;
            let Some(cell) = cell else {
                self.next = None;
                return Ok(false);
            };
            self.text.clear();
            write_text(&mut self.text, cell.get_value());
            if !self.text.bytes().all(|byte| byte.is_ascii_whitespace()) {
                self.next = Some(cell.get_position());
                return Ok(true);
            }
        }
    }
}

impl Source for SheetRows<'_> {
    fn row(&mut self, block: &mut Block) -> Result<bool, Error> {
        loop {
            let Some((row, first)) = self.next else { return Ok(false) };
            let (left, width) = self.table.unwrap_or((first, MAX_COLUMNS));
            while let Some((cell_row, column)) = self.next
                && cell_row == row
            {
                // A cell behind the last column counts, wherever it is; the gap before it does not.
                let place = column
                    .checked_sub(left)
                    .and_then(|place| usize::try_from(place).ok())
                    .map(|place| place.min(width));
                if let Some(place) = place.filter(|place| *place >= block.open_cells()) {
                    while block.open_cells() < place {
                        block.end_cell();
                    }
                    block.push(self.text.as_bytes());
                    block.end_cell();
                }
                self.fill()?;
            }
            self.table.get_or_insert((left, block.open_cells()));
            if block.end_row(u64::from(row) + 1) {
                return Ok(true);
            }
        }
    }

    fn bytes_done(&self) -> u64 {
        self.at.get()
    }
}

fn write_text(text: &mut String, value: &DataRef<'_>) {
    use std::fmt::Write;
    // Writing to a String cannot fail.
    let _ = match value {
        DataRef::Empty => Ok(()),
        DataRef::String(string) | DataRef::DateTimeIso(string) | DataRef::DurationIso(string) => text.write_str(string),
        DataRef::SharedString(string) => text.write_str(string),
        DataRef::Int(number) => write!(text, "{number}"),
        DataRef::Float(number) => write_number(text, *number),
        DataRef::Bool(true) => text.write_str("TRUE"),
        DataRef::Bool(false) => text.write_str("FALSE"),
        DataRef::DateTime(at) => write_date_time(text, *at),
        DataRef::Error(error) => write!(text, "{error}"),
    };
}

/// In full, never with an exponent, and to the fifteen digits that spreadsheets show: 0.1 + 0.2 is 0.3 there.
fn write_number(text: &mut String, number: f64) -> std::fmt::Result {
    use std::fmt::Write;
    // Whole numbers, such as phone numbers, are exact; Rust writes them without a point.
    let shown = if number.fract() == 0.0 { number } else { format!("{number:.14e}").parse().unwrap_or(number) };
    write!(text, "{shown}")
}

/// The last day that a spreadsheet knows, 9999-12-31. Beyond it a "date" is a number whose format only looks like one
/// of dates, as formats of phone numbers can.
const LAST_DAY: f64 = 2_958_466.0;

fn write_date_time(text: &mut String, at: ExcelDateTime) -> std::fmt::Result {
    use std::fmt::Write;
    let days = at.as_f64();
    if !(0.0..LAST_DAY).contains(&days) {
        return write_number(text, days);
    }
    let (year, month, day, hour, minute, second, _) = at.to_ymd_hms_milli();
    if at.is_duration() || days < 1.0 {
        // The hours of a duration run on over the days.
        let hours = days.trunc() * 24.0 + f64::from(hour);
        return write!(text, "{hours:02}:{minute:02}:{second:02}");
    }
    write!(text, "{year:04}-{month:02}-{day:02}")?;
    if (hour, minute, second) == (0, 0, 0) { Ok(()) } else { write!(text, "T{hour:02}:{minute:02}:{second:02}") }
}

#[cfg(test)]
mod tests {
    use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};
    use std::io::Write;

    use super::*;

    /// The rows of the first sheet in sight, with their lines, of a book that `write` fills.
    fn rows(write: impl FnOnce(&mut Workbook) -> Result<(), XlsxError>) -> Vec<(u64, Vec<String>)> {
        let mut book = Workbook::new();
        write(&mut book).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&book.save_to_buffer().unwrap()).unwrap();
        let mut rows = Vec::new();
        with_rows(Path::new("book.xlsx"), file, &Form::default(), &mut |source, _| {
            let mut block = Block::default();
            while source.row(&mut block)? {}
            rows.extend(
                block.seal().unwrap().iter().map(|row| (row.line, row.cells().map(str::to_owned).collect::<Vec<_>>())),
            );
            Ok(())
        })
        .unwrap();
        rows
    }

    fn write_row(sheet: &mut Worksheet, row: u32, cells: &[&str]) -> Result<(), XlsxError> {
        for (column, cell) in (0..).zip(cells).filter(|(_, cell)| !cell.is_empty()) {
            sheet.write_string(row, column, *cell)?;
        }
        Ok(())
    }

    fn row(line: u64, cells: &[&str]) -> (u64, Vec<String>) {
        (line, cells.iter().map(|cell| (*cell).to_owned()).collect())
    }

    #[test]
    fn hidden_and_empty_sheets_are_passed_over() {
        let rows = rows(|book| {
            write_row(book.add_worksheet().set_hidden(true), 0, &["hidden"])?;
            book.add_worksheet();
            // The active sheet cannot be hidden.
            write_row(book.add_worksheet().set_active(true), 0, &["seen"])
        });
        assert_eq!(rows, [row(1, &["seen"])]);
    }

    #[test]
    fn gaps_are_empty_cells_and_a_stray_cell_far_out_is_only_one_too_many() {
        let rows = rows(|book| {
            let sheet = book.add_worksheet();
            write_row(sheet, 1, &["", "a", "b", "c"])?;
            write_row(sheet, 2, &["left of the table", "", "", "3"])?;
            write_row(sheet, 4, &["", "1"])?;
            sheet.write_string(4, 16_000, "stray")?;
            sheet.write_string(4, 16_001, "another")?;
            Ok(())
        });
        let expected = [row(2, &["a", "b", "c"]), row(3, &["", "", "3"]), row(5, &["1", "", "", "stray"])];
        assert_eq!(rows, expected);
    }

    #[test]
    fn a_cell_is_the_text_that_a_person_means_by_it() {
        let rows = rows(|book| {
            let sheet = book.add_worksheet();
            let format = |format: &str| Format::new().set_num_format(format);
            sheet.write_number(0, 0, 6_581_234_567_f64)?;
            sheet.write_number(0, 1, 0.1 + 0.2)?;
            sheet.write_boolean(0, 2, true)?;
            sheet.write_number_with_format(0, 3, 46_000.0, &format("d/m/yyyy"))?;
            sheet.write_number_with_format(0, 4, 46_000.5, &format("d/m/yyyy hh:mm"))?;
            sheet.write_number_with_format(0, 5, 0.25, &format("hh:mm"))?;
            sheet.write_number_with_format(0, 6, 1.25, &format("[h]:mm:ss"))?;
            // A format with a letter of dates in it makes a phone number look like a day far off.
            sheet.write_number_with_format(0, 7, 6_581_234_567_f64, &format("m0"))?;
            Ok(())
        });
        let expected =
            ["6581234567", "0.3", "TRUE", "2025-12-09", "2025-12-09T12:00:00", "06:00:00", "30:00:00", "6581234567"];
        assert_eq!(rows, [row(1, &expected)]);
    }
}
