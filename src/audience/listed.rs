//! Numbers that an operator lists to opt them out or in.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::{Error, Example, ImportNote, Options, Reason, Source, SourceFilter, Summary, numbers};
use crate::domain::{Country, Msisdn};

/// Sentences about invalid entries that are shown.
const SHOWN: usize = 3;

/// The numbers of a list and of a file.
#[derive(Debug)]
pub struct ListedNumbers {
    /// Each valid number once.
    pub numbers: Vec<Msisdn>,
    /// The counts of both together; columns and notes are those of the file.
    pub summary: Summary,
    /// A sentence for each of the first invalid entries.
    invalid: Vec<String>,
}

impl ListedNumbers {
    /// Reads the numbers of a list and of a file.
    pub async fn read(list: Vec<String>, file: Option<PathBuf>, options: Options) -> Result<Self, Error> {
        // One filter for both sources: a number of the list is a duplicate in the file.
        let filter = SourceFilter::new(Arc::default());
        let read = async |source| numbers(source, options.clone(), filter.clone()).await;
        let (mut found, mut whole) = (Vec::new(), Summary::default());
        if !list.is_empty() {
            (found, whole) = read(Source::numbers(list)).await?;
        }
        let bare = |it: &Example| format!("\"{}\": {}", it.value, it.reason.sentence_of_bare_number());
        let mut invalid: Vec<String> = invalid_of(&whole).map(bare).collect();
        let Some(file) = file else { return Ok(Self { numbers: found, summary: whole, invalid }) };
        filter.next_source();
        let (more, summary) = read(Source::File(file)).await?;
        found.extend(more);
        let in_line = |it: &Example| format!("line {}, \"{}\": {}", it.line, it.value, it.reason.sentence());
        invalid.extend(invalid_of(&summary).map(in_line));
        whole.invalid += summary.invalid;
        whole.duplicates += summary.duplicates;
        for (country, number) in summary.countries {
            *whole.countries.entry(country).or_default() += number;
        }
        for (reason, number) in summary.reasons {
            *whole.reasons.entry(reason).or_default() += number;
        }
        (whole.number_column, whole.notes) = (summary.number_column, summary.notes);
        Ok(Self { numbers: found, summary: whole, invalid })
    }

    /// The notes about the file that matter for a list of numbers. With `takes_all`, every number of a row was read.
    pub fn notes(&self, takes_all: bool) -> Vec<String> {
        let text = |note: &ImportNote| match note {
            ImportNote::SeveralNumbers(rows) if takes_all => Some(rows.all_numbers_read()),
            // They are about messages, and a list is not sent to.
            ImportNote::FixedLines(_) | ImportNote::ErrorTexts { .. } => None,
            note => Some(note.text()),
        };
        self.summary.notes.iter().filter_map(text).collect()
    }

    /// Why the first few invalid entries are no numbers.
    pub fn first_invalid(&self) -> String {
        let first: Vec<&str> = self.invalid.iter().take(SHOWN).map(String::as_str).collect();
        if first.is_empty() {
            return "name at least one number".to_owned();
        }
        match self.summary.invalid.saturating_sub(first.len() as u64) {
            0 => first.join("; "),
            more => format!("{}; … and {more} more", first.join("; ")),
        }
    }
}

/// The first entries without a valid number.
fn invalid_of(summary: &Summary) -> impl Iterator<Item = &Example> {
    summary.examples.iter().filter(|example| !matches!(example.reason, Reason::Duplicate | Reason::EarlierSource))
}

/// Listed numbers after they were opted out or in.
#[derive(Debug, Serialize)]
pub struct OptOutChangeView<'a> {
    pub numbers: usize,
    pub channel_users: usize,
    pub changed: u64,
    pub unchanged: u64,
    pub invalid: u64,
    pub duplicates: u64,
    pub countries: &'a BTreeMap<Country, u64>,
    pub reasons: &'a BTreeMap<Reason, u64>,
    pub noted: Option<bool>,
}

impl<'a> OptOutChangeView<'a> {
    /// `changed` of the numbers and of the `channel_users` are new opt-outs or opt-ins. `noted` tells whether every running
    /// server obeys.
    pub const fn new(listed: &'a ListedNumbers, channel_users: usize, changed: u64, noted: Option<bool>) -> Self {
        let ListedNumbers { numbers, summary, .. } = listed;
        Self {
            numbers: numbers.len(),
            channel_users,
            changed,
            unchanged: ((numbers.len() + channel_users) as u64).saturating_sub(changed),
            invalid: summary.invalid,
            duplicates: summary.duplicates,
            countries: &summary.countries,
            reasons: &summary.reasons,
            noted,
        }
    }
}
