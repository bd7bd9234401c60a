//! Keeps in memory who has opted out after messages for them may have been claimed.

use std::collections::HashMap;

use parking_lot::{RwLock, RwLockReadGuard};

use crate::base::domain::AddressKey;

/// The largest number of recipients that are listed one by one, so that a list of ten million opt-outs needs no memory
/// for them.
pub(super) const LISTED_MAX: u32 = 10_000;

/// The position of a suppression among all suppressions.
///
/// A claim that begins after a suppression reads the opt-outs itself. So a suppression concerns only messages that were
/// claimed before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Suppression(u64);

/// The suppressed recipients. There are nearly always none, and then a look-up costs next to nothing.
#[derive(Debug, Default)]
pub(super) struct Suppressed(RwLock<Inner>);

#[derive(Debug, Default)]
struct Inner {
    latest: Suppression,
    /// The latest suppression of each recipient.
    listed: HashMap<AddressKey, Suppression>,
    /// Set when there are too many recipients to list: then every recipient counts as suppressed, and the next claim reads
    /// who has opted out.
    everybody: Option<Suppression>,
}

impl Suppressed {
    /// Suppresses recipients whose opt-outs are on disk.
    pub(super) fn suppress(&self, recipients: impl IntoIterator<Item = AddressKey>) {
        self.change(|inner| {
            inner.latest.0 += 1;
            let latest = inner.latest;
            for recipient in recipients {
                inner.listed.insert(recipient.canonical(), latest);
                if inner.listed.len() > LISTED_MAX as usize {
                    inner.listed = HashMap::new();
                    inner.everybody = Some(latest);
                }
            }
        });
    }

    pub(super) fn suppress_everybody(&self) {
        self.change(|inner| {
            inner.latest.0 += 1;
            inner.listed = HashMap::new();
            inner.everybody = Some(inner.latest);
        });
    }

    pub(super) fn latest(&self) -> Suppression {
        self.read().latest
    }

    /// Whether a message for the recipient that was claimed after `since` must not be sent.
    pub(super) fn is_suppressed(&self, recipient: AddressKey, since: Suppression) -> bool {
        let inner = self.read();
        inner.everybody > Some(since) || inner.listed.get(&recipient.canonical()) > Some(&since)
    }

    pub(super) fn is_empty(&self) -> bool {
        let inner = self.read();
        inner.listed.is_empty() && inner.everybody.is_none()
    }

    /// Ends the suppressions up to this one. A recipient who was suppressed again since then stays suppressed.
    pub(super) fn end(&self, until: Suppression) {
        self.change(|inner| {
            inner.listed.retain(|_, suppression| *suppression > until);
            inner.everybody = inner.everybody.filter(|suppression| *suppression > until);
            if inner.listed.is_empty() {
                // It may have been large.
                inner.listed.shrink_to_fit();
            }
        });
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.0.read()
    }

    fn change(&self, how: impl FnOnce(&mut Inner)) {
        how(&mut self.0.write());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipient(n: u32) -> AddressKey {
        AddressKey::try_from(6_590_000_000 + i64::from(n)).unwrap()
    }

    #[test]
    fn a_suppression_concerns_earlier_claims_and_ends_alone() {
        let suppressed = Suppressed::default();
        let before = suppressed.latest();
        suppressed.suppress([recipient(1), recipient(2)]);
        let between = suppressed.latest();
        assert!(suppressed.is_suppressed(recipient(1), before) && !suppressed.is_suppressed(recipient(1), between));
        suppressed.suppress([recipient(1)]);
        suppressed.end(between);
        assert!(suppressed.is_suppressed(recipient(1), between) && !suppressed.is_suppressed(recipient(2), before));
        suppressed.end(suppressed.latest());
        assert!(suppressed.is_empty());
    }

    #[test]
    fn many_suppressed_recipients_need_no_memory_and_all_stay_suppressed() {
        let suppressed = Suppressed::default();
        let before = suppressed.latest();
        suppressed.suppress((0..=LISTED_MAX).map(recipient));
        suppressed.suppress([recipient(7)]);
        assert!(suppressed.read().listed.capacity() < 100);
        assert!(suppressed.is_suppressed(recipient(1), before));
        assert!(suppressed.is_suppressed(recipient(LISTED_MAX), before));
        // Later claims read the opt-outs themselves.
        assert!(!suppressed.is_suppressed(recipient(1), suppressed.latest()));
        suppressed.end(suppressed.latest());
        assert!(suppressed.is_empty() && !suppressed.is_suppressed(recipient(1), before));
    }
}
