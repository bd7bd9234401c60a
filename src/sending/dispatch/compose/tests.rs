//! The request of each kind of content, as the provider documents it: from the keys of a campaign file to the bytes.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::*;
use crate::base::config::{Table, steps};
use crate::base::domain::{AttemptId, BatchId, MessageKey, Reachable, Tag, Timestamp};
use crate::rules::template::{self, Sending, To};
use crate::rules::wire::samples::{normalised, sample};

const COLUMNS: [&str; 3] = ["First", "Code", "LineId"];
const FIELDS: [&str; 3] = ["Ann \"A\"", "A1", "Ua12b345678c1de0f"];

/// The request of a step that is written in a campaign file, without the attempt's id.
fn request(channel: &str, keys: &str) -> String {
    let (json, attempt) = request_and_id(channel, keys);
    assert!(json.contains(&format!(r#""clientMessageId":"{attempt}""#)), "{json}");
    json.replace(&format!(r#""clientMessageId":"{attempt}","#), "").replace(&format!(r#","flowToken":"{attempt}""#), "")
}

fn request_and_id(channel: &str, keys: &str) -> (String, AttemptId) {
    let file: Map<String, Value> = toml::from_str(&format!("[[step]]\nchannel = \"{channel}\"\n{keys}")).unwrap();
    let mut problems = Vec::new();
    let draft = steps(&mut Table::new(None, "", file, &mut problems)).pop();
    assert!(problems.is_empty(), "{keys}: {problems:?}");
    let draft = draft.unwrap();
    let sending = Sending { channel: draft.channel, transliterates: draft.transliterate, reachable: Reachable::Public };
    let errors = template::check(sending, &draft.content);
    assert!(errors.is_empty(), "{keys}: {errors:?}");
    let step = Step {
        user_id: draft.line_user_id,
        content: draft.content,
        ttl: draft.ttl,
        ..Step::of_text(draft.channel, "lane", "")
    };
    let columns = COLUMNS.map(str::to_owned);
    let names = Names::of_columns(&columns);
    let pattern =
        compose(MessagingApi::ChatApps, &step, "lane", Country::by_code("SG").unwrap().into(), names).unwrap();
    let attempt =
        AttemptId { key: MessageKey { batch: BatchId(1), n: 2 }, step: StepIndex::FIRST, tag: Tag::from_random(3) };
    let mut out = Vec::new();
    let at = Timestamp::parse_rfc3339("2026-12-01T09:00:00Z").unwrap();
    pattern
        .render(To::Number("+6591234567".parse().unwrap()), attempt, at.into(), &FIELDS.map(Cow::Borrowed), &mut out)
        .unwrap();
    (String::from_utf8(out).unwrap(), attempt)
}

/// The `content` of a request with this channel and type, to the recipient's number.
#[track_caller]
fn assert_content(channel: &str, keys: &str, kind: &str, content: &str) {
    let expected = format!(
        r#"{{"user":{{"msisdn":"+6591234567"}},"type":"{kind}","content":{content},"channels":[{{"channel":"{channel}"}}]}}"#
    );
    assert_eq!(request(channel, keys), expected, "{keys}");
}

/// A template with these keys is sent with these components.
#[track_caller]
fn assert_components(keys: &str, components: &str) {
    let keys = format!("[step.template]\nname = \"promo\"\nlanguage = \"en_US\"\n{keys}");
    let content = format!(r#"{{"template":{{"name":"promo","language":"en_US","components":[{components}]}}}}"#);
    assert_content("WhatsApp", &keys, "template", &content);
}

#[test]
fn a_template_without_parameters_has_an_empty_list_of_components() {
    assert_components("category = \"UTILITY\"", "");
}

#[test]
fn each_header_of_a_template_is_one_parameter() {
    let header = |header: &str, parameter: &str| {
        assert_components(
            &format!("category = \"MARKETING\"\nheader = {header}"),
            &format!(r#"{{"type":"header","parameters":[{parameter}]}}"#),
        );
    };
    header(r#"{ text = "{{First}} {{Code}}" }"#, r#"{"type":"text","text":"Ann \"A\" A1"}"#);
    header(r#"{ image = "https://h/{{Code}}.png" }"#, r#"{"type":"image","url":"https://h/A1.png"}"#);
    header(r#"{ video = "https://h/a.mp4" }"#, r#"{"type":"video","url":"https://h/a.mp4"}"#);
    header(r#"{ gif = "https://h/a.mp4" }"#, r#"{"type":"gif","url":"https://h/a.mp4"}"#);
    header(r#"{ document = "https://h/a.pdf" }"#, r#"{"type":"document","url":"https://h/a.pdf"}"#);
    header(
        r#"{ location = { latitude = "38.8693", longitude = -77.0536, name = "Metro", address = "1 Drive" } }"#,
        r#"{"type":"location","location":{"latitude":"38.8693","longitude":"-77.0536","name":"Metro","address":"1 Drive"}}"#,
    );
}

#[test]
fn the_body_has_its_parameters_in_order() {
    assert_components(
        "category = \"UTILITY\"\nbody = [\"{{Code}}\", \"{{First|you}}\"]",
        r#"{"type":"body","parameters":[{"type":"text","text":"A1"},{"type":"text","text":"Ann \"A\""}]}"#,
    );
}

#[test]
fn each_button_of_a_template_has_its_sub_type() {
    let button = |button: &str, sub_type: &str, parameter: &str| {
        assert_components(
            &format!("category = \"MARKETING\"\nbuttons = [{{ index = 1, {button} }}]"),
            &format!(r#"{{"type":"button","index":1,"subType":"{sub_type}","parameters":[{parameter}]}}"#),
        );
    };
    button(r#"url = "p/{{Code}}""#, "url", r#"{"type":"text","text":"p/A1"}"#);
    button(r#"payload = "yes-{{Code}}""#, "QuickReply", r#"{"type":"payload","payload":"yes-A1"}"#);
    button(r#"copy_code = "OFF-{{Code}}""#, "copyCode", r#"{"type":"couponCode","couponCode":"OFF-A1"}"#);
    button("flow = {}", "flow", r#"{"type":"action"}"#);
    button(
        r#"flow = { screen = "FORM", data = { name = "{{First}}", seats = 2 } }"#,
        "flow",
        r#"{"type":"action","flowActionData":{"screen":"FORM","data":{"name":"Ann \"A\"","seats":2}}}"#,
    );
    button(
        r#"voice_call = { ttl = "24h", payload = "call-{{Code}}" }"#,
        "VoiceCall",
        r#"{"type":"ttlMinutes","ttlMinutes":1440},{"type":"payload","payload":"call-A1"}"#,
    );
    assert_components(
        "category = \"UTILITY\"\nbuttons = [{ index = 0, voice_call = {} }]",
        r#"{"type":"button","index":0,"subType":"VoiceCall"}"#,
    );
}

#[test]
fn the_cards_of_a_carousel_are_numbered_components() {
    assert_components(
        r#"category = "MARKETING"
body = ["{{First}}"]
[[step.template.carousel]]
header = { image = "https://h/{{Code}}.png" }
body = ["{{Code}}"]
buttons = [{ index = 0, url = "{{Code}}" }]
[[step.template.carousel]]
header = { image = "https://h/b.png" }
body = ["b"]
buttons = [{ index = 0, url = "b" }]"#,
        r#"{"type":"body","parameters":[{"type":"text","text":"Ann \"A\""}]},{"type":"carousel","cards":[{"cardIndex":0,"components":[{"type":"header","parameters":[{"type":"image","url":"https://h/A1.png"}]},{"type":"body","parameters":[{"type":"text","text":"A1"}]},{"type":"button","index":0,"subType":"url","parameters":[{"type":"text","text":"A1"}]}]},{"cardIndex":1,"components":[{"type":"header","parameters":[{"type":"image","url":"https://h/b.png"}]},{"type":"body","parameters":[{"type":"text","text":"b"}]},{"type":"button","index":0,"subType":"url","parameters":[{"type":"text","text":"b"}]}]}]}"#,
    );
}

#[test]
fn a_one_time_password_stands_in_the_body_and_in_the_button() {
    assert_components(
        "otp = \"{{Code}}\"",
        r#"{"type":"body","parameters":[{"type":"text","text":"A1"}]},{"type":"button","index":0,"subType":"url","parameters":[{"type":"text","text":"A1"}]}"#,
    );
}

#[test]
fn a_zalo_template_has_named_parameters() {
    assert_content(
        "ZaloNotification",
        "[step.template]\nname = \"4711\"\nlanguage = \"en\"\nparams = { customer = \"{{First}}\", order = \"{{Code}}\" }",
        "template",
        r#"{"template":{"name":"4711","language":"en","components":[{"type":"body","parameters":[{"type":"text","name":"customer","text":"Ann \"A\""},{"type":"text","name":"order","text":"A1"}]}]}}"#,
    );
}

#[test]
fn a_text_is_the_same_on_every_channel_but_sms() {
    for (channel, kind) in [("WhatsApp", "text"), ("Viber", "text"), ("RCS", "Text")] {
        assert_content(channel, "text = \"Hi {{First}}\"", kind, r#"{"text":"Hi Ann \"A\""}"#);
    }
    assert_content(
        "SMS",
        "text = \"Hi\"\nsource = \"ACME\"\nencoding = \"UCS2\"",
        "text",
        r#"{"text":"Hi","sms":{"encoding":"UCS2","source":"ACME"}}"#,
    );
}

#[test]
fn on_line_the_recipient_is_addressed_by_an_id_of_a_column() {
    assert_eq!(
        request("LINE", "text = \"Hi\"\nline_user_id = \"{{LineId}}\""),
        r#"{"user":{"lineUserId":"Ua12b345678c1de0f"},"type":"Text","content":{"text":"Hi"},"channels":[{"channel":"LINE"}]}"#
    );
}

/// No campaign has such a step; a request of the 8x8 API may.
#[test]
fn a_whatsapp_user_without_a_number_is_addressed_by_the_id() {
    assert_eq!(
        request("WhatsApp", "text = \"Hi\"\nline_user_id = \"{{LineId}}\""),
        r#"{"user":{"channelUserId":"Ua12b345678c1de0f"},"type":"text","content":{"text":"Hi"},"channels":[{"channel":"WhatsApp"}]}"#
    );
}

/// Raw JSON keeps the keys that Volley does not know, in the order of the alphabet.
#[test]
fn raw_content_leaves_as_it_is_with_values_in_its_strings() {
    let keys = r#"raw = { type = "interactive", content = { interactive = { type = "button", body = { text = "Hi {{First}}" }, action = { buttons = [{ type = "reply", reply = { id = "y-{{Code}}", title = "Yes" } }] } }, ours = [1, true, "{{Code}}"] } }"#;
    assert_eq!(
        request("WhatsApp", &format!("ttl = \"1m\"\n{keys}")),
        r#"{"channels":[{"channel":"WhatsApp"}],"content":{"interactive":{"action":{"buttons":[{"reply":{"id":"y-A1","title":"Yes"},"type":"reply"}]},"body":{"text":"Hi Ann \"A\""},"type":"button"},"ours":[1,true,"A1"]},"expiry":"2026-12-01T09:01:00.000Z","type":"interactive","user":{"msisdn":"+6591234567"}}"#
    );
}

/// Text of a recipient in each part of a rich content.
#[test]
fn files_buttons_and_places_have_the_values_of_the_recipient() {
    assert_content(
        "WhatsApp",
        "image = \"https://h/{{Code}}.png\"\ntext = \"Hi {{First}}\"",
        "Image",
        r#"{"text":"Hi Ann \"A\"","url":"https://h/A1.png"}"#,
    );
    assert_content("WhatsApp", "audio = \"https://h/a.mp3\"", "audio", r#"{"url":"https://h/a.mp3"}"#);
    assert_content(
        "WhatsApp",
        r#"location = { latitude = "{{Code}}", longitude = 2.5, name = "{{First}}", address = "a" }"#,
        "location",
        r#"{"location":{"latitude":"A1","longitude":"2.5","name":"Ann \"A\"","address":"a"}}"#,
    );
    assert_content(
        "Viber",
        r#"text = "Hi {{First}}"
image = "https://h/{{Code}}.png"
button = { caption = "View {{Code}}", url = "https://h/{{Code}}" }"#,
        "buttons",
        r#"{"text":"Hi Ann \"A\"","url":"https://h/A1.png","button":{"caption":"View A1","action":"https://h/A1"}}"#,
    );
    assert_content(
        "Viber",
        r#"video = { url = "https://h/{{Code}}.mp4", thumbnail = "https://h/{{Code}}.png", duration = 5, size = "2700" }"#,
        "video",
        r#"{"url":"https://h/A1.mp4","video":{"thumbnail":"https://h/A1.png","filesize":"2700","duration":"5"}}"#,
    );
    for (kind, spelled) in [("image", "Image"), ("video", "Video"), ("audio", "Audio"), ("file", "File")] {
        assert_content(
            "RCS",
            &format!("{kind} = \"https://h/a\"\ntext = \"Hi\""),
            spelled,
            r#"{"text":"Hi","url":"https://h/a"}"#,
        );
    }
    assert_content(
        "RCS",
        r#"location = { latitude = "1.5", longitude = "2", name = "n", address = "a" }"#,
        "location",
        r#"{"location":{"latitude":1.5,"longitude":2,"name":"n","address":"a"}}"#,
    );
}

#[test]
fn interactive_messages_have_the_values_of_the_recipient() {
    let interactive = |keys: &str, content: &str| {
        let content = format!(r#"{{"interactive":{{{content}}}}}"#);
        assert_content("WhatsApp", &format!("[step.interactive]\n{keys}"), "interactive", &content);
    };
    interactive(
        r#"header = { document = "https://h/{{Code}}.pdf" }
body = "Hi {{First}}"
footer = "{{Code}}"
buttons = [{ id = "y-{{Code}}", title = "Yes {{Code}}" }]"#,
        r#""type":"button","header":{"type":"document","document":{"link":"https://h/A1.pdf"}},"body":{"text":"Hi Ann \"A\""},"footer":{"text":"A1"},"action":{"buttons":[{"type":"reply","reply":{"id":"y-A1","title":"Yes A1"}}]}"#,
    );
    interactive(
        r#"header = { video = "https://h/a.mp4" }
body = "b"
flow = { id = "1", text = "Book", token = "t-{{Code}}", screen = "FORM", data = { name = "{{First}}", seats = 2 } }"#,
        r#""type":"flow","header":{"type":"video","video":{"link":"https://h/a.mp4"}},"body":{"text":"b"},"action":{"parameters":{"flowId":"1","flowCta":"Book","flowToken":"t-A1","flowActionData":{"screen":"FORM","data":{"name":"Ann \"A\"","seats":2}}}}"#,
    );
    for mode in ["draft", "published"] {
        let keys =
            format!(r#"flow = {{ id = "1", text = "Book", token = "t", mode = "{mode}", message_version = "3" }}"#);
        let content = r#""type":"flow","body":{"text":"b"},"action":{"parameters":{"flowId":"1","flowCta":"Book","flowToken":"t","mode":"@","flowMessageVersion":"3"}}"#;
        interactive(&format!("body = \"b\"\n{keys}"), &content.replace('@', mode));
    }
    interactive(
        "body = \"b\"\nlist = { button = \"l\", sections = [{ rows = [{ id = \"{{Code}}\", title = \"{{First}}\" }] }] }",
        r#""type":"list","body":{"text":"b"},"action":{"button":"l","sections":[{"rows":[{"id":"A1","title":"Ann \"A\""}]}]}"#,
    );
}

#[test]
fn a_flow_without_a_token_returns_the_id_of_its_attempt() {
    let keys = "[step.interactive]\nbody = \"b\"\nflow = { id = \"1\", text = \"Book\" }";
    let (json, attempt) = request_and_id("WhatsApp", keys);
    let parameters = format!(r#""parameters":{{"flowId":"1","flowCta":"Book","flowToken":"{attempt}"}}"#);
    assert!(json.contains(&parameters), "{json}");
}

#[test]
fn rcs_cards_and_suggestions_are_composed_as_the_schema_says() {
    assert_content(
        "RCS",
        r#"suggestions = [{ reply = "No", data = "no" }]
[step.card]
title = "{{First}}"
description = "d"
image = { url = "https://h/{{Code}}.png", thumbnail = "https://h/t.png" }
height = "short"
orientation = "horizontal"
thumbnail_side = "right"
suggestions = [{ text = "Open", data = "o-{{Code}}", url = "https://h/{{Code}}" }]"#,
        "richCard",
        r#"{"richCard":{"cardOrientation":"horizontal","thumbnailImageAlignment":"right","title":"Ann \"A\"","description":"d","media":{"height":"short","contentInfo":{"fileUrl":"https://h/A1.png","thumbnailUrl":"https://h/t.png"}},"suggestions":[{"action":{"text":"Open","postbackData":"o-A1","openUrlAction":{"url":"https://h/A1"}}}]},"suggestions":[{"reply":{"text":"No","postbackData":"no"}}]}"#,
    );
    assert_content(
        "RCS",
        "card_width = \"small\"\ncards = [{ image = \"https://h/a\" }, { title = \"b\", video = \"https://h/b\" }]",
        "carousel",
        r#"{"carousel":{"cardWidth":"small","cards":[{"media":{"contentInfo":{"fileUrl":"https://h/a"}}},{"title":"b","media":{"contentInfo":{"fileUrl":"https://h/b"}}}]}}"#,
    );
    let suggested = |keys: &str, action: &str| {
        assert_content(
            "RCS",
            &format!("text = \"a\"\nsuggestions = [{{ text = \"t\", data = \"d\", {keys} }}]"),
            "Text",
            &format!(r#"{{"text":"a","suggestions":[{{"action":{{"text":"t","postbackData":"d",{action}}}}}]}}"#),
        );
    };
    suggested(r#"dial = "+6591234567""#, r#""dialAction":{"phoneNumber":"+6591234567"}"#);
    suggested(
        r#"place = { latitude = 37.7749, longitude = "-122.4194", label = "l" }"#,
        r#""viewLocationAction":{"latLong":{"latitude":37.7749,"longitude":-122.4194},"label":"l"}"#,
    );
    suggested(r#"search = "near {{Code}}""#, r#""viewLocationAction":{"query":"near A1"}"#);
    suggested(
        r#"event = { title = "t", description = "d", start = "2026-12-01T09:00:00Z", end = "2026-12-01T10:00:00Z" }"#,
        r#""createCalendarEventAction":{"title":"t","description":"d","startTime":"2026-12-01T09:00:00Z","endTime":"2026-12-01T10:00:00Z"}"#,
    );
}

/// It has a body of its own, without a type and channels.
#[test]
fn a_notification_names_neither_its_type_nor_its_channel() {
    assert_eq!(
        request("LineNotification", "notification = { title = \"Hi {{First}}\", icon = \"bell\" }"),
        r#"{"user":{"msisdn":"+6591234567"},"content":{"title":"Hi Ann \"A\"","icon":"bell"}}"#
    );
}

/// The keys of a campaign file that compose to a sample of the provider's documents. A text of the sample is written as
/// its place in it, between `<` and `>`.
fn keys_of(sample: &Value, keys: &str) -> String {
    let mut parts = keys.split('<');
    let mut whole = parts.next().unwrap().to_owned();
    for part in parts {
        let (place, rest) = part.split_once('>').unwrap();
        let value = sample.pointer(place).unwrap_or_else(|| panic!("{place} in {sample}"));
        // What JSON writes of a text is a text of TOML too.
        whole += &value.to_string();
        whole += rest;
    }
    whole
}

/// The content is composed exactly as in the sample, whose type may have other capitals.
#[track_caller]
fn assert_sample(at: &str, channel: &str, keys: &str) {
    let sample = sample(at);
    let keys = keys_of(&sample, keys);
    let composed: Value = serde_json::from_str(&request(channel, &keys)).unwrap();
    let kind = |request: &Value| request["type"].as_str().map(str::to_lowercase);
    assert_eq!(kind(&composed), kind(&sample), "{at}");
    let content = |request: &Value| match request["content"]["template"].as_object() {
        // Its name is a placeholder.
        Some(template) => normalised(template["components"].clone()),
        None => normalised(request["content"].clone()),
    };
    assert_eq!(content(&composed), content(&sample), "{at}");
}

#[test]
fn the_documented_contents_of_whatsapp_are_composed_as_documented() {
    let sent = |at: &str, keys: &str| assert_sample(at, "WhatsApp", keys);
    sent("003:1", "text = </content/text>");
    sent("003:3", "image = </content/url>\ntext = </content/text>");
    sent("003:5", "video = </content/url>\ntext = </content/text>");
    sent("003:7", "file = </content/url>\ntext = </content/text>");
    sent(
        "003:9",
        "[step.location]\nlatitude = </content/location/latitude>\nlongitude = </content/location/longitude>\n\
         name = </content/location/name>\naddress = </content/location/address>",
    );
    let around = "[step.interactive]\nbody = </content/interactive/body/text>\n\
                  footer = </content/interactive/footer/text>\n";
    let text_header = "header = { text = </content/interactive/header/text> }\n";
    let image_header = "header = { image = </content/interactive/header/image/link> }\n";
    let row = |section: usize, row: usize| {
        let row = format!("/content/interactive/action/sections/{section}/rows/{row}");
        format!("{{ id = <{row}/id>, title = <{row}/title>, description = <{row}/description> }}")
    };
    let section = |section: usize| {
        let title = format!("</content/interactive/action/sections/{section}/title>");
        format!("{{ title = {title}, rows = [{}, {}] }}", row(section, 0), row(section, 1))
    };
    let list = format!(
        "list = {{ button = </content/interactive/action/button>, sections = [{}, {}] }}",
        section(0),
        section(1)
    );
    sent("003:11", &format!("{around}{text_header}{list}"));
    let button = |n: usize| {
        let reply = format!("/content/interactive/action/buttons/{n}/reply");
        format!("{{ id = <{reply}/id>, title = <{reply}/title> }}")
    };
    let buttons = format!("buttons = [{}, {}, {}]", button(0), button(1), button(2));
    sent("003:13", &format!("{around}{text_header}{buttons}"));
    let parameters = "/content/interactive/action/parameters";
    let link = format!("link = {{ text = <{parameters}/display_text>, url = <{parameters}/url> }}");
    sent("003:15", &format!("{around}{image_header}{link}"));
    sent("003:17", &format!("{around}{text_header}{link}"));
    let flow = format!("flow = {{ id = <{parameters}/flowId>, text = <{parameters}/flowCta> }}");
    sent("003:19", &format!("{around}{image_header}{flow}"));
    sent("004:7381", &format!("{around}{text_header}{flow}"));
    let action = "/content/interactive/action";
    let product = format!("product = {{ catalog = <{action}/catalog_id>, product = <{action}/product_retailer_id> }}");
    sent("003:22", &format!("{around}{product}"));
    let products = |section: usize| {
        let section = format!("{action}/sections/{section}");
        let item = |n: usize| format!("<{section}/product_items/{n}/product_retailer_id>");
        format!("{{ title = <{section}/title>, products = [{}, {}] }}", item(0), item(1))
    };
    let list =
        format!("products = {{ catalog = <{action}/catalog_id>, sections = [{}, {}] }}", products(0), products(1));
    sent("003:24", &format!("{around}{text_header}{list}"));
    let shown = format!(
        "products = {{ catalog = <{action}/catalog_id>, product = <{action}/product_retailer_id>, sections = [{}] }}",
        products(0)
    );
    sent("002:2912", &format!("{around}{text_header}{shown}"));
}

#[test]
fn the_documented_templates_are_composed_as_documented() {
    let sent = |at: &str, keys: &str| {
        let keys = format!("[step.template]\nname = \"n\"\nlanguage = \"en\"\n{keys}");
        assert_sample(at, "WhatsApp", &keys);
    };
    let component = |n: usize| format!("/content/template/components/{n}");
    let text = |n: usize| format!("<{}/parameters/0/text>", component(n));
    let url = |n: usize| format!("<{}/parameters/0/url>", component(n));
    sent("002:2429", &format!("category = \"UTILITY\"\nbody = [{}]", text(0)));
    sent("002:2539", &format!("category = \"UTILITY\"\nheader = {{ document = {} }}", url(0)));
    let place = format!("{}/parameters/0/location", component(0));
    sent(
        "002:2576",
        &format!(
            "category = \"UTILITY\"\nheader.location = {{ latitude = <{place}/latitude>, longitude = <{place}/longitude>, \
             name = <{place}/name>, address = <{place}/address> }}"
        ),
    );
    sent(
        "001:171",
        &format!(
            "category = \"MARKETING\"\nheader = {{ image = {} }}\nbody = [{}]\nbuttons = [{{ index = 0, url = {} }}]",
            url(0),
            text(1),
            text(2)
        ),
    );
    let coupon = format!("<{}/parameters/0/couponCode>", component(0));
    sent("002:2667", &format!("category = \"MARKETING\"\nbuttons = [{{ index = 0, copy_code = {coupon} }}]"));
    sent(
        "004:7327",
        &format!("category = \"UTILITY\"\nbody = [{}]\nbuttons = [{{ index = 0, flow = {{}} }}]", text(0)),
    );
    let card = |n: usize| {
        let card = format!("{}/cards/{n}/components", component(0));
        format!(
            "{{ header = {{ image = <{card}/0/parameters/0/url> }}, buttons = [{{ index = 0, url = \
             <{card}/1/parameters/0/text> }}] }}"
        )
    };
    let carousel = format!("category = \"MARKETING\"\ncarousel = [{}, {}]", card(0), card(1));
    sent("schema:whatsAppMediaCarouselTemplate", &carousel);
    let payload = format!("<{}/parameters/1/payload>", component(0));
    let call = format!("{{ ttl = \"1440m\", payload = {payload} }}");
    sent(
        "schema:whatsAppVoiceCallTemplate",
        &format!("category = \"UTILITY\"\nbuttons = [{{ index = 0, voice_call = {call} }}]"),
    );
    let zalo = "[step.template]\nname = \"7\"\nlanguage = \"vi\"\nparams = { otp = @ }".replace('@', &text(0));
    assert_sample("002:2311", "ZaloNotification", &zalo);
}

#[test]
fn the_documented_contents_of_other_channels_are_composed_as_documented() {
    let viber = |at: &str, keys: &str| assert_sample(at, "Viber", keys);
    let video = "video = { url = </content/url>, thumbnail = </content/video/thumbnail>, \
                 duration = </content/video/duration>, size = </content/video/filesize> }\n";
    let text = "text = </content/text>\n";
    let button = "button = { caption = </content/button/caption>, url = </content/button/action> }\n";
    viber("002:3090", text);
    viber("002:3109", "image = </content/url>");
    viber("002:3126", &format!("{text}image = </content/url>"));
    viber("002:3144", &format!("{text}{button}image = </content/url>"));
    viber("002:3169", video);
    viber("002:3193", &format!("{text}{video}"));
    viber("002:3216", &format!("{text}{video}{button}"));
    viber("002:3246", "file = </content/url>");
    viber("002:3263", &format!("{text}{button}"));

    let line = |at: &str, keys: &str| assert_sample(at, "LINE", &format!("line_user_id = \"{{{{LineId}}}}\"\n{keys}"));
    line("002:3421", text);
    line("002:3433", "image = { url = </content/url>, thumbnail = </content/image/thumbnail> }");
    line("002:3451", "video = { url = </content/url>, thumbnail = </content/video/thumbnail> }");
    line("002:3469", "audio = { url = </content/url>, duration = </content/audio/duration> }");
    line(
        "002:3487",
        "[step.location]\nlatitude = </content/location/latitude>\nlongitude = </content/location/longitude>\n\
         name = </content/location/name>\naddress = </content/location/address>",
    );

    let reply = "/content/suggestions/0/reply";
    let suggestions = format!("suggestions = [{{ reply = <{reply}/text>, data = <{reply}/postbackData> }}]");
    assert_sample("schema:rcsTextMessageWithReplySuggestions", "RCS", &format!("{text}{suggestions}"));

    let labelled = |place: &str, content: &str| {
        format!("{{ label = </content/{place}/label>, content = </content/{place}/{content}> }}")
    };
    let list: Vec<String> = (0..4).map(|n| labelled(&format!("list/{n}"), "content")).collect();
    let action = |n: usize| format!("{{ title = </content/actions/{n}/title>, url = </content/actions/{n}/url> }}");
    let notification = format!(
        "[step.notification]\ntitle = </content/title>\ncompany = </content/company>\nicon = </content/icon>\n\
         emphasis = {}\nlist = [{}]\nexplanation = </content/explanation>\nactions = [{}, {}]",
        labelled("emphasis", "Content"),
        list.join(", "),
        action(0),
        action(1)
    );
    assert_sample("002:3344", "LineNotification", &notification);
}
