//! Send hours: when messages may be submitted, by the recipient's local time or a fixed zone.

mod closed;
mod open_minutes;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::word::serde_as_text;
use super::{Country, Span, Timestamp, Zone, zones_of};
pub use closed::{ClosedBy, closed_days};
pub use open_minutes::OpenMinutes;

/// Days of the week: one bit each, Monday first.
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

/// A time range on some days of the week, such as `Mon-Fri 09:00-18:00`.
///
/// A range that ends before it begins ends on the next day. Without a zone, each recipient's local time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stretch {
    days: Weekdays,
    /// Minutes of the day; the end is exclusive.
    from: u16,
    until: u16,
    zone: Option<Zone>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStretch {
    #[error(
        "\"{0}\" is not a time range; write it as 21:00-08:00 or Mon-Fri 09:00-18:00, followed by a time zone such as \
         Asia/Singapore unless each recipient's local time counts"
    )]
    Shape(String),
    #[error("unknown day of the week \"{0}\"; use one of Mon, Tue, Wed, Thu, Fri, Sat, Sun")]
    Day(String),
    #[error("\"{0}\" is not a time of day; write a range such as 21:00-08:00, with times from 00:00 to 24:00")]
    Time(String),
    #[error("\"{0}\" is not a time zone; write one such as Asia/Singapore")]
    Zone(String),
    #[error(
        "\"{0}\" starts and ends at the same time, which could mean never or all day; write two different times, \
         or 00:00-24:00 for the whole day"
    )]
    Whole(String),
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MINUTES: u16 = 24 * 60;

impl Stretch {
    /// The zone that it names.
    pub const fn zone(&self) -> Option<Zone> {
        self.zone
    }

    /// Whether the range is every minute of every day.
    fn is_always(&self) -> bool {
        self.days == Weekdays::ALL && self.from == 0 && self.until == MINUTES
    }

    /// Whether the range contains an instant, for a recipient in this zone.
    fn contains(&self, at: Timestamp, recipient_zone: Zone) -> bool {
        let local = local(at, self.zone.unwrap_or(recipient_zone));
        let minute = minute_of(local.time());
        let on = |date: NaiveDate| self.days.has(Weekdays::of(date.weekday()));
        if self.from < self.until {
            return on(local.date()) && (self.from..self.until).contains(&minute);
        }
        let before = local.date().pred_opt().is_some_and(on);
        (on(local.date()) && minute >= self.from) || (before && minute < self.until)
    }
}

fn minute_of(time: NaiveTime) -> u16 {
    u16::try_from(time.hour() * 60 + time.minute()).unwrap_or(0)
}

/// The local time in a zone.
pub fn local(at: Timestamp, Zone(zone): Zone) -> NaiveDateTime {
    let utc = DateTime::from_timestamp_millis(at.millis()).unwrap_or_default();
    utc.with_timezone(&zone).naive_local()
}

/// The time in a zone, to the second and with the offset of the zone, as RFC 3339.
pub fn with_offset(at: Timestamp, Zone(zone): Zone) -> String {
    let utc = DateTime::from_timestamp_millis(at.millis()).unwrap_or_default();
    utc.with_timezone(&zone).to_rfc3339_opts(chrono::SecondsFormat::Secs, false)
}

/// The instant at which a clock of the zone shows this local time.
///
/// - A local time that the zone skips maps to a later one, by the length of the skip.
/// - A local time that occurs twice maps to its first occurrence.
pub fn instant(shown: NaiveDateTime, Zone(zone): Zone) -> Option<Timestamp> {
    use chrono::{LocalResult, TimeDelta, TimeZone};
    let at = match zone.from_local_datetime(&shown) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at,
        // The zone skips this local time, so the offset from before the skip applies. No skip is longer than a day.
        LocalResult::None => {
            let before = zone.from_local_datetime(&shown.checked_sub_signed(TimeDelta::days(1))?).earliest()?;
            before.checked_add_signed(TimeDelta::days(1))?
        }
    };
    Some(Timestamp::from_millis(at.timestamp_millis()))
}

impl fmt::Display for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        if self.days != Weekdays::ALL {
            text = format_days(self.days) + " ";
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
fn format_days(days: Weekdays) -> String {
    let has = |day: usize| days.0 & (1 << day) != 0;
    let mut parts = Vec::new();
    let mut day = 0;
    while day < 7 {
        if !has(day) {
            day += 1;
            continue;
        }
        let last = (day..7).take_while(|day| has(*day)).last().unwrap_or(day);
        match last - day {
            0 => parts.push(DAYS[day].to_owned()),
            1 => parts.extend([DAYS[day].to_owned(), DAYS[last].to_owned()]),
            _ => parts.push(format!("{}-{}", DAYS[day], DAYS[last])),
        }
        day = last + 1;
    }
    parts.join(",")
}

impl FromStr for Stretch {
    type Err = InvalidStretch;

    fn from_str(text: &str) -> Result<Self, InvalidStretch> {
        let shape = || InvalidStretch::Shape(text.to_owned());
        // Removes spaces around a dash or a comma, which then form one word with their neighbors.
        let joined = text.replace(['–', '—'], "-").replace(" - ", "-").replace(", ", ",");
        let words: Vec<&str> = joined.split_whitespace().collect();
        let times_at =
            words.iter().position(|word| word.starts_with(|c: char| c.is_ascii_digit())).ok_or_else(shape)?;
        let (before, rest) = words.split_at(times_at);
        let [times, zone @ ..] = rest else { return Err(shape()) };
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
        let is_whole_day = (from, until) == (0, MINUTES);
        if from % MINUTES == until % MINUTES && !is_whole_day {
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

/// When messages may be submitted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Hours {
    /// Ranges in which no message is submitted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quiet: Vec<Stretch>,
    /// If not empty: messages are submitted only in these ranges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Stretch>,
    /// Days on which no message is submitted, by the recipient's local date.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub holidays: BTreeSet<NaiveDate>,
    /// The earliest local time at which a recipient's message is submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<NaiveDateTime>,
}

impl Hours {
    /// Whether the hours restrict nothing.
    pub fn are_all(&self) -> bool {
        self.never_close() && self.since.is_none()
    }

    /// Whether the hours, once they are open, are never closed.
    fn never_close(&self) -> bool {
        let has_window = !self.windows.is_empty() && !self.windows.iter().any(Stretch::is_always);
        !has_window && self.quiet.is_empty() && self.holidays.is_empty()
    }

    /// Whether a message to a recipient in this zone may be submitted at an instant.
    pub fn are_open(&self, at: Timestamp, recipient_zone: Zone) -> bool {
        self.closed_by(at, recipient_zone).is_none()
    }

    /// The instant of `since` in this zone.
    pub fn begins(&self, recipient_zone: Zone) -> Option<Timestamp> {
        instant(self.since?, recipient_zone)
    }

    /// The first instant from `at` on at which the hours are open; `None` if they never are.
    pub fn open_from(&self, at: Timestamp, recipient_zone: Zone) -> Option<Timestamp> {
        OpenMinutes::of(self).open_from(at, recipient_zone)
    }

    /// The first instant from `at` on at which the hours are closed; `None` if they never are.
    pub fn open_until(&self, at: Timestamp, recipient_zone: Zone) -> Option<Timestamp> {
        OpenMinutes::of(self).open_until(at, recipient_zone)
    }

    /// The first instant from `at` on at which the hours are open in any zone of a country.
    pub fn open_in(&self, country: Country, at: Timestamp) -> Option<Timestamp> {
        let minutes = OpenMinutes::of(self);
        zones_of(country).into_iter().filter_map(|recipient_zone| minutes.open_from(at, recipient_zone)).min()
    }

    /// The first instant from `at` on by which the hours have opened in every zone of a country; `None` if they never
    /// open in one.
    pub fn last_open_in(&self, country: Country, at: Timestamp) -> Option<Timestamp> {
        let minutes = OpenMinutes::of(self);
        zones_of(country)
            .into_iter()
            .map(|recipient_zone| minutes.open_from(at, recipient_zone))
            .try_fold(at, |last, opens| Some(last.max(opens?)))
    }

    /// The earliest instant of `since` among the zones of a country.
    pub fn since_in(&self, country: Country) -> Option<Timestamp> {
        zones_of(country).into_iter().filter_map(|recipient_zone| self.begins(recipient_zone)).min()
    }

    /// The earliest time for a message that was planned for `planned` and may not be submitted at `now`.
    ///
    /// `earliest` is the planned time of the first message to the same country. With `since`, a message keeps its
    /// distance from that first message, by the recipient's local time.
    pub fn put_off(
        &self,
        planned: Timestamp,
        earliest: Option<Timestamp>,
        now: Timestamp,
        recipient_zone: Zone,
    ) -> Option<Timestamp> {
        let since = self.begins(recipient_zone).filter(|begins| *begins > now);
        let later = earliest.map_or(Span::ZERO, |earliest| planned.since(earliest));
        self.open_from(since.map_or(now, |since| since + later), recipient_zone)
    }

    /// Whether the hours depend on the recipient's zone.
    pub fn are_theirs(&self) -> bool {
        if self.never_close() {
            return self.since.is_some();
        }
        let mut stretches = self.windows.iter().chain(&self.quiet);
        self.since.is_some() || !self.holidays.is_empty() || stretches.any(|stretch| stretch.zone.is_none())
    }

    /// If every range has its own zone: the time until which the hours are closed for all recipients. `None` if they
    /// are open.
    pub fn closed_for_all(&self, now: Timestamp) -> Option<Timestamp> {
        if self.are_theirs() {
            return None;
        }
        // Without a rule that depends on the recipient's zone, any zone gives the same result.
        let any_zone = Zone(Tz::UTC);
        if self.are_open(now, any_zone) { None } else { self.open_from(now, any_zone) }
    }
}

#[cfg(test)]
mod tests;
