//! The room's two doors: a file, or numbers written inline.

use std::path::Path;

use super::block::Block;
use super::check::Reject;
use super::columns::Columns;
use super::known::{Known, Met};
use super::number::Home;
use super::pipeline::{self, Collected, Feed, Halt, Opened, Progress, Sink};
use super::table::{self, BLOCK_ROWS, Form};
use super::{Error, Reason, Summary};
use crate::domain::{Country, Fields, Msisdn, Recipient};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Of which country national numbers are, where their row does not say.
    pub country: Option<Country>,
    /// Accept a number as often as it stands there, instead of once.
    pub keep_duplicates: bool,
}

/// How many recipients a sink is given at once.
const CHUNK: usize = 5_000;

/// Reads a recipient file from beginning to end. Blocking; the rows go to `sink` while it reads. What is `known` from
/// another source is a duplicate here.
pub fn read(
    file: &Path,
    options: &Options,
    opted_out: &dyn Fn(Msisdn) -> bool,
    known: &mut Known,
    sink: &mut dyn Sink,
) -> Result<Summary, Error> {
    let default = default_home(options)?;
    let read = |feed: &mut Feed| table::feed_file(file, default, feed);
    pipeline::run(file, default, read, |rows| collect(rows, options, opted_out, known, sink))
}

/// Reads numbers that stand in a campaign file itself: recipients with nothing but a number, in the columns of whatever
/// they stand beside, and with their place in the list for a line.
pub fn read_numbers(
    numbers: &[String],
    columns: &Columns,
    options: &Options,
    opted_out: &dyn Fn(Msisdn) -> bool,
    known: &mut Known,
    sink: &mut dyn Sink,
) -> Result<Summary, Error> {
    let default = default_home(options)?;
    let read = |feed: &mut Feed| {
        feed_numbers(numbers, columns, feed);
        Ok(())
    };
    pipeline::run(Path::new("numbers"), default, read, |rows| collect(rows, options, opted_out, known, sink))
}

fn default_home(options: &Options) -> Result<Home, Error> {
    match options.country {
        None => Ok(Home::Missing),
        Some(country) => Home::of(country).ok_or(Error::UnknownCountry(country)),
    }
}

fn feed_numbers(numbers: &[String], columns: &Columns, feed: &mut Feed) {
    let bytes_total = numbers.iter().map(|number| number.len() as u64).sum();
    let mut more = feed.open(Opened { columns: columns.clone(), form: Form { bytes_total, ..Form::default() } });
    let mut line = 0;
    let mut bytes_done = 0;
    for numbers in numbers.chunks(BLOCK_ROWS) {
        let mut block = Block::default();
        for number in numbers {
            line += 1;
            bytes_done += number.len() as u64;
            for place in 0..columns.len() {
                if place == columns.number_place() {
                    block.push(number.as_bytes());
                }
                block.end_cell();
            }
            block.end_row(line);
        }
        // Rows made of Strings are UTF-8.
        more = more && block.seal().is_some_and(|rows| feed.rows(rows, bytes_done));
    }
}

/// What needs to see all rows, in order: who opted out, which number came before, the counts.
fn collect(
    rows: Collected,
    options: &Options,
    opted_out: &dyn Fn(Msisdn) -> bool,
    known: &mut Known,
    sink: &mut dyn Sink,
) -> Result<Summary, Error> {
    let columns = std::sync::Arc::clone(&rows.columns);
    let form = rows.form.clone();
    let mut summary = Summary {
        columns: columns.names().to_vec(),
        number_column: columns.number().to_owned(),
        encoding: form.encoding,
        delimiter: form.delimiter,
        sheet: form.sheet,
        ..Summary::default()
    };
    let mut judge = |recipient: &Recipient| {
        if opted_out(recipient.msisdn) {
            Some(Reason::OptedOut)
        } else if options.keep_duplicates {
            None
        } else {
            match known.meet(recipient.msisdn) {
                Met::Never => None,
                Met::Here => Some(Reason::Duplicate),
                Met::Elsewhere => Some(Reason::Elsewhere),
            }
        }
    };
    let mut accepted = Vec::with_capacity(CHUNK);
    let mut rejects = Vec::new();
    sink.columns(&columns).map_err(halted)?;
    for block in rows {
        for row in block.rows {
            let verdict = row.verdict.and_then(|recipient| match judge(&recipient) {
                None => Ok(recipient),
                Some(reason) => Err((reason, recipient.fields)),
            });
            match verdict {
                Ok(recipient) => {
                    summary.count_valid(recipient.country);
                    accepted.push(recipient);
                    if accepted.len() == CHUNK {
                        let chunk = std::mem::replace(&mut accepted, Vec::with_capacity(CHUNK));
                        sink.accepted(chunk).map_err(halted)?;
                    }
                }
                Err((reason, fields)) => {
                    summary.count_reject(row.line, reason, || number_cell(&columns, &fields));
                    rejects.push(Reject { line: row.line, reason, fields });
                }
            }
        }
        if !rejects.is_empty() {
            sink.rejected(&rejects).map_err(halted)?;
            rejects.clear();
        }
        let progress = Progress { bytes_done: block.bytes_done, bytes_total: form.bytes_total, rows: summary.rows };
        sink.progress(progress).map_err(halted)?;
    }
    if !accepted.is_empty() {
        sink.accepted(accepted).map_err(halted)?;
    }
    Ok(summary)
}

fn number_cell(columns: &Columns, fields: &Fields) -> String {
    let place = columns.number_place();
    let cells = fields.unpack().unwrap_or_default();
    cells.get(place).map(|cell| cell.clone().into_owned()).unwrap_or_default()
}

fn halted(halt: Halt) -> Error {
    match halt {
        Halt::Stop => Error::Stopped,
        Halt::Failed(source) => Error::Sink(source),
    }
}
