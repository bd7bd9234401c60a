//! A recipient's fields: one packed list in column order.

use std::borrow::Cow;

use serde::Deserialize;

/// The texts of a recipient's row, packed as a JSON array. Its size is limited only by the row, and any tool can read
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fields(Box<str>);

#[derive(Debug, thiserror::Error)]
#[error("a recipient's stored fields are not a list of texts")]
pub struct InvalidFields(#[source] serde_json::Error);

/// Text that is borrowed if JSON needs no escapes, which is nearly always the case.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Fields {
    pub fn pack<'a>(fields: impl IntoIterator<Item = &'a str, IntoIter: Clone>) -> Self {
        let fields = fields.into_iter();
        // The exact size if no text needs an escape: to grow and shrink would cost more than to pack.
        let capacity = fields.clone().map(|field| field.len() + 3).sum::<usize>() + 1;
        let mut packed = String::with_capacity(capacity);
        packed.push('[');
        for (index, field) in fields.enumerate() {
            if index > 0 {
                packed.push(',');
            }
            push_json_string(&mut packed, field);
        }
        packed.push(']');
        Self(packed.into())
    }

    /// Takes the stored form, as [`Fields::as_str`] returned it.
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

/// Appends `text` as a JSON string, quotes included. All JSON that is written without serde uses this.
pub fn push_json_string(buffer: &mut String, text: &str) {
    buffer.push('"');
    escape_json(text, |piece| buffer.push_str(piece));
    buffer.push('"');
}

/// Appends `text` as the inside of a JSON string, without the quotes.
pub fn push_json_escaped(buffer: &mut Vec<u8>, text: &str) {
    escape_json(text, |piece| buffer.extend_from_slice(piece.as_bytes()));
}

/// Pushes `text` escaped for JSON, piece by piece: as one piece if nothing needs an escape, which is nearly always the
/// case.
fn escape_json(text: &str, mut push: impl FnMut(&str)) {
    if is_plain(text) {
        return push(text);
    }
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        push(&text[plain_from..at]);
        plain_from = at + 1;
        match byte {
            b'"' => push("\\\""),
            b'\\' => push("\\\\"),
            b'\n' => push("\\n"),
            b'\r' => push("\\r"),
            b'\t' => push("\\t"),
            control => {
                const HEX: &str = "0123456789abcdef";
                let digit = |nibble: u8| &HEX[usize::from(nibble)..=usize::from(nibble)];
                push("\\u00");
                push(digit(control >> 4));
                push(digit(control & 0xf));
            }
        }
    }
    push(&text[plain_from..]);
}

/// Whether no byte of a text needs an escape. Checks eight bytes at a time, because a file has hundreds of millions.
fn is_plain(text: &str) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    // A byte that is less than `than` borrows into its highest bit, which was not set.
    let less = |word: u64, than: u8| word.wrapping_sub(ONES * u64::from(than)) & !word & HIGHS;
    let is = |word: u64, byte: u8| less(word ^ (ONES * u64::from(byte)), 1);
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let found = |word: &[u8; 8]| {
        let word = u64::from_ne_bytes(*word);
        less(word, 0x20) | is(word, b'"') | is(word, b'\\')
    };
    words.iter().fold(0, |all, word| all | found(word)) == 0
        && rest.iter().all(|byte| *byte >= 0x20 && *byte != b'"' && *byte != b'\\')
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

        #[test]
        fn plain_text_needs_no_escape(text in "[ -~é\u{1}\u{1f}\u{7f}\u{80}\\PC]{0,20}") {
            let needs = |char: char| char < ' ' || char == '"' || char == '\\';
            prop_assert_eq!(is_plain(&text), !text.contains(needs));
        }

        #[test]
        fn escaped_text_between_quotes_is_the_json_string(text: String) {
            let mut bytes = vec![b'"'];
            push_json_escaped(&mut bytes, &text);
            bytes.push(b'"');
            prop_assert_eq!(serde_json::from_slice::<String>(&bytes).unwrap(), text.clone());
            let mut string = String::new();
            push_json_string(&mut string, &text);
            prop_assert_eq!(string.into_bytes(), bytes);
        }
    }
}
