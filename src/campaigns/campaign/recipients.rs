//! Gathers the recipients of a campaign from files, imported audiences and numbers, for a plan or into the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::addresses::Addresses;
use super::costing::Costed;
use super::examination::{Examination, Examined};
use super::excluded::{Excluded, NotExcluded};
use super::file::Draft;
use super::imported::Known;
use super::lacking::Lacking;
use super::launch::LaunchError;
use super::lint::{Lint, Warning};
use super::plain_texts::Transliterated;
use super::preview::Previews;
use super::rejected_rows::RejectedRows;
use crate::base::clock::Clock;
use crate::base::config::{NamedKey, Problem, Sentence};
use crate::base::domain::text::plural;
use crate::base::domain::{
    AudienceId, Causes, Country, Crowd, OptOutOf, Recipient, StepIndex, by_country, crowd_of, nearest, suggestion,
};
use crate::recipients::audience::{
    self, ImportError, Keep, KnownRecipients, Misread, Observer, OddCells, OnProgress, Options, Reason,
    RecipientObserver, SelectionError, Source, SourceFilter, Summary, Survey, UnreadableRecord,
};
use crate::store::{self, Audience, Audiences, Store};

/// Recipients read at once when a whole audience is read.
pub(super) const PAGE: u32 = 10_000;

/// Recipients that a plan shows.
pub(super) const SHOWN: u32 = 3;

#[derive(Debug, thiserror::Error)]
pub enum RecipientsError {
    #[error("{}", sought.sentence(None))]
    NotThere {
        sought: Sought,
        /// Its place among several audiences, from 1.
        place: Option<usize>,
    },
    #[error("{}; give both files the same columns, or send one campaign to each", difference(first, second))]
    Columns { first: Named, second: Named },
    #[error(transparent)]
    Excluded(#[from] NotExcluded),
    #[error("there is no recipient to send to: {}", why_nobody(*rows, *not_selected, misread))]
    Nobody { rows: u64, not_selected: u64, misread: Vec<Misread> },
    #[error(transparent)]
    Selection(#[from] SelectionError),
    #[error(transparent)]
    Read(#[from] audience::Error),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Record(#[from] UnreadableRecord),
}

impl RecipientsError {
    /// The key of the campaign file that names what cannot be used; `None` if nothing in the file is wrong.
    fn key(&self) -> Option<String> {
        if let Self::NotThere { place: Some(place), .. } = self {
            return Some(format!("audience {place}"));
        }
        let key = match self {
            Self::Selection(_)
            | Self::Read(audience::Error::Selection(_))
            | Self::Import(ImportError::Read(audience::Error::Selection(_))) => Some("where"),
            Self::Import(ImportError::Store(_) | ImportError::Record(_)) | Self::Store(_) | Self::Record(_) => None,
            Self::NotThere { .. } | Self::Columns { .. } | Self::Nobody { .. } | Self::Read(_) | Self::Import(_) => {
                Some("audience")
            }
            Self::Excluded(_) => Some("exclude"),
        };
        key.map(str::to_owned)
    }
}

impl From<RecipientsError> for LaunchError {
    fn from(error: RecipientsError) -> Self {
        match error.key() {
            Some(key) => Self::Problems(vec![Problem::new(None, key, Causes(&error))]),
            None => Self::Recipients(error),
        }
    }
}

/// A name under which nothing was found.
#[derive(Debug)]
pub struct Sought {
    pub(super) name: String,
    /// Where a file was looked for; `None` if the campaign may name no files.
    pub(super) path: Option<PathBuf>,
    pub(super) nearest: Option<String>,
}

impl Sought {
    /// What it is not, and what to do. `other` is what else it could have been.
    pub(super) fn sentence(&self, other: Option<&str>) -> String {
        let Self { name, path, nearest } = self;
        let nearest = nearest.as_deref();
        match path {
            Some(path) => {
                let elsewhere = if path == Path::new(name) { String::new() } else { format!(" ({})", path.display()) };
                let other = other.map(|other| format!(", nor {other}")).unwrap_or_default();
                let right = suggestion(nearest, "check the path, or see `volley audience list`");
                format!("\"{name}\" is neither a file{elsewhere} nor an imported audience{other}; {right}")
            }
            None => {
                let other = other.map(|other| format!(" or {other}")).unwrap_or_default();
                let right = suggestion(nearest, "import its file first, or use one that is listed");
                format!("\"{name}\" is not an imported audience{other}; {right}")
            }
        }
    }
}

/// A source and its columns.
#[derive(Debug)]
pub struct Named {
    label: String,
    columns: Vec<String>,
}

/// Why no row has a recipient. `rows` are those that are selected, or all of them without a selection.
fn why_nobody(rows: u64, not_selected: u64, misread: &[Misread]) -> String {
    match (rows, not_selected) {
        (0, 1..) => {
            let none = format!("`where` selects none of {}", plural(not_selected, "row", "rows"));
            [none].into_iter().chain(misread.iter().map(ToString::to_string)).collect::<Vec<_>>().join("; ")
        }
        (_, 0) => format!("none of {rows} rows has a valid number that has not opted out"),
        (_, _) => format!("none of the {rows} rows that `where` selects has a valid number that has not opted out"),
    }
}

/// Fails if a campaign cannot have both of these sources, because their columns differ. Each is a name with its columns.
pub fn ensure_same_columns(first: (&str, &[String]), second: (&str, &[String])) -> Result<(), RecipientsError> {
    let named = |(label, columns): (&str, &[String])| Named { label: label.to_owned(), columns: columns.to_vec() };
    if first.1 == second.1 {
        return Ok(());
    }
    Err(RecipientsError::Columns { first: named(first), second: named(second) })
}

/// How the columns of two sources differ.
fn difference(first: &Named, second: &Named) -> String {
    let lacking = |one: &Named, other: &Named| {
        let missing = other.columns.iter().filter(|column| !one.columns.contains(column));
        let missing: Vec<&str> = missing.map(String::as_str).collect();
        let columns = if missing.len() == 1 { "column" } else { "columns" };
        (!missing.is_empty())
            .then(|| format!("\"{}\" lacks the {columns} {} of \"{}\"", one.label, missing.join(", "), other.label))
    };
    lacking(second, first).or_else(|| lacking(first, second)).unwrap_or_else(|| {
        format!("\"{}\" and \"{}\" have the same columns in another order", first.label, second.label)
    })
}

/// The recipients of a campaign, as far as a plan needs to know them.
#[derive(Debug, Default)]
pub struct Recipients {
    /// Their name, for operators.
    pub label: String,
    pub columns: Vec<String>,
    /// The column with the numbers.
    pub(super) number_column: String,
    pub recipients: u64,
    pub invalid: u64,
    /// Rows whose number occurs earlier in the same file.
    pub duplicates: u64,
    /// Rows whose number is in an earlier source. Each number is sent to once.
    pub across: u64,
    pub opted_out: u64,
    /// Recipients of the campaign that it retries whom another retry has reached.
    pub reached_before: u64,
    /// Rows that the campaign's `where` does not select.
    pub not_selected: u64,
    /// Those of them that an imported audience has as recipients.
    pub(super) unselected: u64,
    /// Cells that `where` could not compare.
    pub(super) misread: Vec<Misread>,
    /// The rejected rows of each source, with reasons.
    pub left_out: Vec<RejectedRows>,
    pub countries: BTreeMap<Country, u64>,
    /// Those without a number, whom WhatsApp alone reaches by an id.
    pub without_number: BTreeMap<Country, u64>,
    /// The column of WhatsApp's ids.
    pub(super) user_column: Option<String>,
    pub odd: OddCells,
    /// Those who lack a value, if the columns' empty cells do not tell.
    pub lacking: Lacking,
    /// What they cost; `None` if their countries decide that.
    pub(super) costed: Option<Costed>,
    /// What transliteration changes, by step.
    pub transliterated: BTreeMap<StepIndex, Transliterated>,
    /// Ids that several of them have, and addresses of files that no provider can fetch.
    pub addresses: Addresses,
    /// What they would see, if that was asked for.
    pub previews: Option<Previews>,
    pub first: Vec<Recipient>,
    pub excluded: Excluded,
    /// Knows their numbers; `None` for a single audience that was imported before.
    pub(super) filter: Option<SourceFilter>,
    /// Their audiences in the store. Files that were only surveyed have none.
    pub audiences: Vec<Part>,
}

/// An audience that the campaign uses.
#[derive(Debug, Clone)]
pub struct Part {
    pub id: AudienceId,
    pub recipients: u32,
    /// The positions, in order, of recipients that get no message from this audience.
    pub left_out: Vec<u32>,
    /// Whether the campaign itself imported the audience; then a failed launch removes it.
    pub own: bool,
}

impl Part {
    /// The left-out positions within one piece of the audience.
    pub(super) fn left_out_between(&self, from: u32, until: u32) -> &[u32] {
        let index = |n| self.left_out.partition_point(|left_out| *left_out < n);
        &self.left_out[index(from)..index(until)]
    }
}

pub(super) enum Origin {
    File(PathBuf),
    Numbers(Vec<String>),
    Imported(Box<Audience>),
}

/// What is needed to gather recipients.
#[derive(Debug)]
pub(super) struct Gathering<'a> {
    pub store: &'a dyn Store,
    pub clock: &'a dyn Clock,
    /// Whether files are imported into the store, or only surveyed.
    pub keep: bool,
    /// Looks at the recipients.
    pub examination: Arc<Examination>,
    /// Recipients who have opted out of this get none of its messages.
    pub heeds: OptOutOf,
}

impl Gathering<'_> {
    /// Gathers all recipients that a draft names. On an error, nothing of them stays in the store.
    pub(super) async fn gather(
        &self,
        draft: &Draft,
        mut progress: impl FnMut(&str) -> Option<OnProgress>,
    ) -> Result<Recipients, RecipientsError> {
        let mut recipients = Recipients::default();
        let gathered = self.gather_into(draft, &mut recipients, &mut progress).await;
        if gathered.is_err() {
            recipients.discard(self.store).await;
        }
        let Examined { lacking, transliterated, costed, addresses, previews } = self.examination.found();
        (recipients.lacking, recipients.transliterated, recipients.costed) = (lacking, transliterated, costed);
        (recipients.addresses, recipients.previews) = (addresses, previews);
        gathered.map(|()| recipients)
    }

    /// Adds the recipients of a file or of a list of numbers; imports them if they are kept.
    async fn add_read(
        &self,
        recipients: &mut Recipients,
        source: Source,
        (options, filter): (&Options, &SourceFilter),
        progress: Option<OnProgress>,
    ) -> Result<(), RecipientsError> {
        let (label, origin) = (source.label(), source.clone());
        let (options, filter) = (options.clone(), filter.clone());
        let (summary, survey) = if self.keep {
            let (store, clock) = (self.store, self.clock);
            let imported = audience::import(store, clock, source, Keep::Unnamed, options, filter, progress).await?;
            let count = u32::try_from(imported.survey.recipients).unwrap_or(u32::MAX);
            recipients.audiences.push(Part { id: imported.id, recipients: count, left_out: Vec::new(), own: true });
            (imported.summary, imported.survey)
        } else {
            audience::survey(source, options, filter).await?
        };
        recipients.left_out.extend(RejectedRows::of(&origin, &summary));
        recipients.invalid += summary.invalid;
        let across = summary.reasons.get(&Reason::EarlierSource).copied().unwrap_or(0);
        recipients.across += across;
        recipients.duplicates += summary.duplicates - across;
        recipients.opted_out += summary.opted_out;
        recipients.not_selected += summary.not_selected;
        recipients.add_users(&summary);
        recipients.misread.extend(summary.misread);
        for (country, count) in summary.countries {
            *recipients.countries.entry(country).or_default() += count;
        }
        recipients.add(&label, survey, &summary.number_column)?;
        recipients.call(&label);
        Ok(())
    }

    /// What is said of a name under which nothing was found: with the imported audience, or the file of the same folder, that
    /// it probably means.
    pub(super) async fn sought(&self, draft: &Draft, name: &str) -> Result<Sought, store::Error> {
        let path = draft.path_of(name);
        let mut known: Vec<String> = self.store.audiences().await?.into_iter().map(|one| one.name).collect();
        // A folder that cannot be read has nothing to offer. A campaign without files is told nothing about those of the server.
        if let Some(folder) = path.as_deref().and_then(Path::parent)
            && let Ok(mut files) =
                tokio::fs::read_dir(if folder == Path::new("") { Path::new(".") } else { folder }).await
        {
            while let Ok(Some(file)) = files.next_entry().await {
                let beside = Path::new(name).with_file_name(file.file_name());
                known.push(beside.to_string_lossy().into_owned());
            }
        }
        let nearest = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
        Ok(Sought { name: name.to_owned(), path, nearest })
    }

    async fn gather_into(
        &self,
        draft: &Draft,
        recipients: &mut Recipients,
        progress: &mut impl FnMut(&str) -> Option<OnProgress>,
    ) -> Result<(), RecipientsError> {
        let known = Arc::new(KnownRecipients::load(self.store, self.heeds).await?);
        // The exclusions come first, because they may be refused, and the rest may take long.
        recipients.excluded = self.excluded(draft, &known).await?;
        let filter = SourceFilter::new(Arc::clone(&known));
        self.examination.except(&recipients.excluded.recipients, &known);
        let examination = Arc::clone(&self.examination) as Arc<dyn RecipientObserver>;
        let options = Options {
            country: draft.country,
            selection: draft.selection.clone(),
            observer: Observer(Some(Arc::clone(&examination))),
            ..Options::default()
        };
        let mut origins = Vec::new();
        for (place, name) in (1..).zip(&draft.audience) {
            let Some(origin) = self.origin(draft, name).await? else {
                let place = Some(place).filter(|_| draft.audience.len() > 1);
                return Err(RecipientsError::NotThere { sought: self.sought(draft, name).await?, place });
            };
            origins.push(origin);
        }
        // The numbers come last, because they take on the columns of the other sources.
        if !draft.numbers.is_empty() {
            origins.push(Origin::Numbers(draft.numbers.clone()));
        }
        let is_alone = origins.len() == 1;
        recipients.filter = Some(filter.clone()).filter(|_| !matches!(origins[..], [Origin::Imported(_)]));
        for origin in origins {
            filter.next_source();
            let source = match origin {
                Origin::File(path) => Source::File(path),
                Origin::Numbers(numbers) if recipients.columns.is_empty() => Source::numbers(numbers),
                Origin::Numbers(numbers) => {
                    Source::numbers_beside(numbers, recipients.columns.clone(), &recipients.number_column)
                }
                Origin::Imported(audience) => {
                    let beside = Some(&filter).filter(|_| !is_alone);
                    // At a launch, a number that opted out after the import still gets a message, with the outcome
                    // `skipped`. Only a plan counts it out.
                    let opted_out = Some(&*known).filter(|known| !self.keep && !known.nobody_has_opted_out());
                    let observer = Some(&examination).filter(|observer| observer.wants(&audience.columns));
                    let selection = draft.selection.as_ref().map(|it| it.bind(&audience.columns)).transpose()?;
                    self.add_imported(
                        recipients,
                        *audience,
                        Known { selection: selection.as_ref(), beside, opted_out, observer },
                    )
                    .await?;
                    continue;
                }
            };
            let tell = progress(&source.label());
            self.add_read(recipients, source, (&options, &filter), tell).await?;
        }
        if recipients.recipients == 0 {
            let rows = recipients.rejected() + recipients.opted_out;
            let (not_selected, misread) = (recipients.not_selected, std::mem::take(&mut recipients.misread));
            return Err(RecipientsError::Nobody { rows, not_selected, misread });
        }
        Ok(())
    }

    /// Finds a file of that name, else an imported audience.
    pub(super) async fn origin(&self, draft: &Draft, name: &str) -> Result<Option<Origin>, store::Error> {
        if let Some(path) = draft.path_of(name).filter(|path| path.is_file()) {
            return Ok(Some(Origin::File(path)));
        }
        let audience = self.store.audience_named(name).await?;
        Ok(audience.map(|audience| Origin::Imported(Box::new(audience))))
    }
}

impl Recipients {
    /// The recipients of audiences that are already in the store.
    pub(super) fn of_parts(label: String, audiences: Vec<Part>, crowd: &Crowd) -> Self {
        let users = crowd.iter().filter(|(taker, _)| taker.only_on.is_some());
        let (countries, without_number) = (by_country(crowd), by_country(users));
        Self { label, audiences, countries, without_number, recipients: crowd.values().sum(), ..Self::default() }
    }

    /// Rows of the campaign's sources without a number of their own: invalid ones and duplicates.
    pub const fn rejected(&self) -> u64 {
        self.invalid + self.duplicates + self.across
    }

    pub(super) fn add(&mut self, label: &str, survey: Survey, number_column: &str) -> Result<(), RecipientsError> {
        if self.columns.is_empty() {
            self.columns = survey.columns;
            self.odd = survey.odd;
            number_column.clone_into(&mut self.number_column);
        } else if self.columns == survey.columns {
            self.odd.add(survey.odd);
        } else {
            let first = Named { label: self.label.clone(), columns: self.columns.clone() };
            let second = Named { label: label.to_owned(), columns: survey.columns };
            return Err(RecipientsError::Columns { first, second });
        }
        self.recipients += survey.recipients;
        self.first.extend(survey.first.into_iter().take(3_usize.saturating_sub(self.first.len())));
        Ok(())
    }

    /// Adds those of a source who have no number.
    pub(super) fn add_users(&mut self, summary: &Summary) {
        for (country, users) in &summary.without_number {
            *self.without_number.entry(*country).or_default() += users;
        }
        self.user_column = self.user_column.take().or_else(|| summary.user_column().map(str::to_owned));
    }

    /// Counts all of them by what decides which steps they get.
    pub fn crowd(&self) -> Crowd {
        crowd_of(&self.countries, &self.without_number)
    }

    pub(super) fn call(&mut self, label: &str) {
        self.label = if self.label.is_empty() { label.to_owned() } else { format!("{}, {label}", self.label) };
    }

    /// Warnings about cells that `where` could not compare.
    pub(super) fn misread_cells(&self) -> impl Iterator<Item = Warning> {
        self.misread.iter().map(|misread| {
            let key = NamedKey::OfCampaign("where");
            let sentence = Sentence::new("").key_without_field(key, "the filter").text(format!(": {misread}"));
            Warning { code: Lint::MisreadCells, step: None, sentence }
        })
    }

    /// Removes the audiences that the campaign itself imported.
    pub async fn discard(&self, store: &dyn Audiences) {
        for part in self.audiences.iter().filter(|part| part.own) {
            if let Err(error) = store.remove_audience(part.id).await {
                tracing::warn!(%error, "an unused audience could not be removed; it stays hidden");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_that_one_source_lacks_are_named() {
        let named = |label: &str, columns: &[&str]| Named {
            label: label.to_owned(),
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        };
        let kunden = named("kunden", &["Handy", "Name", "Land"]);
        let error = |second| RecipientsError::Columns { first: named("a", &["Name", "Mobile"]), second }.to_string();
        assert_eq!(
            difference(&kunden, &named("second", &["Name", "Code"])),
            "\"second\" lacks the columns Handy, Land of \"kunden\""
        );
        assert_eq!(difference(&named("a", &["Name"]), &kunden), "\"a\" lacks the columns Handy, Land of \"kunden\"");
        assert_eq!(
            error(named("b", &["Mobile", "Name"])),
            "\"a\" and \"b\" have the same columns in another order; give both files the same columns, or send \
             one campaign to each"
        );
    }
}
