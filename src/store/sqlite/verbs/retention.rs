//! Implements [`Retention`].

use std::io::ErrorKind;
use std::path::Path;

use sqlx::Connection;

use super::super::identity::OpenDatabase;
use super::super::{Sqlite, copies, rejected, retention};
use crate::base::domain::{Address, AudienceId, BatchId, MessageKey, Msisdn, Timestamp};
use crate::store::{Error, Restore, Result, Retention};

#[async_trait::async_trait]
impl Retention for Sqlite {
    async fn begin_purge(&self, batch: BatchId, now: Timestamp) -> Result<bool> {
        self.write("begin a purge", move |c| Box::pin(retention::begin(c, batch, now))).await
    }

    async fn purge_piece(&self, batch: BatchId) -> Result<u32> {
        self.write("purge messages", move |c| Box::pin(retention::piece(c, batch))).await
    }

    async fn forget_texts(&self, before: Timestamp) -> Result<()> {
        while self.write("delete old inbound messages", move |c| Box::pin(retention::forget_texts(c, before))).await?
            > 0
        {}
        Ok(())
    }

    async fn forget_channel_users(&self) -> Result<()> {
        let mut after = Some(0);
        while let Some(from) = after {
            const VERB: &str = "forget ids of recipients";
            after = self.write(VERB, move |c| Box::pin(retention::forget_channel_users(c, from))).await?;
        }
        Ok(())
    }

    async fn erase(
        &self,
        addresses: Vec<Address>,
        rows: Vec<(AudienceId, u32)>,
        messages: Vec<MessageKey>,
        known: Vec<(BatchId, u32)>,
    ) -> Result<bool> {
        const VERB: &str = "erase a recipient";
        let numbers: Vec<Msisdn> = addresses.iter().filter_map(Address::number).collect();
        if !self.write(VERB, move |c| Box::pin(retention::erase(c, addresses, rows, messages, known))).await? {
            return Ok(false);
        }
        for number in numbers {
            while !self.write(VERB, move |c| Box::pin(rejected::erase_piece(c, number))).await? {}
        }
        Ok(true)
    }

    async fn compact(&self) -> Result<()> {
        const VERB: &str = "compact the database";
        let Some(OpenDatabase { path, .. }) = &self.file else { return Ok(()) };
        self.check_file()?;
        let mut connection = Self::bare(path).await?;
        for text in ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"] {
            sqlx::query(text).execute(&mut connection).await.map_err(|source| Error::of(VERB, source))?;
        }
        connection.close().await.map_err(|source| Error::of(VERB, source))
    }

    async fn back_up(&self, into: &Path) -> Result<u64> {
        let failed = |cause| Error::Backup { path: into.to_owned(), cause };
        if into.exists() {
            return Err(failed(ErrorKind::AlreadyExists.into()));
        }
        let folder = into.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // A temporary file is readable by its owner only: the copy holds every number.
        let file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        let copy = file.path().to_string_lossy().into_owned();
        match &self.file {
            // Not on one of the readers: a large database would occupy it for minutes.
            Some(OpenDatabase { path, .. }) => {
                self.check_file()?;
                let mut connection = Self::bare(path).await?;
                let copied = sqlx::query(COPY).bind(copy).execute(&mut connection).await;
                copied.map_err(|source| Error::of("copy the database", source))?;
            }
            None => {
                self.read("copy the database", move |c| {
                    Box::pin(async move { Ok(sqlx::query(COPY).bind(copy).execute(c).await.map(drop)?) })
                })
                .await?;
            }
        }
        copies::mark(file.path(), self.clock.now()).await?;
        let into = into.to_owned();
        let kept = tokio::task::spawn_blocking(move || {
            // The copy was written through another handle; syncing this one puts its bytes on disk too.
            file.as_file().sync_all()?;
            let file = file.persist_noclobber(&into)?;
            Ok(file.metadata()?.len())
        });
        kept.await.map_err(|error| failed(error.into()))?.map_err(failed)
    }

    async fn copied_at(&self) -> Result<Option<Timestamp>> {
        self.read("read whether it is a copy", |c| Box::pin(copies::copied_at(c))).await
    }

    async fn mark_restored(&self, restore: Restore) -> Result<()> {
        self.write("mark what was restored", move |c| Box::pin(copies::mark_restored(c, restore))).await
    }

    async fn last_restore(&self) -> Result<Option<Restore>> {
        self.read("read the last restore", |c| Box::pin(copies::last_restore(c))).await
    }

    async fn accept_copy(&self) -> Result<()> {
        self.write("accept a copy", |c| Box::pin(copies::accept(c))).await
    }
}

const COPY: &str = "VACUUM INTO ?1";
