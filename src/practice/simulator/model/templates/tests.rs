use serde_json::{Value, json};

use super::*;
use crate::practice::simulator::Profile;
use crate::practice::simulator::model::{AccountEvent, DelayedReply};

const AT: &str = "/api/v1/accounts/acme-1/channels/wa-1/templates";

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + second * 1_000)
}

struct Provider(Model);

impl Provider {
    fn new(change: impl FnOnce(&mut TemplatesProfile)) -> Self {
        let mut profile = Profile::perfect();
        change(&mut profile.templates);
        Self(Model::new(profile, 1, at(0)))
    }

    #[track_caller]
    fn ask(&mut self, method: Method, path: &str, body: &Value, second: i64) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let call = Call { method, path, authorization: None, body: body.as_bytes() };
        let DelayedReply { reply: Reply::Response { status, body, .. }, .. } = self.0.call(&call, at(second)) else {
            panic!("no answer");
        };
        (status, serde_json::from_str(&body).unwrap())
    }

    fn create(&mut self, name: &str, second: i64) -> (u16, Value) {
        let template = json!({"name": name, "language": "en", "category": "UTILITY", "components": [
            {"type": "HEADER", "format": "image", "examples": ["https://a.example/a.png"]},
            {"type": "BODY", "text": "Hi {{1}}, {{2}} is here", "examples": ["Ann", "it"]},
            {"type": "BUTTONS", "buttons": [{"type": "url", "text": "Go", "url": "https://a.example/{{1}}", "examples": ["a"]},
                                            {"type": "quick_reply", "text": "Stop"}]},
        ]});
        self.ask(Method::Post, AT, &template, second)
    }

    /// Makes an event by hand; returns each that is posted: its type, account, and what it says of the template.
    fn event(&mut self, kind: &str, body: &Value, second: i64) -> Vec<Value> {
        let event = AccountEvent::read(kind, body.to_string().as_bytes()).unwrap().unwrap();
        let posted = self.0.make_event(event, at(second));
        posted.iter().map(|webhook| short(&serde_json::from_slice(&webhook.event).unwrap())).collect()
    }

    fn status_event(&mut self, name: &str, status: &str, second: i64) -> Vec<Value> {
        self.event("template_status_update", &json!({"template": name, "language": "en", "status": status}), second)
    }

    fn statuses(&mut self, second: i64) -> Vec<String> {
        let (status, list) = self.ask(Method::Get, AT, &Value::Null, second);
        assert_eq!(status, 200);
        let status = |template: &Value| {
            format!("{} {}", template["templateName"].as_str().unwrap(), template["status"].as_str().unwrap())
        };
        list["templates"].as_array().unwrap().iter().map(status).collect()
    }

    /// Sends a message; returns the code of a refusal, or that of the receipt.
    fn sent(&mut self, name: &str, language: &str, body: usize, second: i64) -> Option<i64> {
        let text = json!({"type": "text", "text": "a"});
        let components = json!([
            {"type": "header", "parameters": [{"type": "image", "url": "https://a.example/a.png"}]},
            {"type": "body", "parameters": vec![text.clone(); body]},
            {"type": "button", "subType": "url", "index": 0, "parameters": [text]},
        ]);
        let request = json!({"user": {"msisdn": "+6591234567"}, "type": "template", "channels": [{"channel": "WhatsApp"}],
            "content": {"template": {"name": name, "language": language, "components": components}}});
        let (status, answer) = self.ask(Method::Post, "/api/v1/subaccounts/acme/messages", &request, second);
        if status >= 400 {
            return answer["code"].as_i64();
        }
        let receipts = self.0.take_due(at(second + 3_600), 100);
        let codes = receipts.iter().map(|webhook| serde_json::from_slice::<Value>(&webhook.event).unwrap());
        codes.filter_map(|event| event["payload"]["status"]["errorCode"].as_i64()).find(|code| *code != 0)
    }
}

fn short(event: &Value) -> Value {
    let details = &event["eventDetails"];
    json!([event["eventType"], event["accountId"], details["templateName"], details["meta"]["status"]])
}

#[test]
fn a_created_template_is_pending_until_its_review_and_a_webhook_reports_it() {
    let mut provider = Provider::new(|profile| profile.reject = vec!["bad".to_owned()]);
    assert_eq!(provider.create("promo", 0), (200, json!({})));
    assert_eq!(provider.create("bad", 1).0, 200);
    assert_eq!(provider.statuses(1), ["bad PENDING", "promo PENDING"]);
    assert_eq!(provider.0.next_template_change(), Some(at(60)));
    assert!(provider.0.take_template_changes(at(59)).is_empty());
    let events: Vec<Value> = provider
        .0
        .take_template_changes(at(61))
        .iter()
        .map(|webhook| serde_json::from_slice(&webhook.event).unwrap())
        .collect();
    let wanted = |name: &str, status: &str| json!(["template_status_update", "acme-1", name, status]);
    assert_eq!(events.iter().map(short).collect::<Vec<_>>(), [wanted("bad", "REJECTED"), wanted("promo", "APPROVED")]);
    assert_eq!(
        (provider.statuses(62), provider.0.next_template_change()),
        (vec!["bad REJECTED".into(), "promo APPROVED".into()], None)
    );
}

#[test]
fn the_name_of_a_removed_template_is_locked_for_thirty_days() {
    let mut provider = Provider::new(|_| {});
    provider.create("promo", 0);
    let path = format!("{AT}/promo");
    assert_eq!(provider.ask(Method::Delete, &path, &Value::Null, 10), (200, json!({})));
    assert_eq!(provider.ask(Method::Delete, &path, &Value::Null, 11).0, 400);
    assert!(provider.statuses(11).is_empty());
    let (status, error) = provider.create("promo", 10 + 30 * 86_400 - 1);
    assert_eq!((status, &error["code"]), (409, &json!(3_060)));
    let said = "New English content can't be added while the existing English content is being deleted. Try again in 4 weeks \
                or consider creating a new message template.";
    assert_eq!(error["message"], said);
    assert_eq!(provider.create("promo", 10 + 30 * 86_400).0, 200);
}

#[test]
fn a_hundred_templates_an_hour_can_be_created() {
    let mut provider = Provider::new(|_| {});
    for n in 0..100 {
        assert_eq!(provider.create(&format!("promo_{n}"), n).0, 200);
    }
    assert_eq!(provider.create("one_more", 3_599).0, 429);
    assert_eq!(provider.create("one_more", 3_600).0, 200, "the first one is an hour old");
}

#[test]
fn a_message_is_held_against_its_template() {
    let mut provider = Provider::new(|_| {});
    assert_eq!(provider.sent("promo", "en", 5, 0), None, "it was never created, and the profile is not strict");
    provider.create("promo", 10);
    assert_eq!(provider.sent("promo", "en", 2, 20), Some(1_031), "it is not approved yet");
    provider.0.take_template_changes(at(100));
    assert_eq!(provider.sent("promo", "en", 2, 5_000), None);
    assert_eq!(provider.sent("promo", "de", 2, 10_000), Some(3_037));
    assert_eq!(provider.sent("promo", "en", 1, 15_000), Some(1_030));
    assert_eq!(provider.sent("promo", "en", 3, 20_000), Some(1_030));
    for (status, code) in
        [("PAUSED", Some(1_035)), ("DISABLED", Some(1_036)), ("REJECTED", Some(1_031)), ("FLAGGED", None)]
    {
        let posted = provider.status_event("promo", status, 25_000);
        assert_eq!(posted, [json!(["template_status_update", "acme-1", "promo", status])]);
        assert_eq!(provider.sent("promo", "en", 2, 30_000), code, "{status}");
        assert_eq!(provider.statuses(30_000), [format!("promo {status}")]);
    }
}

#[test]
fn an_event_makes_known_a_template_that_was_never_created() {
    let mut provider = Provider::new(|_| {});
    let posted = provider.status_event("promo", "PAUSED", 0);
    // No request has named an account, so the event names none.
    assert_eq!(posted, [json!(["template_status_update", null, "promo", "PAUSED"])]);
    assert_eq!(provider.sent("promo", "en", 5, 10), Some(1_035));
    assert_eq!(provider.sent("promo", "de", 5, 5_000), None, "nothing is known of another language");
    assert_eq!(provider.statuses(5_000), ["promo PAUSED"]);
    let released = provider.event(
        "template_status_update",
        &json!({"template": "promo", "language": "en", "status": "PAUSED", "title": "UNPAUSE"}),
        5_001,
    );
    assert_eq!(released[0][1], "acme-1", "the account of the list");
    assert_eq!(provider.sent("promo", "en", 5, 10_000), None);
    // It is created after all.
    assert_eq!(provider.create("promo", 15_000).0, 200);
    assert_eq!(provider.statuses(15_000), ["promo PENDING"]);
}

#[test]
fn a_removed_template_is_refused_and_no_event_brings_it_back() {
    let mut provider = Provider::new(|_| {});
    provider.create("promo", 0);
    provider.status_event("promo", "APPROVED", 1);
    assert_eq!(provider.sent("promo", "en", 2, 2), None);
    assert_eq!(provider.ask(Method::Delete, &format!("{AT}/promo"), &Value::Null, 5_000).0, 200);
    assert_eq!(provider.sent("promo", "en", 2, 5_001), Some(3_038));
    assert_eq!(provider.status_event("promo", "APPROVED", 5_002).len(), 1);
    assert_eq!(provider.sent("promo", "en", 2, 5_003), Some(3_038));
    assert!(provider.statuses(5_004).is_empty());
}

#[test]
fn a_red_score_pauses_a_template_for_three_hours_then_six_then_for_good() {
    const HOURS: i64 = 3_600;
    let mut provider = Provider::new(|_| {});
    let mut now = 0;
    for (lasts, status) in [(Some(3), "PAUSED"), (Some(6), "PAUSED"), (None, "DISABLED")] {
        let posted = provider.event(
            "template_quality_update",
            &json!({"template": "promo", "language": "en", "new": "RED"}),
            now,
        );
        let wanted = |kind: &str, status: Value| json!([kind, null, "promo", status]);
        assert_eq!(
            posted,
            [wanted("template_quality_update", Value::Null), wanted("template_status_update", json!(status))]
        );
        let ends = lasts.map(|hours| at(now + hours * HOURS));
        assert_eq!(provider.0.next_template_change(), ends);
        let Some(hours) = lasts else { break };
        now += hours * HOURS;
        assert!(provider.0.take_template_changes(at(now - 1)).is_empty());
        let released = provider.0.take_template_changes(at(now));
        let released: Value = serde_json::from_slice(&released[0].event).unwrap();
        assert_eq!(
            released["eventDetails"]["meta"],
            json!({"status": "APPROVED", "reason": "NONE", "otherInfo": {"title": "UNPAUSE"}})
        );
    }
    assert_eq!(provider.sent("promo", "en", 2, now), Some(1_036));
}

#[test]
fn a_strict_provider_refuses_a_template_that_was_never_created() {
    let mut provider = Provider::new(|profile| profile.strict = true);
    assert_eq!(provider.sent("promo", "en", 2, 0), Some(3_038));
}

#[test]
fn the_name_of_a_locked_templates_language_is_the_documents() {
    let mut provider = Provider::new(|_| {});
    let template = json!({"name": "promo", "language": "id", "category": "UTILITY",
        "components": [{"type": "BODY", "text": "Halo"}]});
    provider.ask(Method::Post, AT, &template, 0);
    provider.ask(Method::Delete, &format!("{AT}/promo"), &Value::Null, 1);
    let (_, error) = provider.ask(Method::Post, AT, &template, 2);
    let said = "New Indonesian content can't be added while the existing Indonesian content is being deleted. Try again in 4 \
                weeks or consider creating a new message template.";
    assert_eq!(error["message"], said);
}

#[test]
fn a_creation_that_breaks_a_documented_rule_is_refused_and_not_listed() {
    let mut provider = Provider::new(|_| {});
    let of = |name: &str, text: &str| json!({"name": name, "language": "en", "category": "UTILITY", "components": [{"type": "BODY", "text": text}]});
    for template in [of("Has Capitals!", "Hi"), of("promo", "{{1}}")] {
        let (status, error) = provider.ask(Method::Post, AT, &template, 0);
        assert_eq!((status, &error["code"]), (400, &json!(1_000)), "{template}");
        assert!(error["message"].as_str().unwrap().starts_with("Invalid parameter: "), "{error}");
    }
    assert!(provider.statuses(1).is_empty());
}

#[test]
fn a_listed_template_has_the_names_of_its_language_category_and_status() {
    let mut provider = Provider::new(|_| {});
    provider.create("promo", 0);
    provider.status_event("promo", "PENDING_DELETION", 1);
    let (_, list) = provider.ask(Method::Get, AT, &Value::Null, 2);
    let listed = &list["templates"][0];
    let words = ["languageName", "categoryName", "statusName"].map(|key| listed[key].as_str().unwrap());
    assert_eq!(words, ["English", "Utility", "Pending deletion"]);
}
