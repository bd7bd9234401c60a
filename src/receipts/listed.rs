//! A template's status that the provider lists, with the same effects as an account event that reports it.

use serde::Serialize;

use super::business;
use super::guard::Known;
use crate::config::Lane;
use crate::domain::Timestamp;
use crate::store::AccountEvent;
use crate::wire::{Business, BusinessDetails, BusinessMeta};

/// A template and its status, as the provider listed them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ListedStatus<'a> {
    pub account_id: &'a str,
    pub name: &'a str,
    pub language: &'a str,
    /// The provider's word.
    pub status: &'a str,
    #[serde(serialize_with = "Timestamp::as_text")]
    pub listed_at: Timestamp,
}

impl ListedStatus<'_> {
    /// Its effects on these lanes: holds, releases, a report and an event. One list has them once, however often it is read.
    pub fn event(&self, lanes: &[Lane]) -> Option<AccountEvent> {
        let Self { account_id, name, language, status, listed_at } = *self;
        let details = BusinessDetails {
            template_name: Some(name.into()),
            template_language: Some(language.into()),
            meta: BusinessMeta { status: Some(status.into()), ..BusinessMeta::default() },
            ..BusinessDetails::default()
        };
        let account_id = Some(account_id.into());
        let event =
            Business { account_id, event_type: business::TEMPLATE_STATUS.into(), details, ..Business::default() };
        // Plain structs cannot fail to serialize into memory.
        let raw = serde_json::to_string(self).unwrap_or_default();
        let known = Known { overrides: &[], holds: &[], reports: &[] };
        // Only an event about the category names campaigns.
        Some(business::read(&event, &raw, lanes, listed_at)?.with(known, |_| Vec::new()))
    }
}
