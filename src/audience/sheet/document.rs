//! Inspects an OpenDocument spreadsheet before it is read.
//!
//! The reader holds all of it in memory, expands its repetitions, and never stops searching for the end of a tag.

use std::fs::File;
use std::io::{BufReader, Read};

use memchr::memmem;
use zip::ZipArchive;

use super::Unseen;
use super::package::{CELLS_MAX, WHOLE_MAX};
use super::xml::{attribute, name, tags, unescaped};

/// The part that holds the tables.
pub(super) const PART: &str = "content.xml";
/// Nesting of tags.
const DEPTH_MAX: usize = 1_000;
/// Limits of the format.
const ROWS_MAX: u64 = 1 << 20;
const COLUMNS_MAX: u64 = 1 << 14;

/// Returns what is not shown of each table, by name; `None` if the document is too large or has no end.
///
/// A file that is not a document is left to the reader, which refuses it.
pub(super) fn inspect(file: &mut File) -> Option<Vec<(String, Unseen)>> {
    let Ok(mut archive) = ZipArchive::new(BufReader::new(file)) else { return Some(Vec::new()) };
    let Ok(mut content) = archive.by_name(PART) else { return Some(Vec::new()) };
    scan(&mut content, WHOLE_MAX)
}

fn scan(content: &mut dyn Read, max: u64) -> Option<Vec<(String, Unseen)>> {
    let mut document = Document::default();
    let mut limited = content.take(max + 1);
    let read = tags(&mut limited, &mut |tag, passed| document.add(tag, passed));
    // Content that cannot be unpacked to its end has no end for the reader either.
    (read.is_ok() && limited.limit() > 0 && document.open.is_empty() && !document.is_broken).then_some(document.tables)
}

#[derive(Default)]
struct Document {
    open: Vec<Vec<u8>>,
    is_broken: bool,
    tables: Vec<(String, Unseen)>,
    table: Table,
    row: Row,
    /// Cells and bytes of all tables once their repetitions are expanded.
    cells: u64,
    bytes: u64,
    /// The end of the last tag.
    passed: u64,
    cell: Option<Cell>,
}

/// The cell that is open.
struct Cell {
    times: u64,
    /// Bytes of text.
    bytes: u64,
}

#[derive(Default)]
struct Table {
    unseen: Unseen,
    rows: u64,
    /// Rows up to the last one with a filled cell.
    filled: u64,
    width: u64,
}

#[derive(Default)]
struct Row {
    times: u64,
    width: u64,
    /// Blank cells since the last filled one; they do not count at the end of a row.
    blank: u64,
    bytes: u64,
    is_hidden: bool,
}

impl Document {
    /// Adds a tag; false once the document is known to be broken or too large.
    fn add(&mut self, tag: &[u8], passed: u64) -> bool {
        let before = std::mem::replace(&mut self.passed, passed);
        if let Some(cell) = &mut self.cell {
            let marks = if tag.starts_with(b"![CDATA[") { 0 } else { tag.len() as u64 + 2 };
            cell.bytes += (passed - before).saturating_sub(marks);
        }
        let is_alone = tag.ends_with(b"/");
        match name(tag) {
            b"table:table" => self.begin_table(tag),
            b"/table:table" => self.end_table(),
            b"table:table-row" => self.begin_row(tag),
            b"/table:table-row" => self.end_row(),
            b"table:table-cell" | b"table:covered-table-cell" => {
                self.begin_cell(tag);
                if is_alone {
                    self.end_cell(is_blank(tag));
                }
            }
            b"/table:table-cell" | b"/table:covered-table-cell" => self.end_cell(false),
            _ => {}
        }
        match name(tag) {
            [b'/', closed @ ..] => self.is_broken |= self.open.pop().is_none_or(|opened| opened != closed),
            [b'!' | b'?', ..] => {}
            _ if is_alone => {}
            opened => self.open.push(opened.to_vec()),
        }
        let area = self.table.filled.saturating_mul(self.table.width);
        self.is_broken |= self.open.len() > DEPTH_MAX
            || self.cells.saturating_add(area).saturating_add(self.row.width) > CELLS_MAX
            || self.bytes > WHOLE_MAX;
        !self.is_broken
    }

    fn begin_table(&mut self, tag: &[u8]) {
        self.table = Table::default();
        self.tables.extend(attribute(tag, "table:name").map(|name| (unescaped(name), Unseen::default())));
    }

    fn end_table(&mut self) {
        let table = std::mem::take(&mut self.table);
        self.cells = self.cells.saturating_add(table.filled.saturating_mul(table.width));
        if let Some((_, unseen)) = self.tables.last_mut() {
            *unseen = table.unseen;
        }
    }

    fn begin_row(&mut self, tag: &[u8]) {
        let is_hidden = matches!(attribute(tag, "table:visibility"), Some("collapse" | "filter"));
        self.row = Row { times: times(tag, "table:number-rows-repeated", ROWS_MAX), is_hidden, ..Row::default() };
    }

    fn end_row(&mut self) {
        let row = std::mem::take(&mut self.row);
        self.table.rows = (self.table.rows + row.times).min(ROWS_MAX);
        if row.width > 0 {
            self.table.filled = self.table.rows;
            self.table.width = self.table.width.max(row.width);
            self.bytes = self.bytes.saturating_add(row.bytes.saturating_mul(row.times));
            self.table.unseen.hidden_rows += if row.is_hidden { row.times } else { 0 };
        }
    }

    fn begin_cell(&mut self, tag: &[u8]) {
        let texts = ["office:string-value", "table:formula"].into_iter().filter_map(|name| attribute(tag, name));
        let bytes = texts.map(|text| text.len() as u64).sum();
        self.cell = Some(Cell { times: times(tag, "table:number-columns-repeated", COLUMNS_MAX), bytes });
        let rows = attribute(tag, "table:number-rows-spanned").and_then(|rows| rows.parse::<u64>().ok());
        self.table.unseen.merged += u64::from(rows.is_some_and(|rows| rows > 1));
    }

    fn end_cell(&mut self, is_blank: bool) {
        let Some(Cell { times, bytes }) = self.cell.take() else { return };
        if is_blank {
            self.row.blank = (self.row.blank + times).min(COLUMNS_MAX);
            return;
        }
        self.row.width = (self.row.width + std::mem::take(&mut self.row.blank) + times).min(COLUMNS_MAX);
        self.row.bytes = self.row.bytes.saturating_add(bytes.saturating_mul(times));
    }
}

/// How often an element is repeated: once without the attribute.
fn times(tag: &[u8], attribute_name: &str, max: u64) -> u64 {
    attribute(tag, attribute_name).and_then(|text| text.parse().ok()).unwrap_or(1).min(max)
}

fn is_blank(tag: &[u8]) -> bool {
    [&b"office:value"[..], b"table:formula"].iter().all(|value| memmem::find(tag, value).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspect(content: &str) -> Option<Vec<(String, Unseen)>> {
        scan(&mut content.as_bytes(), 100 << 20)
    }

    #[test]
    fn a_small_document_with_too_many_cells_or_no_end_is_refused() {
        let row =
            |cell: &str| format!("<table:table-row>{cell}<table:table-cell>x</table:table-cell></table:table-row>");
        let wide = "<table:table-cell note='>' table:number-columns-repeated=\"16383\"/>";
        let heavy = |cell: &str, rows: usize| inspect(&row(cell).repeat(rows)).is_none();
        assert!(heavy("<table:covered-table-cell><!-- ></table:covered-table-cell> -->", 1), "no end");
        assert!(heavy("<table:table-cell a='>", 1) && !heavy("<?xml a=\"?>", 1));
        assert!(!heavy("<!-- it's ></table:table-row> --><![CDATA[</a>]]>", 1));
        assert!(heavy(wide, 1_300));
        assert!(!heavy(wide, 1_000));
        // Every document has blank cells after the last filled one; they do not count.
        let blank = "<table:table-row><table:table-cell>x</table:table-cell>".to_owned() + wide + "</table:table-row>";
        assert!(inspect(&blank.repeat(2_000)).is_some());
    }

    /// A table of rows, each given as the attributes of its tag and its cells.
    fn table(rows: &[(&str, &str)]) -> String {
        let row =
            |(attributes, cells): &(&str, &str)| format!("<table:table-row {attributes}>{cells}</table:table-row>");
        let rows: String = rows.iter().map(row).collect();
        format!("<table:table table:name=\"A &amp; B\">{rows}</table:table>")
    }

    const CELL: &str = "<table:table-cell><text:p>x</text:p></table:table-cell>";

    #[test]
    fn repeated_rows_and_cells_count_as_if_expanded() {
        let rows = |times: u32| format!("table:number-rows-repeated=\"{times}\"");
        let cells =
            |times: u32| format!("<table:table-cell table:number-columns-repeated=\"{times}\" office:value=\"1\"/>");
        let heavy = |tables: &str| inspect(tables).is_none();
        assert!(!heavy(&table(&[(&rows(100_000), &cells(100))])));
        assert!(heavy(&table(&[(&rows(100_000), &cells(300))])));
        // A wide row far down makes every row above it as wide.
        assert!(heavy(&table(&[("", CELL), (&rows(999_999), ""), ("", &cells(30))])));
        assert!(!heavy(&table(&[("", CELL), (&rows(999_999), "")])));
        assert!(heavy(&table(&[(&rows(100_000), &cells(150))]).repeat(2)), "both tables are in memory at once");
        let long =
            CELL.replace('x', &"x".repeat(10_000)).replace("cell>", "cell table:number-columns-repeated=\"100\">");
        let long = long.replace("</table:table-cell table:number-columns-repeated=\"100\">", "</table:table-cell>");
        assert!(!heavy(&table(&[(&rows(100), &long)])));
        assert!(heavy(&table(&[(&rows(1_000), &long)])));
    }

    #[test]
    fn hidden_rows_are_counted_only_if_they_hold_a_cell() {
        let merged = CELL.replace("cell><", "cell table:number-rows-spanned=\"2\"><");
        let rows = table(&[
            ("", &merged),
            ("table:visibility=\"filter\" table:number-rows-repeated=\"3\"", CELL),
            ("table:visibility=\"collapse\"", CELL),
            ("table:visibility=\"collapse\" table:number-rows-repeated=\"1000\"", ""),
        ]);
        assert_eq!(inspect(&rows).unwrap(), [("A & B".to_owned(), Unseen { hidden_rows: 4, merged: 1 })]);
    }
}
