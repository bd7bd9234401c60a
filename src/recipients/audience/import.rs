//! Imports a file into the store; the audience stays hidden until it is complete.

use std::path::PathBuf;

use futures_util::stream::{FuturesUnordered, TryStreamExt};
use tokio::sync::mpsc;

use super::addresses::each_address;
use super::align::Alignment;
use super::rejected::{bounded, rejects_max};
use super::source::Source;
use super::survey::{Observer, Survey};
use super::{
    Columns, CorrectedRows, DefaultCountry, Error, Halt, ImportRecord, Lines, Options, ReadingProgress, Reason, Reject,
    Sink, SourceFilter, Summary, UnreadableRecord,
};
use crate::base::clock::Clock;
use crate::base::domain::{Address, AudienceId, ChannelUser, InvalidFields, Recipient, Span};
use crate::store::{self, Audience, Audiences, KnownAs, NewAudience, RejectedRow};

/// How the recipients are stored.
#[derive(Debug, Clone, Copy)]
pub enum Keep<'a> {
    /// As an unnamed audience of a campaign.
    Unnamed,
    Named(&'a str),
    /// The same, if no number lacks a country.
    Asking(&'a str),
    /// New recipients only, as a further part of an audience. Campaigns launched earlier do not see it.
    AddTo(&'a Audience),
    /// The same, with corrected rows of this audience.
    Correct(&'a Audience, &'a CorrectedRows),
}

/// Called with the progress of the reading.
pub type OnProgress = Box<dyn FnMut(ReadingProgress) + Send>;

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    Read(#[from] Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Record(#[from] UnreadableRecord),
    #[error("{source_name} has more than {max} recipients; split it")]
    TooMany { source_name: String, max: u32 },
    #[error("{source_name} has no rows after its header, so nothing was stored; check the file")]
    NoRows { source_name: String },
    #[error(
        "{source_name} has no valid recipients, so nothing was stored; `volley audience check` shows the reason for each of \
         its {rows} rows"
    )]
    NoRecipients { source_name: String, rows: u64 },
    #[error("{source_name}: {without_country} of {rows} rows have a number without a country, so nothing was stored")]
    CountryMissing { source_name: String, without_country: u64, rows: u64 },
    #[error("{source_name} has no valid recipients that the audience \"{name}\" lacks; nothing was added")]
    NothingNew { source_name: String, name: String, took: Span, summary: Box<Summary> },
    #[error(
        "{source_name} has columns that the audience \"{name}\" lacks: {}; map them with --map, or delete them",
        columns.join(", ")
    )]
    OtherColumns { source_name: String, name: String, columns: Vec<String> },
}

/// An imported audience, visible from now on.
#[derive(Debug)]
pub struct Imported {
    pub id: AudienceId,
    /// The time from the first row to the last commit.
    pub took: Span,
    pub summary: Summary,
    pub survey: Survey,
}

/// Reads recipients without storing them, for a plan.
pub async fn survey(source: Source, options: Options, filter: SourceFilter) -> Result<(Summary, Survey), Error> {
    let file = PathBuf::from(source.label());
    let reading = tokio::task::spawn_blocking(move || {
        let mut rows_sink = ImportSink { observer: options.observer.clone(), ..ImportSink::default() };
        let summary = source.read(&options, &filter, &mut rows_sink)?;
        Ok((summary, rows_sink.survey))
    });
    reading.await.map_err(|_| Error::Internal { file })?
}

/// Imports recipients into the store. On an error, nothing of the import is visible.
pub async fn import(
    store: &dyn Audiences,
    clock: &dyn Clock,
    source: Source,
    keep: Keep<'_>,
    mut options: Options,
    filter: SourceFilter,
    progress: Option<OnProgress>,
) -> Result<Imported, ImportError> {
    let begun = clock.now();
    let label = source.label();
    let (upload, by) = source.upload().map(|upload| (upload.id.clone(), upload.by.clone())).unzip();
    let (country, mobile_only) = (options.country, options.lines == Lines::Mobile);
    let rejects_max = rejects_max(keep)?;
    let alignment = match keep {
        Keep::AddTo(audience) | Keep::Correct(audience, _) => {
            if !options.keep_duplicates {
                record_existing(store, audience, &filter).await?;
            }
            let number = number_column(audience)?;
            options.number.clone_from(&number);
            Some(Alignment::new(&audience.columns, number.as_deref()))
        }
        Keep::Unnamed | Keep::Named(_) | Keep::Asking(_) => None,
    };
    let (sender, mut pieces) = mpsc::channel(QUEUED_PIECES);
    let reading = tokio::task::spawn_blocking(move || {
        let observer = options.observer.clone();
        let mut rows_sink =
            ImportSink { pieces: Some(sender), progress, alignment, observer, rejects_max, ..ImportSink::default() };
        let read = source.read(&options, &filter, &mut rows_sink);
        // If nothing is stored any more, the store says why.
        let _ = rows_sink.pass_rejected_on();
        (
            read.map(|summary| (summary, rows_sink.survey, rows_sink.rejects)),
            rows_sink.alignment.map(|alignment| alignment.unmatched).unwrap_or_default(),
        )
    });
    let mut audience = None;
    let stored = store_pieces(store, clock, &label, keep, &mut pieces, &mut audience).await;
    // If the reader is still running, it stops: the channel is closed.
    drop(pieces);
    let internal = |_| (Err(Error::Internal { file: PathBuf::from(&label) }), Vec::new());
    let (read, unmatched) = reading.await.unwrap_or_else(internal);
    let source_name = || label.clone();
    let published = match (stored, read, keep) {
        (_, _, Keep::AddTo(to) | Keep::Correct(to, _)) if !unmatched.is_empty() => {
            Err(ImportError::OtherColumns { source_name: source_name(), name: to.name.clone(), columns: unmatched })
        }
        (Err(error), ..) => Err(error),
        (Ok(_), Err(error), _) => Err(error.into()),
        // A source of a campaign may be empty: other sources may have recipients.
        (Ok(_), Ok((summary, ..)), _) if summary.rows == 0 && !matches!(keep, Keep::Unnamed) => {
            Err(ImportError::NoRows { source_name: source_name() })
        }
        (Ok(_), Ok((summary, ..)), Keep::Asking(_)) if summary.reasons.contains_key(&Reason::CountryMissing) => {
            let without_country = summary.reasons[&Reason::CountryMissing];
            Err(ImportError::CountryMissing { source_name: source_name(), without_country, rows: summary.rows })
        }
        (Ok(_), Ok((summary, ..)), Keep::Named(_) | Keep::Asking(_)) if summary.valid == 0 => {
            Err(ImportError::NoRecipients { source_name: source_name(), rows: summary.rows })
        }
        (Ok(_), Ok((summary, ..)), Keep::AddTo(to) | Keep::Correct(to, _)) if summary.valid == 0 => {
            let (name, took, summary) = (to.name.clone(), clock.now().since(begun), Box::new(summary));
            Err(ImportError::NothingNew { source_name: source_name(), name, took, summary })
        }
        (Ok(count), Ok((summary, survey, rejects)), _) => {
            let mut record = ImportRecord::new(&summary, &survey);
            (record.upload, record.by, record.rejects) = (upload, by.flatten(), rejects);
            (record.country, record.mobile_only) = (country.map(DefaultCountry::country), mobile_only);
            if let Keep::Correct(audience, rows) = keep {
                record.corrects = Some(audience.id());
                record.corrected.clone_from(&rows.reasons);
            }
            let published = publish(store, audience, &label, count, &record).await;
            published.map(|id| Imported { id, took: clock.now().since(begun), summary, survey })
        }
    };
    if let (Err(_), Some(audience)) = (&published, audience) {
        // If this fails too, the incomplete audience stays hidden, and a later sweep removes it.
        let _ = store.remove_audience(audience).await;
    }
    published
}

/// The column that an audience's numbers came from; `None` if that is not recorded.
fn number_column(audience: &Audience) -> Result<Option<String>, UnreadableRecord> {
    let Some(first) = audience.parts.first() else { return Ok(None) };
    Ok(ImportRecord::of(first)?.summary.map(|summary| summary.number_column))
}

/// Records the recipients that an audience already has, so that they count as duplicates.
async fn record_existing(store: &dyn Audiences, audience: &Audience, filter: &SourceFilter) -> store::Result<()> {
    each_address(store, audience, |page| _ = filter.record_page(page.iter().map(|(n, address)| (*n, address)))).await?;
    filter.next_source();
    Ok(())
}

/// Pieces that the store gets at once, so that the next ones are ready when it has committed some.
pub const STORING: usize = 4;
/// Pieces that may wait for the store. Reading continues while the store checkpoints its log, and memory stays bounded.
const QUEUED_PIECES: usize = 8;

/// Stores the pieces as they arrive. Returns the number of recipients.
async fn store_pieces(
    store: &dyn Audiences,
    clock: &dyn Clock,
    label: &str,
    keep: Keep<'_>,
    pieces: &mut mpsc::Receiver<Piece>,
    audience: &mut Option<AudienceId>,
) -> Result<u32, ImportError> {
    let (mut count, mut rejects) = (0_u32, 0_u32);
    let mut storing = FuturesUnordered::new();
    while let Some(piece) = pieces.recv().await {
        match piece {
            Piece::Columns(columns) => {
                let known_as = match keep {
                    Keep::Unnamed => KnownAs::Nothing,
                    Keep::Named(name) | Keep::Asking(name) => KnownAs::Name(name.to_owned()),
                    Keep::AddTo(audience) | Keep::Correct(audience, _) => KnownAs::PartOf(audience.id()),
                };
                let new = NewAudience { known_as, source: label.to_owned(), columns, now: clock.now() };
                *audience = Some(store.begin_audience(new).await?);
            }
            Piece::Recipients(recipients) => {
                let Some(audience) = *audience else { continue };
                let first = count;
                let more = u32::try_from(recipients.len()).unwrap_or(u32::MAX);
                count = count
                    .checked_add(more)
                    .ok_or_else(|| ImportError::TooMany { source_name: label.to_owned(), max: u32::MAX })?;
                storing.push(store.add_recipients(audience, first, recipients));
            }
            Piece::Rejected(rows) => {
                let Some(audience) = *audience else { continue };
                let first = rejects;
                rejects = rejects.saturating_add(u32::try_from(rows.len()).unwrap_or(u32::MAX));
                storing.push(store.add_rejected(audience, first, rows));
            }
        }
        if storing.len() == STORING {
            storing.try_next().await?;
        }
    }
    while storing.try_next().await?.is_some() {}
    Ok(count)
}

async fn publish(
    store: &dyn Audiences,
    audience: Option<AudienceId>,
    label: &str,
    count: u32,
    record: &ImportRecord,
) -> Result<AudienceId, ImportError> {
    let Some(audience) = audience else { return Err(Error::Internal { file: PathBuf::from(label) }.into()) };
    store.publish_audience(audience, count, record.json()).await?;
    Ok(audience)
}

enum Piece {
    Columns(Vec<String>),
    Recipients(Vec<Recipient>),
    Rejected(Vec<RejectedRow>),
}

/// Surveys all rows, and passes them on if they are stored.
#[derive(Default)]
struct ImportSink {
    survey: Survey,
    pieces: Option<mpsc::Sender<Piece>>,
    progress: Option<OnProgress>,
    alignment: Option<Alignment>,
    observer: Observer,
    /// Rejected rows that are stored, and how many may be.
    rejects: u32,
    rejects_max: u32,
    /// Those that are not passed on yet, and the bytes of their cells. A block has few, and storing them is a transaction.
    rejected: Vec<RejectedRow>,
    rejected_bytes: usize,
}

/// Rejected rows are passed on when there are so many, or their cells have so many bytes.
const REJECTED_ROWS: usize = 10_000;
const REJECTED_BYTES: usize = 1 << 20;

impl ImportSink {
    fn send(&self, piece: Piece) -> Result<(), Halt> {
        match &self.pieces {
            Some(pieces) => pieces.blocking_send(piece).map_err(|_| Halt::Stop),
            None => Ok(()),
        }
    }

    fn pass_rejected_on(&mut self) -> Result<(), Halt> {
        self.rejected_bytes = 0;
        match std::mem::take(&mut self.rejected) {
            rows if rows.is_empty() => Ok(()),
            rows => self.send(Piece::Rejected(rows)),
        }
    }
}

impl Sink for ImportSink {
    fn columns(&mut self, columns: &Columns) -> Result<(), Halt> {
        let names = match &mut self.alignment {
            Some(alignment) => alignment.match_columns(columns)?,
            None => columns.names(),
        };
        let names = names.to_vec();
        self.survey.begin(&names);
        self.observer.0.take_if(|observer| !observer.wants(&names));
        self.send(Piece::Columns(names))
    }

    fn accepted(&mut self, mut recipients: Vec<Recipient>) -> Result<(), Halt> {
        if let Some(alignment) = &self.alignment {
            alignment.apply(&mut recipients)?;
        }
        self.survey.look(&recipients);
        if let Some(observer) = &self.observer.0 {
            observer.observe(&recipients);
        }
        self.send(Piece::Recipients(recipients))
    }

    fn threads(&self) -> usize {
        usize::from(self.pieces.is_some())
    }

    fn rejected(&mut self, rejects: &[Reject]) -> Result<(), Halt> {
        let left = self.rejects_max.saturating_sub(self.rejects);
        let rejects = &rejects[..rejects.len().min(left as usize)];
        if rejects.is_empty() {
            return Ok(());
        }
        let row = |Reject { line, reason, msisdn, other_msisdn, fields }: &Reject| {
            let fields = match &self.alignment {
                Some(alignment) => alignment.aligned(fields)?,
                None => fields.clone(),
            };
            let (fields, is_cut) = bounded(fields)?;
            let (msisdn, other_msisdn) = (*msisdn, *other_msisdn);
            Ok(RejectedRow { line: *line, reason: reason.as_str().into(), msisdn, other_msisdn, fields, is_cut })
        };
        let rows: Vec<RejectedRow> = rejects.iter().map(row).collect::<Result<_, InvalidFields>>()?;
        self.rejects = self.rejects.saturating_add(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        self.rejected_bytes += rows.iter().map(|row| row.fields.as_str().len()).sum::<usize>();
        self.rejected.extend(rows);
        if self.rejected.len() >= REJECTED_ROWS || self.rejected_bytes >= REJECTED_BYTES {
            self.pass_rejected_on()?;
        }
        Ok(())
    }

    fn progress(&mut self, progress: ReadingProgress) -> Result<(), Halt> {
        if let Some(report) = &mut self.progress {
            report(progress);
        }
        Ok(())
    }
}

/// Reads only the addresses of a source, to exclude them, and its summary: of a row with a number and an id, both. A row
/// without any excludes no recipient.
pub async fn only_addresses(
    source: Source,
    options: Options,
    filter: SourceFilter,
) -> Result<(Vec<Address>, Summary), Error> {
    #[derive(Default)]
    struct Kept {
        addresses: Vec<Address>,
        /// The column of WhatsApp's ids.
        users: Option<usize>,
    }

    impl Sink for Kept {
        fn columns(&mut self, columns: &Columns) -> Result<(), Halt> {
            self.users = columns.users_place();
            Ok(())
        }

        fn accepted(&mut self, recipients: Vec<Recipient>) -> Result<(), Halt> {
            if let Some(column) = self.users {
                let user =
                    |recipient: &Recipient| ChannelUser::of_whatsapp(recipient.fields.unpack().ok()?.get(column)?);
                self.addresses.extend(recipients.iter().filter_map(user).map(Address::User));
            }
            self.addresses.extend(recipients.into_iter().filter_map(|recipient| recipient.address));
            Ok(())
        }
    }

    let (kept, summary) = read_all::<Kept>(source, options, filter).await?;
    Ok((kept.addresses, summary))
}

/// Reads a source into a new sink, and its summary.
pub(super) async fn read_all<S: Sink + Default + Send + 'static>(
    source: Source,
    options: Options,
    filter: SourceFilter,
) -> Result<(S, Summary), Error> {
    let file = PathBuf::from(source.label());
    let reading = tokio::task::spawn_blocking(move || {
        let mut sink = S::default();
        let mut summary = source.read(&options, &filter, &mut sink)?;
        if matches!(source, Source::Numbers { .. }) {
            // Their column is only a name for messages that are sent to them.
            summary.number_column.clear();
        }
        Ok((sink, summary))
    });
    reading.await.map_err(|_| Error::Internal { file })?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::Fields;
    use crate::recipients::audience::REJECTS_MAX;
    use crate::recipients::audience::Reason;

    fn rejects(number: u64) -> Vec<Reject> {
        let reject = |line| Reject {
            line,
            reason: Reason::TooShort,
            msisdn: None,
            other_msisdn: None,
            fields: Fields::pack(["12", "Ann"]),
        };
        (0..number).map(reject).collect()
    }

    #[test]
    fn rejected_rows_are_passed_on_up_to_their_limit() {
        let (sender, mut pieces) = mpsc::channel(9);
        let mut sink = ImportSink { pieces: Some(sender), rejects_max: 3, ..ImportSink::default() };
        for number in [2, 2, 1] {
            sink.rejected(&rejects(number)).unwrap();
        }
        assert_eq!(sink.rejects, 3);
        sink.pass_rejected_on().unwrap();
        sink.pass_rejected_on().unwrap();
        drop(sink);
        assert_eq!(sizes(&mut pieces), [3], "those of several blocks go together");
    }

    #[test]
    fn many_rejected_rows_or_long_ones_are_passed_on_before_the_end() {
        let (sender, mut pieces) = mpsc::channel(9);
        let mut sink = ImportSink { pieces: Some(sender), rejects_max: REJECTS_MAX, ..ImportSink::default() };
        sink.rejected(&rejects(REJECTED_ROWS as u64)).unwrap();
        let long = "x".repeat(REJECTED_BYTES / 20);
        let long = Reject {
            line: 1,
            reason: Reason::TooShort,
            msisdn: None,
            other_msisdn: None,
            fields: Fields::pack([long.as_str()]),
        };
        sink.rejected(&vec![long; 21]).unwrap();
        sink.rejected(&rejects(1)).unwrap();
        sink.pass_rejected_on().unwrap();
        drop(sink);
        assert_eq!(sizes(&mut pieces), [REJECTED_ROWS, 21, 1]);
    }

    fn sizes(pieces: &mut mpsc::Receiver<Piece>) -> Vec<usize> {
        let mut sizes = Vec::new();
        while let Some(Piece::Rejected(rows)) = pieces.blocking_recv() {
            sizes.push(rows.len());
        }
        sizes
    }
}
