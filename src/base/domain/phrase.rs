//! Normalizes what a recipient wrote, for comparison with keywords.

use std::fmt;
use std::str::FromStr;

use icu_normalizer::ComposingNormalizerBorrowed;

/// The whole of a short text, normalized for comparison; never empty.
///
/// It is in lower case, composed, of one width, with one space between words, and without surrounding punctuation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phrase(Box<str>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPhrase {
    #[error("it contains only spaces and punctuation")]
    Empty,
    #[error("it is longer than {LONGEST} bytes, too long for a keyword")]
    TooLong,
}

/// The longest text that can be a phrase, in bytes. A longer text is no keyword.
const LONGEST: usize = 96;

impl Phrase {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Phrase {
    type Err = InvalidPhrase;

    fn from_str(text: &str) -> Result<Self, InvalidPhrase> {
        if text.trim().len() > LONGEST {
            return Err(InvalidPhrase::TooLong);
        }
        Some(plain(text)).filter(|plain| !plain.is_empty()).map(|plain| Self(plain.into())).ok_or(InvalidPhrase::Empty)
    }
}

impl fmt::Display for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn plain(text: &str) -> String {
    let normalizer = ComposingNormalizerBorrowed::new_nfkc();
    let composed = normalizer.normalize(text);
    let lower = composed.to_lowercase();
    let mut plain = String::with_capacity(lower.len());
    for letter in lower.chars() {
        match letter {
            // Invisible marks: of direction, of joining, of how an emoji is drawn; the dot that remains of a Turkish
            // capital; and the replacement of a damaged character.
            '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{fffd}'
            | '\u{307}'
            | '\u{ad}'
            | '\u{640}' => {}
            'ı' => plain.push('i'),
            '’' | '‘' | 'ʼ' | '`' | '´' => plain.push('\''),
            // Identifiers of buttons use these: OPT_OUT, stop-promotions.
            '-' | '_' | '‐' | '‑' | '–' => plain.push(' '),
            letter if letter.is_whitespace() || letter.is_control() => plain.push(' '),
            letter => plain.push(letter),
        }
    }
    // Letters that an invisible mark separated are now adjacent, and may compose or change their order.
    let plain = normalizer.normalize(&plain);
    let bare = plain.trim_matches(|letter: char| letter == ' ' || is_punctuation(letter));
    bare.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn is_punctuation(letter: char) -> bool {
    letter.is_ascii_punctuation() || "…。、，；：？！「」『』“”„«»‹›¡¿؟،؛।॥·—・׃".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_or_overlong_text_is_no_phrase() {
        for empty in ["", " ", "!", "?", " .. ", "\u{200b}", "---"] {
            assert_eq!(empty.parse::<Phrase>(), Err(InvalidPhrase::Empty), "{empty:?}");
        }
        assert_eq!("stop ".repeat(40).parse::<Phrase>(), Err(InvalidPhrase::TooLong));
        assert_eq!(" Stop, please! ".parse::<Phrase>().unwrap().as_str(), "stop, please");
    }

    #[test]
    fn letters_around_an_invisible_mark_compose() {
        assert_eq!(plain("\u{e48}\u{fe71}"), "\u{64b}\u{e48}");
        assert_eq!(plain("e\u{200d}\u{301}"), "é");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]
        #[test]
        fn a_plain_text_does_not_change(text in "\\PC{0,30}") {
            let once = plain(&text);
            prop_assert_eq!(plain(&once), once);
        }
    }
}
