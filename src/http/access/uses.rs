//! When each key was last used.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::domain::{Causes, FaultReport, KeyId, Span, Timestamp};
use crate::store::{LastUse, Result, Store};

/// How often uses are recorded. A key that is in use is recorded once each time.
const RECORD_INTERVAL: Span = Span::from_secs(60);

/// Notes uses in memory, and records them beside the requests.
///
/// A crash loses those of the last minute.
#[derive(Debug)]
pub struct Uses {
    store: Arc<dyn Store>,
    /// Uses since the last record: one for each key.
    noted: Mutex<HashMap<KeyId, LastUse>>,
}

impl Uses {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, noted: Mutex::default() }
    }

    pub(super) fn note(&self, id: KeyId, from: IpAddr, at: Timestamp) {
        self.noted.lock().insert(id, LastUse { at, from });
    }

    /// Records the uses that were noted since the last time.
    pub async fn record(&self) -> Result<()> {
        let noted = std::mem::take(&mut *self.noted.lock());
        if noted.is_empty() {
            return Ok(());
        }
        let recorded = self.store.record_key_uses(noted.iter().map(|(id, used)| (*id, *used)).collect()).await;
        if recorded.is_err() {
            let mut since = self.noted.lock();
            for (id, used) in noted {
                since.entry(id).or_insert(used);
            }
        }
        recorded
    }

    /// Records uses once a minute until `stop`, and then the last ones.
    pub async fn record_until(&self, clock: &dyn Clock, stop: &CancellationToken) {
        let failure = FaultReport::default();
        loop {
            tokio::select! {
                () = stop.cancelled() => {}
                () = clock.sleep(RECORD_INTERVAL) => {}
            }
            match self.record().await {
                Ok(()) => drop(failure.ends()),
                Err(error) if failure.begins() => {
                    tracing::warn!(error = %Causes(&error), "cannot record when keys were used; retrying");
                }
                Err(_) => {}
            }
            if stop.is_cancelled() {
                return;
            }
        }
    }
}
