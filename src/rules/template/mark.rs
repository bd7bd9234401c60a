//! Replaces the variables of a content by markers, so that they can be found again in the provider's JSON.

use std::sync::Arc;

use super::bound::{Bound, Budget};
use super::error::{ContentProblem, Error};
use super::lack::Lack;
use super::sink::Discard;
use super::text::{Piece, pieces};
use crate::base::domain::{Content, ContentPart, Names, Span, is_reserved};

// Unicode noncharacters: they never stand for text, and JSON keeps them unchanged.
pub(super) const OPEN: char = '\u{FDD0}';
pub(super) const CLOSE: char = '\u{FDD1}';

/// The marker of the recipient's number in a marked JSON.
pub const MSISDN_MARK: &str = "\u{FDD0}msisdn\u{FDD1}";
/// The marker of the id by which the channel knows a recipient without a number, in a marked JSON.
pub const USER_MARK: &str = "\u{FDD0}user\u{FDD1}";
/// The marker of the attempt's id in a marked JSON.
pub const ATTEMPT_MARK: &str = "\u{FDD0}attempt\u{FDD1}";

/// The marker of the time `ttl` after the submission in a marked JSON.
pub fn expiry_mark(ttl: Span) -> String {
    format!("{OPEN}{EXPIRY}{}{CLOSE}", ttl.millis())
}

pub(super) const EXPIRY: &str = "expiry ";

/// A variable that is bound to its column or value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Where it stands.
    pub part: ContentPart,
    pub(super) bound: Bound,
}

impl Variable {
    /// The columns without whose cells it has no value, with their names.
    pub fn needed_columns(&self) -> Vec<(usize, Arc<str>)> {
        let mut found = Vec::new();
        self.bound.needed_columns(&mut found);
        found
    }

    /// The columns whose cells are part of its text, with their names.
    pub fn shown_columns(&self) -> Vec<(usize, Arc<str>)> {
        let mut found = Vec::new();
        self.bound.shown_columns(&mut found);
        found
    }

    /// Whether it can have no value although no cell is empty.
    pub fn may_be_unreadable(&self) -> bool {
        self.bound.may_be_unreadable()
    }
}

/// The variables of a content, in the order of its texts. The number of a marker is an index into them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Variables(pub(super) Vec<Variable>);

impl Variables {
    pub fn iter(&self) -> std::slice::Iter<'_, Variable> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first thing that a recipient lacks, if there is one.
    pub fn first_missing<T: AsRef<str>>(&self, fields: &[T]) -> Option<Lack> {
        self.missing(fields)?.bound.lack(fields)
    }

    /// Whether a recipient has a value, or a default, for each of them.
    pub fn are_met<T: AsRef<str>>(&self, fields: &[T]) -> bool {
        self.missing(fields).is_none()
    }

    fn missing<T: AsRef<str>>(&self, fields: &[T]) -> Option<&Variable> {
        self.0.iter().find(|variable| variable.bound.write(fields, &mut Discard).is_err())
    }

    /// Replaces the variables of a text by markers.
    fn mark(&mut self, part: &ContentPart, text: &str, names: Names<'_>, left: &mut Budget) -> Result<String, Error> {
        let at = |problem| Error { part: part.clone(), problem };
        if text.contains(is_reserved) {
            return Err(at(ContentProblem::Reserved));
        }
        let mut marked = String::with_capacity(text.len());
        for piece in pieces(text).map_err(at)? {
            match piece {
                Piece::Literal(literal) => marked.push_str(literal),
                Piece::Variable(written) => {
                    let bound = Bound::bind(written, names, left).map_err(at)?;
                    marked.push(OPEN);
                    marked.push_str(&self.0.len().to_string());
                    marked.push(CLOSE);
                    self.0.push(Variable { part: part.clone(), bound });
                }
            }
        }
        Ok(marked)
    }
}

/// A content, and how its channel addresses the recipient, with markers in place of variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkedContent {
    pub content: Content,
    /// The recipient's id on the channel.
    pub user_id: Option<String>,
    pub variables: Variables,
}

/// Binds every variable to its column or value, and replaces it by a marker.
pub fn mark(content: &Content, user_id: Option<&str>, names: Names<'_>) -> Result<MarkedContent, Error> {
    let mut variables = Variables::default();
    let (mut content, mut left) = (content.clone(), Budget::default());
    content.change_texts(|part, text| {
        *text = variables.mark(&part, text, names, &mut left)?;
        Ok(())
    })?;
    let mut mark = |text| variables.mark(&ContentPart::LineUserId, text, names, &mut left);
    let user_id = user_id.map(&mut mark).transpose()?;
    Ok(MarkedContent { content, user_id, variables })
}
