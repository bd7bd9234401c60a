//! To how many of a campaign's people WhatsApp takes free text at this moment.

use std::collections::BTreeMap;

use super::people::{PAGE, People};
use crate::config::Config;
use crate::domain::{Channel, Content, Msisdn, Plan, Step, StepIndex, Timestamp};
use crate::store::{Result, Sender, Store};

/// For each step that is free text on WhatsApp, the people who have a window open with its lane.
pub(super) async fn open_windows(
    store: &dyn Store,
    config: &Config,
    plan: &Plan,
    people: &People,
    now: Timestamp,
) -> Result<BTreeMap<StepIndex, u64>> {
    let mut windows = BTreeMap::new();
    let is_free_text = |step: &Step| step.channel == Channel::WhatsApp && matches!(step.content, Content::Text { .. });
    for (index, step) in plan.places().filter(|(_, step)| is_free_text(step)) {
        // Such a step has one lane.
        let Some(lane) = config.lanes_of(step).next() else { continue };
        let sender = Sender { sub_account: lane.provider.sub_account.clone(), channel_id: lane.channel_id.clone() };
        windows.insert(index, with(store, &sender, people, now).await?);
    }
    Ok(windows)
}

async fn with(store: &dyn Store, sender: &Sender, people: &People, now: Timestamp) -> Result<u64> {
    let mut found = 0;
    let Some(sieve) = &people.sieve else {
        // A single audience that was imported before: nobody has read its numbers yet.
        for part in &people.audiences {
            let mut from = 0;
            loop {
                let page = store.numbers(part.id, from, PAGE).await?;
                if page.is_empty() {
                    break;
                }
                from += PAGE;
                found += store.open_windows(page, sender.clone(), now).await?.len() as u64;
            }
        }
        return Ok(found);
    };
    // Far fewer people write to us than are written to.
    let mut after: Option<Msisdn> = None;
    loop {
        let page = store.window_holders(sender.clone(), now, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(*last);
        found += page.iter().filter(|person| sieve.knows(**person)).count() as u64;
    }
}
