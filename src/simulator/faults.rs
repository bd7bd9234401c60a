//! What goes wrong, on demand.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::Span;

/// Faults that are on. Shares are from 0 to 1, of requests unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Answered 429.
    pub throttle: f64,
    /// Seconds in the 429's `Retry-After`; 0 leaves the header away.
    pub retry_after: u32,
    /// Answered 500 and not carried out.
    pub error_500: f64,
    /// Carried out, and answered 500 all the same.
    pub error_500_after: f64,
    /// The connection dies, and nothing was carried out.
    pub cut_before: f64,
    /// Carried out, and the connection dies instead of an answer.
    pub cut_after: f64,
    /// Answered this much later.
    pub slow_ms: u32,
    /// How many of them are slow.
    pub slow: f64,
    /// Of receipts: sent a second time.
    pub duplicate: f64,
    /// Of receipts: held back until later ones may have overtaken them.
    pub reorder: f64,
    /// Nobody's key is accepted.
    pub key_refused: bool,
    /// WhatsApp messages with this template are taken and come back undelivered: paused.
    pub template_paused: Option<String>,
    /// WhatsApp messages with this template are refused at once: it does not exist.
    pub template_missing: Option<String>,
    /// Everything is taken and comes back undelivered: no credit.
    pub no_credit: bool,
    /// Receipts that fall due are lost.
    pub silent_receipts: bool,
    /// Of questions about a message: answered 500.
    pub details_500: f64,
    /// Of questions about a message: the connection dies instead of an answer.
    pub details_cut: f64,
    /// Messages are not found when somebody asks.
    pub details_unknown: bool,
}

/// Each fault in a line, for people.
const EXPLAINED: [(&str, &str); 18] = [
    ("throttle", "share of requests that are answered 429"),
    ("retry_after", "seconds in the 429's Retry-After; 0 leaves the header away"),
    ("error_500", "share that is answered 500 and not carried out"),
    ("error_500_after", "share that is carried out, and answered 500 all the same"),
    ("cut_before", "share whose connection dies with nothing carried out"),
    ("cut_after", "share that is carried out, and whose connection dies instead of an answer"),
    ("slow_ms", "milliseconds by which answers come later"),
    ("slow", "share of answers that are slow; 1 unless said"),
    ("duplicate", "share of receipts that are sent a second time"),
    ("reorder", "share of receipts that are held back until later ones may have overtaken them"),
    ("key_refused", "true: nobody's key is accepted"),
    ("template_paused", "name of a template whose messages are taken and come back undelivered: paused"),
    ("template_missing", "name of a template whose messages are refused at once: it does not exist"),
    ("no_credit", "true: everything is taken and comes back undelivered: no credit"),
    ("silent_receipts", "true: receipts that fall due are lost"),
    ("details_500", "share of questions about a message that are answered 500"),
    ("details_cut", "share of questions about a message whose connection dies instead of an answer"),
    ("details_unknown", "true: whoever asks about a message is told that there is none"),
];

/// Every fault with what it does, one a line.
pub fn explain_faults() -> String {
    EXPLAINED.map(|(name, what)| format!("  {name:<17} {what}")).join("\n")
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            throttle: 0.0,
            retry_after: 1,
            error_500: 0.0,
            error_500_after: 0.0,
            cut_before: 0.0,
            cut_after: 0.0,
            slow_ms: 0,
            slow: 1.0,
            duplicate: 0.0,
            reorder: 0.0,
            key_refused: false,
            template_paused: None,
            template_missing: None,
            no_credit: false,
            silent_receipts: false,
            details_500: 0.0,
            details_cut: 0.0,
            details_unknown: false,
        }
    }
}

/// Faults for a while, counted from the first request. While it lasts they stand in for all others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    pub from: Span,
    pub until: Span,
    pub faults: Faults,
}

#[derive(Debug, thiserror::Error)]
pub enum InvalidFaults {
    #[error("the simulator's faults cannot be read: {0}")]
    Unreadable(#[source] serde_json::Error),
    #[error("the simulator's fault {name} is {share}; write a share from 0 to 1")]
    Share { name: &'static str, share: f64 },
    #[error("a window of the simulator's faults ends at {until} before it begins at {from}; swap them")]
    Window { from: Span, until: Span },
}

impl Faults {
    /// These faults with some of them set anew: keys that are absent stay as they are.
    pub fn with(&self, changes: &Value) -> Result<Self, InvalidFaults> {
        if !changes.is_object() {
            // An array would be read as the fields in order, which nobody means.
            return Err(InvalidFaults::Unreadable(serde::de::Error::custom("it is no object")));
        }
        let mut whole = serde_json::to_value(self).map_err(InvalidFaults::Unreadable)?;
        super::profile::merge(&mut whole, changes);
        let faults: Self = serde_json::from_value(whole).map_err(InvalidFaults::Unreadable)?;
        faults.check()?;
        Ok(faults)
    }

    pub(super) fn check(&self) -> Result<(), InvalidFaults> {
        for (name, share) in [
            ("throttle", self.throttle),
            ("error_500", self.error_500),
            ("error_500_after", self.error_500_after),
            ("cut_before", self.cut_before),
            ("cut_after", self.cut_after),
            ("slow", self.slow),
            ("duplicate", self.duplicate),
            ("reorder", self.reorder),
            ("details_500", self.details_500),
            ("details_cut", self.details_cut),
        ] {
            if !(0.0..=1.0).contains(&share) {
                return Err(InvalidFaults::Share { name, share });
            }
        }
        Ok(())
    }
}

impl Window {
    pub(super) fn check(&self) -> Result<(), InvalidFaults> {
        if self.until < self.from {
            return Err(InvalidFaults::Window { from: self.from, until: self.until });
        }
        self.faults.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changes_leave_the_rest_as_it_was() {
        let faults = Faults { throttle: 0.5, ..Faults::default() };
        let changed = faults.with(&json!({"template_paused": "promo", "cut_after": 0.1})).unwrap();
        assert_eq!(changed.throttle, 0.5);
        assert_eq!(changed.template_paused.as_deref(), Some("promo"));
        let healed = changed.with(&json!({"template_paused": null})).unwrap();
        assert_eq!(healed.template_paused, None);
    }

    #[test]
    fn every_fault_is_explained() {
        let known = serde_json::to_value(Faults::default()).unwrap();
        let mut known: Vec<&str> = known.as_object().unwrap().keys().map(String::as_str).collect();
        let mut explained = EXPLAINED.map(|(name, _)| name);
        known.sort_unstable();
        explained.sort_unstable();
        assert_eq!(explained[..], known[..]);
        let error = Faults::default().with(&json!({"throtle": 0.1})).unwrap_err().to_string();
        assert!(EXPLAINED.iter().all(|(name, _)| error.contains(name)), "{error}");
    }

    #[test]
    fn nonsense_is_refused() {
        for wrong in [json!({"throttle": 1.1}), json!({"throtle": 0.1}), json!({"slow_ms": "x"}), json!([1])] {
            assert!(Faults::default().with(&wrong).is_err(), "{wrong}");
        }
    }
}
