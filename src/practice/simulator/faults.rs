//! Faults that are switched on and off.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::domain::Span;

/// The faults that are on. Shares are from 0 to 1, and of requests unless stated otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Share that is answered 429.
    pub throttle: f64,
    /// Seconds in the 429's `Retry-After`; 0 omits the header.
    pub retry_after: u32,
    /// Share that is answered 500 and not processed.
    pub error_500: f64,
    /// Share that is processed and answered 500.
    pub error_500_after: f64,
    /// Share whose connection closes without processing.
    pub cut_before: f64,
    /// Share that is processed, and whose connection closes without an answer.
    pub cut_after: f64,
    /// Delay of a slow answer.
    pub slow_ms: u32,
    /// Share of answers that are slow.
    pub slow: f64,
    /// Share of receipts that are sent a second time.
    pub duplicate: f64,
    /// Share of receipts that are delayed until later ones may have overtaken them.
    pub reorder: f64,
    /// No key is accepted.
    pub key_refused: bool,
    /// Requests that contain this text are answered 403 without a code, as a firewall does.
    pub forbidden_text: Option<String>,
    /// WhatsApp messages with this template are accepted and then reported undelivered: paused.
    pub template_paused: Option<String>,
    /// WhatsApp messages with this template are refused at once: it does not exist.
    pub template_missing: Option<String>,
    /// Every message is accepted and then reported undelivered: no credit.
    pub no_credit: bool,
    /// Due receipts are lost.
    pub silent_receipts: bool,
    /// Share of queries for a message that are answered 500.
    pub details_500: f64,
    /// Share of queries for a message whose connection closes without an answer.
    pub details_cut: f64,
    /// Queries find no message.
    pub details_unknown: bool,
}

/// Each fault with its description for the operator.
const EXPLAINED: [(&str, &str); 19] = [
    ("throttle", "share of requests that are answered 429"),
    ("retry_after", "seconds in the 429's Retry-After; 0 omits the header"),
    ("error_500", "share that is answered 500 and not processed"),
    ("error_500_after", "share that is processed and answered 500"),
    ("cut_before", "share whose connection closes without processing"),
    ("cut_after", "share that is processed, and whose connection closes without an answer"),
    ("slow_ms", "delay of a slow answer in milliseconds"),
    ("slow", "share of answers that are slow; default: 1"),
    ("duplicate", "share of receipts that are sent a second time"),
    ("reorder", "share of receipts that are delayed until later ones may have overtaken them"),
    ("key_refused", "true: no key is accepted"),
    ("forbidden_text", "requests that contain this text are answered 403 without a code, as a firewall does"),
    ("template_paused", "name of a template whose messages are accepted and then reported undelivered: paused"),
    ("template_missing", "name of a template whose messages are refused at once: it does not exist"),
    ("no_credit", "true: every message is accepted and then reported undelivered: no credit"),
    ("silent_receipts", "true: due receipts are lost"),
    ("details_500", "share of queries for a message that are answered 500"),
    ("details_cut", "share of queries for a message whose connection closes without an answer"),
    ("details_unknown", "true: queries find no message"),
];

/// Returns every fault with its description, one a line.
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
            forbidden_text: None,
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

/// Faults for a time, counted from the first request. Meanwhile they replace all other faults.
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
    /// Returns these faults with some of them changed; absent keys keep their values.
    pub fn with(&self, changes: &Value) -> Result<Self, InvalidFaults> {
        if !changes.is_object() {
            // An array would be read as the fields in order, which is never intended.
            return Err(InvalidFaults::Unreadable(serde::de::Error::custom("an object is required")));
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
    fn a_change_of_faults_keeps_the_others() {
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
    fn invalid_faults_are_refused() {
        for wrong in [json!({"throttle": 1.1}), json!({"throtle": 0.1}), json!({"slow_ms": "x"}), json!([1])] {
            assert!(Faults::default().with(&wrong).is_err(), "{wrong}");
        }
    }
}
