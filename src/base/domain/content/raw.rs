//! The provider's own JSON, for contents that have no keys of their own.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Category, TemplateName};

/// A message as the provider's API takes it: its `type` and its `content`. Strings may contain variables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawContent {
    #[serde(rename = "type")]
    pub kind: String,
    pub content: Map<String, Value>,
    /// The category of its template, as far as the provider has told it. It is not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
}

impl RawContent {
    pub(super) fn template(&self) -> Option<TemplateName<'_>> {
        let template = self.content.get("template")?;
        let text = |key| template.get(key).and_then(Value::as_str);
        let is_template = self.kind.eq_ignore_ascii_case("template");
        is_template.then_some(TemplateName { name: text("name")?, language: text("language")? })
    }
}
