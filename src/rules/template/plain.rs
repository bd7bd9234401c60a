//! Writes letters and punctuation that GSM-7 lacks by what it has: `ą` as `a`, `“` as `"`, `…` as `...`.
//!
//! Only Latin letters and punctuation are changed. Every other alphabet stays as it is, and so does the whole text: a
//! single character beyond GSM-7 makes it UCS-2 anyway, so the changes would save nothing. A text also stays as it is if
//! it would have more parts in plain characters.

use std::borrow::Cow;
use std::fmt::{self, Write};

use super::sink::Sink;
use super::sms::{is_gsm7, segments, septets};
use crate::base::domain::{SmsEncoding, Step, base_letter, is_reserved};

/// Punctuation and letters that are no base letter with marks, and what replaces them.
const REPLACED: [(&str, &str); 34] = [
    ("“”„‟«»″〝〞", "\""),
    ("‘’‚‛′`´‹›", "'"),
    ("‐‑‒–—―−", "-"),
    ("•·", "*"),
    ("…", "..."),
    (
        "\u{a0}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200a}\u{202f}\u{205f}\t",
        " ",
    ),
    ("\u{ad}\u{200b}\u{feff}", ""),
    ("™", "TM"),
    ("®", "(R)"),
    ("©", "(C)"),
    ("ł", "l"),
    ("Ł", "L"),
    ("đ", "d"),
    ("Đ", "D"),
    ("ð", "d"),
    ("Ð", "D"),
    ("ħ", "h"),
    ("Ħ", "H"),
    ("ı", "i"),
    ("ŋ", "n"),
    ("Ŋ", "N"),
    ("œ", "oe"),
    ("Œ", "OE"),
    ("þ", "th"),
    ("Þ", "Th"),
    ("ŧ", "t"),
    ("Ŧ", "T"),
    ("ẞ", "SS"),
    ("ĳ", "ij"),
    ("Ĳ", "IJ"),
    ("ﬁ", "fi"),
    ("ﬂ", "fl"),
    ("ª", "a"),
    ("º", "o"),
];

/// What GSM-7 has for a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// The character itself.
    Same,
    Letter(char),
    Text(&'static str),
}

/// What GSM-7 has for a character; `None` if it has nothing.
pub(super) fn plain(c: char) -> Option<Plain> {
    if is_gsm7(c) {
        return Some(Plain::Same);
    }
    // A mark on its own belongs to the letter before it.
    if ('\u{300}'..='\u{36f}').contains(&c) {
        return Some(Plain::Text(""));
    }
    let replaced = REPLACED.iter().find(|(all, _)| all.contains(c)).map(|(_, text)| Plain::Text(text));
    replaced.or_else(|| base_letter(c).filter(char::is_ascii_alphabetic).map(Plain::Letter))
}

/// A text as it is sent: in plain characters, if GSM-7 has one for each, and if it has no more parts so.
pub(super) fn transliterated(text: &str) -> Cow<'_, str> {
    let parts = |text: &str| segments(text, SmsEncoding::Auto).parts;
    if text.chars().all(is_gsm7) || !text.chars().all(|c| plain(c).is_some()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    ToPlain(&mut out).put(text);
    // One character may need several plain ones.
    if parts(&out) > parts(text) { Cow::Borrowed(text) } else { Cow::Owned(out) }
}

/// A text as it is sent, with or without transliteration.
pub(super) fn as_it_is_sent(text: &str, transliterates: bool) -> Cow<'_, str> {
    if transliterates { transliterated(text) } else { Cow::Borrowed(text) }
}

/// A text of a step as it is sent.
pub fn as_sent<'a>(step: &Step, text: &'a str) -> Cow<'a, str> {
    as_it_is_sent(text, step.transliterate)
}

/// A marked text in plain characters; `None` if GSM-7 lacks something outside of its variables.
pub fn plain_marked(text: &str) -> Option<String> {
    let is_plain = |c: char| is_reserved(c) || plain(c).is_some();
    text.chars().all(is_plain).then(|| {
        let mut out = String::with_capacity(text.len());
        ToPlain(&mut out).put(text);
        out
    })
}

/// Writes plain characters on to another sink. A character without one is written as it is.
pub(super) struct ToPlain<'a, S>(pub(super) &'a mut S);

impl<S: Sink> Write for ToPlain<'_, S> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text);
        Ok(())
    }
}

impl<S: Sink> Sink for ToPlain<'_, S> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    fn put(&mut self, text: &str) {
        let mut same_from = 0;
        for (at, c) in text.char_indices().filter(|(_, c)| !is_gsm7(*c)) {
            let mut letter = [0; 4];
            let written = match plain(c) {
                None | Some(Plain::Same) => continue,
                Some(Plain::Letter(base)) => &*base.encode_utf8(&mut letter),
                Some(Plain::Text(written)) => written,
            };
            self.0.put(&text[same_from..at]);
            self.0.put(written);
            same_from = at + c.len_utf8();
        }
        self.0.put(&text[same_from..]);
    }
}

/// Counts what is written in plain characters, and notes whether GSM-7 has something for every character.
///
/// Its length is that of the plain text in septets. A character that GSM-7 lacks counts as one, so that it can be taken
/// back.
#[derive(Debug, Clone, Default)]
pub(super) struct PlainLength {
    septets: usize,
    /// The length before the first character that GSM-7 lacks.
    lacks_from: Option<usize>,
}

impl PlainLength {
    /// The septets of the text; `None` if GSM-7 lacks a character.
    pub(super) fn septets(&self) -> Option<usize> {
        self.lacks_from.is_none().then_some(self.septets)
    }
}

impl Write for PlainLength {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text);
        Ok(())
    }
}

impl Sink for PlainLength {
    fn len(&self) -> usize {
        self.septets
    }

    fn truncate(&mut self, len: usize) {
        self.septets = len;
        self.lacks_from = self.lacks_from.filter(|from| *from < len);
    }

    fn put(&mut self, text: &str) {
        let of_text = |text: &str| text.chars().map(|c| septets(c).unwrap_or(1)).sum();
        for c in text.chars() {
            self.septets += match plain(c) {
                Some(Plain::Same) => septets(c).unwrap_or(1),
                Some(Plain::Letter(_)) => 1,
                Some(Plain::Text(written)) => of_text(written),
                None => {
                    self.lacks_from = self.lacks_from.or(Some(self.septets));
                    1
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::sms::{Alphabet, beyond_gsm7};
    use super::*;

    #[test]
    fn latin_letters_and_punctuation_become_plain() {
        for (text, expected) in [
            ("Grüße, José é ñ Å", "Grüße, José é ñ Å"),
            ("“Zażółć” – gęślą… jaźń", "\"Zazolc\" - gesla... jazn"),
            ("Thỏ\u{a0}đêm\u{200b}", "Tho dem"),
            ("e\u{301}ga Œuvre ŒÞ", "ega OEuvre OETh"),
            ("5 € [x]", "5 € [x]"),
        ] {
            assert_eq!(transliterated(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_that_would_have_more_parts_stays_as_it_is() {
        let text = "©".repeat(60);
        assert_eq!(transliterated(&text), text, "180 characters would be 2 parts");
        assert_eq!(transliterated(&"©".repeat(53)), "(C)".repeat(53));
    }

    #[test]
    fn a_text_with_any_other_character_stays_as_it_is() {
        for text in ["“สวัสดี”", "你好 – é", "Привет…", "καλημέρα", "“Hi” 😀", "한국 …"]
        {
            assert_eq!(transliterated(text), text);
        }
    }

    proptest! {
        #[test]
        fn only_a_text_that_becomes_gsm7_is_changed(text in "[a-zà-ỹ“”–…\u{a0}ก你]{0,12}|\\PC*") {
            let sent = transliterated(&text);
            if sent != text.as_str() {
                prop_assert_eq!(beyond_gsm7(&sent), None);
            }
        }

        #[test]
        fn the_length_of_a_plain_text_is_counted_and_taken_back(kept in "[a€”…ก]{0,6}", text in "[aé€\\[ł“”–…™©\u{300}ก]{0,12}|\\PC*") {
            let whole = format!("{kept}{text}");
            let mut out = String::new();
            ToPlain(&mut out).put(&whole);
            let counted = segments(&out, SmsEncoding::Auto);
            let expected = (counted.alphabet == Alphabet::Gsm7).then_some(counted.units);
            let mut length = PlainLength::default();
            length.put(&kept);
            let before = (length.len(), length.septets());
            length.put(&text);
            prop_assert_eq!(length.septets(), expected);
            length.truncate(before.0);
            prop_assert_eq!((length.len(), length.septets()), before);
        }
    }
}
