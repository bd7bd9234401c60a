//! From a file into the store: hidden until all of it is there.

use std::path::PathBuf;

use futures_util::stream::{FuturesUnordered, TryStreamExt};
use tokio::sync::mpsc;

use super::onto::Onto;
use super::open::shown;
use super::survey::Survey;
use super::{Columns, Error, Halt, Options, Progress, Reject, Sieve, Sink, Summary, read, read_numbers};
use crate::clock::Clock;
use crate::domain::{AudienceId, Msisdn, Recipient};
use crate::store::{self, Audience, AudiencePart, KnownAs, NewAudience, Store};

/// Where recipients come from.
#[derive(Debug, Clone)]
pub enum Source {
    File(PathBuf),
    Numbers { numbers: Vec<String>, columns: Columns },
}

/// The column of numbers that stand beside nothing else.
const NUMBER_COLUMN: &str = "Mobile";

impl Source {
    /// Numbers alone.
    pub fn numbers(numbers: Vec<String>) -> Self {
        Self::numbers_beside(numbers, vec![NUMBER_COLUMN.to_owned()], NUMBER_COLUMN)
    }

    /// Numbers beside people with such columns, of which one holds their numbers. They have the same columns, so that
    /// whatever is written to those people can be written to them.
    pub fn numbers_beside(numbers: Vec<String>, columns: Vec<String>, number_column: &str) -> Self {
        Self::Numbers { numbers, columns: Columns::of_numbers(columns, number_column) }
    }

    /// What people call it.
    pub fn label(&self) -> String {
        match self {
            Self::File(path) => {
                let path = shown(path);
                path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
            }
            Self::Numbers { numbers, .. } => format!("{} numbers", numbers.len()),
        }
    }

    fn read(&self, options: &Options, sieve: &Sieve, sink: &mut dyn Sink) -> Result<Summary, Error> {
        let opted_out = |msisdn| sieve.is_opted_out(msisdn);
        let mut known = sieve.known();
        match self {
            Self::File(path) => read(path, options, &opted_out, &mut known, sink),
            Self::Numbers { numbers, columns } => read_numbers(numbers, columns, options, &opted_out, &mut known, sink),
        }
    }
}

/// As what people are kept.
#[derive(Debug, Clone, Copy)]
pub enum Keep<'a> {
    /// A campaign brings them along.
    Nameless,
    Named(&'a str),
    /// Whoever is new, in a further part. A campaign that was launched before does not see it.
    AddTo(&'a Audience),
}

/// Told now and then how far the reading is.
pub type OnProgress = Box<dyn FnMut(Progress) + Send>;

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    Read(#[from] Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("{source_name} has more than {max} recipients; split it")]
    TooMany { source_name: String, max: u32 },
    #[error("{source_name} has no row below its header; nothing was kept")]
    NoRows { source_name: String },
    #[error(
        "nobody in {source_name} can be written to, so nothing was kept; `volley audience check` says why for each of its \
         {rows} rows"
    )]
    Nobody { source_name: String, rows: u64 },
    #[error(
        "{source_name} holds nobody who can be written to and is not in the audience \"{name}\" yet; nothing was added"
    )]
    NothingNew { source_name: String, name: String, summary: Box<Summary> },
    #[error(
        "{source_name} has columns that the audience \"{name}\" has not: {}; say with --map which they are, or delete them",
        columns.join(", ")
    )]
    OtherColumns { source_name: String, name: String, columns: Vec<String> },
}

/// An audience that has just become visible.
#[derive(Debug)]
pub struct Imported {
    pub id: AudienceId,
    pub summary: Summary,
    pub survey: Survey,
}

/// Reads recipients without keeping them: for a plan.
pub async fn survey(source: Source, options: Options, sieve: Sieve) -> Result<(Summary, Survey), Error> {
    let file = PathBuf::from(source.label());
    let reading = tokio::task::spawn_blocking(move || {
        let mut looking = Looking::default();
        let summary = source.read(&options, &sieve, &mut looking)?;
        Ok((summary, looking.survey))
    });
    reading.await.map_err(|_| Error::Internal { file })?
}

/// Reads recipients into the store. Whatever goes wrong, nothing of it is visible.
pub async fn import(
    store: &dyn Store,
    clock: &dyn Clock,
    source: Source,
    keep: Keep<'_>,
    mut options: Options,
    sieve: Sieve,
    progress: Option<OnProgress>,
) -> Result<Imported, ImportError> {
    let begun = clock.now();
    let label = source.label();
    let onto = match keep {
        Keep::AddTo(audience) => {
            if !options.keep_duplicates {
                meet(store, audience, &sieve).await?;
            }
            let number = number_column(audience);
            options.number.clone_from(&number);
            Some(Onto::new(&audience.columns, number.as_deref()))
        }
        Keep::Nameless | Keep::Named(_) => None,
    };
    let (sender, mut pieces) = mpsc::channel(AHEAD);
    let reading = tokio::task::spawn_blocking(move || {
        let mut looking = Looking { survey: Survey::default(), pieces: Some(sender), progress, onto };
        let read = source.read(&options, &sieve, &mut looking);
        (read.map(|summary| (summary, looking.survey)), looking.onto.map(|onto| onto.strange).unwrap_or_default())
    });
    let mut audience = None;
    let stored = take_in(store, clock, &label, keep, &mut pieces, &mut audience).await;
    // Whoever reads on notices that nobody listens any more.
    drop(pieces);
    let internal = |_| (Err(Error::Internal { file: PathBuf::from(&label) }), Vec::new());
    let (read, strange) = reading.await.unwrap_or_else(internal);
    let source_name = || label.clone();
    let published = match (stored, read, keep) {
        (_, _, Keep::AddTo(to)) if !strange.is_empty() => {
            Err(ImportError::OtherColumns { source_name: source_name(), name: to.name.clone(), columns: strange })
        }
        (Err(error), ..) => Err(error),
        (Ok(_), Err(error), _) => Err(error.into()),
        // What a campaign brings along may lack people where its other sources have some.
        (Ok(_), Ok((summary, _)), Keep::Named(_) | Keep::AddTo(_)) if summary.rows == 0 => {
            Err(ImportError::NoRows { source_name: source_name() })
        }
        (Ok(_), Ok((summary, _)), Keep::Named(_)) if summary.valid == 0 => {
            Err(ImportError::Nobody { source_name: source_name(), rows: summary.rows })
        }
        (Ok(_), Ok((mut summary, _)), Keep::AddTo(to)) if summary.valid == 0 => {
            summary.seconds = clock.now().since(begun).std().as_secs_f64();
            let (name, summary) = (to.name.clone(), Box::new(summary));
            Err(ImportError::NothingNew { source_name: source_name(), name, summary })
        }
        (Ok(count), Ok((mut summary, survey)), _) => {
            summary.seconds = clock.now().since(begun).std().as_secs_f64();
            publish(store, audience, &label, count, &summary, &survey).await.map(|id| Imported { id, summary, survey })
        }
    };
    if let (Err(_), Some(audience)) = (&published, audience) {
        // Should this fail too, the half audience stays hidden, and a later sweep takes it.
        let _ = store.remove_audience(audience).await;
    }
    published
}

/// What the import understood of the file that a part came from.
pub fn understood(part: &AudiencePart) -> serde_json::Value {
    let parsed = part.summary.as_deref().and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    parsed.and_then(|mut value| value.get_mut("summary").map(serde_json::Value::take)).unwrap_or_default()
}

/// The column from which an audience's numbers were taken.
fn number_column(audience: &Audience) -> Option<String> {
    understood(audience.parts.first()?)["number_column"].as_str().map(str::to_owned)
}

/// Numbers of an audience that are read in one go.
const PAGE: u32 = 20_000;

/// Gives out the numbers of an audience in pages, each with the place of its first one in its part.
pub async fn each_number(
    store: &dyn Store,
    audience: &Audience,
    mut tell: impl FnMut(u32, Vec<Msisdn>),
) -> store::Result<()> {
    for part in &audience.parts {
        let mut from = 0;
        loop {
            let page = store.numbers(part.id, from, PAGE).await?;
            if page.is_empty() {
                break;
            }
            tell(from, page);
            from += PAGE;
        }
    }
    Ok(())
}

/// Whoever is in the audience already is no news.
async fn meet(store: &dyn Store, audience: &Audience, sieve: &Sieve) -> store::Result<()> {
    each_number(store, audience, |from, page| _ = sieve.had_elsewhere(from, &page)).await?;
    sieve.next_source();
    Ok(())
}

/// Pieces that are given to the store at once: it has the next ones at hand when it has committed some.
pub const STORING: usize = 4;
/// Pieces that wait for the store: reading goes on while it folds its log into the file, and memory stays bounded.
const AHEAD: usize = 8;

async fn take_in(
    store: &dyn Store,
    clock: &dyn Clock,
    label: &str,
    keep: Keep<'_>,
    pieces: &mut mpsc::Receiver<Piece>,
    audience: &mut Option<AudienceId>,
) -> Result<u32, ImportError> {
    let mut count = 0_u32;
    let mut storing = FuturesUnordered::new();
    while let Some(piece) = pieces.recv().await {
        match piece {
            Piece::Columns(columns) => {
                let known_as = match keep {
                    Keep::Nameless => KnownAs::Nothing,
                    Keep::Named(name) => KnownAs::Name(name.to_owned()),
                    Keep::AddTo(audience) => KnownAs::PartOf(audience.id()),
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
                if storing.len() == STORING {
                    storing.try_next().await?;
                }
            }
        }
    }
    while storing.try_next().await?.is_some() {}
    Ok(count)
}

async fn publish(
    store: &dyn Store,
    audience: Option<AudienceId>,
    label: &str,
    count: u32,
    summary: &Summary,
    survey: &Survey,
) -> Result<AudienceId, ImportError> {
    let Some(audience) = audience else { return Err(Error::Internal { file: PathBuf::from(label) }.into()) };
    let stored = serde_json::json!({ "summary": summary, "empty": survey.empty });
    store.publish_audience(audience, count, stored.to_string()).await?;
    Ok(audience)
}

enum Piece {
    Columns(Vec<String>),
    Recipients(Vec<Recipient>),
}

/// Looks at everything that passes, and passes it on where somebody keeps it.
#[derive(Default)]
struct Looking {
    survey: Survey,
    pieces: Option<mpsc::Sender<Piece>>,
    progress: Option<OnProgress>,
    onto: Option<Onto>,
}

impl Looking {
    fn pass(&self, piece: Piece) -> Result<(), Halt> {
        match &self.pieces {
            Some(pieces) => pieces.blocking_send(piece).map_err(|_| Halt::Stop),
            None => Ok(()),
        }
    }
}

impl Sink for Looking {
    fn columns(&mut self, columns: &Columns) -> Result<(), Halt> {
        let names = match &mut self.onto {
            Some(onto) => onto.find(columns)?,
            None => columns.names(),
        };
        let names = names.to_vec();
        self.survey.begin(&names);
        self.pass(Piece::Columns(names))
    }

    fn accepted(&mut self, mut recipients: Vec<Recipient>) -> Result<(), Halt> {
        if let Some(onto) = &self.onto {
            onto.turn(&mut recipients)?;
        }
        self.survey.look(&recipients);
        self.pass(Piece::Recipients(recipients))
    }

    fn threads(&self) -> usize {
        usize::from(self.pieces.is_some())
    }

    fn rejected(&mut self, _: &[Reject]) -> Result<(), Halt> {
        Ok(())
    }

    fn progress(&mut self, progress: Progress) -> Result<(), Halt> {
        if let Some(tell) = &mut self.progress {
            tell(progress);
        }
        Ok(())
    }
}

/// Only the numbers, for leaving people out, and what was understood: a row without a number leaves nobody out.
pub async fn numbers(source: Source, options: Options, sieve: Sieve) -> Result<(Vec<Msisdn>, Summary), Error> {
    struct Numbers(Vec<Msisdn>);

    impl Sink for Numbers {
        fn accepted(&mut self, recipients: Vec<Recipient>) -> Result<(), Halt> {
            self.0.extend(recipients.into_iter().map(|recipient| recipient.msisdn));
            Ok(())
        }
    }

    let file = PathBuf::from(source.label());
    let reading = tokio::task::spawn_blocking(move || {
        let mut numbers = Numbers(Vec::new());
        source.read(&options, &sieve, &mut numbers).map(|summary| (numbers.0, summary))
    });
    reading.await.map_err(|_| Error::Internal { file })?
}
