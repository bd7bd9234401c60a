//! Counts campaigns by country and code in the background, because that reads every message.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::base::domain::{BatchId, Causes, Span, Timestamp};
use crate::campaigns::report::{Breakdown, CopyProgress, breakdown};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Kind, Problem};

/// Counts at a time. Each holds a copy of a campaign on the disk.
const AT_ONCE: usize = 2;
/// Workbooks that are written at a time.
const WORKBOOKS_AT_ONCE: usize = 1;
/// Campaigns whose tables are kept in memory.
const KEPT: usize = 64;
/// Messages of a campaign that is counted when its page is opened. It takes a fraction of a second.
pub(super) const FEW: u32 = 10_000;

/// The tables of a campaign.
#[derive(Debug)]
pub(in crate::http::api) struct CountedTables {
    pub(in crate::http::api) tables: Breakdown,
    pub(in crate::http::api) at: Timestamp,
}

impl CountedTables {
    /// The recipients that were counted.
    fn recipients(&self) -> i64 {
        self.tables.countries.iter().map(|country| country.audience).sum()
    }
}

/// Where a count is.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    /// Of two passes over the messages: first they are copied, then counted.
    Counting {
        done: u64,
        of: u64,
    },
    Failed(String),
    Counted(Arc<CountedTables>),
}

/// What was counted since the server started, and what is being counted; and the permits for work over all messages.
#[derive(Debug)]
pub(in crate::http::api) struct Countings {
    of: Mutex<BTreeMap<BatchId, Stage>>,
    permits: Arc<Semaphore>,
    workbooks: Arc<Semaphore>,
}

impl Default for Countings {
    fn default() -> Self {
        let permits = |number| Arc::new(Semaphore::new(number));
        Self { of: Mutex::default(), permits: permits(AT_ONCE), workbooks: permits(WORKBOOKS_AT_ONCE) }
    }
}

impl Countings {
    /// The permit to write a workbook, if no other is being written.
    pub(super) fn workbook(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.workbooks).try_acquire_owned().ok()
    }

    pub(super) fn stage(&self, batch: BatchId) -> Option<Stage> {
        self.of.lock().get(&batch).cloned()
    }

    /// The tables, if they are counted.
    pub(super) fn counted(&self, batch: BatchId) -> Option<Arc<CountedTables>> {
        match self.stage(batch) {
            Some(Stage::Counted(counted)) => Some(counted),
            _ => None,
        }
    }

    fn set(&self, batch: BatchId, stage: Stage) {
        let mut all = self.of.lock();
        all.insert(batch, stage);
        while all.len() > KEPT {
            // First what is counted again in no time, then what was counted first.
            let time = |stage: &Stage| match stage {
                Stage::Counting { .. } => None,
                Stage::Failed(_) => Some((false, Timestamp::default())),
                Stage::Counted(counted) => Some((counted.recipients() >= i64::from(FEW), counted.at)),
            };
            let first = all.iter().filter_map(|(batch, stage)| Some((time(stage)?, *batch))).min();
            let Some((_, first)) = first else { return };
            all.remove(&first);
        }
    }

    /// Begins to count a campaign, unless it is being counted.
    pub(super) fn begin(shared: &Shared, batch: BatchId) -> Answer<()> {
        let countings = &shared.0.countings;
        if matches!(countings.stage(batch), Some(Stage::Counting { .. })) {
            return Ok(());
        }
        let permit = Arc::clone(&countings.permits).try_acquire_owned().map_err(|_| {
            let sentence = "other campaigns are being counted; try again when they are done";
            Problem::new(Kind::Busy, sentence).retry_after(Span::from_secs(5))
        })?;
        countings.set(batch, Stage::Counting { done: 0, of: 1 });
        let (shared, stopping) = (shared.clone(), shared.door.stopping());
        tokio::spawn(async move {
            let _permit = permit;
            tokio::select! {
                stage = count(&shared, batch) => shared.0.countings.set(batch, stage),
                () = stopping.cancelled() => {}
            }
        });
        Ok(())
    }
}

async fn count(shared: &Shared, batch: BatchId) -> Stage {
    let countings = &shared.0.countings;
    let seen = |progress: CopyProgress, all: u64| {
        let done = match progress {
            CopyProgress::Copied(copied) => copied,
            CopyProgress::Seen(seen) => all + seen,
        };
        countings.set(batch, Stage::Counting { done, of: (all * 2).max(1) });
    };
    match breakdown(shared.store.as_ref(), batch, seen).await {
        Ok(tables) => {
            let (tables, at) = (tables.unwrap_or_default(), shared.clock.now());
            Stage::Counted(Arc::new(CountedTables { tables, at }))
        }
        Err(error) => {
            tracing::warn!(error = %Causes(&error), "cannot count a campaign by country and code");
            Stage::Failed(error.to_string())
        }
    }
}
