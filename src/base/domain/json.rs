//! JSON of strangers.

use std::fmt;

use memchr::memmem;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// How keys begin that `serde_json` passes between its own types. It would read the text behind such a key of a stranger as JSON
/// within JSON, each time with a new limit of depth, until the stack ends.
const PRIVATE: &str = "$serde_json::private::";

/// Whether a JSON text has a key that `serde_json` keeps for itself, or is too deep to tell. No value of a stranger is parsed
/// as [`Value`](serde_json::Value) before this was asked.
pub fn has_private_key(json: &[u8]) -> bool {
    // Only an escape of an ASCII character can hide the key, and hardly any text has one.
    let is_ascii = |at: usize| json.get(at + 4).is_some_and(|digit| matches!(digit, b'2'..=b'7'));
    let may_have = memmem::find(json, PRIVATE.as_bytes()).is_some() || memmem::find_iter(json, br"\u00").any(is_ascii);
    may_have && serde_json::from_slice::<Keys>(json).is_err()
}

/// Any JSON value, of which only the keys are looked at.
struct Keys;

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Keys {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self, A::Error> {
        while values.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while let Some(key) = members.next_key::<String>()? {
            if key.starts_with(PRIVATE) {
                return Err(A::Error::custom("a private key"));
            }
            members.next_value::<Self>()?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_is_found_however_it_is_written() {
        for json in [
            r#"{"$serde_json::private::RawValue": "[]"}"#,
            r#"{"a": [1, {"b": {"\u0024serde_json::private::Number": "1"}}]}"#,
            r#"{"$serde_json::private::R\u0061wValue": "[]"}"#,
            r#"{"$serde_jso\u006e::private::RawValue": "[]"}"#,
        ] {
            assert!(has_private_key(json.as_bytes()), "{json}");
        }
        for json in [
            "",
            "{}",
            r#"{"text": "$serde_json::private::RawValue"}"#,
            r#"{"\u0061": "\u003cb\u003e", "b": [null, true, -1, 1.5, 7]}"#,
            r#"{"name": "K\u00f6ln"}"#,
        ] {
            assert!(!has_private_key(json.as_bytes()), "{json}");
        }
    }
}
