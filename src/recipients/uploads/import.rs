//! Checks uploads, and imports them one after another in the background.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::folder::Entry;
use super::record::{ImportEnd, ImportJob, ImportTarget};
use super::{ImportRefused, UploadError, UploadFolder, UploadId, UploadView};
use crate::base::domain::{Causes, Span};
use crate::base::events::{Event, EventKind, Subject};
use crate::recipients::audience::{
    self, FileSettings, ImportError, ImportRecord, ImportView, Keep, Options, ReadingProgress, Source, SourceFilter,
    Summary, SummaryView, UploadedSource, imported_before,
};
use crate::store::{self, Store};

/// Crashes during an import after which it has failed: its file may need more memory than there is.
const CRASHES_MAX: u32 = 2;
/// How often old uploads are looked for.
const SWEEP: Span = Span::from_secs(3_600);

/// The imports of uploads.
#[derive(Debug, Clone)]
pub struct Imports {
    folder: Arc<UploadFolder>,
    store: Arc<dyn Store>,
    clock: Arc<dyn crate::base::clock::Clock>,
    /// An import uses all processors, so the next one waits.
    one: Arc<tokio::sync::Mutex<()>>,
    /// The same for checks, which wait for no import.
    one_check: Arc<tokio::sync::Mutex<()>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Imports {
    /// Imports end with `stop`. What has not ended then is imported by the next start.
    pub fn new(
        folder: Arc<UploadFolder>,
        store: Arc<dyn Store>,
        clock: Arc<dyn crate::base::clock::Clock>,
        stop: CancellationToken,
    ) -> Self {
        let (one, one_check) = Default::default();
        Self { folder, store, clock, one, one_check, tasks: TaskTracker::new(), stop }
    }

    /// The upload, if it is complete.
    fn complete(&self, id: UploadId) -> Result<Arc<Entry>, ImportRefused> {
        let entry = self.folder.entry(id)?;
        let length = {
            let record = entry.record.lock();
            if record.is_imported() {
                return Err(ImportRefused::Imported(id));
            }
            record.length
        };
        let received = entry.received();
        match length.filter(|length| received < *length) {
            Some(length) => Err(ImportRefused::Incomplete { id, received, length }),
            None => Ok(entry),
        }
    }

    /// Reads an upload without storing its recipients. Returns the counts, and how long it took.
    pub async fn check(
        &self,
        id: UploadId,
        options: Options,
    ) -> Result<Result<(Summary, Span), audience::Error>, ImportRefused> {
        let entry = self.complete(id)?;
        let _one = self.one_check.lock().await;
        let begun = self.clock.now();
        let filter = SourceFilter::load(self.store.as_ref()).await?;
        let read = audience::survey(self.source(&entry), options, filter).await;
        Ok(read.map(|(summary, _)| (summary, self.clock.now().since(begun))))
    }

    /// The file of a complete upload.
    pub fn file(&self, id: UploadId) -> Result<UploadedSource, ImportRefused> {
        Ok(self.file_of(self.complete(id)?.as_ref()))
    }

    fn file_of(&self, entry: &Entry) -> UploadedSource {
        let name = entry.record.lock().name.clone();
        let by = entry.record.lock().import.as_ref().and_then(|import| import.by.clone());
        UploadedSource { path: self.folder.data_path(entry.id), name, id: entry.id.to_string(), by }
    }

    fn source(&self, entry: &Entry) -> Source {
        Source::Upload(self.file_of(entry))
    }

    /// Accepts an import. Once this returns, it is carried out, whatever happens to this process.
    pub async fn begin(
        &self,
        id: UploadId,
        target: ImportTarget,
        settings: FileSettings,
        by: &str,
    ) -> Result<UploadView, ImportRefused> {
        let entry = self.complete(id)?;
        let name = target.name();
        match (&target, self.store.audience_named(name).await?) {
            (ImportTarget::Named(_) | ImportTarget::Asking(_), Some(_)) => {
                return Err(ImportRefused::NameTaken(name.to_owned()));
            }
            (ImportTarget::AddTo(_) | ImportTarget::Correct { .. }, None) => {
                return Err(ImportRefused::UnknownAudience(name.to_owned()));
            }
            _ => {}
        }
        // Its rows may be those of the other one.
        let is_corrected = |other: &Arc<Entry>| {
            let record = other.record.lock();
            let corrects = record.import.as_ref().filter(|job| matches!(job.target, ImportTarget::Correct { .. }));
            other.id != id && record.is_importing() && corrects.is_some_and(|job| job.target.name() == name)
        };
        if matches!(target, ImportTarget::Correct { .. }) && self.folder.entries().iter().any(is_corrected) {
            return Err(ImportRefused::BeingCorrected(name.to_owned()));
        }
        // A part that is being sent, or another import, holds the turn.
        let Ok(_turn) = entry.turn.try_lock() else { return Err(ImportRefused::InUse(id)) };
        // The state may have changed while the name was looked up.
        self.complete(id)?;
        if entry.record.lock().is_importing() {
            return Err(UploadError::Importing(id).into());
        }
        let job =
            ImportJob { target, settings, by: Some(by.to_owned()), accepted_at: self.clock.now(), tries: 0, end: None };
        self.folder.change(&entry, |record| record.import = Some(job)).await.map_err(UploadError::from)?;
        self.spawn(Arc::clone(&entry));
        Ok(UploadView::of(&entry))
    }

    fn spawn(&self, entry: Arc<Entry>) {
        let imports = self.clone();
        self.tasks.spawn(async move {
            let stop = imports.stop.clone();
            tokio::select! {
                biased;
                () = stop.cancelled() => imports.interrupted(&entry).await,
                () = imports.carry_out(&entry) => {}
            }
        });
    }

    /// Takes the try of an import back, which a stop of the server has interrupted: it was no crash.
    async fn interrupted(&self, entry: &Entry) {
        if entry.progress.has_begun.swap(false, Ordering::AcqRel) {
            let changed = self.folder.change(entry, |record| {
                if let Some(job) = &mut record.import {
                    job.tries = job.tries.saturating_sub(1);
                }
            });
            if let Err(error) = changed.await {
                tracing::error!(upload = %entry.id, error = %Causes(&error), "cannot record that an import was interrupted");
            }
        }
    }

    /// Carries the accepted imports of earlier starts out, and removes old uploads, until the stop. Then waits for the
    /// imports to be interrupted.
    pub async fn run(&self) {
        self.resume();
        while !self.stop.is_cancelled() {
            if let Err(error) = self.folder.sweep().await {
                tracing::warn!(error = %Causes(&error), "cannot remove old uploads");
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.clock.sleep(SWEEP) => {}
            }
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Begins the imports that an earlier start has accepted.
    pub(super) fn resume(&self) {
        for entry in self.folder.entries() {
            if entry.record.lock().is_importing() {
                self.spawn(entry);
            }
        }
    }

    /// Waits until no import is in progress.
    #[cfg(test)]
    pub(crate) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }

    async fn carry_out(&self, entry: &Arc<Entry>) {
        let _one = self.one.lock().await;
        let Some(job) = entry.record.lock().import.clone().filter(|job| job.end.is_none()) else { return };
        // On disk before the work begins, so that a crash during it is known.
        let begun = self.folder.change(entry, |record| {
            if let Some(job) = &mut record.import {
                job.tries += 1;
            }
        });
        if let Err(error) = begun.await {
            // It begins again with the next start.
            tracing::error!(upload = %entry.id, error = %Causes(&error), "cannot record that an import begins");
            return;
        }
        entry.progress.has_begun.store(true, Ordering::Release);
        let end = match self.import(entry, &job).await {
            Ok(end) => end,
            // The server stops; the next start imports it.
            Err(store::Error::Closed { .. }) => return self.interrupted(entry).await,
            Err(error) => ImportEnd::Failed(error.to_string()),
        };
        let is_done = matches!(end, ImportEnd::Done(_));
        let ended = self.folder.change(entry, |record| {
            if let Some(job) = &mut record.import {
                job.end = Some(end);
            }
        });
        let removed = match ended.await {
            Ok(()) if is_done => self.folder.remove_data(entry.id).await,
            ended => ended,
        };
        if let Err(error) = removed {
            // The next start finds the import in the database.
            tracing::error!(upload = %entry.id, error = %Causes(&error), "cannot record the end of an import");
        }
        entry.progress.has_begun.store(false, Ordering::Release);
    }

    async fn import(&self, entry: &Arc<Entry>, job: &ImportJob) -> store::Result<ImportEnd> {
        let name = job.target.name();
        let known = self.store.audience_named(name).await?;
        if let Some(summary) = known.as_ref().and_then(|audience| {
            let mut records = audience.parts.iter().filter_map(|part| ImportRecord::of(part).ok());
            records.find(|record| record.upload.as_deref() == Some(entry.id.to_string().as_str()))?.summary
        }) {
            // The process ended between the import and its record.
            return self.done(&job.target, &summary, self.clock.now().since(job.accepted_at), true).await;
        }
        if job.tries >= CRASHES_MAX {
            return self.given_up(entry, job).await;
        }
        let keep = match (&job.target, &known) {
            (ImportTarget::Named(name), _) => Keep::Named(name),
            (ImportTarget::Asking(name), _) => Keep::Asking(name),
            (ImportTarget::AddTo(_), Some(audience)) => Keep::AddTo(audience),
            (ImportTarget::Correct { rows, .. }, Some(audience)) => Keep::Correct(audience, rows),
            (ImportTarget::AddTo(name) | ImportTarget::Correct { audience: name, .. }, None) => {
                return Ok(ImportEnd::Failed(ImportRefused::UnknownAudience(name.clone()).to_string()));
            }
        };
        let options = match job.settings.options() {
            Ok(options) => options,
            Err(invalid) => return Ok(ImportEnd::Failed(invalid.to_string())),
        };
        let filter = SourceFilter::load(self.store.as_ref()).await?;
        let shown = Arc::clone(entry);
        let on_progress = Box::new(move |progress: ReadingProgress| {
            shown.progress.bytes_done.store(progress.bytes_done, Ordering::Relaxed);
            shown.progress.bytes_total.store(progress.bytes_total, Ordering::Relaxed);
            shown.progress.rows.store(progress.rows, Ordering::Relaxed);
        });
        let imported = audience::import(
            self.store.as_ref(),
            self.clock.as_ref(),
            self.source(entry),
            keep,
            options,
            filter,
            Some(on_progress),
        );
        match imported.await {
            Ok(imported) => self.done(&job.target, &imported.summary, imported.took, true).await,
            // The rows stay listed, so somebody has to know.
            Err(error @ ImportError::NothingNew { .. }) if matches!(job.target, ImportTarget::Correct { .. }) => {
                Ok(ImportEnd::Failed(error.to_string()))
            }
            Err(ImportError::NothingNew { summary, took, .. }) => self.done(&job.target, &summary, took, false).await,
            Err(ImportError::CountryMissing { without_country, rows, .. }) => {
                Ok(ImportEnd::Asks { without_country, rows })
            }
            Err(ImportError::Store(error @ store::Error::Closed { .. })) => Err(error),
            Err(error) => Ok(ImportEnd::Failed(error.to_string())),
        }
    }

    /// Ends an import that was in progress at several crashes, with an event.
    async fn given_up(&self, entry: &Entry, job: &ImportJob) -> store::Result<ImportEnd> {
        let (upload, file) = (entry.id.to_string(), entry.record.lock().name.clone());
        let audience = job.target.name().to_owned();
        let kind = EventKind::ImportGivenUp { upload, file: file.clone(), audience, crashes: job.tries };
        self.store.record_event(Event::by_server(self.clock.now(), Subject::Server, kind)).await?;
        Ok(ImportEnd::Failed(format!(
            "the server was killed, or crashed, {} times while it imported {file}, so it does not try again; check the \
             server's memory, then import the upload again, or delete it",
            job.tries
        )))
    }

    async fn done(
        &self,
        target: &ImportTarget,
        summary: &Summary,
        took: Span,
        added: bool,
    ) -> store::Result<ImportEnd> {
        if let ImportTarget::Correct { rows, .. } = target
            && added
        {
            for (part, numbers) in &rows.places {
                self.store.remove_rejected(*part, numbers.clone()).await?;
            }
        }
        let name = target.name();
        let audiences = self.store.audiences().await?;
        let before = summary.sha256.as_deref().and_then(|digest| imported_before(&audiences, digest, added));
        let view = ImportView {
            name,
            added: if added { summary.valid } else { 0 },
            took_ms: took.millis(),
            same_as: before.map(|(name, _)| name),
            summary: SummaryView::new(summary),
        };
        // Our own types always have a JSON form.
        Ok(ImportEnd::Done(serde_json::to_value(view).unwrap_or_default()))
    }
}
