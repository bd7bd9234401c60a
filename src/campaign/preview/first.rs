//! What the first recipients of a launched campaign or a draft read, step by step.

use super::message;
use crate::campaign::route_templates::PlanTemplates;
use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::domain::{MessageKey, Msisdn, Plan, Recipient, StepIndex};
use crate::store::{self, Batch, Store};
use crate::template::preview::Bubble;

/// Recipients whose messages are shown.
const SHOWN: usize = 3;
/// Recipients among whom they are looked for: others may have been left out of the campaign.
const LOOKED_AT: u32 = 1_000;

/// The message of a step, and who reads it if that is a number.
#[derive(Debug)]
pub struct FirstMessage {
    pub step: StepIndex,
    pub msisdn: Option<Msisdn>,
    pub bubble: Bubble,
}

/// The messages of the first recipients, at each step that is for them. The text of a template is the one that was fetched last.
/// Empty once the recipients are purged.
pub async fn first_messages(
    store: &dyn Store,
    config: &Config,
    batch: &Batch,
    plan: &Plan,
) -> store::Result<Vec<FirstMessage>> {
    let recipients = first(store, batch).await?;
    let names = plan.steps.iter().filter_map(|step| Some(step.content.template()?.name.to_owned())).collect();
    let catalogue = Catalogue::read(store, &config.lanes, Some(names)).await?;
    let templates = PlanTemplates::of(plan.indexed_steps(), config, &catalogue);
    let mut messages = Vec::new();
    for (index, step) in plan.indexed_steps() {
        for recipient in recipients.iter().filter(|recipient| step.countries.contain(Some(recipient.country))) {
            if let Ok(bubble) = message(step, plan.names(), templates.approved(index).as_ref(), recipient) {
                messages.push(FirstMessage { step: index, msisdn: recipient.number(), bubble });
            }
        }
    }
    Ok(messages)
}

/// The first recipients who have a message.
async fn first(store: &dyn Store, batch: &Batch) -> store::Result<Vec<Recipient>> {
    let (mut found, mut base) = (Vec::new(), 0);
    for part in store.parts_of(batch.id).await? {
        let looked_at = part.recipients.min(LOOKED_AT);
        let keys = (0..looked_at).map(|n| MessageKey { batch: batch.id, n: base + n }).collect();
        let messages = store.load(keys).await?;
        let mut messages = messages.iter().peekable();
        for (n, recipient) in (base..).zip(store.recipients(part.id, 0, looked_at).await?) {
            // An erased recipient has no address.
            if messages.next_if(|message| message.key.n == n).is_some() && recipient.address.is_some() {
                found.push(recipient);
            }
            if found.len() == SHOWN {
                return Ok(found);
            }
        }
        base += part.recipients;
    }
    Ok(found)
}
