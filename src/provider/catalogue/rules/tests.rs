use serde_json::{Value, json};

use super::*;

fn template(category: &str, components: Value) -> Value {
    let mut template = json!({"name": "orders_2", "language": "en_US", "category": category});
    template["components"] = components;
    template
}

fn rules(template: Value) -> Vec<String> {
    let template: NewTemplate = serde_json::from_value(template).unwrap();
    broken_rules(&template).into_iter().map(|rule| format!("{}: {}", rule.place, rule.sentence)).collect()
}

#[track_caller]
fn right(template: Value) {
    let shown = template.to_string();
    let broken = rules(template);
    assert!(broken.is_empty(), "{shown}: {broken:?}");
}

/// Breaks one rule, whose place and sentence contain these words.
#[track_caller]
fn wrong(template: Value, place: &str, says: &str) {
    let shown = template.to_string();
    let broken = rules(template);
    let [rule] = &broken[..] else { panic!("{shown}: {broken:?}") };
    assert!(rule.contains(place) && rule.contains(says), "{shown}: {rule}");
}

fn body(text: &str) -> Value {
    json!({"type": "BODY", "text": text})
}

/// A template of one body and these other components.
fn with(category: &str, more: Value) -> Value {
    template(category, Value::Array(vec![more, body("Hi")]))
}

fn header(header: Value) -> Value {
    with("UTILITY", header)
}

fn buttons(category: &str, buttons: Value) -> Value {
    let mut component = json!({"type": "BUTTONS"});
    component["buttons"] = buttons;
    with(category, component)
}

fn reply(text: &str) -> Value {
    json!({"type": "quick_reply", "text": text})
}

fn url(url: &str, examples: &[&str]) -> Value {
    json!({"type": "URL", "text": "Go", "url": url, "examples": examples})
}

#[test]
fn names_languages_and_categories_have_their_rules() {
    let changed = |key: &str, value: &str| {
        let mut changed = template("UTILITY", json!([body("Hi")]));
        changed[key] = json!(value);
        changed
    };
    right(changed("name", &"a".repeat(200)));
    wrong(changed("name", &"a".repeat(201)), "name", "the maximum is 200");
    wrong(changed("name", "Orders"), "name", "lowercase");
    wrong(changed("name", ""), "name", "is missing");
    for language in ["en", "fil", "en_US"] {
        right(changed("language", language));
    }
    for language in ["", "EN", "en-US", "english", "fil_PH", "en_us"] {
        wrong(changed("language", language), "language", "invalid language");
    }
    right(changed("category", "marketing"));
    wrong(changed("category", "SPAM"), "category", "unknown category");
    wrong(json!({"name": "a", "language": "en", "components": [body("Hi")]}), "category", "is missing");
}

#[test]
fn the_time_to_deliver_has_a_range_by_category() {
    let of = |category: &str, seconds: i64| {
        let mut changed = template(category, json!([body("Hi")]));
        changed["message_send_ttl_seconds"] = json!(seconds);
        changed
    };
    for (category, from, to) in [("AUTHENTICATION", 30, 900), ("UTILITY", 30, 43_200), ("MARKETING", 43_200, 2_592_000)]
    {
        right(of(category, from));
        right(of(category, to));
        wrong(of(category, from - 1), "message_send_ttl_seconds", category);
        wrong(of(category, to + 1), "message_send_ttl_seconds", category);
    }
    right(of("AUTHENTICATION", -1));
    right(of("UTILITY", -1));
    wrong(of("MARKETING", -1), "message_send_ttl_seconds", "43200 to 2592000");
}

#[test]
fn a_template_has_one_body_and_each_component_once() {
    wrong(template("UTILITY", json!([])), "components", "needs a component of type BODY");
    wrong(template("UTILITY", json!([body("Hi"), body("Hi")])), "components 2 (BODY)", "at most once");
    let location = json!({"type": "HEADER", "format": "LOCATION"});
    wrong(template("UTILITY", json!([location, location, body("Hi")])), "components 2 (HEADER)", "at most once");
    wrong(with("UTILITY", json!({"type": "PIGEON"})), "components 1 (PIGEON)", "unknown component");
    right(with("UTILITY", json!({"type": "CALL_PERMISSION_REQUEST"})));
    wrong(template("UTILITY", json!([{"type": "BODY", "text": "Hi", "buttons": [reply("a")]}])), "buttons", "move it");
}

#[test]
fn a_header_is_a_short_text_with_one_parameter_a_medium_or_a_location() {
    let text = |text: &str, examples: &[&str]| {
        header(json!({"type": "HEADER", "format": "TEXT", "text": text, "examples": examples}))
    };
    right(text(&"a".repeat(60), &[]));
    wrong(text(&"a".repeat(61), &[]), "text", "the maximum is 60");
    right(text("Order {{1}}", &["12"]));
    wrong(text("Order {{1}} {{2}}", &["12", "13"]), "text", "one at most");
    wrong(text("Order {{1}}", &[]), "examples", "0 examples for 1 parameter");
    wrong(text("", &[]), "text", "is missing");
    wrong(header(json!({"type": "HEADER", "format": "Smell"})), "format", "unknown");
    for format in ["Image", "video", "DOCUMENT"] {
        let medium = |examples: Value| header(json!({"type": "HEADER", "format": format, "examples": examples}));
        right(medium(json!(["https://a.example/a"])));
        wrong(medium(json!([])), "examples", "needs the address");
        wrong(medium(json!(["http://a.example/a"])), "examples", "https://");
    }
    let location = |category: &str| with(category, json!({"type": "HEADER", "format": "LOCATION"}));
    right(location("UTILITY"));
    right(location("MARKETING"));
    wrong(location("AUTHENTICATION"), "format", "UTILITY and MARKETING");
    let gif = |category: &str| {
        with(category, json!({"type": "HEADER", "format": "Gif", "examples": ["https://a.example/a.gif"]}))
    };
    right(gif("MARKETING"));
    wrong(gif("UTILITY"), "format", "MARKETING");
}

#[test]
fn a_body_has_a_length_and_parameters_with_text_around_them() {
    let of = |text: &str, examples: &[&str]| {
        template("UTILITY", json!([{"type": "BODY", "text": text, "examples": examples}]))
    };
    right(of(&"ä".repeat(1_024), &[]));
    wrong(of(&"ä".repeat(1_025), &[]), "text", "the maximum is 1024");
    right(of("Hi {{1}}, order {{2}}.", &["a", "b"]));
    right(of("Hi {{name}}, order {{order_id}}.", &["a", "b"]));
    wrong(of("{{1}} hi", &["a"]), "text", "begins or ends");
    wrong(of("Hi {{1}}", &["a"]), "text", "begins or ends");
    wrong(of("Hi {{1}}, order {{3}}.", &["a", "b"]), "text", "not numbered");
    wrong(of("Hi {{0}}.", &["a"]), "text", "not numbered");
    wrong(of("Hi {{1}}, {{name}}.", &["a", "b"]), "text", "use one kind");
    wrong(of("Hi {{First Name}}.", &["a"]), "text", "invalid parameter");
    wrong(of("Hi {{1}}, {{2}}.", &["a"]), "examples", "1 example for 2 parameters");
    wrong(of("Hi.", &["a"]), "examples", "1 example for 0 parameters");
    wrong(of("", &[]), "text", "is missing");
}

#[test]
fn authentication_has_keys_of_its_own() {
    let code = |category: &str| {
        template(category, json!([{"type": "BODY", "text": "Hi", "add_security_recommendation": true}]))
    };
    right(code("AUTHENTICATION"));
    wrong(code("UTILITY"), "add_security_recommendation", "AUTHENTICATION");
    right(template("AUTHENTICATION", json!([{"type": "BODY"}, {"type": "FOOTER", "code_expiration_minutes": 5}])));
    let expiry = json!({"type": "FOOTER", "text": "Bye", "code_expiration_minutes": 5});
    wrong(with("UTILITY", expiry), "code_expiration_minutes", "AUTHENTICATION");
}

#[test]
fn a_footer_is_short_and_has_no_parameter() {
    let of = |text: &str| with("UTILITY", json!({"type": "FOOTER", "text": text}));
    right(of(&"a".repeat(60)));
    wrong(of(&"a".repeat(61)), "text", "the maximum is 60");
    wrong(of("From {{1}}."), "text", "a footer has none");
    wrong(of(""), "text", "is missing");
}

#[test]
fn a_template_has_ten_buttons_at_most_and_a_maximum_of_each_kind() {
    let replies = |count: usize| buttons("UTILITY", json!(vec![reply("a"); count]));
    right(replies(1));
    right(replies(10));
    wrong(replies(0), "buttons", "1 to 10");
    let eleven = rules(replies(11));
    assert!(
        eleven.len() == 2 && eleven[0].contains("1 to 10") && eleven[1].contains("the maximum is 10"),
        "{eleven:?}"
    );
    let two = |button: Value| buttons("MARKETING", json!([button, button]));
    right(two(url("https://a.example", &[])));
    wrong(
        buttons("UTILITY", json!(vec![url("https://a.example", &[]); 3])),
        "buttons",
        "of type URL; the maximum is 2",
    );
    let call = json!({"type": "PHONE_NUMBER", "text": "Call", "phoneNumber": "62211521", "country": "SG"});
    let code = json!({"type": "COPY_CODE", "examples": ["25OFF"]});
    let flow = json!({"type": "FLOW", "text": "Book", "flowId": "123"});
    let voice = json!({"type": "VOICE_CALL"});
    for button in [call, code, flow, voice] {
        right(buttons("MARKETING", json!([button])));
        wrong(two(button), "buttons", "the maximum is 1");
    }
}

#[test]
fn the_documented_orders_of_buttons_are_right_or_wrong_as_documented() {
    let (link, call) = (
        url("https://a.example", &[]),
        json!({"type": "PHONE_NUMBER", "text": "Call", "phoneNumber": "1", "country": "SG"}),
    );
    let (code, flow) =
        (json!({"type": "COPY_CODE", "examples": ["25OFF"]}), json!({"type": "FLOW", "text": "Book", "flowId": "1"}));
    let (reply, otp) = (reply("Yes"), json!({"type": "OTP", "otp_type": "COPY_CODE"}));
    for order in [
        json!([link, link, reply, reply]),
        json!([reply, reply, link, link]),
        json!([call, link, reply, reply]),
        json!([reply, reply, reply, call, link]),
        json!([code, link, reply]),
        json!([flow, reply, reply]),
        json!([flow, link]),
    ] {
        right(buttons("MARKETING", order));
    }
    right(buttons("AUTHENTICATION", json!([otp])));
    wrong(buttons("MARKETING", json!([link, reply, link, reply])), "buttons", "next to each other");
    for other in [reply, link, flow] {
        wrong(buttons("AUTHENTICATION", json!([otp, other])), "buttons", "the only button");
    }
}

#[test]
fn each_kind_of_button_has_its_own_rules() {
    right(buttons("UTILITY", json!([reply(&"a".repeat(25))])));
    wrong(buttons("UTILITY", json!([reply(&"a".repeat(26))])), "button 0, text", "the maximum is 25");
    let notes =
        |length| rule_notes(&serde_json::from_value(buttons("UTILITY", json!([reply(&"ä".repeat(length))]))).unwrap());
    for (length, noted) in [(20, 0), (21, 1), (25, 1), (26, 0)] {
        assert_eq!(notes(length).len(), noted, "{length}");
    }
    assert!(notes(21)[0].contains("button 0, text: has 21 characters"), "{:?}", notes(21));
    wrong(buttons("UTILITY", json!([reply("")])), "button 0, text", "is missing");
    wrong(buttons("UTILITY", json!([{"type": "PIGEON", "text": "a"}])), "button 0, type", "unknown");
    let address = |length: usize| format!("https://a.example/{}", "a".repeat(length - 18));
    right(buttons("UTILITY", json!([url(&address(2_000), &[])])));
    wrong(buttons("UTILITY", json!([url(&address(2_001), &[])])), "url", "the maximum is 2000");
    right(buttons("UTILITY", json!([url("https://a.example/{{1}}", &["b"])])));
    wrong(buttons("UTILITY", json!([url("https://a.example/{{1}}/c", &["b"])])), "url", "at its end");
    wrong(buttons("UTILITY", json!([url("https://a.example/{{1}}", &[])])), "examples", "one example");
    wrong(buttons("UTILITY", json!([url("https://a.example", &["b"])])), "examples", "no example");
    wrong(buttons("UTILITY", json!([url("", &[])])), "url", "is missing");
    let call = |number: &str, country: Value| {
        buttons("UTILITY", json!([{"type": "PHONE_NUMBER", "text": "Call", "phoneNumber": number, "country": country}]))
    };
    right(call(&"1".repeat(20), json!("SG")));
    wrong(call(&"1".repeat(21), json!("SG")), "phoneNumber", "the maximum is 20");
    right(call("+6562211521", json!(null)));
    wrong(call("62211521", json!(null)), "country", "is missing");
    wrong(call("62211521", json!("SGP")), "country", "two letters");
    wrong(call("", json!("SG")), "phoneNumber", "is missing");
    let code = |category: &str, code: &str| buttons(category, json!([{"type": "COPY_CODE", "examples": [code]}]));
    right(code("MARKETING", "abcd"));
    right(code("MARKETING", &"a".repeat(15)));
    wrong(code("MARKETING", "abc"), "examples", "4 to 15");
    wrong(code("MARKETING", &"a".repeat(16)), "examples", "4 to 15");
    wrong(code("UTILITY", "abcd"), "type", "MARKETING");
    wrong(buttons("MARKETING", json!([{"type": "COPY_CODE"}])), "examples", "one example");
    wrong(buttons("UTILITY", json!([{"type": "OTP"}])), "type", "AUTHENTICATION");
    let flow = |action: Value| json!([{"type": "FLOW", "text": "Book", "flowId": "1", "flowAction": action}]);
    right(buttons("UTILITY", flow(json!("data_exchange"))));
    wrong(buttons("UTILITY", flow(json!("jump"))), "flowAction", "navigate");
    wrong(buttons("UTILITY", json!([{"type": "FLOW", "text": "Book"}])), "flowId", "is missing");
    let voice =
        |category: &str, minutes: i64| buttons(category, json!([{"type": "VOICE_CALL", "ttlMinutes": minutes}]));
    right(voice("UTILITY", 1_440));
    right(voice("MARKETING", 43_200));
    wrong(voice("UTILITY", 1_439), "ttlMinutes", "1440 to 43200");
    wrong(voice("UTILITY", 43_201), "ttlMinutes", "1440 to 43200");
    wrong(voice("AUTHENTICATION", 1_440), "type", "MARKETING and UTILITY");
}

fn card(text: &str, more: &[Value]) -> Value {
    json!({"components": [
        {"type": "header", "format": "image", "examples": ["https://a.example/a.png"]},
        {"type": "body", "text": text},
        {"type": "buttons", "buttons": more},
    ]})
}

fn cards(category: &str, cards: Vec<Value>) -> Value {
    with(category, json!({"type": "carousel", "cards": Value::Array(cards)}))
}

#[test]
fn a_carousel_has_up_to_ten_cards_of_one_layout() {
    let one = || card("Hi", &[reply("Yes")]);
    right(cards("MARKETING", vec![one()]));
    right(cards("MARKETING", vec![one(); 10]));
    wrong(cards("MARKETING", vec![]), "cards", "1 to 10");
    wrong(cards("MARKETING", vec![one(); 11]), "cards", "1 to 10");
    wrong(cards("UTILITY", vec![one()]), "(CAROUSEL)", "MARKETING");
    right(cards("MARKETING", vec![card(&"a".repeat(160), &[reply("Yes")])]));
    wrong(
        cards("MARKETING", vec![card(&"a".repeat(161), &[reply("Yes")])]),
        "card 1, BODY, text",
        "the maximum is 160",
    );
    let link = || url("https://a.example", &[]);
    right(cards("MARKETING", vec![card("Hi", &[link(), reply("Yes")]); 2]));
    wrong(cards("MARKETING", vec![card("Hi", &[])]), "card 1", "1 or 2");
    wrong(cards("MARKETING", vec![card("Hi", &[link(), reply("a"), reply("b")])]), "card 1", "1 or 2");
    // As in the provider's sample.
    let mut priced = card("Product A - Now {{1}}", &[reply("Yes")]);
    priced["components"][1]["examples"] = json!(["$49.99"]);
    right(cards("MARKETING", vec![priced]));
    let flow = json!({"type": "FLOW", "text": "Book", "flowId": "1"});
    wrong(cards("MARKETING", vec![card("Hi", &[flow])]), "button 0, type", "a URL or a QUICK_REPLY");
    wrong(cards("MARKETING", vec![one(), card("Hi", &[link()])]), "cards", "the same buttons");
    let part = |components: Value| cards("MARKETING", vec![json!({"components": components})]);
    let (head, end) =
        (json!({"type": "header", "format": "document"}), json!({"type": "buttons", "buttons": [reply("a")]}));
    wrong(part(json!([head, body("Hi"), end])), "HEADER", "an IMAGE or a VIDEO");
    wrong(part(json!([body("Hi"), end])), "card 1", "needs one HEADER");
    let image = json!({"type": "header", "format": "video", "examples": ["https://a.example/a.mp4"]});
    wrong(part(json!([image, end])), "card 1", "needs one BODY");
    let footer = json!({"type": "FOOTER", "text": "Bye"});
    wrong(part(json!([image, body("Hi"), footer, end])), "card 1", "no FOOTER");
}
