//! The minutes at which send hours are open, a day of UTC at a time.
//!
//! A search takes time in proportion to the ranges and to the days that it looks at, not to their product: the ranges of one
//! clock are merged into one week, and a day is a few words of it.

use std::array;
use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, Offset as _, TimeDelta};

use super::{Hours, MINUTES, Stretch};
use crate::base::domain::{Timestamp, Zone, count_steps};

/// The minutes of a day.
const DAY: usize = MINUTES as usize;
const DAY_WORDS: usize = DAY.div_ceil(64);
const WEEK: usize = 7 * DAY;
/// A week and its first day once more, so that each run of 24 hours is in one piece. One word is read beyond the last.
const WEEK_WORDS: usize = (WEEK + DAY).div_ceil(64) + 1;
const MILLIS: i64 = 60_000;
const DAY_MILLIS: i64 = 86_400_000;

/// The minutes of a week on one clock, from Monday on.
#[derive(Debug, Clone)]
struct Week([u64; WEEK_WORDS]);

impl Week {
    const fn empty() -> Self {
        Self([0; WEEK_WORDS])
    }

    fn add(&mut self, stretch: &Stretch) {
        let (from, until) = (usize::from(stretch.from), usize::from(stretch.until));
        for day in (0..7).filter(|day| stretch.days.0 & (1 << day) != 0).map(|day| day * DAY) {
            if from < until {
                self.set(day + from, day + until);
            } else {
                self.set(day + from, day + DAY);
                let next = (day + DAY) % WEEK;
                self.set(next, next + until);
            }
        }
    }

    fn set(&mut self, from: usize, until: usize) {
        set(&mut self.0, from, until);
        // The first day is there twice.
        set(&mut self.0, (from + WEEK).min(WEEK + DAY), (until + WEEK).min(WEEK + DAY));
    }

    /// The 64 minutes from one on.
    const fn word(&self, from: usize) -> u64 {
        let (word, shift) = (from / 64, from % 64);
        if shift == 0 { self.0[word] } else { self.0[word] >> shift | self.0[word + 1] << (64 - shift) }
    }
}

/// Sets the bits of a range.
fn set(words: &mut [u64], from: usize, until: usize) {
    for (index, word) in words.iter_mut().enumerate().take(until.div_ceil(64)).skip(from / 64) {
        let begin = index * 64;
        let (first, end) = (from.max(begin) - begin, until.min(begin + 64) - begin);
        if first < end {
            *word |= (u64::MAX >> (64 - (end - first))) << first;
        }
    }
}

/// The minutes of a day of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Minutes([u64; DAY_WORDS]);

impl Minutes {
    const NONE: Self = Self([0; DAY_WORDS]);

    fn between(from: usize, until: usize) -> Self {
        let mut minutes = Self::NONE;
        set(&mut minutes.0, from, until);
        minutes
    }

    fn with(self, other: Self) -> Self {
        Self(array::from_fn(|word| self.0[word] | other.0[word]))
    }

    fn both(self, other: Self) -> Self {
        Self(array::from_fn(|word| self.0[word] & other.0[word]))
    }

    fn without(self, other: Self) -> Self {
        Self(array::from_fn(|word| self.0[word] & !other.0[word]))
    }

    const fn has(self, minute: usize) -> bool {
        self.0[minute / 64] & (1 << (minute % 64)) != 0
    }

    /// The first of them from a minute on.
    fn first_from(self, minute: usize) -> Option<usize> {
        let rest = self.both(Self::between(minute, DAY));
        let word = rest.0.iter().position(|word| *word != 0)?;
        Some(word * 64 + rest.0[word].trailing_zeros() as usize)
    }
}

/// A part of a day of UTC in which a clock is not changed.
#[derive(Debug, Clone, Copy)]
struct Unchanged {
    from: usize,
    until: usize,
    /// Minutes since 1970 that the clock shows at the beginning of the day, as far as its offset then is that of this part.
    shown: i64,
}

/// The parts of a day of UTC, which begins at `day`, on the clock of a zone. No clock changes twice a day.
fn parts(day: i64, zone: Zone) -> [Unchanged; 2] {
    let minute = |minute: usize| day + i64::try_from(minute).unwrap_or(0) * MILLIS;
    let offset = |at: i64| {
        let utc = DateTime::from_timestamp_millis(at).unwrap_or_default();
        i64::from(utc.with_timezone(&zone.0).offset().fix().local_minus_utc().div_euclid(60))
    };
    let (first, last) = (offset(day), offset(minute(DAY - 1)));
    let mut change = DAY;
    if first != last {
        let (mut before, mut after) = (0, DAY - 1);
        while after - before > 1 {
            let between = before + (after - before) / 2;
            if offset(minute(between)) == first { before = between } else { after = between }
        }
        change = after;
    }
    let shown = |offset: i64| day / MILLIS + offset;
    [
        Unchanged { from: 0, until: change, shown: shown(first) },
        Unchanged { from: change, until: DAY, shown: shown(last) },
    ]
}

/// The number of a day since 1970, and the minute in it.
fn day_and_minute(at: Timestamp) -> (i64, usize) {
    let minute = at.millis().rem_euclid(DAY_MILLIS) / MILLIS;
    (at.millis().div_euclid(DAY_MILLIS), usize::try_from(minute).unwrap_or(0))
}

/// The first of January 1970 was a Thursday.
const THURSDAY: i64 = 3 * DAY as i64;

/// Ranges of one clock.
#[derive(Debug, Clone)]
struct OfClock {
    /// `None` for the recipient's clock.
    zone: Option<Zone>,
    week: Week,
}

impl OfClock {
    fn all(stretches: &[Stretch]) -> Vec<Self> {
        let mut clocks: Vec<Self> = Vec::new();
        for stretch in stretches {
            let index = clocks.iter().position(|clock| clock.zone == stretch.zone).unwrap_or_else(|| {
                clocks.push(Self { zone: stretch.zone, week: Week::empty() });
                clocks.len() - 1
            });
            clocks[index].week.add(stretch);
        }
        clocks
    }

    fn on(&self, day: i64, recipient_zone: Zone) -> Minutes {
        let mut minutes = Minutes::NONE;
        for Unchanged { from, until, shown } in parts(day, self.zone.unwrap_or(recipient_zone)) {
            let begins = usize::try_from((shown + THURSDAY).rem_euclid(WEEK as i64)).unwrap_or(0);
            let part = Minutes(array::from_fn(|word| self.week.word(begins + word * 64)));
            minutes = minutes.with(part.both(Minutes::between(from, until)));
        }
        minutes
    }
}

/// Send hours, ready to be searched for many recipients and times.
#[derive(Debug, Clone)]
pub struct OpenMinutes<'a> {
    hours: Cow<'a, Hours>,
    windows: Vec<OfClock>,
    quiet: Vec<OfClock>,
}

impl<'a> OpenMinutes<'a> {
    pub fn of(hours: &'a Hours) -> Self {
        Self::new(Cow::Borrowed(hours))
    }

    fn new(hours: Cow<'a, Hours>) -> Self {
        count_steps(hours.windows.len() + hours.quiet.len());
        let (windows, quiet) = (OfClock::all(&hours.windows), OfClock::all(&hours.quiet));
        Self { hours, windows, quiet }
    }
}

impl From<Hours> for OpenMinutes<'static> {
    fn from(hours: Hours) -> Self {
        Self::new(Cow::Owned(hours))
    }
}

impl OpenMinutes<'_> {
    /// The instant of the start in this zone.
    pub fn begins(&self, recipient_zone: Zone) -> Option<Timestamp> {
        self.hours.begins(recipient_zone)
    }

    /// Whether a message to a recipient in this zone may be submitted at an instant.
    pub fn are_open(&self, at: Timestamp, recipient_zone: Zone) -> bool {
        if self.begins(recipient_zone).is_some_and(|begins| at < begins) {
            return false;
        }
        let (day, minute) = day_and_minute(at);
        self.on(day * DAY_MILLIS, recipient_zone).has(minute)
    }

    /// The first instant from `at` on at which the hours are open; `None` if they never are.
    pub fn open_from(&self, at: Timestamp, recipient_zone: Zone) -> Option<Timestamp> {
        let at = self.begins(recipient_zone).map_or(at, |begins| begins.max(at));
        self.next(at, recipient_zone, true)
    }

    /// The first instant from `at` on at which the hours are closed; `None` if they never are.
    pub fn open_until(&self, at: Timestamp, recipient_zone: Zone) -> Option<Timestamp> {
        if self.hours.never_close() {
            return None;
        }
        self.next(at, recipient_zone, false)
    }

    /// The first instant from `at` on at which the hours are open, or closed.
    fn next(&self, at: Timestamp, recipient_zone: Zone, open: bool) -> Option<Timestamp> {
        if self.are_open(at, recipient_zone) == open {
            return Some(at);
        }
        let (first, minute) = day_and_minute(at);
        // The minute of `at` is as `at` is.
        let mut from = minute + 1;
        for day in (first..=first + FORESIGHT).map(|day| day * DAY_MILLIS) {
            let minutes = self.on(day, recipient_zone);
            let wanted = if open { minutes } else { Minutes::between(0, DAY).without(minutes) };
            if let Some(minute) = wanted.first_from(from) {
                return Some(Timestamp::from_millis(day + i64::try_from(minute).unwrap_or(0) * MILLIS));
            }
            from = 0;
        }
        None
    }

    /// The minutes of a day at which the hours are open, once they have begun.
    fn on(&self, day: i64, recipient_zone: Zone) -> Minutes {
        count_steps(1 + self.windows.len() + self.quiet.len());
        let all = |clocks: &[OfClock]| {
            clocks.iter().fold(Minutes::NONE, |minutes, clock| minutes.with(clock.on(day, recipient_zone)))
        };
        let windows = if self.windows.is_empty() { Minutes::between(0, DAY) } else { all(&self.windows) };
        windows.without(all(&self.quiet)).without(self.holidays(day, recipient_zone))
    }

    fn holidays(&self, day: i64, recipient_zone: Zone) -> Minutes {
        let mut minutes = Minutes::NONE;
        if self.hours.holidays.is_empty() {
            return minutes;
        }
        for Unchanged { from, until, shown } in parts(day, recipient_zone) {
            // The minute at which the clock shows midnight.
            let day_minutes = DAY as i64;
            let midnight = usize::try_from(day_minutes - shown.rem_euclid(day_minutes)).unwrap_or(DAY);
            let date = shown.div_euclid(day_minutes);
            for (date, begins, ends) in [(date, 0, midnight), (date + 1, midnight, DAY)] {
                if date_of(date).is_some_and(|date| self.hours.holidays.contains(&date)) {
                    minutes = minutes.with(Minutes::between(from.max(begins), until.min(ends)));
                }
            }
        }
        minutes
    }
}

/// How many days are searched for the next opening. A longer run of holidays means never.
const FORESIGHT: i64 = 400;

/// The date of a number of days since 1970.
fn date_of(days: i64) -> Option<NaiveDate> {
    DateTime::UNIX_EPOCH.date_naive().checked_add_signed(TimeDelta::try_days(days)?)
}
