//! Account events: templates, quality, limits, violations.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::loose;
use super::text::Text;
use crate::base::domain::{Tier, Timestamp};

/// An account event. The provider repeats it under the same `event_id`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Business<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub business_account_id: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Text<'a>>,
    /// `template_status_update`, `template_quality_update`, `phone_number_quality_update`, `account_update`, …
    #[serde(borrow)]
    pub event_type: Text<'a>,
    #[serde(borrow, rename = "eventDetails", deserialize_with = "loose::nothing_is_default")]
    pub details: BusinessDetails<'a>,
}

/// The details of the event; their parts depend on its type.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BusinessDetails<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub template_id: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub template_name: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub template_language: Option<Text<'a>>,
    /// Our own number, with or without its plus.
    #[serde(borrow, alias = "phoneNumber", skip_serializing_if = "Option::is_none")]
    pub display_phone_number: Option<Text<'a>>,
    /// Of an `account_update`: `ACCOUNT_VIOLATION`, `ACCOUNT_RESTRICTION`, …
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub event: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "loose::nothing_is_default")]
    pub meta: BusinessMeta<'a>,
    #[serde(deserialize_with = "loose::short_value", skip_serializing_if = "Option::is_none")]
    pub violation_info: Option<Value>,
    #[serde(deserialize_with = "loose::short_value", skip_serializing_if = "Option::is_none")]
    pub restriction_info: Option<Value>,
    #[serde(deserialize_with = "loose::short_value", skip_serializing_if = "Option::is_none")]
    pub business_verification_info: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BusinessMeta<'a> {
    /// Of a template: `APPROVED`, `REJECTED`, `PENDING`, `FLAGGED`, `PAUSED`, `DISABLED`, `PENDING_DELETION`.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub status: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub disable_info: Option<DisableInfo<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub other_info: Option<OtherInfo<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub previous_quality_score: Option<Text<'a>>,
    /// `GREEN`, `YELLOW`, `RED` or `UNKNOWN`.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub new_quality_score: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub previous_category: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub new_category: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub category: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub correct_category: Option<Text<'a>>,
    /// Of a number: `UPGRADE`, `DOWNGRADE`, `FLAGGED`, `UNFLAGGED`, `ONBOARDING`, `THROUGHPUT_UPGRADE`.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub event: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub current_limit: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub old_limit: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub max_daily_conversations_per_business: Option<Text<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DisableInfo<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub disable_date: Option<Text<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OtherInfo<'a> {
    /// `FIRST_PAUSE`, `SECOND_PAUSE`, `RATE_LIMITING_PAUSE`, `UNPAUSE` or `DISABLED`.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub description: Option<Text<'a>>,
}

impl Business<'_> {
    pub fn at(&self) -> Option<Timestamp> {
        self.timestamp.as_deref().and_then(super::instant)
    }

    /// The portfolio's new tier, if the event names a known one. A throughput upgrade says `TIER_UNLIMITED` but means the
    /// number's rate, so it has none.
    pub fn tier(&self) -> Option<Tier> {
        let meta = &self.details.meta;
        if meta.event.as_deref().is_some_and(|event| event.eq_ignore_ascii_case("THROUGHPUT_UPGRADE")) {
            return None;
        }
        let named = meta.max_daily_conversations_per_business.as_deref().or(meta.current_limit.as_deref())?;
        let bare = named.get(..5).filter(|start| start.eq_ignore_ascii_case("TIER_")).map_or(named, |_| &named[5..]);
        bare.parse().ok()
    }
}
