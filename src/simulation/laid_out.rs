//! Campaigns of a storm, launched before it begins.

use std::sync::Arc;

use super::scene::{COLUMNS, Campaign, has_name, person};
use super::world::PERSON;
use crate::campaign::{Draft, Launcher};
use crate::clock::{Chance, Clock, ManualClock};
use crate::config::Config;
use crate::domain::{BatchId, Present};
use crate::store::{KnownAs, NewAudience, NewBatch, Spread, Start, Store};

/// Lays a campaign's people and messages out. People come without a file: reading files has tests of its own.
pub(super) async fn launch(
    campaign: &Campaign,
    store: &Arc<dyn Store>,
    clock: &ManualClock,
    chance: &Chance,
    config: &Config,
) -> BatchId {
    let draft = Draft::parse("storm.toml", &campaign.text);
    let draft = draft.unwrap_or_else(|error| panic!("{error}\n{}", campaign.text));
    let columns = COLUMNS.map(str::to_owned).to_vec();
    let known_as = draft.name.clone().map_or(KnownAs::Nothing, KnownAs::Name);
    let new = NewAudience { known_as, source: PERSON.to_owned(), columns, now: clock.now() };
    let audience = store.begin_audience(new).await.unwrap();
    let people: Vec<_> = campaign.people.clone().map(person).collect();
    let mut countries = std::collections::BTreeMap::<String, u32>::new();
    for person in &people {
        *countries.entry(person.country.to_string()).or_default() += 1;
    }
    let nameless = campaign.people.clone().filter(|person| !has_name(*person)).count();
    let summary = serde_json::json!({
        "summary": { "countries": countries, "number_column": COLUMNS[0] },
        "empty": [0, nameless],
    });
    let count = u32::try_from(people.len()).unwrap();
    store.add_recipients(audience, 0, people).await.unwrap();
    store.publish_audience(audience, count, summary.to_string()).await.unwrap();
    let launcher = Launcher { store: store.as_ref(), clock, chance, config };
    let launched = launcher.launch(&draft, |_| None).await;
    let (launched, _) = launched.unwrap_or_else(|error| panic!("{error:?}\n{}", campaign.text));
    assert_eq!(launched.messages, count);
    launched.batch
}

/// Lays out messages of a campaign whose launch never came to its end.
pub(super) async fn die_launching(like: BatchId, store: &Arc<dyn Store>, clock: &ManualClock) {
    let (batch, plan) = (store.batch(like).await.unwrap().unwrap(), store.plan(like).await.unwrap().unwrap());
    let (audience, now) = (batch.audience_ids[0], clock.now());
    let lane = store
        .lanes(Vec::new())
        .await
        .unwrap()
        .into_iter()
        .find(|lane| plan.steps[0].lanes.members()[0].lane == lane.name)
        .unwrap();
    let new = NewBatch {
        tag: batch.tag,
        plan,
        name: None,
        audience: PERSON.to_owned(),
        audience_ids: batch.audience_ids,
        starts_at: None,
        now,
    };
    let start = Start::of(&Present::queued(now, None), vec![lane.id]);
    let hidden = store.begin_batch(new).await.unwrap();
    let (elsewhere, excluded, left_out) = (Vec::new(), Vec::new(), Vec::new());
    let (from, until, base) = (0, 5, 0);
    let spread =
        Spread { batch: hidden, audience, from, until, base, over: None, start, elsewhere, excluded, left_out, now };
    assert_eq!(store.spread(spread).await.unwrap(), until);
}
