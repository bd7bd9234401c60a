//! Computes the course of a campaign in stretches of constant throughput.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chrono::NaiveDate;

use super::{BookedDay, Booking, Bottleneck, Forecast, NotSent, Stop};
use crate::base::domain::{OpenMinutes, Span, StepIndex, Timestamp, Zone, local};

/// Recipients with the same step, lane and hours.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub step: StepIndex,
    pub lane: usize,
    pub recipients: f64,
    /// The most recipients a second, where they are spread over a time.
    pub spread: f64,
    /// The cost of a message to one of them.
    pub cost: f64,
    /// The campaign's end: from then on no message of the group is sent.
    pub ends: Option<Timestamp>,
    pub opens: Timestamp,
    pub zone: Zone,
    pub hours: Arc<OpenMinutes<'static>>,
    /// Whether the hours are open and until when that stays so; cached once it is computed.
    pub stays: Option<(bool, Timestamp)>,
}

impl Group {
    /// Whether the group may send, and until when that stays so. `None` if it may never send again.
    fn is_open(&mut self, at: Timestamp, work: &mut Work) -> Option<(bool, Timestamp)> {
        if let Some(known) = self.stays.filter(|(_, until)| at < *until) {
            work.take(1)?;
            return Some(known);
        }
        work.take(HOURS)?;
        let stays = if self.opens <= at && self.hours.are_open(at, self.zone) {
            (true, self.hours.open_until(at, self.zone).unwrap_or(Timestamp::MAX))
        } else {
            (false, self.hours.open_from(at.max(self.opens), self.zone)?)
        };
        self.stays = Some(stays);
        Some(stays)
    }

    /// Why the group may not send while it is closed.
    fn closed_by(&self, at: Timestamp) -> Bottleneck {
        match self.hours.begins(self.zone) {
            Some(begins) if at < begins => Bottleneck::Clocks,
            Some(_) | None => Bottleneck::Hours,
        }
    }
}

/// What a limit still allows for a step, or for the whole campaign.
#[derive(Debug, Clone)]
pub(crate) struct RemainingLimit {
    pub step: Option<StepIndex>,
    pub by: Stop,
    /// Messages, or an amount of money.
    pub left: f64,
}

impl RemainingLimit {
    fn is_on(&self, group: &Group) -> bool {
        self.step.is_none_or(|step| step == group.step)
    }

    /// What a message of a group uses up of it.
    fn takes(&self, group: &Group) -> f64 {
        match self.by {
            Stop::Budget if self.is_on(group) => group.cost,
            Stop::MaxMessages if self.is_on(group) => 1.0,
            Stop::Budget | Stop::MaxMessages | Stop::End => 0.0,
        }
    }

    /// Whether the limit does not even allow the cheapest message.
    fn is_used_up(&self, groups: &[Group]) -> bool {
        let takes = groups.iter().map(|group| self.takes(group)).filter(|takes| *takes > 0.0);
        takes.min_by(f64::total_cmp).is_some_and(|least| self.left < least * ALMOST)
    }
}

/// The load of a lane: one of the campaign's lanes, or another one of the same account or portfolio.
#[derive(Debug, Clone)]
pub(crate) struct LaneLoad {
    pub lane: String,
    /// Messages a second.
    pub rate: f64,
    pub account: Option<usize>,
    pub portfolio: Option<usize>,
    /// How many other campaigns use the lane.
    pub campaigns: f64,
    /// How many messages of them wait.
    pub others: f64,
    /// Messages of other campaigns that become due later, earliest first.
    pub coming: VecDeque<Coming>,
}

/// Messages of other campaigns that are not due yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Coming {
    pub from: Timestamp,
    pub messages: f64,
    /// Whether they add a campaign to those that share the lane.
    pub adds: bool,
}

impl LaneLoad {
    /// How many campaigns share the lane, this one included.
    fn sharing(&self) -> f64 {
        if self.others > 0.0 { 1.0 + self.campaigns.max(1.0) } else { 1.0 }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub name: String,
    pub rate: f64,
}

#[derive(Debug, Clone)]
pub(crate) struct Portfolio {
    pub name: String,
    pub most: u32,
    pub free: f64,
    /// How many of this campaign's recipients need no slot: they hold one, or have an open window.
    pub need_no_slot: f64,
    /// When used slots become free, earliest first.
    pub coming: VecDeque<(Timestamp, f64)>,
    /// How long a recipient uses a slot.
    pub held: Span,
    /// The slots used each day: by this campaign, and by others.
    pub days: BTreeMap<NaiveDate, (f64, f64)>,
}

/// The input of a forecast.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outlook {
    pub groups: Vec<Group>,
    pub loads: Vec<LaneLoad>,
    pub accounts: Vec<Account>,
    pub portfolios: Vec<Portfolio>,
    pub caps: Vec<RemainingLimit>,
    /// The zone that days are counted in.
    pub zone: Option<Zone>,
}

/// The most work of a forecast: a group in a stretch is 1. A campaign with more has no forecast.
const WORK: u32 = 10_000_000;
/// The work of finding the next change of a group's hours.
const HOURS: u32 = 20;

/// The work that is left for a forecast.
struct Work(u32);

impl Work {
    /// `None` if too little is left.
    fn take(&mut self, work: u32) -> Option<()> {
        self.0 = self.0.checked_sub(work)?;
        Some(())
    }
}

/// How far ahead stretches are computed. From then on each week is like the weeks before.
const HORIZON: Span = Span::from_secs(35 * 86_400);
/// The weeks from which the rest is extrapolated.
const WEEKS: Span = Span::from_secs(28 * 86_400);
/// The longest forecast, in seconds.
const YEARS: f64 = 20.0 * 365.0 * 86_400.0;
/// The longest stretch, in seconds. It is limited, because slots become free one by one.
const LONGEST: f64 = 3_600.0;
/// Fewer recipients than this count as none.
const NEGLIGIBLE: f64 = 0.001;
/// This much of a message counts as one, because fractions are added up.
const ALMOST: f64 = 0.999;

impl Outlook {
    /// Computes the forecast; `None` if the campaign would never be done.
    pub(crate) fn forecast(mut self, begins: Timestamp) -> Option<Forecast> {
        let mut at = begins;
        let mut delays: BTreeMap<Bottleneck, f64> = BTreeMap::new();
        let mut stopped: BTreeMap<Stop, f64> = BTreeMap::new();
        let mut weeks_before = None;
        let mut work = Work(WORK);
        loop {
            work.take(1)?;
            self.leave_behind(at, &mut stopped);
            if at.since(begins) >= HORIZON {
                at = self.rest(at, weeks_before.as_deref()?, &mut stopped)?;
            }
            if self.groups.is_empty() {
                let longest = delays.into_iter().max_by(|one, other| one.1.total_cmp(&other.1));
                let bottleneck = longest.map(|(bottleneck, _)| bottleneck);
                let until = self.day(at);
                let bookings = self.portfolios.iter().map(|portfolio| portfolio.booking(until)).collect();
                let left_behind = stopped.into_iter().map(|(by, messages)| NotSent { messages: round(messages), by });
                let left_behind = left_behind.filter(|left| left.messages > 0).collect();
                return Some(Forecast { done_at: at, bottleneck, left_behind, bookings });
            }
            if weeks_before.is_none() && at + WEEKS >= begins + HORIZON {
                weeks_before = Some(self.of_lanes());
            }
            let (seconds, bottleneck) = self.stretch(at, &mut work)?;
            *delays.entry(bottleneck).or_default() += seconds;
            at = at + millis(seconds);
        }
    }

    /// How many recipients wait on each lane, whether or not they may be sent to now.
    fn of_lanes(&self) -> Vec<f64> {
        let mut recipients = vec![0.0; self.loads.len()];
        self.groups.iter().for_each(|group| recipients[group.lane] += group.recipients);
        recipients
    }

    /// When the rest will be sent if each lane continues as in the weeks before. `None` if a lane sent nothing.
    fn rest(&mut self, at: Timestamp, before: &[f64], stopped: &mut BTreeMap<Stop, f64>) -> Option<Timestamp> {
        let now = self.of_lanes();
        for cap in &self.caps {
            let wanted: f64 = self.groups.iter().map(|group| cap.takes(group) * group.recipients).sum();
            if wanted <= cap.left {
                continue;
            }
            for group in self.groups.iter_mut().filter(|group| cap.takes(group) > 0.0) {
                let stays = group.recipients * (1.0 - cap.left / wanted);
                group.recipients -= stays;
                *stopped.entry(cap.by).or_default() += stays;
            }
        }
        let mut done_at = at;
        for (lane, recipients) in
            self.of_lanes().into_iter().enumerate().filter(|(_, recipients)| *recipients > NEGLIGIBLE)
        {
            let weeks = recipients / (before[lane] - now[lane]).max(0.0);
            let lasts = weeks * WEEKS.std().as_secs_f64();
            if lasts > YEARS {
                return None;
            }
            let ends = self.groups.iter().filter(|group| group.lane == lane).find_map(|group| group.ends);
            let whole = at + millis(lasts);
            let until = ends.map_or(whole, |ends| ends.min(whole));
            *stopped.entry(Stop::End).or_default() += recipients * (1.0 - share(until.since(at), lasts));
            done_at = done_at.max(until);
        }
        self.groups.clear();
        Some(done_at)
    }

    /// The day on the campaign's clock.
    fn day(&self, at: Timestamp) -> NaiveDate {
        local(at, self.zone.unwrap_or(Zone(chrono_tz::Tz::UTC))).date()
    }

    /// Removes groups that are sent, and groups that may not be sent any more.
    fn leave_behind(&mut self, at: Timestamp, stopped: &mut BTreeMap<Stop, f64>) {
        self.groups.retain(|group| group.recipients > NEGLIGIBLE);
        // A used-up limit stops all of its groups as soon as it stops the first one.
        let used_up: Vec<&RemainingLimit> = self.caps.iter().filter(|cap| cap.is_used_up(&self.groups)).collect();
        self.groups.retain(|group| {
            let cap = || used_up.iter().find(|cap| cap.is_on(group)).map(|cap| cap.by);
            let is_over = group.ends.is_some_and(|ends| at >= ends);
            let Some(by) = is_over.then_some(Stop::End).or_else(cap) else { return true };
            *stopped.entry(by).or_default() += group.recipients;
            false
        });
    }

    /// Adds the slots that have become free by then, and the messages of other campaigns that have come.
    fn arrive(&mut self, at: Timestamp) {
        for portfolio in &mut self.portfolios {
            while portfolio.coming.front().is_some_and(|(free_at, _)| *free_at <= at) {
                portfolio.free += portfolio.coming.pop_front().map_or(0.0, |(_, recipients)| recipients);
            }
        }
        for load in &mut self.loads {
            while let Some(coming) = load.coming.front().copied().filter(|coming| coming.from <= at) {
                load.coming.pop_front();
                load.others += coming.messages;
                load.campaigns += if coming.adds { 1.0 } else { 0.0 };
            }
        }
    }

    /// Computes one stretch, in which nothing changes. Returns its length and what limits it.
    fn stretch(&mut self, at: Timestamp, work: &mut Work) -> Option<(f64, Bottleneck)> {
        self.arrive(at);
        let stays = self.groups.iter_mut().map(|group| group.is_open(at, work)).collect::<Option<Vec<_>>>()?;
        let mut waiting = vec![0.0; self.loads.len()];
        for (group, _) in self.groups.iter().zip(&stays).filter(|(_, (open, _))| *open) {
            waiting[group.lane] += group.recipients;
        }
        let mut throughputs: Vec<Throughput> =
            (0..self.loads.len()).map(|lane| self.throughput(lane, &waiting)).collect();
        let rates = self.rates(&stays, &waiting, &mut throughputs);
        let mut seconds = LONGEST;
        let mut until = |at_most: f64| seconds = seconds.min(at_most.max(0.001));
        let in_seconds = |then: Timestamp| then.since(at).std().as_secs_f64();
        stays.iter().for_each(|(_, change)| until(in_seconds(*change)));
        self.groups.iter().filter_map(|group| group.ends).for_each(|ends| until(in_seconds(ends)));
        for (group, rate) in self.groups.iter().zip(&rates).filter(|(_, rate)| **rate > 0.0) {
            until(group.recipients / rate);
        }
        for cap in &self.caps {
            let taken: f64 = self.groups.iter().zip(&rates).map(|(group, rate)| cap.takes(group) * rate).sum();
            if taken > 0.0 {
                until(cap.left / taken);
            }
        }
        let (mut taken, mut passing) = (vec![0.0; self.portfolios.len()], vec![0.0; self.portfolios.len()]);
        for (load, Throughput { ours, theirs, .. }) in self.loads.iter().zip(&throughputs) {
            if *theirs > 0.0 {
                until(load.others / theirs);
            }
            load.coming.front().into_iter().for_each(|coming| until(in_seconds(coming.from)));
            if let Some(portfolio) = load.portfolio {
                let pass = self.portfolios[portfolio].need_no_slot > NEGLIGIBLE;
                passing[portfolio] += if pass { *ours } else { 0.0 };
                taken[portfolio] += if pass { *theirs } else { ours + theirs };
            }
        }
        for ((portfolio, taken), passing) in self.portfolios.iter().zip(&taken).zip(&passing) {
            if *taken > 0.0 {
                until(portfolio.free / taken);
            }
            if *passing > 0.0 {
                until(portfolio.need_no_slot / passing);
            }
            portfolio.coming.front().into_iter().for_each(|(free_at, _)| until(in_seconds(*free_at)));
        }
        // The slowest lane is the limit.
        let needs = |lane: &usize| waiting[*lane] / throughputs[*lane].ours.max(1e-9);
        let slowest = (0..self.loads.len())
            .filter(|lane| waiting[*lane] > 0.0)
            .max_by(|one, other| needs(one).total_cmp(&needs(other)));
        let closed = || self.groups.first().map_or(Bottleneck::Hours, |group| group.closed_by(at));
        let bottleneck = slowest.map_or_else(closed, |lane| throughputs[lane].because.clone());
        self.pass(at, seconds, &rates, &throughputs);
        Some((seconds, bottleneck))
    }

    /// How many recipients of each group are sent to a second: the group's share of its lane, limited by its spread. A
    /// lane does not use the rest.
    fn rates(&self, stays: &[(bool, Timestamp)], waiting: &[f64], throughputs: &mut [Throughput]) -> Vec<f64> {
        let mut rates = vec![0.0; self.groups.len()];
        let mut of_lanes = vec![0.0; self.loads.len()];
        for ((group, (open, _)), rate) in self.groups.iter().zip(stays).zip(&mut rates) {
            if *open {
                let part = throughputs[group.lane].ours * group.recipients / waiting[group.lane];
                *rate = part.min(group.spread);
                of_lanes[group.lane] += *rate;
            }
        }
        for (throughput, ours) in throughputs.iter_mut().zip(of_lanes) {
            if ours < throughput.ours * ALMOST {
                throughput.because = Bottleneck::Over;
            }
            throughput.ours = ours;
        }
        rates
    }

    /// The throughput of a lane, and what limits this campaign on it.
    fn throughput(&self, lane: usize, waiting: &[f64]) -> Throughput {
        let load = &self.loads[lane];
        let portfolio = load.portfolio.map(|portfolio| &self.portfolios[portfolio]);
        let is_spent = portfolio.is_some_and(|portfolio| portfolio.free < 1.0);
        if let Some(portfolio) = portfolio.filter(|portfolio| is_spent && portfolio.need_no_slot <= NEGLIGIBLE) {
            return Throughput {
                ours: 0.0,
                theirs: 0.0,
                because: Bottleneck::Tier { portfolio: portfolio.name.clone() },
            };
        }
        let (mut rate, mut because) = (load.rate, Bottleneck::Rate { lane: load.lane.clone() });
        if let Some(account) = load.account {
            let busy = |(other, recipients): (&LaneLoad, &f64)| {
                other.account == Some(account) && (*recipients > 0.0 || other.others > 0.0)
            };
            let sharing: f64 =
                self.loads.iter().zip(waiting).filter(|pair| busy(*pair)).map(|(other, _)| other.rate).sum();
            let Account { name, rate: of_all } = &self.accounts[account];
            if sharing > *of_all {
                rate = load.rate * of_all / sharing;
                because = Bottleneck::Account { account: name.clone() };
            }
        }
        if waiting[lane] <= 0.0 {
            let theirs = if load.others > 0.0 && !is_spent { rate } else { 0.0 };
            return Throughput { ours: 0.0, theirs, because };
        }
        if is_spent {
            // Messages of other campaigns that need a slot do not compete for the rate.
            return Throughput { ours: rate, theirs: 0.0, because };
        }
        let ours = rate / load.sharing();
        if load.others > 0.0 {
            because = Bottleneck::Others { lane: load.lane.clone() };
        }
        Throughput { ours, theirs: rate - ours, because }
    }

    /// Applies a stretch of this length and throughput.
    fn pass(&mut self, at: Timestamp, seconds: f64, rates: &[f64], throughputs: &[Throughput]) {
        let day = self.day(at);
        for (group, rate) in self.groups.iter_mut().zip(rates).filter(|(_, rate)| **rate > 0.0) {
            let sent = rate * seconds;
            group.recipients -= sent;
            for cap in &mut self.caps {
                cap.left -= sent * cap.takes(group);
            }
        }
        for (load, Throughput { ours, theirs, .. }) in self.loads.iter_mut().zip(throughputs) {
            if let Some(portfolio) = load.portfolio.map(|portfolio| &mut self.portfolios[portfolio]) {
                portfolio.take(ours * seconds, theirs * seconds, (day, at + millis(seconds)));
            }
            load.others = (load.others - theirs * seconds).max(0.0);
        }
    }
}

/// The throughput of a lane for this campaign and for others, a second, and what limits this campaign.
#[derive(Debug)]
struct Throughput {
    ours: f64,
    theirs: f64,
    because: Bottleneck,
}

impl Portfolio {
    /// Counts the submissions of a stretch, by this campaign and by others. Some of this campaign's need no slot.
    fn take(&mut self, ours: f64, theirs: f64, (day, at): (NaiveDate, Timestamp)) {
        let ours = if self.need_no_slot > NEGLIGIBLE {
            self.need_no_slot -= ours;
            0.0
        } else {
            ours
        };
        if ours + theirs > 0.0 {
            self.free -= ours + theirs;
            self.coming.push_back((at + self.held, ours + theirs));
            let (mine, others) = self.days.entry(day).or_default();
            *mine += ours;
            *others += theirs;
        }
    }

    fn booking(&self, until: NaiveDate) -> Booking {
        let days = self.days.iter().map(|(day, (ours, others))| BookedDay {
            day: *day,
            recipients: round(*ours),
            others: round(*others),
        });
        let days = days.filter(|day| day.recipients > 0).collect();
        Booking { portfolio: self.name.clone(), recipients_per_day: self.most, days, until }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of recipients")]
fn round(recipients: f64) -> u64 {
    recipients.round() as u64
}

/// The share of `seconds` that a span covers.
fn share(span: Span, seconds: f64) -> f64 {
    if seconds > 0.0 { (span.std().as_secs_f64() / seconds).min(1.0) } else { 1.0 }
}

#[expect(clippy::cast_possible_truncation, reason = "no longer than years")]
fn millis(seconds: f64) -> Span {
    Span::from_millis((seconds * 1_000.0).ceil() as i64)
}
