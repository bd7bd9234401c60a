//! The invariants: what must be true after every act.

mod at_end;
mod ending;
mod leaving;
mod limits;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::counts;
use super::net::Net;
use super::pace::{HandedOver, RateLimits};
use super::scene::number_of;
use super::windows::Windows;
use super::wishes::{Matter, OptOuts, Wish};
use crate::base::config::Config;
use crate::base::domain::{
    AttemptId, BatchId, BatchState, Channel, Loaded, MessageKey, Money, Msisdn, Outcome, Plan, Present, Span, State,
    StepIndex, Tag, Timestamp,
};
use crate::rules::engine::met;
use crate::store::{Cursor, Hold, Store};

/// The state of a run before the latest act, and what the checks need to know of the time before it.
#[derive(Debug)]
pub(super) struct Invariants {
    store: Arc<dyn Store>,
    net: Arc<Net>,
    campaigns: Vec<Campaign>,
    config: Arc<Config>,
    pub(super) rate_limits: RateLimits,
    pub(super) opt_outs: OptOuts,
    pub(super) windows: Windows,
    /// Lanes and templates on hold, as the node has noted.
    held: HashSet<(String, String)>,
    /// Whether the node's latest attempt to record answers succeeded.
    pub(super) can_record: bool,
    /// Superseded servers, and until when each may still send what it had claimed.
    superseded: HashMap<usize, Timestamp>,
    /// Whether the latest act was a receipt for another program's message.
    pub(super) is_foreign: bool,
}

#[derive(Debug)]
struct Campaign {
    batch: BatchId,
    tag: Tag,
    plan: Plan,
    /// Former plans that the node may still follow, because it has not noted the change.
    former: Vec<Plan>,
    /// Whether its limits were changed. Then the messages submitted under the former limits may exceed the new ones.
    has_other_limits: bool,
    keys: Vec<MessageKey>,
    before: Vec<Loaded>,
    /// Its state when the node last noted everything.
    noted: BatchState,
    /// Since when the node has noted a pause or cancel that is still in force.
    stopped_at: Option<Timestamp>,
    /// Whether anything was decided about it since then.
    is_decided: bool,
    cancelled: bool,
    /// Steps that the node has noted as held.
    held_steps: HashSet<StepIndex>,
    /// Messages that a receipt proved submitted although their attempt counted as not processed.
    revived: u64,
    /// What each step was charged without a reservation.
    unreserved: BTreeMap<StepIndex, Money>,
    begins_at: Option<Timestamp>,
    /// Since when each message has waited for its present step.
    waiting_since: HashMap<u32, Timestamp>,
    /// When each step was first claimed.
    claimed_at: HashMap<(u32, StepIndex), Timestamp>,
    /// When each step became unknown. Until then it was being sent.
    unknown_since: HashMap<(u32, StepIndex), Timestamp>,
}

impl Invariants {
    pub(super) async fn new(store: Arc<dyn Store>, net: Arc<Net>, config: Arc<Config>, batches: &[BatchId]) -> Self {
        let mut campaigns = Vec::new();
        for batch in batches {
            campaigns.push(Campaign::of(store.as_ref(), *batch).await);
        }
        let rate_limits = RateLimits::new(&config, super::world::START);
        Self {
            store,
            net,
            campaigns,
            config,
            rate_limits,
            opt_outs: OptOuts::default(),
            windows: Windows::default(),
            held: HashSet::new(),
            can_record: true,
            superseded: HashMap::new(),
            is_foreign: false,
        }
    }

    /// Takes over the messages that joined a batch, or the batch that they opened.
    pub(super) async fn join(&mut self, batch: BatchId) {
        let now = Campaign::of(self.store.as_ref(), batch).await;
        match self.campaigns.iter_mut().find(|campaign| campaign.batch == batch) {
            Some(campaign) => campaign.grow(now),
            // The node has not noted it yet.
            None => self.campaigns.push(Campaign { is_decided: true, ..now }),
        }
    }

    pub(super) fn batches(&self) -> impl Iterator<Item = BatchId> + '_ {
        self.campaigns.iter().map(|campaign| campaign.batch)
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &Loaded> {
        self.campaigns.iter().flat_map(|campaign| &campaign.before)
    }

    pub(super) fn steps(&self) -> usize {
        self.campaigns.iter().map(|campaign| campaign.plan.steps.len()).max().unwrap_or(0)
    }

    /// Returns recipients with each channel on which an attempt to them is unknown, or may become unknown.
    pub(super) fn in_question(&self) -> impl Iterator<Item = (Msisdn, Channel)> + '_ {
        self.campaigns.iter().flat_map(|campaign| {
            let of_message = |message: &Loaded| {
                let (present, msisdn) = (message.present, number_of(message));
                let may_be_unknown = move |step: StepIndex| {
                    let is_leaving = matches!(present.state, State::Queued { .. } | State::Sending { .. });
                    present.marks.unknown(step) || is_leaving && present.step == step
                };
                let places = campaign.plan.indexed_steps().filter(move |(step, _)| may_be_unknown(*step));
                places.map(move |(_, rules)| (msisdn, rules.channel)).collect::<Vec<_>>()
            };
            campaign.before.iter().flat_map(of_message)
        })
    }

    /// Returns the recipients of claimed messages.
    pub(super) fn in_hand(&self) -> Vec<Msisdn> {
        let is_claimed = |message: &&Loaded| matches!(message.present.state, State::Sending { .. });
        self.messages().filter(is_claimed).map(number_of).collect()
    }

    /// Returns recipients with each channel on which several attempts to them are unknown.
    pub(super) fn ambiguous(&self) -> Vec<(Msisdn, Channel)> {
        let (mut once, mut several) = (HashSet::new(), Vec::new());
        for campaign in &self.campaigns {
            for message in &campaign.before {
                let unknown = campaign.plan.indexed_steps().filter(|(step, _)| message.present.marks.unknown(*step));
                let unknown = unknown.map(|(_, rules)| (number_of(message), rules.channel));
                several.extend(unknown.filter(|of| !once.insert(*of)));
            }
        }
        several
    }

    /// Whether every attempt to a recipient on a channel began too late for a receipt with this stamp. The provider's
    /// clock may be two minutes behind ours.
    pub(super) fn begun_too_late_for(&self, stamp: Timestamp, msisdn: Msisdn, channel: Channel) -> bool {
        self.campaigns.iter().all(|campaign| {
            let Some(step) = campaign.plan.on_channel(channel) else { return true };
            let begun = |message: &Loaded| campaign.claimed_at.get(&(message.key.n, step)).copied();
            let to_them = campaign.before.iter().filter(|message| message.address == msisdn);
            to_them.filter_map(begun).all(|begun| begun >= stamp + Span::from_secs(120))
        })
    }

    /// Returns when the next message is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.messages().filter_map(|message| timer(&message.present)).min()
    }

    /// Notes an operator's decision about a batch.
    pub(super) fn decide(&mut self, batch: BatchId, to: BatchState) {
        for campaign in self.campaigns.iter_mut().filter(|campaign| campaign.batch == batch) {
            campaign.is_decided = true;
            campaign.cancelled |= to == BatchState::Cancelling;
        }
    }

    /// Notes that an operator resumed all steps.
    pub(super) fn release_steps(&mut self) {
        self.campaigns.iter_mut().for_each(|campaign| campaign.held_steps.clear());
    }

    /// Notes that another server has taken over from this one.
    pub(super) fn supersede(&mut self, life: usize, sends_until: Timestamp) {
        self.superseded.insert(life, sends_until);
    }

    pub(super) fn release(&mut self, hold: &Hold) {
        self.held.remove(&(hold.lane.clone(), hold.template.clone()));
    }

    /// Notes that the node obeys every decision up to now.
    pub(super) async fn note(&mut self, now: Timestamp) {
        self.opt_outs.note();
        for campaign in &mut self.campaigns {
            campaign.noted = self.store.batch(campaign.batch).await.unwrap().unwrap().state;
            let is_stopped =
                matches!(campaign.noted, BatchState::Paused | BatchState::Cancelling | BatchState::Cancelled);
            campaign.stopped_at = campaign.stopped_at.or(Some(now)).filter(|_| is_stopped);
            campaign.is_decided = false;
            campaign.former.clear();
        }
        let steps = self.store.step_holds().await.unwrap();
        for campaign in &mut self.campaigns {
            let of_it = steps.iter().filter(|hold| hold.batch == campaign.batch);
            campaign.held_steps = of_it.map(|hold| hold.step).collect();
        }
        let holds = self.store.holds().await.unwrap();
        self.held = holds.into_iter().map(|hold| (hold.lane, hold.template)).collect();
    }

    /// Takes an opt-out or opt-in that the provider passed on and that is on disk.
    pub(super) fn wish(&mut self, wish: Wish, now: Timestamp, is_alive: bool) {
        let before = self.opt_outs.clone();
        self.take_wish(wish, now);
        if is_alive {
            // The node received it itself and need not look for it.
            self.opt_outs.note_since(&before);
        }
    }

    fn take_wish(&mut self, wish: Wish, now: Timestamp) {
        match wish {
            Wish::NoMore(attempt) => {
                let campaign = self.campaigns.iter().find(|campaign| campaign.batch == attempt.key.batch);
                let channel = campaign.and_then(|campaign| campaign.plan.step(attempt.step)).map(|step| step.channel);
                let of_it = |message: &&Loaded| message.key == attempt.key;
                let recipient = self.messages().find(of_it).map(number_of);
                if let Some((recipient, channel)) = recipient.zip(channel) {
                    self.opt_outs.opt_out(recipient, Matter::MarketingOn(channel), now);
                }
            }
            Wish::Stop { recipient, at } => self.opt_outs.take_stop(recipient, at, now),
            Wish::Start { recipient, at } => self.opt_outs.take_start(recipient, at, now),
        }
    }

    pub(super) async fn learn_opt_outs(&mut self, now: Timestamp) {
        for (_, opt_out) in self.store.opt_outs(Cursor::START, 5_000).await.unwrap() {
            if let Some(recipient) = opt_out.address.number() {
                self.opt_outs.opt_out(recipient, Matter::of(&opt_out.of), now);
            }
        }
    }

    /// Checks all invariants against the database. Returns how many messages changed.
    pub(super) async fn check(&mut self, now: Timestamp, log: &mut Option<Vec<String>>) -> usize {
        let mut changed = 0;
        for index in 0..self.campaigns.len() {
            let after = self.store.load(self.campaigns[index].keys.clone()).await.unwrap();
            changed += self.check_campaign(index, after, now, log).await;
        }
        for posted in self.net.posted() {
            let campaign = self.campaigns.iter().find(|campaign| campaign.batch == posted.attempt.key.batch);
            let campaign =
                campaign.unwrap_or_else(|| panic!("sent although its batch was never published: {posted:?}"));
            let message = campaign.before.get(usize::try_from(posted.attempt.key.n).unwrap()).unwrap();
            if let Some(until) = self.superseded.get(&posted.life) {
                self.check_late_post(campaign, &posted, message, *until);
                continue;
            }
            self.check_post(campaign, &posted, message);
            self.rate_limits.check_lane(&self.config, &self.config.lanes[posted.lane].name, posted.at);
        }
        for arrived in self.net.arrived() {
            self.check_arrival(&arrived);
        }
        for (taken, copy) in self.net.accepted() {
            let of_it = |campaign: &&Campaign| campaign.batch == taken.attempt.key.batch;
            let campaign = self.campaigns.iter().find(of_it).unwrap();
            let message = campaign.before.get(usize::try_from(taken.attempt.key.n).unwrap()).unwrap();
            let State::Sending { intent, .. } = message.present.state else { continue };
            let Some(portfolio) = self.config.lanes[taken.lane].tiered() else { continue };
            // A recipient with an open window needs no tier slot.
            if !self.windows.is_open(message.address, taken.at) {
                let (recipient, claimed) = (number_of(message), intent);
                let new = HandedOver { recipient, claimed, at: taken.at, attempt: taken.attempt, copy };
                let has_failed = |of: &HandedOver| self.net.truth(of.attempt).failed_copies.contains(&of.copy);
                self.rate_limits.check_tier(portfolio, new, has_failed);
            }
        }
        changed
    }

    /// Notes that the provider allows a template again.
    pub(super) fn allow_template(&mut self, template: &str) {
        self.held.retain(|(_, held)| held != template);
    }

    async fn check_campaign(
        &mut self,
        index: usize,
        after: Vec<Loaded>,
        now: Timestamp,
        log: &mut Option<Vec<String>>,
    ) -> usize {
        let campaign = &self.campaigns[index];
        assert_eq!(after.len(), campaign.keys.len(), "messages are missing from the database");
        let (mut changed, mut claimed, mut unknown, mut revived) = (Vec::new(), Vec::new(), Vec::new(), 0);
        let mut unreserved = Vec::new();
        for (before, after) in campaign.before.iter().zip(&after) {
            if before.version == after.version {
                assert_eq!(before.present, after.present, "a message changed without a new version");
                continue;
            }
            if let Some(log) = log {
                log.push(format!("    campaign {} message {}: {:?}", index + 1, after.key.n, after.present));
            }
            changed.push((after.key.n, after.present.step != before.present.step));
            let is_proven = |step: StepIndex| {
                let is_claimed = matches!(before.present.state, State::Sending { .. }) && before.present.step == step;
                !is_claimed && !before.present.marks.handed_over(step) && after.present.marks.handed_over(step)
            };
            let steps = StepIndex::all();
            unknown.extend(
                steps
                    .filter(|step| after.present.marks.unknown(*step) && !before.present.marks.unknown(*step))
                    .map(|step| (after.key.n, step)),
            );
            unreserved.extend(campaign.unreserved(before, after, now));
            revived += StepIndex::all().filter(|step| is_proven(*step)).count() as u64;
            if let State::Sending { intent, .. } = after.present.state
                && before.present.state != after.present.state
            {
                claimed.push(((after.key.n, after.present.step), intent));
            }
            self.check_change(campaign, before, after, now);
        }
        let kept = self.store.tallies(campaign.batch).await.unwrap();
        let present: Vec<Present> = after.iter().map(|message| message.present).collect();
        counts::check(&kept, &present, campaign.plan.steps.len());
        let state = self.store.batch(self.campaigns[index].batch).await.unwrap().unwrap().state;
        let campaign = &mut self.campaigns[index];
        campaign.revived += revived;
        for (step, amount) in unreserved {
            let sum = campaign.unreserved.entry(step).or_default();
            *sum = sum.plus(amount);
        }
        // A batch that has used up its limit pauses by itself. The node notes that as it notes an operator's decision.
        campaign.is_decided |= state == BatchState::Paused && campaign.noted != BatchState::Paused;
        let campaign = &self.campaigns[index];
        self.check_limits(campaign, &after).await;
        self.check_charges(campaign, &after, now).await;
        if !claimed.is_empty() {
            let state = self.store.batch(campaign.batch).await.unwrap().unwrap().state;
            let fresh = claimed.iter().any(|(_, intent)| *intent == now);
            assert!(state == BatchState::Running || !fresh, "claimed from a campaign that is {state}");
        }
        let campaign = &mut self.campaigns[index];
        campaign.before = after;
        for (attempt, intent) in claimed {
            campaign.claimed_at.entry(attempt).or_insert(intent);
        }
        campaign.unknown_since.extend(unknown.into_iter().map(|of| (of, now)));
        for (n, _) in changed.iter().filter(|(_, moved_on)| *moved_on) {
            campaign.waiting_since.insert(*n, now);
        }
        changed.len()
    }

    fn check_change(&self, campaign: &Campaign, before: &Loaded, after: &Loaded, now: Timestamp) {
        let (was, is) = (&before.present, &after.present);
        if matches!((was.state, is.state), (State::Queued { .. }, State::Sending { .. })) {
            // The store moves the message by itself, as the engine would.
            met::note_claim();
        }
        if let Some(ended) = was.outcome() {
            let stays = is.outcome() == Some(ended) || is.outcome() == Some(Outcome::Reached);
            assert!(stays, "an outcome changed to something other than reached: {was:?} to {is:?}");
        }
        let recalled = is.step < was.step && is.outcome() == Some(Outcome::Reached);
        assert!(
            is.step >= was.step || recalled || leaving::is_taken_back(was, is) || leaving::is_refusal_recalled(was, is),
            "a message returned to an earlier step: {was:?} to {is:?}"
        );
        for step in StepIndex::all().take(campaign.plan.steps.len()) {
            // A receipt that reports a fault of the sender undoes the submission: the message returns to its queue.
            let undone = is.step == step && matches!(is.state, State::Queued { .. });
            let kept = !was.marks.handed_over(step) || is.marks.handed_over(step);
            assert!(kept || undone, "a submission was forgotten: {was:?} to {is:?}");
            assert_eq!(
                was.marks.passed_over(step),
                is.marks.passed_over(step),
                "the passed-over steps changed: {was:?} to {is:?}"
            );
            if was.marks.unknown(step) && !is.marks.unknown(step) {
                assert!(!self.is_foreign, "another program's receipt was adopted: {was:?} to {is:?}");
                let truth = self.net.truth(campaign.attempt(after, step));
                let is_known = !truth.accepted.is_empty() || !truth.refused.is_empty();
                assert!(is_known, "adopted an attempt that never reached the provider: {was:?} to {is:?}");
            }
            if was.marks.ending(step) != is.marks.ending(step) {
                self.check_ending(campaign, before, after, step, now);
            }
        }
        if was.outcome() != is.outcome() {
            self.check_outcome(campaign, before, after, now);
        }
    }

    /// Checks, after all timers have fired, that no due message was missed.
    pub(super) fn check_fired(&self, now: Timestamp) {
        let waits = |state| matches!(state, BatchState::Paused | BatchState::Scheduled);
        let obeyed = |campaign: &&Campaign| !campaign.is_decided && !waits(campaign.noted);
        for message in self.campaigns.iter().filter(obeyed).flat_map(|campaign| &campaign.before) {
            let forgotten = timer(&message.present).is_some_and(|due| due <= now);
            assert!(!forgotten, "a due message was not fired: {message:?}");
        }
    }
}

impl Campaign {
    async fn of(store: &dyn Store, batch: BatchId) -> Self {
        let row = store.batch(batch).await.unwrap().unwrap();
        let plan = store.plan(batch).await.unwrap().unwrap();
        let keys: Vec<_> = (0..row.messages).map(|n| MessageKey { batch, n }).collect();
        let before = store.load(keys.clone()).await.unwrap();
        assert_eq!(before.len(), keys.len());
        let waiting = |message: &Loaded| match message.present.state {
            State::Queued { not_before, .. } => Some((message.key.n, not_before)),
            State::Sending { .. } | State::Awaiting { .. } | State::Done { .. } => None,
        };
        let waiting_since = before.iter().filter_map(waiting).collect();
        Self {
            batch,
            tag: row.tag,
            plan,
            former: Vec::new(),
            has_other_limits: false,
            keys,
            before,
            noted: row.state,
            stopped_at: None,
            is_decided: false,
            cancelled: false,
            held_steps: HashSet::new(),
            revived: 0,
            unreserved: BTreeMap::new(),
            begins_at: row.starts_at,
            waiting_since,
            claimed_at: HashMap::new(),
            unknown_since: HashMap::new(),
        }
    }

    /// Takes over the messages that were added after the known ones. The known ones have not changed.
    fn grow(&mut self, now: Self) {
        let new = now.keys.get(self.keys.len()..).unwrap_or_default();
        self.waiting_since.extend(new.iter().filter_map(|key| Some((key.n, *now.waiting_since.get(&key.n)?))));
        self.before = now.before;
        self.keys = now.keys;
    }

    /// Returns the plans that the node may follow.
    fn plans(&self) -> impl Iterator<Item = &Plan> {
        self.former.iter().chain([&self.plan])
    }

    fn attempt(&self, message: &Loaded, step: StepIndex) -> AttemptId {
        AttemptId { key: message.key, step, tag: self.tag }
    }
}

/// Returns when a waiting message is due.
pub(super) fn timer(message: &Present) -> Option<Timestamp> {
    match message.state {
        State::Queued { gives_up, .. } => gives_up,
        State::Awaiting { due } => Some(due),
        State::Sending { .. } | State::Done { .. } => None,
    }
}
