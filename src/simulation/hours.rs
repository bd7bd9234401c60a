//! Whether something may leave by the clocks of those who get it, written down a second time: minutes are counted from
//! 1970 on, and zones are the three of the storms, none of which moves its clock while they last.

use crate::domain::{Hours, Timestamp};

const MINUTES: i64 = 24 * 60;
/// What the clocks of the storms' countries, and of the zone that is named there, are ahead of UTC.
const AHEAD: [(&str, i64); 4] = [("SG", 8 * 60), ("MY", 8 * 60), ("DE", 60), ("UTC", 0)];
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

pub(super) fn are_open(hours: &Hours, at: Timestamp, country: &str) -> bool {
    let theirs = ahead(country);
    let is_quiet = hours.quiet.iter().any(|stretch| holds(&stretch.to_string(), at, theirs));
    let in_window = hours.windows.is_empty() || hours.windows.iter().any(|one| holds(&one.to_string(), at, theirs));
    let today = minute(at, theirs).div_euclid(MINUTES);
    let is_holiday = hours.holidays.iter().any(|day| day.to_epoch_days() == i32::try_from(today).unwrap());
    let begins = hours.since.map(|shown| shown.and_utc().timestamp_millis() - theirs * 60_000);
    in_window && !is_quiet && !is_holiday && begins.is_none_or(|begins| at.millis() >= begins)
}

fn ahead(place: &str) -> i64 {
    AHEAD.iter().find(|(known, _)| *known == place).unwrap_or_else(|| panic!("no storm is at {place}")).1
}

/// Minutes that a clock shows, since 1970.
fn minute(at: Timestamp, ahead: i64) -> i64 {
    at.millis().div_euclid(60_000) + ahead
}

/// `Fri 09:00-18:00 UTC`, where the day and the zone may be missing.
fn holds(stretch: &str, at: Timestamp, theirs: i64) -> bool {
    let words: Vec<&str> = stretch.split(' ').collect();
    let times = words.iter().find(|word| word.contains(':')).unwrap();
    let place = words.iter().position(|word| word == times).unwrap();
    let only_on = words[..place].first().map(|day| DAYS.iter().position(|known| known == day).unwrap());
    let now = minute(at, words.get(place + 1).map_or(theirs, |zone| ahead(zone)));
    let (from, until) = times.split_once('-').unwrap();
    let (from, until) = (of_day(from), of_day(until));
    let length = (until - from).rem_euclid(MINUTES);
    let length = if length == 0 { MINUTES } else { length };
    // It began today or yesterday, where it began at all.
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
