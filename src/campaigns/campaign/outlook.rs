//! Collects the input of a campaign's forecast from the present state.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::beginnings::Beginnings;
use super::launch::{LaunchError, Launcher, Prepared};
use super::used_up::caps;
use crate::base::config;
use crate::base::domain::{
    BatchId, BatchState, Count, Country, Crowd, Member, Money, OnTierSpent, OpenMinutes, Plan, Queue, Span, Spent,
    Step, StepIndex, Taker, Tallies, Tier, Timestamp, crowd_of, usual_zone,
};
use crate::recipients::audience::{ImportRecord, UnreadableRecord};
use crate::rules::forecast::as_float;
use crate::rules::forecast::{Account, Bill, Coming, Forecast, Group, LaneLoad, Outlook, Portfolio};
use crate::rules::template::{BilledParts, PARTS_MAX};
use crate::store::{self, Audiences, Batch, Hold, QueueTimes, StoredLane};

/// Slots that become free within this time count together.
const TOGETHER: Span = Span::from_secs(3_600);

/// What other campaigns have for a lane.
#[derive(Debug, Clone, Default)]
struct Others {
    /// How many campaigns have messages waiting now.
    campaigns: f64,
    /// How many of their messages wait now.
    waiting: f64,
    /// Messages that become due later.
    coming: Vec<Coming>,
}

impl Others {
    /// The load of the lane that they share.
    fn on(self, lane: &config::Lane, account: Option<usize>, portfolio: Option<usize>) -> LaneLoad {
        LaneLoad {
            lane: lane.name.clone(),
            rate: lane.rate.each_second(),
            account,
            portfolio,
            campaigns: self.campaigns,
            others: self.waiting,
            coming: self.coming.into(),
        }
    }
}

/// Builds an outlook.
struct OutlookBuilder<'a> {
    launcher: &'a Launcher<'a>,
    outlook: Outlook,
    lanes: Vec<&'a config::Lane>,
    others: BTreeMap<String, Others>,
    holds: Vec<Hold>,
    /// The hours of the steps so far.
    hours: BTreeMap<StepIndex, Arc<OpenMinutes<'static>>>,
    now: Timestamp,
}

/// Recipients of one country that are to get a step.
struct Cohort {
    country: Country,
    recipients: f64,
    /// What a message to one of them costs on average, in millionths.
    cost: f64,
    /// When the step may be sent to them.
    opens: Timestamp,
    /// The time over which they are spread.
    over: Option<Span>,
    /// The time from which none of them is sent to.
    ends: Option<Timestamp>,
}

impl Launcher<'_> {
    /// Forecasts when all first messages would be sent if a campaign were launched now; `None` if that is never.
    pub(super) async fn forecast(
        &self,
        plan: &Plan,
        (crowd, bill): (&Crowd, &Bill),
        need_no_slot: &BTreeMap<String, u64>,
        beginnings: &Beginnings,
        now: Timestamp,
    ) -> Result<Option<Forecast>, LaunchError> {
        let outlook = Outlook { caps: caps(plan, &Tallies::default(), &[]), ..Outlook::of(plan) };
        let mut builder = self.builder(outlook, None, now).await?;
        for (taker @ &Taker { country, .. }, recipients) in crowd {
            let Some(index) = plan.first(plan.marks_of(*taker)) else { continue };
            let (opens, recipients) = (beginnings.of_taker(Some(*taker)), as_float(*recipients));
            let cost = plan.step(index).map_or(0.0, |step| bill.each((index, step), country));
            let cohort = Cohort { country, recipients, cost, opens, over: plan.over, ends: plan.end };
            builder.add(plan, index, cohort).await?;
        }
        let mut outlook = builder.build();
        for portfolio in &mut outlook.portfolios {
            portfolio.need_no_slot = need_no_slot.get(&portfolio.name).copied().map_or(0.0, as_float);
        }
        Ok(outlook.forecast(beginnings.first.max(now)))
    }

    /// Forecasts when all waiting messages of a campaign will be sent; `None` if that is never. Their countries are
    /// estimated from the whole audience, because there are no counters by country.
    pub async fn forecast_of(
        &self,
        batch: &Batch,
        plan: &Plan,
        tallies: &Tallies,
        now: Timestamp,
    ) -> Result<Option<Forecast>, LaunchError> {
        let mut crowd = crowd_in(self.store, batch).await?.unwrap_or_default();
        if crowd.is_empty() {
            crowd.insert(Country::WORLD.into(), 1);
        }
        let opens = batch.starts_at.unwrap_or(now).max(now);
        let begun = batch.started_at.or(batch.starts_at).unwrap_or(now);
        let spent = self.store.spent(batch.id).await?;
        let outlook = Outlook { caps: caps(plan, tallies, &spent), ..Outlook::of(plan) };
        let mut builder = self.builder(outlook, Some(batch.id), now).await?;
        let bill = Bill::of_crowd(plan, &crowd);
        for (index, step) in plan.indexed_steps() {
            // Where every message has as many parts, the price list says all.
            let are_same = BilledParts::of_step(step, plan.names()).are_same();
            let dearness = if are_same { 1.0 } else { dearness(&bill, (index, step), tallies, &spent) };
            let waiting = as_float(tallies.get(index, Count::Queued).try_into().unwrap_or(0));
            let takers = step.takers();
            let of_step = crowd.iter().filter(|(taker, _)| takers.include(**taker));
            let all: u64 = of_step.clone().map(|(_, recipients)| recipients).sum();
            for (taker @ &Taker { country, .. }, recipients) in of_step.filter(|_| waiting > 0.0) {
                // The rest of the time over which the first messages are spread.
                let begins = step.hours.open_in(country, begun).unwrap_or(begun);
                let is_first = plan.first(plan.marks_of(*taker)) == Some(index);
                let over = plan.over.filter(|_| is_first).map(|over| (begins + over).since(opens.max(begins)));
                // Only first messages obey the end; fallbacks are sent after it too.
                let ends = plan.end.filter(|_| is_first);
                let recipients = waiting * as_float(*recipients) / as_float(all.max(1));
                let cost = dearness * bill.each((index, step), country);
                builder.add(plan, index, Cohort { country, recipients, cost, opens, over, ends }).await?;
            }
        }
        Ok(builder.build().forecast(opens))
    }

    /// The latest time at which nothing is left to send: the worst case, in which every message falls back at every
    /// step. `None` if no message can fall back, or if that is never.
    pub async fn finished_by(&self, prepared: &Prepared) -> Result<Option<Timestamp>, LaunchError> {
        let Prepared { plan, recipients, beginnings, forecast, now, .. } = prepared;
        let Some(first) = forecast.as_ref().filter(|first| first.left_behind.is_empty()) else { return Ok(None) };
        let crowd = recipients.crowd();
        let begins_before = |taker: &Taker, step| plan.first(plan.marks_of(*taker)).is_some_and(|first| first < step);
        let coming = |step| {
            let theirs = crowd.iter().filter(|(taker, _)| begins_before(taker, step));
            theirs.map(|(taker, recipients)| (*taker, as_float(*recipients))).collect()
        };
        self.latest(plan, first.done_at, (beginnings.first.max(*now), true), coming, None).await
    }

    /// The same for a running campaign.
    pub async fn finished_by_of(
        &self,
        batch: &Batch,
        plan: &Plan,
        tallies: &Tallies,
        (first, now): (&Forecast, Timestamp),
    ) -> Result<Option<Timestamp>, LaunchError> {
        if !first.left_behind.is_empty() {
            return Ok(None);
        }
        let crowd = crowd_in(self.store, batch).await?.unwrap_or_default();
        let all = as_float(crowd.values().sum::<u64>().max(1));
        let coming = |step| {
            let before = plan.indexed_steps().filter(|(index, _)| *index < step);
            let open = [Count::Queued, Count::Sending, Count::AwaitingOpen];
            let open = before.flat_map(|(index, _)| open.map(|count| tallies.get(index, count))).sum::<i64>();
            let open = as_float(open.try_into().unwrap_or(0));
            crowd.iter().map(|(taker, recipients)| (*taker, open * as_float(*recipients) / all)).collect()
        };
        self.latest(plan, first.done_at, (now, false), coming, Some(batch.id)).await
    }

    /// Computes the latest time step by step: a message comes to a step after the step before and its deadline, and no
    /// faster than that step's lanes.
    async fn latest(
        &self,
        plan: &Plan,
        done_at: Timestamp,
        (mut begins, is_new): (Timestamp, bool),
        coming: impl Fn(StepIndex) -> Vec<(Taker, f64)>,
        except: Option<BatchId>,
    ) -> Result<Option<Timestamp>, LaunchError> {
        let (mut latest, mut before, mut falls_back) = (done_at, None::<&Step>, false);
        for (index, step) in plan.indexed_steps() {
            let deadline = before.map(|before| before.fallback_after.unwrap_or(before.receipt_window));
            before = Some(step);
            let Some(deadline) = deadline else { continue };
            let takers = step.takers();
            let for_them = |(taker, recipients): &(Taker, f64)| *recipients > 0.0 && takers.include(*taker);
            let theirs: Vec<_> = coming(index).into_iter().filter(for_them).collect();
            if theirs.is_empty() {
                continue;
            }
            falls_back = true;
            // Of a running campaign, the first message may fall back at any moment.
            begins = if is_new { begins + deadline } else { begins };
            let mut builder = self.builder(Outlook::of(plan), except, begins).await?;
            for (Taker { country, .. }, recipients) in theirs {
                // No limit holds here, so no cost matters.
                let cohort = Cohort { country, recipients, cost: 0.0, opens: begins, over: None, ends: None };
                builder.add(plan, index, cohort).await?;
            }
            let Some(course) = builder.build().forecast(begins) else { return Ok(None) };
            latest = course.done_at.max(latest + deadline);
        }
        let latest = plan.ttl.map_or(latest, |ttl| latest.min(done_at + ttl));
        Ok(falls_back.then_some(latest))
    }

    async fn builder(
        &self,
        outlook: Outlook,
        except: Option<BatchId>,
        now: Timestamp,
    ) -> Result<OutlookBuilder<'_>, LaunchError> {
        let others = self.others(except, now).await?;
        let holds = self.store.holds().await?;
        let hours = BTreeMap::new();
        Ok(OutlookBuilder { launcher: self, outlook, lanes: Vec::new(), others, holds, hours, now })
    }

    /// For each lane, the messages of other campaigns that may be sent now, and those that become due later.
    async fn others(&self, except: Option<BatchId>, now: Timestamp) -> Result<BTreeMap<String, Others>, LaunchError> {
        let mut others: BTreeMap<String, Others> = BTreeMap::new();
        let states = vec![BatchState::Running, BatchState::Scheduled];
        let lanes = self.store.lanes(Vec::new()).await?;
        let held = self.store.step_holds().await?;
        for batch in self.store.batches(Some(states)).await?.into_iter().filter(|batch| Some(batch.id) != except) {
            let Some(plan) = self.store.plan(batch.id).await? else { continue };
            let tallies = self.store.tallies(batch.id).await?;
            let waits = |step| tallies.get(step, Count::Queued) > 0;
            let is_held = |step| held.iter().any(|hold| (hold.batch, hold.step) == (batch.id, step));
            let steps: Vec<_> = plan.indexed_steps().filter(|(index, _)| waits(*index) && !is_held(*index)).collect();
            let queue = |step, lane: &StoredLane| Queue { batch: batch.id, step, lane: lane.id };
            let of_step = |step: &Step| lanes.iter().filter(|lane| step.lanes.contains(&lane.name)).collect::<Vec<_>>();
            let queues =
                steps.iter().flat_map(|(index, step)| of_step(step).into_iter().map(|lane| queue(*index, lane)));
            let times = self.store.queue_times(queues.collect()).await?;
            let mut known = BTreeSet::new();
            for (index, step) in steps {
                let lanes: Vec<_> = of_step(step)
                    .into_iter()
                    .filter_map(|lane| Some((lane, *times.get(&queue(index, lane))?)))
                    .collect();
                // There are no counters by lane; a pool shares its messages out evenly.
                let messages = as_float(tallies.get(index, Count::Queued).try_into().unwrap_or(0));
                let each = messages / as_float(lanes.len().max(1) as u64);
                for (lane, times) in lanes {
                    let parts = self.parts(&batch, (&plan, step), times, now).await?;
                    others.entry(lane.name.clone()).or_default().add(each, &parts, known.insert(lane.id), now);
                }
            }
        }
        others.values_mut().for_each(|lane| lane.coming.sort_by_key(|coming| coming.from));
        Ok(others)
    }

    /// When the waiting messages of a step may be sent, and which share of them at each time.
    async fn parts(
        &self,
        batch: &Batch,
        (plan, step): (&Plan, &Step),
        QueueTimes { first, last }: QueueTimes,
        now: Timestamp,
    ) -> Result<Vec<(Timestamp, f64)>, LaunchError> {
        if plan.over.is_some() && first < last {
            let each = last.since(first).millis() / i64::from(PARTS - 1);
            let part = |part: u32| (first + Span::from_millis(each * i64::from(part)), 1.0 / f64::from(PARTS));
            return Ok((0..PARTS).map(part).collect());
        }
        let from = first.max(now);
        if step.hours.are_all() {
            return Ok(vec![(from, 1.0)]);
        }
        // A row does not show when its hours open until a claim has looked at it.
        let mut parts: BTreeMap<Timestamp, u64> = BTreeMap::new();
        let takers = step.takers();
        for (taker, recipients) in crowd_in(self.store, batch).await?.unwrap_or_default() {
            if takers.include(taker) {
                *parts.entry(step.hours.open_in(taker.country, from).unwrap_or(from)).or_default() += recipients;
            }
        }
        let all = as_float(parts.values().sum::<u64>().max(1));
        Ok(parts.into_iter().map(|(from, recipients)| (from, as_float(recipients) / all)).collect())
    }
}

/// How much dearer a message of a step has been than `bill` expects, because of what values add to its text: 1 before one
/// was submitted.
fn dearness(bill: &Bill, (index, step): (StepIndex, &Step), tallies: &Tallies, spent: &[(StepIndex, Spent)]) -> f64 {
    let submitted = tallies.get(index, Count::HandedOver) + tallies.get(index, Count::Sending);
    let Some(submitted) = u64::try_from(submitted).ok().filter(|submitted| *submitted > 0) else { return 1.0 };
    let spent: Money = spent.iter().filter(|(step, _)| *step == index).map(|(_, spent)| spent.all()).sum();
    let (expected, messages) = bill.sum((index, step));
    if expected <= 0.0 {
        return 1.0;
    }
    let each = as_float(spent.millionths()) / as_float(submitted);
    (each * as_float(messages) / expected).clamp(1.0, as_float(PARTS_MAX as u64))
}

/// Counts the recipients of a campaign's audience. Whoever only shows the counts may go on without them.
pub async fn crowd_in(store: &dyn Audiences, batch: &Batch) -> store::Result<Result<Crowd, UnreadableRecord>> {
    let mut all = Crowd::new();
    for part in store.parts_of(batch.id).await? {
        let record = match ImportRecord::of(&part) {
            Ok(record) => record,
            Err(unreadable) => return Ok(Err(unreadable)),
        };
        let summary = record.summary.unwrap_or_default();
        for (taker, recipients) in crowd_of(&summary.countries, &summary.without_number) {
            *all.entry(taker).or_default() += recipients;
        }
    }
    Ok(Ok(all))
}

/// The number of parts that stand for messages spread over a time.
const PARTS: u32 = 24;

impl Others {
    /// Adds the messages of one campaign's step, of which each part may be sent from some time on. The first step of a
    /// campaign on the lane adds the campaign to those that share it, once its first part may be sent.
    fn add(&mut self, messages: f64, parts: &[(Timestamp, f64)], mut adds: bool, now: Timestamp) {
        for (from, part) in parts {
            let messages = messages * part;
            if *from > now {
                self.coming.push(Coming { from: *from, messages, adds });
            } else {
                self.campaigns += if adds { 1.0 } else { 0.0 };
                self.waiting += messages;
            }
            adds = false;
        }
    }
}

impl Outlook {
    fn of(plan: &Plan) -> Self {
        Self { zone: plan.time_zone, ..Self::default() }
    }
}

impl<'a> OutlookBuilder<'a> {
    async fn add(&mut self, plan: &Plan, index: StepIndex, cohort: Cohort) -> Result<(), LaunchError> {
        let Some(step) = plan.step(index) else { return Ok(()) };
        let Cohort { country, recipients, cost, opens, over, ends } = cohort;
        let over = over.filter(|over| *over > Span::ZERO).map(|over| over.std().as_secs_f64());
        let hours = self.hours.entry(index).or_insert_with(|| Arc::new(step.hours.clone().into()));
        let hours = Arc::clone(hours);
        for (name, share) in self.senders(step, country) {
            let Some(lane) = self.launcher.config.lane(&name) else { continue };
            let known = self.lanes.iter().position(|known| known.name == lane.name);
            let load = match known {
                Some(load) => load,
                None => self.load(lane, step.on_tier_spent).await?,
            };
            let recipients = recipients * share;
            self.outlook.groups.push(Group {
                step: index,
                lane: load,
                recipients,
                spread: over.map_or(f64::INFINITY, |over| recipients / over),
                cost,
                ends,
                opens,
                zone: usual_zone(country),
                hours: Arc::clone(&hours),
                stays: None,
            });
        }
        Ok(())
    }

    /// Which lanes send a step to recipients of a country, and what share of them each. Stand-ins for a held lane take
    /// equal shares. A held lane without a stand-in counts as if it were released now.
    fn senders(&self, step: &Step, country: Country) -> Vec<(String, f64)> {
        let is_held = |lane: &str| self.holds.iter().any(|hold| hold.is_on(lane, step));
        let mut all = Vec::new();
        for (member, share) in step.lanes.shares(country) {
            let others = step.lanes.members().iter().filter(|other| step.lanes.may_replace(other, member));
            let stand_in: Vec<&Member> = others.filter(|other| !is_held(&other.lane)).collect();
            if is_held(&member.lane) && !stand_in.is_empty() {
                let each = share / as_float(stand_in.len() as u64);
                all.extend(stand_in.into_iter().map(|other| (other.lane.clone(), each)));
            } else {
                all.push((member.lane.clone(), share));
            }
        }
        all
    }

    async fn load(&mut self, lane: &'a config::Lane, on_tier_spent: OnTierSpent) -> Result<usize, LaunchError> {
        let waits = on_tier_spent == OnTierSpent::Wait;
        let limited = lane.limited_portfolio().filter(|_| waits);
        let portfolio = self.portfolio(limited, lane.tier).await?;
        let account = self.account(&lane.account);
        let others = self.others.remove(&lane.name).unwrap_or_default();
        self.outlook.loads.push(others.on(lane, account, portfolio));
        self.lanes.push(lane);
        Ok(self.lanes.len() - 1)
    }

    /// Completes the outlook with the lanes on which other campaigns use the same accounts and slots.
    fn build(mut self) -> Outlook {
        for (name, others) in self.others {
            let Some(lane) = self.launcher.config.lane(&name) else { continue };
            let account = self.outlook.accounts.iter().position(|known| known.name == lane.account);
            let same = |known: &Portfolio| lane.tiered() == Some(known.name.as_str());
            let portfolio = self.outlook.portfolios.iter().position(same);
            if account.is_some() || portfolio.is_some() {
                self.outlook.loads.push(others.on(lane, account, portfolio));
            }
        }
        self.outlook
    }

    fn account(&mut self, name: &str) -> Option<usize> {
        let rate = self.launcher.config.account(name)?.rate?.each_second();
        let accounts = &mut self.outlook.accounts;
        Some(accounts.iter().position(|known| known.name == name).unwrap_or_else(|| {
            accounts.push(Account { name: name.to_owned(), rate });
            accounts.len() - 1
        }))
    }

    async fn portfolio(&mut self, name: Option<&str>, tier: Tier) -> Result<Option<usize>, LaunchError> {
        let (Some(name), Tier::Recipients(most)) = (name, tier) else { return Ok(None) };
        if let Some(known) = self.outlook.portfolios.iter().position(|known| known.name == name) {
            return Ok(Some(known));
        }
        let mut slots = self.launcher.store.tier_slots(vec![name.to_owned()], self.now - Tier::HELD).await?;
        let slots = slots.remove(name).unwrap_or_default();
        let mut coming: BTreeMap<i64, u32> = BTreeMap::new();
        for slot in &slots {
            let free_at = (slot.at + Tier::HELD).millis();
            *coming.entry(free_at.div_euclid(TOGETHER.millis()) + 1).or_default() += 1;
        }
        let unknown = self.launcher.store.unknown_slots(self.now - Tier::HELD).await?.remove(name);
        let unknown_recipients = unknown.map_or(0, |unknown| unknown.recipients);
        if let Some(unknown) = unknown {
            let free_at = (unknown.at + Tier::HELD).millis();
            *coming.entry(free_at.div_euclid(TOGETHER.millis()) + 1).or_default() += unknown.recipients;
        }
        let free_at = |together: i64| Timestamp::from_millis(together * TOGETHER.millis());
        let coming: VecDeque<_> =
            coming.into_iter().map(|(at, recipients)| (free_at(at), f64::from(recipients))).collect();
        let free = f64::from(most) - as_float(slots.len() as u64) - f64::from(unknown_recipients);
        let held = Tier::HELD;
        self.outlook.portfolios.push(Portfolio {
            name: name.to_owned(),
            most,
            free,
            need_no_slot: 0.0,
            coming,
            held,
            days: BTreeMap::new(),
        });
        Ok(Some(self.outlook.portfolios.len() - 1))
    }
}
