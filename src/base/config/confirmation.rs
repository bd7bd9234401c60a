//! `[opt_out] confirm`: the text that confirms an opt-out to its recipient.

use std::collections::BTreeMap;

use super::error::Error;
use super::read::{Reader, TextValue};
use crate::base::domain::{Language, is_reserved};

/// The key of the text for every other language.
const OTHERS: &str = "others";
/// Characters of a text.
const LONGEST: usize = 1_000;

/// The texts that confirm an opt-out, by language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    by_language: BTreeMap<Language, String>,
    others: String,
}

impl Confirmation {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, Error> {
        const KEY: &str = "confirm";
        let mut by_language = BTreeMap::new();
        let others = match reader.texts(KEY)? {
            None => return Ok(None),
            Some(TextValue::One(text)) => text,
            Some(TextValue::Named(texts)) => {
                let mut others = None;
                for (name, text) in texts {
                    if name == OTHERS {
                        others = Some(text);
                        continue;
                    }
                    let language = name.parse::<Language>().map_err(|error| {
                        reader.wrong(KEY, format_args!("{error}, or \"{OTHERS}\" for every other language"))
                    })?;
                    by_language.insert(language, text);
                }
                let missing =
                    || reader.wrong(KEY, format_args!("has no text for every other language; add {OTHERS} = \"…\""));
                others.ok_or_else(missing)?
            }
        };
        for text in by_language.values().chain([&others]) {
            if text.trim().is_empty() {
                return Err(reader.wrong(KEY, "has an empty text; write one or remove it"));
            }
            if text.contains("{{") {
                return Err(reader.wrong(KEY, "has a variable, but a confirmation has none; remove the double braces"));
            }
            if text.contains(is_reserved) {
                return Err(reader.wrong(KEY, "characters from U+FDD0 to U+FDEF are not supported; remove them"));
            }
            if text.chars().count() > LONGEST {
                return Err(reader.wrong(KEY, format_args!("has a text of more than {LONGEST} characters; shorten it")));
            }
        }
        Ok(Some(Self { by_language, others }))
    }

    /// The text in a language, else the one for all others.
    pub fn text(&self, language: Option<Language>) -> &str {
        language.and_then(|language| self.by_language.get(&language)).unwrap_or(&self.others)
    }
}
