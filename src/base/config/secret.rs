//! Secrets, which never print.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A key or a webhook secret. It prints as `***`, and its memory is wiped when it is dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }

    /// Whether the text stands for a secret that was never filled in: `YOUR_KEY`, `<key>`, `Bearer …`.
    pub fn is_placeholder(&self) -> bool {
        const WORDS: [&str; 8] =
            ["apikey", "key", "token", "secret", "changeme", "placeholder", "todo", "insertkeyhere"];
        let text = self.expose().trim().to_lowercase();
        let text = text.strip_prefix("bearer ").or_else(|| text.strip_prefix("basic ")).unwrap_or(&text).trim();
        let word: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
        text.contains(['…', '<', '>'])
            || text.ends_with("...")
            || word.starts_with("your")
            || WORDS.contains(&word.as_str())
            || (!word.is_empty() && word.bytes().all(|byte| byte == b'x'))
    }

    /// Whether it can be sent in a header: printable characters without spaces.
    pub(super) fn is_header_value(&self) -> bool {
        self.expose().bytes().all(|byte| byte.is_ascii_graphic())
    }

    /// The secret itself, for the one header or comparison that needs it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// For the owner of both; a secret that others give is compared in constant time (`wire::same_secret`).
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_stars() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "*** Some(***)");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn a_secret_that_was_never_filled_in_is_recognized() {
        for text in ["YOUR_KEY", "your-api-key", "<key>", "…", "Bearer …", "Bearer ...", "changeme", "xxxx", "API_KEY"]
        {
            assert!(Secret::new(text).is_placeholder(), "{text}");
        }
        for text in ["practice", "Bearer x7", "k3y", "tokenizer", "Bearer hunter2"] {
            assert!(!Secret::new(text).is_placeholder(), "{text}");
        }
    }
}
