//! What a recipient can choose by a tap in a message: its reply buttons, the rows of its list, its suggested replies, and the
//! quick replies of its template.

use serde_json::{Value, json};

use super::Model;
use super::dice::pick;
use super::intake::Checked;
use super::recipients::Written;
use crate::base::domain::Channel;
use crate::rules::wire::rules::SubType;
use crate::rules::wire::{ActionRow, ButtonKind, Component, Content, PartKind, Suggestion, TemplatePart};

impl Model {
    /// Keeps what the recipient of a message can choose, if recipients choose at all.
    pub(super) fn keep_choices(&mut self, n: u32, checked: &Checked, content: &Content<'_>) {
        let taps = |channel: Channel| {
            let delivery = self.profile.delivery(channel, checked.to.number());
            delivery.is_some_and(|it| it.answers.share > 0.0 && it.answers.buttons > 0.0)
        };
        if !checked.steps.iter().any(|step| taps(step.channel)) {
            return;
        }
        let choices = self.choices(content);
        if !choices.is_empty() {
            self.choices.insert(n, choices.into());
        }
    }

    /// One of the choices of a message, by a fraction; `None` if it has none on this channel. An SMS is a text alone.
    pub(super) fn choice(&self, n: u32, channel: Channel, fraction: f64) -> Option<Written> {
        let choices = self.choices.get(&n).filter(|_| channel != Channel::Sms)?;
        pick(&choices.iter().collect::<Vec<_>>(), fraction).cloned()
    }

    fn choices(&self, content: &Content<'_>) -> Vec<Written> {
        let action = content.interactive.iter().filter_map(|interactive| interactive.action.as_ref());
        let mut choices = Vec::new();
        for action in action {
            choices.extend(action.buttons.iter().map(|button| {
                let tapped = json!({ "id": button.reply.id, "title": button.reply.title });
                interactive("button_reply", &tapped)
            }));
            choices.extend(action.sections.iter().flat_map(|section| &section.rows).map(row));
        }
        let card = content.rich_card.iter().map(|card| &card.card);
        let cards = card.chain(content.carousel.iter().flat_map(|carousel| &carousel.cards));
        let suggestions = cards.flat_map(|card| &card.suggestions).chain(&content.suggestions);
        choices.extend(suggestions.filter_map(|suggestion| match suggestion {
            Suggestion::Reply(reply) => quick_reply(Some(&reply.text), Some(&reply.postback_data)),
            Suggestion::Action(_) => None,
        }));
        if let Some(template) = &content.template {
            choices.extend(of_components(&template.components, self.templates.parts_of(template)));
        }
        choices
    }
}

fn interactive(kind: &str, tapped: &Value) -> Written {
    Written { kind: "Interactive".to_owned(), content: json!({ "interactive": { "type": kind, kind: tapped } }) }
}

fn row(row: &ActionRow<'_>) -> Written {
    let mut tapped = json!({ "id": row.id, "title": row.title });
    if let Some(description) = &row.description {
        tapped["description"] = json!(description);
    }
    interactive("list_reply", &tapped)
}

/// The text of a button, with the payload that its message gave it.
fn quick_reply(text: Option<&str>, payload: Option<&str>) -> Option<Written> {
    let payload = payload.filter(|payload| !payload.is_empty());
    let mut written = Written::text(text.filter(|text| !text.is_empty()).or(payload)?);
    if let Some(payload) = payload {
        written.content["payload"] = json!(payload);
    }
    Some(written)
}

/// The quick replies of a template: those that it was created with, else those that the message fills in.
fn of_components(given: &[Component<'_>], own: Option<&[TemplatePart]>) -> Vec<Written> {
    let cards = given.iter().flat_map(|component| &component.cards);
    let Some(own) = own else {
        let replies = given.iter().filter(|component| SubType::of(component) == Some(SubType::QuickReply));
        let replies = replies.filter_map(|reply| quick_reply(text_of(reply), payload_of(reply)));
        return replies.chain(cards.flat_map(|card| of_components(&card.components, None))).collect();
    };
    let mut replies = Vec::new();
    for part in own {
        if part.part_kind() == Some(PartKind::Buttons) {
            replies.extend((0..).zip(&part.buttons).filter_map(|(index, button)| {
                let filled_in = given.iter().find(|it| is_button(it) && it.index == Some(index));
                let is_reply = button.button_kind() == Some(ButtonKind::QuickReply);
                is_reply.then(|| quick_reply(button.text.as_deref(), filled_in.and_then(payload_of)))?
            }));
        }
        for (index, card) in (0..).zip(&part.cards) {
            let given = cards.clone().find(|given| given.card_index == Some(index));
            let given = given.map_or(&[][..], |given| &given.components);
            replies.extend(of_components(given, Some(&card.components)));
        }
    }
    replies
}

fn is_button(component: &Component<'_>) -> bool {
    component.kind.eq_ignore_ascii_case("button")
}

fn text_of<'c>(button: &'c Component<'_>) -> Option<&'c str> {
    button.parameters.first()?.text.as_deref()
}

fn payload_of<'c>(button: &'c Component<'_>) -> Option<&'c str> {
    button.parameters.iter().find_map(|parameter| parameter.payload.as_deref())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::base::domain::{Span, Timestamp};
    use crate::practice::simulator::Profile;
    use crate::practice::simulator::model::{Call, Method};

    const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    /// A model in which every recipient taps a button of each message.
    fn model() -> Model {
        let mut profile = Profile { session_window: false, ..Profile::perfect() };
        for delivery in profile.channels.values_mut() {
            let answers = &mut delivery.answers;
            (answers.share, answers.stops, answers.buttons) = (1.0, 0.0, 1.0);
        }
        Model::new(profile, 7, START)
    }

    #[track_caller]
    fn post(model: &mut Model, path: &str, body: &Value) {
        let body = body.to_string();
        let call = Call { method: Method::Post, path, authorization: None, body: body.as_bytes() };
        let answer = format!("{:?}", model.call(&call, START));
        assert!(answer.contains("status: 20"), "{answer}");
    }

    /// The contents of the replies of many recipients to one message, each content once.
    fn replies(model: &mut Model, channel: &str, kind: &str, content: &Value) -> BTreeSet<String> {
        for n in 0..60_u64 {
            let user = json!({ "msisdn": format!("+{}", 6_591_000_000 + n) });
            let message =
                json!({ "user": user, "type": kind, "content": content, "channels": [{ "channel": channel }] });
            post(model, "/api/v1/subaccounts/acme/messages", &message);
        }
        let posted = model.tick(START + Span::from_secs(86_400));
        let events = posted.iter().map(|webhook| serde_json::from_slice::<Value>(&webhook.event).unwrap());
        let replies = events.filter(|event| event["eventType"] == "inbound_message_received");
        replies.map(|event| event["payload"]["content"].to_string()).collect()
    }

    fn all(contents: &[Value]) -> BTreeSet<String> {
        contents.iter().map(Value::to_string).collect()
    }

    #[test]
    fn a_random_reply_chooses_a_button_or_a_row_of_its_message() {
        let buttons = json!({ "interactive": { "type": "button", "body": { "text": "Coming?" }, "action": { "buttons": [
            { "type": "reply", "reply": { "id": "b-1", "title": "Yes, please" } },
            { "type": "reply", "reply": { "id": "b-2", "title": "No" } }] } } });
        let button = |id: &str, title: &str| json!({ "interactive": { "type": "button_reply", "button_reply": { "id": id, "title": title } } });
        let chosen = replies(&mut model(), "WhatsApp", "interactive", &buttons);
        assert_eq!(chosen, all(&[button("b-1", "Yes, please"), button("b-2", "No")]));

        let list = json!({ "interactive": { "type": "list", "body": { "text": "When?" }, "action": { "button": "Choose",
            "sections": [{ "title": "Monday", "rows": [{ "id": "r-1", "title": "9:00", "description": "Room 1" }] },
                         { "title": "Tuesday", "rows": [{ "id": "r-2", "title": "10:00" }] }] } } });
        let row = |row: Value| json!({ "interactive": { "type": "list_reply", "list_reply": row } });
        let chosen = replies(&mut model(), "WhatsApp", "interactive", &list);
        let first = row(json!({ "id": "r-1", "title": "9:00", "description": "Room 1" }));
        assert_eq!(chosen, all(&[first, row(json!({ "id": "r-2", "title": "10:00" }))]));
    }

    #[test]
    fn a_random_reply_on_rcs_chooses_a_suggested_reply() {
        let suggestions = json!({ "text": "Coming?", "suggestions": [
            { "reply": { "text": "Sure", "postbackData": "p-1" } },
            { "action": { "text": "Call us", "postbackData": "p-2", "dialAction": { "phoneNumber": "+6531234567" } } }] });
        let chosen = replies(&mut model(), "RCS", "text", &suggestions);
        assert_eq!(chosen, all(&[json!({ "text": "Sure", "payload": "p-1" })]));
    }

    #[test]
    fn a_random_reply_chooses_a_quick_reply_of_its_template() {
        let mut model = model();
        let created = json!({ "name": "visit", "language": "en", "category": "UTILITY", "components": [
            { "type": "BODY", "text": "Shall we come?" },
            { "type": "BUTTONS", "buttons": [{ "type": "URL", "text": "Map", "url": "https://a.example" },
                { "type": "QUICK_REPLY", "text": "Come" }, { "type": "QUICK_REPLY", "text": "Another day" }] }] });
        post(&mut model, "/api/v1/accounts/acme-1/channels/c-1/templates", &created);
        let button = json!({ "type": "button", "index": 2, "subType": "QuickReply",
            "parameters": [{ "type": "payload", "payload": "later-7" }] });
        let template = |name: &str, components: &[&Value]| json!({ "template": { "name": name, "language": "en", "components": components } });
        // It is approved a minute later; until then its messages are undelivered.
        assert_eq!(model.take_template_changes(START + Span::from_secs(120)).len(), 1);
        let chosen = replies(&mut model, "WhatsApp", "template", &template("visit", &[&button]));
        assert_eq!(chosen, all(&[json!({ "text": "Come" }), json!({ "text": "Another day", "payload": "later-7" })]));
        // Of a template that was never created, only the payloads are known.
        let chosen = replies(&mut model, "WhatsApp", "template", &template("other", &[&button]));
        assert_eq!(chosen, all(&[json!({ "text": "later-7", "payload": "later-7" })]));
    }

    #[test]
    fn a_message_without_a_choice_is_answered_with_a_text() {
        let link = json!({ "text": "Look", "button": { "caption": "Shop", "action": "https://a.example" } });
        for (channel, kind, content) in [
            ("SMS", "text", json!({ "text": "Hello" })),
            ("WhatsApp", "text", json!({ "text": "Hello" })),
            ("Viber", "buttons", link),
        ] {
            let chosen = replies(&mut model(), channel, kind, &content);
            assert_eq!(chosen, all(&[json!({ "text": "OK, thanks" })]), "{channel}");
        }
    }
}
