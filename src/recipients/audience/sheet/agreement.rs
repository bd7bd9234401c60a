//! Compares our readers with those of the crate `calamine`, over random books that both can read.

use std::io::Cursor;

use calamine::{Data, Ods, Reader, Xlsb, Xlsx};
use rust_xlsxwriter::{Color, Format as CellFormat, Formula, Workbook, Worksheet};

use super::made::{self, Value};
use super::tests::{Lines, read};
use super::text::{borrowed, is_error, write_text};
use super::*;

const BOOKS: u64 = 40;

const TEXTS: [&str; 11] =
    ["Ann", " b ", "a & b <c> \"d\" 'e'", "日本", "😀", "two\nlines", "_x000D_", "_x0041", "1e5", "]]>", "tab\tend"];

fn number(random: &mut fastrand::Rng) -> f64 {
    match random.u8(0..6) {
        0 => 6_581_234_567.0 + f64::from(random.u32(0..1_000)),
        1 => f64::from(random.i32(-1_000..1_000)) / 8.0,
        2 => 0.1 + 0.2,
        3 => random.f64() * 1e20,
        4 => random.f64() * 1e-7,
        _ => f64::from(random.u32(0..60_000)) + random.f64(),
    }
}

/// The rows as `calamine` reads them, without the blank ones.
fn lines(range: &calamine::Range<Data>) -> Lines {
    let (first, left) = range.start().unwrap_or_default();
    let text = |cell: &Data| {
        let mut text = String::new();
        write_text(&mut text, &borrowed(cell));
        if is_error(&text) { String::new() } else { text }
    };
    let rows = (u64::from(first) + 1..).zip(range.rows());
    let rows =
        rows.map(|(line, row)| (line, vec![String::new(); left as usize].into_iter().chain(row.iter().map(text))));
    rows.map(|(line, row)| (line, filled(row))).filter(|(_, row)| !row.is_empty()).collect()
}

/// The cells of a row without the blank ones at its end. A cell of spaces is blank.
fn filled(row: impl IntoIterator<Item = String>) -> Vec<String> {
    let blank = |cell: &String| cell.bytes().all(|byte| byte.is_ascii_whitespace());
    let mut row: Vec<String> = row.into_iter().map(|cell| if blank(&cell) { String::new() } else { cell }).collect();
    row.truncate(row.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1));
    row
}

/// The rows as we read them; `None` if the sheet is blank.
fn own(book: &[u8], format: Format) -> Lines {
    match read(book, format, Some("1")) {
        Ok((rows, _)) => rows.into_iter().map(|(line, row)| (line, filled(row))).collect(),
        Err(Error::Empty { .. }) => Vec::new(),
        Err(error) => panic!("{error:?}"),
    }
}

fn write_cell(sheet: &mut Worksheet, row: u32, column: u16, random: &mut fastrand::Rng) {
    let formats = ["d/m/yyyy", "hh:mm", "[h]:mm:ss", "0.00", "\"d\"0", "yyyy-mm-dd hh:mm", "m0", "@", "[Red]0"];
    let text = TEXTS[random.usize(0..TEXTS.len())];
    let format = CellFormat::new().set_num_format(formats[random.usize(0..formats.len())]);
    match random.u8(0..10) {
        0 => sheet.write_number(row, column, number(random)),
        1 => sheet.write_number_with_format(row, column, number(random), &format),
        2 => sheet.write_string(row, column, text),
        3 => sheet.write_string_with_format(row, column, text, &format),
        4 => sheet.write_boolean(row, column, random.bool()),
        5 => sheet.write_formula(row, column, Formula::new("=A1&\"<\"").set_result(text)),
        6 => sheet.write_formula(row, column, Formula::new("=1/0").set_result("#DIV/0!")),
        7 => {
            let red = CellFormat::new().set_font_color(Color::Red);
            let other = TEXTS[random.usize(0..TEXTS.len())];
            sheet.write_rich_string(row, column, &[(&CellFormat::new(), text), (&red, other)])
        }
        8 => sheet.write_blank(row, column, &format),
        _ => Ok(sheet),
    }
    .unwrap();
}

#[test]
fn workbooks_are_read_as_calamine_reads_them() {
    for seed in 0..BOOKS {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut book = Workbook::new();
        let sheet = book.add_worksheet();
        for row in 0..random.u32(0..30) {
            for column in 0..random.u16(0..8) {
                write_cell(sheet, row * random.u32(1..3), column, &mut random);
            }
        }
        let book = book.save_to_buffer().unwrap();
        let mut reader: Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(book.as_slice())).unwrap();
        let expected = lines(&reader.worksheet_range_at(0).unwrap().unwrap());
        assert_eq!(own(&book, Format::Xlsx), expected, "seed {seed}");
    }
}

#[test]
fn binary_workbooks_are_read_as_calamine_reads_them() {
    for seed in 0..BOOKS {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut value = || match random.u8(0..5) {
            0 => Value::Empty,
            1 => Value::Day(number(&mut random)),
            2 => Value::Number(number(&mut random)),
            _ => Value::Text(TEXTS[random.usize(0..TEXTS.len())]),
        };
        let rows: Vec<Vec<Value<'_>>> = (0..20).map(|row| (0..row % 7).map(|_| value()).collect()).collect();
        let rows: Vec<&[Value<'_>]> = rows.iter().map(Vec::as_slice).collect();
        let book = made::xlsb("A", &rows);
        let mut reader: Xlsb<_> = calamine::open_workbook_from_rs(Cursor::new(book.as_slice())).unwrap();
        let expected = lines(&reader.worksheet_range_at(0).unwrap().unwrap());
        assert_eq!(own(&book, Format::Xlsb), expected, "seed {seed}");
    }
}

#[test]
fn open_documents_are_read_as_calamine_reads_them() {
    const CELLS: [&str; 9] = [
        "/>",
        "office:value-type='float' office:value='6581234567'/>",
        "office:value-type='float' office:value='-0.125'><text:p>-0.125</text:p></table:table-cell>",
        "office:value-type='date' office:date-value='2025-12-09'/>",
        "office:value-type='time' office:time-value='PT30H04M00S'/>",
        "office:value-type='boolean' office:boolean-value='true'/>",
        "office:value-type='string'><text:p>a &amp; b<text:s text:c='3'/>c</text:p><text:p>d</text:p></table:table-cell>",
        "office:value-type='string'><office:annotation><text:p>no</text:p></office:annotation><text:p>x</text:p></table:table-cell>",
        "office:value-type='string' office:string-value='y'/>",
    ];
    for seed in 0..BOOKS {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut rows = String::new();
        for _ in 0..random.u8(1..12) {
            rows += &format!("<table:table-row table:number-rows-repeated='{}'>", random.u8(1..4));
            for _ in 0..random.u8(1..6) {
                let cell = CELLS[random.usize(0..CELLS.len())];
                rows += &format!("<table:table-cell table:number-columns-repeated='{}' {cell}", random.u8(1..4));
            }
            rows += "</table:table-row>";
        }
        let book = made::ods(&format!("<table:table table:name='A'>{rows}</table:table>"));
        let mut reader: Ods<_> = calamine::open_workbook_from_rs(Cursor::new(book.as_slice())).unwrap();
        let expected = lines(&reader.worksheet_range_at(0).unwrap().unwrap());
        assert_eq!(own(&book, Format::Ods), expected, "seed {seed}: {rows}");
    }
}
