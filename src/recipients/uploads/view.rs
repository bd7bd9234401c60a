//! Uploads as JSON.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;
use serde_json::Value;

use super::KEPT;
use super::folder::Entry;
use super::record::{ImportEnd, ImportJob};
use crate::base::domain::Timestamp;
use crate::recipients::audience::ImportView;

/// An upload.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct UploadView {
    /// Id of the upload.
    pub id: String,
    /// Name of the file.
    pub name: String,
    /// Bytes that have arrived: where the next part begins.
    pub offset: u64,
    /// Bytes of the whole file, if they were declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    #[serde(serialize_with = "Timestamp::as_text")]
    pub created_at: Timestamp,
    /// When it is removed, unless it is used again.
    #[serde(serialize_with = "Timestamp::as_text")]
    pub expires_at: Timestamp,
    /// Its import, once it was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import: Option<ImportProgressView>,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ImportState {
    /// Another import is running.
    Waiting,
    Running,
    Done,
    Failed,
    /// Nothing is stored until somebody has answered which country the numbers without one have.
    Asks,
}

/// The import of an upload.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ImportProgressView {
    /// Name of the audience.
    pub audience: String,
    pub state: ImportState,
    /// Bytes of the unpacked file that are read, and all of them.
    pub bytes_done: u64,
    pub bytes_total: u64,
    /// Rows that are read.
    pub rows: u64,
    /// The counts, once it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ImportView<'static>>)]
    pub result: Option<Value>,
    /// Why it has failed, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Rows whose numbers lack a country, where that is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_country: Option<u64>,
}

impl UploadView {
    pub(super) fn latest_first<'a>(entries: impl Iterator<Item = &'a Arc<Entry>>) -> Vec<Self> {
        let mut all: Vec<Self> = entries.map(|entry| Self::of(entry)).collect();
        all.sort_by_key(|upload| std::cmp::Reverse((upload.created_at, upload.id.clone())));
        all
    }

    pub(super) fn of(entry: &Entry) -> Self {
        let record = entry.record.lock();
        Self {
            id: entry.id.to_string(),
            name: record.name.clone(),
            offset: entry.received(),
            length: record.length,
            created_at: record.created_at,
            expires_at: record.used_at + KEPT,
            import: record.import.as_ref().map(|job| ImportProgressView::of(entry, job)),
        }
    }
}

impl ImportProgressView {
    fn of(entry: &Entry, job: &ImportJob) -> Self {
        let progress = &entry.progress;
        let (state, result, problem) = match &job.end {
            None if progress.has_begun.load(Ordering::Acquire) => (ImportState::Running, None, None),
            None => (ImportState::Waiting, None, None),
            Some(ImportEnd::Done(result)) => (ImportState::Done, Some(result.clone()), None),
            Some(ImportEnd::Failed(problem)) => (ImportState::Failed, None, Some(problem.clone())),
            Some(ImportEnd::Asks { .. }) => (ImportState::Asks, None, None),
        };
        let read = progress.rows.load(Ordering::Relaxed);
        let (without_country, rows) = match job.end {
            Some(ImportEnd::Asks { without_country, rows }) => (Some(without_country), rows),
            _ => (None, read),
        };
        Self {
            audience: job.target.name().to_owned(),
            state,
            bytes_done: progress.bytes_done.load(Ordering::Relaxed),
            bytes_total: progress.bytes_total.load(Ordering::Relaxed),
            rows,
            result,
            problem,
            without_country,
        }
    }
}
