//! Messages, or claims of theirs, that something is known of which is on no disk, because it is over soon.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{PoisonError, RwLock};

/// A set of them. Nearly always empty, and then looking costs next to nothing.
#[derive(Debug)]
pub struct Marked<T>(RwLock<HashSet<T>>);

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
            self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&one);
        }
    }

    /// Forgets the others.
    pub fn retain(&self, stays: impl Fn(&T) -> bool) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|one| stays(one));
    }
}
