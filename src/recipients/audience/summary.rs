//! The counts and findings of one file.

use std::borrow::Cow;
use std::collections::BTreeMap;

use encoding_rs::Encoding;
use serde::{Deserialize, Serialize};

use super::{ImportNote, Misread, Packed, Readings, Reason, Reject};
use crate::base::domain::{Country, Fields, Meaning};

/// The summary of a file. `volley audience check --json` prints it, with its notes as sentences and the time it took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Summary {
    pub rows: u64,
    pub valid: u64,
    pub invalid: u64,
    pub duplicates: u64,
    pub opted_out: u64,
    /// Rows that the selection of a campaign leaves out.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_selected: u64,
    /// Accepted rows without a number, whom WhatsApp alone reaches by an id, by their country.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, u64>)]
    pub without_number: BTreeMap<Country, u64>,
    /// Accepted rows by the country of their number or id.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub countries: BTreeMap<Country, u64>,
    pub columns: Vec<String>,
    /// The columns again, with their meaning and samples.
    pub fields: Vec<Field>,
    /// `None` without text to decode: spreadsheets and inline numbers.
    #[schema(value_type = Option<String>, example = "UTF-8")]
    pub encoding: Option<&'static Encoding>,
    #[schema(value_type = Option<String>, example = ",")]
    pub delimiter: Option<char>,
    pub sheet: Option<String>,
    pub number_column: String,
    /// Rejected rows by reason; the sum is `rows - valid - not_selected`.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub reasons: BTreeMap<Reason, u64>,
    /// Digest of the file's bytes as given; `None` without a file.
    pub sha256: Option<String>,
    /// How the file was packed, outermost first.
    pub packed: Vec<Packed>,
    /// Notes for the operator. Stored as facts, and shown as sentences.
    #[serde(skip)]
    pub notes: Vec<ImportNote>,
    /// Cells that the selection could not compare. They are shown with the plan of the campaign.
    #[serde(skip)]
    pub misread: Vec<Misread>,
    /// The first few rejects of each reason, for the operator. They contain numbers, so they must not be logged.
    #[serde(skip)]
    pub examples: Vec<Example>,
}

/// A column and its detected meaning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = RecipientFileColumn)]
pub struct Field {
    pub name: String,
    #[serde(rename = "is")]
    #[schema(value_type = Option<String>, example = "number")]
    pub meaning: Option<ColumnMeaning>,
    /// Rows with text in this column.
    pub filled: u64,
    /// The first few distinct texts, shortened.
    pub samples: Vec<String>,
}

/// What a column is for the import or for templates. Written as one word, such as `number`, `Country` or `FirstName`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ColumnMeaning {
    #[serde(rename = "number")]
    Number,
    #[serde(untagged)]
    Named(Meaning),
}

/// Samples per column, enough to recognise its content.
const SAMPLES: usize = 3;
/// Number of rows that samples are taken from.
pub(super) const SAMPLED_ROWS: usize = 100;

/// A rejected row for display: its line and the shortened text of its number cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Example {
    pub line: u64,
    pub reason: Reason,
    pub value: String,
    /// Both numbers that the row can be read as, if it is rejected for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub readings: Option<Readings>,
}

impl Example {
    /// What is wrong with the row, and what to do about it.
    pub fn sentence(&self) -> Cow<'static, str> {
        self.readings.map_or(Cow::Borrowed(self.reason.sentence()), |readings| Cow::Owned(readings.sentence()))
    }

    /// The same for a number outside a file.
    pub fn sentence_of_bare_number(&self) -> Cow<'static, str> {
        let sentence = || Cow::Borrowed(self.reason.sentence_of_bare_number());
        self.readings.map_or_else(sentence, |readings| Cow::Owned(readings.sentence()))
    }
}

/// Examples per reason: enough to recognise a pattern, few enough to read.
const EXAMPLES_PER_REASON: u64 = 3;
const EXAMPLE_CHARS: usize = 40;

impl Summary {
    /// The column of WhatsApp's ids, if there is one beside the numbers.
    pub fn user_column(&self) -> Option<&str> {
        let holds_ids = |field: &&Field| field.meaning == Some(ColumnMeaning::Named(Meaning::WhatsAppUserId));
        self.fields.iter().find(holds_ids).map(|field| field.name.as_str())
    }

    /// Takes samples from one of the first rows.
    pub(super) fn sample(&mut self, fields: &Fields) {
        if self.fields.iter().all(|field| field.samples.len() == SAMPLES) {
            return;
        }
        for (field, cell) in self.fields.iter_mut().zip(fields.unpack().unwrap_or_default()) {
            let cell = shortened(&cell);
            if !cell.is_empty() && field.samples.len() < SAMPLES && !field.samples.contains(&cell) {
                field.samples.push(cell);
            }
        }
    }

    pub(super) fn count_valid(&mut self, rows: usize) {
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        self.rows += rows;
        self.valid += rows;
    }

    pub(super) fn count_not_selected(&mut self, rows: u64) {
        self.rows += rows;
        self.not_selected += rows;
    }

    /// The count of the rows that were rejected for such a reason.
    const fn class(&mut self, reason: Reason) -> &mut u64 {
        match reason {
            Reason::Duplicate | Reason::EarlierSource => &mut self.duplicates,
            Reason::OptedOut => &mut self.opted_out,
            _ => &mut self.invalid,
        }
    }

    /// Counts rejected rows no longer, because a later file has corrected them.
    pub(super) fn take_back(&mut self, reason: Reason, rows: u64) {
        self.rows = self.rows.saturating_sub(rows);
        let class = self.class(reason);
        *class = class.saturating_sub(rows);
        let left = self.reasons.get(&reason).map_or(0, |count| count.saturating_sub(rows));
        if left == 0 {
            self.reasons.remove(&reason);
        } else {
            self.reasons.insert(reason, left);
        }
    }

    /// Counts a rejected row. Calls `value` only if the row becomes an example.
    pub(super) fn count_reject(&mut self, reject: &Reject, value: impl FnOnce() -> String) {
        let Reject { line, reason, .. } = *reject;
        self.rows += 1;
        *self.class(reason) += 1;
        let count = self.reasons.entry(reason).or_default();
        *count += 1;
        if *count <= EXAMPLES_PER_REASON {
            self.examples.push(Example { line, reason, value: shortened(&value()), readings: reject.readings() });
        }
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

pub(super) fn shortened(value: &str) -> String {
    let value = value.trim();
    match value.char_indices().nth(EXAMPLE_CHARS) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}
