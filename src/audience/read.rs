//! Reads a file or inline numbers: the entry points of the room.

use std::path::Path;

use encoding_rs::Encoding;

use super::block::{Block, Rows};
use super::check::RowRules;
use super::collect::collect;
use super::columns::{Columns, Mapping};
use super::delimiter::is_delimiter;
use super::number::Home;
use super::open::display_path;
use super::pipeline::{self, Feed, Layout, Sink};
use super::seen::SeenNumbers;
use super::selection::{BoundSelection, Selection};
use super::sheet::SheetChoice;
use super::survey::Observer;
use super::table::{self, BLOCK_ROWS, Form, HEAD_ROWS};
use super::{DefaultCountry, Error, Summary};
use crate::domain::Msisdn;

/// Which line types are accepted, if the country's numbers distinguish them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lines {
    #[default]
    Any,
    /// No landlines, toll-free or premium numbers, which messages hardly reach.
    Mobile,
}

impl std::str::FromStr for Lines {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "any" => Ok(Self::Any),
            "mobile" => Ok(Self::Mobile),
            _ => Err("use any or mobile".to_owned()),
        }
    }
}

/// What the operator states about a file. The import detects the rest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// Country of national numbers whose row names none.
    pub country: Option<DefaultCountry>,
    /// Accept every row of a repeated number instead of the first.
    pub keep_duplicates: bool,
    pub encoding: Option<&'static Encoding>,
    pub delimiter: Option<u8>,
    pub sheet: Option<SheetChoice>,
    /// The first row is data, not a header.
    pub no_header: bool,
    pub lines: Lines,
    pub map: Vec<Mapping>,
    /// Preferred name of the number column; a mapping overrides it.
    pub number: Option<String>,
    /// Also accept rows with too many cells or too long an id, every number of a cell, and numbers of another country
    /// without a `+`. Used for opt-outs and exclusions, which must not be missed because of that.
    pub takes_all: bool,
    /// Rows may have a channel's id in place of a number, so a column of ids alone will do. Used for opt-outs.
    pub takes_users: bool,
    /// The rows to read. The others are counted, and nothing else is asked of them.
    pub selection: Option<Selection>,
    /// Sees the accepted recipients of an import or a survey.
    pub observer: Observer,
}

/// The settings of one reading.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) options: &'a Options,
    /// Country of national numbers whose row names none.
    pub(super) default: Home,
}

impl<'a> Reading<'a> {
    fn of(options: &'a Options) -> Self {
        Self { options, default: options.country.map_or(Home::Missing, DefaultCountry::home) }
    }

    /// The selection for the columns of the source.
    pub(super) fn selection(&self, columns: &Columns) -> Result<Option<BoundSelection>, Error> {
        self.options.selection.as_ref().map(|selection| Ok(selection.bind(columns.names())?)).transpose()
    }

    fn rules(&self) -> RowRules {
        RowRules { default_home: self.default, line_types: self.options.lines, takes_all: self.options.takes_all }
    }
}

/// Parses the name of an encoding.
pub fn encoding(label: &str) -> Result<&'static Encoding, String> {
    Encoding::for_label(label.trim().as_bytes()).ok_or_else(|| {
        format!(
            "unknown encoding \"{label}\"; use one of UTF-8, UTF-16LE, UTF-16BE, windows-1250 to windows-1258, ISO-8859-1 to \
             ISO-8859-16, Shift_JIS, EUC-JP, GBK, GB18030, Big5, EUC-KR, KOI8-R, or another encoding of the web"
        )
    })
}

/// Parses a delimiter: one character, or `tab`.
pub fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [one] if is_delimiter(*one) => Ok(*one),
        b"\\t" => Ok(b'\t'),
        word if word.eq_ignore_ascii_case(b"tab") => Ok(b'\t'),
        _ => Err("use , ; | tab or another punctuation mark, but not + or a quote".to_owned()),
    }
}

/// Reads a recipient file and passes its rows to `sink`. Blocking. Numbers that `known` has from another source are duplicates.
pub fn read(
    file: &Path,
    options: &Options,
    opted_out: &dyn Fn(Msisdn) -> bool,
    known: &mut SeenNumbers,
    sink: &mut dyn Sink,
) -> Result<Summary, Error> {
    read_named(file, display_path(file), options, opted_out, known, sink)
}

/// The same, with another name of the file in errors.
pub(super) fn read_named(
    file: &Path,
    shown: &Path,
    options: &Options,
    opted_out: &dyn Fn(Msisdn) -> bool,
    known: &mut SeenNumbers,
    sink: &mut dyn Sink,
) -> Result<Summary, Error> {
    let reading = Reading::of(options);
    let read = |feed: &mut Feed| table::feed_file(file, shown, &reading, feed);
    pipeline::run(shown, reading.rules(), sink.threads(), read, |rows| collect(rows, options, opted_out, known, sink))
}

/// Reads inline numbers of a campaign file: recipients with only a number, in the given columns. Their line is their position
/// in the list.
pub fn read_numbers(
    numbers: &[String],
    columns: &Columns,
    options: &Options,
    opted_out: &dyn Fn(Msisdn) -> bool,
    known: &mut SeenNumbers,
    sink: &mut dyn Sink,
) -> Result<Summary, Error> {
    let reading = Reading::of(options);
    let read = |feed: &mut Feed| feed_numbers(numbers, columns, &reading, feed);
    pipeline::run(Path::new("numbers"), reading.rules(), sink.threads(), read, |rows| {
        collect(rows, options, opted_out, known, sink)
    })
}

fn feed_numbers(numbers: &[String], columns: &Columns, reading: &Reading<'_>, feed: &mut Feed) -> Result<(), Error> {
    let bytes_total = numbers.iter().map(|number| number.len() as u64).sum();
    let first = rows_of(&numbers[..numbers.len().min(HEAD_ROWS)], columns, 0);
    let columns = columns.clone().judged_by(first.iter(), reading);
    let selection = reading.selection(&columns)?;
    let form = Form { bytes_total, ..Form::default() };
    let mut more = feed.start(Layout { columns: columns.clone(), selection, form });
    let (mut line, mut bytes_done) = (0, 0);
    for numbers in numbers.chunks(BLOCK_ROWS) {
        bytes_done += numbers.iter().map(|number| number.len() as u64).sum::<u64>();
        more = more && feed.rows(rows_of(numbers, &columns, line), bytes_done);
        line += numbers.len() as u64;
    }
    Ok(())
}

/// Turns numbers into rows without other cells; `before` is the number of earlier rows.
fn rows_of(numbers: &[String], columns: &Columns, before: u64) -> Rows {
    let mut block = Block::default();
    for (line, number) in (before + 1..).zip(numbers) {
        for index in 0..columns.len() {
            if index == columns.number_place() {
                block.push(number.as_bytes());
            }
            block.end_cell();
        }
        block.end_row(line);
    }
    // Rows from strings are always UTF-8.
    block.seal().unwrap_or_default()
}
