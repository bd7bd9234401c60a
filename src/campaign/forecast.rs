//! Forecast: when everybody's first message will have left, by arithmetic over what holds it up: rates, tiers, hours, and
//! whoever else is on the same lanes.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use chrono::NaiveDate;
use serde::Serialize;

use crate::domain::{Hours, Span, StepIndex, Timestamp, Zone, local};

/// What holds a campaign up, for the most part of its time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bottleneck {
    Rate {
        lane: String,
    },
    Account {
        account: String,
    },
    Tier {
        portfolio: String,
    },
    /// Other campaigns on the same lane.
    Others {
        lane: String,
    },
    /// What may leave at no other hours.
    Hours,
    /// It begins when the clock of each recipient says so.
    Clocks,
    /// It was to be spread over a time.
    Over,
}

impl fmt::Display for Bottleneck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate { lane } => write!(f, "the rate of lane {lane}"),
            Self::Account { account } => write!(f, "the rate of account {account}"),
            Self::Tier { portfolio } => write!(f, "the tier of portfolio {portfolio}"),
            Self::Others { lane } => write!(f, "other campaigns on lane {lane}"),
            Self::Hours => f.write_str("the hours at which it may leave"),
            Self::Clocks => f.write_str("that it begins by each recipient's own clock"),
            Self::Over => f.write_str("that it is spread"),
        }
    }
}

/// What stops a campaign although somebody's first message has not left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    End,
    MaxMessages,
    Budget,
}

/// So many that do not leave, and what stops them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LeftBehind {
    pub messages: u64,
    pub by: Stop,
}

/// When it will be done, and what decides that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// When the last of what leaves has left.
    pub done_at: Timestamp,
    /// Who does not.
    pub left_behind: Vec<LeftBehind>,
    /// Nothing where it is a matter of no time.
    pub bottleneck: Option<Bottleneck>,
    /// Of each portfolio that it takes places of, what it takes from day to day.
    pub bookings: Vec<Booking>,
}

/// The places that a campaign takes in a portfolio's tier, and what others take beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Booking {
    pub portfolio: String,
    /// People a day.
    pub tier: u32,
    pub days: Vec<BookedDay>,
}

/// People who are written to on a day by the campaign's clock, as things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BookedDay {
    pub day: NaiveDate,
    pub people: u64,
    pub others: u64,
}

/// People who begin alike.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub step: StepIndex,
    pub lane: usize,
    pub people: f64,
    /// So many of them a second at most, where they are spread over a time.
    pub spread: f64,
    /// What a message to one of them costs.
    pub cost: f64,
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
pub(super) struct Cap {
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
pub(super) struct Road {
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
pub(super) struct Coming {
    pub from: Timestamp,
    pub messages: f64,
    /// How many campaigns they add to those that there are.
    pub campaigns: f64,
}

impl Road {
    /// How many campaigns it has, this one included.
    fn sharing(&self) -> f64 {
        if self.others > 0.0 { 1.0 + self.campaigns } else { 1.0 }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Account {
    pub name: String,
    pub rate: f64,
}

#[derive(Debug, Clone)]
pub(super) struct Portfolio {
    pub name: String,
    pub most: u32,
    pub free: f64,
    /// When taken places come free, earliest first.
    pub coming: VecDeque<(Timestamp, f64)>,
    /// For how long somebody takes one.
    pub held: Span,
    /// What is taken of it each day: by us, and by others.
    pub days: BTreeMap<NaiveDate, (f64, f64)>,
}

/// All that a forecast is made of.
#[derive(Debug, Clone, Default)]
pub(super) struct Outlook {
    pub groups: Vec<Group>,
    pub roads: Vec<Road>,
    pub accounts: Vec<Account>,
    pub portfolios: Vec<Portfolio>,
    pub caps: Vec<Cap>,
    /// Nobody's first message leaves from then on.
    pub end: Option<Timestamp>,
    /// By whose clock a day is one.
    pub zone: Option<Zone>,
}

/// Stretches of even pace that are gone through: what takes more of them takes years.
const STRETCHES: u32 = 200_000;
/// The longest of them, since places come free one by one.
const LONGEST: f64 = 3_600.0;
/// Fewer than this is nobody.
const NOBODY: f64 = 0.001;
/// So much of a message is one, where fractions were added up.
const ALMOST: f64 = 0.999;

impl Outlook {
    /// Nothing where it would never be done.
    pub(super) fn forecast(mut self, begins: Timestamp) -> Option<Forecast> {
        let mut at = begins;
        let mut held_up: BTreeMap<Bottleneck, f64> = BTreeMap::new();
        let mut stopped: BTreeMap<Stop, f64> = BTreeMap::new();
        for _ in 0..STRETCHES {
            self.leave_behind(at, &mut stopped);
            if self.groups.is_empty() {
                let longest = held_up.into_iter().max_by(|one, other| one.1.total_cmp(&other.1));
                let bottleneck = longest.map(|(bottleneck, _)| bottleneck);
                let bookings = self.portfolios.iter().map(Portfolio::booking).collect();
                let left_behind =
                    stopped.into_iter().map(|(by, messages)| LeftBehind { messages: round(messages), by });
                let left_behind = left_behind.filter(|left| left.messages > 0).collect();
                return Some(Forecast { done_at: at, bottleneck, left_behind, bookings });
            }
            let (seconds, bottleneck) = self.stretch(at)?;
            *held_up.entry(bottleneck).or_default() += seconds;
            at = at + millis(seconds);
        }
        None
    }

    /// Who has left by now is out of it, and so is whoever may not any more.
    fn leave_behind(&mut self, at: Timestamp, stopped: &mut BTreeMap<Stop, f64>) {
        self.groups.retain(|group| group.people > NOBODY);
        let is_over = self.end.is_some_and(|end| at >= end);
        // It stops everybody whom it is about, with the first who may not leave.
        let used_up: Vec<&Cap> = self.caps.iter().filter(|cap| cap.is_used_up(&self.groups)).collect();
        self.groups.retain(|group| {
            let cap = || used_up.iter().find(|cap| cap.is_on(group)).map(|cap| cap.by);
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
                road.campaigns += coming.campaigns;
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
        self.end.into_iter().for_each(|end| until(in_seconds(end)));
        for (group, pace) in self.groups.iter().zip(&leaves).filter(|(_, pace)| **pace > 0.0) {
            until(group.people / pace);
        }
        for cap in &self.caps {
            let taken: f64 = self.groups.iter().zip(&leaves).map(|(group, pace)| cap.takes(group) * pace).sum();
            if taken > 0.0 {
                until(cap.left / taken);
            }
        }
        let mut taken = vec![0.0; self.portfolios.len()];
        for (road, Pace { ours, theirs, .. }) in self.roads.iter().zip(&paces) {
            if *theirs > 0.0 {
                until(road.others / theirs);
            }
            road.coming.front().into_iter().for_each(|coming| until(in_seconds(coming.from)));
            if let Some(portfolio) = road.portfolio {
                taken[portfolio] += ours + theirs;
            }
        }
        for (portfolio, pace) in self.portfolios.iter().zip(&taken) {
            if *pace > 0.0 && portfolio.free.is_finite() {
                until(portfolio.free / pace);
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
        if let Some(portfolio) = road.portfolio.map(|portfolio| &self.portfolios[portfolio])
            && portfolio.free < 1.0
        {
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
            return Pace { ours: 0.0, theirs: if road.others > 0.0 { rate } else { 0.0 }, because };
        }
        let ours = rate / road.sharing();
        if road.others > 0.0 {
            because = Bottleneck::Others { lane: road.lane.clone() };
        }
        Pace { ours, theirs: rate - ours, because }
    }

    /// So long at this pace.
    fn pass(&mut self, at: Timestamp, seconds: f64, leaves: &[f64], paces: &[Pace]) {
        let day = local(at, self.zone.unwrap_or(Zone(chrono_tz::Tz::UTC))).date();
        for (group, pace) in self.groups.iter_mut().zip(leaves).filter(|(_, pace)| **pace > 0.0) {
            let left = pace * seconds;
            group.people -= left;
            for cap in &mut self.caps {
                cap.left -= left * cap.takes(group);
            }
        }
        for (road, Pace { ours, theirs, .. }) in self.roads.iter_mut().zip(paces) {
            let (our_places, places) = (ours * seconds, (ours + theirs) * seconds);
            if let Some(portfolio) = road.portfolio.map(|portfolio| &mut self.portfolios[portfolio])
                && portfolio.free.is_finite()
                && places > 0.0
            {
                portfolio.free -= places;
                portfolio.coming.push_back((at + millis(seconds) + portfolio.held, places));
                let (mine, others) = portfolio.days.entry(day).or_default();
                *mine += our_places;
                *others += places - our_places;
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
    fn booking(&self) -> Booking {
        let days = self.days.iter().map(|(day, (ours, others))| BookedDay {
            day: *day,
            people: round(*ours),
            others: round(*others),
        });
        Booking { portfolio: self.name.clone(), tier: self.most, days: days.filter(|day| day.people > 0).collect() }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of people")]
fn round(people: f64) -> u64 {
    people.round() as u64
}

#[expect(clippy::cast_possible_truncation, reason = "a stretch is an hour at most")]
fn millis(seconds: f64) -> Span {
    Span::from_millis((seconds * 1_000.0).ceil() as i64)
}

#[cfg(test)]
mod tests;
