//! Reads an OpenDocument spreadsheet: its tables, and the cells of one as they come.
//!
//! A row may be repeated, and so may a cell. One row is held at a time; repetitions are counted, not expanded.

use std::cell::Cell;
use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::rc::Rc;
use std::sync::Arc;

use calamine::DataRef;

use super::book::{Position, Sheet};
use super::cell::{CellText, push_limited};
use super::counts::SheetCounts;
use super::failed::Failed;
use super::package::{Budget, Package};
use super::text::{is_error, write_text};
use super::xml::{Tag, Token, Xml, unescaped};
use crate::recipients::audience::split::MAX_ROW_BYTES;
use crate::recipients::audience::table::MAX_COLUMNS;

const KIND: &[u8] = b"application/vnd.oasis.opendocument.spreadsheet";
/// The part that holds the tables.
const PART: &str = "content.xml";
/// The limit of spreadsheet programs.
const ROWS_MAX: u32 = 1 << 20;
/// Cells further to the right count as one too many.
#[expect(clippy::cast_possible_truncation, reason = "1,024")]
const COLUMNS_MAX: u32 = MAX_COLUMNS as u32 + 1;
/// Spaces that one tag stands for.
const SPACES_MAX: u32 = 1 << 14;

/// An open document.
pub(super) struct Document {
    package: Package,
    pub(super) sheets: Vec<Sheet>,
}

impl Document {
    pub(super) fn open(file: File) -> Result<(Self, Rc<Cell<u64>>), Failed> {
        let (mut package, at) = Package::open(file)?;
        let mut kind = Vec::new();
        package.known_part("mimetype")?.take(KIND.len() as u64).read_to_end(&mut kind)?;
        if kind != KIND {
            return Err("it is a document of another kind".into());
        }
        let mut manifest = package.document("META-INF/manifest.xml")?.ok_or("it has no list of its parts")?;
        while let Some(token) = manifest.next()? {
            if matches!(token, Token::Open(tag) if tag.name == b"manifest:encryption-data") {
                return Err(Failed::Locked);
            }
        }
        drop(manifest);
        let sheets = read_sheets(&mut Xml::new(package.known_part(PART)?)?)?;
        Ok((Self { package, sheets }, at))
    }

    /// The cells of a table, by its place among the tables.
    pub(super) fn cells(&mut self, table: usize, counts: Arc<SheetCounts>) -> Result<TableCells<'_>, Failed> {
        let mut xml = Xml::new(self.package.known_part(PART)?)?;
        let mut before = table + 1;
        while before > 0 {
            let token = xml.next()?.ok_or("a table is missing")?;
            before -= usize::from(matches!(token, Token::Open(tag) if named_table(tag).is_some()));
        }
        Ok(TableCells { xml, counts, row: 0, end_of_row: 0, held: HeldRow::default(), at: 0, nth: 0 })
    }
}

/// The name of a table, if the tag begins one.
fn named_table(tag: Tag<'_>) -> Option<&[u8]> {
    tag.attribute("table:name").filter(|_| tag.name == b"table:table")
}

fn read_sheets(xml: &mut Xml<'_>) -> Result<Vec<Sheet>, Failed> {
    let (mut sheets, mut budget) = (Vec::new(), Budget::new());
    let (mut style, mut hidden) = (String::new(), HashSet::new());
    while let Some(token) = xml.next()? {
        let Token::Open(tag) = token else { continue };
        if tag.name == b"style:style" {
            style = tag.text("style:name").unwrap_or_default();
        } else if tag.name == b"style:table-properties" {
            if tag.attribute("table:display") == Some(&b"false"[..]) {
                budget.spend(style.len())?;
                hidden.insert(style.clone());
            }
        } else if let Some(name) = named_table(tag) {
            budget.spend(name.len())?;
            let is_visible = !tag.text("table:style-name").is_some_and(|style| hidden.contains(&style));
            sheets.push(Sheet { name: unescaped(name), is_visible });
        }
    }
    Ok(sheets)
}

/// The cells of a table.
pub(super) struct TableCells<'a> {
    xml: Xml<'a>,
    counts: Arc<SheetCounts>,
    /// The row that is passed on, and where the repetitions of the held row end.
    row: u32,
    end_of_row: u32,
    held: HeldRow,
    /// The next cell of the held row, and which repetition of it.
    at: usize,
    nth: u32,
}

/// The filled cells of a row.
#[derive(Default)]
struct HeldRow {
    text: String,
    cells: Vec<HeldCell>,
}

struct HeldCell {
    column: u32,
    times: u32,
    /// Where its text ends.
    end: usize,
    is_too_long: bool,
    is_error: bool,
}

/// The value that a tag of a cell states.
enum Value {
    Number(f64),
    Text(String),
    Duration(String),
    Boolean(bool),
}

impl TableCells<'_> {
    /// Appends the text of the next cell and returns its position; `None` after the last.
    pub(super) fn next(&mut self, text: &mut String) -> Result<Option<Position>, Failed> {
        loop {
            if self.row >= ROWS_MAX {
                return Ok(None);
            }
            if self.row < self.end_of_row {
                if let Some(cell) = self.held.cells.get(self.at) {
                    let start = self.at.checked_sub(1).map_or(0, |before| self.held.cells[before].end);
                    let position =
                        Position { row: self.row, column: cell.column + self.nth, is_too_long: cell.is_too_long };
                    if cell.is_error {
                        self.counts.add_error();
                    } else {
                        text.push_str(&self.held.text[start..cell.end]);
                    }
                    self.nth += 1;
                    if self.nth == cell.times {
                        (self.at, self.nth) = (self.at + 1, 0);
                    }
                    return Ok(Some(position));
                }
                self.row += 1;
                self.at = 0;
            } else if !self.read_row()? {
                return Ok(None);
            }
        }
    }

    /// Reads the next row that holds a cell; false at the end of the table.
    fn read_row(&mut self) -> Result<bool, Failed> {
        loop {
            let (times, is_hidden) = match self.xml.next()?.ok_or("a table has no end")? {
                Token::Open(tag) if tag.name == b"table:table-row" => {
                    let visibility = tag.attribute("table:visibility").unwrap_or_default();
                    let is_hidden = matches!(visibility, b"collapse" | b"filter");
                    (times(tag, "table:number-rows-repeated", ROWS_MAX)?, is_hidden)
                }
                Token::Close(b"table:table") => return Ok(false),
                _ => continue,
            };
            self.read_cells()?;
            self.end_of_row = self.end_of_row.saturating_add(times);
            if self.held.cells.is_empty() {
                self.row = self.end_of_row;
                continue;
            }
            self.row = self.end_of_row - times;
            (self.at, self.nth) = (0, 0);
            self.counts.add_hidden_rows(if is_hidden { u64::from(times) } else { 0 });
            return Ok(true);
        }
    }

    /// Reads the cells of a row up to its end.
    fn read_cells(&mut self) -> Result<(), Failed> {
        self.held.text.clear();
        self.held.cells.clear();
        let (mut column, mut value) = (0_u32, CellText::default());
        loop {
            let tag = match self.xml.next()?.ok_or("a row has no end")? {
                Token::Open(tag) if matches!(tag.name, b"table:table-cell" | b"table:covered-table-cell") => tag,
                Token::Close(b"table:table-row") => return Ok(()),
                _ => continue,
            };
            let times = times(tag, "table:number-columns-repeated", COLUMNS_MAX)?;
            let rows = tag.attribute("table:number-rows-spanned").and_then(|rows| std::str::from_utf8(rows).ok());
            let is_merged = rows.and_then(|rows| rows.parse::<u64>().ok()).is_some_and(|rows| rows > 1);
            self.counts.add_merged(u64::from(is_merged));
            let (stated, has_own_text) = stated_value(tag)?;
            value.clear();
            read_content(&mut self.xml, has_own_text.then_some(&mut value))?;
            let place = (column, times.min(COLUMNS_MAX.saturating_sub(column)));
            column = column.saturating_add(times);
            if place.1 > 0 {
                self.held.add(place, stated.filter(|_| !has_own_text), has_own_text.then_some(&value));
            }
        }
    }
}

impl HeldRow {
    /// Adds a cell, at a column and with the number of its repetitions. One without a value is left out.
    fn add(&mut self, (column, times): (u32, u32), stated: Option<Value>, own: Option<&CellText>) {
        let before = self.text.len();
        let mut is_too_long = false;
        match (stated, own) {
            (_, Some(own)) => is_too_long = own.write_to(&mut self.text),
            (Some(Value::Text(text)), None) => is_too_long = push_limited(&mut self.text, &text, false),
            (Some(Value::Number(number)), None) => _ = write_text(&mut self.text, &DataRef::Float(number)),
            (Some(Value::Duration(text)), None) => _ = write_text(&mut self.text, &DataRef::DurationIso(text)),
            (Some(Value::Boolean(truth)), None) => _ = write_text(&mut self.text, &DataRef::Bool(truth)),
            (None, None) => return,
        }
        if self.text.len() > MAX_ROW_BYTES {
            self.text.truncate(before);
            is_too_long = true;
        }
        // The format has no type of errors: the text that is shown says it.
        let is_error = is_error(&self.text[before..]);
        self.cells.push(HeldCell { column, times, end: self.text.len(), is_too_long, is_error });
    }
}

/// The value that a tag states, and whether the text within the cell is its value instead.
fn stated_value(tag: Tag<'_>) -> Result<(Option<Value>, bool), Failed> {
    let (mut value, mut is_text, mut may_be_error) = (None, false, false);
    for (name, raw) in tag.attributes() {
        match name {
            b"office:value" if value.is_none() => {
                let number = std::str::from_utf8(raw).ok().and_then(|text| text.trim().parse().ok());
                value = Some(Value::Number(number.ok_or("a number is no number")?));
            }
            b"office:string-value" | b"office:date-value" if value.is_none() => {
                value = Some(Value::Text(unescaped(raw)));
            }
            b"office:time-value" if value.is_none() => value = Some(Value::Duration(unescaped(raw))),
            b"office:boolean-value" if value.is_none() => {
                value = Some(Value::Boolean(raw.eq_ignore_ascii_case(b"true")));
            }
            b"office:value-type" => is_text = raw == b"string",
            b"calcext:value-type" => may_be_error = raw == b"error",
            _ => {}
        }
    }
    let is_blank = matches!(&value, Some(Value::Text(text)) if text.is_empty());
    let has_own_text = (value.is_none() && is_text) || (may_be_error && is_blank);
    Ok((value, has_own_text))
}

/// Reads up to the end of a cell. Its text is appended to `value`: the paragraphs as lines, without annotations.
fn read_content(xml: &mut Xml<'_>, mut value: Option<&mut CellText>) -> Result<(), Failed> {
    let (mut paragraphs, mut open, mut annotations) = (0_u64, false, 0_u64);
    loop {
        let token = xml.next()?.ok_or("a cell has no end")?;
        match token {
            Token::Open(Tag { name: b"office:annotation", .. }) => annotations += 1,
            Token::Close(b"office:annotation") => annotations = annotations.saturating_sub(1),
            Token::Close(b"table:table-cell" | b"table:covered-table-cell") if annotations == 0 => return Ok(()),
            _ => {}
        }
        let Some(value) = value.as_mut().filter(|_| annotations == 0) else { continue };
        match token {
            Token::Open(tag) => match tag.name {
                b"text:p" => {
                    if paragraphs > 0 {
                        value.push(b"\n");
                    }
                    (paragraphs, open) = (paragraphs + 1, true);
                }
                b"text:s" => {
                    for _ in 0..times(tag, "text:c", SPACES_MAX)? {
                        value.push(b" ");
                    }
                }
                b"text:tab" => value.push(b"\t"),
                b"text:line-break" => value.push(b"\n"),
                _ => {}
            },
            Token::Close(b"text:p") => open = false,
            Token::Text(raw) if open => value.push_escaped(raw),
            Token::Plain(text) if open => value.push(text),
            Token::Close(_) | Token::Text(_) | Token::Plain(_) => {}
        }
    }
}

/// How often something is repeated: once without the attribute.
fn times(tag: Tag<'_>, attribute: &str, max: u32) -> Result<u32, Failed> {
    let Some(raw) = tag.attribute(attribute) else { return Ok(1) };
    let number =
        std::str::from_utf8(raw).ok().and_then(|text| text.parse::<u64>().ok()).ok_or("a number is missing")?;
    Ok(u32::try_from(number).unwrap_or(max).min(max))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::made::ods;
    use super::*;

    /// A cell: its row, its column and its text.
    type Cell = (u32, u32, String);

    /// The cells of the first table.
    fn cells(tables: &str) -> Result<(Vec<Cell>, Arc<SheetCounts>), Failed> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&ods(tables)).unwrap();
        let (mut document, _) = Document::open(file)?;
        let counts = Arc::new(SheetCounts::default());
        let mut cells = document.cells(0, Arc::clone(&counts))?;
        let mut read = Vec::new();
        loop {
            let mut text = String::new();
            let Some(Position { row, column, is_too_long }) = cells.next(&mut text)? else { break };
            read.push((row, column, if is_too_long { "too long".to_owned() } else { text }));
        }
        Ok((read, counts))
    }

    /// A table of rows, each given as the attributes of its tag and its cells.
    fn table(rows: &[(&str, &str)]) -> String {
        let row =
            |(attributes, cells): &(&str, &str)| format!("<table:table-row {attributes}>{cells}</table:table-row>");
        let rows: String = rows.iter().map(row).collect();
        format!("<table:table table:name=\"A &amp; B\">{rows}</table:table>")
    }

    fn text(text: &str) -> String {
        format!("<table:table-cell office:value-type=\"string\">{text}</table:table-cell>")
    }

    #[test]
    fn repeated_rows_and_cells_are_passed_on_at_each_place() {
        let two = "<table:table-cell table:number-columns-repeated=\"2\" office:value=\"1\"/>";
        let gap = "<table:covered-table-cell table:number-columns-repeated='3'/>";
        let rows = table(&[
            ("table:number-rows-repeated=\"3\"", gap),
            ("table:number-rows-repeated=\"2\"", &format!("{two}{gap}{}", text("<text:p>x</text:p>"))),
            ("table:number-rows-repeated=\"1048576\"", gap),
        ]);
        let expected = [3, 4].into_iter().flat_map(|row| [(row, 0, "1"), (row, 1, "1"), (row, 5, "x")]);
        let expected: Vec<_> = expected.map(|(row, column, text)| (row, column, text.to_owned())).collect();
        assert_eq!(cells(&rows).unwrap().0, expected);
        let far = "<table:table-cell table:number-columns-repeated=\"4294967296\" office:value=\"1\"/>";
        assert_eq!(cells(&table(&[("", far)])).unwrap().0.len(), MAX_COLUMNS + 1);
    }

    #[test]
    fn the_text_of_a_cell_is_its_paragraphs_without_annotations() {
        let cell = text(
            "<office:annotation><text:p>note</text:p></office:annotation><text:p>a<text:s text:c=\"2\"/>\
             <text:span>b&amp;</text:span></text:p> <text:p>c<text:tab/><![CDATA[<d>]]></text:p>",
        );
        let error = "<table:table-cell office:value-type=\"string\" office:string-value=\"\" \
                     calcext:value-type=\"error\"><text:p>#N/A</text:p></table:table-cell>";
        let (read, counts) = cells(&table(&[("", &(cell + error))])).unwrap();
        assert_eq!(read, [(0, 0, "a  b&\nc\t<d>".to_owned()), (0, 1, String::new())]);
        assert_eq!(counts.errors(), 1);
    }

    #[test]
    fn a_cell_or_a_row_over_the_limit_is_named_and_the_next_is_read() {
        let long = "x".repeat(40_000);
        let own = text(&format!("<text:p>{long}</text:p>"));
        let stated = format!("<table:table-cell office:string-value=\"{long}\"/>");
        let spaces = text(
            "<text:p><text:s text:c=\"4000000000\"/><text:s text:c=\"4000000000\"/></text:p><text:p><text:s text:c=\"4000000000\"/></text:p>",
        );
        let many = text(&format!("<text:p>{}</text:p>", "y".repeat(32_000))).repeat(40);
        let rows = table(&[("", &own), ("", &stated), ("", &spaces), ("", &many), ("", &text("<text:p>z</text:p>"))]);
        let (read, _) = cells(&rows).unwrap();
        let of = |row| read.iter().filter(move |cell| cell.0 == row).map(|cell| cell.2.as_str()).collect::<Vec<_>>();
        assert_eq!([of(0), of(1), of(2), of(4)], [["too long"], ["too long"], ["too long"], ["z"]]);
        assert!(of(3).contains(&"too long") && of(3)[0].len() == 32_000);
    }

    #[test]
    fn a_document_without_an_end_is_refused() {
        for cut in ["<table:table table:name='a'>", "<table:table table:name='a'><table:table-row><table:table-cell>"] {
            let whole = format!("{cut}<!-- >");
            assert!(cells(&whole).is_err(), "{cut}");
        }
        let row = "<table:table table:name='a'><table:table-row><table:table-cell office:value='1'/>";
        assert!(cells(row).is_err());
    }

    #[test]
    fn hidden_rows_are_counted_only_if_they_hold_a_cell() {
        let merged = "<table:table-cell table:number-rows-spanned=\"2\" office:value=\"1\"/>";
        let rows = table(&[
            ("", merged),
            ("table:visibility=\"filter\" table:number-rows-repeated=\"3\"", merged),
            ("table:visibility=\"collapse\"", merged),
            ("table:visibility=\"collapse\" table:number-rows-repeated=\"1000\"", ""),
        ]);
        let counts = cells(&rows).unwrap().1;
        assert_eq!((counts.hidden_rows(), counts.merged()), (4, 3));
    }
}
