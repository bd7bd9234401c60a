//! What is stored of an upload beside its bytes: a small file of JSON, replaced as a whole.

use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::base::domain::Timestamp;
use crate::recipients::audience::{CorrectedRows, FileSettings};

/// An upload, as stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    /// The name of the file, for operators.
    pub(super) name: String,
    /// Its length, if the client has declared it.
    pub(super) length: Option<u64>,
    pub(super) created_at: Timestamp,
    /// The last use.
    pub(super) used_at: Timestamp,
    pub(super) import: Option<ImportJob>,
}

/// An accepted import.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ImportJob {
    pub(super) target: ImportTarget,
    pub(super) settings: FileSettings,
    /// Who asked for it; an earlier version did not note that.
    #[serde(default)]
    pub(super) by: Option<String>,
    pub(super) accepted_at: Timestamp,
    /// How often it was begun and did not come to an end. A stop of the server takes its try back.
    #[serde(default)]
    pub(super) tries: u32,
    /// `None` until it has ended.
    pub(super) end: Option<ImportEnd>,
}

/// Where the recipients go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportTarget {
    /// Into a new audience of this name.
    Named(String),
    /// The same, unless numbers lack a country: then nothing is stored until somebody has answered which one they have.
    Asking(String),
    /// Into this audience, beside those that it has.
    AddTo(String),
    /// The same, with corrected rows of this audience.
    Correct { audience: String, rows: CorrectedRows },
}

impl ImportTarget {
    pub fn name(&self) -> &str {
        match self {
            Self::Named(name) | Self::Asking(name) | Self::AddTo(name) | Self::Correct { audience: name, .. } => name,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ImportEnd {
    /// The result, as [`crate::recipients::audience::ImportView`].
    Done(Value),
    /// The sentence that says why.
    Failed(String),
    /// Nothing is stored, because so many numbers lack a country.
    Asks { without_country: u64, rows: u64 },
}

impl Record {
    /// Whether an import was accepted that has not ended.
    pub(super) fn is_importing(&self) -> bool {
        self.import.as_ref().is_some_and(|import| import.end.is_none())
    }

    /// Whether the import was begun, and has not ended.
    pub(super) fn is_in_progress(&self) -> bool {
        self.import.as_ref().is_some_and(|import| import.end.is_none() && import.tries > 0)
    }

    pub(super) fn is_imported(&self) -> bool {
        self.import.as_ref().is_some_and(|import| matches!(import.end, Some(ImportEnd::Done(_))))
    }

    pub(super) fn read(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }

    /// Replaces the file. Once this returns, the record is on disk.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        // Only its owner can read a temporary file, and it keeps that.
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        std::fs::File::open(folder)?.sync_all()
    }
}
