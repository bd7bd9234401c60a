//! Measures a recipient's message against the limits of its channel, with all values filled in.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::bubble::{Bubble, BubbleHeader, BubbleNotice, Wording};
use super::text::ShownText;
use crate::base::domain::text::{grouped, plural};
use crate::base::domain::{ContentPart, SmsEncoding, refused_in_a_parameter};
use crate::rules::template::check::URL_MAX;
use crate::rules::template::sms::{Alphabet, Segments, beyond_gsm7, segments};

/// What the provider demands of one text, whatever else the message contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct TextRules {
    /// The most characters.
    most: Option<usize>,
    /// Whether it is a parameter of a template, in which some characters are refused.
    is_parameter: bool,
    /// Whether it repeats the variables of parameters, whose missing values are reported where the campaign writes them.
    is_repeated: bool,
    /// Whether it is sent in plain characters, if GSM-7 has one for each.
    pub(super) is_transliterated: bool,
}

impl TextRules {
    const NONE: Self = Self { most: None, is_parameter: false, is_repeated: false, is_transliterated: false };
    pub(super) const PARAMETER: Self = Self { is_parameter: true, ..Self::NONE };
    pub(super) const REPEATED: Self = Self { is_repeated: true, ..Self::NONE };
    pub(super) const ADDRESS: Self = Self::at_most(URL_MAX);

    /// A text without a limit of its own.
    pub(super) const fn of_text(is_transliterated: bool) -> Self {
        Self { is_transliterated, ..Self::NONE }
    }

    pub(super) const fn at_most(most: usize) -> Self {
        Self { most: Some(most), ..Self::NONE }
    }
}

/// The length of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measures {
    /// Characters of the body, without missing values; of a notification those of all its texts.
    pub characters: usize,
    /// The most that the channel allows; `None` if something else limits it.
    pub most: Option<usize>,
    /// The parts of an SMS.
    pub segments: Option<Segments>,
}

impl fmt::Display for Measures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.segments, self.most) {
            (Some(segments), _) => segments.fmt(f),
            (None, Some(most)) => {
                write!(f, "{} of {} characters", grouped(count(self.characters)), grouped(count(most)))
            }
            (None, None) if self.characters == 0 => f.write_str("no text in the body"),
            (None, None) => f.write_str(&plural(count(self.characters), "character", "characters")),
        }
    }
}

/// A count for operators. No text has more characters than fit.
fn count(number: usize) -> u64 {
    number as u64
}

/// A rule that a text of a message breaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broken {
    pub part: ContentPart,
    pub rule: Rule,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A variable has neither a value nor a default, so no message is sent.
    MissingValue {
        column: Arc<str>,
    },
    TooLong {
        most: usize,
    },
    TooManyParts {
        most: usize,
    },
    /// The step demands GSM-7, and the text has other characters.
    NotInGsm7,
    /// The provider may refuse this in a parameter of a template.
    RefusedInParameter {
        what: &'static str,
    },
}

impl Rule {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MissingValue { .. } => "missing_value",
            Self::TooLong { .. } => "too_long",
            Self::TooManyParts { .. } => "too_many_parts",
            Self::NotInGsm7 => "not_in_gsm7",
            Self::RefusedInParameter { .. } => "refused_in_parameter",
        }
    }
}

/// `text: longer than 1,000 characters`.
impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.part)?;
        match &self.rule {
            Rule::MissingValue { column } => write!(f, "no value for {column}, so the message is not sent"),
            Rule::TooLong { most } => write!(f, "longer than {}", plural(count(*most), "character", "characters")),
            Rule::TooManyParts { most } => write!(f, "more than {}", plural(count(*most), "part", "parts")),
            Rule::NotInGsm7 => f.write_str("has characters that GSM-7 does not have"),
            Rule::RefusedInParameter { what } => {
                write!(f, "has {what}, which the provider may refuse in a parameter")
            }
        }
    }
}

#[derive(Serialize)]
struct BrokenView<'a> {
    part: String,
    rule: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    characters_max: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sms_parts_max: Option<usize>,
    sentence: String,
}

impl Serialize for Broken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut view = BrokenView {
            part: self.part.to_string(),
            rule: self.rule.code(),
            column: None,
            characters_max: None,
            sms_parts_max: None,
            sentence: self.to_string(),
        };
        match &self.rule {
            Rule::MissingValue { column } => view.column = Some(column),
            Rule::TooLong { most } => view.characters_max = Some(*most),
            Rule::TooManyParts { most } => view.sms_parts_max = Some(*most),
            Rule::NotInGsm7 | Rule::RefusedInParameter { .. } => {}
        }
        view.serialize(serializer)
    }
}

#[derive(Serialize)]
struct MeasuresView {
    characters: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    characters_max: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sms_parts: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alphabet: Option<&'static str>,
}

impl Serialize for Measures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let alphabet = |segments: Segments| match segments.alphabet {
            Alphabet::Gsm7 => "GSM-7",
            Alphabet::Ucs2 => "UCS-2",
        };
        let view = MeasuresView {
            characters: self.characters,
            characters_max: self.most,
            sms_parts: self.segments.map(|segments| segments.parts),
            alphabet: self.segments.map(alphabet),
        };
        view.serialize(serializer)
    }
}

impl Bubble<ShownText> {
    pub fn measures(&self) -> Measures {
        let counted = self.counted();
        let of_sms =
            |encoding: SmsEncoding| segments(&counted.iter().map(|text| whole(text)).collect::<String>(), encoding);
        Measures {
            characters: counted.iter().map(|text| text.characters()).sum(),
            most: self.body.most,
            segments: self.encoding.map(of_sms),
        }
    }

    /// The texts whose characters are limited together: of a notification all that it shows, else the body.
    fn counted(&self) -> Vec<&ShownText> {
        let Some(BubbleHeader::Notice(BubbleNotice { title, company, icon: _ })) = &self.header else {
            return self.body.shown().iter().collect();
        };
        let values = self.values.iter().flat_map(|value| [&value.label, &value.content]);
        let titles = self.buttons.iter().flat_map(|button| &button.title);
        let top = std::iter::once(title).chain(company).chain(values);
        top.chain(self.body.shown()).chain(&self.footer).chain(titles).collect()
    }

    /// The characters of everything that is shown.
    pub fn characters(&self) -> usize {
        self.shown().into_iter().map(ShownText::characters).sum()
    }

    /// The rules that this message breaks. `sms_parts_max` is the most parts of an SMS.
    pub fn broken(&self, sms_parts_max: usize) -> BTreeSet<Broken> {
        let mut broken: BTreeSet<Broken> = self.texts().into_iter().flat_map(broken_by).collect();
        broken.extend(self.header_text().and_then(too_long));
        broken.extend(self.cards.iter().filter_map(|card| too_long(&card.body)));
        let measures = self.measures();
        let part = match &self.header {
            Some(BubbleHeader::Notice(_)) => ContentPart::key("notification"),
            Some(BubbleHeader::Text(_) | BubbleHeader::Media(_) | BubbleHeader::Location(_)) | None => {
                place(&self.body)
            }
        };
        if let Some(most) = measures.most.filter(|most| measures.characters > *most) {
            broken.insert(Broken { part: part.clone(), rule: Rule::TooLong { most } });
        }
        if measures.segments.is_some_and(|segments| segments.parts > sms_parts_max) {
            broken.insert(Broken { part: part.clone(), rule: Rule::TooManyParts { most: sms_parts_max } });
        }
        let demands_gsm7 = self.encoding == Some(SmsEncoding::Gsm7);
        if demands_gsm7 && self.body.shown().iter().flat_map(ShownText::texts).any(|text| beyond_gsm7(text).is_some()) {
            broken.insert(Broken { part, rule: Rule::NotInGsm7 });
        }
        broken
    }
}

/// Whether a header or a body is longer than it may be.
fn too_long(wording: &Wording<ShownText>) -> Option<Broken> {
    let most = wording.most?;
    let characters: usize = wording.shown().iter().map(ShownText::characters).sum();
    (characters > most).then(|| Broken { part: place(wording), rule: Rule::TooLong { most } })
}

/// Where a whole text is. Of an unknown text, only the parameters have places of their own.
fn place(wording: &Wording<ShownText>) -> ContentPart {
    let parts = wording.shown().iter().map(|text| &text.part);
    match parts.into_iter().next() {
        Some(ContentPart::Body(_)) | None => ContentPart::Template("body"),
        Some(ContentPart::Param(_)) => ContentPart::Template("params"),
        Some(ContentPart::Card(number, _)) => ContentPart::Card(*number, Box::new(ContentPart::key("body"))),
        Some(part) => part.clone(),
    }
}

/// The rules that one text breaks by itself.
fn broken_by(text: &ShownText) -> Vec<Broken> {
    let mut rules = Vec::new();
    if !text.rules.is_repeated {
        rules.extend(text.missing().map(|column| Rule::MissingValue { column: Arc::clone(column) }));
    }
    if let Some(most) = text.rules.most.filter(|most| text.characters() > *most) {
        rules.push(Rule::TooLong { most });
    }
    if text.rules.is_parameter
        && let Some(what) = refused_in_a_parameter(&whole(text))
    {
        rules.push(Rule::RefusedInParameter { what });
    }
    rules.into_iter().map(|rule| Broken { part: text.part.clone(), rule }).collect()
}

/// A text without its missing values.
fn whole(text: &ShownText) -> String {
    text.texts().collect()
}
