//! A recipient's fields: one packed list in column order.

use std::borrow::Cow;

use serde::Deserialize;

/// The texts of a recipient's row, packed as a JSON array: bounded by nothing but the row, readable with any tool.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fields(Box<str>);

#[derive(Debug, thiserror::Error)]
#[error("a recipient's stored fields are not a list of texts")]
pub struct InvalidFields(#[source] serde_json::Error);

/// Text that is borrowed where JSON needed no escapes, which is nearly always.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Fields {
    pub fn pack<'a>(fields: impl IntoIterator<Item = &'a str>) -> Self {
        // Room for a usual row: growing from nothing would cost more than the packing.
        let mut packed = String::with_capacity(160);
        packed.push('[');
        for (place, field) in fields.into_iter().enumerate() {
            if place > 0 {
                packed.push(',');
            }
            push_json_string(&mut packed, field);
        }
        packed.push(']');
        Self(packed.into())
    }

    /// Takes what [`Fields::as_str`] gave, from a row.
    pub fn from_packed(packed: String) -> Self {
        Self(packed.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn unpack(&self) -> Result<Vec<Cow<'_, str>>, InvalidFields> {
        let texts: Vec<Text<'_>> = serde_json::from_str(&self.0).map_err(InvalidFields)?;
        Ok(texts.into_iter().map(|Text(text)| text).collect())
    }
}

/// Appends `text` as a JSON string, quotes included: the one way in which text gets into JSON without serde.
pub fn push_json_string(buffer: &mut String, text: &str) {
    buffer.push('"');
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        buffer.push_str(&text[plain_from..at]);
        plain_from = at + 1;
        match byte {
            b'"' => buffer.push_str("\\\""),
            b'\\' => buffer.push_str("\\\\"),
            b'\n' => buffer.push_str("\\n"),
            b'\r' => buffer.push_str("\\r"),
            b'\t' => buffer.push_str("\\t"),
            control => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                buffer.push_str("\\u00");
                buffer.push(char::from(HEX[usize::from(control >> 4)]));
                buffer.push(char::from(HEX[usize::from(control & 0xf)]));
            }
        }
    }
    buffer.push_str(&text[plain_from..]);
    buffer.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fields_unpack_to_what_was_packed(texts in proptest::collection::vec(any::<String>(), 0..6)) {
            let fields = Fields::pack(texts.iter().map(String::as_str));
            prop_assert_eq!(fields.unpack().unwrap(), texts);
        }
    }
}
