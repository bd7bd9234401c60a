//! What the observers of a message are told of its receipts.

use super::*;
use crate::base::domain::{ApiCalls, Progress, Status};
use crate::rules::engine::CallOff;
use crate::store::{Change, NewSubscription, Observed, WebhookFormat};

fn api_plan() -> Plan {
    Plan {
        api: Some(ApiCalls { sub_account: "acme".to_owned(), caller: String::new(), callback: None, extras: None }),
        ..plan()
    }
}

async fn observed(desk: &Desk) -> Vec<Observed> {
    let rows = desk.store.observed_after(Cursor::START, 99).await.unwrap();
    rows.into_iter().map(|(_, row)| row.observed).collect()
}

fn told(observed: &[Observed]) -> Vec<Progress> {
    observed.iter().map(|observed| observed.progress).collect()
}

#[tokio::test]
async fn each_change_of_a_call_of_the_api_is_told_once() {
    let desk = Desk::of(api_plan()).await;
    let (first, second) = (StepIndex::FIRST, StepIndex::new(1).unwrap());
    let reached = |step, status| Progress::Reached { step, status };
    desk.answer(&desk.claim().await, "first").await;
    assert!(observed(&desk).await.is_empty(), "an accepted message is no news for its sender");
    desk.receive("first", "sent", None).await;
    desk.receive("first", "sent", None).await;
    desk.wait(60);
    let failed_at = desk.clock.now();
    desk.receive("first", "undelivered", Some(2_008)).await;
    desk.receive("first", "undelivered", Some(2_008)).await;
    let all = observed(&desk).await;
    assert_eq!(told(&all), [reached(first, Status::Sent), Progress::Failed { step: first }]);
    assert_eq!((all[1].at, all[1].code), (failed_at, Some(2_008)));
    // A late success of the first step ends the message, whatever step it waits for.
    desk.receive("first", "read", None).await;
    let all = told(&observed(&desk).await);
    let expected = [
        reached(first, Status::Delivered),
        reached(first, Status::Read),
        Progress::Ended { outcome: Outcome::Reached, skipped: None },
    ];
    assert_eq!(all[2..], expected);
    assert!(!all.iter().any(|progress| progress.step() == Some(second)));
}

#[tokio::test]
async fn reports_that_come_at_once_are_told_with_their_own_times() {
    let desk = Desk::of(api_plan()).await;
    desk.answer(&desk.claim().await, "first").await;
    let begun = desk.clock.now();
    desk.wait(60);
    let report = |state: &str, second: i64| {
        let timestamp = (begun + Span::from_secs(second)).rfc3339();
        let payload = serde_json::json!({"umid": "first", "channel": "viber", "status": {"state": state, "timestamp": timestamp}});
        serde_json::json!({"eventType": "outbound_message_status_changed", "payload": payload})
    };
    let body = serde_json::json!([report("delivered", 20), report("sent", 10), report("queued", 5)]).to_string();
    desk.applier.apply(parse(&body.into(), None, desk.clock.now())).await.unwrap();
    let told: Vec<_> = observed(&desk).await.into_iter().map(|it| (it.progress, it.at.since(begun))).collect();
    let reached = |status| Progress::Reached { step: StepIndex::FIRST, status };
    let second = Span::from_secs;
    let ended = Progress::Ended { outcome: Outcome::Reached, skipped: None };
    let expected = [(reached(Status::Sent), second(10)), (reached(Status::Delivered), second(20)), (ended, second(60))];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn an_end_without_a_receipt_is_told_with_whether_anything_was_submitted() {
    let cancelled = Progress::Ended { outcome: Outcome::Cancelled, skipped: None };
    let undelivered = Progress::Ended { outcome: Outcome::Undelivered, skipped: None };
    for (is_submitted, expected) in [(false, cancelled), (true, undelivered)] {
        let desk = Desk::of(api_plan()).await;
        if is_submitted {
            // The first step failed, and the second one waits in its queue.
            desk.answer(&desk.claim().await, "first").await;
            desk.receive("first", "undelivered", Some(2_008)).await;
        }
        let entry = desk.book.get(desk.key.batch).await.unwrap().unwrap();
        let called_off = Event::CalledOff(CallOff::Cancel);
        let change = entry.decide(&desk.message().await, called_off, desk.clock.now()).unwrap();
        desk.store.record(vec![change]).await.unwrap();
        let (_, last) = desk.store.observed_after(Cursor::START, 99).await.unwrap().pop().unwrap();
        assert_eq!((last.observed.progress, last.was_submitted), (expected, is_submitted));
    }
}

#[tokio::test]
async fn a_campaign_is_told_only_while_a_subscription_wants_it() {
    let desk = Desk::new().await;
    desk.book.refresh().await.unwrap();
    desk.answer(&desk.claim().await, "first").await;
    desk.receive("first", "sent", None).await;
    assert!(observed(&desk).await.is_empty());
    let new = |name: &str, format, types: &str| NewSubscription {
        name: name.to_owned(),
        url: "https://crm.example/".to_owned(),
        format,
        types: vec![types.to_owned()],
        sub_account: None,
        authorization: None,
        secret: "whsec_b25l".to_owned(),
    };
    // Neither is about messages of campaigns.
    for (name, format, types) in
        [("lanes", WebhookFormat::Volley, "lane.*"), ("client", WebhookFormat::Provider, "message.*")]
    {
        desk.store.create_subscription(new(name, format, types), Origin::SERVER, desk.clock.now()).await.unwrap();
    }
    desk.book.refresh().await.unwrap();
    desk.receive("first", "delivered", None).await;
    assert!(observed(&desk).await.is_empty());
    let new = new("crm", WebhookFormat::Volley, "message.*");
    desk.store.create_subscription(new, Origin::SERVER, desk.clock.now()).await.unwrap();
    desk.book.refresh().await.unwrap();
    desk.receive("first", "read", None).await;
    let read = Progress::Reached { step: StepIndex::FIRST, status: Status::Read };
    assert_eq!(told(&observed(&desk).await), [read]);
}

#[tokio::test]
async fn a_rejected_attempt_is_told_with_the_words_of_its_answer() {
    let desk = Desk::of(api_plan()).await;
    let (claimed, now) = (desk.claim().await, desk.clock.now());
    let entry = desk.book.get(desk.key.batch).await.unwrap().unwrap();
    let mut case = entry.case(&claimed);
    let refused = Answer::Refused { fault: crate::base::domain::Fault::Recipient, again: now };
    let event = Event::Answered { step: StepIndex::FIRST, answer: refused };
    let ruling = case.apply(&case.decide(&entry.plan, event, now), now);
    let fact = Attempt {
        step: StepIndex::FIRST,
        lane: desk.lane,
        queued: now,
        intent: Some(now),
        answered: now,
        verdict: Verdict::Rejected,
        tries: 0,
        code: Some(1_002),
        detail: Some("Invalid MSISDN format".to_owned()),
        umid: None,
        ruling,
    };
    desk.store.record(vec![Change { fact: Some(fact), ..entry.change(case) }]).await.unwrap();
    let all = observed(&desk).await;
    assert_eq!(told(&all), [Progress::Failed { step: StepIndex::FIRST }]);
    assert_eq!((all[0].code, all[0].message.as_deref(), all[0].at), (Some(1_002), Some("Invalid MSISDN format"), now));
}
