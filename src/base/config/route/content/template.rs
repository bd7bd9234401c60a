//! Templates, as they are written in a campaign file.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::bounds::Most;
use super::super::table::{NotBuilt, Table};
use super::{Written, location, one_of, optional, required};
use crate::base::domain::{
    Button, ButtonAction, Category, Content, FlowAction, Header, Span, TemplateCard, TemplateContent, VoiceCall,
    ZaloTemplate,
};

const NOT_BUILT: &[NotBuilt] = &[("footer", "remove it; a footer has no variables")];

pub(super) fn read(mut table: Table<'_>) -> Option<Written> {
    let (name, language) = name_and_language(&mut table);
    let code = table.filled_text("otp");
    let category_is_open = !table.has("category") && code.is_none();
    let category = match (table.has("category"), &code) {
        (true, _) => table.parsed("category"),
        (false, Some(_)) => Some(Category::Authentication),
        (false, None) => Some(Category::Marketing),
    };
    let ttl = table.parsed("ttl");
    let mut body = table.texts("body", Most::PARTS);
    let has_header = table.has("header");
    let header = table.read_below("header", header);
    let mut buttons = table.read_each("buttons", button);
    let carousel = table.read_each("carousel", card);
    if let Some(code) = code {
        if category.is_some_and(|category| category != Category::Authentication) {
            table.wrong("otp", "belongs to a template of AUTHENTICATION; write its code into body, or change category");
        }
        if !body.is_empty() || buttons.as_ref().is_some_and(|buttons| !buttons.is_empty()) {
            table.wrong("otp", "fills body and buttons with the code; remove those");
        }
        body = vec![code.clone()];
        buttons = Some(vec![Button { index: 0, action: ButtonAction::Url(code) }]);
    }
    table.finish(NOT_BUILT);
    let content = TemplateContent {
        name: name?,
        language: language?,
        category: category?,
        ttl,
        // If one of these is missing, its problem is already reported.
        header: if has_header { Some(header?) } else { None },
        body,
        buttons: buttons?,
        carousel: carousel?,
    };
    Some(Written { content: Content::Template(content), category_is_open })
}

/// A card of a carousel.
fn card(mut table: Table<'_>) -> Option<TemplateCard> {
    if !table.has("header") {
        table.missing(&["header"], "is missing; a card has an image or a video: { image = \"https://…\" }");
    }
    let header = table.read_below("header", header);
    let body = table.texts("body", Most::PARTS);
    let buttons = table.read_each("buttons", button);
    table.finish(&[]);
    Some(TemplateCard { header: header?, body, buttons: buttons? })
}

/// A template of Zalo has no category: every one is a notification.
pub(super) fn of_zalo(mut table: Table<'_>) -> Option<ZaloTemplate> {
    let (name, language) = name_and_language(&mut table);
    let params: BTreeMap<String, String> = table.named_texts("params", Most::PARTS).into_iter().collect();
    for (key, why) in [
        ("body", "ZaloNotification templates have named parameters; write params = { name = \"{{Column}}\" }"),
        ("category", "ZaloNotification templates have none; remove it"),
    ] {
        if table.take(key).is_some() {
            table.wrong(key, why);
        }
    }
    table.finish(&[]);
    Some(ZaloTemplate { name: name?, language: language?, params })
}

fn name_and_language(table: &mut Table<'_>) -> (Option<String>, Option<String>) {
    let name = required(table, &["name"], "the template's name at the provider");
    (name, required(table, &["language"], "the template's language, such as en or en_US"))
}

fn header(mut table: Table<'_>) -> Option<Header> {
    let mut found = Vec::new();
    for (key, make) in [
        ("text", Header::Text as fn(String) -> Header),
        ("image", Header::Image),
        ("video", Header::Video),
        ("gif", Header::Gif),
        ("document", Header::Document),
    ] {
        found.extend(table.text(key).map(make));
    }
    found.extend(table.read_below("location", location).map(Header::Location));
    let header = one_of(&mut table, found, "a header is one of text, image, video, gif, document or location");
    table.finish(&[]);
    header
}

fn button(mut table: Table<'_>) -> Option<Button> {
    let index = match table.take("index") {
        Some(Value::Number(number)) => number.as_u64().and_then(|number| u8::try_from(number).ok()),
        Some(_) | None => None,
    };
    if index.is_none() {
        table.wrong("index", "must be a number from 0 to 9, as in the template");
    }
    let mut found = Vec::new();
    for (key, make) in [
        ("url", ButtonAction::Url as fn(String) -> ButtonAction),
        ("payload", ButtonAction::Payload),
        ("copy_code", ButtonAction::CopyCode),
    ] {
        found.extend(table.text(key).map(make));
    }
    if table.has("flow") && !table.is_table("flow") {
        table.take("flow");
        table.wrong(
            "flow",
            "the provider takes no token with a template; write flow = {}, or flow = { screen = \"…\", data = {…} }",
        );
    } else {
        found.extend(table.read_below("flow", flow).map(ButtonAction::Flow));
    }
    found.extend(table.read_below("voice_call", voice_call).map(ButtonAction::VoiceCall));
    let action = one_of(&mut table, found, "a button is one of url, payload, copy_code, flow or voice_call");
    table.finish(&[]);
    Some(Button { index: index?, action: action? })
}

/// `{}`, or the screen that it opens with its data.
fn flow(mut table: Table<'_>) -> Option<FlowAction> {
    let opens = flow_action(&mut table);
    table.finish(&[]);
    Some(opens)
}

/// The keys of a flow that a template and an interactive message share.
pub(super) fn flow_action(table: &mut Table<'_>) -> FlowAction {
    FlowAction { screen: table.filled_text("screen"), data: table.object("data").unwrap_or_default() }
}

/// `{}`, or how long the button works and what comes back with the call.
fn voice_call(mut table: Table<'_>) -> Option<VoiceCall> {
    let has_ttl = table.has("ttl");
    let ttl: Option<Span> = table.positive("ttl");
    let payload = optional(&mut table, "payload");
    table.finish(&[]);
    Some(VoiceCall { ttl: if has_ttl { Some(ttl?) } else { None }, payload: payload? })
}
