//! What became of single messages, in one line each.

use serde::Serialize;

use super::figures::as_counted;
use super::lookup::{Pages, lookup_everywhere};
use crate::base::domain::{AddressFields, Channel, Loaded, MessageId, Outcome, Plan, SkipReason, State, Timestamp};
use crate::store::{Addresses, Batch, Result, Store};

/// What became of a message so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct MessageResult {
    /// The message's id.
    pub id: String,
    pub campaign: String,
    #[serde(flatten)]
    pub address: AddressFields,
    pub state: &'static str,
    pub outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<SkipReason>,
    /// The channel that reached the recipient; without an outcome, the channel of the present step.
    pub channel: Option<Channel>,
    /// When it got its outcome; without one, when it was submitted last, or else when its campaign was launched.
    #[serde(serialize_with = "Timestamp::as_text")]
    pub at: Timestamp,
}

impl MessageResult {
    fn of(batch: &Batch, plan: Option<&Plan>, message: &Loaded, addresses: &Addresses) -> Self {
        let present = as_counted(batch, &message.present);
        let channel = |step| plan.and_then(|plan| plan.step(step)).map(|step| step.channel);
        let (outcome, skipped, at) = match present.state {
            State::Done { outcome, skipped, at } => (Some(outcome), skipped, Some(at)),
            State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } => (None, None, None),
        };
        let channel = match outcome {
            Some(Outcome::Reached) => present.marks.reached_by().and_then(channel),
            Some(_) => None,
            None => channel(present.step),
        };
        Self {
            id: MessageId { key: message.key, tag: batch.tag }.to_string(),
            campaign: batch.display_name(),
            address: addresses.of(message.address).into(),
            state: present.state_name(),
            outcome,
            skipped,
            channel,
            at: at.or(present.accepted).or(present.first_submitted_at).unwrap_or(batch.created_at),
        }
    }
}

/// Reads what became of every message of a campaign, in their order. Meant for small ones, such as test sends.
pub async fn results_in(store: &dyn Store, batch: &Batch) -> Result<Vec<MessageResult>> {
    let plan = store.plan(batch.id).await?;
    let (mut results, mut pages) = (Vec::new(), Pages::of(store, batch));
    while let Some(page) = pages.next().await? {
        results.extend(results_at(store, batch, plan.as_ref(), &page).await?);
    }
    Ok(results)
}

/// Reads what became of these messages of a campaign.
pub async fn results_at(
    store: &dyn Store,
    batch: &Batch,
    plan: Option<&Plan>,
    messages: &[Loaded],
) -> Result<Vec<MessageResult>> {
    let addresses = Addresses::read(store, messages.iter().map(|message| message.address)).await?;
    Ok(messages.iter().map(|message| MessageResult::of(batch, plan, message, &addresses)).collect())
}

/// Finds what a recipient got from all campaigns, newest last. `whom` is a number, or a `ClientMessageId` of a recipient
/// file.
pub async fn results_of(store: &dyn Store, whom: &str) -> Result<Vec<MessageResult>> {
    let mut results = Vec::new();
    for (batch, messages) in lookup_everywhere(store, whom).await? {
        let plan = store.plan(batch.id).await?;
        results.extend(results_at(store, &batch, plan.as_ref(), &messages).await?);
    }
    // Messages of the same time stay in the order of their launches.
    results.sort_by_key(|result| result.at);
    Ok(results)
}
