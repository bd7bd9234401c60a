//! Takes the texts out of a content, so that messages that differ only in their texts share a plan. What is no text, and
//! what Volley does not know, is taken out as it is.

use serde_json::{Map, Value};

use crate::base::domain::{Extras, point_at};

/// Keys whose values choose what a message is. They stay in the plan.
const CHOICES: [&str; 14] = [
    "type",
    "index",
    "cardIndex",
    "ttlMinutes",
    "subType",
    "language",
    "encoding",
    "height",
    "cardWidth",
    "cardOrientation",
    "thumbnailImageAlignment",
    "mode",
    "flowId",
    "flowAction",
];
/// Numbers that differ between messages of one kind.
const FIGURES: [&str; 4] = ["latitude", "longitude", "duration", "filesize"];

/// Columns with the texts of a message.
#[derive(Debug, Default)]
pub(super) struct Slots {
    columns: Vec<String>,
    fields: Vec<String>,
}

impl Slots {
    /// Adds a column with this text, and returns the variable that stands for it.
    pub(super) fn add(&mut self, name: &str, text: &str) -> String {
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).take(30).collect();
        // A name has no underscore, so no two columns have the same one.
        let column = format!("{name}_{}", self.columns.len() + 1);
        let variable = format!("{{{{{column}}}}}");
        self.columns.push(column);
        self.fields.push(text.to_owned());
        variable
    }

    /// The same for a text that may be empty: an empty value would be a missing one.
    pub(super) fn text(&mut self, name: &str, text: &str) -> String {
        if text.trim().is_empty() { text.to_owned() } else { self.add(name, text) }
    }

    /// The position of the column that was added last.
    pub(super) fn last(&self) -> Option<usize> {
        self.columns.len().checked_sub(1)
    }

    pub(super) fn into_parts(self) -> (Vec<String>, Vec<String>) {
        (self.columns, self.fields)
    }

    /// Takes the texts out of a content that is at this place, and everything that is not in `known`: the same content as
    /// Volley reads it.
    pub(super) fn take_from(
        &mut self,
        content: &mut Map<String, Value>,
        known: &Map<String, Value>,
        at: &str,
        extras: &mut Extras,
    ) {
        let mut taking = Taking { slots: self, extras, at: at.to_owned() };
        taking.object(content, known, "");
    }
}

/// A walk through a content as its caller wrote it, beside the same as Volley reads it.
struct Taking<'s> {
    slots: &'s mut Slots,
    extras: &'s mut Extras,
    /// The JSON pointer to the present value.
    at: String,
}

impl Taking<'_> {
    fn object(&mut self, values: &mut Map<String, Value>, known: &Map<String, Value>, name: &str) {
        let before = self.at.len();
        values.retain(|key, value| {
            point_at(&mut self.at, key);
            let stays = known.get(key).is_some_and(|known| self.stays(key, value, known, name));
            if !stays {
                self.extras.add(&self.at, value.take());
            }
            self.at.truncate(before);
            stays
        });
    }

    /// Whether a value stays in the plan, without its texts.
    fn stays(&mut self, key: &str, value: &mut Value, known: &Value, parent: &str) -> bool {
        match (value, known) {
            // Braces in the plan would be a variable.
            (Value::String(text), _) if is_choice(key, parent) && !text.contains("{{") => true,
            (Value::String(text), _) => {
                *text = self.slots.text(key, text);
                true
            }
            (Value::Number(_) | Value::Bool(_), _) if is_choice(key, parent) => true,
            (Value::Number(_), Value::Number(_)) => !FIGURES.contains(&key),
            (Value::Bool(_), Value::Bool(_)) => true,
            (Value::Array(values), Value::Array(known)) => self.list(key, values, known, parent),
            (Value::Object(values), Value::Object(known)) => {
                self.object(values, known, key);
                true
            }
            // A number where a text is expected, and everything that Volley reads as something else.
            _ => false,
        }
    }

    /// The same for a list, of which no entry can be left out.
    fn list(&mut self, key: &str, values: &mut [Value], known: &[Value], parent: &str) -> bool {
        let are_alike =
            |pair: (&Value, &Value)| matches!(pair, (Value::Object(_), Value::Object(_)) | (Value::String(_), _));
        if values.len() != known.len() || !values.iter().zip(known).all(are_alike) {
            return false;
        }
        let before = self.at.len();
        for (index, (value, known)) in values.iter_mut().zip(known).enumerate() {
            point_at(&mut self.at, &index.to_string());
            self.stays(key, value, known, parent);
            self.at.truncate(before);
        }
        true
    }
}

/// The name of a place is a text; that of a template, of a parameter or of an action is not.
fn is_choice(key: &str, parent: &str) -> bool {
    CHOICES.contains(&key) || key == "name" && parent != "location"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What stays of a content that Volley knows whole, the texts, and what else was taken.
    fn taken(content: &Value) -> (Value, Vec<(String, String)>, String) {
        taken_beside(content, content)
    }

    fn taken_beside(content: &Value, known: &Value) -> (Value, Vec<(String, String)>, String) {
        let (Value::Object(mut content), Value::Object(known)) = (content.clone(), known) else {
            panic!("a content is an object")
        };
        let (mut slots, mut extras) = (Slots::default(), Extras::default());
        slots.take_from(&mut content, known, "/content", &mut extras);
        let (columns, fields) = slots.into_parts();
        (Value::Object(content), columns.into_iter().zip(fields).collect(), extras.to_text())
    }

    #[test]
    fn templates_with_other_values_share_a_plan() {
        let of = |name: &str, code: &str| {
            taken(&json!({ "template": { "name": "order", "language": "en_US", "components": [
                { "type": "body", "parameters": [{ "type": "text", "text": name }] },
                { "type": "button", "index": 0, "subType": "url", "parameters": [{ "type": "text", "text": code }] },
            ]}}))
        };
        let ((one, fields, _), (other, ..)) = (of("Ann", "a1"), of("Ben {{x}}", "b\"2"));
        assert_eq!(one, other);
        assert_eq!(fields, [("text_1".to_owned(), "Ann".to_owned()), ("text_2".to_owned(), "a1".to_owned())]);
        assert_eq!(one["template"]["name"], "order");
        assert_eq!(one["template"]["components"][1]["parameters"][0]["text"], "{{text_2}}");
    }

    #[test]
    fn places_and_their_figures_are_texts_of_the_message() {
        let (plan, fields, extras) =
            taken(&json!({ "location": { "latitude": 1.28, "longitude": "103.8", "name": "Shop", "address": "" } }));
        assert_eq!(
            plan,
            json!({ "location": { "longitude": "{{longitude_1}}", "name": "{{name_2}}", "address": "" } })
        );
        assert_eq!(fields.iter().map(|(_, field)| field.as_str()).collect::<Vec<_>>(), ["103.8", "Shop"]);
        assert_eq!(extras, r#"[["/content/location/latitude",1.28]]"#);
    }

    #[test]
    fn braces_of_a_caller_are_never_a_variable() {
        let (plan, fields, _) = taken(&json!({ "type": "{{type}}", "odd }} key": "a", "language": "en" }));
        assert_eq!(plan, json!({ "odd }} key": "{{oddkey_1}}", "type": "{{type_2}}", "language": "en" }));
        assert_eq!(fields[1].1, "{{type}}");
    }

    #[test]
    fn what_volley_does_not_know_is_no_part_of_the_plan() {
        let content = |more: &Value, text: &Value| {
            json!({ "document": { "url": "https://a.example/1", "fileName": more },
                "template": { "components": [{ "index": "0", "parameters": [{ "text": text, "size": [1] }] }] } })
        };
        let known = json!({ "document": { "url": "https://a.example/1" },
            "template": { "components": [{ "index": 0, "parameters": [{ "text": "5" }] }] } });
        let (plan, fields, extras) = taken_beside(&content(&json!({ "a": 1 }), &json!("5")), &known);
        assert_eq!(
            plan,
            json!({ "document": { "url": "{{url_1}}" },
                "template": { "components": [{ "index": "0", "parameters": [{ "text": "{{text_2}}" }] }] } })
        );
        assert_eq!(fields.len(), 2);
        let size = "/content/template/components/0/parameters/0/size";
        assert_eq!(extras, json!([["/content/document/fileName", { "a": 1 }], [size, [1]]]).to_string());
        // A number where a text is expected stays a number.
        let (_, fields, extras) = taken_beside(&content(&Value::Null, &json!(5)), &known);
        let text = "/content/template/components/0/parameters/0/text";
        assert_eq!(
            (fields.len(), extras),
            (1, json!([["/content/document/fileName", null], [size, [1]], [text, 5]]).to_string())
        );
    }
}
