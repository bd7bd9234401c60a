//! What the first recipients of a launched campaign or a draft read, step by step.

use super::message;
use crate::base::config::Config;
use crate::base::domain::{AddressFields, AudienceId, MessageKey, Plan, Recipient, Step, StepIndex};
use crate::campaigns::campaign::route_templates::PlanTemplates;
use crate::provider::catalogue::Catalogue;
use crate::rules::template::preview::Bubble;
use crate::store::{self, Batch, Store};

/// Messages of a step that are shown.
const SHOWN: usize = 3;
/// Recipients that are read at once, and the most that are read: steps for a few countries may be for none of them.
const PAGE: u32 = 1_000;
const LOOKED_AT: u32 = 20_000;

/// The message of a step, and who reads it.
#[derive(Debug)]
pub struct FirstMessage {
    pub step: StepIndex,
    pub to: AddressFields,
    pub bubble: Bubble,
}

/// The messages of the first recipients that each step is for. The text of a template is the one that was fetched last. Empty once
/// the recipients are purged.
pub async fn first_messages(
    store: &dyn Store,
    config: &Config,
    batch: &Batch,
    plan: &Plan,
) -> store::Result<Vec<FirstMessage>> {
    let names = plan.steps.iter().filter_map(|step| Some(step.content.template()?.name.to_owned())).collect();
    let catalogue = Catalogue::read(store, &config.lanes, Some(names)).await?;
    let templates = PlanTemplates::of(plan.indexed_steps(), config, &catalogue);
    let mut messages: Vec<FirstMessage> = Vec::new();
    let (mut base, mut looked_at) = (0, 0);
    for part in store.parts_of(batch.id).await? {
        for from in (0..part.recipients).step_by(PAGE as usize) {
            let lacking = |messages: &[FirstMessage], index| {
                messages.iter().filter(|message| message.step == index).count() < SHOWN
            };
            let wanted: Vec<(StepIndex, &Step)> =
                plan.indexed_steps().filter(|(index, _)| lacking(&messages, *index)).collect();
            if wanted.is_empty() || looked_at >= LOOKED_AT {
                return Ok(messages);
            }
            looked_at += PAGE;
            for recipient in with_message(store, batch, (part.id, base), from).await? {
                for (index, step) in &wanted {
                    if !lacking(&messages, *index) || !step.takers().include(&recipient) {
                        continue;
                    }
                    let template = templates.approved(*index);
                    if let Ok(bubble) = message(step, plan.names(), template.as_ref(), &recipient) {
                        messages.push(FirstMessage { step: *index, to: recipient.address.clone().into(), bubble });
                    }
                }
            }
        }
        base += part.recipients;
    }
    Ok(messages)
}

/// The recipients of one page who have a message: not those whom the campaign leaves out, nor erased ones.
async fn with_message(
    store: &dyn Store,
    batch: &Batch,
    (audience, base): (AudienceId, u32),
    from: u32,
) -> store::Result<Vec<Recipient>> {
    let recipients = store.recipients(audience, from, PAGE).await?;
    let numbers = base + from..base + from + u32::try_from(recipients.len()).unwrap_or(PAGE);
    let keys = numbers.clone().map(|n| MessageKey { batch: batch.id, n }).collect();
    let messages = store.load(keys).await?;
    let mut messages = messages.iter().peekable();
    let mut has_message = |n: u32| messages.next_if(|message| message.key.n == n).is_some();
    let kept = recipients.into_iter().zip(numbers).filter(|(one, n)| has_message(*n) && one.address.is_some());
    Ok(kept.map(|(one, _)| one).collect())
}
