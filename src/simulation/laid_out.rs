//! The campaigns of a storm: launched before it begins, and changed while it lasts.

use std::sync::Arc;

use super::act::PlanChange;
use super::operators::by;
use super::scene::{COLUMNS, Campaign, expires_after, has_name, joining, recipient};
use super::world::{OPERATOR, World};
use crate::base::clock::{Chance, Clock, ManualClock};
use crate::base::config::Config;
use crate::base::domain::{
    ApiCalls, BatchId, Channel, Content, MessageKey, OptOutOf, Plan, Present, Recipient, Sources,
};
use crate::base::events::Origin;
use crate::campaigns::campaign::{Draft, Launcher, SingleMessage, bring_forward};
use crate::recipients::audience::{ImportRecord, OddCells, Summary, Survey};
use crate::store::{Amendment, Joined, KnownAs, NewAudience, NewBatch, PieceOfMessages, Start, Store};

/// Launches a campaign without a file; reading files has tests of its own.
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
    let new = NewAudience { known_as, source: OPERATOR.to_owned(), columns, now: clock.now() };
    let audience = store.begin_audience(new).await.unwrap();
    let recipients: Vec<_> = campaign.recipients.clone().map(recipient).collect();
    let mut summary = Summary { number_column: COLUMNS[0].to_owned(), ..Summary::default() };
    for recipient in &recipients {
        *summary.countries.entry(recipient.country).or_default() += 1;
    }
    let nameless = campaign.recipients.clone().filter(|n| !has_name(*n)).count();
    let survey =
        Survey { odd: OddCells { empty: vec![0, nameless as u64, 0], ..OddCells::default() }, ..Survey::default() };
    let record = ImportRecord::new(&summary, &survey);
    let count = u32::try_from(recipients.len()).unwrap();
    store.add_recipients(audience, 0, recipients).await.unwrap();
    store.publish_audience(audience, count, record.json()).await.unwrap();
    let launcher = Launcher { store: store.as_ref(), clock, chance, config, by: Origin::SERVER };
    let launched = launcher.launch(&draft, |_| None).await;
    let (launched, _) = launched.unwrap_or_else(|error| panic!("{error:?}\n{}", campaign.text));
    assert_eq!(launched.messages, count);
    launched.batch
}

/// Creates messages of a campaign whose launch was never completed.
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
        audience: OPERATOR.to_owned(),
        audience_ids: batch.audience_ids,
        starts_at: None,
        open_until: None,
        now,
    };
    let start = Start::of(&Present::queued(now, None), vec![lane.id]);
    let hidden = store.begin_batch(new).await.unwrap();
    let (elsewhere, excluded, lacking, left_out) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (from, until, base) = (0, 5, 0);
    let spread = PieceOfMessages {
        batch: hidden,
        audience,
        from,
        until,
        base,
        over: None,
        start,
        elsewhere,
        users: Vec::new(),
        excluded,
        lacking,
        left_out,
        heeds: Some(OptOutOf::Marketing),
        now,
    };
    assert_eq!(store.write_messages(spread).await.unwrap(), until);
}

/// The plan of the single messages that join: in half of the storms they are calls of the API, and in half of those with free
/// text on WhatsApp, for which the provider decides about windows.
pub(super) fn of_single_messages(mut plan: Plan, seed: u64) -> Plan {
    if !seed.is_multiple_of(2) {
        let (sub_account, caller) = ("acme".to_owned(), String::new());
        plan.api = Some(ApiCalls { sub_account, caller, callback: None, extras: None });
    }
    if seed % 4 == 1 {
        for step in plan.steps.iter_mut().filter(|step| step.channel == Channel::WhatsApp) {
            step.content = Content::Text { text: "Hi".to_owned(), source: Sources::default(), encoding: None };
        }
    }
    plan
}

/// What a corrected text begins with.
pub(super) const CORRECTED: &str = "No, hi";

fn correct(content: &mut Content) {
    if let Content::Text { text, .. } = content
        && !text.starts_with(CORRECTED)
    {
        *text = text.replacen("Hi", CORRECTED, 1);
    }
}

impl World {
    /// Changes a plan, as a command does whose caller does not wait.
    pub(super) async fn amend(&mut self, which: usize, to: PlanChange) {
        let now = self.clock.now();
        let Some(id) = self.invariants.batches().nth(which) else { return };
        let batch = self.store.batch(id).await.unwrap().unwrap();
        let before = self.store.plan(id).await.unwrap().unwrap();
        let mut plan = before.clone();
        match to {
            PlanChange::End(after) => plan.end = after.map(|after| now + after),
            PlanChange::Quiet(hours) => {
                let quiet: Vec<_> = hours.iter().map(|hours| hours.parse().unwrap()).collect();
                plan.steps.iter_mut().for_each(|step| step.hours.quiet.clone_from(&quiet));
            }
            PlanChange::Most(messages) => plan.steps[0].limits.messages = messages,
            PlanChange::Texts => plan.steps.iter_mut().for_each(|step| correct(&mut step.content)),
        }
        let (edition, starts_at, origin) = (batch.edition, batch.starts_at, by());
        let changes = Vec::new();
        let amendment = Amendment { batch: id, edition, plan: plan.clone(), starts_at, origin, changes, now };
        let amended = match to {
            PlanChange::Texts => self.store.correct(amendment, false).await.unwrap(),
            _ => self.store.amend(amendment).await.unwrap(),
        };
        if amended.is_some() {
            self.invariants.amend(id, plan.clone());
            bring_forward(self.store.as_ref(), self.clock.as_ref(), &batch, &plan, None).await.unwrap();
        }
    }
}

impl World {
    /// Sends single messages, as an API client does.
    pub(super) async fn join(&mut self, count: u32) {
        let (store, clock) = (self.store.as_ref(), self.clock.as_ref());
        let launcher = Launcher { store, clock, chance: &self.chance, config: &self.config, by: Origin::SERVER };
        // Their numbers depend on where they join, and no other act runs meanwhile.
        let Joined { batch, first, .. } = launcher.join(self.plan.clone(), Vec::<Recipient>::new()).await.unwrap();
        let now = clock.now();
        let message = |n| SingleMessage {
            recipient: recipient(joining(MessageKey { batch, n })),
            not_before: None,
            expires: expires_after(n).map(|after| now + after),
        };
        let messages: Vec<_> = (first..first + count).map(message).collect();
        let joined = launcher.join(self.plan.clone(), messages).await.unwrap();
        assert_eq!((joined.batch, joined.first), (batch, first));
        self.invariants.join(batch).await;
    }
}
