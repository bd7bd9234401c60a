//! The errors of a content.

use std::sync::Arc;

use super::filter::FilterProblem;
use crate::base::domain::{ColumnError, ContentPart, grouped};

/// An error in one text of a content. The caller prefixes the step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part}: {problem}")]
pub struct Error {
    pub part: ContentPart,
    pub problem: ContentProblem,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentProblem {
    #[error("`{rest}` opens a variable that is never closed; write {{{{Column}}}} or {{{{Column|default}}}}")]
    Unclosed { rest: String },

    #[error("character {at}: a variable has no name; write {{{{Column}}}} or {{{{Column|default}}}}")]
    Unnamed { at: usize },

    #[error("character {at}: the name and the filters of a variable have more than {most} characters; shorten them")]
    LongVariable { at: usize, most: usize },

    #[error("character {at}: {problem}")]
    Filter { at: usize, problem: FilterProblem },

    #[error("the values refer to each other in a circle: {names}; write one of them without the others")]
    Circle { names: String },

    #[error("the audience has a column \"{column}\"; give the value another name")]
    IsColumn { column: String },

    #[error(
        "{what} is made of more than {} parts; write it with fewer variables, or with fewer texts to choose from",
        grouped(*most as u64)
    )]
    TooLarge { what: String, most: usize },

    #[error(
        "{what} has more than {} characters, with the texts that its variables stand for; shorten them",
        grouped(*most as u64)
    )]
    TooLong { what: String, most: usize },

    #[error(transparent)]
    Column(#[from] ColumnError),

    #[error("characters from U+FDD0 to U+FDEF are not supported; remove them")]
    Reserved,

    /// A rule of the channel is broken.
    #[error("{0}")]
    Rule(String),
}

/// The recipient has no value for a variable without a default: the cell is empty, or a filter cannot read it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{column} has no value, and the variable has no default")]
pub struct Missing {
    /// The column, or a value of the campaign that has no text for the recipient.
    pub column: Arc<str>,
}

/// The provider's JSON does not match its markers: a bug in Volley, not an error of the campaign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    #[error("a marked text became invalid JSON; report this as a bug in Volley")]
    NotJson,
    #[error("a marked text holds an unknown marker; report this as a bug in Volley")]
    UnknownMarker,
}
