//! Reads the recipients that a campaign excludes. A row that cannot be read excludes no recipient, so it is reported.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use super::file::Draft;
use super::lint::{Lint, Warning};
use super::recipients::{Gathering, Origin, RecipientsError, Sought};
use crate::base::config::{NamedKey, Sentence};
use crate::base::domain::{Address, ChannelUser, Msisdn};
use crate::recipients::audience::{self, Example, KnownRecipients, Options, Reason, Source, SourceFilter};

/// Why an entry of `exclude` excludes no number.
#[derive(Debug, thiserror::Error)]
pub enum NotExcluded {
    #[error("{}", .0.sentence(Some("a number")))]
    NotThere(Sought),
    #[error(
        "\"{entry}\" is not a file, an imported audience or a readable number, so it would exclude \
             nothing. {problem}"
    )]
    Unreadable { entry: String, problem: Cow<'static, str> },
    #[error(transparent)]
    Read(#[from] audience::Error),
}

/// Recipients who get no message.
#[derive(Debug, Clone, Default)]
pub struct ExcludedRecipients {
    /// Each as its recipient is known.
    numbers: HashSet<Msisdn>,
    users: HashSet<ChannelUser>,
    known: Arc<KnownRecipients>,
}

impl ExcludedRecipients {
    fn new(known: Arc<KnownRecipients>) -> Self {
        Self { known, ..Self::default() }
    }

    fn extend(&mut self, addresses: impl IntoIterator<Item = Address>) {
        for address in addresses {
            match address {
                Address::Number(number) => _ = self.numbers.insert(self.known.recipient_of(number)),
                Address::User(user) => _ = self.users.insert(user),
            }
        }
    }

    /// Whether this address, or another number of the same recipient, is excluded.
    pub fn contains(&self, address: &Address) -> bool {
        match address {
            Address::Number(number) => self.numbers.contains(&self.known.recipient_of(*number)),
            Address::User(user) => self.users.contains(user),
        }
    }

    pub fn len(&self) -> usize {
        self.numbers.len() + self.users.len()
    }

    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.users.is_empty()
    }
}

#[derive(Debug, Default)]
pub struct Excluded {
    pub recipients: Arc<ExcludedRecipients>,
    /// Files with rows without a number.
    unreadable: Vec<Unreadable>,
}

#[derive(Debug)]
struct Unreadable {
    label: String,
    rows: u64,
    first: Option<Example>,
}

impl Excluded {
    /// Rows of the files without a number; they exclude nothing.
    pub fn unreadable(&self) -> u64 {
        self.unreadable.iter().map(|file| file.rows).sum()
    }

    pub(super) fn warnings(&self) -> Vec<Warning> {
        let warning = |file: &Unreadable| {
            let label = &file.label;
            let rows = match file.rows {
                1 => format!("1 row of {label} excludes"),
                rows => format!("{rows} rows of {label} exclude"),
            };
            let first = file
                .first
                .as_ref()
                .map(|first| format!("; the first is line {}, \"{}\": {}", first.line, first.value, first.sentence()));
            let sentence = Sentence::new("")
                .key_without_field(NamedKey::OfCampaign("exclude"), "numbers to exclude")
                .text(format!(": {rows} nothing{}", first.unwrap_or_default()));
            Warning { code: Lint::UnreadableExclude, step: None, sentence }
        };
        self.unreadable.iter().map(warning).collect()
    }
}

impl Gathering<'_> {
    /// Reads the files, audiences and numbers that the draft excludes.
    pub(super) async fn excluded(
        &self,
        draft: &Draft,
        known: &Arc<KnownRecipients>,
    ) -> Result<Excluded, RecipientsError> {
        let recipients = Arc::new(ExcludedRecipients::new(Arc::clone(known)));
        let mut excluded = Excluded { recipients, unreadable: Vec::new() };
        // Numbers are read as in the audience: national ones are of the campaign's country.
        let options = Options { country: draft.country, takes_all: true, ..Options::default() };
        let read = async |source| {
            let filter = SourceFilter::new(Arc::clone(known));
            audience::only_addresses(source, options.clone(), filter).await.map_err(NotExcluded::from)
        };
        for entry in &draft.exclude {
            match self.origin(draft, entry).await? {
                Some(Origin::File(path)) => {
                    let source = Source::File(path);
                    let label = source.label();
                    let (addresses, summary) = read(source).await?;
                    Arc::make_mut(&mut excluded.recipients).extend(addresses);
                    if summary.invalid > 0 {
                        let first = summary.examples.into_iter().find(|example| is_unreadable(example.reason));
                        excluded.unreadable.push(Unreadable { label, rows: summary.invalid, first });
                    }
                }
                Some(Origin::Imported(imported)) => {
                    let all = Arc::make_mut(&mut excluded.recipients);
                    let each = |page: Vec<(u32, Address)>| all.extend(page.into_iter().map(|(_, address)| address));
                    audience::each_address(self.store, &imported, each).await?;
                }
                Some(Origin::Numbers(_)) | None => {
                    let (addresses, summary) = read(Source::numbers(vec![entry.clone()])).await?;
                    // An opted-out number is excluded anyway.
                    if addresses.is_empty() && summary.opted_out == 0 {
                        let empty = Cow::Borrowed(Reason::Empty.sentence_of_bare_number());
                        let problem = summary.examples.first().map_or(empty, Example::sentence_of_bare_number);
                        return Err(self.refused(draft, entry, problem).await?.into());
                    }
                    Arc::make_mut(&mut excluded.recipients).extend(addresses);
                }
            }
        }
        Ok(excluded)
    }

    async fn refused(
        &self,
        draft: &Draft,
        entry: &str,
        problem: Cow<'static, str>,
    ) -> Result<NotExcluded, RecipientsError> {
        let is_like_a_number = entry.chars().any(|c| c.is_ascii_digit()) && !entry.chars().any(char::is_alphabetic);
        if is_like_a_number {
            return Ok(NotExcluded::Unreadable { entry: entry.to_owned(), problem });
        }
        Ok(NotExcluded::NotThere(self.sought(draft, entry).await?))
    }
}

/// Whether a row with this reason excludes no number.
const fn is_unreadable(reason: Reason) -> bool {
    !matches!(reason, Reason::Duplicate | Reason::EarlierSource | Reason::OptedOut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_excluded_in_every_spelling() {
        let [own, other, another] =
            ["+5491123456789", "+541123456789", "+5491123456780"].map(|number| number.parse::<Address>().unwrap());
        for listed in [&own, &other] {
            let mut excluded = ExcludedRecipients::default();
            excluded.extend([listed.clone()]);
            assert!(excluded.contains(&own) && excluded.contains(&other) && !excluded.contains(&another));
        }
    }
}
