//! Hours: when something may leave, by the clock of whoever gets it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Days as Later, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::word::serde_as_text;
use super::{Country, Span, Timestamp, Zone, zones_of};

/// Days of the week, a bit each from Monday on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Weekdays(u8);

impl Weekdays {
    const ALL: Self = Self(0b111_1111);

    fn of(day: Weekday) -> Self {
        Self(1 << day.num_days_from_monday())
    }

    const fn has(self, day: Self) -> bool {
        self.0 & day.0 != 0
    }
}

/// A stretch of each of some days, from one time of day until another; one that ends before it begins ends the day after.
/// `Mon-Fri 09:00-18:00`, with the zone whose clock counts behind it where that is not each recipient's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stretch {
    days: Weekdays,
    /// Minutes of the day; the end is not in it.
    from: u16,
    until: u16,
    zone: Option<Zone>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStretch {
    #[error(
        "\"{0}\" is no stretch of time; write it as 21:00-08:00 or Mon-Fri 09:00-18:00, and a zone such as Asia/Singapore \
         behind it where it does not mean each recipient's own clock"
    )]
    Shape(String),
    #[error("\"{0}\" is no day of the week; write Mon, Tue, Wed, Thu, Fri, Sat or Sun")]
    Day(String),
    #[error("\"{0}\" is no time of day; write it as 09:00, from 00:00 to 24:00")]
    Time(String),
    #[error("\"{0}\" is no time zone; write one such as Asia/Singapore")]
    Zone(String),
    #[error("\"{0}\" begins when it ends, which could be no time at all or the whole day; write two different times")]
    Whole(String),
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MINUTES: u16 = 24 * 60;

impl Stretch {
    /// Whether it holds at a moment, for somebody of this zone.
    fn holds(&self, at: Timestamp, theirs: Zone) -> bool {
        let local = local(at, self.zone.unwrap_or(theirs));
        let minute = minute_of(local.time());
        let on = |date: NaiveDate| self.days.has(Weekdays::of(date.weekday()));
        if self.from < self.until {
            return on(local.date()) && (self.from..self.until).contains(&minute);
        }
        let before = local.date().pred_opt().is_some_and(on);
        (on(local.date()) && minute >= self.from) || (before && minute < self.until)
    }

    /// Moments of one day at which it may begin or end.
    fn edges(&self, day: NaiveDate, theirs: Zone) -> impl Iterator<Item = Timestamp> + use<> {
        let zone = self.zone.unwrap_or(theirs);
        [self.from, self.until]
            .into_iter()
            .filter_map(move |minute| {
                let day = if minute == MINUTES { day.succ_opt()? } else { day };
                Some(instants(day.and_hms_opt(u32::from(minute % MINUTES) / 60, u32::from(minute) % 60, 0)?, zone))
            })
            .flatten()
    }
}

fn minute_of(time: NaiveTime) -> u16 {
    u16::try_from(time.hour() * 60 + time.minute()).unwrap_or(0)
}

/// What a clock of the zone shows.
pub fn local(at: Timestamp, Zone(zone): Zone) -> NaiveDateTime {
    let utc = DateTime::from_timestamp_millis(at.millis()).unwrap_or_default();
    utc.with_timezone(&zone).naive_local()
}

/// When a clock of the zone shows this. Where it is put forward past it, as much later as it is put forward; where it shows
/// it twice, the first time.
pub fn instant(shown: NaiveDateTime, Zone(zone): Zone) -> Option<Timestamp> {
    use chrono::{LocalResult, TimeDelta, TimeZone};
    let at = match zone.from_local_datetime(&shown) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at,
        // As if the clock had not been moved: with the offset that held before. No gap is longer than a day.
        LocalResult::None => {
            let before = zone.from_local_datetime(&shown.checked_sub_signed(TimeDelta::days(1))?).earliest()?;
            before.checked_add_signed(TimeDelta::days(1))?
        }
    };
    Some(Timestamp::from_millis(at.timestamp_millis()))
}

/// Each time from which on a clock of the zone shows this or more: twice where it is put back over it, and from the jump on
/// where it is put forward over it.
fn instants(shown: NaiveDateTime, zone: Zone) -> impl Iterator<Item = Timestamp> {
    use chrono::{LocalResult, TimeZone};
    let millis = |at: DateTime<Tz>| Timestamp::from_millis(at.timestamp_millis());
    let (first, again) = match zone.0.from_local_datetime(&shown) {
        LocalResult::Single(at) => (Some(millis(at)), None),
        LocalResult::Ambiguous(first, again) => (Some(millis(first)), Some(millis(again))),
        LocalResult::None => (jump_over(shown, zone), None),
    };
    first.into_iter().chain(again)
}

/// When a clock of the zone is put forward past this.
fn jump_over(shown: NaiveDateTime, zone: Zone) -> Option<Timestamp> {
    // With the offset that held before it is later than the jump, by less than a day.
    let mut after = instant(shown, zone)?.millis();
    let mut before = after - 86_400_000;
    while after - before > 1 {
        let between = before + (after - before) / 2;
        if local(Timestamp::from_millis(between), zone) < shown { before = between } else { after = between }
    }
    Some(Timestamp::from_millis(after))
}

impl fmt::Display for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        if self.days != Weekdays::ALL {
            text = days_said(self.days) + " ";
        }
        let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        text += &format!("{}-{}", time(self.from), time(self.until));
        if let Some(zone) = self.zone {
            text += &format!(" {zone}");
        }
        f.pad(&text)
    }
}

/// `Mon-Fri`, `Sat,Sun`.
fn days_said(days: Weekdays) -> String {
    let has = |day: usize| days.0 & (1 << day) != 0;
    let mut said = Vec::new();
    let mut day = 0;
    while day < 7 {
        if !has(day) {
            day += 1;
            continue;
        }
        let last = (day..7).take_while(|day| has(*day)).last().unwrap_or(day);
        match last - day {
            0 => said.push(DAYS[day].to_owned()),
            1 => said.extend([DAYS[day].to_owned(), DAYS[last].to_owned()]),
            _ => said.push(format!("{}-{}", DAYS[day], DAYS[last])),
        }
        day = last + 1;
    }
    said.join(",")
}

impl FromStr for Stretch {
    type Err = InvalidStretch;

    fn from_str(text: &str) -> Result<Self, InvalidStretch> {
        let shape = || InvalidStretch::Shape(text.to_owned());
        // Whatever stands around a dash or a comma is one word with it.
        let joined = text.replace(['–', '—'], "-").replace(" - ", "-").replace(", ", ",");
        let words: Vec<&str> = joined.split_whitespace().collect();
        let place = words.iter().position(|word| word.starts_with(|c: char| c.is_ascii_digit())).ok_or_else(shape)?;
        let (before, behind) = words.split_at(place);
        let [times, zone @ ..] = behind else { return Err(shape()) };
        let (from, until) = times.split_once('-').ok_or_else(shape)?;
        let days = match before {
            [] => Weekdays::ALL,
            [days] => weekdays(days)?,
            [..] => return Err(shape()),
        };
        let zone = match zone {
            [] => None,
            [zone] => Some(zone.parse().map_err(|_| InvalidStretch::Zone((*zone).to_owned()))?),
            [..] => return Err(shape()),
        };
        let (from, until) = (minute(from)?, minute(until)?);
        if from % MINUTES == until % MINUTES {
            return Err(InvalidStretch::Whole(text.to_owned()));
        }
        Ok(Self { days, from: from % MINUTES, until, zone })
    }
}

fn weekdays(text: &str) -> Result<Weekdays, InvalidStretch> {
    let day = |name: &str| {
        let known =
            |known: &&str| name.len() >= 3 && name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(known));
        DAYS.iter().position(known).ok_or_else(|| InvalidStretch::Day(name.to_owned()))
    };
    let mut days = 0;
    if text.eq_ignore_ascii_case("daily") {
        return Ok(Weekdays::ALL);
    }
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut at, last) = (day(first.trim())?, day(last.trim())?);
        loop {
            days |= 1 << at;
            if at == last {
                break;
            }
            at = (at + 1) % 7;
        }
    }
    Ok(Weekdays(days))
}

fn minute(text: &str) -> Result<u16, InvalidStretch> {
    let wrong = || InvalidStretch::Time(text.to_owned());
    let (hours, minutes) = text.trim().split_once(':').ok_or_else(wrong)?;
    let (hours, minutes): (u16, u16) = (hours.parse().map_err(|_| wrong())?, minutes.parse().map_err(|_| wrong())?);
    let minute = hours.saturating_mul(60).saturating_add(minutes);
    if minutes < 60 && minute <= MINUTES { Ok(minute) } else { Err(wrong()) }
}

serde_as_text!(Stretch);

/// When something may leave.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hours {
    /// Nothing leaves while one of these holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quiet: Vec<Stretch>,
    /// Something leaves only while one of these holds, where there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Stretch>,
    /// Days on which nothing leaves, by the clock of whoever gets it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub holidays: BTreeSet<NaiveDate>,
    /// What the clock of whoever gets it has to show at the earliest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<NaiveDateTime>,
}

/// Days that are gone through for the next opening. Whoever lists more holidays in a row means never.
const FORESIGHT: u64 = 400;

impl Hours {
    /// Whether they stand in nobody's way.
    pub fn are_all(&self) -> bool {
        self.quiet.is_empty() && self.windows.is_empty() && self.holidays.is_empty() && self.since.is_none()
    }

    /// Whether something may leave at a moment, for somebody of this zone.
    pub fn are_open(&self, at: Timestamp, theirs: Zone) -> bool {
        let in_window = || self.windows.is_empty() || self.windows.iter().any(|window| window.holds(at, theirs));
        let is_quiet = || self.quiet.iter().any(|quiet| quiet.holds(at, theirs));
        let is_holiday = || !self.holidays.is_empty() && self.holidays.contains(&local(at, theirs).date());
        in_window() && !is_quiet() && !is_holiday() && self.begins(theirs).is_none_or(|begins| at >= begins)
    }

    /// When the clock of this zone shows what it has to show at the earliest.
    pub fn begins(&self, theirs: Zone) -> Option<Timestamp> {
        instant(self.since?, theirs)
    }

    /// The first moment from `at` on at which something may leave; nothing where that is never.
    pub fn open_from(&self, at: Timestamp, theirs: Zone) -> Option<Timestamp> {
        let at = self.begins(theirs).map_or(at, |begins| begins.max(at));
        self.edges(at, theirs, true)
    }

    /// The first moment behind `at` at which nothing may leave any more; nothing where that is never.
    pub fn open_until(&self, at: Timestamp, theirs: Zone) -> Option<Timestamp> {
        if self.quiet.is_empty() && self.windows.is_empty() && self.holidays.is_empty() {
            return None;
        }
        self.edges(at, theirs, false)
    }

    /// The first moment from `at` on at which they are open, or not.
    fn edges(&self, at: Timestamp, theirs: Zone, open: bool) -> Option<Timestamp> {
        if self.are_open(at, theirs) == open {
            return Some(at);
        }
        // A zone of its own may be a day ahead of theirs, or behind it.
        let first = local(at, theirs).date().checked_sub_days(Later::new(2))?;
        let on = |day: u64| {
            let day = first.checked_add_days(Later::new(day))?;
            let stretches = self.windows.iter().chain(&self.quiet);
            let edges = stretches.flat_map(|stretch| stretch.edges(day, theirs));
            let edges = edges.chain(instants(day.and_time(NaiveTime::MIN), theirs));
            edges.filter(|edge| *edge > at && self.are_open(*edge, theirs) == open).min()
        };
        let found = (0..FORESIGHT).find(|day| on(*day).is_some())?;
        // By another zone's clock the next days may have begun before.
        (found..=found + 2).filter_map(on).min()
    }

    /// The first moment from `at` on at which something may leave for anybody of a country.
    pub fn open_in(&self, country: Country, at: Timestamp) -> Option<Timestamp> {
        zones_of(country).into_iter().filter_map(|theirs| self.open_from(at, theirs)).min()
    }

    /// The first moment from `at` on at which something may leave for the last of a country; nothing where that is never.
    pub fn last_open_in(&self, country: Country, at: Timestamp) -> Option<Timestamp> {
        zones_of(country)
            .into_iter()
            .map(|theirs| self.open_from(at, theirs))
            .try_fold(at, |last, opens| Some(last.max(opens?)))
    }

    /// When the first clocks of a country show what they have to show at the earliest.
    pub fn since_in(&self, country: Country) -> Option<Timestamp> {
        zones_of(country).into_iter().filter_map(|theirs| self.begins(theirs)).min()
    }

    /// When somebody who was to leave at `planned` and may not at `now` does at the earliest. `earliest` is when the first
    /// of their country were to leave: whoever was to come later than those comes as much later by a clock of their own.
    pub fn put_off(
        &self,
        planned: Timestamp,
        earliest: Option<Timestamp>,
        now: Timestamp,
        theirs: Zone,
    ) -> Option<Timestamp> {
        let since = self.begins(theirs).filter(|begins| *begins > now);
        let later = earliest.map_or(Span::ZERO, |earliest| planned.since(earliest));
        self.open_from(since.map_or(now, |since| since + later), theirs)
    }

    /// Whether the clock of whoever gets it decides.
    pub fn are_theirs(&self) -> bool {
        let mut stretches = self.windows.iter().chain(&self.quiet);
        self.since.is_some() || !self.holidays.is_empty() || stretches.any(|stretch| stretch.zone.is_none())
    }

    /// Where they name zones of their own alone: until when they are closed for everybody.
    pub fn closed_for_all(&self, now: Timestamp) -> Option<Timestamp> {
        if self.are_theirs() {
            return None;
        }
        let anybody = Zone(Tz::UTC);
        if self.are_open(now, anybody) { None } else { self.open_from(now, anybody) }
    }
}

#[cfg(test)]
mod tests;
