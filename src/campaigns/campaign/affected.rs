//! Recipients whom something concerns: how many they are, and a few of them for a sentence.

use std::fmt;

use crate::base::domain::{Address, grouped};

/// How many of them are named.
const NAMED: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Affected<T> {
    pub(super) recipients: u64,
    /// The first of them, each with what concerns it.
    first: Vec<(Address, T)>,
}

impl<T> Default for Affected<T> {
    fn default() -> Self {
        Self { recipients: 0, first: Vec::new() }
    }
}

impl<T> Affected<T> {
    /// Adds a recipient. What concerns it is made only if it is named.
    pub(super) fn add(&mut self, address: Option<&Address>, what: impl FnOnce() -> T) {
        self.recipients += 1;
        if self.first.len() < NAMED {
            self.first.extend(address.map(|address| (address.clone(), what())));
        }
    }

    /// `2 of 10 recipients`.
    pub(super) fn of(&self, all: u64) -> String {
        format!("{} of {} recipients", grouped(self.recipients), grouped(all))
    }

    /// The verb for that number of recipients.
    pub(super) const fn verb<'v>(&self, one: &'v str, many: &'v str) -> &'v str {
        if self.recipients == 1 { one } else { many }
    }
}

/// `+6591234567 (Code), …`.
impl<T: fmt::Display> fmt::Display for Affected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<String> = self.first.iter().map(|(address, what)| format!("{address} ({what})")).collect();
        let more = if self.recipients > self.first.len() as u64 { ", …" } else { "" };
        write!(f, "{}{more}", named.join(", "))
    }
}
