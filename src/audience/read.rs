//! The room's two doors: a file, or numbers written inline.

use std::path::Path;
use std::sync::atomic::Ordering;

use encoding_rs::Encoding;

use super::block::Block;
use super::check::{Checked, Reject, Rules};
use super::columns::{Columns, Mapping};
use super::delimiter::is_delimiter;
use super::known::{Known, Met};
use super::note::Rows;
use super::number::{Beside, Home};
use super::pipeline::{self, Collected, Feed, Halt, Opened, Progress, Sink};
use super::repeats::Repeats;
use super::sheet::{SheetChoice, Unseen};
use super::table::{self, BLOCK_ROWS, Form};
use super::{Error, Field, Note, Reason, Summary};
use crate::domain::{Country, Fields, Msisdn};

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
    /// Also rows that have a cell too many: whoever wants nothing more is not to be passed over for that.
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
    let reading = Reading::of(options)?;
    let read = |feed: &mut Feed| table::feed_file(file, &reading, feed);
    pipeline::run(file, reading.rules(), read, |rows| collect(rows, options, opted_out, known, sink))
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
        feed_numbers(numbers, columns, feed);
        Ok(())
    };
    pipeline::run(Path::new("numbers"), reading.rules(), read, |rows| collect(rows, options, opted_out, known, sink))
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
        fields: fields_of(&columns),
        number_column: columns.number().to_owned(),
        encoding: form.encoding,
        delimiter: form.delimiter,
        sheet: form.sheet,
        packed: form.packed,
        notes: form.notes,
        ..Summary::default()
    };
    let (mut seen, mut ids) = (Seen::default(), Repeats::default());
    let mut judge = |msisdn: Msisdn| {
        if opted_out(msisdn) {
            Some(Reason::OptedOut)
        } else if options.keep_duplicates {
            None
        } else {
            match known.meet(msisdn) {
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
        seen.damaged += block.damaged;
        seen.error_texts += block.checked.errors;
        for (field, filled) in summary.fields.iter_mut().zip(&block.checked.filled) {
            field.filled += filled;
        }
        for row in block.checked.rows {
            seen.count(&row);
            summary.sample(match &row.verdict {
                Ok(recipient) => &recipient.fields,
                Err((_, fields)) => fields,
            });
            // Moved once: there are millions of them.
            let (reason, fields) = match row.verdict {
                Ok(recipient) => match judge(recipient.msisdn) {
                    None => {
                        summary.count_valid(recipient.country);
                        if let Some(id) = &recipient.client_message_id {
                            ids.note(id);
                        }
                        accepted.push(recipient);
                        if accepted.len() == CHUNK {
                            let chunk = std::mem::replace(&mut accepted, Vec::with_capacity(CHUNK));
                            sink.accepted(chunk).map_err(halted)?;
                        }
                        continue;
                    }
                    Some(reason) => (reason, recipient.fields),
                },
                Err(refused) => refused,
            };
            summary.count_reject(row.line, reason, || number_cell(&columns, &fields));
            rejects.push(Reject { line: row.line, reason, fields });
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
    // Where none lacks its country, all of them have it.
    if !summary.reasons.contains_key(&Reason::CountryMissing) {
        seen.untold = Rows::default();
    }
    summary.notes.extend(seen.notes(summary.encoding));
    let repeated = ids.count();
    summary.notes.extend((repeated > 0).then_some(Note::RepeatedIds { rows: repeated }));
    let Rows { number: cells, line } = form.long_quotes.get().copied().unwrap_or_default();
    summary.notes.extend((cells > 0).then_some(Note::LongQuotes { cells, line }));
    let errors = form.errors.load(Ordering::Relaxed);
    summary.notes.extend((errors > 0).then_some(Note::ErrorCells { cells: errors }));
    if let Some(Unseen { hidden_rows, merged }) = form.unseen.finish() {
        summary.notes.extend((hidden_rows > 0).then_some(Note::HiddenRows { rows: hidden_rows }));
        summary.notes.extend((merged > 0).then_some(Note::MergedCells { areas: merged }));
    }
    summary.sha256 = form.digest.finish();
    Ok(summary)
}

fn fields_of(columns: &Columns) -> Vec<Field> {
    let field = |(place, name): (usize, &String)| Field {
        name: name.clone(),
        meaning: columns.meaning(place),
        ..Field::default()
    };
    columns.names().iter().enumerate().map(field).collect()
}

/// What is told of all rows together.
#[derive(Default)]
struct Seen {
    damaged: u64,
    error_texts: u64,
    others: Rows,
    words: Rows,
    extensions: Rows,
    fixed: Rows,
    untold: Rows,
    beside: Rows,
}

impl Seen {
    fn count(&mut self, row: &Checked) {
        if row.beside == Beside::default() && !row.is_fixed && !row.beside_table {
            return;
        }
        let Beside { others, extension, words, untold } = row.beside;
        let is_accepted = row.verdict.is_ok();
        for (rows, is_one) in [
            (&mut self.others, others),
            (&mut self.words, words),
            (&mut self.extensions, extension),
            (&mut self.fixed, row.is_fixed && is_accepted),
            (&mut self.untold, untold && is_accepted),
            (&mut self.beside, row.beside_table && is_accepted),
        ] {
            if is_one {
                rows.add(row.line);
            }
        }
    }

    fn notes(&self, encoding: Option<&'static str>) -> impl Iterator<Item = Note> {
        let damaged = encoding.map(|encoding| Note::Damaged { characters: self.damaged, encoding });
        let of = |rows: Rows, note: fn(Rows) -> Note| (rows.number > 0).then(|| note(rows));
        [
            damaged.filter(|_| self.damaged > 0),
            (self.error_texts > 0).then_some(Note::ErrorTexts { cells: self.error_texts }),
            of(self.untold, Note::UntoldCountry),
            of(self.others, Note::SeveralNumbers),
            of(self.words, Note::Words),
            of(self.extensions, Note::Extensions),
            of(self.fixed, Note::FixedLines),
            of(self.beside, Note::BesideTable),
        ]
        .into_iter()
        .flatten()
    }
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
