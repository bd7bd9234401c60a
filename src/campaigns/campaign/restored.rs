//! After a restore: what may have been sent since the backup needs an operator's confirmation before it is sent.

use super::launch::{LaunchError, Launcher};
use crate::base::clock::format_time;
use crate::base::domain::Timestamp;
use crate::store::{Batch, Restore};

/// Why a restored campaign is paused.
pub fn restored_from(copied_at: Timestamp) -> String {
    format!(
        "the database is a backup of {}, which does not know what was sent since, and would send it again",
        format_time(copied_at, None)
    )
}

/// How a campaign is launched.
#[derive(Debug, Clone, Copy, Default)]
pub struct HowToLaunch {
    /// Whether it waits for an operator to start it.
    pub is_draft: bool,
    /// Whether an operator confirms it, although it may have been launched before a restore.
    pub confirms_restored: bool,
    /// When an operator began to write it, if the database has stored it before the launch.
    pub written_at: Option<Timestamp>,
}

impl HowToLaunch {
    pub const DRAFT: Self = Self { is_draft: true, confirms_restored: false, written_at: None };
}

impl Launcher<'_> {
    /// Fails if the campaign may have been launched after the backup from which the database was restored.
    ///
    /// - One that was stored before the restore may have been, at any time.
    /// - Any other may be written again from memory: for a day.
    pub async fn ensure_not_launched_before(&self, how: HowToLaunch) -> Result<(), LaunchError> {
        let Some(restore) = self.store.last_restore().await?.filter(|_| !how.confirms_restored) else { return Ok(()) };
        let is_restored = how.written_at.is_some_and(|at| at <= restore.accepted_at);
        if is_restored || restore.is_recent(self.clock.now()) {
            return Err(LaunchError::Restored { copied_at: restore.copied_at });
        }
        Ok(())
    }

    /// Fails if a repetition of this campaign may send again what was sent after the backup.
    pub(super) async fn ensure_not_repeated_before(&self, batch: &Batch, confirms: bool) -> Result<(), LaunchError> {
        if confirms {
            return Ok(());
        }
        let recent = self.store.last_restore().await?.filter(|restore| restore.is_recent(self.clock.now()));
        match batch.restored_from.or(recent.map(|Restore { copied_at, .. }| copied_at)) {
            Some(copied_at) => Err(LaunchError::Restored { copied_at }),
            None => Ok(()),
        }
    }
}
