//! Reads the samples of public CSV test suites.
//!
//! The `csv-spectrum` suite is available as a crate. The suite of Papa Parse is a script; `docs/decisions/import.md` says where Volley
//! deliberately differs from it.

use std::io::Write;

use encoding_rs::UTF_8;
use serde_json::{Map, Value};

use super::block::Block;
use super::charset::TextFormat;
use super::table::Source;
use super::text::TextRows;

/// The rows of a text, with the delimiter detected.
fn rows(text: &[u8]) -> Vec<Vec<String>> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text).unwrap();
    let utf8 = TextFormat { encoding: UTF_8, mark: 0, is_plain: false, may_have_nul: false };
    let mut source = TextRows::open(file.path(), file.reopen().unwrap(), utf8, None).unwrap();
    let mut block = Block::default();
    while source.row(&mut block).unwrap() {}
    block.seal().unwrap().iter().map(|row| row.cells().map(str::to_owned).collect()).collect()
}

/// Each row as an object, with the names of the first row as keys.
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
fn csv_spectrum_samples_read_as_expected() {
    for sample in csv_spectrum::spectrum() {
        let expected: Value = serde_json::from_slice(sample.json).unwrap();
        let read = records(sample.csv);
        if sample.name == "location_coordinates" {
            // The suite expects no list here, and another number than the file contains.
            assert_eq!(read[0]["Contact Phone Number"], "2095257564");
            assert_ne!(expected["Contact Phone Number"], "2095257564");
            let coordinates = "37\u{fffd}36'37.8\"N 121\u{fffd}2'17.9\"W";
            assert_eq!(
                (&read[0]["Location Coordinates"], read.as_array().map(Vec::len)),
                (&coordinates.into(), Some(1))
            );
            continue;
        }
        assert_eq!(read, expected, "{}", sample.name);
    }
}
