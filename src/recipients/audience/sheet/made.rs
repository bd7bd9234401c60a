//! Writes test spreadsheets in formats that no crate writes, with the minimum that their readers need.

use std::io::{Cursor, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// The value of a cell.
pub(in crate::recipients::audience) enum Value<'a> {
    Text(&'a str),
    Number(f64),
    /// Days since 1900.
    Day(f64),
    Empty,
}

pub(in crate::recipients::audience) fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// The files of a package, with their names.
pub(in crate::recipients::audience) fn unzipped(package: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(package)).unwrap();
    let indexes = 0..archive.len();
    let file = |index| {
        let mut file = archive.by_index(index).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        (file.name().unwrap().into_owned(), bytes)
    };
    indexes.map(file).collect()
}

/// A binary workbook (MS-XLSB) with one sheet.
pub(in crate::recipients::audience) fn xlsb(sheet: &str, rows: &[&[Value<'_>]]) -> Vec<u8> {
    xlsb_with(sheet, rows, &[], &[])
}

/// The same with hidden rows, and with merged areas of the first column, each given as first and last row.
pub(in crate::recipients::audience) fn xlsb_with(
    sheet: &str,
    rows: &[&[Value<'_>]],
    hidden: &[u32],
    merged: &[(u32, u32)],
) -> Vec<u8> {
    let mut book = Vec::new();
    record(&mut book, 0x99, &[0; 12]);
    let bundle = [&0_u32.to_le_bytes()[..], &1_u32.to_le_bytes(), &wide("rId1"), &wide(sheet)].concat();
    record(&mut book, 0x9c, &bundle);
    record(&mut book, 0x90, &[]);
    record(&mut book, 0x9d, &[]);
    // Two cell formats: plain and date.
    let mut styles = Vec::new();
    record(&mut styles, 0x269, &2_u32.to_le_bytes());
    for format in [0_u16, 14] {
        record(&mut styles, 0x2f, &[&[0; 2][..], &format.to_le_bytes(), &[0; 12]].concat());
    }
    let mut data = Vec::new();
    record(&mut data, 0x81, &[]);
    record(&mut data, 0x94, &[0; 16]);
    record(&mut data, 0x91, &[]);
    for (row, cells) in (0_u32..).zip(rows) {
        let flags = if hidden.contains(&row) { 0x10 } else { 0 };
        record(&mut data, 0, &[&row.to_le_bytes()[..], &[0; 7], &[flags], &[0; 5]].concat());
        for (column, cell) in (0_u32..).zip(*cells) {
            let at = |style: u32| [column.to_le_bytes(), style.to_le_bytes()].concat();
            match cell {
                Value::Text(text) => record(&mut data, 6, &[at(0), wide(text)].concat()),
                Value::Number(number) => record(&mut data, 5, &[at(0), number.to_le_bytes().to_vec()].concat()),
                Value::Day(day) => record(&mut data, 5, &[at(1), day.to_le_bytes().to_vec()].concat()),
                Value::Empty => record(&mut data, 1, &at(0)),
            }
        }
    }
    record(&mut data, 0x92, &[]);
    for (from, to) in merged {
        record(&mut data, 0xb0, &[&from.to_le_bytes()[..], &to.to_le_bytes(), &[0; 8]].concat());
    }
    let relations = br#"<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.bin"/></Relationships>"#;
    zipped(&[
        ("[Content_Types].xml", b"<Types/>"),
        ("xl/workbook.bin", &book),
        ("xl/_rels/workbook.bin.rels", relations),
        ("xl/styles.bin", &styles),
        ("xl/worksheets/sheet1.bin", &data),
    ])
}

/// Appends a record: its kind and its length with seven bits in each byte, then its data.
fn record(bytes: &mut Vec<u8>, kind: u16, data: &[u8]) {
    let low = u8::try_from(kind & 0x7f).unwrap();
    if kind > 0x7f {
        bytes.extend([low | 0x80, u8::try_from(kind >> 7).unwrap()]);
    } else {
        bytes.push(low);
    }
    let mut length = data.len();
    loop {
        let more = length > 0x7f;
        bytes.push(u8::try_from(length & 0x7f).unwrap() | if more { 0x80 } else { 0 });
        length >>= 7;
        if !more {
            break;
        }
    }
    bytes.extend_from_slice(data);
}

fn wide(text: &str) -> Vec<u8> {
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    [&u32::try_from(units.len() / 2).unwrap().to_le_bytes()[..], &units].concat()
}

/// An OpenDocument spreadsheet with tables given as XML.
pub(in crate::recipients::audience) fn ods(tables: &str) -> Vec<u8> {
    let content = format!(
        "<?xml version=\"1.0\"?><office:document-content><office:body><office:spreadsheet>{tables}</office:spreadsheet>\
         </office:body></office:document-content>"
    );
    zipped(&[
        ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
        ("META-INF/manifest.xml", b"<manifest:manifest/>"),
        ("content.xml", content.as_bytes()),
    ])
}

/// A compound file with the stream of an old workbook (MS-CFB, version 4).
pub(in crate::recipients::audience) fn xls(stream: &[u8]) -> Vec<u8> {
    const SECTOR: usize = 4_096;
    const END: u32 = 0xffff_fffe;
    const NONE: u32 = 0xffff_ffff;
    const TABLE: u32 = 0xffff_fffd;
    let number = |number: usize| u32::try_from(number).unwrap();
    // A shorter stream would be kept elsewhere.
    let stream = [stream, &vec![0; SECTOR.saturating_sub(stream.len())]].concat();
    let sectors = stream.len().div_ceil(SECTOR);
    // The table of chains, the directory, and the stream.
    let tables = (sectors + 200).div_ceil(SECTOR / 4);
    let first = number(tables + 1);
    let mut chains = vec![TABLE; tables];
    chains.push(END);
    chains.extend((1..number(sectors)).map(|next| first + next).chain([END]));
    chains.resize(tables * SECTOR / 4, NONE);
    let mut head = vec![0; 76];
    head[..8].copy_from_slice(&[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]);
    let words: [(usize, u32); 9] = [
        (24, 0x0004_003e),
        (28, 0x000c_fffe),
        (32, 6),
        (40, 1),
        (44, number(tables)),
        (48, number(tables)),
        (56, 4_096),
        (60, END),
        (68, END),
    ];
    for (at, word) in words {
        head[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    let listed = (0..109).map(|at| if at < tables { number(at) } else { NONE });
    head.extend(listed.flat_map(u32::to_le_bytes));
    head.resize(SECTOR, 0);
    let entry = |name: &str, kind: u8, child: u32, start: u32, bytes: usize| {
        let mut entry: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        entry.resize(64, 0);
        entry.extend([u8::try_from(2 * name.len() + 2).unwrap(), 0, kind, 1]);
        entry.extend([NONE, NONE, child].into_iter().flat_map(u32::to_le_bytes));
        entry.resize(116, 0);
        entry.extend([start, number(bytes), 0].into_iter().flat_map(u32::to_le_bytes));
        entry
    };
    let mut directory = [entry("Root Entry", 5, 1, first, 0), entry("Workbook", 2, NONE, first, stream.len())].concat();
    directory.resize(SECTOR, 0);
    let mut file = [head, chains.into_iter().flat_map(u32::to_le_bytes).collect(), directory, stream].concat();
    file.resize((1 + tables + 1 + sectors) * SECTOR, 0);
    file
}

/// The records of an old workbook with one sheet, given as its records.
pub(in crate::recipients::audience) fn old_records(sheet: &[u8]) -> Vec<u8> {
    let begin = old_record(0x809, &[0, 6, 5, 0]);
    let end = old_record(0x0a, &[]);
    let globals = |at: u32| {
        [&begin[..], &old_record(0x85, &[&at.to_le_bytes()[..], &[0, 0, 1, 0, b'A']].concat()), &end].concat()
    };
    let at = u32::try_from(globals(0).len()).unwrap();
    [&globals(at)[..], &begin, sheet, &end].concat()
}

pub(in crate::recipients::audience) fn old_record(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &u16::try_from(data.len()).unwrap().to_le_bytes(), data].concat()
}
