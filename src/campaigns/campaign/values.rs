//! The `[values]` of a campaign file: constants, texts made of other variables, and texts chosen by a column.
//!
//! ```toml
//! [values]
//! Shop = "Volley Store"
//! Greeting = "Dear {{Title|}} {{LastName}}"
//! Discount = { by = "Tier", gold = "20", silver = "10", others = "5" }
//! ```

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::base::config::{Most, Table, text_problem};
use crate::base::domain::{Choice, ValueRule, Values};

/// The most values of a campaign.
const VALUES_MAX: usize = 100;

const NAME_MAX: usize = 100;

/// Characters that end a name within a variable, or begin a filter.
const NOT_IN_NAMES: [char; 6] = ['{', '}', '|', ':', '(', ')'];

pub(super) fn read(table: &mut Table<'_>) -> Values {
    let mut values = Values::default();
    let written = table.table("values").unwrap_or_default();
    if written.len() > VALUES_MAX {
        table.wrong(
            "values",
            format_args!("{} values are more than the {VALUES_MAX} allowed; remove some", written.len()),
        );
        return values;
    }
    for (name, value) in written {
        let rule = match (name_problem(&name), values.find(&name)) {
            (Some(problem), _) => Err(problem),
            (None, Some((other, _))) => Err(format!("is also written {other}; keep one of them")),
            (None, None) => rule(value),
        };
        match rule {
            Ok(rule) => drop(values.0.insert(name, rule)),
            Err(sentence) => table.wrong("values", format_args!("{name}: {sentence}")),
        }
    }
    values
}

fn name_problem(name: &str) -> Option<String> {
    if name.trim().is_empty() || name.trim() != name || name.chars().count() > NAME_MAX {
        return Some(format!("a name has from 1 to {NAME_MAX} characters and no spaces around it; rename it"));
    }
    let wrong = name.chars().find(|c| NOT_IN_NAMES.contains(c))?;
    Some(format!("a name cannot have '{wrong}'; rename it"))
}

fn rule(value: Value) -> Result<ValueRule, String> {
    match value {
        Value::Object(table) => choice(table).map(ValueRule::Choice),
        value => text(value).map(ValueRule::Text),
    }
}

/// A text that is not blank. Numbers count as their digits.
fn text(value: Value) -> Result<String, String> {
    match value {
        Value::String(text) if text.trim().is_empty() => Err("is empty; write a text, or remove it".to_owned()),
        Value::String(text) => text_problem(&text).map_or(Ok(text), Err),
        Value::Number(number) => Ok(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Err("must be a text in quotes, or { by = \"Column\", … }".to_owned())
        }
    }
}

fn choice(mut table: Map<String, Value>) -> Result<Choice, String> {
    const BY: &str =
        "a choice needs the column that decides; write it as { by = \"Tier\", gold = \"20\", others = \"5\" }";
    let within = |key: &str, value| text(value).map_err(|sentence| format!("{key}: {sentence}"));
    let by = match table.remove("by") {
        Some(by) => within("by", by)?,
        None => return Err(BY.to_owned()),
    };
    if by.contains("{{") {
        return Err("by: write the name alone, without braces".to_owned());
    }
    let others = table.remove("others").map(|text| within("others", text)).transpose()?;
    if let Some(problem) = Most::CHOICES.problem(table.len()) {
        return Err(problem);
    }
    let texts = table.into_iter().map(|(key, value)| Ok((key.clone(), within(&key, value)?)));
    let texts = texts.collect::<Result<BTreeMap<_, _>, String>>()?;
    if texts.is_empty() {
        return Err("has no value to choose by; write some, such as gold = \"20\"".to_owned());
    }
    Ok(Choice { by, texts, others })
}

#[cfg(test)]
mod tests {
    use super::super::Draft;

    fn values(text: &str) -> Result<String, String> {
        let file = format!("audience = \"a.csv\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n[values]\n{text}");
        let draft = Draft::parse("a.toml", &file).map_err(|error| error.to_string())?;
        Ok(serde_json::to_string(&draft.values).unwrap())
    }

    #[test]
    fn constants_texts_and_choices_are_read() {
        let read =
            values("Shop = \"Volley\"\nYear = 2026\nOff = { by = \"Tier\", gold = \"20\", 1 = 10, others = \"5\" }");
        assert_eq!(
            read.unwrap(),
            r#"{"Off":{"choice":{"by":"Tier","texts":{"1":"10","gold":"20"},"others":"5"}},"Shop":{"text":"Volley"},"Year":{"text":"2026"}}"#
        );
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_name() {
        let many: String = (0..101).map(|n| format!("v{n} = \"x\"\n")).collect();
        for (text, sentence) in [
            ("Shop = \" \"", "values: Shop: is empty; write a text, or remove it"),
            ("Shop = true", "values: Shop: must be a text in quotes, or { by ="),
            ("\"a:b\" = \"x\"", "values: a:b: a name cannot have ':'; rename it"),
            ("\" a\" = \"x\"", "values:  a: a name has from 1 to 100 characters and no spaces around it"),
            ("Shop = \"x\"\nshop = \"y\"", "values: shop: is also written Shop; keep one of them"),
            ("Off = { gold = \"20\" }", "values: Off: a choice needs the column that decides"),
            ("Off = { by = \"Tier\", others = \"5\" }", "values: Off: has no value to choose by"),
            ("Off = { by = \"{{Tier}}\", a = \"5\" }", "values: Off: by: write the name alone, without braces"),
            ("Off = { by = \"Tier\", a = [] }", "values: Off: a: must be a text in quotes"),
            (&many, "values: 101 values are more than the 100 allowed; remove some"),
        ] {
            let error = values(text).unwrap_err();
            assert!(error.contains(sentence), "{text}\n  gave: {error}\n  want: {sentence}");
        }
        assert!(values(&many.replace("v100 = \"x\"\n", "")).is_ok());
    }
}
