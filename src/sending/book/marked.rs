//! Keeps short-lived marks on messages in memory only.

use std::collections::HashSet;
use std::hash::Hash;

use parking_lot::RwLock;

use crate::base::domain::{BatchId, MessageKey};

/// A set of messages, or of their steps. It is nearly always empty, and then a look-up costs next to nothing.
#[derive(Debug)]
pub struct MarkedMessages<T = MessageKey>(RwLock<HashSet<T>>);

impl<T> Default for MarkedMessages<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<T: Copy + Eq + Hash> MarkedMessages<T> {
    pub fn insert(&self, one: T) {
        self.0.write().insert(one);
    }

    pub fn contains(&self, one: T) -> bool {
        self.0.read().contains(&one)
    }

    pub fn remove(&self, one: T) {
        // Most calls find nothing to remove, and then need no write lock.
        if self.contains(one) {
            let mut all = self.0.write();
            all.remove(&one);
            if all.is_empty() {
                // It may have been large.
                all.shrink_to_fit();
            }
        }
    }
}

impl MarkedMessages {
    /// Removes the messages of all other batches.
    pub fn retain(&self, of: impl Fn(BatchId) -> bool) {
        self.0.write().retain(|message| of(message.batch));
    }
}
