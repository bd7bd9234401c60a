//! Whether a message may be sent by the recipient's clock, written a second time. Minutes are counted from 1970, and
//! zones are the three of the storms. None of them changes its offset during a storm.

use crate::base::domain::{Hours, Timestamp};

const MINUTES: i64 = 24 * 60;
/// How many minutes each zone of the storms is ahead of UTC, by country or name.
const AHEAD: [(&str, i64); 4] = [("SG", 8 * 60), ("BR", -3 * 60), ("DE", 60), ("UTC", 0)];
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

pub(super) fn are_open(hours: &Hours, at: Timestamp, country: &str) -> bool {
    let local = ahead(country);
    let is_quiet = hours.quiet.iter().any(|stretch| contains(&stretch.to_string(), at, local));
    let in_window = hours.windows.is_empty() || hours.windows.iter().any(|one| contains(&one.to_string(), at, local));
    let today = minute(at, local).div_euclid(MINUTES);
    let is_holiday = hours.holidays.iter().any(|day| day.to_epoch_days() == i32::try_from(today).unwrap());
    let begins = hours.since.map(|shown| shown.and_utc().timestamp_millis() - local * 60_000);
    in_window && !is_quiet && !is_holiday && begins.is_none_or(|begins| at.millis() >= begins)
}

fn ahead(zone: &str) -> i64 {
    AHEAD.iter().find(|(known, _)| *known == zone).unwrap_or_else(|| panic!("no storm uses the zone {zone}")).1
}

/// Returns the minutes that a clock shows, since 1970.
fn minute(at: Timestamp, ahead: i64) -> i64 {
    at.millis().div_euclid(60_000) + ahead
}

/// Whether a stretch such as `Fri 09:00-18:00 UTC` contains this time; its day and zone may be missing.
fn contains(stretch: &str, at: Timestamp, local: i64) -> bool {
    let words: Vec<&str> = stretch.split(' ').collect();
    let times = words.iter().find(|word| word.contains(':')).unwrap();
    let index = words.iter().position(|word| word == times).unwrap();
    let only_on = words[..index].first().map(|day| DAYS.iter().position(|known| known == day).unwrap());
    let now = minute(at, words.get(index + 1).map_or(local, |zone| ahead(zone)));
    let (from, until) = times.split_once('-').unwrap();
    let (from, until) = (of_day(from), of_day(until));
    let length = (until - from).rem_euclid(MINUTES);
    let length = if length == 0 { MINUTES } else { length };
    // A stretch that contains this time began today or yesterday.
    let begins_on = |day: i64| {
        // 1970 began on a Thursday.
        let weekday = usize::try_from((day + 3).rem_euclid(7)).unwrap();
        only_on.is_none_or(|only| only == weekday)
    };
    let today = now.div_euclid(MINUTES);
    [today - 1, today].into_iter().any(|day| {
        let begun = day * MINUTES + from;
        begins_on(day) && (begun..begun + length).contains(&now)
    })
}

fn of_day(time: &str) -> i64 {
    let (hour, minute) = time.split_once(':').unwrap();
    hour.parse::<i64>().unwrap() * 60 + minute.parse::<i64>().unwrap()
}
