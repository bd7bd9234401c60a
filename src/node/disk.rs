//! Watches the free space on the disk of the database, and records when it runs out and when there is some again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::config::Database;
use crate::base::domain::{Causes, FaultReport, Span, Timestamp};
use crate::base::events::{Event, EventKind, Subject};
use crate::store::Store;

/// How often it looks.
const EVERY: Span = Span::from_secs(60);
/// With less than this, the disk is running full; a server that sends at full rate fills it within an hour or so.
const LOW_MIB: u64 = 1_024;
/// On a small disk, with less than this share of it.
const LOW_PERCENT: u64 = 5;

/// Free space and size of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Space {
    pub(super) free_mib: u64,
    pub(super) whole_mib: u64,
}

impl Space {
    fn of(folder: &Path) -> Option<Self> {
        let found = rustix::fs::statvfs(folder).ok()?;
        let mib = |blocks: u64| blocks.saturating_mul(found.f_frsize) >> 20;
        Some(Self { free_mib: mib(found.f_bavail), whole_mib: mib(found.f_blocks) })
    }

    /// The limit of this disk.
    const fn low_mib(self) -> u64 {
        let share = self.whole_mib * LOW_PERCENT / 100;
        if share < LOW_MIB { share } else { LOW_MIB }
    }
}

/// Whether the disk is known to run full.
#[derive(Debug, Default)]
pub(super) struct DiskMonitor {
    is_filling: bool,
}

impl DiskMonitor {
    /// The event that new figures lead to. The end needs twice the space, so that the limit itself is crossed once.
    pub(super) fn look(&mut self, space: Space) -> Option<EventKind> {
        let (free_mib, low_mib) = (space.free_mib, space.low_mib());
        if !self.is_filling && free_mib < low_mib {
            self.is_filling = true;
            return Some(EventKind::DiskFilling { free_mib });
        }
        if self.is_filling && free_mib >= low_mib * 2 {
            self.is_filling = false;
            return Some(EventKind::DiskFreed { free_mib });
        }
        None
    }
}

/// The folder of the database.
fn folder(database: &Database) -> PathBuf {
    let Database::Sqlite { path } = database;
    let path = path.canonicalize().unwrap_or_else(|_| path.clone());
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// Looks every minute until `stop`.
pub(super) async fn watch(store: Arc<dyn Store>, clock: Arc<dyn Clock>, database: Database, stop: CancellationToken) {
    let (folder, failure) = (folder(&database), FaultReport::default());
    let (mut monitor, mut unwritten): (_, Option<EventKind>) = (DiskMonitor::default(), None);
    while !stop.is_cancelled() {
        // A newer event replaces one that could not be written: on a full disk, nothing can be.
        if let Some(kind) = Space::of(&folder).and_then(|space| monitor.look(space)) {
            event(clock.now(), kind.clone()).log();
            unwritten = Some(kind);
        }
        if let Some(kind) = unwritten.take() {
            match store.record_event(event(clock.now(), kind.clone())).await {
                Ok(()) => _ = failure.ends(),
                Err(error) => {
                    if failure.begins() {
                        tracing::warn!(error = %Causes(&error), "cannot record the state of the disk; retrying");
                    }
                    unwritten = Some(kind);
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = clock.sleep(EVERY) => {}
        }
    }
}

const fn event(at: Timestamp, kind: EventKind) -> Event {
    Event::by_server(at, Subject::Server, kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_at_its_limit_is_reported_once() {
        let mut monitor = DiskMonitor::default();
        let mut seen = Vec::new();
        for free_mib in [5_000, 1_024, 1_023, 1_024, 900, 2_047, 2_048, 1_500, 1_000] {
            seen.extend(monitor.look(Space { free_mib, whole_mib: 500_000 }));
        }
        let expected = [
            EventKind::DiskFilling { free_mib: 1_023 },
            EventKind::DiskFreed { free_mib: 2_048 },
            EventKind::DiskFilling { free_mib: 1_000 },
        ];
        assert_eq!(seen, expected);
        // A small disk is not full all the time.
        assert_eq!(DiskMonitor::default().look(Space { free_mib: 200, whole_mib: 2_000 }), None);
        let filling = EventKind::DiskFilling { free_mib: 99 };
        assert_eq!(DiskMonitor::default().look(Space { free_mib: 99, whole_mib: 2_000 }), Some(filling));
    }

    #[test]
    fn the_space_of_a_folder_is_known() {
        let space = Space::of(&std::env::temp_dir()).unwrap();
        assert!(space.whole_mib > 0 && space.free_mib <= space.whole_mib, "{space:?}");
    }
}
