//! What the provider reports of the company's account, its numbers and its templates.

use serde::{Deserialize, Serialize};

use crate::base::domain::{Timestamp, rfc3339_option};

/// A report of the provider's. `word` is the provider's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub enum AccountReport {
    /// The number belongs to no lane, so nothing changes.
    NumberWithoutLane {
        word: String,
        number: String,
    },
    /// An unknown word of the provider's, so nothing changes.
    UnknownWord {
        word: String,
        number: String,
    },
    NumberState {
        state: NumberState,
        number: String,
        /// The provider's word for the cause.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The tier of a number changed. `limit` is as the provider wrote it.
    Limit {
        word: String,
        limit: String,
        number: String,
        effect: LimitEffect,
    },
    /// The number may send faster. `rate` is the lane's present one if it is as fast already.
    Throughput {
        number: String,
        is_as_fast: Option<String>,
    },
    TemplateStatus {
        status: String,
        details: String,
        effect: TemplateEffect,
    },
    TemplateQuality {
        quality: String,
        before: String,
    },
    TemplateCategory {
        category: String,
        before: String,
        /// The campaigns in play that use it, by name.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        campaigns: Vec<String>,
    },
    /// The provider would put the template into another category.
    TemplateAdvice {
        advised: String,
        category: String,
    },
    /// Anything else about the account as a whole; it changes nothing about messages.
    Account {
        word: String,
        /// The number concerned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<String>,
        details: String,
    },
}

/// What the provider thinks of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberState {
    Flagged,
    Unflagged,
    Onboarding,
}

/// Why Volley does not apply a changed limit. An applied one is an event of its own, the changed setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitEffect {
    NothingChanges,
    /// The limit names no tier that counts recipients.
    UnknownLimit,
}

/// What Volley does about a template's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum TemplateEffect {
    Released,
    Held,
    /// It will be held unless its quality improves.
    AtRisk {
        #[serde(with = "rfc3339_option", default, skip_serializing_if = "Option::is_none")]
        disabled_at: Option<Timestamp>,
    },
    /// The provider did not name the template.
    Unnamed,
    NothingChanges,
}
