//! Reads a request, and checks it by the provider's rules.

use serde_json::{Map, Value};

use super::Refusal;
use super::outline::{self, Checked, Outlined, WantedStep, outline};
use crate::audience::number_of_program;
use crate::domain::{Channel, Country, Msisdn, Timestamp};
use crate::wire::SendRequest;
use crate::wire::rules::{self, Accepted, Subaccount};

impl Subaccount for outline::From<'_> {
    fn has(&self, channel: Channel) -> bool {
        outline::From::has(self, channel)
    }
}

const NUMBER_MISSING: i64 = 3_002;
const INVALID_NUMBER: i64 = 1_002;

/// Checks a message, and outlines it.
pub(super) fn read(from: outline::From<'_>, request: &SendRequest<'_>, now: Timestamp) -> Result<Outlined, Refusal> {
    let accepted = rules::check(request, &from, now).map_err(|refusal| Refusal::Code(refusal.code))?;
    let (msisdn, country) = recipient(&accepted, request)?;
    let text = |text: &Option<crate::wire::Text<'_>>| text.as_deref().filter(|text| !text.is_empty()).map(str::to_owned);
    let client_message_id = text(&request.client_message_id);
    let callback = text(&request.dlr_callback_url);
    let steps = accepted.steps.iter().map(|step| WantedStep {
        channel: step.channel,
        channel_id: step.channel_id,
        fallback_after: step.fallback_after,
        success: step.success,
    });
    let checked = Checked {
        msisdn,
        country,
        line_user_id: accepted.to.line_user_id,
        client_message_id: client_message_id.as_deref(),
        kind: request.kind.as_deref().unwrap_or_default(),
        content: content(accepted.content),
        steps: steps.collect(),
        callback: callback.as_deref(),
        scheduled: accepted.scheduled,
        expiry: accepted.expiry,
    };
    outline(from, checked)
}
