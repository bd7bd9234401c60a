//! Forecast: when everybody's first message will have left, by arithmetic over what holds it up: rates, tiers, hours, and
//! whoever else is on the same lanes.

use std::collections::{BTreeMap, VecDeque};

use chrono::NaiveDate;
use serde::Serialize;

use crate::domain::{Hours, Span, Timestamp, Zone, local};

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
    /// It was to be spread over a time.
    Over,
}

/// When it will be done, and what decides that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    pub done_at: Timestamp,
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
    pub lane: usize,
    pub people: f64,
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
    /// Campaigns whose time is still to come: from when, and how many messages, earliest first.
    pub coming: VecDeque<(Timestamp, f64)>,
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
    pub over: Option<Span>,
    /// By whose clock a day is one.
    pub zone: Option<Zone>,
}

/// Stretches of even pace that are gone through: what takes more of them takes years.
const STRETCHES: u32 = 200_000;
/// The longest of them, since places come free one by one.
const LONGEST: f64 = 3_600.0;
/// Fewer than this is nobody.
const NOBODY: f64 = 0.001;

impl Outlook {
    /// Nothing where it would never be done.
    pub(super) fn forecast(mut self, begins: Timestamp) -> Option<Forecast> {
        let everybody: f64 = self.groups.iter().map(|group| group.people).sum();
        let most = self.over.map_or(f64::INFINITY, |over| everybody / over.std().as_secs_f64());
        let mut at = begins;
        let mut held_up: BTreeMap<Bottleneck, f64> = BTreeMap::new();
        for _ in 0..STRETCHES {
            self.groups.retain(|group| group.people > NOBODY);
            if self.groups.is_empty() {
                let longest = held_up.into_iter().max_by(|one, other| one.1.total_cmp(&other.1));
                let bottleneck = longest.map(|(bottleneck, _)| bottleneck);
                let bookings = self.portfolios.iter().map(Portfolio::booking).collect();
                return Some(Forecast { done_at: at, bottleneck, bookings });
            }
            let (seconds, bottleneck) = self.stretch(at, most)?;
            *held_up.entry(bottleneck).or_default() += seconds;
            at = at + millis(seconds);
        }
        None
    }

    /// Goes on for as long as nothing changes. Returns how long that is, and what holds it up meanwhile.
    fn stretch(&mut self, at: Timestamp, most: f64) -> Option<(f64, Bottleneck)> {
        for portfolio in &mut self.portfolios {
            while portfolio.coming.front().is_some_and(|(free_at, _)| *free_at <= at) {
                portfolio.free += portfolio.coming.pop_front().map_or(0.0, |(_, people)| people);
            }
        }
        for road in &mut self.roads {
            while road.coming.front().is_some_and(|(from, _)| *from <= at) {
                road.others += road.coming.pop_front().map_or(0.0, |(_, messages)| messages);
                road.campaigns += 1.0;
            }
        }
        let stays = self.groups.iter_mut().map(|group| group.is_open(at)).collect::<Option<Vec<_>>>()?;
        let open: Vec<bool> = stays.iter().map(|(open, _)| *open).collect();
        let mut waiting = vec![0.0; self.roads.len()];
        for (group, _) in self.groups.iter().zip(&open).filter(|(_, open)| **open) {
            waiting[group.lane] += group.people;
        }
        let paces: Vec<Pace> = (0..self.roads.len()).map(|lane| self.pace(lane, &waiting, most)).collect();
        let mut seconds = LONGEST;
        let mut until = |at_most: f64| seconds = seconds.min(at_most.max(0.001));
        stays.iter().for_each(|(_, change)| until(change.since(at).std().as_secs_f64()));
        let mut taken = vec![0.0; self.portfolios.len()];
        for ((road, people), Pace { ours, theirs, .. }) in self.roads.iter().zip(&waiting).zip(&paces) {
            if *people > 0.0 && *ours > 0.0 {
                until(people / ours);
            }
            if *theirs > 0.0 {
                until(road.others / theirs);
            }
            road.coming.front().into_iter().for_each(|(from, _)| until(from.since(at).std().as_secs_f64()));
            if let Some(portfolio) = road.portfolio {
                taken[portfolio] += ours + theirs;
            }
        }
        for (portfolio, pace) in self.portfolios.iter().zip(&taken) {
            if *pace > 0.0 && portfolio.free.is_finite() {
                until(portfolio.free / pace);
            }
            portfolio.coming.front().into_iter().for_each(|(free_at, _)| until(free_at.since(at).std().as_secs_f64()));
        }
        // Whoever needs longest decides.
        let needs = |lane: &usize| waiting[*lane] / paces[*lane].ours.max(1e-9);
        let slowest = (0..self.roads.len())
            .filter(|lane| waiting[*lane] > 0.0)
            .max_by(|one, other| needs(one).total_cmp(&needs(other)));
        let bottleneck = slowest.map_or(Bottleneck::Hours, |lane| paces[lane].because.clone());
        self.pass(at, seconds, &open, &waiting, &paces);
        Some((seconds, bottleneck))
    }

    /// How fast a lane goes, and why no faster for us.
    fn pace(&self, lane: usize, waiting: &[f64], most: f64) -> Pace {
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
        let mut ours = rate / road.sharing();
        let theirs = rate - ours;
        if road.others > 0.0 {
            because = Bottleneck::Others { lane: road.lane.clone() };
        }
        let everybody: f64 = waiting.iter().sum();
        let spread = most * (waiting[lane] / everybody.max(1.0));
        if spread < ours {
            (ours, because) = (spread, Bottleneck::Over);
        }
        Pace { ours, theirs, because }
    }

    /// So long at this pace.
    fn pass(&mut self, at: Timestamp, seconds: f64, open: &[bool], waiting: &[f64], paces: &[Pace]) {
        let day = local(at, self.zone.unwrap_or(Zone(chrono_tz::Tz::UTC))).date();
        for (group, _) in self.groups.iter_mut().zip(open).filter(|(_, open)| **open) {
            let left = paces[group.lane].ours * seconds;
            group.people -= left * (group.people / waiting[group.lane]);
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
mod tests {
    use super::*;

    const BEGINS: &str = "2026-12-01T01:00:00Z";

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    fn road(rate: f64) -> Road {
        Road {
            lane: "wa".to_owned(),
            rate,
            account: None,
            portfolio: None,
            campaigns: 0.0,
            others: 0.0,
            coming: VecDeque::new(),
        }
    }

    fn places_of_250() -> Portfolio {
        Portfolio {
            name: "acme".to_owned(),
            most: 250,
            free: 250.0,
            coming: VecDeque::new(),
            held: Span::from_secs(86_400),
            days: BTreeMap::new(),
        }
    }

    fn group(people: f64) -> Group {
        let (opens, zone) = (at(BEGINS), "Asia/Singapore".parse().unwrap());
        Group { lane: 0, people, opens, zone, hours: Hours::default(), stays: None }
    }

    fn forecast(outlook: Outlook) -> (String, Bottleneck) {
        let Forecast { done_at, bottleneck, .. } = outlook.forecast(at(BEGINS)).unwrap();
        // To the minute: fractions of a second are nobody's.
        (done_at.rfc3339()[..16].to_owned(), bottleneck.unwrap())
    }

    fn of_lane(what: fn(String) -> Bottleneck) -> Bottleneck {
        what("wa".to_owned())
    }

    #[test]
    fn at_a_rate_it_takes_what_the_rate_takes() {
        let outlook = Outlook { groups: vec![group(36_000.0)], roads: vec![road(10.0)], ..Outlook::default() };
        assert_eq!(forecast(outlook), ("2026-12-01T02:00".to_owned(), of_lane(|lane| Bottleneck::Rate { lane })));
    }

    #[test]
    fn a_thousand_people_on_a_tier_of_250_take_until_day_four() {
        let road = Road { portfolio: Some(0), ..road(80.0) };
        let outlook = Outlook {
            groups: vec![group(1_000.0)],
            roads: vec![road],
            portfolios: vec![places_of_250()],
            ..Outlook::default()
        };
        assert_eq!(
            forecast(outlook),
            ("2026-12-04T01:00".to_owned(), Bottleneck::Tier { portfolio: "acme".to_owned() })
        );
    }

    #[test]
    fn places_are_booked_by_day_and_shared_with_campaigns_that_come_later() {
        let alone = Road { portfolio: Some(0), ..road(80.0) };
        // Another campaign of 400 begins on the second day.
        let later = VecDeque::from([(at("2026-12-02T00:30:00Z"), 400.0)]);
        let shared = Road { coming: later, ..alone.clone() };
        let booked = |roads: &[&Road]| {
            let outlook = Outlook {
                groups: vec![group(600.0)],
                roads: roads.iter().copied().cloned().collect(),
                portfolios: vec![places_of_250()],
                ..Outlook::default()
            };
            let forecast = outlook.forecast(at(BEGINS)).unwrap();
            let [booking] = &forecast.bookings[..] else { panic!("one portfolio") };
            assert_eq!((booking.portfolio.as_str(), booking.tier), ("acme", 250));
            let days = booking.days.iter().map(|day| (day.day.to_string(), day.people, day.others));
            days.collect::<Vec<_>>()
        };
        let day = |day: u32, people, others| (format!("2026-12-{day:02}"), people, others);
        assert_eq!(booked(&[&alone]), [day(1, 250, 0), day(2, 250, 0), day(3, 100, 0)]);
        let with_others = [day(1, 250, 0), day(2, 125, 125), day(3, 125, 125), day(4, 100, 100)];
        assert_eq!(booked(&[&shared]), with_others);
        assert_eq!(booked(&[&alone, &shared]), with_others, "it takes the same places on another lane");
    }

    #[test]
    fn what_leaves_in_office_hours_goes_on_the_next_day_and_over_the_weekend() {
        let hours = Hours { windows: vec!["Mon-Fri 09:00-18:00".parse().unwrap()], ..Hours::default() };
        // Nine hours a day, from Tuesday on: five days of them end on Monday evening.
        let group = Group { hours, ..group(5.0 * 9.0 * 3_600.0) };
        let outlook = Outlook { groups: vec![group], roads: vec![road(1.0)], ..Outlook::default() };
        assert_eq!(forecast(outlook), ("2026-12-07T10:00".to_owned(), Bottleneck::Hours));
    }

    #[test]
    fn others_on_the_lane_have_as_much_of_it_until_they_are_done() {
        let road = Road { campaigns: 1.0, others: 3_600.0, ..road(2.0) };
        let outlook = Outlook { groups: vec![group(5_400.0)], roads: vec![road], ..Outlook::default() };
        // An hour side by side, and a quarter alone.
        assert_eq!(forecast(outlook), ("2026-12-01T02:15".to_owned(), of_lane(|lane| Bottleneck::Others { lane })));
    }

    #[test]
    fn what_is_spread_over_a_time_takes_that_time_and_lanes_share_an_account() {
        let over = Some(Span::from_secs(3 * 3_600));
        let outlook = Outlook { groups: vec![group(1_000.0)], roads: vec![road(80.0)], over, ..Outlook::default() };
        assert_eq!(forecast(outlook), ("2026-12-01T04:00".to_owned(), Bottleneck::Over));
        let on = |lane| Group { lane, ..group(3_600.0) };
        let roads = vec![Road { account: Some(0), ..road(2.0) }; 2];
        let accounts = vec![Account { name: "waba".to_owned(), rate: 2.0 }];
        let outlook = Outlook { groups: vec![on(0), on(1)], roads, accounts, ..Outlook::default() };
        assert_eq!(
            forecast(outlook),
            ("2026-12-01T02:00".to_owned(), Bottleneck::Account { account: "waba".to_owned() })
        );
        // Whoever else is on another lane of it takes half of it too.
        let roads = vec![
            Road { account: Some(0), ..road(2.0) },
            Road { account: Some(0), campaigns: 1.0, others: 1_800.0, ..road(2.0) },
        ];
        let accounts = vec![Account { name: "waba".to_owned(), rate: 2.0 }];
        let outlook = Outlook { groups: vec![group(3_600.0)], roads, accounts, ..Outlook::default() };
        assert_eq!(forecast(outlook).0, "2026-12-01T01:45");
    }

    #[test]
    fn hours_that_never_open_are_never_done() {
        let hours = Hours {
            windows: vec!["09:00-10:00".parse().unwrap()],
            quiet: vec!["08:00-11:00".parse().unwrap()],
            ..Hours::default()
        };
        let outlook =
            Outlook { groups: vec![Group { hours, ..group(1.0) }], roads: vec![road(1.0)], ..Outlook::default() };
        assert_eq!(outlook.forecast(at(BEGINS)), None);
    }
}
