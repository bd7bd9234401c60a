//! Tests changed settings, account events, reports of the provider, and recorded buckets.

use super::*;
use crate::base::domain::OverridableSetting;
use crate::base::events::{Event, EventKind, Origin, Subject};
use crate::store::{AccountEvent, BucketOf, HeldBy, Hold, NotedBucket, Override, ProviderReport, Release, ReleasedBy};

for_every_store!(
    the_later_of_two_setting_changes_applies,
    an_operators_rate_is_not_changed_by_the_provider,
    a_reset_setting_is_removed,
    a_changed_file_value_ends_a_setting_for_any_new_change,
    an_account_event_is_stored_and_applied_once,
    the_later_of_pause_and_approval_applies_in_any_order,
    the_provider_releases_only_its_own_holds,
    a_release_is_told_in_each_language_with_its_last_hold,
    the_guards_holds_and_overrides_end_by_themselves,
    only_an_operator_keeps_an_older_bad_score_from_holding,
    the_latest_report_of_the_provider_is_stored,
    a_bucket_is_recorded_with_the_messages_that_used_it,
);

fn overridden(value: &str, by_operator: bool, since: i64) -> Override {
    Override {
        setting: OverridableSetting::Tier,
        name: "acme".to_owned(),
        value: value.to_owned(),
        in_file: "250".to_owned(),
        origin: if by_operator { Origin::operator("Ann", None) } else { Origin::provider("an event") },
        since: at(since),
    }
}

fn event(id: &str, happened_at: i64) -> AccountEvent {
    AccountEvent {
        id: id.to_owned(),
        received: at(happened_at + 1),
        happened_at: at(happened_at),
        kind: "template_status_update".to_owned(),
        raw: "{}".to_owned(),
        events: vec![Event::by_server(at(happened_at + 1), Subject::template("promo", "en"), EventKind::Paused)],
        overrides: Vec::new(),
        holds: Vec::new(),
        releases: Vec::new(),
        ended: Vec::new(),
        reports: Vec::new(),
    }
}

fn release(because: ReleasedBy) -> Release {
    let (lane, template, language) = ("wa".to_owned(), "promo".to_owned(), "en".to_owned());
    Release { lane, template, language, because }
}

fn held(language: &str, by: HeldBy) -> Hold {
    Hold {
        lane: "wa".to_owned(),
        template: "promo".to_owned(),
        language: language.to_owned(),
        by,
        code: None,
        origin: Origin::provider("paused"),
        since: at(1),
    }
}

async fn values(desk: &Desk) -> Vec<String> {
    desk.overrides().await.unwrap().into_iter().map(|overridden| overridden.value).collect()
}

async fn the_later_of_two_setting_changes_applies(desk: Desk) {
    let before = desk.seq().await.unwrap();
    assert!(desk.set_override(overridden("10K", true, 5), at(5)).await.unwrap() > Some(before));
    assert_eq!(
        desk.set_override(overridden("2K", false, 4), at(6)).await.unwrap(),
        None,
        "an older change that arrives later"
    );
    assert_eq!(values(&desk).await, ["10K"]);
    assert!(desk.set_override(overridden("1K", false, 6), at(7)).await.unwrap().is_some());
    assert_eq!(desk.overrides().await.unwrap(), [overridden("1K", false, 6)]);
    let texts: Vec<_> =
        desk.events(Cursor::START, 9).await.unwrap().into_iter().map(|(_, event)| event.text()).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(
        texts[1].contains("not set to 2K") && texts[2].starts_with("tier set to 1K (in the file: 250)"),
        "{texts:?}"
    );
}

async fn an_operators_rate_is_not_changed_by_the_provider(desk: Desk) {
    let rate = |value, by_operator, since| Override {
        setting: OverridableSetting::Rate,
        ..overridden(value, by_operator, since)
    };
    desk.set_override(rate("40/s", true, 1), at(1)).await.unwrap();
    assert_eq!(desk.set_override(rate("1000/s", false, 2), at(2)).await.unwrap(), None);
    desk.set_override(rate("20/s", true, 3), at(3)).await.unwrap();
    assert_eq!(values(&desk).await, ["20/s"]);
}

async fn a_reset_setting_is_removed(desk: Desk) {
    desk.set_override(overridden("10K", true, 5), at(5)).await.unwrap();
    let back = || desk.end_override(OverridableSetting::Tier, "acme".to_owned(), Origin::operator("Ann", None), at(6));
    assert!(back().await.unwrap().is_some());
    assert_eq!((back().await.unwrap(), values(&desk).await.len()), (None, 0));
}

async fn a_changed_file_value_ends_a_setting_for_any_new_change(desk: Desk) {
    desk.set_override(overridden("10K", true, 5), at(5)).await.unwrap();
    let other = Override { in_file: "1K".to_owned(), ..overridden("2K", false, 1) };
    assert!(
        desk.set_override(other.clone(), at(6)).await.unwrap().is_some(),
        "the present change has ended with the file's value"
    );
    assert_eq!(desk.overrides().await.unwrap(), [other]);
}

async fn an_account_event_is_stored_and_applied_once(desk: Desk) {
    let upgrade = AccountEvent { overrides: vec![overridden("2K", false, 3)], ..event("e-1", 3) };
    let paused = AccountEvent { holds: vec![held("en", HeldBy::Event)], ..event("e-2", 4) };
    assert_eq!(desk.take_business(vec![upgrade.clone(), paused.clone(), paused.clone()]).await.unwrap(), 2);
    assert_eq!((values(&desk).await, desk.holds().await.unwrap()), (vec!["2K".to_owned()], paused.holds.clone()));
    // The events are repeated after an operator has decided otherwise.
    desk.end_override(OverridableSetting::Tier, "acme".to_owned(), Origin::operator("Ann", None), at(6)).await.unwrap();
    desk.release("wa".to_owned(), "promo".to_owned(), at(6), Origin::operator("Ann", None)).await.unwrap();
    let seq = desk.seq().await.unwrap();
    assert_eq!(desk.take_business(vec![upgrade, paused.clone()]).await.unwrap(), 0);
    assert!(values(&desk).await.is_empty() && desk.holds().await.unwrap().is_empty());
    assert_eq!(desk.seq().await.unwrap(), seq);
    // Another event from before the release, which arrives only now.
    let holds = vec![Hold { since: at(9), ..held("en", HeldBy::Event) }];
    let late = AccountEvent { id: "e-3".to_owned(), received: at(9), happened_at: at(5), holds, ..paused };
    assert_eq!(desk.take_business(vec![late]).await.unwrap(), 1);
    assert!(desk.holds().await.unwrap().is_empty());
}

async fn the_later_of_pause_and_approval_applies_in_any_order(desk: Desk) {
    let lift = release(ReleasedBy::Status);
    let paused = |id, sent, received| {
        let holds = vec![Hold { since: at(received), ..held("en", HeldBy::Event) }];
        AccountEvent { holds, received: at(received), ..event(id, sent) }
    };
    let approved =
        |id, sent, received| AccountEvent { releases: vec![lift.clone()], received: at(received), ..event(id, sent) };
    let is_held = async || !desk.holds().await.unwrap().is_empty();
    desk.take_business(vec![approved("e-1", 50, 51), paused("e-2", 10, 60)]).await.unwrap();
    assert!(!is_held().await, "the pause is older than the approval");
    desk.take_business(vec![paused("e-3", 70, 71), approved("e-4", 55, 80)]).await.unwrap();
    assert!(is_held().await, "the approval is older than the pause");
    // A later pause updates the time of the present hold.
    desk.take_business(vec![paused("e-5", 90, 91), approved("e-6", 80, 95)]).await.unwrap();
    assert!(is_held().await);
    desk.take_business(vec![approved("e-7", 100, 101)]).await.unwrap();
    assert!(!is_held().await);
    desk.take_business(vec![paused("e-8", 102, 103)]).await.unwrap();
    assert!(is_held().await);
}

async fn the_provider_releases_only_its_own_holds(desk: Desk) {
    let (theirs, other, ours) = (held("en", HeldBy::Event), held("de", HeldBy::Answer), held("", HeldBy::Operator));
    for hold in [&theirs, &other, &ours] {
        desk.hold(hold.clone(), at(1)).await.unwrap();
    }
    let lift = release(ReleasedBy::Status);
    desk.take_business(vec![AccountEvent { releases: vec![lift], ..event("e-1", 3) }]).await.unwrap();
    assert_eq!(desk.holds().await.unwrap(), [ours, other]);
}

async fn a_release_is_told_in_each_language_with_its_last_hold(desk: Desk) {
    let released = async || {
        let events = desk.events(Cursor::START, 99).await.unwrap().into_iter().map(|(_, event)| event);
        let released = events.filter(|event| event.kind == EventKind::Released);
        released.map(|event| event.subject).collect::<Vec<_>>()
    };
    let holds = vec![held("en", HeldBy::Event), held("en", HeldBy::Quality), held("de", HeldBy::Event)];
    desk.take_business(vec![AccountEvent { holds: holds.clone(), ..event("held", 1) }]).await.unwrap();
    let releases = |because| vec![release(because)];
    let good = AccountEvent { releases: releases(ReleasedBy::Quality), ..event("good", 2) };
    desk.take_business(vec![good]).await.unwrap();
    assert_eq!((released().await, desk.holds().await.unwrap().len()), (Vec::new(), 2), "it is still paused");
    let approved = AccountEvent { releases: releases(ReleasedBy::Status), ..event("approved", 3) };
    desk.take_business(vec![approved]).await.unwrap();
    let [english, german] = ["en", "de"].map(|language| Subject::held("wa", "promo", language));
    assert_eq!(released().await, std::slice::from_ref(&english));
    // An operator releases all languages, and each holder's hold.
    desk.take_business(vec![AccountEvent { holds, ..event("again", 4) }]).await.unwrap();
    let ann = Origin::operator("Ann", None);
    assert_eq!(desk.release("wa".to_owned(), "promo".to_owned(), at(9), ann).await.unwrap(), 3);
    assert_eq!(released().await, [english.clone(), german, english]);
}

async fn the_guards_holds_and_overrides_end_by_themselves(desk: Desk) {
    let guard = held("en", HeldBy::Quality);
    let slowed = Override { setting: OverridableSetting::Rate, name: "wa".to_owned(), ..overridden("40/s", false, 3) };
    let (holds, overrides) = (vec![guard.clone()], vec![slowed.clone()]);
    desk.take_business(vec![AccountEvent { holds, overrides, ..event("e-1", 3) }]).await.unwrap();
    assert_eq!((desk.holds().await.unwrap(), values(&desk).await), (vec![guard], vec!["40/s".to_owned()]));
    // An approval says nothing about the quality.
    desk.take_business(vec![AccountEvent { releases: vec![release(ReleasedBy::Status)], ..event("e-2", 4) }])
        .await
        .unwrap();
    assert_eq!(desk.holds().await.unwrap().len(), 1);
    // A pause is a hold of its own: each kind of release ends its own kind.
    let paused = Hold { since: at(6), ..held("en", HeldBy::Event) };
    desk.take_business(vec![AccountEvent { holds: vec![paused.clone()], ..event("e-3", 5) }]).await.unwrap();
    assert_eq!(desk.holds().await.unwrap().len(), 2);
    desk.take_business(vec![AccountEvent { releases: vec![release(ReleasedBy::Status)], ..event("e-6", 6) }])
        .await
        .unwrap();
    let by = |holds: Vec<Hold>| holds.into_iter().map(|hold| hold.by).collect::<Vec<_>>();
    assert_eq!(by(desk.holds().await.unwrap()), [HeldBy::Quality], "the template is still RED");
    desk.take_business(vec![AccountEvent { holds: vec![paused.clone()], ..event("e-7", 7) }]).await.unwrap();
    let good =
        AccountEvent { releases: vec![release(ReleasedBy::Quality)], ended: vec![slowed.clone()], ..event("e-4", 8) };
    desk.take_business(vec![good.clone()]).await.unwrap();
    assert_eq!((desk.holds().await.unwrap(), values(&desk).await), (vec![paused], vec![]));
    // What an operator has changed since then stays.
    let by_hand = Override { origin: Origin::operator("Ann", None), since: at(8), ..slowed };
    desk.set_override(by_hand, at(8)).await.unwrap();
    desk.take_business(vec![AccountEvent { id: "e-5".to_owned(), ..good }]).await.unwrap();
    assert_eq!(values(&desk).await, ["40/s"]);
}

async fn only_an_operator_keeps_an_older_bad_score_from_holding(desk: Desk) {
    let red = |id, sent| {
        let holds = vec![Hold { since: at(20), ..held("en", HeldBy::Quality) }];
        AccountEvent { holds, received: at(20), ..event(id, sent) }
    };
    desk.take_business(vec![AccountEvent { releases: vec![release(ReleasedBy::Status)], ..event("e-1", 10) }])
        .await
        .unwrap();
    desk.take_business(vec![red("e-2", 9)]).await.unwrap();
    assert_eq!(desk.holds().await.unwrap().len(), 1, "an approval says nothing about the quality");
    desk.release("wa".to_owned(), "promo".to_owned(), at(19), Origin::operator("Ann", None)).await.unwrap();
    desk.take_business(vec![red("e-3", 18)]).await.unwrap();
    assert!(desk.holds().await.unwrap().is_empty());
    desk.take_business(vec![red("e-4", 20)]).await.unwrap();
    assert_eq!(desk.holds().await.unwrap().len(), 1, "the provider has reported anew");
}

async fn the_latest_report_of_the_provider_is_stored(desk: Desk) {
    let report = |value: &str, second| ProviderReport {
        about: Subject::lane("wa"),
        what: "quality".to_owned(),
        value: value.to_owned(),
        at: at(second),
    };
    let with = |id, value, second| AccountEvent { reports: vec![report(value, second)], ..event(id, second) };
    desk.take_business(vec![with("e-1", "FLAGGED", 5), with("e-2", "ONBOARDING", 2)]).await.unwrap();
    assert_eq!(desk.provider_reports().await.unwrap(), [report("FLAGGED", 5)]);
    desk.take_business(vec![with("e-3", "UNFLAGGED", 6)]).await.unwrap();
    assert_eq!(desk.provider_reports().await.unwrap(), [report("UNFLAGGED", 6)]);
}

async fn a_bucket_is_recorded_with_the_messages_that_used_it(desk: Desk) {
    let batch = desk.batch_of(2).await;
    let both = messages(&desk.claimed(batch, 2).await);
    let noted = |of: BucketOf, full_at| NotedBucket { of, full_at };
    let (lane, account) = (BucketOf::Lane("wa".to_owned()), BucketOf::Account("waba".to_owned()));
    let first = vec![noted(lane.clone(), 7), noted(account.clone(), 9)];
    assert!(desk.record_noting(vec![accepted(&both[0], at(1))], first.clone()).await.unwrap().is_empty());
    assert_eq!(desk.buckets().await.unwrap(), first);
    // Even if the change comes too late: the message was submitted all the same.
    let stale = accepted(&both[0], at(2));
    let late = desk.record_noting(vec![stale, accepted(&both[1], at(2))], vec![noted(lane.clone(), 8)]).await.unwrap();
    // A superseded server that does not know it yet records an older time.
    assert!(desk.record_noting(Vec::new(), vec![noted(lane.clone(), 6)]).await.unwrap().is_empty());
    assert_eq!(late, [both[0].key]);
    assert_eq!(desk.buckets().await.unwrap(), [noted(lane, 8), noted(account, 9)]);
}
