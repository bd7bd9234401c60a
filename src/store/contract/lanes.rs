//! Tests lanes, holds and opt-outs.

use super::*;
use crate::base::domain::{OptOutOf, OptOutSource, WishSubject};
use crate::base::events::{Origin, Subject};
use crate::store::{HeldBy, Hold, OptOut};

for_every_store!(
    a_lane_keeps_its_id,
    the_first_reason_of_a_hold_stays,
    a_release_ends_an_operators_and_the_providers_hold,
    a_template_is_held_apart_from_its_lane,
    a_request_begun_before_a_release_places_no_hold,
    holds_and_releases_are_decisions_and_events,
    a_repeated_opt_out_counts_from_the_first_time,
);

async fn a_lane_keeps_its_id(desk: Desk) {
    let (wa, sms) = (("wa".to_owned(), Channel::WhatsApp), ("sms".to_owned(), Channel::Sms));
    let first = desk.lanes(vec![wa.clone()]).await.unwrap();
    let both = desk.lanes(vec![sms.clone(), wa.clone(), sms]).await.unwrap();
    assert_eq!(both.len(), 2);
    assert_eq!(both[0], first[0]);
    assert_eq!((both[1].name.as_str(), both[1].channel), ("sms", Channel::Sms));
    assert_eq!(desk.lanes(vec![wa]).await.unwrap(), both);
    let moved = desk.lanes(vec![("sms".to_owned(), Channel::Rcs)]).await.unwrap();
    assert_eq!((moved[1].id, moved[1].channel), (both[1].id, Channel::Rcs));
}

fn hold(template: &str, by: HeldBy, reason: &str, since: Timestamp) -> Hold {
    let (lane, template, language) = ("wa".to_owned(), template.to_owned(), String::new());
    Hold {
        lane,
        template,
        language,
        by,
        code: (by != HeldBy::Operator).then_some(1_003),
        origin: Origin::rule(reason),
        since,
    }
}

async fn the_first_reason_of_a_hold_stays(desk: Desk) {
    let first = hold("", HeldBy::Answer, "the key was refused", at(1));
    desk.hold(first.clone(), at(1)).await.unwrap();
    desk.hold(hold("", HeldBy::Answer, "the key was refused again", at(2)), at(2)).await.unwrap();
    assert_eq!(desk.holds().await.unwrap(), [first]);
}

async fn a_release_ends_an_operators_and_the_providers_hold(desk: Desk) {
    let (ours, theirs) =
        (hold("", HeldBy::Answer, "refused", at(1)), hold("", HeldBy::Operator, "paused by Ann", at(2)));
    desk.hold(ours.clone(), at(1)).await.unwrap();
    desk.hold(theirs.clone(), at(2)).await.unwrap();
    assert_eq!(desk.holds().await.unwrap(), [ours, theirs]);
    assert_eq!(desk.release("wa".to_owned(), String::new(), at(3), Origin::operator("Ann", None)).await.unwrap(), 2);
    assert!(desk.holds().await.unwrap().is_empty());
    assert_eq!(desk.release("wa".to_owned(), String::new(), at(3), Origin::operator("Ann", None)).await.unwrap(), 0);
}

async fn a_template_is_held_apart_from_its_lane(desk: Desk) {
    let (lane, template) =
        (hold("", HeldBy::Operator, "paused", at(1)), hold("promo", HeldBy::Answer, "template paused", at(2)));
    desk.hold(template.clone(), at(2)).await.unwrap();
    desk.hold(lane.clone(), at(1)).await.unwrap();
    assert_eq!(desk.release("wa".to_owned(), String::new(), at(3), Origin::operator("Ann", None)).await.unwrap(), 1);
    assert_eq!(desk.holds().await.unwrap(), [template]);
}

async fn a_request_begun_before_a_release_places_no_hold(desk: Desk) {
    let refused = |second| hold("promo", HeldBy::Receipt, "the template is paused", at(second));
    desk.hold(refused(10), at(5)).await.unwrap();
    assert_eq!(
        desk.release("wa".to_owned(), "promo".to_owned(), at(20), Origin::operator("Ann", None)).await.unwrap(),
        1
    );
    let before = desk.seq().await.unwrap();
    assert!(desk.hold(refused(30), at(19)).await.unwrap() > before, "the caller looks again, and finds the release");
    assert!(desk.holds().await.unwrap().is_empty());
    // The lane and other templates were not released.
    desk.hold(hold("other", HeldBy::Receipt, "paused too", at(30)), at(19)).await.unwrap();
    desk.hold(hold("", HeldBy::Operator, "paused by Ann", at(30)), at(30)).await.unwrap();
    assert_eq!(desk.holds().await.unwrap().len(), 2);
    desk.hold(refused(31), at(20)).await.unwrap();
    assert_eq!(desk.holds().await.unwrap().len(), 3, "a later request holds it again");
}

async fn holds_and_releases_are_decisions_and_events(desk: Desk) {
    let before = desk.seq().await.unwrap();
    let noted = desk.hold(hold("promo", HeldBy::Operator, "paused by Ann", at(1)), at(1)).await.unwrap();
    assert!(noted > before);
    assert_eq!(desk.seq().await.unwrap(), noted);
    desk.release("wa".to_owned(), "promo".to_owned(), at(2), Origin::operator("Ann", None)).await.unwrap();
    assert!(desk.seq().await.unwrap() > noted);
    let events: Vec<_> =
        desk.events(Cursor::START, 10).await.unwrap().into_iter().map(|(_, event)| (event.at, event.subject)).collect();
    let subject = Subject::held("wa", "promo", "");
    assert_eq!(events, [(at(1), subject.clone()), (at(2), subject)]);
}

async fn a_repeated_opt_out_counts_from_the_first_time(desk: Desk) {
    let before = desk.seq().await.unwrap();
    let wish = |n, second| OptOut {
        address: msisdn(n).into(),
        of: WishSubject::EVERYTHING,
        since: at(second),
        from: OptOutSource::Operator,
        source: "STOP".to_owned(),
    };
    desk.opt_out(vec![wish(3, 1), wish(1, 1), wish(3, 2)]).await.unwrap();
    desk.opt_out(vec![wish(1, 5)]).await.unwrap();
    let asked = vec![msisdn(9), msisdn(3), msisdn(1), msisdn(3)];
    assert_eq!(desk.opted_out(asked, OptOutOf::Everything).await.unwrap(), [msisdn(1), msisdn(3)]);
    assert!(desk.opted_out(Vec::new(), OptOutOf::Everything).await.unwrap().is_empty());
    assert!(desk.seq().await.unwrap() > before, "an opt-out makes the nodes look");
}
