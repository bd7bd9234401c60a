//! Counts the parts of each recipient's SMS without rendering the request.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::bound::{Bound, BoundPiece, BoundText};
use super::error::Error;
use super::plain::{Plain, PlainLength, as_it_is_sent, plain};
use super::sink::Sink;
use super::sms::{ALONE, PARTS_MAX, beyond_gsm7, segments};
use crate::base::domain::{ContentPart, Names, SmsEncoding, Step};

/// How many parts of each message of a step are billed.
#[derive(Debug)]
pub enum BilledParts {
    /// It is no SMS.
    One,
    Counted(PartsOf),
    /// A text whose parts cannot be counted. A launch refuses it; a budget assumes the most parts.
    Most,
}

impl BilledParts {
    pub fn of_step(step: &Step, names: Names<'_>) -> Self {
        match PartsOf::of_step(step, names) {
            Some(parts) => parts.map_or(Self::Most, Self::Counted),
            None => Self::One,
        }
    }

    /// The parts of a recipient's message.
    pub fn of(&self, fields: &[Cow<'_, str>]) -> u64 {
        match self {
            Self::One => 1,
            Self::Counted(parts) => parts.count(fields),
            Self::Most => PARTS_MAX as u64,
        }
    }

    /// The fewest that any recipient's message has: those of what is the same for all.
    pub fn least(&self) -> u64 {
        match self {
            Self::Counted(parts) => parts.parts(&parts.sent(&parts.text.constant())),
            Self::One => 1,
            Self::Most => PARTS_MAX as u64,
        }
    }

    /// Whether every recipient's message has as many.
    pub const fn are_same(&self) -> bool {
        match self {
            Self::One | Self::Most => true,
            Self::Counted(parts) => parts.of_all.is_some(),
        }
    }

    /// The same with what allows the text only 70 characters in a part; `None` if that adds no part, or is the same for
    /// every recipient.
    pub fn with_widening(&self, fields: &[Cow<'_, str>]) -> (u64, Option<Widening>) {
        match self {
            Self::Counted(parts) if parts.of_all.is_none() => parts.with_widening(fields),
            Self::One | Self::Most | Self::Counted(_) => (self.of(fields), None),
        }
    }
}

/// What allows a text only 70 characters in a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Widening {
    /// The parts that it would have fewer otherwise.
    pub more: u64,
    /// A character that GSM-7 lacks.
    pub character: char,
    /// The variable whose value has it; `None` if the text itself has it.
    pub variable: Option<Arc<str>>,
}

/// A parsed SMS text whose parts are counted for one recipient after another.
#[derive(Debug, Clone)]
pub struct PartsOf {
    text: BoundText,
    encoding: SmsEncoding,
    transliterates: bool,
    /// The parts of every recipient's text, if it has no variables.
    of_all: Option<u64>,
    /// The plain length of what is the same for every recipient.
    literals: PlainLength,
}

impl PartsOf {
    /// The text of a step's SMS; `None` if the step has none.
    pub fn of_step(step: &Step, names: Names<'_>) -> Option<Result<Self, Error>> {
        let (text, encoding) = step.sms()?;
        Some(Self::new(text, encoding, step.transliterate, names))
    }

    fn new(text: &str, encoding: SmsEncoding, transliterates: bool, names: Names<'_>) -> Result<Self, Error> {
        let at = |problem| Error { part: ContentPart::Text, problem };
        let bound = BoundText::bind(text, names).map_err(at)?;
        let mut literals = PlainLength::default();
        for piece in &bound.0 {
            if let BoundPiece::Literal(literal) = piece {
                literals.put(literal);
            }
        }
        let mut of = Self { text: bound, encoding, transliterates, of_all: None, literals };
        of.of_all = of.text.is_constant().then(|| of.count(&[]));
        Ok(of)
    }

    /// Counts the parts for a recipient. A missing value counts as empty: such a recipient gets no message anyway.
    pub fn count(&self, fields: &[Cow<'_, str>]) -> u64 {
        if let Some(parts) = self.of_all {
            return parts;
        }
        let text = self.written(fields);
        self.parts(&self.sent(&text))
    }

    /// What transliteration changes for a recipient; `None` if nothing.
    pub fn plain_text(&self, fields: &[Cow<'_, str>]) -> Option<PlainText> {
        let text = self.written(fields);
        let sent = self.sent(&text);
        if *sent == *text {
            return None;
        }
        let replaced = text.chars().filter(|c| plain(*c) != Some(Plain::Same)).collect();
        Some(PlainText { replaced, saved: self.parts(&text).saturating_sub(self.parts(&sent)) })
    }

    /// Whether a recipient's text is sent in plain characters, as [`Self::count`] counts it. Allocates only for a text of
    /// several parts.
    pub(super) fn is_sent_plain(&self, fields: &[Cow<'_, str>]) -> bool {
        if !self.transliterates {
            return false;
        }
        let mut length = self.literals.clone();
        for piece in &self.text.0 {
            if let BoundPiece::Variable(variable) = piece {
                variable.write(fields, &mut length).unwrap_or_default();
            }
        }
        match length.septets() {
            None => false,
            // No text has fewer parts than one.
            Some(septets) if septets <= ALONE => true,
            Some(_) => {
                let text = self.written(fields);
                // A text that is plain already is sent so.
                beyond_gsm7(&text).is_none() || matches!(self.sent(&text), Cow::Owned(_))
            }
        }
    }

    fn with_widening(&self, fields: &[Cow<'_, str>]) -> (u64, Option<Widening>) {
        let text = self.written(fields);
        let sent = self.sent(&text);
        let parts = self.parts(&sent);
        // No text has fewer parts than one.
        let character = (parts > 1 && self.encoding == SmsEncoding::Auto).then(|| beyond_gsm7(&sent)).flatten();
        let widening = character.and_then(|character| {
            let more = parts.saturating_sub(segments(&sent, SmsEncoding::Gsm7).parts as u64);
            let variable = || self.variable_beyond_gsm7(fields).map(|it| Arc::clone(&it.name));
            (more > 0).then(|| Widening { more, character, variable: variable() })
        });
        (parts, widening)
    }

    /// The first variable whose value has a character beyond GSM-7; `None` if the text itself has one.
    fn variable_beyond_gsm7(&self, fields: &[Cow<'_, str>]) -> Option<&Bound> {
        // With a character beyond GSM-7 in the text itself, no value is to blame.
        let is_own = self.text.0.iter().any(|piece| match piece {
            BoundPiece::Literal(literal) => beyond_gsm7(&self.sent(literal)).is_some(),
            BoundPiece::Variable(_) => false,
        });
        let has_beyond = |variable: &&Bound| {
            let mut value = String::new();
            variable.write(fields, &mut value).unwrap_or_default();
            beyond_gsm7(&self.sent(&value)).is_some()
        };
        self.text.variables().filter(|_| !is_own).find(has_beyond)
    }

    fn sent<'a>(&self, text: &'a str) -> Cow<'a, str> {
        as_it_is_sent(text, self.transliterates)
    }

    fn parts(&self, text: &str) -> u64 {
        segments(text, self.encoding).parts as u64
    }

    fn written(&self, fields: &[Cow<'_, str>]) -> String {
        let mut text = String::new();
        for piece in &self.text.0 {
            match piece {
                BoundPiece::Literal(literal) => text.push_str(literal),
                BoundPiece::Variable(variable) => variable.write(fields, &mut text).unwrap_or_default(),
            }
        }
        text
    }
}

/// What transliteration changes in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainText {
    /// The characters that are written in another way.
    pub replaced: BTreeSet<char>,
    /// The parts that it saves.
    pub saved: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_for_each_recipients_own_text() {
        let columns = ["Name".to_owned()];
        let of = |text: &str, name: &str| {
            PartsOf::new(text, SmsEncoding::Auto, false, Names::of_columns(&columns))
                .unwrap()
                .count(&[Cow::Borrowed(name)])
        };
        assert_eq!((of("Hello", ""), of(&"x".repeat(161), "")), (1, 2));
        assert_eq!((of("Hi {{Name|you}}", "Ann"), of("Hi {{Name|you}}", &"x".repeat(160))), (1, 2));
        // With one letter beyond GSM-7, a part holds 70 characters.
        assert_eq!(
            (
                of(&format!("{}{{{{Name}}}}", "x".repeat(100)), "Ann"),
                of(&format!("{}{{{{Name}}}}", "x".repeat(100)), "Žofie")
            ),
            (1, 2)
        );
        assert!(PartsOf::new("Hi {{Nobody}}", SmsEncoding::Auto, false, Names::of_columns(&columns)).is_err());
    }

    #[test]
    fn transliteration_is_counted_where_it_changes_a_text() {
        let columns = ["Name".to_owned()];
        let text = format!("“{}” {{{{Name}}}}", "x".repeat(100));
        let of = PartsOf::new(&text, SmsEncoding::Auto, true, Names::of_columns(&columns)).unwrap();
        let of_name = |name: &'static str| (of.count(&[Cow::Borrowed(name)]), of.plain_text(&[Cow::Borrowed(name)]));
        let replaced = ['“', '”', 'ę'].into();
        assert_eq!(of_name("Bręk"), (1, Some(PlainText { replaced, saved: 1 })));
        assert_eq!(of_name("สม"), (2, None));
        let kept = PartsOf::new(&text, SmsEncoding::Auto, false, Names::of_columns(&columns)).unwrap();
        assert_eq!((kept.count(&[Cow::Borrowed("Ann")]), kept.plain_text(&[Cow::Borrowed("Ann")])), (2, None));
    }

    #[test]
    fn the_fewest_parts_leave_out_defaults() {
        let columns = ["Name".to_owned()];
        let text = format!("{}{{{{Name|our most valued customer}}}}", "x".repeat(150));
        let of = PartsOf::new(&text, SmsEncoding::Auto, false, Names::of_columns(&columns)).unwrap();
        let parts = BilledParts::Counted(of);
        assert_eq!((parts.least(), parts.of(&[Cow::Borrowed("")]), parts.of(&[Cow::Borrowed("Ann")])), (1, 2, 1));
    }

    #[test]
    fn a_text_that_would_have_more_parts_is_not_transliterated() {
        let columns = ["Name".to_owned()];
        let of = PartsOf::new("{{Name}}", SmsEncoding::Auto, true, Names::of_columns(&columns)).unwrap();
        let of_name = |name: String| {
            let fields = [Cow::Owned(name)];
            (of.count(&fields), of.plain_text(&fields).is_some(), of.is_sent_plain(&fields))
        };
        assert_eq!(of_name("©".repeat(53)), (1, true, true));
        // 180 characters in GSM-7 would be 2 parts.
        assert_eq!(of_name("©".repeat(60)), (1, false, false));
        assert_eq!(of_name("“".repeat(161)), (2, true, true));
        assert_eq!(of_name("x".repeat(161)), (2, false, true));
    }
}
