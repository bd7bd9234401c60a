//! Reads an XLSX workbook: its sheets, its shared texts, and the cells of a sheet as they come.

use std::cell::Cell;
use std::fs::File;
use std::rc::Rc;
use std::str::FromStr;
use std::sync::Arc;

use calamine::DataRef;

use super::book::{Position, Sheet};
use super::cell::{CellText, SharedTexts};
use super::counts::SheetCounts;
use super::failed::Failed;
use super::formats::{Formats, NumberFormat};
use super::package::{Budget, Package, Relation};
use super::text::write_text;
use super::xml::{Tag, Token, Xml, local, unescaped};

/// An open workbook.
pub(super) struct Workbook {
    package: Package,
    pub(super) sheets: Vec<Sheet>,
    /// The part of each sheet.
    parts: Vec<String>,
    texts: SharedTexts,
    formats: Formats,
}

impl Workbook {
    pub(super) fn open(file: File, memory: usize) -> Result<(Self, Rc<Cell<u64>>), Failed> {
        let (mut package, at) = Package::open(file)?;
        let mut budget = Budget::new();
        let of_package = package.relations("", &mut budget)?;
        let book = of_package.into_iter().find(|of| of.kind == "officeDocument").map(|of| of.target);
        let book = book.unwrap_or_else(|| "xl/workbook.xml".to_owned());
        let relations = package.relations(&book, &mut budget)?;
        let target = |kind: &str| relations.iter().find(|of| of.kind == kind).map(|of| of.target.as_str());
        let texts = read_texts(&mut package, target("sharedStrings").unwrap_or("xl/sharedStrings.xml"), memory)?;
        let mut formats = Formats::default();
        read_styles(&mut package, target("styles").unwrap_or("xl/styles.xml"), &mut formats, &mut budget)?;
        let (sheets, parts) = read_sheets(&mut package, &book, &relations, &mut formats, &mut budget)?;
        Ok((Self { package, sheets, parts, texts, formats }, at))
    }

    /// The cells of a sheet, by its place among the sheets.
    pub(super) fn cells(&mut self, sheet: usize, counts: Arc<SheetCounts>) -> Result<SheetCells<'_>, Failed> {
        let part = self.package.known_part(self.parts.get(sheet).map_or("", String::as_str))?;
        Ok(SheetCells {
            xml: Xml::new(part)?,
            texts: &self.texts,
            formats: &self.formats,
            counts,
            row: 0,
            column: 0,
            value: CellText::default(),
        })
    }
}

fn read_texts(package: &mut Package, part: &str, memory: usize) -> Result<SharedTexts, Failed> {
    let mut texts = SharedTexts::new(memory);
    let Some(mut document) = package.document(part)? else { return Ok(texts) };
    let mut value = CellText::default();
    while let Some(token) = document.next()? {
        if let Token::Open(tag) = token
            && local(tag.name) == b"si"
        {
            value.clear();
            read_text(&mut document, b"si", &mut value)?;
            if !texts.add(|text| value.write_to(text)) {
                return Err(Failed::TooHeavy);
            }
        }
    }
    Ok(texts)
}

/// Reads the text of an element up to its end: one `t`, or the `t` of each run. The way it is spoken is left out.
fn read_text(document: &mut Xml<'_>, end: &[u8], value: &mut CellText) -> Result<(), Failed> {
    // Where the text of an open `t` begins, and whether it is trimmed.
    let mut open: Option<(usize, bool)> = None;
    let mut is_spoken = false;
    loop {
        match document.next()?.ok_or("a text has no end")? {
            Token::Open(tag) => match local(tag.name) {
                b"t" if !is_spoken => {
                    let is_trimmed = tag.attribute("xml:space") != Some(&b"preserve"[..]);
                    open = Some((value.len(), is_trimmed));
                }
                b"rPh" => is_spoken = true,
                _ => {}
            },
            Token::Close(name) => match local(name) {
                b"t" => {
                    if let Some((start, is_trimmed)) = open.take() {
                        if is_trimmed {
                            value.trim_from(start);
                        }
                        value.replace_wide_escapes_from(start);
                    }
                }
                b"rPh" => is_spoken = false,
                name if name == end => return Ok(()),
                _ => {}
            },
            Token::Text(raw) if open.is_some() => value.push_escaped(raw),
            Token::Plain(text) if open.is_some() => value.push(text),
            Token::Text(_) | Token::Plain(_) => {}
        }
    }
}

fn read_styles(package: &mut Package, part: &str, formats: &mut Formats, budget: &mut Budget) -> Result<(), Failed> {
    let Some(mut document) = package.document(part)? else { return Ok(()) };
    let mut are_of_cells = false;
    while let Some(token) = document.next()? {
        match token {
            Token::Open(tag) => match local(tag.name) {
                b"numFmt" => {
                    if let (Some(id), Some(code)) = (number(tag, "numFmtId"), tag.text("formatCode")) {
                        formats.add_own(id, &code, budget)?;
                    }
                }
                b"cellXfs" => are_of_cells = true,
                b"xf" if are_of_cells => formats.add_style(number(tag, "numFmtId").unwrap_or(0), budget)?,
                _ => {}
            },
            Token::Close(name) if local(name) == b"cellXfs" => are_of_cells = false,
            Token::Close(_) | Token::Text(_) | Token::Plain(_) => {}
        }
    }
    Ok(())
}

/// Returns the worksheets and their parts, in order.
fn read_sheets(
    package: &mut Package,
    book: &str,
    relations: &[Relation],
    formats: &mut Formats,
    budget: &mut Budget,
) -> Result<(Vec<Sheet>, Vec<String>), Failed> {
    let (mut sheets, mut parts): (Vec<Sheet>, Vec<String>) = Default::default();
    let mut document = package.document(book)?.ok_or("it has no workbook")?;
    while let Some(token) = document.next()? {
        let Token::Open(tag) = token else { continue };
        match local(tag.name) {
            b"workbookPr" => {
                let is_set = |value: &[u8]| value == b"1" || value == b"true";
                formats.counts_from_1904 |= tag.attribute("date1904").is_some_and(is_set);
            }
            b"sheet" => {
                let name = tag.text("name").unwrap_or_default();
                let id = tag.attributes().find(|(name, _)| name.ends_with(b":id") || *name == b"id");
                let id = id.map(|(_, value)| unescaped(value)).unwrap_or_default();
                let relation = relations.iter().find(|of| of.id == id).ok_or("a sheet has no part")?;
                // Sheets that share a part are no sheets of a spreadsheet program.
                if relation.kind == "worksheet" && !parts.contains(&relation.target) {
                    budget.spend(name.len() + relation.target.len())?;
                    let is_visible = !matches!(tag.attribute("state"), Some(b"hidden" | b"veryHidden"));
                    sheets.push(Sheet { name, is_visible });
                    parts.push(relation.target.clone());
                }
            }
            _ => {}
        }
    }
    Ok((sheets, parts))
}

fn number<T: FromStr>(tag: Tag<'_>, attribute: &str) -> Option<T> {
    parsed(tag.attribute(attribute)?)
}

fn parsed<T: FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// The cells of a sheet.
pub(super) struct SheetCells<'a> {
    xml: Xml<'a>,
    texts: &'a SharedTexts,
    formats: &'a Formats,
    counts: Arc<SheetCounts>,
    /// Of the next cell that does not name its place.
    row: u32,
    column: u32,
    value: CellText,
}

/// The type of a cell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    /// A number, else a text.
    Unsaid,
    Shared,
    Inline,
    Text,
    Boolean,
    Error,
}

impl SheetCells<'_> {
    /// Appends the text of the next cell and returns its position; `None` after the last.
    pub(super) fn next(&mut self, text: &mut String) -> Result<Option<Position>, Failed> {
        loop {
            match self.xml.next()?.ok_or("a sheet has no end")? {
                Token::Open(tag) => match local(tag.name) {
                    b"row" => {
                        for (name, value) in tag.attributes() {
                            match name {
                                b"r" => self.row = place(value)?.0,
                                b"hidden" if value == b"1" || value == b"true" => self.counts.add_hidden_rows(1),
                                _ => {}
                            }
                        }
                    }
                    b"c" => {
                        let (mut kind, mut format) = (Kind::Unsaid, NumberFormat::Number);
                        for (name, value) in tag.attributes() {
                            match name {
                                b"r" => (self.row, self.column) = whole_place(value)?,
                                b"s" => format = self.formats.of_style(parsed(value).unwrap_or(0)),
                                b"t" => kind = Kind::of(value)?,
                                _ => {}
                            }
                        }
                        let position = (self.row, self.column);
                        self.column = self.column.saturating_add(1);
                        let is_too_long = self.read_value(kind, format, text)?;
                        return Ok(Some(Position { row: position.0, column: position.1, is_too_long }));
                    }
                    _ => {}
                },
                Token::Close(name) => match local(name) {
                    b"row" => (self.row, self.column) = (self.row.saturating_add(1), 0),
                    b"sheetData" => {
                        self.find_merged();
                        return Ok(None);
                    }
                    // Charts and the like have no cells.
                    name if name.ends_with(b"sheet") => return Ok(None),
                    _ => {}
                },
                Token::Text(_) | Token::Plain(_) => {}
            }
        }
    }

    /// Reads up to the end of the cell and appends its text. Returns whether it is over the limit.
    fn read_value(&mut self, kind: Kind, format: NumberFormat, text: &mut String) -> Result<bool, Failed> {
        self.value.clear();
        let (mut is_open, mut is_inline) = (false, kind == Kind::Inline);
        loop {
            match self.xml.next()?.ok_or("a cell has no end")? {
                Token::Open(tag) => match local(tag.name) {
                    // The value of a cell with a text of its own is a repetition of that.
                    b"v" => is_open = !is_inline,
                    b"is" => {
                        is_inline = true;
                        self.value.clear();
                        read_text(&mut self.xml, b"is", &mut self.value)?;
                    }
                    _ => {}
                },
                Token::Close(name) => match local(name) {
                    b"v" => is_open = false,
                    b"c" => break,
                    _ => {}
                },
                Token::Text(raw) if is_open => self.value.push_escaped(raw),
                Token::Plain(plain) if is_open => self.value.push(plain),
                Token::Text(_) | Token::Plain(_) => {}
            }
        }
        if is_inline { Ok(self.value.write_to(text)) } else { self.write_value(kind, format, text) }
    }

    fn write_value(&mut self, kind: Kind, format: NumberFormat, text: &mut String) -> Result<bool, Failed> {
        if matches!(kind, Kind::Inline | Kind::Text) {
            self.value.replace_wide_escapes_from(0);
            return Ok(self.value.write_to(text));
        }
        let value = self.value.bytes();
        let trimmed = value.trim_ascii();
        match kind {
            Kind::Inline | Kind::Text => {}
            _ if trimmed.is_empty() => {}
            Kind::Shared => {
                let shared = parsed(trimmed).and_then(|at| self.texts.get(at));
                let (shared, is_too_long) = shared.ok_or("a cell names a text that does not exist")?;
                text.push_str(shared);
                return Ok(is_too_long);
            }
            // A whole number of few digits is shown as it is written.
            Kind::Unsaid | Kind::Number if format == NumberFormat::Number && is_short_and_whole(value) => {
                text.extend(value.iter().map(|digit| char::from(*digit)));
            }
            // A plus belongs to a phone number.
            Kind::Unsaid | Kind::Number => match parsed(trimmed).filter(|_| trimmed[0] != b'+') {
                Some(number) => _ = write_text(text, &self.formats.value(number, format)),
                None if kind == Kind::Unsaid => return Ok(self.value.write_to(text)),
                None => return Err("a number is no number".into()),
            },
            Kind::Boolean => {
                let is_true = match trimmed.to_ascii_lowercase().as_slice() {
                    b"1" | b"true" => true,
                    b"0" | b"false" => false,
                    _ => return Err("a cell is neither true nor false".into()),
                };
                write_text(text, &DataRef::Bool(is_true));
            }
            Kind::Error => self.counts.add_error(),
        }
        Ok(false)
    }

    /// Counts the merged areas of several rows, which follow the cells. What cannot be read there has none.
    fn find_merged(&mut self) {
        while let Ok(Some(token)) = self.xml.next() {
            let Token::Open(tag) = token else { continue };
            if local(tag.name) != b"mergeCell" {
                continue;
            }
            let area = tag.attribute("ref").unwrap_or_default();
            let mut ends = area.split(|byte| *byte == b':').filter_map(|end| place(end).ok());
            if let (Some((from, _)), Some((to, _))) = (ends.next(), ends.next()) {
                self.counts.add_merged(u64::from(from != to));
            }
        }
    }
}

impl Kind {
    fn of(name: &[u8]) -> Result<Self, Failed> {
        Ok(match name {
            b"n" => Self::Number,
            b"s" => Self::Shared,
            b"inlineStr" | b"is" => Self::Inline,
            b"str" | b"d" => Self::Text,
            b"b" => Self::Boolean,
            b"e" => Self::Error,
            _ => return Err("a cell has an unknown type".into()),
        })
    }
}

fn is_short_and_whole(digits: &[u8]) -> bool {
    digits.len() <= 15 && (digits[0] != b'0' || digits.len() == 1) && digits.iter().all(u8::is_ascii_digit)
}

/// Row and column of a reference such as `B7`, from zero.
fn whole_place(reference: &[u8]) -> Result<(u32, u32), Failed> {
    let (row, column) = place(reference)?;
    Ok((row, column.ok_or("a cell names no column")?))
}

/// Row and column of a reference such as `B7` or `7`, from zero.
fn place(reference: &[u8]) -> Result<(u32, Option<u32>), Failed> {
    let letters = reference.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (letters, digits) = reference.split_at(letters);
    let number = |base: u32| move |number: u32, digit: u32| number.checked_mul(base)?.checked_add(digit);
    let column = letters.iter().map(|letter| u32::from(letter.to_ascii_uppercase() - b'A') + 1);
    let column = column.clone().try_fold(0, number(26));
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let row = digits.iter().map(|digit| u32::from(digit.wrapping_sub(b'0'))).filter(|_| is_number);
    let row = row.clone().try_fold(0, number(10)).and_then(|row: u32| row.checked_sub(1));
    match (row, column) {
        (Some(row), Some(column)) => Ok((row, column.checked_sub(1))),
        _ => Err("a reference to a cell is no reference".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_wrong_ones_refused() {
        let read = |text: &str| place(text.as_bytes()).ok();
        assert_eq!(read("A1"), Some((0, Some(0))));
        assert_eq!(read("xfd1048576"), Some((1_048_575, Some(16_383))));
        assert_eq!(read("7"), Some((6, None)));
        for wrong in ["", "A", "A0", "0", "1A", "A1B", "ZZZZZZZZ1", "A99999999999", "é1", "$A$1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
