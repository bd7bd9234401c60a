//! What tests of campaigns with a store share.

use super::*;
use crate::base::clock::Clock;
use crate::store::Store;

/// A store with a launcher, without a server.
pub(super) struct Setup {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) chance: Chance,
    pub(super) config: Config,
}

impl Setup {
    pub(super) async fn with(config: Config) -> Self {
        let clock = Arc::new(ManualClock::at(now()));
        let store = crate::store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        Self { store, clock, chance: Chance::seeded(1), config }
    }

    pub(super) fn launcher(&self) -> Launcher<'_> {
        let (store, clock, by) = (self.store.as_ref(), self.clock.as_ref(), Origin::operator("Ann", None));
        Launcher { store, clock, chance: &self.chance, config: &self.config, by }
    }
}
