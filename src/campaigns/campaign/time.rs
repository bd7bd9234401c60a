//! Reads times as operators write them.

use chrono::{DateTime, Datelike as _, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _};

use super::file::{Draft, TimeZone};
use crate::base::config::{Problem, Sentence};
use crate::base::domain::{self, Span, Timestamp, Zone, local};

/// When a campaign may start, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schedule {
    /// `None`: at once.
    pub at: Option<Timestamp>,
    /// The local time that each recipient's clock must have reached.
    pub since: Option<NaiveDateTime>,
    /// The latest time of a first submission.
    pub end: Option<Timestamp>,
    /// The time over which the start is spread.
    pub over: Option<Span>,
    /// How clock changes affect the times, one sentence each.
    pub notes: Vec<Sentence>,
}

/// Operators write times to the minute, so the present minute is not past yet.
pub(super) const PRESENT: Span = Span::from_secs(60);
/// The westernmost zone is this far behind UTC.
const LAST_ZONE: Span = Span::from_secs(12 * 3_600);
/// The longest time over which a start may be spread. Longer mailings are several campaigns.
const SPREAD_MAX: Span = Span::from_secs(30 * 86_400);

/// Reads `at`, `end` and `over` of a campaign, or returns every problem in them.
pub fn schedule(draft: &Draft, now: Timestamp) -> Result<Schedule, Vec<Problem>> {
    let mut schedule = Schedule { over: draft.over, ..Schedule::default() };
    let mut problems = Vec::new();
    let is_theirs = draft.time_zone == Some(TimeZone::Recipients);
    let mut notes = Vec::new();
    let mut read = |key: &'static str, text: &Option<String>| {
        let text = text.as_deref()?;
        match instant(text, draft.time_zone.and_then(TimeZone::zone)) {
            Ok(ResolvedInstant { at, note }) => {
                notes.extend(note.map(|note| Sentence::new("").key(key).text(format!(": {note}"))));
                Some(at)
            }
            Err(error) => {
                problems.push(Problem::new(None, key, error));
                None
            }
        }
    };
    match draft.at.as_deref().filter(|_| is_theirs).and_then(shown) {
        Some(since) => schedule.since = Some(since),
        None => schedule.at = read("at", &draft.at),
    }
    let names_a_moment = is_theirs && schedule.at.is_some();
    match draft.end.as_deref().filter(|_| is_theirs).and_then(shown) {
        Some(_) => {
            let sentence = "a campaign ends at one moment for all recipients; add an offset such as +08:00";
            problems.push(Problem::new(None, "end", sentence));
        }
        None => schedule.end = read("end", &draft.end),
    }
    schedule.notes = notes;
    if let Some(text) = draft.at.as_deref().filter(|_| names_a_moment) {
        let sentence = format!(
            "\"{text}\" is one moment for all recipients, but time_zone = \"recipient\" means each recipient's own \
             clock; write it without an offset, or remove time_zone"
        );
        problems.push(Problem::new(None, "at", sentence));
    }
    problems.extend(conflicts(draft, &schedule, now));
    if problems.is_empty() { Ok(schedule) } else { Err(problems) }
}

/// Times that cannot all be kept: a start that is over, an end before the start, a start spread beyond the end.
fn conflicts(draft: &Draft, schedule: &Schedule, now: Timestamp) -> Vec<Problem> {
    let is_theirs = draft.time_zone == Some(TimeZone::Recipients);
    let mut problems = Vec::new();
    // By each recipient's own clock, the start has passed once the last clock has shown it.
    let last = schedule.since.map(|since| Timestamp::from_millis(since.and_utc().timestamp_millis()) + LAST_ZONE);
    let begin = schedule.at.or(last);
    if let (Some(past), Some(text)) = (begin.filter(|at| *at + PRESENT <= now), &draft.at) {
        let ago = roughly(now.since(past));
        let everywhere = if is_theirs { " even in the westernmost time zone" } else { "" };
        let sentence =
            format!("\"{text}\" was {ago} ago{everywhere}; write a later time, or remove it to send at once");
        problems.push(Problem::new(None, "at", sentence));
    } else if let (Some(end), Some(text)) = (schedule.end, &draft.end) {
        let begin = schedule.at.unwrap_or(now).max(now);
        if end <= begin {
            let begin = if schedule.at.is_some() { "`at`" } else { "now" };
            let sentence = format!("\"{text}\" is not after {begin}, so nothing could be sent; write a later time");
            problems.push(Problem::new(None, "end", sentence));
        } else if let Some(over) = schedule.over
            && begin + over > end
        {
            let room = end.since(begin);
            let sentence = format!("{over} is longer than the {room} until `end`; shorten it, or write a later `end`");
            problems.push(Problem::new(None, "over", sentence));
        }
    }
    if let Some(over) = schedule.over.filter(|over| *over > SPREAD_MAX) {
        let sentence = format!("{over} is too long to spread a start over; the maximum is {SPREAD_MAX}");
        problems.push(Problem::new(None, "over", sentence));
    }
    if draft.on_missed.is_some() && draft.at.is_none() {
        let sentence = "a campaign that starts at once cannot miss its start; remove it, or write `at`";
        problems.push(Problem::new(None, "on_missed", sentence));
    }
    if is_theirs && draft.at.is_none() {
        let sentence = "\"recipient\" applies to `at`, which is missing; write `at`, or remove it: quiet hours and \
                        send windows use each recipient's own clock anyway";
        problems.push(Problem::new(None, "time_zone", sentence));
    }
    problems
}

/// Rounds a past duration down to its largest unit; the rest does not matter.
pub(super) fn roughly(ago: Span) -> Span {
    let seconds = ago.millis() / 1_000;
    let unit = [86_400, 3_600, 60].into_iter().find(|unit| seconds >= *unit).unwrap_or(1);
    Span::from_secs(seconds / unit * unit)
}

/// An instant, and how a clock change affects it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedInstant {
    pub at: Timestamp,
    pub note: Option<String>,
}

/// Why a text cannot be read as an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoInstant {
    #[error(
        "\"{0}\" is not a time; write it as 2026-12-01T09:00+08:00, or without the offset if the campaign has a time_zone"
    )]
    Shape(String),
    #[error("\"{text}\" does not exist: {missing}; write another time")]
    NotThere { text: String, missing: String },
    #[error("\"{0}\" is out of range; write a nearer time")]
    Reach(String),
    #[error(
        "\"{0}\" has no time zone; add an offset, such as {0}+08:00, or give the campaign a time_zone, such as \"Asia/Singapore\""
    )]
    WithoutZone(String),
}

/// Reads `2026-12-01T09:00`, with or without seconds. A text with `Z` or an offset is exact; others are read in `zone`.
///
/// - Where the clock is put forward, a skipped time means as much later as the clock jumps: 02:30 is 03:30.
/// - Where the clock is put back, a time that occurs twice means the first one.
pub fn instant(text: &str, zone: Option<Zone>) -> Result<ResolvedInstant, NoInstant> {
    let text = text.trim();
    let exact = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%#z"))
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M%#z"))
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%MZ").or_else(|_| zulu(text)));
    if let Ok(at) = exact {
        return Ok(ResolvedInstant { at: Timestamp::from_millis(at.timestamp_millis()), note: None });
    }
    let Some(local) = shown(text) else {
        let text = text.to_owned();
        return Err(match not_there(&text) {
            Some(missing) => NoInstant::NotThere { text, missing },
            None => NoInstant::Shape(text),
        });
    };
    match zone {
        Some(zone) => in_zone(local, zone).ok_or_else(|| NoInstant::Reach(text.to_owned())),
        None => Err(NoInstant::WithoutZone(text.to_owned())),
    }
}

/// Reads `2026-12-01T09:00Z`, for which RFC 3339 requires seconds.
fn zulu(text: &str) -> Result<DateTime<chrono::FixedOffset>, chrono::ParseError> {
    let bare = text.strip_suffix(['Z', 'z']).unwrap_or("");
    NaiveDateTime::parse_from_str(bare, "%Y-%m-%dT%H:%M").map(|local| local.and_utc().fixed_offset())
}

/// The years that are accepted. Beyond them there is nothing to send, and clocks are hard to compute.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=9999;

/// Reads a local time without a zone.
fn shown(text: &str) -> Option<NaiveDateTime> {
    let formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    let shown = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text.trim(), format).ok());
    shown.filter(|shown| YEARS.contains(&shown.year()))
}

/// The day or the time of day that no calendar or clock has, if the text is written as a time.
fn not_there(text: &str) -> Option<String> {
    let (day, rest) = (text.get(..10)?, text.get(10..)?);
    let time = rest.strip_prefix(['T', ' '])?;
    if !is_like(day, "0000-00-00") || !is_like(time.get(..5)?, "00:00") {
        return None;
    }
    if let Some(missing) = no_such_day(day) {
        return Some(missing);
    }
    NaiveTime::parse_from_str(&time[..5], "%H:%M").is_err().then(|| format!("no clock shows {}", &time[..5]))
}

/// That no calendar has this day, if the text is written as one.
pub(super) fn no_such_day(text: &str) -> Option<String> {
    let is_missing = is_like(text, "0000-00-00") && text.parse::<NaiveDate>().is_err();
    is_missing.then(|| format!("there is no day {text}"))
}

/// Whether a text has the form of another one, with digits where that has zeros.
fn is_like(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text.bytes().zip(form.bytes()).all(|(byte, of)| byte == of || (of == b'0' && byte.is_ascii_digit()))
}

fn in_zone(shown: NaiveDateTime, zone: Zone) -> Option<ResolvedInstant> {
    let at = domain::instant(shown, zone)?;
    let text = shown.format("%Y-%m-%d %H:%M");
    let note = clock_change(shown, zone).map(|change| match change {
        ClockChange::Skipped(used) => {
            let used = used.format("%H:%M");
            format!("{text} does not exist in {zone}, because the clock is put forward; {used} is used")
        }
        ClockChange::Repeated => {
            format!("{text} occurs twice in {zone}, because the clock is put back; the first time is used")
        }
    });
    Some(ResolvedInstant { at, note })
}

/// How a clock change affects a local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClockChange {
    /// The clock is put forward past it; this later time is used.
    Skipped(NaiveDateTime),
    /// The clock is put back and shows it again; the first time is used.
    Repeated,
}

/// The clock change of a zone that a local time falls into; `None` if there is none.
pub(super) fn clock_change(shown: NaiveDateTime, zone: Zone) -> Option<ClockChange> {
    let used = local(domain::instant(shown, zone)?, zone);
    if used != shown {
        return Some(ClockChange::Skipped(used));
    }
    matches!(zone.0.from_local_datetime(&shown), LocalResult::Ambiguous(..)).then_some(ClockChange::Repeated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, zone: Option<&str>) -> Result<(String, bool), String> {
        let zone = zone.map(|zone| zone.parse().unwrap());
        let read = instant(text, zone).map_err(|error| error.to_string());
        read.map(|read| (read.at.rfc3339(), read.note.is_some()))
    }

    #[test]
    fn a_time_is_read_in_every_common_form() {
        let berlin = Some("Europe/Berlin");
        for (text, zone, expected, noted) in [
            ("2026-12-01T09:00", Some("Asia/Singapore"), "2026-12-01T01:00:00.000Z", false),
            ("2026-12-01 09:00:30", Some("Asia/Singapore"), "2026-12-01T01:00:30.000Z", false),
            ("2026-12-01T09:00:00+08:00", None, "2026-12-01T01:00:00.000Z", false),
            ("2026-12-01T09:00+08:00", None, "2026-12-01T01:00:00.000Z", false),
            ("2026-12-01T01:00Z", None, "2026-12-01T01:00:00.000Z", false),
            // An offset is exact; the zone has no effect.
            ("2026-12-01T01:00:00Z", berlin, "2026-12-01T01:00:00.000Z", false),
            ("2026-07-01T09:00", berlin, "2026-07-01T07:00:00.000Z", false),
            // Put forward at 02:00 to 03:00 on 29 March: 02:30 is 03:30.
            ("2026-03-29T02:30", berlin, "2026-03-29T01:30:00.000Z", true),
            ("2026-03-29T03:30", berlin, "2026-03-29T01:30:00.000Z", false),
            // Put back at 03:00 to 02:00 on 25 October: the first 02:30.
            ("2026-10-25T02:30", berlin, "2026-10-25T00:30:00.000Z", true),
            // A jump of half an hour, on the other side of midnight.
            ("2026-10-04T02:15", Some("Australia/Lord_Howe"), "2026-10-03T15:45:00.000Z", true),
        ] {
            assert_eq!(read(text, zone), Ok((expected.to_owned(), noted)), "{text}");
        }
    }

    #[test]
    fn a_time_without_a_zone_is_refused() {
        assert!(read("2026-12-01T09:00", None).unwrap_err().contains("add an offset, such as 2026-12-01T09:00+08:00"));
        for wrong in ["+262142-12-31T23:59", "-262143-01-01T00:00", "", "tomorrow", "09:00", "2026-12-01"] {
            assert!(read(wrong, Some("Asia/Singapore")).unwrap_err().contains("is not a time"), "{wrong}");
        }
    }

    #[test]
    fn a_time_that_does_not_exist_is_named() {
        for (text, missing) in [
            ("2026-02-30T10:00", "there is no day 2026-02-30"),
            ("2026-11-31 10:00", "there is no day 2026-11-31"),
            ("2026-02-29T10:00:00+08:00", "there is no day 2026-02-29"),
            ("2026-13-01T09:00", "there is no day 2026-13-01"),
            ("2026-12-01T25:00", "no clock shows 25:00"),
        ] {
            let error = read(text, Some("Asia/Singapore")).unwrap_err();
            assert_eq!(error, format!("\"{text}\" does not exist: {missing}; write another time"));
        }
    }
}
