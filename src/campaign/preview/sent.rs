//! What one recipient was sent, step by step: the texts, and the values that filled them.

use super::fill;
use crate::campaign::route_templates::PlanTemplates;
use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::domain::{Channel, MessageKey, Msisdn, Plan, State, StepIndex, Timestamp};
use crate::report::as_counted;
use crate::store::{self, Batch, MessageFacts, Store};
use crate::template::preview::{BoundMessage, Bubble};

/// The messages of one recipient.
#[derive(Debug)]
pub enum SentTexts {
    Kept {
        steps: Vec<SentText>,
        /// The columns of the recipient that have a value.
        values: Vec<(String, String)>,
    },
    /// The recipient was erased, and the values with it.
    Erased,
    /// The recipient's row is not stored.
    Missing,
}

/// The message of one step.
#[derive(Debug)]
pub struct SentText {
    pub step: StepIndex,
    pub channel: Channel,
    /// When it was claimed for its first submission; `None` if it is still to be submitted.
    pub sent_at: Option<Timestamp>,
    /// The name of its template, if it has one.
    pub template: Option<String>,
    /// `None` if its text cannot be made.
    pub bubble: Option<Bubble>,
}

/// Reads what a recipient was sent, by the plan that was in force then; of a message that was not submitted yet, the text of
/// its present step. The text of a template is the one that was fetched last. Returns `None` if the message does not exist.
pub async fn sent_texts(
    store: &dyn Store,
    config: &Config,
    batch: &Batch,
    plan: &Plan,
    key: MessageKey,
) -> store::Result<Option<SentTexts>> {
    let Some(MessageFacts { message, recipient, attempts, .. }) = store.message_facts(key).await? else {
        return Ok(None);
    };
    if message.msisdn == Msisdn::ERASED {
        return Ok(Some(SentTexts::Erased));
    }
    let Some(recipient) = recipient else { return Ok(Some(SentTexts::Missing)) };
    let mut places: Vec<(StepIndex, Option<Timestamp>)> = Vec::new();
    for attempt in attempts.iter().filter(|attempt| attempt.verdict.was_begun()) {
        if places.iter().all(|(step, _)| *step != attempt.step) {
            places.push((attempt.step, Some(attempt.intent.unwrap_or(attempt.answered))));
        }
    }
    let present = as_counted(batch, &message.present);
    if present.outcome().is_none() && places.iter().all(|(step, _)| *step != present.step) {
        let begun = if let State::Sending { intent, .. } = present.state { Some(intent) } else { None };
        places.push((present.step, begun));
    }
    places.sort();
    let editions = store.editions(batch.id).await?;
    let plan_at = |at: Option<Timestamp>| {
        let former = at.and_then(|at| editions.iter().find(|edition| at <= edition.until));
        former.map_or(plan, |edition| &edition.plan)
    };
    let steps = || places.iter().filter_map(|(step, at)| Some((*step, plan_at(*at).step(*step)?)));
    let names: Vec<String> = steps().filter_map(|(_, step)| Some(step.content.template()?.name.to_owned())).collect();
    let catalogue = match names.is_empty() {
        true => Catalogue::default(),
        false => Catalogue::read(store, &config.lanes, Some(names)).await?,
    };
    let templates = PlanTemplates::of(steps(), config, &catalogue);
    let text = |(index, at): &(StepIndex, Option<Timestamp>)| {
        let plan = plan_at(*at);
        let step = plan.step(*index)?;
        let bound = BoundMessage::new(step, plan.names(), templates.approved(*index).as_ref()).ok();
        Some(SentText {
            step: *index,
            channel: step.channel,
            sent_at: *at,
            template: step.content.template().map(|template| template.name.to_owned()),
            bubble: bound.map(|bound| fill(step, &bound, &recipient)),
        })
    };
    let fields = recipient.fields.unpack().unwrap_or_default();
    let values = plan.columns.iter().zip(&fields).filter(|(_, value)| !value.is_empty());
    Ok(Some(SentTexts::Kept {
        steps: places.iter().filter_map(text).collect(),
        values: values.map(|(column, value)| (column.clone(), value.to_string())).collect(),
    }))
}
