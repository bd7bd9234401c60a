//! Formats times for operators: on the clock of the campaign's zone if it has one, else on this machine's clock, and
//! always with the offset that the clock has then.

use std::sync::OnceLock;

use chrono::{DateTime, Local, NaiveDate, NaiveTime, Offset, TimeZone};
use chrono_tz::Tz;

use crate::base::domain::{Timestamp, Zone};

tokio::task_local! {
    static SHOWN_IN: Zone;
}

/// Runs a command whose times are shown on the clock of this zone, whatever zone they belong to.
pub async fn showing_times_in<T>(zone: Option<Zone>, command: impl Future<Output = T>) -> T {
    match zone {
        Some(zone) => SHOWN_IN.scope(zone, command).await,
        None => command.await,
    }
}

/// The zone that an operator asked for; `None` if times are shown in the zone that they belong to.
pub fn wanted_zone() -> Option<Zone> {
    SHOWN_IN.try_with(|zone| *zone).ok()
}

/// Formats a time with its zone: `2026-12-01 09:00 +08 (Asia/Singapore)`. Without a zone it uses this machine's.
pub fn format_time(at: Timestamp, zone: Option<Zone>) -> String {
    format_stored_time(at, wanted_zone().or(zone))
}

/// The same for a text that is stored, which every reader sees: whatever zone an operator asked for.
pub fn format_stored_time(at: Timestamp, zone: Option<Zone>) -> String {
    // The offset of UTC is its name.
    let named = zone.or_else(machine_zone).filter(|Zone(zone)| !matches!(zone, Tz::UTC | Tz::Etc__UTC));
    let name = named.map(|zone| format!(" ({zone})")).unwrap_or_default();
    format!("{}{name}", on_clock(at, zone, to_the_minute(at)))
}

/// The zone of this machine's clock, if it has a name.
pub fn machine_zone() -> Option<Zone> {
    static ZONE: OnceLock<Option<Zone>> = OnceLock::new();
    *ZONE.get_or_init(|| {
        // `TZ` takes precedence over the system's zone, as it does for the clock.
        let name = std::env::var("TZ").ok().or_else(|| iana_time_zone::get_timezone().ok());
        name?.trim_start_matches(':').parse().ok()
    })
}

/// The name of a zone, or of this machine's; empty if that has no name.
pub fn zone_name(zone: Option<Zone>) -> String {
    zone.or_else(machine_zone).map(|zone| zone.to_string()).unwrap_or_default()
}

/// The day that the clock of a zone shows.
pub fn day_of(at: Timestamp, zone: Option<Zone>) -> NaiveDate {
    let utc = DateTime::from_timestamp_millis(at.millis()).unwrap_or_default();
    match zone {
        Some(Zone(zone)) => utc.with_timezone(&zone).date_naive(),
        None => utc.with_timezone(&Local).date_naive(),
    }
}

/// When a day begins on the clock of a zone. Where the clock skips midnight, the day begins with its first moment.
pub fn start_of_day(day: NaiveDate, zone: Option<Zone>) -> Timestamp {
    let at_quarter = |quarter: u32| {
        let local = day.and_time(NaiveTime::from_num_seconds_from_midnight_opt(quarter * 900, 0)?);
        let utc = match zone {
            Some(Zone(zone)) => zone.from_local_datetime(&local).earliest()?.to_utc(),
            None => Local.from_local_datetime(&local).earliest()?.to_utc(),
        };
        Some(Timestamp::from_millis(utc.timestamp_millis()))
    };
    let midnight = || Timestamp::from_millis(day.and_time(NaiveTime::MIN).and_utc().timestamp_millis());
    (0..96).find_map(at_quarter).unwrap_or_else(midnight)
}

/// Formats a time without the name of its zone: `2026-12-01 09:00 +08`.
pub fn format_time_short(at: Timestamp, zone: Option<Zone>) -> String {
    on_clock(at, wanted_zone().or(zone), to_the_minute(at))
}

/// A planned time is mostly a whole minute, which is shown without seconds; a recorded time hardly ever is.
const fn to_the_minute(at: Timestamp) -> &'static str {
    if at.millis().rem_euclid(60_000) == 0 { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d %H:%M:%S" }
}

/// Formats a time to the millisecond, for lists: `2026-11-20 14:15:02.123 +08`.
pub fn format_time_exactly(at: Timestamp, zone: Option<Zone>) -> String {
    on_clock(at, wanted_zone().or(zone), "%Y-%m-%d %H:%M:%S%.3f")
}

/// Formats a time of day: `14:15:02 +08`.
pub fn format_time_of_day(at: Timestamp, zone: Option<Zone>) -> String {
    on_clock(at, wanted_zone().or(zone), "%H:%M:%S")
}

fn on_clock(at: Timestamp, zone: Option<Zone>, format: &str) -> String {
    let Some(utc) = DateTime::from_timestamp_millis(at.millis()) else { return at.rfc3339() };
    match zone {
        Some(Zone(zone)) => written(&utc.with_timezone(&zone), format),
        None => written(&utc.with_timezone(&Local), format),
    }
}

fn written<Z: TimeZone>(at: &DateTime<Z>, format: &str) -> String
where
    Z::Offset: std::fmt::Display,
{
    let offset = at.offset().fix();
    let seconds = offset.local_minus_utc();
    let offset = match seconds {
        0 => "UTC".to_owned(),
        _ => {
            let sign = if seconds < 0 { '-' } else { '+' };
            let (hours, minutes) = (seconds.abs() / 3_600, seconds.abs() / 60 % 60);
            if minutes == 0 { format!("{sign}{hours:02}") } else { format!("{sign}{hours:02}:{minutes:02}") }
        }
    };
    format!("{} {offset}", at.format(format))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_when_the_clock_of_its_zone_says_so() {
        let at = |text| Timestamp::parse_rfc3339(text).unwrap();
        for (zone, day, begins) in [
            ("Asia/Singapore", "2026-12-01", "2026-11-30T16:00:00Z"),
            ("UTC", "2026-12-01", "2026-12-01T00:00:00Z"),
            // The clock goes from 23:59 to 01:00.
            ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00Z"),
        ] {
            let (zone, day) = (Some(zone.parse().unwrap()), day.parse().unwrap());
            let start = start_of_day(day, zone);
            assert_eq!(start, at(begins), "{day}");
            let before = Timestamp::from_millis(start.millis() - 1);
            assert_eq!((day_of(start, zone), day_of(before, zone)), (day, day.pred_opt().unwrap()));
        }
    }

    #[tokio::test]
    async fn times_are_shown_in_the_zone_that_an_operator_asks_for() {
        let (at, singapore) =
            (Timestamp::parse_rfc3339("2026-12-01T01:00:00Z").unwrap(), "Asia/Singapore".parse().unwrap());
        let shown = async || [format_time(at, Some(singapore)), format_time_exactly(at, None)];
        let wanted = "America/New_York".parse().ok();
        let [whole, exact] = showing_times_in(wanted, async { shown().await }).await;
        assert_eq!(whole, "2026-11-30 20:00 -05 (America/New_York)");
        assert_eq!(exact, "2026-11-30 20:00:00.000 -05");
        assert_eq!(showing_times_in(None, async { shown().await }).await[0], "2026-12-01 09:00 +08 (Asia/Singapore)");
    }

    #[test]
    fn a_moment_names_its_zone() {
        let at = |text| Timestamp::parse_rfc3339(text).unwrap();
        let there = |zone: &str| Some(zone.parse::<Zone>().unwrap());
        let singapore = there("Asia/Singapore");
        assert_eq!(format_time(at("2026-12-01T01:00:00Z"), singapore), "2026-12-01 09:00 +08 (Asia/Singapore)");
        assert_eq!(format_time(at("2026-12-01T01:00:07Z"), singapore), "2026-12-01 09:00:07 +08 (Asia/Singapore)");
        assert_eq!(
            format_time(at("2026-12-01T01:00:00Z"), there("Asia/Kolkata")),
            "2026-12-01 06:30 +05:30 (Asia/Kolkata)"
        );
        assert_eq!(
            format_time(at("2026-12-01T01:00:00Z"), there("europe/london")),
            "2026-12-01 01:00 UTC (Europe/London)"
        );
        assert_eq!(format_time(at("2026-12-01T01:00:00Z"), there("UTC")), "2026-12-01 01:00 UTC");
        assert_eq!(format_time_exactly(at("2026-12-01T01:00:00.250Z"), singapore), "2026-12-01 09:00:00.250 +08");
        assert_eq!(format_time_of_day(at("2026-07-01T01:00:00Z"), there("America/New_York")), "21:00:00 -04");
    }
}
