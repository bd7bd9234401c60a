//! The calendar: the campaigns of a month, on their days.

use std::collections::BTreeMap;

use askama::Template;
use chrono::{Datelike as _, Days, NaiveDate};

use super::frame::Frame;
use super::texts::ENGLISH;
use crate::base::clock::{day_of, format_time_of_day};
use crate::base::domain::{BatchState, ClosedBy, Timestamp};

/// Campaigns of a day in the month. The page of the day has all of them.
const SHOWN: usize = 5;
/// Campaigns that are named on a day on which they send nothing.
const CLOSED_SHOWN: usize = 2;

/// A month of a year, whose days all have a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Month(NaiveDate);

impl Month {
    /// The month of a day; `None` if it is too far away to be computed.
    pub fn of(day: NaiveDate) -> Option<Self> {
        (1970..=9998).contains(&day.year()).then(|| day.with_day(1).map(Self))?
    }

    /// Reads `2026-12`.
    pub fn parse(text: &str) -> Option<Self> {
        let day = format!("{text}-01").parse().ok().filter(|_| text.len() == 7)?;
        Self::of(day)
    }

    pub const fn first(self) -> NaiveDate {
        self.0
    }

    /// The first day of the next month.
    pub fn after_last(self) -> NaiveDate {
        self.0 + chrono::Months::new(1)
    }

    fn before(self) -> Option<Self> {
        self.0.pred_opt().and_then(Self::of)
    }

    fn after(self) -> Option<Self> {
        Self::of(self.after_last())
    }

    /// As in an address: `2026-12`.
    fn word(self) -> String {
        self.0.format("%Y-%m").to_string()
    }

    fn title(self) -> String {
        ENGLISH.sending.month(self.0.month0(), self.0.year())
    }
}

/// A campaign of the calendar.
#[derive(Debug)]
pub struct CalendarEntry {
    pub name: String,
    pub path: String,
    pub state: BatchState,
    pub recipients: u32,
    pub begins: Timestamp,
    /// Until when it was sent so far.
    pub ends: Timestamp,
    pub has_started: bool,
    /// Whether it is sent no more.
    pub is_over: bool,
    /// Its send hours in words.
    pub hours: Option<String>,
    /// The days on which its hours are closed all day, once it has begun.
    pub closed: BTreeMap<NaiveDate, ClosedBy>,
}

/// A campaign on one of its days.
#[derive(Debug)]
struct OnDay<'a> {
    entry: &'a CalendarEntry,
    /// What it does on this day: `starts 09:00 +08`.
    what: String,
    /// Its send hours, where they are said.
    hours: Option<&'a str>,
}

/// A campaign that sends nothing on a day, and why.
#[derive(Debug)]
struct ClosedOn<'a> {
    entry: &'a CalendarEntry,
    why: &'static str,
}

/// A day of the month.
#[derive(Debug)]
struct CalendarDay<'a> {
    day: NaiveDate,
    is_today: bool,
    campaigns: Vec<OnDay<'a>>,
    /// Campaigns that only the page of the day has.
    more: usize,
    /// Campaigns that send nothing on the day.
    closed: Vec<ClosedOn<'a>>,
    /// How many further ones there are.
    more_closed: usize,
}

/// A month with its campaigns.
#[derive(Debug, Template)]
#[template(path = "calendar.html")]
pub struct CalendarPage {
    pub frame: Frame,
    month: Month,
    today: NaiveDate,
    /// The name of the zone of all times.
    zone: String,
    entries: Vec<CalendarEntry>,
    /// Campaigns that start when an operator or an approval says so.
    undated: Vec<CalendarEntry>,
}

impl CalendarPage {
    pub const fn new(
        frame: Frame,
        month: Month,
        today: NaiveDate,
        zone: String,
        entries: Vec<CalendarEntry>,
        undated: Vec<CalendarEntry>,
    ) -> Self {
        Self { frame, month, today, zone, entries, undated }
    }

    const fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The weeks of the month, from Monday to Sunday; `None` for a day of another month.
    fn weeks(&self) -> Vec<Vec<Option<CalendarDay<'_>>>> {
        let (first, end) = (self.month.first(), self.month.after_last());
        let monday = first - Days::new(u64::from(first.weekday().num_days_from_monday()));
        let days: Vec<NaiveDate> =
            monday.iter_days().take_while(|day| *day < end || day.weekday().num_days_from_monday() > 0).collect();
        let of_month = |day: &NaiveDate| (*day >= first && *day < end).then(|| self.day(*day));
        days.chunks(7).map(|week| week.iter().map(of_month).collect()).collect()
    }

    fn day(&self, day: NaiveDate) -> CalendarDay<'_> {
        let mut campaigns = on_day(&self.entries, day, &self.frame);
        let more = campaigns.len().saturating_sub(SHOWN);
        campaigns.truncate(SHOWN);
        // The hours are said once, on the first day.
        for on_day in &mut campaigns {
            on_day.hours = on_day.hours.filter(|_| day_of(on_day.entry.begins, self.frame.zone) == day);
        }
        let mut closed = closed_on(&self.entries, day);
        let more_closed = closed.len().saturating_sub(CLOSED_SHOWN);
        closed.truncate(CLOSED_SHOWN);
        CalendarDay { day, is_today: day == self.today, campaigns, more, closed, more_closed }
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn has_closed(&self) -> bool {
        self.entries.iter().any(|entry| !entry.closed.is_empty())
    }
}

/// The campaigns of a day: first those that start on it.
fn on_day<'a>(entries: &'a [CalendarEntry], day: NaiveDate, frame: &Frame) -> Vec<OnDay<'a>> {
    let mut found = Vec::new();
    for entry in entries {
        let (begins, ends) = (day_of(entry.begins, frame.zone), day_of(entry.ends, frame.zone));
        if begins <= day && day <= ends {
            let what = what(entry, (begins == day, ends == day), frame);
            found.push((begins != day, OnDay { entry, what, hours: entry.hours.as_deref() }));
        }
    }
    found.sort_by_key(|(continues, _)| *continues);
    found.into_iter().map(|(_, on_day)| on_day).collect()
}

/// The campaigns that send nothing on a day.
fn closed_on(entries: &[CalendarEntry], day: NaiveDate) -> Vec<ClosedOn<'_>> {
    let closed = |entry: &CalendarEntry| entry.closed.get(&day).map(|rule| ENGLISH.sending.closed_by(*rule));
    entries.iter().filter_map(|entry| Some(ClosedOn { entry, why: closed(entry)? })).collect()
}

fn day_number(day: &NaiveDate) -> u32 {
    day.day()
}

/// What a campaign does on a day: it begins, ends, or goes on.
fn what(entry: &CalendarEntry, (begins, ends): (bool, bool), frame: &Frame) -> String {
    let own = ENGLISH.sending;
    let clock = |at| format_time_of_day(at, frame.zone).chars().take(5).collect::<String>();
    match (begins, ends && entry.is_over) {
        (true, true) => format!("{}–{}", clock(entry.begins), clock(entry.ends)),
        (true, false) if entry.has_started => format!("{} {}", own.started_at, clock(entry.begins)),
        (true, false) => format!("{} {}", own.starts_at, clock(entry.begins)),
        (false, true) => format!("{} {}", own.until, clock(entry.ends)),
        (false, false) => own.goes_on.to_owned(),
    }
}

/// All campaigns of a day.
#[derive(Debug, Template)]
#[template(path = "calendar_day.html")]
pub struct DayPage {
    pub frame: Frame,
    pub day: NaiveDate,
    pub is_today: bool,
    pub zone: String,
    pub entries: Vec<CalendarEntry>,
    /// The campaigns of the month until the day.
    pub of_month: Vec<CalendarEntry>,
}

impl DayPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn title(&self) -> String {
        ENGLISH.sending.day(self.day)
    }

    fn month(&self) -> String {
        self.day.format("%Y-%m").to_string()
    }

    fn campaigns(&self) -> Vec<OnDay<'_>> {
        on_day(&self.entries, self.day, &self.frame)
    }

    fn closed(&self) -> Vec<ClosedOn<'_>> {
        closed_on(&self.of_month, self.day)
    }
}
