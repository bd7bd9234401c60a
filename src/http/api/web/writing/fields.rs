//! Builds the fields of forms from a document.

use super::document::Keys;
use crate::http::pages::{Field, FieldKind};

/// A field for a key of the document.
pub(super) fn field(
    keys: &Keys,
    prefix: &str,
    key: &str,
    (label, hint): (&'static str, &'static str),
    kind: FieldKind,
) -> Field {
    Field { kind, ..Field::text(format!("{prefix}{key}"), (label, hint), keys.text(key)) }
}

/// A choice whose values are their labels; an empty one means `usual`.
pub(super) fn choice<T: ToString>(usual: &str, words: impl IntoIterator<Item = T>) -> FieldKind {
    let usual = (String::new(), usual.to_owned());
    let words = words.into_iter().map(|word| (word.to_string(), word.to_string()));
    FieldKind::Choice(std::iter::once(usual).chain(words).collect())
}
