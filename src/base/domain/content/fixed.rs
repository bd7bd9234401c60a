//! The texts of a content that are the same for every recipient, because the provider looks something up by them.

use serde_json::{Map, Value};

use super::{Button, ButtonAction, Content, ContentPart, FlowAction, InteractiveAction};

type See<'v> = dyn FnMut(ContentPart, &str) + 'v;

impl Content {
    /// Calls `see` for each text that may hold no variable: names, the `type` of raw JSON, and the keys of JSON.
    ///
    /// The name and the language of a WhatsApp template are not among them: a stricter rule allows neither variables nor
    /// any special character in them.
    pub fn each_fixed_text(&self, mut see: impl FnMut(ContentPart, &str)) {
        let see: &mut See<'_> = &mut see;
        match self {
            Self::Template(template) => {
                of_buttons(&template.buttons, see);
                for (number, card) in (1..).zip(&template.carousel) {
                    of_buttons(&card.buttons, &mut |part, text| see(ContentPart::Card(number, Box::new(part)), text));
                }
            }
            Self::ZaloTemplate(template) => {
                see(ContentPart::Template("name"), &template.name);
                see(ContentPart::Template("language"), &template.language);
                template.params.keys().for_each(|name| see(ContentPart::Template("params"), name));
            }
            Self::Text { source, .. } => source.all().for_each(|source| see(ContentPart::Source, source)),
            Self::Interactive(message) => {
                if let InteractiveAction::Flow { message_version, opens, .. } = &message.action {
                    let part = |path: &str| ContentPart::Key("interactive", path.into());
                    if let Some(version) = message_version {
                        see(part("flow message_version"), version);
                    }
                    of_flow(opens, [part("flow screen"), part("flow data")], see);
                }
            }
            Self::Raw(raw) => {
                see(ContentPart::Raw("type".into()), &raw.kind);
                of_keys(&raw.content, &mut |key| see(ContentPart::key("raw"), key));
            }
            Self::Rich(_) | Self::Location(_) | Self::Card(_) | Self::Carousel(_) | Self::Notification(_) => {}
        }
    }
}

fn of_buttons(buttons: &[Button], see: &mut See<'_>) {
    for Button { index, action } in buttons {
        if let ButtonAction::Flow(flow) = action {
            of_flow(flow, [ContentPart::Button(*index, "flow screen"), ContentPart::Button(*index, "flow data")], see);
        }
    }
}

fn of_flow(flow: &FlowAction, [of_screen, of_data]: [ContentPart; 2], see: &mut See<'_>) {
    let FlowAction { screen, data } = flow;
    if let Some(screen) = screen {
        see(of_screen, screen);
    }
    of_keys(data, &mut |key| see(of_data.clone(), key));
}

/// Calls `see` for each key of a JSON object, and of those within it.
fn of_keys(object: &Map<String, Value>, see: &mut dyn FnMut(&str)) {
    for (key, value) in object {
        see(key);
        of_keys_within(value, see);
    }
}

fn of_keys_within(value: &Value, see: &mut dyn FnMut(&str)) {
    match value {
        Value::Object(object) => of_keys(object, see),
        Value::Array(values) => values.iter().for_each(|value| of_keys_within(value, see)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
