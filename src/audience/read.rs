//! The room's two doors: a file, or numbers written inline.

use std::path::Path;

use encoding_rs::Encoding;

use super::block::{Block, Rows};
use super::check::Rules;
use super::collect::collect;
use super::columns::{Columns, Mapping};
use super::delimiter::is_delimiter;
use super::known::Known;
use super::number::Home;
use super::pipeline::{self, Feed, Opened, Sink};
use super::sheet::SheetChoice;
use super::table::{self, BLOCK_ROWS, Form, HEAD_ROWS};
use super::{Error, Summary};
use crate::domain::{Country, Msisdn};

/// Which lines of numbers are accepted, where their country tells them apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lines {
    #[default]
    Any,
    /// Not those to which messages hardly get: fixed lines, toll-free and premium numbers.
    Mobile,
}

impl std::str::FromStr for Lines {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "any" => Ok(Self::Any),
            "mobile" => Ok(Self::Mobile),
            _ => Err("lines are any or mobile".to_owned()),
        }
    }
}

/// What somebody says of a file; whatever is not said is found out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// Of which country national numbers are, where their row does not say.
    pub country: Option<Country>,
    /// Accept a number as often as it stands there, instead of once.
    pub keep_duplicates: bool,
    pub encoding: Option<&'static Encoding>,
    pub delimiter: Option<u8>,
    pub sheet: Option<SheetChoice>,
    /// The first row holds data.
    pub no_header: bool,
    pub lines: Lines,
    pub map: Vec<Mapping>,
    /// What the column of the numbers is called where it is there, as far as nothing is mapped to it.
    pub number: Option<String>,
    /// Also rows that have a cell too many, and numbers of another country without a `+`: whoever wants nothing more is not
    /// to be passed over for that.
    pub takes_all: bool,
}

/// What all of the reading goes by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) options: &'a Options,
    /// Of which country a national number is, where its row does not say.
    pub(super) default: Home,
}

impl<'a> Reading<'a> {
    fn of(options: &'a Options) -> Result<Self, Error> {
        let default = match options.country {
            None => Home::Missing,
            Some(country) => Home::of(country).ok_or(Error::UnknownCountry(country))?,
        };
        Ok(Self { options, default })
    }

    fn rules(&self) -> Rules {
        Rules { default: self.default, lines: self.options.lines, takes_all: self.options.takes_all }
    }
}

/// What a person calls an encoding.
pub fn encoding(label: &str) -> Result<&'static Encoding, String> {
    Encoding::for_label(label.trim().as_bytes()).ok_or_else(|| {
        format!(
            "\"{label}\" is no encoding that is known; there are UTF-8, UTF-16LE, UTF-16BE, windows-1250 to windows-1258, \
             ISO-8859-1 to ISO-8859-16, Shift_JIS, EUC-JP, GBK, GB18030, Big5, EUC-KR, KOI8-R and others of the web"
        )
    })
}

/// What stands between cells: one character, or `tab`.
pub fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [one] if is_delimiter(*one) => Ok(*one),
        b"\\t" => Ok(b'\t'),
        word if word.eq_ignore_ascii_case(b"tab") => Ok(b'\t'),
        _ => Err("a delimiter is one of , ; | tab, or another mark that stands in no number".to_owned()),
    }
}

/// Reads a recipient file from beginning to end. Blocking; the rows go to `sink` while it reads. What is `known` from
/// another source is a duplicate here.
pub fn read(
    file: &Path,
    options: &Options,
    opted_out: &dyn Fn(Msisdn) -> bool,
    known: &mut Known,
    sink: &mut dyn Sink,
) -> Result<Summary, Error> {
    let reading = Reading::of(options)?;
    let read = |feed: &mut Feed| table::feed_file(file, &reading, feed);
    pipeline::run(file, reading.rules(), sink.threads(), read, |rows| collect(rows, options, opted_out, known, sink))
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
    let reading = Reading::of(options)?;
    let read = |feed: &mut Feed| {
        feed_numbers(numbers, columns, &reading, feed);
        Ok(())
    };
    pipeline::run(Path::new("numbers"), reading.rules(), sink.threads(), read, |rows| {
        collect(rows, options, opted_out, known, sink)
    })
}

fn feed_numbers(numbers: &[String], columns: &Columns, reading: &Reading<'_>, feed: &mut Feed) {
    let bytes_total = numbers.iter().map(|number| number.len() as u64).sum();
    let first = rows_of(&numbers[..numbers.len().min(HEAD_ROWS)], columns, 0);
    let columns = columns.clone().judged_by(first.iter(), reading);
    let mut more = feed.open(Opened { columns: columns.clone(), form: Form { bytes_total, ..Form::default() } });
    let (mut line, mut bytes_done) = (0, 0);
    for numbers in numbers.chunks(BLOCK_ROWS) {
        bytes_done += numbers.iter().map(|number| number.len() as u64).sum::<u64>();
        more = more && feed.rows(rows_of(numbers, &columns, line), bytes_done);
        line += numbers.len() as u64;
    }
}

/// Numbers as rows that hold nothing else, behind so many others.
fn rows_of(numbers: &[String], columns: &Columns, before: u64) -> Rows {
    let mut block = Block::default();
    for (line, number) in (before + 1..).zip(numbers) {
        for place in 0..columns.len() {
            if place == columns.number_place() {
                block.push(number.as_bytes());
            }
            block.end_cell();
        }
        block.end_row(line);
    }
    // Rows made of Strings are UTF-8.
    block.seal().unwrap_or_default()
}
