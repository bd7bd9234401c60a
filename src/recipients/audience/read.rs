//! Reads a file or inline numbers: the entry points of the room.

use std::path::Path;
use std::sync::Arc;

use encoding_rs::Encoding;

use super::block::{Block, Rows};
use super::check::{RowRules, check};
use super::collect::collect;
use super::columns::{Columns, Mapping};
use super::delimiter::is_delimiter;
use super::number::Home;
use super::open::display_path;
use super::pipeline::{self, Feed, Job, Layout, Sink};
use super::seen::SeenRecipients;
use super::selection::{BoundSelection, Evidence, Misread, Selection};
use super::sheet::SheetChoice;
use super::survey::Observer;
use super::table::{self, BLOCK_ROWS, Form, HEAD_ROWS};
use super::{DefaultCountry, Error, Summary};
use crate::base::domain::Address;

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

    /// Reads the file once, if the selection compares numbers or dates: only the whole column tells how they are written.
    /// Returns that, and what it could not read for sure.
    fn notations(self, file: &Path, shown: &Path) -> Result<(Evidence, Vec<Misread>), Error> {
        if !self.options.selection.as_ref().is_some_and(Selection::compares) {
            return Ok((Evidence::default(), Vec::new()));
        }
        let read = |feed: &mut Feed| table::feed_file(file, shown, &self, feed);
        let see = |job: &Job| {
            let mut evidence = job.selection.as_ref().map(|selection| selection.evidence()).unwrap_or_default();
            job.rows.iter().for_each(|row| evidence.see(|index| job.columns.cell(&row, index)));
            evidence
        };
        pipeline::run(shown, 0, read, see, |rows| {
            let columns = Arc::clone(&rows.columns);
            let mut evidence = Evidence::default();
            rows.for_each(|done| evidence.add(done.checked));
            let misread = evidence.misread(columns.names());
            Ok((evidence, misread))
        })
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

/// Reads a recipient file and passes its rows to `sink`. Blocking. Recipients that `known` has from another source are duplicates.
pub fn read(
    file: &Path,
    options: &Options,
    opted_out: &dyn Fn(&Address) -> bool,
    known: &mut SeenRecipients,
    sink: &mut dyn Sink,
) -> Result<Summary, Error> {
    read_named(file, display_path(file), options, opted_out, known, sink)
}

/// The same, with another name of the file in errors.
pub(super) fn read_named(
    file: &Path,
    shown: &Path,
    options: &Options,
    opted_out: &dyn Fn(&Address) -> bool,
    known: &mut SeenRecipients,
    sink: &mut dyn Sink,
) -> Result<Summary, Error> {
    let reading = Reading::of(options);
    let (evidence, misread) = reading.notations(file, shown)?;
    let busy = sink.threads();
    let read = |feed: &mut Feed| {
        feed.read_as(evidence);
        table::feed_file(file, shown, &reading, feed)
    };
    let check = |job: &Job| check(job, reading.rules());
    let collect = |rows| collect(rows, options, opted_out, known, sink);
    let summary = pipeline::run(shown, busy, read, check, collect)?;
    Ok(Summary { misread, ..summary })
}

/// Reads inline numbers of a campaign file: recipients with only a number, in the given columns. Their line is their position
/// in the list.
pub fn read_numbers(
    numbers: &[String],
    columns: &Columns,
    options: &Options,
    opted_out: &dyn Fn(&Address) -> bool,
    known: &mut SeenRecipients,
    sink: &mut dyn Sink,
) -> Result<Summary, Error> {
    let reading = Reading::of(options);
    let read = |feed: &mut Feed| feed_numbers(numbers, columns, &reading, feed);
    let check = |job: &Job| check(job, reading.rules());
    pipeline::run(Path::new("numbers"), sink.threads(), read, check, |rows| {
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
