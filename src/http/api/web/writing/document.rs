//! An unfinished campaign: an object with the keys of a campaign file, of which some may be missing.

use serde_json::{Map, Value};

use crate::base::config::Problem;
use crate::campaigns::campaign::Draft;
use crate::http::api::web::form::Form;

/// Keys of a campaign or of a step, as a form shows them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Keys(pub(super) Map<String, Value>);

/// An unfinished campaign.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Document {
    pub(super) keys: Keys,
    pub(super) steps: Vec<Keys>,
    /// The uploads whose audiences were added. It is no key of a campaign.
    added: Vec<String>,
}

const STEP: &str = "step";
const AUDIENCE: &str = "audience";
const ADDED: &str = "added_uploads";

impl Document {
    /// Reads what is stored. It was written by [`Document::stored`], so it is an object.
    pub(super) fn read(text: &str) -> Self {
        let mut keys: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        let steps = match keys.remove(STEP) {
            Some(Value::Array(steps)) => steps,
            _ => Vec::new(),
        };
        let of_step = |step| if let Value::Object(keys) = step { Some(Keys(keys)) } else { None };
        let added = keys.remove(ADDED).and_then(|added| serde_json::from_value(added).ok()).unwrap_or_default();
        Self { keys: Keys(keys), steps: steps.into_iter().filter_map(of_step).collect(), added }
    }

    /// The campaign as the API takes it. The deadline of a step that is the last for now is kept, but does not count.
    pub(super) fn to_value(&self) -> Map<String, Value> {
        let mut all = self.clone();
        if let Some(last) = all.steps.last_mut() {
            last.put("fallback_after", "");
        }
        all.into_keys()
    }

    fn into_keys(self) -> Map<String, Value> {
        let Self { keys: Keys(mut all), steps, added: _ } = self;
        if !steps.is_empty() {
            let steps = steps.into_iter().map(|Keys(keys)| Value::Object(keys)).collect();
            all.insert(STEP.to_owned(), Value::Array(steps));
        }
        all
    }

    /// The campaign as it is stored.
    pub(super) fn stored(&self) -> String {
        let mut all = self.clone().into_keys();
        if !self.added.is_empty() {
            all.insert(ADDED.to_owned(), self.added.clone().into());
        }
        Value::Object(all).to_string()
    }

    /// The campaign, or every problem with what is written.
    pub(super) fn draft(&self) -> Result<Draft, Vec<Problem>> {
        Draft::from_json(Value::Object(self.to_value()))
    }

    /// The first audience that is chosen. Others of one campaign have the same columns.
    pub(super) fn audience(&self) -> Option<String> {
        self.audiences().into_iter().next()
    }

    /// The audiences that are chosen, each once.
    pub(super) fn audiences(&self) -> Vec<String> {
        let name = |value: &Value| value.as_str().map(str::to_owned).filter(|name| !name.is_empty());
        let mut names: Vec<String> = Vec::new();
        let all = match self.keys.0.get(AUDIENCE) {
            Some(Value::Array(list)) => list.iter().filter_map(name).collect(),
            Some(value) => name(value).into_iter().collect(),
            None => Vec::new(),
        };
        for name in all {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    pub(super) fn add_audience(&mut self, name: &str) {
        let mut names = self.audiences();
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
        self.keys.put_all(AUDIENCE, names.iter().map(String::as_str));
    }

    /// Adds the audience of an upload, once: it may have been removed since.
    pub(super) fn add_upload(&mut self, upload: &str, audience: &str) {
        if self.added.iter().any(|added| added == upload) {
            return;
        }
        self.added.push(upload.to_owned());
        self.add_audience(audience);
    }

    pub(super) fn remove_audience(&mut self, name: &str) {
        let names = self.audiences();
        self.keys.put_all(AUDIENCE, names.iter().map(String::as_str).filter(|known| *known != name));
    }
}

impl Keys {
    /// A value as a field shows it: a list with commas.
    pub(super) fn text(&self, key: &str) -> String {
        let word = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match self.0.get(key) {
            None | Some(Value::Null) => String::new(),
            Some(Value::Array(list)) => list.iter().map(word).collect::<Vec<_>>().join(", "),
            Some(value) => word(value),
        }
    }

    /// The keys of an object within, such as a template.
    pub(super) fn within(&self, key: &str) -> Self {
        match self.0.get(key) {
            Some(Value::Object(keys)) => Self(keys.clone()),
            _ => Self::default(),
        }
    }

    /// Sets a text. An empty one is none.
    pub(super) fn put(&mut self, key: &str, text: &str) {
        match text.trim() {
            "" => drop(self.0.remove(key)),
            _ => drop(self.0.insert(key.to_owned(), Value::String(text.replace("\r\n", "\n")))),
        }
    }

    /// Sets a list from a text with commas.
    pub(super) fn put_list(&mut self, key: &str, text: &str) {
        self.put_all(key, text.split(',').map(str::trim).filter(|item| !item.is_empty()));
    }

    /// Sets a list. An empty one is none.
    pub(super) fn put_all<'a>(&mut self, key: &str, items: impl Iterator<Item = &'a str>) {
        let items: Vec<Value> = items.map(|item| Value::String(item.to_owned())).collect();
        match items.is_empty() {
            true => drop(self.0.remove(key)),
            false => drop(self.0.insert(key.to_owned(), Value::Array(items))),
        }
    }

    pub(super) fn put_object(&mut self, key: &str, Self(object): Self) {
        match object.is_empty() {
            true => drop(self.0.remove(key)),
            false => drop(self.0.insert(key.to_owned(), Value::Object(object))),
        }
    }

    /// Takes these texts from a form. A field that the form does not have stays.
    pub(super) fn take(&mut self, form: &Form, prefix: &str, keys: &[&str]) {
        for key in keys {
            if let Some(text) = form.get(&format!("{prefix}{key}")) {
                self.put(key, text);
            }
        }
    }

    /// The same for lists.
    pub(super) fn take_lists(&mut self, form: &Form, prefix: &str, keys: &[&str]) {
        for key in keys {
            if let Some(text) = form.get(&format!("{prefix}{key}")) {
                self.put_list(key, text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_keeps_what_it_does_not_know() {
        let text = r#"{"audience":["members"],"name":"Promo","odd":{"a":[1]},"step":[{"channel":"SMS","text":"Hi"},{"channel":"Viber"}]}"#;
        let mut document = Document::read(text);
        assert_eq!(document.stored(), text);
        assert_eq!((document.audience(), document.steps.len()), (Some("members".to_owned()), 2));
        document.steps[1].put("text", "two\r\nlines");
        document.keys.put("name", " ");
        assert_eq!(document.steps[1].text("text"), "two\nlines");
        assert_eq!(document.keys.text("name"), "");
        assert_eq!(document.draft().unwrap_err().len(), 1, "it names an unknown key");
    }

    #[test]
    fn the_audience_of_an_upload_is_added_once() {
        let mut document = Document::default();
        document.add_upload("u1", "members");
        document.remove_audience("members");
        let mut again = Document::read(&document.stored());
        assert_eq!(again, document);
        again.add_upload("u1", "members");
        assert!(again.audiences().is_empty() && again.to_value().is_empty());
        again.add_upload("u2", "members");
        assert_eq!(again.audiences(), ["members"]);
    }

    #[test]
    fn lists_are_written_with_commas() {
        let mut keys = Keys::default();
        keys.put_list("quiet_hours", " 21:00-08:00 ,, 12:00-13:00");
        assert_eq!(keys.text("quiet_hours"), "21:00-08:00, 12:00-13:00");
        keys.put_list("quiet_hours", " , ");
        assert!(keys.0.is_empty());
    }

    #[test]
    fn what_is_no_object_is_an_empty_campaign() {
        for text in ["", "[]", "7", r#"{"step":7}"#] {
            assert_eq!(Document::read(text), Document::default(), "{text}");
        }
    }
}
