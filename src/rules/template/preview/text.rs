//! The texts of a message: bound to columns once, then filled for one recipient after another.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::measure::TextRules;
use crate::base::domain::{ContentPart, Names};
use crate::rules::template::bound::{BoundPiece, BoundText};
use crate::rules::template::error::Error;
use crate::rules::template::plain::transliterated;

/// A text whose variables are bound to columns and to the values of a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MessageText {
    pub(super) part: ContentPart,
    pub(super) rules: TextRules,
    pub(super) text: BoundText,
}

impl MessageText {
    pub(super) fn new(part: ContentPart, rules: TextRules, text: &str, names: Names<'_>) -> Result<Self, Error> {
        match BoundText::bind(text, names) {
            Ok(text) => Ok(Self { part, rules, text }),
            Err(problem) => Err(Error { part, problem }),
        }
    }

    /// A text without variables, whatever it contains.
    pub(super) fn literal(part: ContentPart, text: &str) -> Self {
        Self { part, rules: TextRules::default(), text: BoundText(vec![BoundPiece::Literal(text.into())]) }
    }

    /// Adds the columns that it names.
    pub(super) fn columns(&self, found: &mut BTreeSet<usize>) {
        self.text.columns(found);
    }

    /// The text of one recipient. An empty cell is a missing value, and so is one that a filter cannot read.
    pub(super) fn fill<T: AsRef<str>>(&self, fields: &[T]) -> ShownText {
        let mut runs = Vec::new();
        let mut text = String::new();
        for piece in &self.text.0 {
            match piece {
                BoundPiece::Literal(literal) => text.push_str(literal),
                BoundPiece::Variable(variable) => {
                    let Err(name) = variable.write(fields, &mut text) else { continue };
                    runs.extend(run(std::mem::take(&mut text)));
                    runs.push(Run::Missing(Arc::clone(name)));
                }
            }
        }
        // The whole text decides whether it is transliterated, and without all values there is none.
        if self.rules.is_transliterated && runs.is_empty() {
            text = transliterated(&text).into_owned();
        }
        runs.extend(run(text));
        ShownText { part: self.part.clone(), rules: self.rules, runs }
    }
}

fn run(text: String) -> Option<Run> {
    (!text.is_empty()).then_some(Run::Text(text))
}

/// A text of one recipient's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownText {
    /// The part of the content that it comes from.
    pub part: ContentPart,
    pub(super) rules: TextRules,
    pub runs: Vec<Run>,
}

/// A stretch of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Run {
    Text(String),
    /// The recipient has no value for this column, and the variable has no default.
    Missing(Arc<str>),
}

impl ShownText {
    /// A text as it is, whatever it contains.
    pub fn new(part: ContentPart, text: &str) -> Self {
        Self { part, rules: TextRules::default(), runs: run(text.to_owned()).into_iter().collect() }
    }

    /// The number of characters, without missing values.
    pub fn characters(&self) -> usize {
        self.texts().map(|text| text.chars().count()).sum()
    }

    /// The columns without a value.
    pub fn missing(&self) -> impl Iterator<Item = &Arc<str>> {
        self.runs.iter().filter_map(|run| match run {
            Run::Missing(column) => Some(column),
            Run::Text(_) => None,
        })
    }

    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.runs.iter().filter_map(|run| match run {
            Run::Text(text) => Some(text.as_str()),
            Run::Missing(_) => None,
        })
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Missing(column) => write!(f, "‹{column} is missing›"),
        }
    }
}

/// The text; a missing value shows as `‹Column is missing›`.
impl fmt::Display for ShownText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.runs.iter().try_for_each(|run| run.fmt(f))
    }
}

impl Serialize for ShownText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("ShownText", 2)?;
        object.serialize_field("part", &self.part.to_string())?;
        object.serialize_field("text", &self.to_string())?;
        object.end()
    }
}
