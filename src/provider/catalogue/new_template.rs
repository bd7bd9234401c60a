//! Reads a request that creates a template from a file of an operator.

use serde_json::Value;

use super::rules::{BrokenRule, broken_rules};
use crate::base::config::{parse_toml, to_json};
use crate::base::domain::hint;
use crate::rules::wire::NewTemplate;

/// Why a file is not a request that creates a template.
#[derive(Debug, thiserror::Error)]
pub enum NewTemplateError {
    #[error("{file}, line {line}: {message}")]
    Syntax { file: String, line: usize, message: String },
    #[error("{}", broken.iter().map(|rule| format!("{file}, {}: {}", rule.place, rule.sentence)).collect::<Vec<_>>().join("\n"))]
    Broken { file: String, broken: Vec<BrokenRule> },
}

/// A table of the documented request.
#[derive(Debug, Clone, Copy)]
enum Level {
    Request,
    Component,
    Card,
    Button,
    /// The examples of a component, as the provider's list has them.
    Example,
}

impl Level {
    /// Its documented keys.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Request => {
                &["name", "language", "category", "allow_category_change", "message_send_ttl_seconds", "components"]
            }
            Self::Component => &[
                "type",
                "format",
                "text",
                "examples",
                "example",
                "buttons",
                "cards",
                "add_security_recommendation",
                "code_expiration_minutes",
            ],
            Self::Card => &["components"],
            Self::Button => &[
                "type",
                "text",
                "url",
                "examples",
                "example",
                "phoneNumber",
                "country",
                "flowId",
                "flowAction",
                "navigateScreen",
                "ttlMinutes",
                "otp_type",
            ],
            Self::Example => &["headerText", "bodyText", "headerHandle"],
        }
    }

    /// The level of the tables under one of its keys.
    fn below(self, key: &str) -> Option<Self> {
        match (self, key) {
            (Self::Request | Self::Card, "components") => Some(Self::Component),
            (Self::Component, "buttons") => Some(Self::Button),
            (Self::Component, "cards") => Some(Self::Card),
            (Self::Component, "example") => Some(Self::Example),
            _ => None,
        }
    }
}

/// Parses a file, JSON if its name ends in `.json` or it opens with a brace, else TOML, and holds it against every documented
/// rule. `file` names it in errors.
pub fn read_new_template(file: &str, text: &str) -> Result<NewTemplate, NewTemplateError> {
    let text = text.trim_start_matches('\u{feff}');
    let syntax = |line, message: String| NewTemplateError::Syntax { file: file.to_owned(), line, message };
    let is_json = file.to_lowercase().ends_with(".json") || text.trim_start().starts_with('{');
    let value: Value = if is_json {
        serde_json::from_str(text).map_err(|error| syntax(error.line(), format!("invalid JSON: {error}")))?
    } else {
        let table = parse_toml(text).map_err(|error| syntax(error.line, error.message))?;
        to_json(toml::Value::Table(table))
    };
    let mut broken = Vec::new();
    unknown_keys(&value, Level::Request, "", &mut broken);
    if broken.is_empty() {
        match serde_json::from_value::<NewTemplate>(value) {
            Ok(template) => {
                broken = broken_rules(&template);
                if broken.is_empty() {
                    return Ok(template);
                }
            }
            Err(error) => broken.push(BrokenRule { place: "template".to_owned(), sentence: error.to_string() }),
        }
    }
    Err(NewTemplateError::Broken { file: file.to_owned(), broken })
}

/// Finds keys that are not documented. The provider would ignore them without a word.
fn unknown_keys(value: &Value, level: Level, path: &str, broken: &mut Vec<BrokenRule>) {
    match value {
        Value::Object(object) => {
            for (key, inner) in object {
                let place = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                if !level.keys().contains(&key.as_str()) {
                    let sentence = format!("unknown key; {}", hint(key, level.keys().iter().copied()));
                    broken.push(BrokenRule { place, sentence });
                    continue;
                }
                match level.below(key) {
                    Some(Level::Example) if !inner.is_object() && !inner.is_null() => {
                        let sentence =
                            "is a table in the provider's list; write the list `examples = [\"…\"]`".to_owned();
                        broken.push(BrokenRule { place, sentence });
                    }
                    Some(below) => unknown_keys(inner, below, &place, broken),
                    None => {}
                }
            }
        }
        Value::Array(values) => {
            for (index, inner) in values.iter().enumerate() {
                unknown_keys(inner, level, &format!("{path}.{index}"), broken);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = r#"
name = "orders"
language = "en"
category = "UTILITY"

[[components]]
type = "BODY"
text = "Hi {{1}}, your order is on its way."
examples = ["Ann"]

[[components]]
type = "BUTTONS"
buttons = [{ type = "QUICK_REPLY", text = "Stop" }]
"#;

    fn error(file: &str, text: &str) -> String {
        read_new_template(file, text).unwrap_err().to_string()
    }

    #[test]
    fn toml_and_json_give_the_same_request() {
        let from_toml = read_new_template("orders.toml", TOML).unwrap();
        let json = serde_json::to_string(&from_toml).unwrap();
        assert_eq!(read_new_template("orders.json", &json).unwrap(), from_toml);
        assert_eq!(from_toml.components[0].all_examples(), ["Ann"]);
    }

    #[test]
    fn an_unknown_key_a_broken_rule_and_a_wrong_value_are_named_with_their_place() {
        let unknown = error("orders.toml", &TOML.replace("examples", "exampels"));
        assert_eq!(unknown, "orders.toml, components.0.exampels: unknown key; did you mean \"examples\"?");
        let of_request = error("orders.toml", &format!("colour = 1\n{TOML}"));
        let keys = "name, language, category, allow_category_change, message_send_ttl_seconds, components";
        assert_eq!(of_request, format!("orders.toml, colour: unknown key; use one of {keys}"));
        // A key of another level.
        let url = error("orders.toml", &TOML.replacen("type = \"BODY\"", "type = \"BODY\"\nurl = \"https://a\"", 1));
        assert!(url.starts_with("orders.toml, components.0.url: unknown key; use one of type, format, text"), "{url}");
        for example in ["\"https://shop.example/a.png\"", "[\"Ann\"]"] {
            let example = error("orders.toml", &TOML.replace("examples = [\"Ann\"]", &format!("example = {example}")));
            let to_do = "is a table in the provider's list; write the list `examples = [\"…\"]`";
            assert_eq!(example, format!("orders.toml, components.0.example: {to_do}"));
        }
        let broken = error("orders.toml", &TOML.replace("[\"Ann\"]", "[]"));
        assert!(broken.starts_with("orders.toml, components 1 (BODY), examples: there are 0 examples"), "{broken}");
        assert!(error("orders.toml", "name =").starts_with("orders.toml, line 1"));
        assert!(error("orders.json", "{").starts_with("orders.json, line 1: invalid JSON"));
        assert!(error("orders.json", r#"{"components": 5}"#).contains("invalid type"));
    }
}
