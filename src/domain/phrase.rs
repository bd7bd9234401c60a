//! What people write, as it is compared with words that have a meaning.

use std::fmt;
use std::str::FromStr;

use icu_normalizer::ComposingNormalizerBorrowed;

/// The whole of a short text as it is compared: in small letters, composed, of one width, one space between words, and
/// without what people put around a word. There is something left of it, always.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phrase(Box<str>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPhrase {
    #[error("there is nothing in it but spaces and punctuation")]
    Empty,
    #[error("it is longer than {LONGEST} bytes; nobody writes that as a word")]
    TooLong,
}

/// The longest text that is looked at, in bytes: what is longer is no word for anything.
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
            // Marks that are not seen: of direction, of joining, of how an emoji is drawn; and the dot that a Turkish capital
            // leaves behind.
            '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{307}'
            | '\u{ad}'
            | '\u{640}' => {}
            'ı' => plain.push('i'),
            '’' | '‘' | 'ʼ' | '`' | '´' => plain.push('\''),
            // As identifiers of buttons are written: OPT_OUT, stop-promotions.
            '-' | '_' | '‐' | '‑' | '–' => plain.push(' '),
            letter if letter.is_whitespace() || letter.is_control() => plain.push(' '),
            letter => plain.push(letter),
        }
    }
    // What stood on both sides of something unseen is side by side now, and may compose or change places.
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
    fn what_nobody_can_write_as_a_word_is_no_phrase() {
        for empty in ["", " ", "!", "?", " .. ", "\u{200b}", "---"] {
            assert_eq!(empty.parse::<Phrase>(), Err(InvalidPhrase::Empty), "{empty:?}");
        }
        assert_eq!("stop ".repeat(40).parse::<Phrase>(), Err(InvalidPhrase::TooLong));
        assert_eq!(" Stop, please! ".parse::<Phrase>().unwrap().as_str(), "stop, please");
    }

    #[test]
    fn what_stood_around_something_unseen_is_composed_as_if_it_had_never_been_there() {
        assert_eq!(plain("\u{e48}\u{fe71}"), "\u{64b}\u{e48}");
        assert_eq!(plain("e\u{200d}\u{301}"), "é");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]
        #[test]
        fn what_is_plain_stays_as_it_is(text in "\\PC{0,30}") {
            let once = plain(&text);
            prop_assert_eq!(plain(&once), once);
        }
    }
}
