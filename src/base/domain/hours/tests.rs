//! Send hours across clock changes, and compared with a search of every minute.

use super::*;
use proptest::prelude::*;

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn stretch(text: &str) -> Stretch {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn hours(windows: &[&str], quiet: &[&str]) -> Hours {
    let all = |texts: &[&str]| texts.iter().map(|text| stretch(text)).collect();
    Hours { windows: all(windows), quiet: all(quiet), ..Hours::default() }
}

#[test]
fn a_day_is_closed_if_nothing_may_be_sent_from_midnight_to_midnight() {
    let day = |day: u32| NaiveDate::from_ymd_opt(2026, 12, day).unwrap();
    let singapore = zone("Asia/Singapore");
    let closed = |hours: &[Hours]| {
        let days = closed_days(hours, day(1)..day(15), singapore);
        days.into_iter().map(|(day, rule)| (day.day(), rule)).collect::<Vec<_>>()
    };
    let holidays = BTreeSet::from([day(2), day(5), day(30)]);
    let office = Hours { holidays, ..hours(&["Mon-Fri 09:00-18:00"], &[]) };
    let (holiday, window) = (ClosedBy::Holidays, ClosedBy::SendWindow);
    let alone = vec![(2, holiday), (5, holiday), (6, window), (12, window), (13, window)];
    assert_eq!(closed(std::slice::from_ref(&office)), alone);
    // A step that may be sent on Saturdays opens them, and hours through midnight open the day after.
    assert_eq!(closed(&[office.clone(), hours(&["Sat 10:00-12:00"], &[])]), [(2, holiday), (6, window), (13, window)]);
    assert_eq!(closed(&[office, hours(&["Sat 22:00-02:00"], &[])]), [(2, holiday)]);
    assert_eq!(closed(&[hours(&[], &["21:00-08:00"])]), []);
    assert_eq!(closed(&[hours(&[], &["Thu 00:00-24:00"])]), [(3, ClosedBy::QuietHours), (10, ClosedBy::QuietHours)]);
    let never = hours(&[], &["00:00-24:00"]);
    assert_eq!(closed(std::slice::from_ref(&never)).len(), 14);
    assert_eq!(closed(&[Hours { since: day(4).and_hms_opt(9, 0, 0), ..Hours::default() }]), []);
}

#[test]
fn a_stretch_parses_in_many_spellings_and_prints_in_one() {
    for (text, printed) in [
        ("21:00-08:00", "21:00-08:00"),
        ("Mon-Fri 09:00-18:00", "Mon-Fri 09:00-18:00"),
        ("monday-friday 9:00 - 18:00", "Mon-Fri 09:00-18:00"),
        ("Sat, Sun 10:00–14:00", "Sat,Sun 10:00-14:00"),
        ("Fri-Mon 10:00-14:00", "Mon,Fri-Sun 10:00-14:00"),
        ("daily 00:00-24:00", "00:00-24:00"),
        ("Mon-Wed,Fri 08:30-24:00 asia/singapore", "Mon-Wed,Fri 08:30-24:00 Asia/Singapore"),
    ] {
        match text.parse::<Stretch>() {
            Ok(read) => assert_eq!(read.to_string(), printed, "{text}"),
            Err(error) => assert!(printed.is_empty(), "{text}: {error}"),
        }
    }
    for wrong in ["", "21", "21:00", "21:00-", "25:00-08:00", "09:60-10:00", "Foo 09:00-10:00", "09:00-18:00 Mon-Fri"] {
        assert!(wrong.parse::<Stretch>().is_err(), "{wrong}");
    }
    for wrong in ["08:00-08:00", "00:00-00:00", "24:00-24:00", "24:00-00:00"] {
        assert!(matches!(wrong.parse::<Stretch>(), Err(InvalidStretch::Whole(_))), "{wrong}");
    }
}

#[test]
fn a_window_of_the_whole_day_limits_nothing() {
    let singapore = zone("Asia/Singapore");
    // A Friday.
    let now = at("2026-12-04T10:30:00Z");
    let daily = hours(&["00:00-24:00"], &[]);
    assert!(daily.are_all() && !daily.are_theirs());
    assert_eq!((daily.open_from(now, singapore), daily.open_until(now, singapore)), (Some(now), None));
    // On some days it is a window like any other: closed from Saturday to Sunday.
    let weekdays = hours(&["Mon-Fri 00:00-24:00"], &[]);
    assert!(!weekdays.are_all());
    let saturday = at("2026-12-04T16:00:00Z");
    assert_eq!(weekdays.open_until(now, singapore), Some(saturday));
    assert_eq!(weekdays.open_from(saturday, singapore), Some(at("2026-12-06T16:00:00Z")));
    assert_eq!(hours(&[], &["00:00-24:00"]).open_from(now, singapore), None);
}

#[test]
fn quiet_hours_end_by_the_local_time_of_the_recipient() {
    let quiet = hours(&[], &["21:00-08:00"]);
    // 15:00 UTC is 23:00 in Singapore and 10:00 in New York.
    let now = at("2026-12-01T15:00:00Z");
    assert_eq!(quiet.open_from(now, zone("Asia/Singapore")), Some(at("2026-12-02T00:00:00Z")));
    assert_eq!(quiet.open_from(now, zone("America/New_York")), Some(now));
    assert_eq!(quiet.open_until(now, zone("America/New_York")), Some(at("2026-12-02T02:00:00Z")));
    // At the minute itself.
    assert!(!quiet.are_open(at("2026-12-01T13:00:00Z"), zone("Asia/Singapore")));
    assert!(quiet.are_open(at("2026-12-01T12:59:59.999Z"), zone("Asia/Singapore")));
    assert!(quiet.are_open(at("2026-12-02T00:00:00Z"), zone("Asia/Singapore")));
}

#[test]
fn a_send_window_excludes_nights_weekends_and_holidays() {
    let mut office = hours(&["Mon-Fri 09:00-18:00"], &[]);
    let singapore = zone("Asia/Singapore");
    // Friday the 4th, 18:30 in Singapore: the next opening is on Monday.
    let friday = at("2026-12-04T10:30:00Z");
    assert_eq!(office.open_from(friday, singapore), Some(at("2026-12-07T01:00:00Z")));
    office.holidays.extend(["2026-12-07", "2026-12-08"].map(|day| day.parse::<NaiveDate>().unwrap()));
    assert_eq!(office.open_from(friday, singapore), Some(at("2026-12-09T01:00:00Z")));
    assert_eq!(office.open_until(at("2026-12-09T01:00:00Z"), singapore), Some(at("2026-12-09T10:00:00Z")));
}

#[test]
fn a_window_over_midnight_belongs_to_the_day_on_which_it_begins() {
    let night = hours(&["Fri 22:00-02:00"], &[]);
    let london = zone("Europe/London");
    // Friday the 4th.
    for (text, open) in [
        ("2026-12-04T01:00:00Z", false),
        ("2026-12-04T22:00:00Z", true),
        ("2026-12-05T01:59:00Z", true),
        ("2026-12-05T02:00:00Z", false),
        ("2026-12-05T22:30:00Z", false),
    ] {
        assert_eq!(night.are_open(at(text), london), open, "{text}");
    }
}

#[test]
fn hours_follow_local_time_through_clock_changes() {
    let berlin = zone("Europe/Berlin");
    // On 29 March the clock skips from 02:00 to 03:00 and never shows 02:30, so quiet hours until 02:30 end when it
    // shows 03:00.
    let quiet = hours(&[], &["22:00-02:30"]);
    let jump = at("2026-03-29T01:00:00Z");
    assert_eq!(quiet.open_from(at("2026-03-29T00:30:00Z"), berlin), Some(jump));
    assert!(quiet.are_open(jump, berlin) && !quiet.are_open(jump - Span::from_millis(1), berlin));
    let window = hours(&["02:30-09:00"], &[]);
    assert_eq!(window.open_from(at("2026-03-29T00:30:00Z"), berlin), Some(jump));
    // On 25 October the clock goes back from 03:00 to 02:00: 02:00 to 02:30 is quiet both times.
    assert_eq!(quiet.open_from(at("2026-10-25T00:10:00Z"), berlin), Some(at("2026-10-25T00:30:00Z")));
    assert!(!quiet.are_open(at("2026-10-25T01:10:00Z"), berlin));
    assert_eq!(quiet.open_from(at("2026-10-25T01:10:00Z"), berlin), Some(at("2026-10-25T01:30:00Z")));
    // A message allowed since 01:30 is still allowed when 01:30 comes again.
    let since = Hours { since: "2026-11-01T01:30:00".parse().ok(), ..Hours::default() };
    assert!(since.are_open(at("2026-11-01T06:10:00Z"), zone("America/New_York")), "01:10 for the second time");
}

#[test]
fn hours_with_a_zone_are_the_same_for_all_recipients() {
    let office = hours(&["Mon-Fri 09:00-18:00 Asia/Singapore"], &[]);
    let now = at("2026-12-04T10:30:00Z");
    assert_eq!(office.closed_for_all(now), Some(at("2026-12-07T01:00:00Z")));
    assert_eq!(office.open_from(now, zone("America/New_York")), Some(at("2026-12-07T01:00:00Z")));
    assert_eq!(office.closed_for_all(at("2026-12-04T09:30:00Z")), None);
    assert_eq!(hours(&["Mon-Fri 09:00-18:00"], &[]).closed_for_all(now), None);
}

#[test]
fn hours_that_never_open_have_no_next_opening() {
    let never = hours(&["Mon-Fri 09:00-18:00"], &["08:00-20:00"]);
    assert_eq!(never.open_from(at("2026-12-04T10:30:00Z"), zone("Asia/Singapore")), None);
}

#[test]
fn a_start_by_local_time_keeps_the_distance_between_messages() {
    let nine: NaiveDateTime = "2026-12-01T09:00:00".parse().unwrap();
    let since = Hours { since: Some(nine), ..Hours::default() };
    let (east, west) = (zone("America/New_York"), zone("America/Los_Angeles"));
    let begins = at("2026-12-01T14:00:00Z");
    assert_eq!(since.open_from(at("2026-11-30T00:00:00Z"), east), Some(begins));
    // A recipient in Los Angeles whose message was planned an hour after the first of the country gets it an hour after
    // nine.
    let planned = begins + Span::from_secs(3_600);
    assert_eq!(since.put_off(planned, Some(begins), planned, west), Some(at("2026-12-01T18:00:00Z")));
    assert_eq!(
        since.put_off(planned, Some(begins), at("2026-12-01T19:00:00Z"), west),
        Some(at("2026-12-01T19:00:00Z"))
    );
}

fn stretches() -> impl Strategy<Value = Vec<Stretch>> {
    let zones = prop_oneof![
        3 => Just(None),
        1 => Just(Some("Asia/Singapore")),
        1 => Just(Some("America/Los_Angeles")),
        1 => Just(Some("Pacific/Kiritimati")),
    ];
    let one = (1_u8..128, 0_u16..48, 0_u16..48, zones).prop_filter_map("no time", |(days, from, until, zone)| {
        let zone = zone.map(|name| name.parse().unwrap());
        (from != until).then(|| Stretch { days: Weekdays(days), from: from * 30, until: until * 30, zone })
    });
    prop::collection::vec(one, 0..3)
}

proptest! {
    #[test]
    fn the_next_opening_and_closing_match_a_search_by_minute(
        windows in stretches(),
        quiet in stretches(),
        // Includes clock changes.
        begin in 0_i64..366 * 24 * 4,
        name in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia"]),
    ) {
        let (hours, recipient_zone) = (Hours { windows, quiet, ..Hours::default() }, zone(name));
        let minute = |minute: i64| at("2026-01-01T00:00:00Z") + Span::from_secs((begin * 15 + minute) * 60);
        let (now, week) = (minute(0), 8 * 24 * 60);
        for open in [true, false] {
            let found = if open { hours.open_from(now, recipient_zone) } else { hours.open_until(now, recipient_zone) };
            let searched = (0..week).map(minute).find(|at| hours.are_open(*at, recipient_zone) == open);
            match searched {
                Some(at) => prop_assert_eq!(found, Some(at)),
                None => prop_assert!(found.is_none_or(|found| found >= minute(week))),
            }
        }
    }

    #[test]
    fn a_stretch_reads_what_it_prints(all in stretches()) {
        for one in all {
            prop_assert_eq!(one.to_string().parse::<Stretch>().map_err(|error| error.to_string()), Ok(one));
        }
    }
}
