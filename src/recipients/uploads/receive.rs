//! Takes a part of a file: appends it to what is on disk.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncWriteExt, BufWriter};

use super::folder::{Entry, blocking};
use super::{ReceiveError, UploadError, UploadFolder, UploadId};

/// Bytes that are written at once.
const BUFFER: usize = 256 << 10;
/// Bytes that an upload claims at once beyond those that were declared.
const STEP: u64 = 8 << 20;

impl UploadFolder {
    /// Appends a part to an upload, at `offset`. Returns how many bytes of it are on disk then.
    ///
    /// - On an error, what has arrived stays, and is on disk.
    /// - A later call for the same upload ends this one.
    /// - Not cancel-safe: a caller that gives up leaves an unknown number of bytes, which a later call finds out.
    pub async fn receive<E: Send>(
        self: &Arc<Self>,
        id: UploadId,
        offset: u64,
        declared: Option<u64>,
        body: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<u64, ReceiveError<E>> {
        let entry = self.entry(id)?;
        let mut mine = 0;
        entry.requests.send_modify(|requests| {
            *requests += 1;
            mine = *requests;
        });
        let mut requests = entry.requests.subscribe();
        let superseded = async { requests.wait_for(|requests| *requests != mine).await.is_ok() };
        let _turn = entry.turn.lock().await;
        self.receive_in_turn(&entry, offset, declared, body, superseded).await
    }

    async fn receive_in_turn<E: Send>(
        self: &Arc<Self>,
        entry: &Entry,
        offset: u64,
        declared: Option<u64>,
        body: impl Stream<Item = Result<Bytes, E>> + Send,
        superseded: impl Future + Send,
    ) -> Result<u64, ReceiveError<E>> {
        // It may have been removed before its turn came.
        self.entry(entry.id)?;
        let (length, is_importing, is_imported) = {
            let record = entry.record.lock();
            (record.length, record.is_importing(), record.is_imported())
        };
        if is_importing || is_imported {
            return Err(UploadError::Importing(entry.id).into());
        }
        let (folder, id) = (Arc::clone(self), entry.id);
        let (file, on_disk) = blocking(move || folder.append(id)).await.map_err(UploadError::from)?;
        entry.received.store(on_disk, Ordering::Release);
        if offset != on_disk {
            return Err(ReceiveError::WrongOffset { offset, on_disk });
        }
        if let (Some(length), Some(declared)) = (length, declared)
            && on_disk.saturating_add(declared) > length
        {
            return Err(ReceiveError::TooLong { length });
        }
        let mut file = BufWriter::with_capacity(BUFFER, tokio::fs::File::from_std(file));
        let copied = self.copy(entry, length, &mut file, body, superseded).await;
        let flushed = file.flush().await;
        // Whatever has failed, the bytes that are there count.
        let found = file.get_ref().metadata().await.map_err(UploadError::from)?;
        let on_disk = found.len();
        entry.received.store(on_disk, Ordering::Release);
        // What was claimed ahead is free again for other uploads.
        entry.claimed.store(length.unwrap_or(0).max(on_disk), Ordering::Release);
        flushed.map_err(UploadError::from)?;
        file.get_ref().sync_data().await.map_err(UploadError::from)?;
        self.change(entry, |_| ()).await.map_err(UploadError::from)?;
        copied.map(|()| on_disk)
    }

    /// Copies a body to the end of a file, for as long as it is within the limits.
    async fn copy<E: Send>(
        &self,
        entry: &Entry,
        length: Option<u64>,
        file: &mut BufWriter<tokio::fs::File>,
        body: impl Stream<Item = Result<Bytes, E>> + Send,
        superseded: impl Future + Send,
    ) -> Result<(), ReceiveError<E>> {
        tokio::pin!(body, superseded);
        let (mut end, mut checked) = (entry.received(), 0);
        loop {
            let chunk = tokio::select! {
                biased;
                _ = &mut superseded => return Err(ReceiveError::Superseded),
                chunk = body.next() => chunk,
            };
            let Some(chunk) = chunk else { return Ok(()) };
            let chunk = chunk.map_err(ReceiveError::Body)?;
            end += chunk.len() as u64;
            if let Some(length) = length.filter(|length| end > *length) {
                return Err(ReceiveError::TooLong { length });
            }
            if end > checked {
                // A claim also looks at the free space of the disk, so declared bytes are claimed in steps too.
                checked = end.saturating_add(STEP).min(length.unwrap_or(u64::MAX));
                if self.claim(entry, checked).is_err() {
                    // Close to the limit, each chunk asks for itself.
                    checked = end;
                    self.claim(entry, end)?;
                }
            }
            file.write_all(&chunk).await.map_err(UploadError::from)?;
            entry.received.store(end, Ordering::Release);
        }
    }
}
