use serde_json::json;

use super::*;
use crate::base::config::Config;
use crate::base::domain::Timestamp;
use crate::store::{FetchedTemplates, StoredTemplate, TemplatePlace};

const PARTS: &str = r#"[
    {"type":"HEADER","format":"Image"},
    {"type":"BODY","text":"Hi {{1}}, your order {{2}} is on its way, {{1}}."},
    {"type":"FOOTER","text":"Acme"},
    {"type":"BUTTONS","buttons":[
        {"type":"URL","text":"Track","url":"https://shop.example/t/{{1}}"},
        {"type":"URL","text":"Shop","url":"https://shop.example"},
        {"type":"quick_reply","text":"Stop"}]}]"#;

fn lane() -> Lane {
    let text = "[[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\nsub_account = \"acme\"\naccount_id = \"acme-1\"\n\
                channel_id = \"wa-1\"\n";
    let none = std::iter::empty::<(&str, String)>();
    let read = Config::read(Some((std::path::Path::new("volley.toml"), text)), std::iter::empty(), none);
    read.unwrap().config.lanes.remove(0)
}

fn stored(name: &str, language: &str, category: &str, status: &str, components: &str) -> StoredTemplate {
    let [name, language, category, status, components] =
        [name, language, category, status, components].map(str::to_owned);
    StoredTemplate { name, language, category, status, components, updated_at: None }
}

fn catalogue(templates: Vec<StoredTemplate>) -> Catalogue {
    let place = TemplatePlace { account_id: "acme-1".to_owned(), channel_id: "wa-1".to_owned() };
    Catalogue::of(vec![FetchedTemplates { place, fetched_at: Timestamp::default(), templates }], &[], &[lane()])
}

fn orders(status: &str) -> Catalogue {
    catalogue(vec![
        stored("orders", "en", "UTILITY", status, PARTS),
        stored("orders", "de", "UTILITY", "APPROVED", PARTS),
        stored("orders_2024", "fr", "UTILITY", "APPROVED", PARTS),
    ])
}

/// A content that fits, with changes of its keys.
fn content(changes: serde_json::Value) -> Content {
    let mut template = json!({
        "name": "orders", "language": "en", "category": "UTILITY", "header": {"image": "https://a.example/{{Pic}}"},
        "body": ["{{Name}}", "{{Order}}"], "buttons": [{"index": 0, "url": "{{Slug}}"}]
    });
    let serde_json::Value::Object(changes) = changes else { panic!("{changes}") };
    for (key, value) in changes {
        template[key] = value;
    }
    serde_json::from_value(json!({ "template": template })).unwrap()
}

#[track_caller]
fn found(catalogue: &Catalogue, content: &Content) -> Vec<(&'static str, String)> {
    problems(catalogue, &lane(), content, false).into_iter().map(|misfit| (misfit.key, misfit.sentence)).collect()
}

#[track_caller]
fn one(catalogue: &Catalogue, changes: serde_json::Value, key: &str, says: &str) {
    let found = found(catalogue, &content(changes));
    let [(of, sentence)] = &found[..] else { panic!("{found:?}") };
    assert!(*of == key && sentence.contains(says), "{found:?}");
}

#[test]
fn a_content_that_fits_has_no_problem_and_an_unfetched_channel_refuses_nothing() {
    assert_eq!(found(&orders("APPROVED"), &content(json!({}))), []);
    assert_eq!(found(&orders("FLAGGED"), &content(json!({}))), []);
    let odd = content(json!({"name": "nothing", "body": []}));
    assert_eq!(found(&Catalogue::default(), &odd), []);
    let text: Content = serde_json::from_value(json!({"text": {"text": "Hi"}})).unwrap();
    assert_eq!(found(&orders("APPROVED"), &text), []);
}

#[test]
fn a_missing_name_or_language_gets_a_suggestion() {
    let all = orders("APPROVED");
    one(&all, json!({"name": "order"}), "name", "did you mean \"orders\"?");
    one(&all, json!({"name": "welcome"}), "name", "volley template pull");
    one(&all, json!({"language": "en_US"}), "language", "it exists in en, de");
}

#[test]
fn only_an_approved_or_paused_template_may_be_launched() {
    one(&orders("PENDING"), json!({}), "", "when = \"approved\"");
    one(&orders("REJECTED"), json!({}), "", "use another one");
    one(&orders("DISABLED"), json!({}), "", "use another one");
    assert_eq!(found(&orders("PAUSED"), &content(json!({}))), []);
    let waiting = |status| problems(&orders(status), &lane(), &content(json!({})), true).len();
    assert_eq!((waiting("PENDING"), waiting("REJECTED"), waiting("DISABLED")), (0, 1, 1));
}

#[test]
fn another_category_is_refused() {
    one(&orders("APPROVED"), json!({"category": "MARKETING"}), "category", "is UTILITY at the provider, not MARKETING");
}

#[test]
fn the_body_needs_one_value_for_each_variable() {
    let all = orders("APPROVED");
    one(&all, json!({"body": ["a"]}), "body", "has 2 variables, but body has 1 value");
    one(&all, json!({"body": ["a", "b", "c"]}), "body", "has 2 variables, but body has 3 values");
    let plain = catalogue(vec![stored("orders", "en", "UTILITY", "APPROVED", r#"[{"type":"BODY","text":"Hi"}]"#)]);
    let given = json!({"header": null, "buttons": [], "body": ["a"]});
    one(&plain, given, "body", "remove body");
    // The text of an authentication template may not be listed; its code is the one value.
    let parts = r#"[{"type":"BODY"},{"type":"BUTTONS","buttons":[{"type":"OTP","text":"Copy"}]}]"#;
    let code = catalogue(vec![stored("orders", "en", "AUTHENTICATION", "APPROVED", parts)]);
    let given = json!({"category": "AUTHENTICATION", "header": null, "body": ["1234"]});
    assert_eq!(found(&code, &content(given)), []);
}

#[test]
fn named_parameters_are_not_filled_in() {
    let whole = json!({"header": {"text": "a"}, "body": ["b"], "buttons": []});
    for (parts, key) in [
        (
            r#"[{"type":"HEADER","format":"TEXT","text":"Hi {{1}}"},{"type":"BODY","text":"Hi {{customer_name}}!"}]"#,
            "body",
        ),
        (r#"[{"type":"HEADER","format":"TEXT","text":"Hi {{name}}"},{"type":"BODY","text":"Hi {{1}}!"}]"#, "header"),
    ] {
        let template = catalogue(vec![stored("orders", "en", "UTILITY", "APPROVED", parts)]);
        one(&template, whole.clone(), key, "and only numbered ones are filled in");
    }
}

#[test]
fn the_header_must_be_of_the_templates_kind() {
    let all = orders("APPROVED");
    one(&all, json!({"header": null}), "header", "add header = { image = … }");
    one(&all, json!({"header": {"text": "a"}}), "header", "of kind image, not text");
    let with = |header: &str| {
        let parts = format!("[{header}{{\"type\":\"body\",\"text\":\"Hi\"}}]");
        catalogue(vec![stored("orders", "en", "UTILITY", "APPROVED", &parts)])
    };
    let given = |header: serde_json::Value| json!({"header": header, "body": [], "buttons": []});
    one(&with(""), given(json!({"text": "a"})), "header", "has no header; remove it");
    let fixed = with(r#"{"type":"HEADER","format":"TEXT","text":"News"},"#);
    one(&fixed, given(json!({"text": "a"})), "header", "takes no value; remove it");
    assert_eq!(found(&fixed, &content(given(json!(null)))), []);
    let variable = with(r#"{"type":"header","format":"text","text":"News of {{1}}"},"#);
    one(&variable, given(json!(null)), "header", "add header = { text = … }");
    assert_eq!(found(&variable, &content(given(json!({"text": "a"})))), []);
}

#[test]
fn each_button_takes_the_value_of_its_kind() {
    let all = orders("APPROVED");
    one(&all, json!({"buttons": []}), "buttons", "button 0 (URL \"Track\") of template orders (en) needs a value");
    let with = |more: serde_json::Value| json!({"buttons": [{"index": 0, "url": "a"}, more]});
    one(&all, with(json!({"index": 1, "url": "b"})), "buttons", "takes no value; remove it");
    one(&all, with(json!({"index": 2, "url": "b"})), "buttons", "takes payload");
    one(&all, with(json!({"index": 3, "payload": "b"})), "buttons", "its buttons are 0 to 2");
    assert_eq!(found(&all, &content(with(json!({"index": 2, "payload": "b"})))), []);
    let parts = r#"[{"type":"BODY","text":"Hi"},{"type":"BUTTONS","buttons":[{"type":"COPY_CODE"},{"type":"FLOW"}]}]"#;
    let coupon = catalogue(vec![stored("orders", "en", "UTILITY", "APPROVED", parts)]);
    let given = |buttons: serde_json::Value| json!({"header": null, "body": [], "buttons": buttons});
    one(&coupon, given(json!([])), "buttons", "add { index = 0, copy_code = … }");
    let both = json!([{"index": 0, "copy_code": "25OFF"}, {"index": 1, "flow": {}}]);
    assert_eq!(found(&coupon, &content(given(both))), []);
}

#[test]
fn each_card_of_a_carousel_needs_its_values_and_a_raw_template_must_exist_too() {
    let card = r#"{"components":[{"type":"header","format":"image"},{"type":"body","text":"{{1}}"},{"type":"buttons","buttons":[{"type":"url","text":"Buy","url":"https://a.example/{{1}}"}]}]}"#;
    let parts = format!(r#"[{{"type":"body","text":"Hi"}},{{"type":"carousel","cards":[{card},{card}]}}]"#);
    let carousel = catalogue(vec![stored("orders", "en", "UTILITY", "APPROVED", &parts)]);
    let whole = |carousel: serde_json::Value| json!({"header": null, "body": [], "buttons": [], "carousel": carousel});
    one(&carousel, whole(json!([])), "carousel", "has 2 cards, but carousel has 0 cards; write one for each card");
    let right =
        json!({"header": {"image": "https://a.example/a.png"}, "body": ["A"], "buttons": [{"index": 0, "url": "a"}]});
    let mut wrong = right.clone();
    wrong["body"] = json!([]);
    one(&carousel, whole(json!([right, wrong])), "carousel", "card 2, body: the text of");
    let raw = |name: &str| -> Content {
        let content = json!({"template": {"name": name, "language": "en", "components": []}});
        serde_json::from_value(json!({"raw": {"type": "template", "content": content}})).unwrap()
    };
    assert_eq!(found(&carousel, &raw("orders")), []);
    assert_eq!(found(&carousel, &raw("ordres")).len(), 1);
}
