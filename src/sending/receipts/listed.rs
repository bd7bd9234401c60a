//! A template's status that the provider lists, with the same effects as an account event that reports it.

use serde::Serialize;

use super::business::{self, Concerned};
use super::guard::Known;
use crate::base::config::Lane;
use crate::base::domain::Timestamp;
use crate::rules::wire::{Business, BusinessDetails, BusinessMeta};
use crate::store::AccountEvent;

/// A template and its status, as the provider listed them for a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ListedStatus<'a> {
    pub account_id: &'a str,
    pub channel_id: &'a str,
    pub name: &'a str,
    pub language: &'a str,
    /// The provider's word; `DELETED` if the template is no longer listed.
    pub status: &'a str,
    #[serde(serialize_with = "Timestamp::as_text")]
    pub listed_at: Timestamp,
}

impl ListedStatus<'_> {
    /// Its effects on the lanes of its channel: holds, releases, reports and an event. One list has them once, however often it
    /// is read.
    pub fn event(&self, lanes: &[&Lane], known: Known<'_>) -> Option<AccountEvent> {
        let Self { name, language, status, listed_at, .. } = *self;
        let details = BusinessDetails {
            template_name: Some(name.into()),
            template_language: Some(language.into()),
            meta: BusinessMeta { status: Some(status.into()), ..BusinessMeta::default() },
            ..BusinessDetails::default()
        };
        let event = Business { event_type: business::TEMPLATE_STATUS.into(), details, ..Business::default() };
        // Plain structs cannot fail to serialize into memory.
        let raw = serde_json::to_string(self).unwrap_or_default();
        let concerned = Concerned { lanes: lanes.to_vec(), is_by_lane: true, unknown_account: None };
        // Only an event about the category names campaigns.
        Some(business::read_for(concerned, &event, &raw, listed_at)?.with(known, |_| Vec::new()))
    }
}
