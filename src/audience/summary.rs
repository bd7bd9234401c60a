//! The counts of one file.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Note, Packed, Reason};
use crate::domain::{Country, Fields};

/// What a file held. Serialises to the object that `volley audience check --json` prints.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    pub rows: u64,
    pub valid: u64,
    pub invalid: u64,
    pub duplicates: u64,
    pub opted_out: u64,
    /// The accepted rows by the country of their number.
    pub countries: BTreeMap<Country, u64>,
    pub columns: Vec<String>,
    /// The columns once more, with what is in them.
    pub fields: Vec<Field>,
    /// None where there is no text to decode: spreadsheets, inline numbers.
    pub encoding: Option<&'static str>,
    pub delimiter: Option<char>,
    pub sheet: Option<String>,
    pub number_column: String,
    /// The rejected rows by reason, so it sums to `rows - valid`.
    pub reasons: BTreeMap<Reason, u64>,
    /// Filled in by the caller, who has a clock.
    pub seconds: f64,
    /// Of the file's bytes, as they were given. Nothing where there was no file.
    pub sha256: Option<String>,
    /// In what the file was packed, from the outermost on.
    pub packed: Vec<Packed>,
    /// What the person who gave the file should know of it.
    pub notes: Vec<Note>,
    /// The first few rejects of each reason, for the person who gave the file; they hold numbers, so not for logs.
    #[serde(skip)]
    pub examples: Vec<Example>,
}

/// A column, as it was understood.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Field {
    pub name: String,
    /// What the import or templates know it as: `number`, `Country`, `FirstName` and their like.
    #[serde(rename = "is")]
    pub meaning: Option<&'static str>,
    /// Rows that have something in it.
    pub filled: u64,
    /// The first few texts that stand in it, each once and shortened.
    pub samples: Vec<String>,
}

/// Enough to recognise what is in a column.
const SAMPLES: usize = 3;
/// Rows in which they are looked for.
pub(super) const SAMPLED_ROWS: usize = 100;

/// A rejected row, for showing: where it is and what stood in its number cell, shortened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    pub line: u64,
    pub reason: Reason,
    pub value: String,
}

/// Enough to recognise a pattern, few enough to read.
const EXAMPLES_PER_REASON: u64 = 3;
const EXAMPLE_CHARS: usize = 40;

impl Summary {
    /// Looks at one of the first rows for samples.
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

    /// `value` is asked for only where it becomes an example.
    pub(super) fn count_reject(&mut self, line: u64, reason: Reason, value: impl FnOnce() -> String) {
        self.rows += 1;
        match reason {
            Reason::Duplicate | Reason::Elsewhere => self.duplicates += 1,
            Reason::OptedOut => self.opted_out += 1,
            _ => self.invalid += 1,
        }
        let count = self.reasons.entry(reason).or_default();
        *count += 1;
        if *count <= EXAMPLES_PER_REASON {
            self.examples.push(Example { line, reason, value: shortened(&value()) });
        }
    }
}

fn shortened(value: &str) -> String {
    let value = value.trim();
    match value.char_indices().nth(EXAMPLE_CHARS) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}
