//! Reads a date of a cell strictly, and writes it in a form and a language.
//!
//! Without a form of its own, a cell is read if it is one of these: `2026-12-01`, `2026/12/01` and `01.12.2026`, each
//! with a time if one follows after a space or a `T`: `09:30`, `09:30:15`. A fraction of a second, `Z` and an offset may
//! follow the time and are not written. `01/12/2026` is two different dates in two countries, so it needs a form.

use std::fmt::Write;

use chrono::format::{DelayedFormat, Item, Parsed, StrftimeItems, parse};
use chrono::{Locale, NaiveDate, NaiveDateTime, NaiveTime};

use super::call::Argument;
use super::language::locale;
use super::{FilterProblem, Unreadable};

type Items = Box<[Item<'static>]>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rules::template) struct DateForm {
    items: Items,
    locale: Locale,
    /// The form of the cells; `None` for the usual ones.
    read: Option<Items>,
}

impl DateForm {
    /// Reads `date("%d %B")`, with a language and then the form of the cells; `None` for other arguments.
    pub(super) fn of(arguments: &[Argument<'_>]) -> Result<Option<Self>, FilterProblem> {
        let (format, language, read) = match *arguments {
            [Argument::Text(format)] => (format, "en", None),
            [Argument::Text(format), Argument::Text(language)] => (format, language, None),
            [Argument::Text(format), Argument::Text(language), Argument::Text(read)] => (format, language, Some(read)),
            _ => return Ok(None),
        };
        let locale = locale(language)?;
        let unwritable = || FilterProblem::WriteDate { format: format.to_owned() };
        let items = StrftimeItems::new_with_locale(format, locale).parse_to_owned().map_err(|_| unwritable())?;
        let read = read.map(form_of_cells).transpose()?;
        let form = Self { items: items.into(), locale, read };
        // A zone cannot be written, because a cell has none.
        let mut sample = String::new();
        let writes = form.write_at(NaiveDateTime::default(), &mut sample).is_ok() && !sample.trim().is_empty();
        if writes { Ok(Some(form)) } else { Err(unwritable()) }
    }

    pub(super) fn write(&self, value: &str, out: &mut dyn Write) -> Result<(), Unreadable> {
        let value = value.trim();
        let at = match &self.read {
            None => usual(value),
            Some(items) => in_form(value, items),
        };
        self.write_at(at.ok_or(Unreadable)?, out)
    }

    fn write_at(&self, at: NaiveDateTime, out: &mut dyn Write) -> Result<(), Unreadable> {
        let form = DelayedFormat::new_with_locale(Some(at.date()), Some(at.time()), self.items.iter(), self.locale);
        Ok(form.write_to(out)?)
    }
}

fn form_of_cells(format: &str) -> Result<Items, FilterProblem> {
    let unreadable = || FilterProblem::ReadDate { format: format.to_owned() };
    let items = StrftimeItems::new(format).parse_to_owned().map_err(|_| unreadable())?;
    // What it writes, it must be able to read as one day.
    let day = NaiveDate::from_ymd_opt(2026, 12, 31).unwrap_or_default().and_time(NaiveTime::MIN);
    let mut sample = String::new();
    let form = DelayedFormat::new(Some(day.date()), Some(day.time()), items.iter());
    let reads = form.write_to(&mut sample).is_ok() && in_form(&sample, &items) == Some(day);
    if reads { Ok(items.into()) } else { Err(unreadable()) }
}

fn in_form(value: &str, items: &[Item<'static>]) -> Option<NaiveDateTime> {
    let mut parsed = Parsed::new();
    parse(&mut parsed, value, items.iter()).ok()?;
    let time = match parsed.to_naive_time() {
        Ok(time) => time,
        // A form without a time means the whole day.
        Err(_) if parsed.hour_mod_12().is_none() && parsed.minute().is_none() => NaiveTime::MIN,
        Err(_) => return None,
    };
    Some(parsed.to_naive_date().ok()?.and_time(time))
}

/// Reads the forms that mean one date everywhere.
fn usual(value: &str) -> Option<NaiveDateTime> {
    let (day, time) = value.split_once(['T', ' ']).map_or((value, None), |(day, time)| (day, Some(time)));
    let (year, month, day) = match day.contains('.') {
        true => {
            let mut parts = day.split('.');
            let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
            (digits(year, 4..=4)?, digits(month, 1..=2)?, parts.next().is_none().then(|| digits(day, 1..=2))??)
        }
        false => {
            let mut parts = day.split(if day.contains('/') { '/' } else { '-' });
            let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
            (digits(year, 4..=4)?, digits(month, 2..=2)?, parts.next().is_none().then(|| digits(day, 2..=2))??)
        }
    };
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    Some(date.and_time(time.map_or(Some(NaiveTime::MIN), time_of_day)?))
}

/// Reads `09:30` or `09:30:15`, with a fraction and an offset that are dropped.
fn time_of_day(text: &str) -> Option<NaiveTime> {
    let (time, zone) = text.split_at(text.find(['Z', '+', '-']).unwrap_or(text.len()));
    if !matches!(zone, "" | "Z") {
        let (hours, minutes) = zone[1..].split_once(':')?;
        NaiveTime::from_hms_opt(digits(hours, 2..=2)?, digits(minutes, 2..=2)?, 0)?;
    }
    let (time, fraction) = time.split_once('.').map_or((time, None), |(time, fraction)| (time, Some(fraction)));
    let mut parts = time.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next());
    if parts.next().is_some() || (fraction.is_some() && second.is_none()) {
        return None;
    }
    fraction.map_or(Some(0), |fraction| digits(fraction, 1..=9))?;
    let second = second.map_or(Some(0), |second| digits(second, 2..=2))?;
    NaiveTime::from_hms_opt(digits(hour, 2..=2)?, digits(minute, 2..=2)?, second)
}

/// Reads a whole number with so many digits and nothing else.
fn digits(text: &str, len: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let are_digits = len.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if are_digits { text.parse().ok() } else { None }
}
