//! The course of a campaign, gone through in stretches of even pace.

use std::collections::{BTreeMap, VecDeque};

use chrono::NaiveDate;

use super::{BookedDay, Booking, Bottleneck, Forecast, LeftBehind, Stop};
use crate::domain::{Hours, Span, StepIndex, Timestamp, Zone, local};

/// People who begin alike.
#[derive(Debug, Clone)]
pub(in crate::campaign) struct Group {
    pub step: StepIndex,
    pub lane: usize,
    pub people: f64,
    /// So many of them a second at most, where they are spread over a time.
    pub spread: f64,
    /// What a message to one of them costs.
    pub cost: f64,
    /// From when on nobody of them leaves any more.
    pub ends: Option<Timestamp>,
    pub opens: Timestamp,
    pub zone: Zone,
    pub hours: Hours,
    /// Whether they are open, and until when that stays so, once it has been looked up.
    pub stays: Option<(bool, Timestamp)>,
}

impl Group {
    /// Whether something may leave, and until when that stays so. Nothing where it never may again.
    fn is_open(&mut self, at: Timestamp) -> Option<(bool, Timestamp)> {
        if let Some(known) = self.stays.filter(|(_, until)| at < *until) {
            return Some(known);
        }
        let stays = if self.opens <= at && self.hours.are_open(at, self.zone) {
            (true, self.hours.open_until(at, self.zone).unwrap_or(Timestamp::MAX))
        } else {
            (false, self.hours.open_from(at.max(self.opens), self.zone)?)
        };
        self.stays = Some(stays);
        Some(stays)
    }

    /// What keeps them from leaving while they are closed.
    fn closed_by(&self, at: Timestamp) -> Bottleneck {
        match self.hours.begins(self.zone) {
            Some(begins) if at < begins => Bottleneck::Clocks,
            Some(_) | None => Bottleneck::Hours,
        }
    }
}

/// How much may still leave of a step, or of the whole campaign.
#[derive(Debug, Clone)]
pub(in crate::campaign) struct Cap {
    pub step: Option<StepIndex>,
    pub by: Stop,
    /// Messages, or money.
    pub left: f64,
}

impl Cap {
    fn is_on(&self, group: &Group) -> bool {
        self.step.is_none_or(|step| step == group.step)
    }

    /// What a message of a group takes of it.
    fn takes(&self, group: &Group) -> f64 {
        match self.by {
            Stop::Budget if self.is_on(group) => group.cost,
            Stop::MaxMessages if self.is_on(group) => 1.0,
            Stop::Budget | Stop::MaxMessages | Stop::End => 0.0,
        }
    }

    /// Whether not even the cheapest message may leave any more.
    fn is_used_up(&self, groups: &[Group]) -> bool {
        let takes = groups.iter().map(|group| self.takes(group)).filter(|takes| *takes > 0.0);
        takes.min_by(f64::total_cmp).is_some_and(|least| self.left < least * ALMOST)
    }
}

/// A lane: one of ours, or another that takes of the same account or portfolio.
#[derive(Debug, Clone)]
pub(in crate::campaign) struct Road {
    pub lane: String,
    /// A second.
    pub rate: f64,
    pub account: Option<usize>,
    pub portfolio: Option<usize>,
    /// How many campaigns it has besides, and how many messages of them wait.
    pub campaigns: f64,
    pub others: f64,
    /// What is still to come, earliest first.
    pub coming: VecDeque<Coming>,
}

/// Messages of other campaigns whose time has not come.
#[derive(Debug, Clone, Copy)]
pub(in crate::campaign) struct Coming {
    pub from: Timestamp,
    pub messages: f64,
    /// Whether they add a campaign to those that there are.
    pub adds: bool,
}

impl Road {
    /// How many campaigns it has, this one included.
    fn sharing(&self) -> f64 {
        if self.others > 0.0 { 1.0 + self.campaigns.max(1.0) } else { 1.0 }
    }
}

#[derive(Debug, Clone)]
pub(in crate::campaign) struct Account {
    pub name: String,
    pub rate: f64,
}

#[derive(Debug, Clone)]
pub(in crate::campaign) struct Portfolio {
    pub name: String,
    pub most: u32,
    pub free: f64,
    /// How many of ours take no place: they hold one, or wrote to us.
    pub passes: f64,
    /// When taken places come free, earliest first.
    pub coming: VecDeque<(Timestamp, f64)>,
    /// For how long somebody takes one.
    pub held: Span,
    /// What is taken of it each day: by us, and by others.
    pub days: BTreeMap<NaiveDate, (f64, f64)>,
}

/// All that a forecast is made of.
#[derive(Debug, Clone, Default)]
pub(in crate::campaign) struct Outlook {
    pub groups: Vec<Group>,
    pub roads: Vec<Road>,
    pub accounts: Vec<Account>,
    pub portfolios: Vec<Portfolio>,
    pub caps: Vec<Cap>,
    /// By whose clock a day is one.
    pub zone: Option<Zone>,
}

/// Stretches of even pace that are gone through; what takes more of them is beyond reckoning.
const STRETCHES: u32 = 100_000;
/// So far ahead it is gone through. From then on each week is like those before.
const HORIZON: Span = Span::from_secs(35 * 86_400);
const WEEKS: Span = Span::from_secs(28 * 86_400);
/// Nobody plans for longer, in seconds.
const YEARS: f64 = 20.0 * 365.0 * 86_400.0;
/// The longest of them, since places come free one by one.
const LONGEST: f64 = 3_600.0;
/// Fewer than this is nobody.
const NOBODY: f64 = 0.001;
/// So much of a message is one, where fractions were added up.
const ALMOST: f64 = 0.999;

impl Outlook {
    /// Nothing where it would never be done.
    pub(in crate::campaign) fn forecast(mut self, begins: Timestamp) -> Option<Forecast> {
        let mut at = begins;
        let mut held_up: BTreeMap<Bottleneck, f64> = BTreeMap::new();
        let mut stopped: BTreeMap<Stop, f64> = BTreeMap::new();
        let mut weeks_before = None;
        for _ in 0..STRETCHES {
            self.leave_behind(at, &mut stopped);
            if at.since(begins) >= HORIZON {
                at = self.rest(at, weeks_before.as_deref()?, &mut stopped)?;
            }
            if self.groups.is_empty() {
                let longest = held_up.into_iter().max_by(|one, other| one.1.total_cmp(&other.1));
                let bottleneck = longest.map(|(bottleneck, _)| bottleneck);
                let until = self.day(at);
                let bookings = self.portfolios.iter().map(|portfolio| portfolio.booking(until)).collect();
                let left_behind =
                    stopped.into_iter().map(|(by, messages)| LeftBehind { messages: round(messages), by });
                let left_behind = left_behind.filter(|left| left.messages > 0).collect();
                return Some(Forecast { done_at: at, bottleneck, left_behind, bookings });
            }
            if weeks_before.is_none() && at + WEEKS >= begins + HORIZON {
                weeks_before = Some(self.of_lanes());
            }
            let (seconds, bottleneck) = self.stretch(at)?;
            *held_up.entry(bottleneck).or_default() += seconds;
            at = at + millis(seconds);
        }
        None
    }

    /// How many people wait on each lane, whether or not they may leave now.
    fn of_lanes(&self) -> Vec<f64> {
        let mut people = vec![0.0; self.roads.len()];
        self.groups.iter().for_each(|group| people[group.lane] += group.people);
        people
    }

    /// When the rest will have left, should each lane go on as in the weeks before. Nothing where one stood still.
    fn rest(&mut self, at: Timestamp, before: &[f64], stopped: &mut BTreeMap<Stop, f64>) -> Option<Timestamp> {
        let now = self.of_lanes();
        for cap in &self.caps {
            let wanted: f64 = self.groups.iter().map(|group| cap.takes(group) * group.people).sum();
            if wanted <= cap.left {
                continue;
            }
            for group in self.groups.iter_mut().filter(|group| cap.takes(group) > 0.0) {
                let stays = group.people * (1.0 - cap.left / wanted);
                group.people -= stays;
                *stopped.entry(cap.by).or_default() += stays;
            }
        }
        let mut done_at = at;
        for (lane, people) in self.of_lanes().into_iter().enumerate().filter(|(_, people)| *people > NOBODY) {
            let weeks = people / (before[lane] - now[lane]).max(0.0);
            let lasts = weeks * WEEKS.std().as_secs_f64();
            if lasts > YEARS {
                return None;
            }
            let ends = self.groups.iter().filter(|group| group.lane == lane).find_map(|group| group.ends);
            let whole = at + millis(lasts);
            let until = ends.map_or(whole, |ends| ends.min(whole));
            *stopped.entry(Stop::End).or_default() += people * (1.0 - share(until.since(at), lasts));
            done_at = done_at.max(until);
        }
        self.groups.clear();
        Some(done_at)
    }

    /// The day by the campaign's clock.
    fn day(&self, at: Timestamp) -> NaiveDate {
        local(at, self.zone.unwrap_or(Zone(chrono_tz::Tz::UTC))).date()
    }

    /// Who has left by now is out of it, and so is whoever may not any more.
    fn leave_behind(&mut self, at: Timestamp, stopped: &mut BTreeMap<Stop, f64>) {
        self.groups.retain(|group| group.people > NOBODY);
        // It stops everybody whom it is about, with the first who may not leave.
        let used_up: Vec<&Cap> = self.caps.iter().filter(|cap| cap.is_used_up(&self.groups)).collect();
        self.groups.retain(|group| {
            let cap = || used_up.iter().find(|cap| cap.is_on(group)).map(|cap| cap.by);
            let is_over = group.ends.is_some_and(|ends| at >= ends);
            let Some(by) = is_over.then_some(Stop::End).or_else(cap) else { return true };
            *stopped.entry(by).or_default() += group.people;
            false
        });
    }

    /// Goes on for as long as nothing changes. Returns how long that is, and what holds it up meanwhile.
    fn stretch(&mut self, at: Timestamp) -> Option<(f64, Bottleneck)> {
        for portfolio in &mut self.portfolios {
            while portfolio.coming.front().is_some_and(|(free_at, _)| *free_at <= at) {
                portfolio.free += portfolio.coming.pop_front().map_or(0.0, |(_, people)| people);
            }
        }
        for road in &mut self.roads {
            while let Some(coming) = road.coming.front().copied().filter(|coming| coming.from <= at) {
                road.coming.pop_front();
                road.others += coming.messages;
                road.campaigns += if coming.adds { 1.0 } else { 0.0 };
            }
        }
        let stays = self.groups.iter_mut().map(|group| group.is_open(at)).collect::<Option<Vec<_>>>()?;
        let mut waiting = vec![0.0; self.roads.len()];
        for (group, _) in self.groups.iter().zip(&stays).filter(|(_, (open, _))| *open) {
            waiting[group.lane] += group.people;
        }
        let mut paces: Vec<Pace> = (0..self.roads.len()).map(|lane| self.pace(lane, &waiting)).collect();
        let leaves = self.leaves(&stays, &waiting, &mut paces);
        let mut seconds = LONGEST;
        let mut until = |at_most: f64| seconds = seconds.min(at_most.max(0.001));
        let in_seconds = |then: Timestamp| then.since(at).std().as_secs_f64();
        stays.iter().for_each(|(_, change)| until(in_seconds(*change)));
        self.groups.iter().filter_map(|group| group.ends).for_each(|ends| until(in_seconds(ends)));
        for (group, pace) in self.groups.iter().zip(&leaves).filter(|(_, pace)| **pace > 0.0) {
            until(group.people / pace);
        }
        for cap in &self.caps {
            let taken: f64 = self.groups.iter().zip(&leaves).map(|(group, pace)| cap.takes(group) * pace).sum();
            if taken > 0.0 {
                until(cap.left / taken);
            }
        }
        let (mut taken, mut passing) = (vec![0.0; self.portfolios.len()], vec![0.0; self.portfolios.len()]);
        for (road, Pace { ours, theirs, .. }) in self.roads.iter().zip(&paces) {
            if *theirs > 0.0 {
                until(road.others / theirs);
            }
            road.coming.front().into_iter().for_each(|coming| until(in_seconds(coming.from)));
            if let Some(portfolio) = road.portfolio {
                let pass = self.portfolios[portfolio].passes > NOBODY;
                passing[portfolio] += if pass { *ours } else { 0.0 };
                taken[portfolio] += if pass { *theirs } else { ours + theirs };
            }
        }
        for ((portfolio, taken), passing) in self.portfolios.iter().zip(&taken).zip(&passing) {
            if *taken > 0.0 {
                until(portfolio.free / taken);
            }
            if *passing > 0.0 {
                until(portfolio.passes / passing);
            }
            portfolio.coming.front().into_iter().for_each(|(free_at, _)| until(in_seconds(*free_at)));
        }
        // Whoever needs longest decides.
        let needs = |lane: &usize| waiting[*lane] / paces[*lane].ours.max(1e-9);
        let slowest = (0..self.roads.len())
            .filter(|lane| waiting[*lane] > 0.0)
            .max_by(|one, other| needs(one).total_cmp(&needs(other)));
        let closed = || self.groups.first().map_or(Bottleneck::Hours, |group| group.closed_by(at));
        let bottleneck = slowest.map_or_else(closed, |lane| paces[lane].because.clone());
        self.pass(at, seconds, &leaves, &paces);
        Some((seconds, bottleneck))
    }

    /// How many of each group leave a second: their part of what the lane does, and no more than they are spread to. A
    /// lane has no use for what they do not take.
    fn leaves(&self, stays: &[(bool, Timestamp)], waiting: &[f64], paces: &mut [Pace]) -> Vec<f64> {
        let mut leaves = vec![0.0; self.groups.len()];
        let mut of_lanes = vec![0.0; self.roads.len()];
        for ((group, (open, _)), leaves) in self.groups.iter().zip(stays).zip(&mut leaves) {
            if *open {
                let part = paces[group.lane].ours * group.people / waiting[group.lane];
                *leaves = part.min(group.spread);
                of_lanes[group.lane] += *leaves;
            }
        }
        for (pace, ours) in paces.iter_mut().zip(of_lanes) {
            if ours < pace.ours * ALMOST {
                pace.because = Bottleneck::Over;
            }
            pace.ours = ours;
        }
        leaves
    }

    /// How fast a lane goes, and why no faster for us.
    fn pace(&self, lane: usize, waiting: &[f64]) -> Pace {
        let road = &self.roads[lane];
        let portfolio = road.portfolio.map(|portfolio| &self.portfolios[portfolio]);
        let is_spent = portfolio.is_some_and(|portfolio| portfolio.free < 1.0);
        if let Some(portfolio) = portfolio.filter(|portfolio| is_spent && portfolio.passes <= NOBODY) {
            return Pace { ours: 0.0, theirs: 0.0, because: Bottleneck::Tier { portfolio: portfolio.name.clone() } };
        }
        let (mut rate, mut because) = (road.rate, Bottleneck::Rate { lane: road.lane.clone() });
        if let Some(account) = road.account {
            let busy = |(other, people): (&Road, &f64)| {
                other.account == Some(account) && (*people > 0.0 || other.others > 0.0)
            };
            let sharing: f64 =
                self.roads.iter().zip(waiting).filter(|pair| busy(*pair)).map(|(other, _)| other.rate).sum();
            let Account { name, rate: of_all } = &self.accounts[account];
            if sharing > *of_all {
                rate = road.rate * of_all / sharing;
                because = Bottleneck::Account { account: name.clone() };
            }
        }
        if waiting[lane] <= 0.0 {
            let theirs = if road.others > 0.0 && !is_spent { rate } else { 0.0 };
            return Pace { ours: 0.0, theirs, because };
        }
        if is_spent {
            // Whoever of the others would need a place is in nobody's way.
            return Pace { ours: rate, theirs: 0.0, because };
        }
        let ours = rate / road.sharing();
        if road.others > 0.0 {
            because = Bottleneck::Others { lane: road.lane.clone() };
        }
        Pace { ours, theirs: rate - ours, because }
    }

    /// So long at this pace.
    fn pass(&mut self, at: Timestamp, seconds: f64, leaves: &[f64], paces: &[Pace]) {
        let day = self.day(at);
        for (group, pace) in self.groups.iter_mut().zip(leaves).filter(|(_, pace)| **pace > 0.0) {
            let left = pace * seconds;
            group.people -= left;
            for cap in &mut self.caps {
                cap.left -= left * cap.takes(group);
            }
        }
        for (road, Pace { ours, theirs, .. }) in self.roads.iter_mut().zip(paces) {
            if let Some(portfolio) = road.portfolio.map(|portfolio| &mut self.portfolios[portfolio]) {
                portfolio.take(ours * seconds, theirs * seconds, (day, at + millis(seconds)));
            }
            road.others = (road.others - theirs * seconds).max(0.0);
        }
    }
}

/// How fast a lane goes: for us, for others, and why it is no faster for us.
#[derive(Debug)]
struct Pace {
    ours: f64,
    theirs: f64,
    because: Bottleneck,
}

impl Portfolio {
    /// Hand-overs of ours and of others by the end of a stretch, of which some take no places.
    fn take(&mut self, ours: f64, theirs: f64, (day, at): (NaiveDate, Timestamp)) {
        let ours = if self.passes > NOBODY {
            self.passes -= ours;
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
            people: round(*ours),
            others: round(*others),
        });
        let days = days.filter(|day| day.people > 0).collect();
        Booking { portfolio: self.name.clone(), tier: self.most, days, until }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of people")]
fn round(people: f64) -> u64 {
    people.round() as u64
}

/// Which part of so many seconds a span is.
fn share(span: Span, seconds: f64) -> f64 {
    if seconds > 0.0 { (span.std().as_secs_f64() / seconds).min(1.0) } else { 1.0 }
}

#[expect(clippy::cast_possible_truncation, reason = "no longer than years")]
fn millis(seconds: f64) -> Span {
    Span::from_millis((seconds * 1_000.0).ceil() as i64)
}
