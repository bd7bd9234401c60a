//! What needs to see all rows, in order: who opted out, which number came before, the counts.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::check::{CheckedRows, Place, Reject};
use super::columns::Columns;
use super::known::{Known, Met};
use super::note::Rows;
use super::pipeline::{Collected, Done, Halt, Progress, Sink};
use super::repeats::Repeats;
use super::seen::Seen;
use super::sheet::Unseen;
use super::summary::SAMPLED_ROWS;
use super::table::{BLOCK_ROWS, Form};
use super::{Error, Field, Note, Options, Reason, Summary};
use crate::domain::{Country, Fields, Msisdn, Recipient};

/// How many recipients a sink is given at once.
const PIECE: usize = 4_096;

/// Puts the rows of a file together. Whatever is done for each of them is done here for all, by one thread: next to
/// nothing. Rows are moved by blocks, and looked at by those who check them.
pub(super) fn collect(
    rows: Collected,
    options: &Options,
    opted_out: &dyn Fn(Msisdn) -> bool,
    known: &mut Known,
    sink: &mut dyn Sink,
) -> Result<Summary, Error> {
    let columns = Arc::clone(&rows.columns);
    let form = rows.form.clone();
    let mut summary = begun(&columns, &form);
    let (mut seen, mut ids) = (Seen::default(), Repeats::default());
    let mut countries: HashMap<Country, u64, FixedState> = HashMap::default();
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
    let mut accepted = Accepted::default();
    let mut verdicts = Vec::new();
    sink.columns(&columns).map_err(halted)?;
    for Done { checked, bytes_done } in rows {
        if summary.rows == 0 {
            checked.first(SAMPLED_ROWS).for_each(|fields| summary.sample(fields));
        }
        let CheckedRows { mut recipients, places, mut refused, filled, seen: more } = checked;
        seen.take_in(&more);
        for (field, filled) in summary.fields.iter_mut().zip(filled) {
            field.filled += filled;
        }
        verdicts.clear();
        verdicts.extend(recipients.iter().map(|recipient| judge(recipient.msisdn)));
        ids.note(
            places.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_none()).filter_map(|(place, _)| place.id),
        );
        turn_away(&mut recipients, &places, &verdicts, &mut refused);
        for recipient in &recipients {
            *countries.entry(recipient.country).or_default() += 1;
        }
        summary.count_valid(recipients.len());
        accepted.take(recipients, sink).map_err(halted)?;
        for Reject { line, reason, fields } in &refused {
            summary.count_reject(*line, *reason, || number_cell(&columns, fields));
        }
        if !refused.is_empty() {
            sink.rejected(&refused).map_err(halted)?;
        }
        let progress = Progress { bytes_done, bytes_total: form.bytes_total, rows: summary.rows };
        sink.progress(progress).map_err(halted)?;
    }
    accepted.finish(sink).map_err(halted)?;
    summary.countries = countries.into_iter().collect();
    // Where none lacks its country, all of them have it.
    if !summary.reasons.contains_key(&Reason::CountryMissing) {
        seen.untold = Rows::default();
    }
    summary.notes.extend(seen.notes(summary.encoding));
    let repeated = ids.count();
    summary.notes.extend((repeated > 0).then_some(Note::RepeatedIds { rows: repeated }));
    summary.notes.extend(noticed(&form));
    summary.sha256 = form.digest.finish();
    Ok(summary)
}

/// What is known before the first row.
fn begun(columns: &Columns, form: &Form) -> Summary {
    let field = |(place, name): (usize, &String)| Field {
        name: name.clone(),
        meaning: columns.meaning(place),
        ..Field::default()
    };
    Summary {
        columns: columns.names().to_vec(),
        fields: columns.names().iter().enumerate().map(field).collect(),
        number_column: columns.number().to_owned(),
        encoding: form.encoding,
        delimiter: form.delimiter,
        sheet: form.sheet.clone(),
        packed: form.packed.clone(),
        notes: form.notes.clone(),
        ..Summary::default()
    }
}

/// Takes those out of `recipients` who have a reason not to be among them, and puts them where their rows belong.
fn turn_away(
    recipients: &mut Vec<Recipient>,
    places: &[Place],
    verdicts: &[Option<Reason>],
    refused: &mut Vec<Reject>,
) {
    let mut judged = verdicts.iter();
    let away = recipients.extract_if(.., |_| judged.next().is_some_and(Option::is_some));
    let reasons = places.iter().zip(verdicts).filter_map(|(place, reason)| Some((place.line, (*reason)?)));
    let rejects =
        away.zip(reasons).map(|(recipient, (line, reason))| Reject { line, reason, fields: recipient.fields });
    refused.extend(rejects);
    refused.sort_by_key(|reject| reject.line);
}

/// Recipients who wait until there are enough of them.
#[derive(Default)]
struct Accepted(Vec<Recipient>);

impl Accepted {
    fn take(&mut self, mut more: Vec<Recipient>, sink: &mut dyn Sink) -> Result<(), Halt> {
        self.0.append(&mut more);
        while self.0.len() >= PIECE {
            // With room for the block that makes it full.
            let mut next = Vec::with_capacity(PIECE + BLOCK_ROWS);
            next.extend(self.0.drain(PIECE..));
            sink.accepted(std::mem::replace(&mut self.0, next))?;
        }
        Ok(())
    }

    fn finish(self, sink: &mut dyn Sink) -> Result<(), Halt> {
        if self.0.is_empty() { Ok(()) } else { sink.accepted(self.0) }
    }
}

/// What came up while the file was read, beside its rows.
fn noticed(form: &Form) -> impl Iterator<Item = Note> {
    let Rows { number: cells, line } = form.long_quotes.get().copied().unwrap_or_default();
    let errors = form.errors.load(Ordering::Relaxed);
    let Unseen { hidden_rows, merged } = form.unseen.finish().unwrap_or_default();
    [
        (cells > 0).then_some(Note::LongQuotes { cells, line }),
        (errors > 0).then_some(Note::ErrorCells { cells: errors }),
        (hidden_rows > 0).then_some(Note::HiddenRows { rows: hidden_rows }),
        (merged > 0).then_some(Note::MergedCells { areas: merged }),
    ]
    .into_iter()
    .flatten()
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
