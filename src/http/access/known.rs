//! The keys that requests used lately, in memory for a moment.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use super::Caller;
use crate::base::domain::{KeyId, Span, Timestamp};
use crate::store::ApiKey;

/// How long a key that was read counts. A change by another process is in effect after this time.
///
/// A thousand requests a second with one key then read it five times a second.
const FRESH: Span = Span::from_millis(200);

/// A key with what it makes of its caller.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) key: ApiKey,
    pub(super) caller: Arc<Caller>,
}

/// What is known of a key.
#[derive(Debug)]
pub(super) enum Look {
    Fresh(Arc<Known>),
    /// It was known, and must be read again.
    Stale(Reading),
    /// No request has used it so far.
    Strange(Reading),
}

/// A read that has begun, after so many changes by this process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    at: Timestamp,
    changes: u64,
}

/// It holds stored keys only, so requests with invented keys do not fill it.
#[derive(Debug, Default)]
pub(super) struct Keys(RwLock<Entries>);

#[derive(Debug, Default)]
struct Entries {
    changes: u64,
    known: HashMap<KeyId, (Timestamp, Arc<Known>)>,
}

impl Keys {
    pub(super) fn look(&self, id: KeyId, now: Timestamp) -> Look {
        let entries = self.0.read();
        let reading = Reading { at: now, changes: entries.changes };
        match entries.known.get(&id) {
            Some((read_at, known)) if now.since(*read_at) < FRESH => Look::Fresh(Arc::clone(known)),
            Some(_) => Look::Stale(reading),
            None => Look::Strange(reading),
        }
    }

    /// Keeps a key, unless this process has changed keys since the read began. It counts from the begin of the read.
    pub(super) fn keep(&self, key: ApiKey, reading: Reading) -> Arc<Known> {
        let known = Arc::new(Known { caller: Arc::new(Caller::of_key(&key)), key });
        let mut entries = self.0.write();
        if entries.changes == reading.changes {
            entries.known.insert(known.key.id, (reading.at, Arc::clone(&known)));
        }
        known
    }

    /// Forgets a key that this process has changed.
    pub(super) fn forget(&self, id: KeyId) {
        let mut entries = self.0.write();
        entries.changes += 1;
        entries.known.remove(&id);
    }
}
