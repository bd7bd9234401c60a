use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::*;
use crate::base::domain::{Hours, OpenMinutes, Span, StepIndex};

const BEGINS: &str = "2026-12-01T01:00:00Z";

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn load(rate: f64) -> LaneLoad {
    LaneLoad {
        lane: "wa".to_owned(),
        rate,
        account: None,
        portfolio: None,
        campaigns: 0.0,
        others: 0.0,
        coming: VecDeque::new(),
    }
}

fn slots_of_250() -> Portfolio {
    Portfolio {
        name: "acme".to_owned(),
        most: 250,
        free: 250.0,
        need_no_slot: 0.0,
        coming: VecDeque::new(),
        held: Span::from_secs(86_400),
        days: BTreeMap::new(),
    }
}

fn open(hours: Hours) -> Arc<OpenMinutes<'static>> {
    Arc::new(hours.into())
}

fn group(recipients: f64) -> Group {
    let (opens, zone) = (at(BEGINS), "Asia/Singapore".parse().unwrap());
    let (step, spread, cost) = (StepIndex::FIRST, f64::INFINITY, 0.0);
    Group {
        step,
        lane: 0,
        recipients,
        spread,
        cost,
        ends: None,
        opens,
        zone,
        hours: open(Hours::default()),
        stays: None,
    }
}

fn forecast(outlook: Outlook) -> (String, Bottleneck) {
    let Forecast { done_at, bottleneck, .. } = outlook.forecast(at(BEGINS)).unwrap();
    // To the minute: fractions of a second do not matter.
    (done_at.rfc3339()[..16].to_owned(), bottleneck.unwrap())
}

fn of_lane(what: fn(String) -> Bottleneck) -> Bottleneck {
    what("wa".to_owned())
}

#[test]
fn the_rate_alone_determines_the_end() {
    let outlook = Outlook { groups: vec![group(36_000.0)], loads: vec![load(10.0)], ..Outlook::default() };
    assert_eq!(forecast(outlook), ("2026-12-01T02:00".to_owned(), of_lane(|lane| Bottleneck::Rate { lane })));
}

#[test]
fn a_thousand_recipients_on_a_tier_of_250_take_until_day_four() {
    let load = LaneLoad { portfolio: Some(0), ..load(80.0) };
    let outlook = Outlook {
        groups: vec![group(1_000.0)],
        loads: vec![load],
        portfolios: vec![slots_of_250()],
        ..Outlook::default()
    };
    assert_eq!(forecast(outlook), ("2026-12-04T01:00".to_owned(), Bottleneck::Tier { portfolio: "acme".to_owned() }));
}

#[test]
fn slots_are_booked_by_day_and_shared_with_later_campaigns() {
    let alone = LaneLoad { portfolio: Some(0), ..load(80.0) };
    // Another campaign of 400 begins on the second day.
    let later = Coming { from: at("2026-12-02T00:30:00Z"), messages: 400.0, adds: true };
    let later = VecDeque::from([later]);
    let shared = LaneLoad { coming: later, ..alone.clone() };
    let booked = |loads: &[&LaneLoad]| {
        let outlook = Outlook {
            groups: vec![group(600.0)],
            loads: loads.iter().copied().cloned().collect(),
            portfolios: vec![slots_of_250()],
            ..Outlook::default()
        };
        let forecast = outlook.forecast(at(BEGINS)).unwrap();
        let [booking] = &forecast.bookings[..] else { panic!("one portfolio") };
        assert_eq!((booking.portfolio.as_str(), booking.recipients_per_day), ("acme", 250));
        let days = booking.days.iter().map(|day| (day.day.to_string(), day.recipients, day.others));
        days.collect::<Vec<_>>()
    };
    let day = |day: u32, recipients, others| (format!("2026-12-{day:02}"), recipients, others);
    assert_eq!(booked(&[&alone]), [day(1, 250, 0), day(2, 250, 0), day(3, 100, 0)]);
    let with_others = [day(1, 250, 0), day(2, 125, 125), day(3, 125, 125), day(4, 100, 100)];
    assert_eq!(booked(&[&shared]), with_others);
    assert_eq!(booked(&[&alone, &shared]), with_others, "it uses the same slots on another lane");
}

#[test]
fn recipients_that_need_no_slot_are_sent_to_despite_a_full_tier() {
    let portfolio = Portfolio { free: 0.0, need_no_slot: 800.0, ..slots_of_250() };
    let coming = VecDeque::from([(at("2026-12-01T13:00:00Z"), 250.0)]);
    let of = |recipients, portfolio| Outlook {
        groups: vec![group(recipients)],
        loads: vec![LaneLoad { portfolio: Some(0), ..load(1.0) }],
        portfolios: vec![portfolio],
        ..Outlook::default()
    };
    let all = of(800.0, portfolio.clone()).forecast(at(BEGINS)).unwrap();
    assert_eq!(all.done_at.since(at(BEGINS)), Span::from_secs(800));
    assert_eq!((all.bottleneck, all.bookings[0].days.len()), (Some(of_lane(|lane| Bottleneck::Rate { lane })), 0));
    // The others wait until slots become free at noon.
    let some = of(1_000.0, Portfolio { coming, ..portfolio }).forecast(at(BEGINS)).unwrap();
    assert_eq!(some.done_at, at("2026-12-01T13:00:00Z") + Span::from_secs(200));
    assert_eq!(some.bookings[0].days[0].recipients, 200);
}

#[test]
fn office_hours_continue_on_the_next_day_and_after_the_weekend() {
    let hours = Hours { windows: vec!["Mon-Fri 09:00-18:00".parse().unwrap()], ..Hours::default() };
    // Nine hours a day, from Tuesday on: five days of them end on Monday evening.
    let group = Group { hours: open(hours), ..group(5.0 * 9.0 * 3_600.0) };
    let outlook = Outlook { groups: vec![group], loads: vec![load(1.0)], ..Outlook::default() };
    assert_eq!(forecast(outlook), ("2026-12-07T10:00".to_owned(), Bottleneck::Hours));
}

#[test]
fn another_campaign_shares_the_lane_until_it_is_done() {
    let load = LaneLoad { campaigns: 1.0, others: 3_600.0, ..load(2.0) };
    let outlook = Outlook { groups: vec![group(5_400.0)], loads: vec![load], ..Outlook::default() };
    // An hour shared, and a quarter of an hour alone.
    assert_eq!(forecast(outlook), ("2026-12-01T02:15".to_owned(), of_lane(|lane| Bottleneck::Others { lane })));
}

#[test]
fn a_spread_takes_its_time_and_lanes_share_an_account() {
    let spread = Group { spread: 1_000.0 / (3.0 * 3_600.0), ..group(1_000.0) };
    let outlook = Outlook { groups: vec![spread], loads: vec![load(80.0)], ..Outlook::default() };
    assert_eq!(forecast(outlook), ("2026-12-01T04:00".to_owned(), Bottleneck::Over));
    let on = |lane| Group { lane, ..group(3_600.0) };
    let loads = vec![LaneLoad { account: Some(0), ..load(2.0) }; 2];
    let accounts = vec![Account { name: "waba".to_owned(), rate: 2.0 }];
    let outlook = Outlook { groups: vec![on(0), on(1)], loads, accounts, ..Outlook::default() };
    assert_eq!(forecast(outlook), ("2026-12-01T02:00".to_owned(), Bottleneck::Account { account: "waba".to_owned() }));
    // Another campaign on another lane of the account uses half of it too.
    let loads = vec![
        LaneLoad { account: Some(0), ..load(2.0) },
        LaneLoad { account: Some(0), campaigns: 1.0, others: 1_800.0, ..load(2.0) },
    ];
    let accounts = vec![Account { name: "waba".to_owned(), rate: 2.0 }];
    let outlook = Outlook { groups: vec![group(3_600.0)], loads, accounts, ..Outlook::default() };
    assert_eq!(forecast(outlook).0, "2026-12-01T01:45");
}

#[test]
fn hours_that_never_open_have_no_forecast() {
    let hours = Hours {
        windows: vec!["09:00-10:00".parse().unwrap()],
        quiet: vec!["08:00-11:00".parse().unwrap()],
        ..Hours::default()
    };
    let outlook = Outlook {
        groups: vec![Group { hours: open(hours), ..group(1.0) }],
        loads: vec![load(1.0)],
        ..Outlook::default()
    };
    assert_eq!(outlook.forecast(at(BEGINS)), None);
}

#[test]
fn a_start_by_recipients_clocks_waits_for_the_clocks() {
    let since = Some("2026-12-01T12:00:00".parse().unwrap());
    let group = Group { hours: open(Hours { since, ..Hours::default() }), ..group(1.0) };
    let outlook = Outlook { groups: vec![group], loads: vec![load(1.0)], ..Outlook::default() };
    assert_eq!(forecast(outlook), ("2026-12-01T04:00".to_owned(), Bottleneck::Clocks));
}

fn left_behind(outlook: Outlook) -> (String, Vec<(u64, Stop)>) {
    let forecast = outlook.forecast(at(BEGINS)).unwrap();
    let left_behind = forecast.left_behind.iter().map(|left| (left.messages, left.by)).collect();
    (forecast.done_at.rfc3339()[..16].to_owned(), left_behind)
}

#[test]
fn the_end_stops_first_messages_but_not_fallbacks() {
    let until = |end: &str| Group { ends: Some(at(end)), ..group(36_000.0) };
    let of = |groups| Outlook { groups, loads: vec![load(10.0)], ..Outlook::default() };
    let ends = until("2026-12-01T01:30:00Z");
    assert_eq!(left_behind(of(vec![ends.clone()])), ("2026-12-01T01:30".to_owned(), vec![(18_000, Stop::End)]));
    assert_eq!(left_behind(of(vec![until("2026-12-01T02:00:01Z")])), ("2026-12-01T02:00".to_owned(), Vec::new()));
    let fallbacks = Group { step: StepIndex::all().nth(1).unwrap(), ..group(9_000.0) };
    let (done_at, unsent) = left_behind(of(vec![ends, fallbacks]));
    assert_eq!(done_at, "2026-12-01T01:39");
    assert!(matches!(unsent[..], [(21_000..=22_000, Stop::End)]), "{unsent:?}");
}

#[test]
fn a_long_campaign_continues_as_in_the_weeks_before() {
    let on_a_tier = |group| Outlook {
        groups: vec![group],
        loads: vec![LaneLoad { portfolio: Some(0), ..load(80.0) }],
        portfolios: vec![slots_of_250()],
        ..Outlook::default()
    };
    let days = |forecast: &Forecast| forecast.done_at.since(at(BEGINS)).millis() / 86_400_000;
    let long = on_a_tier(group(100_000.0)).forecast(at(BEGINS)).unwrap();
    assert!((398..=401).contains(&days(&long)), "{}", days(&long));
    assert_eq!(long.bottleneck, Some(Bottleneck::Tier { portfolio: "acme".to_owned() }));
    let [booking] = &long.bookings[..] else { panic!("one portfolio") };
    assert!((33..=37).contains(&booking.days.len()) && booking.until.to_string().starts_with("2028-01"), "{booking:?}");
    // An end, or a limit, after those weeks.
    let ends = Some(at(BEGINS) + Span::from_secs(100 * 86_400));
    let (_, unsent) = left_behind(on_a_tier(Group { ends, ..group(100_000.0) }));
    assert!(matches!(unsent[..], [(74_500..=75_500, Stop::End)]), "{unsent:?}");
    let cap = RemainingLimit { step: None, by: Stop::MaxMessages, left: 25_000.0 };
    let limited = Outlook { caps: vec![cap], ..on_a_tier(group(100_000.0)) }.forecast(at(BEGINS)).unwrap();
    assert!((98..=101).contains(&days(&limited)), "{}", days(&limited));
    assert_eq!(limited.left_behind, [NotSent { messages: 75_000, by: Stop::MaxMessages }]);
    assert_eq!(on_a_tier(group(10_000_000.0)).forecast(at(BEGINS)), None, "a hundred years are never");
}

#[test]
fn a_limit_stops_its_step_and_a_budget_the_whole_campaign() {
    let capped = |step, by, left| Outlook {
        groups: vec![group(1_000.0), Group { opens: at("2026-12-01T03:00:00Z"), ..group(3_600.0) }],
        loads: vec![load(1.0)],
        caps: vec![RemainingLimit { step, by, left }],
        ..Outlook::default()
    };
    let messages = |left| left_behind(capped(Some(StepIndex::FIRST), Stop::MaxMessages, left));
    assert_eq!(messages(600.0), ("2026-12-01T01:10".to_owned(), vec![(4_000, Stop::MaxMessages)]));
    assert_eq!(messages(2_800.0), ("2026-12-01T03:30".to_owned(), vec![(1_800, Stop::MaxMessages)]));
    assert_eq!(messages(4_600.0), ("2026-12-01T04:00".to_owned(), Vec::new()));
    let mut dear = capped(None, Stop::Budget, 60.0);
    dear.groups[0].cost = 0.1;
    assert_eq!(left_behind(dear), ("2026-12-01T01:10".to_owned(), vec![(4_000, Stop::Budget)]));
    let other = StepIndex::all().nth(1);
    assert_eq!(left_behind(capped(other, Stop::MaxMessages, 0.0)).1, Vec::new());
}
