//! A campaign's own variables: constants, texts made of other variables, and texts chosen by a column.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The values of a campaign, by their names. A launch stores them with the plan.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Values(pub BTreeMap<String, ValueRule>);

/// What a value is made of. Texts may contain variables; the `template` room reads them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueRule {
    Text(String),
    Choice(Choice),
}

/// A text for each of some values of a variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The variable that decides, without braces: `Tier`, or `Tier:lower`.
    pub by: String,
    /// The texts, by the value to which they belong. Values are compared exactly.
    pub texts: BTreeMap<String, String>,
    /// The text for all other values, also for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others: Option<String>,
}

/// What a variable can name: a column of the audience, or a value of the campaign.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// In the order of a recipient's fields.
    pub columns: &'a [String],
    pub values: &'a Values,
}

static NO_VALUES: Values = Values(BTreeMap::new());

impl<'a> Names<'a> {
    /// The names of an audience for a campaign without values of its own.
    pub fn of_columns(columns: &'a [String]) -> Self {
        Self { columns, values: &NO_VALUES }
    }
}

impl Values {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Finds a value by its name, in any letter case.
    pub fn find(&self, name: &str) -> Option<(&str, &ValueRule)> {
        let lower = name.to_lowercase();
        let found = self.0.get_key_value(name).or_else(|| self.0.iter().find(|(own, _)| own.to_lowercase() == lower));
        found.map(|(name, rule)| (name.as_str(), rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_in_any_letter_case_and_stored_by_kind() {
        let json =
            r#"{"Discount":{"choice":{"by":"Tier","texts":{"gold":"20"},"others":"5"}},"Shop":{"text":"Volley"}}"#;
        let values: Values = serde_json::from_str(json).unwrap();
        assert_eq!(values.find("shop"), Some(("Shop", &ValueRule::Text("Volley".to_owned()))));
        assert_eq!(values.find("Stop"), None);
        assert_eq!(serde_json::to_string(&values).unwrap(), json);
    }
}
