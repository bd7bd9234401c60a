//! Messages of which something is known that is on no disk, because it is over soon.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use crate::domain::{BatchId, MessageKey};

/// A set of messages. Nearly always empty, and then looking costs next to nothing.
#[derive(Debug, Default)]
pub struct Marked(RwLock<HashSet<MessageKey>>);

impl Marked {
    pub fn insert(&self, message: MessageKey) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(message);
    }

    pub fn contains(&self, message: MessageKey) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(&message)
    }

    pub fn remove(&self, message: MessageKey) {
        // Whoever removes mostly finds nothing, and then need not keep anybody from looking.
        if self.contains(message) {
            let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
            all.remove(&message);
            if all.is_empty() {
                // Many may have been in it, once.
                all.shrink_to_fit();
            }
        }
    }

    /// Forgets the messages of the other batches.
    pub fn retain(&self, of: impl Fn(BatchId) -> bool) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|message| of(message.batch));
    }
}
