//! Lenient readers for values that the provider writes in several ways. For `#[serde(deserialize_with)]`.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::text::Text;
use crate::base::domain::has_private_key;

/// Reads a whole number, also as text (`"index": "0"`) or with a zero fraction (`2.0`). Anything else is `None`.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    deserializer.deserialize_any(AnyNumber)
}

/// Reads a text, also from a number, as its own.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<Text<'de>>::deserialize(deserializer)?.map(|text| text.into_cow().into_owned()))
}

/// Reads `null` as the default: an empty list or object.
pub(super) fn nothing_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a value of an undocumented shape as the default. Used for inbound messages, so that one strange part loses no
/// other.
pub(super) fn or_nothing<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    let raw = <&'de RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).unwrap_or_default())
}

/// Reads a value of another shape as none. Details are read from values that serde has buffered, so not with
/// [`or_nothing`].
pub(super) fn or_none<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written<T> {
        Known(T),
        Other(IgnoredAny),
    }

    Ok(match Written::deserialize(deserializer)? {
        Written::Known(value) => Some(value),
        Written::Other(_) => None,
    })
}

/// Messages that a batch may have.
pub(super) const BATCH_MAX: usize = 10_000;

/// Reads the messages of a batch, and one more than it may have: the others would only take memory.
pub(super) fn messages<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Messages<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Messages<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of messages")
        }

        fn visit_unit<E: Error>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
            let mut messages = Vec::new();
            while messages.len() <= BATCH_MAX {
                let Some(message) = seq.next_element()? else { return Ok(messages) };
                messages.push(message);
            }
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(messages)
        }
    }

    deserializer.deserialize_any(Messages(PhantomData))
}

/// Fails if a JSON text has [a key that would be read as JSON](has_private_key), or more values than a request may have: read,
/// each takes many times its length.
pub(super) fn check_values(json: &[u8], most: usize) -> serde_json::Result<()> {
    if has_private_key(json) {
        return Err(Error::custom("it has a key that no request has, or too many levels"));
    }
    // A value takes at least one byte.
    if json.len() <= most {
        return Ok(());
    }
    let (mut values, mut is_text, mut is_escaped) = (0, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b',' | b'[' | b'{' if !is_text => values += 1,
            _ => {}
        }
    }
    if values > most { Err(Error::custom(format_args!("it has more than {most} values"))) } else { Ok(()) }
}

/// Items of one list that are read. The others are dropped: a webhook has room for millions.
pub(super) const ITEMS_MAX: usize = 1_000;
/// Bytes of the longest JSON of undocumented shape that is taken apart. Its values take many times its length.
pub(super) const VALUE_MAX: usize = 256 << 10;

/// Reads the first items of a list. One of an undocumented shape becomes the default, as does anything but a list.
pub(super) fn first_items<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    let raw = <&'de RawValue>::deserialize(deserializer)?;
    let mut items = Vec::new();
    let mut list = serde_json::Deserializer::from_str(raw.get());
    // Not a list: there are no items.
    let _ = list.deserialize_seq(FirstItems(&mut items));
    Ok(items)
}

struct FirstItems<'list, T>(&'list mut Vec<T>);

impl<'de, T: Default + Deserialize<'de>> Visitor<'de> for FirstItems<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while self.0.len() < ITEMS_MAX
            && let Some(raw) = seq.next_element::<&'de RawValue>()?
        {
            self.0.push(serde_json::from_str(raw.get()).unwrap_or_default());
        }
        Ok(())
    }
}

/// Reads a value of any shape. A longer one is not taken apart; its event is stored as it came.
pub(super) fn short_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    let raw = Option::<&'de RawValue>::deserialize(deserializer)?;
    let short = raw.filter(|raw| raw.get().len() <= VALUE_MAX);
    Ok(short.and_then(|raw| serde_json::from_str::<Option<Value>>(raw.get()).ok().flatten()))
}

/// Reads a decimal number, also as text. Anything else is `None`.
pub(super) fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let text: Option<Text<'de>> = or_nothing(deserializer)?;
    Ok(text.and_then(|text| text.trim().parse::<f64>().ok()).filter(|number| number.is_finite()))
}

/// Reads yes or no, also as text. Anything else is `None`.
pub(super) fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    let text: Option<Text<'de>> = or_nothing(deserializer)?;
    Ok(text.and_then(|text| text.trim().to_ascii_lowercase().parse().ok()))
}

struct AnyNumber;

impl<'de> Visitor<'de> for AnyNumber {
    type Value = Option<i64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(number).ok())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(number))
    }

    #[expect(clippy::cast_possible_truncation, reason = "a cast from a float saturates")]
    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok((number.fract() == 0.0).then_some(number as i64))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(text.trim().parse().ok())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_number_is_read_from_every_form() {
        for (json, wanted) in [
            ("7", Some(7)),
            ("\"7\"", Some(7)),
            ("7.0", Some(7)),
            ("7.5", None),
            ("null", None),
            ("\"x\"", None),
            ("[1]", None),
            ("{\"a\":1}", None),
        ] {
            let mut deserializer = serde_json::Deserializer::from_str(json);
            assert_eq!(super::number(&mut deserializer).unwrap(), wanted, "{json}");
        }
    }

    #[test]
    fn a_decimal_and_a_truth_are_read_from_numbers_and_texts() {
        for (json, number, truth) in [
            ("103.846375", Some(103.846_375), None),
            ("\" -1.2857 \"", Some(-1.285_7), None),
            ("\"inf\"", None, None),
            ("true", None, Some(true)),
            ("\"False\"", None, Some(false)),
            ("null", None, None),
            ("[1]", None, None),
        ] {
            let decimal = super::decimal(&mut serde_json::Deserializer::from_str(json)).unwrap();
            assert_eq!(decimal, number, "{json}");
            assert_eq!(super::truth(&mut serde_json::Deserializer::from_str(json)).unwrap(), truth, "{json}");
        }
    }
}
