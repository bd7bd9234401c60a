//! Checks that need all rows in order: opt-outs, duplicates and the counts.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::check::{CheckedRows, LineAndId, Reject};
use super::columns::Columns;
use super::findings::Findings;
use super::note::RowCount;
use super::pipeline::{Collected, Done, Halt, ReadingProgress, Sink};
use super::repeated_ids::{IdHash, IdHashes};
use super::seen::{Occurrence, SeenRecipients};
use super::summary::SAMPLED_ROWS;
use super::table::{BLOCK_ROWS, Form};
use super::{Error, Field, ImportNote, Options, Reason, Summary};
use crate::base::domain::{Address, ChannelUser, Country, Fields, Recipient};

/// Number of recipients that a sink gets at once.
const PIECE: usize = 4_096;

/// Collects the checked rows of a file and passes them to the sink.
///
/// One thread does this for all rows, so it does next to nothing for each: rows move in blocks, and the checkers inspect
/// them.
pub(super) fn collect(
    rows: Collected<CheckedRows>,
    options: &Options,
    opted_out: &dyn Fn(&Address) -> bool,
    known: &mut SeenRecipients,
    sink: &mut dyn Sink,
) -> Result<Summary, Error> {
    let columns = Arc::clone(&rows.columns);
    let form = rows.form.clone();
    let mut summary = initial_summary(&columns, &form);
    let (mut findings, mut ids) = (Findings::default(), IdHashes::default());
    let mut countries: HashMap<Country, u64, FixedState> = HashMap::default();
    let mut judge = |address: &Address, beside: Option<ChannelUser>| {
        let id = beside.as_ref().map(|user| IdHash::of(&user.id));
        let is_out = opted_out(address) || beside.is_some_and(|user| opted_out(&Address::User(user)));
        if options.keep_duplicates {
            return is_out.then_some(Reason::OptedOut);
        }
        match known.record(address, id) {
            _ if is_out => Some(Reason::OptedOut),
            Occurrence::First => None,
            Occurrence::SameSource => Some(Reason::Duplicate),
            Occurrence::EarlierSource => Some(Reason::EarlierSource),
        }
    };
    let mut accepted = Accepted::default();
    let mut verdicts = Vec::new();
    sink.columns(&columns).map_err(halt_error)?;
    for Done { checked, bytes_done } in rows {
        if summary.rows == 0 {
            checked.first(SAMPLED_ROWS).for_each(|fields| summary.sample(fields));
        }
        let CheckedRows { mut recipients, origins, beside, mut rejected, not_selected, filled, findings: more } =
            checked;
        findings.merge(&more);
        for (field, filled) in summary.fields.iter_mut().zip(filled) {
            field.filled += filled;
        }
        verdicts.clear();
        let mut beside = beside.into_iter().peekable();
        verdicts.extend(recipients.iter().enumerate().map(|(place, recipient)| {
            let id = beside.next_if(|(of, _)| *of == place).map(|(_, id)| id);
            judge(recipient.address.as_ref()?, id)
        }));
        ids.add(
            origins.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_none()).filter_map(|(origin, _)| origin.id),
        );
        move_rejected(&mut recipients, &origins, &verdicts, &mut rejected);
        for recipient in &recipients {
            *countries.entry(recipient.country).or_default() += 1;
            if recipient.number().is_none() {
                *summary.without_number.entry(recipient.country).or_default() += 1;
            }
        }
        summary.count_valid(recipients.len());
        summary.count_not_selected(not_selected);
        accepted.add(recipients, sink).map_err(halt_error)?;
        for reject in &rejected {
            summary.count_reject(reject, || number_cell(&columns, &reject.fields));
        }
        if !rejected.is_empty() {
            sink.rejected(&rejected).map_err(halt_error)?;
        }
        let progress = ReadingProgress { bytes_done, bytes_total: form.bytes_total, rows: summary.rows };
        sink.progress(progress).map_err(halt_error)?;
    }
    accepted.finish(sink).map_err(halt_error)?;
    summary.countries = countries.into_iter().collect();
    // If no number lacks its country, the numbers without a `+` certainly contain it.
    if !summary.reasons.contains_key(&Reason::CountryMissing) {
        findings.untold = RowCount::default();
    }
    summary.notes.extend(findings.notes(summary.encoding));
    let repeated = ids.count_repeats();
    summary.notes.extend((repeated > 0).then_some(ImportNote::RepeatedIds { rows: repeated }));
    summary.notes.extend(file_notes(&form));
    summary.sha256 = form.digest.finish();
    Ok(summary)
}

/// The summary before the first row.
fn initial_summary(columns: &Columns, form: &Form) -> Summary {
    let field = |(index, name): (usize, &String)| Field {
        name: name.clone(),
        meaning: columns.meaning(index),
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

/// Moves the recipients that have a reason for rejection to `rejected`, in file order.
fn move_rejected(
    recipients: &mut Vec<Recipient>,
    origins: &[LineAndId],
    verdicts: &[Option<Reason>],
    rejected: &mut Vec<Reject>,
) {
    let mut judged = verdicts.iter();
    let removed = recipients.extract_if(.., |_| judged.next().is_some_and(Option::is_some));
    let reasons = origins.iter().zip(verdicts).filter_map(|(origin, reason)| Some((origin.line, (*reason)?)));
    let rejects = removed.zip(reasons).map(|(recipient, (line, reason))| Reject {
        line,
        reason,
        msisdn: recipient.number(),
        other_msisdn: None,
        fields: recipient.fields,
    });
    rejected.extend(rejects);
    rejected.sort_by_key(|reject| reject.line);
}

/// Buffers accepted recipients until there are enough for the sink.
#[derive(Default)]
struct Accepted(Vec<Recipient>);

impl Accepted {
    fn add(&mut self, mut more: Vec<Recipient>, sink: &mut dyn Sink) -> Result<(), Halt> {
        self.0.append(&mut more);
        while self.0.len() >= PIECE {
            // With room for the block that fills it.
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

/// Notes about the file itself, found while it was read.
fn file_notes(form: &Form) -> impl Iterator<Item = ImportNote> {
    let RowCount { number: cells, line } = form.long_quotes.get().copied().unwrap_or_default();
    let (errors, hidden_rows, merged) = (form.counts.errors(), form.counts.hidden_rows(), form.counts.merged());
    [
        (cells > 0).then_some(ImportNote::LongQuotes { cells, line }),
        (errors > 0).then_some(ImportNote::ErrorCells { cells: errors }),
        (hidden_rows > 0).then_some(ImportNote::HiddenRows { rows: hidden_rows }),
        (merged > 0).then_some(ImportNote::MergedCells { areas: merged }),
    ]
    .into_iter()
    .flatten()
}

fn number_cell(columns: &Columns, fields: &Fields) -> String {
    let place = columns.number_place();
    let cells = fields.unpack().unwrap_or_default();
    cells.get(place).map(|cell| cell.clone().into_owned()).unwrap_or_default()
}

fn halt_error(halt: Halt) -> Error {
    match halt {
        Halt::Stop => Error::Stopped,
        Halt::Failed(source) => Error::Sink(source),
    }
}
