//! Messages of which something is known that is on no disk, because it is over soon.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{PoisonError, RwLock};

use crate::domain::{BatchId, MessageKey};

/// A set of messages, or of their steps. Nearly always empty, and then looking costs next to nothing.
#[derive(Debug)]
pub struct Marked<T = MessageKey>(RwLock<HashSet<T>>);

impl<T> Default for Marked<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<T: Copy + Eq + Hash> Marked<T> {
    pub fn insert(&self, one: T) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(one);
    }

    pub fn contains(&self, one: T) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(&one)
    }

    pub fn remove(&self, one: T) {
        // Whoever removes mostly finds nothing, and then need not keep anybody from looking.
        if self.contains(one) {
            let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
            all.remove(&one);
            if all.is_empty() {
                // Many may have been in it, once.
                all.shrink_to_fit();
            }
        }
    }
}

impl Marked {
    /// Forgets the messages of the other batches.
    pub fn retain(&self, of: impl Fn(BatchId) -> bool) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|message| of(message.batch));
    }
}
