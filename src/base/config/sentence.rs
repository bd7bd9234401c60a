//! Sentences about keys of a campaign, for readers of the file and for readers of a page.

use std::fmt;

use serde::{Serialize, Serializer};

/// A key of a campaign or of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedKey {
    OfCampaign(&'static str),
    OfStep(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum SentencePart {
    Text(String),
    /// A key, and how a file's reader sees it.
    Key(NamedKey, String),
    /// A key without a field on a page, and what a page calls it.
    KeyWithoutField(NamedKey, &'static str),
    /// What only a file, an option or a command can do.
    ForFiles(String),
    /// What a page says instead.
    ForPages(String),
}

/// A sentence in parts. `Display` writes it for those who write the campaign in a file; a page names fields instead of
/// keys ([`Sentence::on_page`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence(Vec<SentencePart>);

impl Sentence {
    pub fn new(text: impl Into<String>) -> Self {
        Self(vec![SentencePart::Text(text.into())])
    }

    fn with(mut self, part: SentencePart) -> Self {
        self.0.push(part);
        self
    }

    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        self.with(SentencePart::Text(text.into()))
    }

    /// Names a key of the campaign.
    #[must_use]
    pub fn key(self, key: &'static str) -> Self {
        self.with(SentencePart::Key(NamedKey::OfCampaign(key), key.to_owned()))
    }

    /// The same, with backticks in a file.
    #[must_use]
    pub fn marked_key(self, key: &'static str) -> Self {
        self.with(SentencePart::Key(NamedKey::OfCampaign(key), format!("`{key}`")))
    }

    /// Names a key of a step.
    #[must_use]
    pub fn step_key(self, key: &'static str) -> Self {
        self.with(SentencePart::Key(NamedKey::OfStep(key), key.to_owned()))
    }

    /// Names a key that no page has a field for, with what a page calls it.
    #[must_use]
    pub fn key_without_field(self, key: NamedKey, on_page: &'static str) -> Self {
        self.with(SentencePart::KeyWithoutField(key, on_page))
    }

    /// Says something that helps only those who write a file or a command.
    #[must_use]
    pub fn for_files(self, text: impl Into<String>) -> Self {
        self.with(SentencePart::ForFiles(text.into()))
    }

    /// Says something on pages alone.
    #[must_use]
    pub fn for_pages(self, text: impl Into<String>) -> Self {
        self.with(SentencePart::ForPages(text.into()))
    }

    /// Whether the sentence names this key.
    pub fn names(&self, key: NamedKey) -> bool {
        let is_it = |part: &SentencePart| match part {
            SentencePart::Key(named, _) | SentencePart::KeyWithoutField(named, _) => *named == key,
            _ => false,
        };
        self.0.iter().any(is_it)
    }

    /// The sentence for a page, where each key is called by the label of its field.
    pub fn on_page(&self, label: impl Fn(NamedKey) -> String) -> String {
        let shown = |part: &SentencePart| match part {
            SentencePart::Text(text) | SentencePart::ForPages(text) => text.clone(),
            SentencePart::Key(key, _) => label(*key),
            SentencePart::KeyWithoutField(_, on_page) => (*on_page).to_owned(),
            SentencePart::ForFiles(_) => String::new(),
        };
        self.0.iter().map(shown).collect()
    }
}

impl From<String> for Sentence {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Sentence {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.0 {
            f.write_str(match part {
                SentencePart::Text(text) | SentencePart::Key(_, text) | SentencePart::ForFiles(text) => text,
                SentencePart::KeyWithoutField(NamedKey::OfCampaign(key) | NamedKey::OfStep(key), _) => key,
                SentencePart::ForPages(_) => "",
            })?;
        }
        Ok(())
    }
}

impl Serialize for Sentence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_names_keys_in_a_file_and_labels_on_a_page() {
        let sentence = Sentence::new("is not after ")
            .marked_key("at")
            .for_files("; add --at")
            .for_pages("; choose a later time")
            .text(", or shorten ")
            .step_key("ttl")
            .text(" and ")
            .key_without_field(NamedKey::OfStep("leave_within"), "the wait of the step");
        assert_eq!(sentence.to_string(), "is not after `at`; add --at, or shorten ttl and leave_within");
        let label = |key| match key {
            NamedKey::OfCampaign("at") => "\"Start at\"".to_owned(),
            NamedKey::OfCampaign(key) | NamedKey::OfStep(key) => key.to_uppercase(),
        };
        let on_page = "is not after \"Start at\"; choose a later time, or shorten TTL and the wait of the step";
        assert_eq!(sentence.on_page(label), on_page);
        assert!(sentence.names(NamedKey::OfStep("ttl")) && sentence.names(NamedKey::OfStep("leave_within")));
        assert!(!sentence.names(NamedKey::OfCampaign("ttl")));
    }
}
