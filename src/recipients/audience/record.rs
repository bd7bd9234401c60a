//! What is stored of an import, besides its recipients: typed and versioned. Sentences are made where they are shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ImportNote, OddCells, Reason, Summary, Survey};
use crate::base::domain::{AudienceId, Country, Timestamp};
use crate::store::{Audience, AudiencePart};

/// Raise it with every change that this version could not read, such as another kind of note.
///
/// Imports recorded before there were versions have none, and their notes are not read.
const VERSION: u32 = 3;

/// The findings of an import, as stored with its part of the audience.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImportRecord {
    version: u32,
    /// `None` for a part that was stored without its findings.
    pub summary: Option<Summary>,
    /// The notes of the summary, which does not write them itself.
    notes: Vec<ImportNote>,
    #[serde(flatten)]
    pub odd: OddCells,
    /// The upload that was imported, by its id, so that it is imported once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload: Option<String>,
    /// Who imported it, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The country of numbers without a country code, as it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
    /// Whether only mobile numbers were accepted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mobile_only: bool,
    /// Number of rejected rows that are stored.
    #[serde(skip_serializing_if = "is_zero")]
    pub rejects: u32,
    /// The audience whose rejected rows this file corrects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrects: Option<AudienceId>,
    /// How many of them it replaces, by the reason why they were rejected. They are no longer stored.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub corrected: BTreeMap<Reason, u64>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Why the record of an import cannot be read. Its recipients are unaffected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableRecord {
    #[error(
        "the import of {source_name} was recorded by a newer version of Volley; use that version, or import the file again"
    )]
    Newer { source_name: String },
    #[error("the record of the import of {source_name} is damaged ({reason}); import the file again")]
    Damaged { source_name: String, reason: String },
}

impl ImportRecord {
    /// Whether its rows are rejected rows of one of these files.
    pub fn corrects_one_of(&self, parts: &[&AudiencePart]) -> bool {
        self.corrects.is_some_and(|id| parts.iter().any(|part| part.id == id))
    }

    pub fn new(summary: &Summary, survey: &Survey) -> Self {
        let (notes, odd) = (summary.notes.clone(), survey.odd.clone());
        Self { version: VERSION, summary: Some(summary.clone()), notes, odd, ..Self::default() }
    }

    /// The text of its column in the database.
    pub fn json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// The record of a part of an audience.
    ///
    /// Whoever decides by it passes the error on. Whoever only shows it may go on with what is known: nothing.
    pub fn of(part: &AudiencePart) -> Result<Self, UnreadableRecord> {
        #[derive(Deserialize)]
        struct Head {
            #[serde(default)]
            version: u32,
        }

        let Some(text) = &part.summary else { return Ok(Self::default()) };
        let source_name = || part.source.clone();
        let damaged = |error: serde_json::Error| UnreadableRecord::Damaged {
            source_name: source_name(),
            reason: error.to_string(),
        };
        if serde_json::from_str::<Head>(text).map_err(damaged)?.version > VERSION {
            return Err(UnreadableRecord::Newer { source_name: source_name() });
        }
        let mut record: Self = serde_json::from_str(text).map_err(damaged)?;
        if let Some(summary) = &mut record.summary {
            summary.notes.clone_from(&record.notes);
        }
        Ok(record)
    }
}

/// The recipients among these files who were rejected in others of them, and then corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Corrected {
    pub recipients: u64,
    /// Those of them whose rejected rows are still listed: a file does not say which rows it corrects.
    pub still_listed: u64,
}

impl Corrected {
    pub fn of<'a>(parts: impl Iterator<Item = &'a AudiencePart>) -> Self {
        let parts: Vec<&AudiencePart> = parts.collect();
        let mut found = Self::default();
        // A record that cannot be read is reported where it decides something.
        let records = parts.iter().filter_map(|part| ImportRecord::of(part).ok());
        for record in records.filter(|record| record.corrects_one_of(&parts)) {
            let valid = record.summary.map_or(0, |summary| summary.valid);
            found.recipients += valid;
            found.still_listed += if record.corrected.is_empty() { valid } else { 0 };
        }
        found
    }
}

/// Finds the first audience into which the same file was imported before, by the digest of the file, and when that was. The
/// part of the import itself, if it `added` one, is the last.
pub fn imported_before<'a>(audiences: &'a [Audience], digest: &str, added: bool) -> Option<(&'a str, Timestamp)> {
    let parts = audiences.iter().flat_map(|audience| audience.parts.iter().map(|part| (audience.name.as_str(), part)));
    let of_same_file = |part: &AudiencePart| {
        let summary = ImportRecord::of(part).unwrap_or_default().summary;
        summary.is_some_and(|summary| summary.sha256.as_deref() == Some(digest))
    };
    let mut same: Vec<_> = parts.filter(|(_, part)| of_same_file(part)).collect();
    same.sort_by_key(|(_, part)| part.id);
    if added {
        same.pop();
    }
    same.first().map(|(name, part)| (*name, part.begun_at))
}

#[cfg(test)]
mod tests {
    use super::super::note::RowCount;
    use super::super::{Options, Outputs, Packed, Reason, SeenRecipients, read};
    use super::*;
    use crate::base::domain::AudienceId;

    fn part(summary: Option<&str>) -> AudiencePart {
        let (source, begun_at) = ("people.csv".to_owned(), Timestamp::from_millis(0));
        AudiencePart { id: AudienceId(1), source, recipients: 3, summary: summary.map(str::to_owned), begun_at }
    }

    fn all_notes() -> Vec<ImportNote> {
        let rows = RowCount { number: 2, line: 7 };
        let (name, names) = ("A".to_owned(), vec!["A".to_owned(), "B".to_owned()]);
        vec![
            ImportNote::HiddenSheet { sheet: name.clone() },
            ImportNote::OtherSheets { sheets: names.clone() },
            ImportNote::HiddenRows { rows: 1 },
            ImportNote::MergedCells { areas: 1 },
            ImportNote::ErrorCells { cells: 1 },
            ImportNote::ErrorTexts { cells: 1 },
            ImportNote::Titles { rows: vec![(1, name.clone())] },
            ImportNote::NoHeader,
            ImportNote::NamedColumns { names: names.clone() },
            ImportNote::SeveralNumbers(rows),
            ImportNote::Words(rows),
            ImportNote::Extensions(rows),
            ImportNote::Landlines(rows),
            ImportNote::UntoldCountry(rows),
            ImportNote::OtherCountry(rows),
            ImportNote::SharedCode(rows),
            ImportNote::BesideTable(rows),
            ImportNote::WithoutNumber(rows),
            ImportNote::NotACountry { column: name.clone() },
            ImportNote::OtherNumbers { taken: name.clone(), columns: names },
            ImportNote::AreaCodes { column: name.clone(), number: name },
            ImportNote::LongQuotes { cells: 1, line: 2 },
            ImportNote::RepeatedIds { rows: 1 },
            ImportNote::Damaged { characters: 1, encoding: encoding_rs::SHIFT_JIS },
        ]
    }

    #[test]
    fn a_record_reads_back_as_it_was_written_without_any_sentence() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/recipients.csv");
        let (mut known, mut outputs) = (SeenRecipients::default(), Outputs::default());
        let mut summary = read(file.as_ref(), &Options::default(), &|_| false, &mut known, &mut outputs).unwrap();
        summary.notes = all_notes();
        summary.packed = vec![Packed::Gzip, Packed::Zip];
        summary.reasons = Reason::ALL.iter().map(|reason| (*reason, 1)).collect();
        let odd = OddCells { empty: vec![0, 4], refused: vec![1, 0] };
        let record = ImportRecord::new(&summary, &Survey { odd: odd.clone(), ..Survey::default() });
        let json = record.json();
        for note in &summary.notes {
            assert!(json.contains(&format!("\"kind\":\"{}\"", note.kind())), "{}", note.kind());
            assert!(!json.contains(&note.text()), "{json}");
        }
        summary.examples.clear();
        let back = ImportRecord::of(&part(Some(&json))).unwrap();
        assert_eq!((back.summary.unwrap(), back.odd), (summary, odd));
    }

    #[test]
    fn a_record_without_a_version_is_read_without_its_notes() {
        assert_eq!(ImportRecord::of(&part(None)), Ok(ImportRecord::default()));
        assert_eq!(ImportRecord::of(&part(Some("{}"))), Ok(ImportRecord::default()));
        let old = r#"{"summary":{"rows":4,"valid":3,"invalid":1,"duplicates":0,"opted_out":0,"countries":{"SG":3},
            "columns":["Mobile"],"fields":[{"name":"Mobile","is":"number","filled":4,"samples":["1"]}],
            "encoding":"windows-1252","delimiter":";","sheet":null,"number_column":"Mobile","reasons":{"no number":1},
            "seconds":0.5,"sha256":"ab","packed":["gzip"],"notes":[{"kind":"no_header","text":"The first row"}]},
            "empty":[1]}"#;
        let record = ImportRecord::of(&part(Some(old))).unwrap();
        let summary = record.summary.unwrap();
        assert_eq!((summary.rows, summary.reasons[&Reason::Empty], summary.notes), (4, 1, vec![]));
        assert_eq!((summary.encoding, record.odd.empty), (Some(encoding_rs::WINDOWS_1252), vec![1]));
    }

    #[test]
    fn a_newer_record_and_a_damaged_one_are_errors_with_a_remedy() {
        let newer = ImportRecord::of(&part(Some(r#"{"version":4,"summary":"of another shape"}"#))).unwrap_err();
        assert_eq!(newer, UnreadableRecord::Newer { source_name: "people.csv".to_owned() });
        let reason = r#"{"version":1,"summary":{"reasons":{"too early":1}}}"#;
        for damaged in ["", "{", "7", "{\"version\":-1}", "{\"version\":1,\"empty\":\"many\"}", reason] {
            let error = ImportRecord::of(&part(Some(damaged))).unwrap_err();
            assert!(matches!(error, UnreadableRecord::Damaged { .. }), "{damaged}: {error}");
            assert!(error.to_string().ends_with("; import the file again"), "{error}");
        }
    }
}
