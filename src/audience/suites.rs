//! What others test their readers of CSV with, and what this one makes of it.
//!
//! `csv-spectrum` is such a collection that is had as a crate. That of Papa Parse is a script; in what it wants otherwise
//! for good reasons is told in `ARCHITECTURE.md`.

use std::io::Write;

use encoding_rs::UTF_8;
use serde_json::{Map, Value};

use super::block::Block;
use super::charset::Text;
use super::table::Source;
use super::text::TextRows;

/// The rows of a text whose delimiter nobody tells.
fn rows(text: &[u8]) -> Vec<Vec<String>> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text).unwrap();
    let utf8 = Text { encoding: UTF_8, mark: 0, is_plain: false, has_nul: false };
    let mut source = TextRows::open(file.path(), file.reopen().unwrap(), utf8, None).unwrap();
    let mut block = Block::default();
    while source.row(&mut block).unwrap() {}
    block.seal().unwrap().iter().map(|row| row.cells().map(str::to_owned).collect()).collect()
}

/// Each row by the names that the first gives.
fn records(text: &[u8]) -> Value {
    let rows = rows(text);
    let (header, data) = rows.split_first().unwrap();
    let record = |row: &Vec<String>| {
        assert_eq!(row.len(), header.len(), "{row:?}");
        header.iter().cloned().zip(row.iter().cloned().map(Value::from)).collect::<Map<_, _>>().into()
    };
    data.iter().map(record).collect::<Vec<Value>>().into()
}

#[test]
fn csv_spectrum_is_read_as_it_wants_to_be() {
    for sample in csv_spectrum::spectrum() {
        let wanted: Value = serde_json::from_slice(sample.json).unwrap();
        let read = records(sample.csv);
        if sample.name == "location_coordinates" {
            // What it wants is no list, and another number than is in the file.
            assert_eq!(read[0]["Contact Phone Number"], "2095257564");
            assert_ne!(wanted["Contact Phone Number"], "2095257564");
            let place = "37\u{fffd}36'37.8\"N 121\u{fffd}2'17.9\"W";
            assert_eq!((&read[0]["Location Coordinates"], read.as_array().map(Vec::len)), (&place.into(), Some(1)));
            continue;
        }
        assert_eq!(read, wanted, "{}", sample.name);
    }
}
