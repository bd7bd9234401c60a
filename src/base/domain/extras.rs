//! What a request of the API has beyond its plan: values at places of its JSON.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Values at places of a request, each named by a JSON pointer. They are stored beside the texts of a message, so messages
/// that differ in them share a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Extras(Vec<(String, Value)>);

impl Extras {
    pub fn add(&mut self, pointer: &str, value: Value) {
        self.0.push((pointer.to_owned(), value));
    }

    /// As JSON; empty if there are none.
    pub fn to_text(&self) -> String {
        // Writing texts and values into memory cannot fail.
        if self.0.is_empty() { String::new() } else { serde_json::to_string(self).unwrap_or_default() }
    }

    /// Reads what [`Extras::to_text`] wrote.
    pub fn parse(text: &str) -> serde_json::Result<Self> {
        if text.is_empty() { Ok(Self::default()) } else { serde_json::from_str(text) }
    }

    /// Puts each value at its place. A place whose surroundings are missing is left out: an SMS has no part of the template
    /// that it follows.
    pub fn put_into(self, request: &mut Value) {
        for (pointer, value) in self.0 {
            let Some((parent, key)) = pointer.rsplit_once('/') else { continue };
            if let Some(Value::Object(parent)) = request.pointer_mut(parent) {
                parent.insert(key.replace("~1", "/").replace("~0", "~"), value);
            }
        }
    }
}

/// Appends a key to a JSON pointer.
pub fn point_at(pointer: &mut String, key: &str) {
    pointer.push('/');
    for character in key.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_come_back_at_their_places_and_nowhere_else() {
        let mut extras = Extras::default();
        let mut pointer = "/content".to_owned();
        point_at(&mut pointer, "a/b~c");
        extras.add(&pointer, json!({ "x": [1, null] }));
        extras.add("/content/list/1/size", json!(300));
        extras.add("/content/template/name", json!("of another step"));
        extras.add("/context", Value::Null);
        let mut request = json!({ "content": { "list": [{}, { "size": "0" }] } });
        Extras::parse(&extras.to_text()).unwrap().put_into(&mut request);
        assert_eq!(
            request,
            json!({ "content": { "a/b~c": { "x": [1, null] }, "list": [{}, { "size": 300 }] }, "context": null })
        );
        assert_eq!((Extras::default().to_text(), Extras::parse("").unwrap()), (String::new(), Extras::default()));
    }
}
