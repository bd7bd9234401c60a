//! Counts the parts of an SMS, which decide its price and whether it can be sent.

use std::fmt;

use crate::base::domain::SmsEncoding;

/// The most septets of a text in one part.
pub(super) const ALONE: usize = 160;

/// The most parts of one text that the provider sends.
pub const PARTS_MAX: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// Seven bits per character; a character of the extension table counts as two.
    Gsm7,
    /// Sixteen bits per unit; a character beyond the basic plane, such as most emoji, counts as two.
    Ucs2,
}

/// A text in parts, each of which is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segments {
    pub alphabet: Alphabet,
    /// Characters, as the alphabet counts them.
    pub units: usize,
    pub parts: usize,
}

impl fmt::Display for Segments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = if self.parts == 1 { "part" } else { "parts" };
        let alphabet = match self.alphabet {
            Alphabet::Gsm7 => "GSM-7",
            Alphabet::Ucs2 => "UCS-2",
        };
        let characters = if self.units == 1 { "character" } else { "characters" };
        write!(f, "{} {parts}, {} {characters} in {alphabet}", self.parts, self.units)
    }
}

// GSM 03.38, the default alphabet. Letters, digits and the space are matched by range.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ!\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";
const EXTENSION: &str = "^{}\\[~]|€\u{c}";

/// The length of a character in GSM-7; `None` if the alphabet does not have it.
pub(super) fn septets(c: char) -> Option<usize> {
    if c.is_ascii_alphanumeric() || c == ' ' || BASIC.contains(c) {
        Some(1)
    } else if EXTENSION.contains(c) {
        Some(2)
    } else {
        None
    }
}

/// Whether GSM-7 has a character.
pub(super) fn is_gsm7(c: char) -> bool {
    septets(c).is_some()
}

/// The first character that GSM-7 does not have. It makes the whole text UCS-2, which can more than double the price.
pub fn beyond_gsm7(text: &str) -> Option<char> {
    text.chars().find(|c| septets(*c).is_none())
}

/// Counts the parts of a text. If GSM-7 is requested, other characters count as one: the provider replaces them.
pub fn segments(text: &str, encoding: SmsEncoding) -> Segments {
    let gsm7 = match encoding {
        SmsEncoding::Auto => beyond_gsm7(text).is_none(),
        SmsEncoding::Gsm7 => true,
        SmsEncoding::Ucs2 => false,
    };
    if gsm7 {
        let (units, parts) = split(text, ALONE, 153, |c| septets(c).unwrap_or(1));
        Segments { alphabet: Alphabet::Gsm7, units, parts }
    } else {
        let (units, parts) = split(text, 70, 67, char::len_utf16);
        Segments { alphabet: Alphabet::Ucs2, units, parts }
    }
}

/// Counts units and parts. A character of two units is never split between parts, so counting units is not enough.
fn split(text: &str, alone: usize, joined: usize, cost: impl Fn(char) -> usize) -> (usize, usize) {
    let units = text.chars().map(&cost).sum();
    if units <= alone {
        return (units, 1);
    }
    let (mut parts, mut used) = (1, 0);
    for c in text.chars() {
        if used + cost(c) > joined {
            parts += 1;
            used = 0;
        }
        used += cost(c);
    }
    (units, parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_counted_as_billed() {
        let cases = [
            (String::new(), SmsEncoding::Auto, "1 part, 0 characters in GSM-7"),
            ("a".repeat(160), SmsEncoding::Auto, "1 part, 160 characters in GSM-7"),
            ("a".repeat(161), SmsEncoding::Auto, "2 parts, 161 characters in GSM-7"),
            ("a".repeat(306), SmsEncoding::Auto, "2 parts, 306 characters in GSM-7"),
            ("a".repeat(307), SmsEncoding::Auto, "3 parts, 307 characters in GSM-7"),
            ("€".repeat(80), SmsEncoding::Auto, "1 part, 160 characters in GSM-7"),
            // 153 is odd: a part holds 76 characters of two units, and one unit stays unused.
            ("€".repeat(153), SmsEncoding::Auto, "3 parts, 306 characters in GSM-7"),
            (format!("{}ş", "a".repeat(69)), SmsEncoding::Auto, "1 part, 70 characters in UCS-2"),
            (format!("{}ş", "a".repeat(70)), SmsEncoding::Auto, "2 parts, 71 characters in UCS-2"),
            ("😀".repeat(35), SmsEncoding::Auto, "1 part, 70 characters in UCS-2"),
            ("😀".repeat(67), SmsEncoding::Auto, "3 parts, 134 characters in UCS-2"),
            ("a".to_owned(), SmsEncoding::Ucs2, "1 part, 1 character in UCS-2"),
            ("abc".to_owned(), SmsEncoding::Ucs2, "1 part, 3 characters in UCS-2"),
            ("aşc".to_owned(), SmsEncoding::Gsm7, "1 part, 3 characters in GSM-7"),
        ];
        for (text, encoding, expected) in cases {
            assert_eq!(segments(&text, encoding).to_string(), expected, "{text:.20}");
        }
        assert_eq!(beyond_gsm7("naïve"), Some('ï'));
        assert_eq!(beyond_gsm7("Grüße [€5] @ñ"), None);
    }

    /// The parts of a text, written out: the fewest in which no character is split.
    fn written_out(text: &str, alone: usize, joined: usize, cost: impl Fn(char) -> usize) -> usize {
        // The units and the fewest parts of each beginning of the text.
        let (mut units, mut fewest) = (vec![0], vec![0]);
        for (end, c) in text.chars().enumerate() {
            units.push(units[end] + cost(c));
            let begins = (0..=end).filter(|begin| units[end + 1] - units[*begin] <= joined);
            fewest.push(begins.map(|begin| fewest[begin] + 1).min().unwrap());
        }
        let last = fewest.len() - 1;
        if units[last] <= alone { 1 } else { fewest[last] }
    }

    proptest! {
        #[test]
        fn no_pair_is_split_and_no_part_is_wasted(
            gsm7 in "[ab€]{140,330}",
            ucs2 in "[aş😀]{60,150}",
        ) {
            let pairs = |c: char| if c == '€' { 2 } else { 1 };
            let found = segments(&gsm7, SmsEncoding::Auto);
            prop_assert_eq!(found.alphabet, Alphabet::Gsm7);
            prop_assert_eq!(found.parts, written_out(&gsm7, 160, 153, pairs));
            let found = segments(&ucs2, SmsEncoding::Ucs2);
            prop_assert_eq!(found.units, ucs2.encode_utf16().count());
            prop_assert_eq!(found.parts, written_out(&ucs2, 70, 67, char::len_utf16));
        }
    }
}
