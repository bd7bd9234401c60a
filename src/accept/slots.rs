//! Takes the texts out of a content, so that messages that differ only in their texts share a plan.

use serde_json::{Map, Value};

/// Keys whose texts choose what a message is. They stay in the plan.
const CHOICES: [&str; 11] = [
    "type",
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
/// Figures that differ between messages of one kind. The provider takes them as texts too.
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

    /// Takes the texts out of a content.
    pub(super) fn take_from(&mut self, content: &mut Map<String, Value>) {
        for (key, value) in content {
            self.take_from_value(key, value, "");
        }
    }

    fn take_from_value(&mut self, key: &str, value: &mut Value, parent: &str) {
        match value {
            // Braces in the plan would be a variable.
            Value::String(text) if is_choice(key, parent) && !text.contains("{{") => {}
            Value::String(text) => *text = self.text(key, text),
            Value::Number(number) if FIGURES.contains(&key) => {
                let text = number.to_string();
                *value = Value::String(self.add(key, &text));
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.take_from_value(key, value, parent)),
            Value::Object(values) => values.iter_mut().for_each(|(name, value)| self.take_from_value(name, value, key)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
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

    fn taken(content: &Value) -> (Value, Vec<(String, String)>) {
        let Value::Object(mut content) = content.clone() else { panic!("a content is an object") };
        let mut slots = Slots::default();
        slots.take_from(&mut content);
        let (columns, fields) = slots.into_parts();
        (Value::Object(content), columns.into_iter().zip(fields).collect())
    }

    #[test]
    fn templates_with_other_values_share_a_plan() {
        let of = |name: &str, code: &str| {
            taken(&json!({ "template": { "name": "order", "language": "en_US", "components": [
                { "type": "body", "parameters": [{ "type": "text", "text": name }] },
                { "type": "button", "index": 0, "subType": "url", "parameters": [{ "type": "text", "text": code }] },
            ]}}))
        };
        let ((one, fields), (other, _)) = (of("Ann", "a1"), of("Ben {{x}}", "b\"2"));
        assert_eq!(one, other);
        assert_eq!(fields, [("text_1".to_owned(), "Ann".to_owned()), ("text_2".to_owned(), "a1".to_owned())]);
        assert_eq!(one["template"]["name"], "order");
        assert_eq!(one["template"]["components"][1]["parameters"][0]["text"], "{{text_2}}");
    }

    #[test]
    fn places_and_their_figures_are_texts_of_the_message() {
        let (plan, fields) =
            taken(&json!({ "location": { "latitude": 1.28, "longitude": "103.8", "name": "Shop", "address": "" } }));
        assert_eq!(
            plan,
            json!({ "location": { "latitude": "{{latitude_1}}", "longitude": "{{longitude_2}}", "name": "{{name_3}}", "address": "" } })
        );
        assert_eq!(fields.iter().map(|(_, field)| field.as_str()).collect::<Vec<_>>(), ["1.28", "103.8", "Shop"]);
    }

    #[test]
    fn braces_of_a_caller_are_never_a_variable() {
        let (plan, fields) = taken(&json!({ "type": "{{type}}", "odd }} key": "a", "language": "en" }));
        assert_eq!(plan, json!({ "odd }} key": "{{oddkey_1}}", "type": "{{type_2}}", "language": "en" }));
        assert_eq!(fields[1].1, "{{type}}");
    }
}
