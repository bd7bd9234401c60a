//! Counts a text while it is being written.

use std::fmt;

use super::check::template::{BODY_MAX, COPY_CODE_MAX, HEADER_TEXT_MAX};
use super::check::{URL_MAX, text_max, without_variables};
use super::plain::as_it_is_sent;
use super::sms::{PARTS_MAX, Segments, segments};
use crate::base::domain::text::{grouped, plural};
use crate::base::domain::{Channel, SmsEncoding};

/// A text of a message that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountedText {
    /// The text of a message.
    Text(Channel),
    Sms {
        encoding: SmsEncoding,
        transliterates: bool,
    },
    /// A value of a template's header.
    HeaderText,
    /// A value of a template's body; all of them share the limit.
    BodyValue,
    /// The address of a file, or its end in a button.
    Address,
    CopyCode,
}

/// The length of a text without the values of its variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextCount {
    characters: usize,
    most: usize,
    segments: Option<Segments>,
    has_variables: bool,
}

impl TextCount {
    pub fn of(counted: CountedText, text: &str) -> Self {
        // Browsers send each end of a line as two characters.
        let text = text.replace("\r\n", "\n");
        let (literal, has_variables) = without_variables(&text);
        let (most, segments) = match counted {
            CountedText::Sms { encoding, transliterates } => {
                (PARTS_MAX, Some(segments(&as_it_is_sent(&literal, transliterates), encoding)))
            }
            CountedText::Text(channel) => (text_max(channel), None),
            CountedText::HeaderText => (HEADER_TEXT_MAX, None),
            CountedText::BodyValue => (BODY_MAX, None),
            CountedText::Address => (URL_MAX, None),
            CountedText::CopyCode => (COPY_CODE_MAX, None),
        };
        Self { characters: literal.chars().count(), most, segments, has_variables }
    }

    /// Whether it is too long already, whatever the values are.
    pub fn is_over(&self) -> bool {
        self.segments.map_or(self.characters, |segments| segments.parts) > self.most
    }
}

impl fmt::Display for TextCount {
    /// `120 of 1,000 characters, and the values`, `2 parts of 10, 161 characters in GSM-7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: usize| grouped(number as u64);
        match self.segments {
            Some(segments) => write!(f, "{segments}, of at most {}", plural(self.most as u64, "part", "parts"))?,
            None => write!(f, "{} of {} characters", number(self.characters), number(self.most))?,
        }
        if self.has_variables { f.write_str(", without the values of its variables") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(counted: CountedText, text: &str) -> (String, bool) {
        let count = TextCount::of(counted, text);
        (count.to_string(), count.is_over())
    }

    #[test]
    fn a_text_is_counted_as_its_channel_limits_it() {
        let sms = CountedText::Sms { encoding: SmsEncoding::Auto, transliterates: false };
        let plain = CountedText::Sms { encoding: SmsEncoding::Auto, transliterates: true };
        let viber = CountedText::Text(Channel::Viber);
        for (counted, text, says, is_over) in [
            (viber, "Hi\r\nyou".to_owned(), "6 of 1,000 characters", false),
            (viber, "é".repeat(1_001), "1,001 of 1,000 characters", true),
            (viber, "Hi {{Name}}".to_owned(), "3 of 1,000 characters, without the values of its variables", false),
            (sms, "a".repeat(161), "2 parts, 161 characters in GSM-7, of at most 10 parts", false),
            (sms, "ł".to_owned(), "1 part, 1 character in UCS-2, of at most 10 parts", false),
            (plain, "ł".to_owned(), "1 part, 1 character in GSM-7, of at most 10 parts", false),
            (sms, "a".repeat(1_531), "11 parts, 1531 characters in GSM-7, of at most 10 parts", true),
            (CountedText::CopyCode, "A".repeat(16), "16 of 15 characters", true),
            (CountedText::HeaderText, "A".repeat(60), "60 of 60 characters", false),
            (CountedText::BodyValue, "Hi {{".to_owned(), "5 of 1,024 characters", false),
        ] {
            assert_eq!(count(counted, &text), (says.to_owned(), is_over));
        }
    }
}
