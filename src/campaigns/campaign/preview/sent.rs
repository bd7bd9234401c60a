//! What one recipient was sent, step by step: the texts, and the values that filled them.

use super::fill;
use crate::base::config::Config;
use crate::base::domain::{AddressKey, Channel, MessageKey, Plan, Present, State, StepIndex, Timestamp};
use crate::campaigns::campaign::route_templates::PlanTemplates;
use crate::campaigns::report::as_counted;
use crate::provider::catalogue::Catalogue;
use crate::rules::template::preview::{BoundMessage, Bubble};
use crate::store::{self, Attempt, Batch, Edition, MessageFacts, Store};

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
    if message.address == AddressKey::ERASED {
        return Ok(Some(SentTexts::Erased));
    }
    let Some(recipient) = recipient else { return Ok(Some(SentTexts::Missing)) };
    let places = places(&as_counted(batch, &message.present), &attempts);
    let editions = store.editions(batch.id).await?;
    let plan_at = |at| plan_at(plan, &editions, at);
    let steps = || places.iter().filter_map(|(step, at)| Some((*step, plan_at(*at).step(*step)?)));
    let names: Vec<String> = steps().filter_map(|(_, step)| Some(step.content.template()?.name.to_owned())).collect();
    let catalogue = match names.is_empty() {
        true => Catalogue::default(),
        false => Catalogue::read(store, &config.lanes, Some(names)).await?,
    };
    let templates = PlanTemplates::of(steps(), config, &catalogue);
    let fields = recipient.fields.unpack().unwrap_or_default();
    let text = |(index, at): &(StepIndex, Option<Timestamp>)| {
        let plan = plan_at(*at);
        let step = plan.step(*index)?;
        let bound = BoundMessage::new(step, plan.names(), templates.approved(*index).as_ref()).ok();
        Some(SentText {
            step: *index,
            channel: step.channel,
            sent_at: *at,
            template: step.content.template().map(|template| template.name.to_owned()),
            bubble: bound.map(|bound| fill(step, &bound, Some(message.address), message.country, &fields)),
        })
    };
    let values = plan.columns.iter().zip(&fields).filter(|(_, value)| !value.is_empty());
    Ok(Some(SentTexts::Kept {
        steps: places.iter().filter_map(text).collect(),
        values: values.map(|(column, value)| (column.clone(), value.to_string())).collect(),
    }))
}

/// The steps that were submitted, each with its first submission, and the present step of a message without an outcome.
fn places(present: &Present, attempts: &[Attempt]) -> Vec<(StepIndex, Option<Timestamp>)> {
    let mut places: Vec<(StepIndex, Option<Timestamp>)> = Vec::new();
    for attempt in attempts.iter().filter(|attempt| attempt.verdict.was_begun()) {
        if places.iter().all(|(step, _)| *step != attempt.step) {
            places.push((attempt.step, Some(attempt.intent.unwrap_or(attempt.answered))));
        }
    }
    if present.outcome().is_none() && places.iter().all(|(step, _)| *step != present.step) {
        let begun = if let State::Sending { intent, .. } = present.state { Some(intent) } else { None };
        places.push((present.step, begun));
    }
    places.sort();
    places
}

/// The plan that was in force at a moment: `plan` itself, or the first former one that was not yet replaced.
fn plan_at<'a>(plan: &'a Plan, editions: &'a [Edition], at: Option<Timestamp>) -> &'a Plan {
    let former = at.and_then(|at| editions.iter().find(|edition| at <= edition.until));
    former.map_or(plan, |edition| &edition.plan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{LaneId, Outcome, Step};
    use crate::rules::engine::Ruling;
    use crate::store::Verdict;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    fn step(index: u8) -> StepIndex {
        StepIndex::new(index).unwrap()
    }

    fn attempt(of: u8, second: i64, verdict: Verdict) -> Attempt {
        Attempt {
            step: step(of),
            lane: LaneId(1),
            queued: at(0),
            intent: Some(at(second)),
            answered: at(second + 1),
            verdict,
            tries: 0,
            code: None,
            detail: None,
            umid: None,
            ruling: Ruling::default(),
        }
    }

    fn in_step(index: u8, state: State) -> Present {
        Present { step: step(index), state, ..Present::queued(at(0), None) }
    }

    const QUEUED: State = State::Queued { not_before: Timestamp::from_millis(0), gives_up: None };

    #[test]
    fn each_submitted_step_is_named_once_with_its_first_submission() {
        let attempts = [
            attempt(0, 10, Verdict::Unknown),
            attempt(0, 20, Verdict::Accepted),
            attempt(1, 30, Verdict::Rejected),
            attempt(2, 40, Verdict::TierSpent),
        ];
        let done = State::Done { outcome: Outcome::Undelivered, skipped: None, at: at(50) };
        let named = [(step(0), Some(at(10))), (step(1), Some(at(30)))];
        assert_eq!(places(&in_step(2, done), &attempts), named, "the last step was not submitted");
        let named = [named[0], named[1], (step(2), None)];
        assert_eq!(places(&in_step(2, QUEUED), &attempts), named, "it is still to be submitted");
    }

    #[test]
    fn an_unsubmitted_message_names_its_present_step_until_it_ends() {
        assert_eq!(places(&in_step(1, QUEUED), &[]), [(step(1), None)]);
        let sending = State::Sending { not_before: at(0), intent: at(7), gives_up: None };
        assert_eq!(places(&in_step(0, sending), &[]), [(step(0), Some(at(7)))]);
        let cancelled = State::Done { outcome: Outcome::Cancelled, skipped: None, at: at(9) };
        assert_eq!(places(&in_step(0, cancelled), &[]), []);
    }

    #[test]
    fn a_text_is_that_of_the_plan_when_it_was_sent() {
        let plan = |text: &str| Plan::of_steps(vec![Step::of_text(Channel::Sms, "sms", text)]);
        let edition = |text: &str, until| Edition { plan: plan(text), until: at(until) };
        let (present, former) = (plan("third"), [edition("first", 10), edition("second", 20)]);
        for (when, text) in
            [(Some(5), "first"), (Some(10), "first"), (Some(11), "second"), (Some(21), "third"), (None, "third")]
        {
            assert_eq!(*plan_at(&present, &former, when.map(at)), plan(text), "{when:?}");
        }
    }
}
