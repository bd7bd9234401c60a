//! Tests of the reading of spreadsheets.

use rust_xlsxwriter::{Format as CellFormat, Workbook, Worksheet, XlsxError};
use std::io::Write;

use super::super::table::MAX_COLUMNS;
use super::made::Value;
use super::*;
use crate::recipients::audience::block::{Block, Row};

/// Follows the cells of a row of which text was left out.
const CUT: &str = "(cut)";

pub(super) type Lines = Vec<(u64, Vec<String>)>;

/// The rows of the chosen sheet with their lines, and its form.
pub(super) fn read(bytes: &[u8], format: Format, choice: Option<&str>) -> Result<(Lines, Form), Error> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let choice = choice.map(|choice| choice.parse().unwrap());
    let mut read = None;
    let form = Form { bytes_total: bytes.len() as u64, ..Form::default() };
    with_rows(Path::new("book"), file.reopen().unwrap(), format, choice.as_ref(), &form, &mut |source, form| {
        let mut block = Block::default();
        while source.row(&mut block)? {}
        let rows = block.seal().unwrap();
        let cells = |row: Row<'_>| row.cells().map(str::to_owned).chain(row.is_cut.then(|| CUT.to_owned())).collect();
        let lines = rows.iter().map(|row| (row.line, cells(row))).collect();
        read = Some((lines, form));
        Ok(())
    })?;
    Ok(read.unwrap())
}

fn xlsx(write: impl FnOnce(&mut Workbook) -> Result<(), XlsxError>) -> Vec<u8> {
    let mut book = Workbook::new();
    write(&mut book).unwrap();
    book.save_to_buffer().unwrap()
}

/// The rows of the first visible sheet of a book that `write` fills.
fn rows(write: impl FnOnce(&mut Workbook) -> Result<(), XlsxError>) -> Lines {
    read(&xlsx(write), Format::Xlsx, None).unwrap().0
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
fn the_chosen_sheet_is_read_else_the_first_visible_one_with_cells() {
    let book = xlsx(|book| {
        write_row(book.add_worksheet().set_name("Lists")?.set_hidden(true), 0, &["hidden"])?;
        book.add_worksheet().set_name("Cover")?;
        // The active sheet cannot be hidden.
        write_row(book.add_worksheet().set_name("People")?.set_active(true), 0, &["seen"])?;
        write_row(book.add_worksheet().set_name("More")?, 0, &["more"])
    });
    let of = |choice| {
        let (rows, form) = read(&book, Format::Xlsx, choice)?;
        Ok::<_, Error>((rows[0].1[0].clone(), form.notes))
    };
    let others = ImportNote::OtherSheets { sheets: vec!["More".into(), "Lists".into()] };
    assert_eq!(of(None).unwrap(), ("seen".into(), vec![others]));
    let hidden = ImportNote::HiddenSheet { sheet: "Lists".into() };
    assert_eq!(of(Some("lists")).unwrap(), ("hidden".into(), vec![hidden]));
    assert_eq!(of(Some("4")).unwrap(), ("more".into(), vec![]));
    assert!(matches!(of(Some("2")), Err(Error::Empty { .. })));
    let unknown = of(Some("Nobody"));
    assert!(
        matches!(unknown, Err(Error::NoSuchSheet { sheets, .. }) if sheets == ["Lists", "Cover", "People", "More"])
    );
    assert!(matches!(of(Some("9")), Err(Error::NoSuchSheet { .. })));
}

#[test]
fn hidden_rows_and_merged_areas_are_read_and_noted() {
    let book = xlsx(|book| {
        write_row(book.add_worksheet().set_name("Old & new")?.set_row_hidden(3)?, 0, &["not this one"])?;
        let sheet = book.add_worksheet().set_name("A & B")?;
        write_row(sheet, 0, &["Mobile", "Name", "City"])?;
        for row in 1..=5 {
            sheet.write_number(row, 0, 6_581_234_560_f64 + f64::from(row))?;
        }
        sheet.write_formula(1, 1, rust_xlsxwriter::Formula::new("=NA()").set_result("#N/A"))?;
        sheet.merge_range(1, 2, 3, 2, "Ulm", &CellFormat::new())?;
        sheet.merge_range(4, 1, 4, 2, "wide", &CellFormat::new())?;
        sheet.set_row_hidden(2)?.set_row_hidden(5)?;
        Ok(())
    });
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&book).unwrap();
    let options = crate::recipients::audience::Options { sheet: Some("A & B".parse().unwrap()), ..Default::default() };
    let mut outputs = crate::recipients::audience::Outputs::default();
    let mut known = crate::recipients::audience::SeenRecipients::default();
    let summary =
        crate::recipients::audience::read(file.path(), &options, &|_| false, &mut known, &mut outputs).unwrap();
    let notes =
        [ImportNote::ErrorCells { cells: 1 }, ImportNote::HiddenRows { rows: 2 }, ImportNote::MergedCells { areas: 1 }]
            .to_vec();
    assert_eq!((summary.valid, summary.notes), (5, notes));
    assert_eq!((summary.fields[1].filled, summary.fields[2].filled), (1, 1));
}

#[test]
fn hidden_rows_and_merged_areas_are_found_in_each_format() {
    let cells = [&[Value::Text("Mobile")][..], &[Value::Text("+6581234567")], &[Value::Text("+6581234568")]];
    let binary = made::xlsb_with("People & co", &cells, &[1], &[(0, 1), (2, 2)]);
    let unseen = |book: &[u8], format| {
        let counts = read(book, format, None).unwrap().1.counts;
        (counts.hidden_rows(), counts.merged())
    };
    assert_eq!(unseen(&binary, Format::Xlsb), (1, 1));
    let row = |says: &str| {
        format!(
            "<table:table-row {says}><table:table-cell office:value-type='string'><text:p>x</text:p></table:table-cell></table:table-row>"
        )
    };
    let table = |name: &str, says: &str| format!("<table:table table:name='{name}'>{}</table:table>", row(says));
    let document = made::ods(&(table("People", "table:visibility='collapse'") + &table("More", "")));
    assert_eq!(unseen(&document, Format::Ods), (1, 0));
    let old = include_bytes!("../../../../samples/recipients.xls");
    assert_eq!(unseen(old, Format::Xls), (0, 0));
}

#[test]
fn a_sheet_whose_header_names_the_numbers_is_preferred() {
    let book = |named: &str| {
        xlsx(|book| {
            write_row(book.add_worksheet().set_name("Info")?, 0, &["Hotline", "+6561234567"])?;
            let sheet = book.add_worksheet().set_name("Recipients")?;
            write_row(sheet, 0, &["Name", named])?;
            write_row(sheet, 1, &["Ann", "+6581234567"])?;
            write_row(book.add_worksheet().set_name("Notes")?, 0, &["nobody"])
        })
    };
    let read = |book: &[u8]| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(book).unwrap();
        let (mut known, mut outputs) =
            (crate::recipients::audience::SeenRecipients::default(), crate::recipients::audience::Outputs::default());
        let options = crate::recipients::audience::Options::default();
        crate::recipients::audience::read(file.path(), &options, &|_| false, &mut known, &mut outputs)
    };
    assert_eq!(read(&book("Mobile")).unwrap().sheet.as_deref(), Some("Recipients"));
    assert_eq!(read(&book("Wohin")).unwrap().sheet.as_deref(), Some("Info"));
    let none = xlsx(|book| {
        write_row(book.add_worksheet().set_name("Cover")?, 0, &["Campaign"])?;
        write_row(book.add_worksheet().set_name("Notes")?, 0, &["nobody"])
    });
    let error = read(&none).unwrap_err().to_string();
    assert!(error.contains("in any of its sheets: Cover, Notes") && error.contains("--map"), "{error}");
}

#[test]
fn a_hidden_sheet_is_read_if_no_visible_sheet_holds_a_cell() {
    let book = xlsx(|book| {
        book.add_worksheet().set_active(true);
        write_row(book.add_worksheet().set_name("People")?.set_hidden(true), 0, &["hidden"])
    });
    let (rows, form) = read(&book, Format::Xlsx, None).unwrap();
    assert_eq!(
        (rows, form.notes),
        (vec![row(1, &["hidden"])], vec![ImportNote::HiddenSheet { sheet: "People".into() }])
    );
}

#[test]
fn days_may_be_counted_from_1904() {
    let book = xlsx(|book| {
        let day = CellFormat::new().set_num_format("d/m/yyyy");
        book.add_worksheet().write_number_with_format(0, 0, 46_000.0, &day)?;
        Ok(())
    });
    let moved = rezipped(&book, "xl/workbook.xml", "<workbookPr ", "<workbookPr date1904=\"1\" ");
    let days = [book, moved].map(|book| read(&book, Format::Xlsx, None).unwrap().0[0].1[0].clone());
    assert_eq!(days, ["2025-12-09", "2029-12-10"]);
}

/// The same book with one part of it changed.
fn rezipped(book: &[u8], part: &str, from: &str, to: &str) -> Vec<u8> {
    let mut files = made::unzipped(book);
    let (_, bytes) = files.iter_mut().find(|(name, _)| name == part).unwrap();
    let text = String::from_utf8(std::mem::take(bytes)).unwrap();
    assert!(text.contains(from), "{text}");
    *bytes = text.replace(from, to).into_bytes();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    made::zipped(&files)
}

#[test]
fn a_binary_workbook_is_read_like_any_other() {
    let cells = [
        &[Value::Text("Mobile"), Value::Text("Näme"), Value::Text("Since")][..],
        &[Value::Number(6_581_234_567.0), Value::Empty, Value::Day(46_000.0)],
        &[],
        &[Value::Text("+6581234568"), Value::Text("日本"), Value::Day(46_000.5)],
    ];
    let (rows, form) = read(&made::xlsb("People", &cells), Format::Xlsb, None).unwrap();
    let expected = [
        row(1, &["Mobile", "Näme", "Since"]),
        row(2, &["6581234567", "", "2025-12-09"]),
        row(4, &["+6581234568", "日本", "2025-12-09T12:00:00"]),
    ];
    assert_eq!((rows, form.sheet.as_deref()), (expected.to_vec(), Some("People")));
}

#[test]
fn an_open_document_is_read_like_any_other() {
    let cell = |kind: &str, text: &str| {
        format!("<table:table-cell office:value-type=\"{kind}\"><text:p>{text}</text:p></table:table-cell>")
    };
    let number = "<table:table-cell office:value-type=\"float\" office:value=\"6581234567\"/>";
    let day = "<table:table-cell office:value-type=\"date\" office:date-value=\"2025-12-09\"/>";
    let time = "<table:table-cell office:value-type=\"time\" office:time-value=\"PT30H04M00S\"/>";
    let gap = "<table:table-cell table:number-columns-repeated=\"2\"/>";
    let tables = format!(
        "<table:table table:name=\"Cover\"/><table:table table:name=\"People\">\
         <table:table-row>{}{}{}</table:table-row>\
         <table:table-row table:number-rows-repeated=\"3\">{gap}</table:table-row>\
         <table:table-row>{number}{gap}{time}</table:table-row>\
         <table:table-row>{number}{}{day}</table:table-row></table:table>",
        cell("string", "Mobile"),
        cell("string", "Näme"),
        cell("string", "Since"),
        cell("string", "Zoë &amp; Ann"),
    );
    let (rows, form) = read(&made::ods(&tables), Format::Ods, None).unwrap();
    let expected = [
        row(1, &["Mobile", "Näme", "Since"]),
        row(5, &["6581234567", "", "", "30:04:00"]),
        row(6, &["6581234567", "Zoë & Ann", "2025-12-09"]),
    ];
    assert_eq!((rows, form.sheet.as_deref()), (expected.to_vec(), Some("People")));
}

#[test]
fn a_large_book_of_a_format_that_is_read_whole_is_refused() {
    let file = tempfile::tempfile().unwrap();
    file.set_len(101 << 20).unwrap();
    let refused = with_rows(Path::new("book"), file, Format::Xls, None, &Form::default(), &mut |_, _| Ok(()));
    assert!(matches!(refused, Err(Error::TooLarge { .. })));
}

/// A package with one sheet, and with texts that its cells may share.
fn package(sheet: &str, texts: &str) -> Vec<u8> {
    let relations =
        "<Relationships><Relationship Id='s' Type='http://x/worksheet' Target='sheet.xml'/></Relationships>";
    made::zipped(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("xl/workbook.xml", b"<workbook><sheets><sheet name='A' r:id='s'/></sheets></workbook>"),
        ("xl/_rels/workbook.xml.rels", relations.as_bytes()),
        ("xl/sharedStrings.xml", format!("<sst>{texts}</sst>").as_bytes()),
        ("xl/sheet.xml", format!("<worksheet><sheetData>{sheet}</sheetData></worksheet>").as_bytes()),
    ])
}

#[test]
fn each_form_of_a_cell_is_read() {
    let sheet = "<row><c><v>1</v></c><c t='n'><f>A1&lt;2</f><v> 1.50 </v></c><c t='str'><v>a&amp;_x000D__x0041_</v></c></row>        <row r='3'><c r='B3' t='s'><v>1</v></c><c t='s'><v>0</v></c><c r='D3' t='b'><v>1</v></c><c t='e'><v>#N/A</v></c>        <c t='d'><v>2025-12-09</v></c><c t='s'><v/></c><c r='AA3'><v>+65</v></c></row>        <x:row r='4'><x:c r='A4' t='inlineStr'><v>no</v><x:is><x:r><x:t xml:space='preserve'>a </x:t></x:r><x:r><x:t> b\r\nc         </x:t></x:r><rPh><t>spoken</t></rPh></x:is></x:c></x:row>";
    let texts = "<si/><si><t> Ann<![CDATA[ & co]]></t></si>";
    let (rows, form) = read(&package(sheet, texts), Format::Xlsx, None).unwrap();
    let far = ["", "Ann & co", "", "TRUE", "", "2025-12-09"].iter().chain(&[""; 20]).chain(&["+65"]).copied();
    let expected = [row(1, &["1", "1.5", "a&\rA"]), row(3, &far.collect::<Vec<_>>()), row(4, &["a b\nc"])];
    assert_eq!((rows, form.counts.errors()), (expected.to_vec(), 1));
}

#[test]
fn a_cell_over_its_limit_marks_its_row_in_each_format() {
    let (most, more) = ("x".repeat(32_767), "x".repeat(32_768));
    let runs = format!("<is>{}</is>", "<r><t>xxxxxxxxxx</t></r>".repeat(3_300));
    let sheet = format!(
        "<row><c t='inlineStr'><is><t>{most}</t></is></c></row><row><c t='inlineStr'><is><t>{more}</t></is></c></row>         <row><c t='s'><v>0</v></c></row><row><c t='inlineStr'>{runs}</c></row><row><c t='str'><v>{more}</v></c></row>         <row><c t='str'><v>short</v></c></row>"
    );
    let short = |text: &str| text.chars().take(9).collect::<String>();
    let marks = |rows: &Lines| {
        let mark = |(_, cells): &(u64, Vec<String>)| (short(&cells[0]), cells.last().is_some_and(|last| last == CUT));
        rows.iter().map(mark).collect::<Vec<_>>()
    };
    let (whole, cut, last) = (("xxxxxxxxx".into(), false), ("xxxxxxxxx".into(), true), ("short".into(), false));
    let of_package = read(&package(&sheet, &format!("<si><t>{more}</t></si>")), Format::Xlsx, None).unwrap().0;
    let expected: [(String, bool); 6] =
        [whole.clone(), cut.clone(), cut.clone(), cut.clone(), cut.clone(), last.clone()];
    assert_eq!(marks(&of_package), expected);
    let endless = "x".repeat(1 << 20);
    let texts = [&[Value::Text(&most)][..], &[Value::Text(&more)], &[Value::Text(&endless)], &[Value::Text("short")]];
    let of_binary = read(&made::xlsb("A", &texts), Format::Xlsb, None).unwrap().0;
    assert_eq!(marks(&of_binary), [whole, cut.clone(), cut, last]);
}

#[test]
fn a_row_over_its_limit_is_marked_and_the_next_is_read() {
    let texts = format!("<si><t>{}</t></si>", "x".repeat(30_000));
    let sheet = format!("<row>{}</row><row><c><v>7</v></c></row>", "<c t='s'><v>0</v></c>".repeat(40));
    let (rows, _) = read(&package(&sheet, &texts), Format::Xlsx, None).unwrap();
    let text: usize = rows[0].1.iter().map(String::len).sum();
    assert!(rows[0].1.last().unwrap() == CUT && text < 1 << 20, "{text}");
    assert_eq!(rows[1], row(2, &["7"]));
}

#[test]
fn texts_that_cells_repeat_too_often_are_refused() {
    let texts = format!("<si><t>{}</t></si>", "x".repeat(30_000));
    let rows = "<row><c t='s'><v>0</v></c></row>".repeat(3_000);
    assert!(matches!(read(&package(&rows, &texts), Format::Xlsx, None), Err(Error::Bomb { .. })));
    let cell = "<table:table-cell table:number-columns-repeated='100' office:value='1'/>";
    let table = format!(
        "<table:table table:name='A'><table:table-row table:number-rows-repeated='1000000'>{cell}</table:table-row></table:table>"
    );
    assert!(matches!(read(&made::ods(&table), Format::Ods, None), Err(Error::Bomb { .. })));
}

#[test]
fn a_tag_without_an_end_refuses_the_file() {
    for sheet in [format!("<row><c a='{}'/></row>", "x".repeat(2 << 20)), "<row><c><v>1</v></c".to_owned()] {
        assert!(matches!(read(&package(&sheet, ""), Format::Xlsx, None), Err(Error::Sheet { .. })));
    }
}

#[test]
fn gaps_are_empty_cells_and_cells_far_right_count_as_one() {
    let rows = rows(|book| {
        let sheet = book.add_worksheet();
        write_row(sheet, 1, &["", "a", "b", "c"])?;
        write_row(sheet, 2, &["left of the table", "", "", "3"])?;
        write_row(sheet, 4, &["", "1"])?;
        sheet.write_string(4, 16_000, "stray")?;
        sheet.write_string(4, 16_001, "another")?;
        Ok(())
    });
    let (last, others) = rows.split_last().unwrap();
    let expected = [row(2, &["", "a", "b", "c"]), row(3, &["left of the table", "", "", "3"])];
    assert_eq!(others, expected);
    assert_eq!((last.1.len(), last.1[1].as_str(), last.1[MAX_COLUMNS].as_str()), (MAX_COLUMNS + 1, "1", "stray"));
}

#[test]
fn a_cell_is_read_as_the_text_its_author_means() {
    let rows = rows(|book| {
        let sheet = book.add_worksheet();
        let format = |format: &str| CellFormat::new().set_num_format(format);
        sheet.write_number(0, 0, 6_581_234_567_f64)?;
        sheet.write_number(0, 1, 0.1 + 0.2)?;
        sheet.write_boolean(0, 2, true)?;
        sheet.write_number_with_format(0, 3, 46_000.0, &format("d/m/yyyy"))?;
        sheet.write_number_with_format(0, 4, 46_000.5, &format("d/m/yyyy hh:mm"))?;
        sheet.write_number_with_format(0, 5, 0.25, &format("hh:mm"))?;
        sheet.write_number_with_format(0, 6, 1.25, &format("[h]:mm:ss"))?;
        // A number format that contains a date letter turns a phone number into a distant day.
        sheet.write_number_with_format(0, 7, 6_581_234_567_f64, &format("m0"))?;
        Ok(())
    });
    let expected =
        ["6581234567", "0.3", "TRUE", "2025-12-09", "2025-12-09T12:00:00", "06:00:00", "30:00:00", "6581234567"];
    assert_eq!(rows, [row(1, &expected)]);
}
