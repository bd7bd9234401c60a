//! The errors of a content, and where in it they are.

use std::fmt;
use std::sync::Arc;

use crate::domain::ColumnError;

/// A text of a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentPart {
    /// The template as a whole, or one of its keys.
    Template(&'static str),
    Text,
    Source,
    Encoding,
    Header(&'static str),
    /// From 1, as in `{{1}}`.
    Body(usize),
    Button(u8, &'static str),
    /// A value of a flow's data, by its path.
    Flow(u8, Arc<str>),
    /// A named parameter.
    Param(Arc<str>),
    /// A string of the provider's own JSON, by its path.
    Raw(Arc<str>),
    LineUserId,
}

impl fmt::Display for ContentPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Template("") => f.write_str("template"),
            Self::Template(part) => write!(f, "template {part}"),
            Self::Text => f.write_str("text"),
            Self::Source => f.write_str("source"),
            Self::Encoding => f.write_str("encoding"),
            Self::Header(kind) => write!(f, "header {kind}"),
            Self::Body(number) => write!(f, "body {number}"),
            Self::Button(index, kind) => write!(f, "button {index} {kind}"),
            Self::Flow(index, path) => write!(f, "button {index} flow data.{path}"),
            Self::Param(name) => write!(f, "params {name}"),
            Self::Raw(path) => write!(f, "raw {path}"),
            Self::LineUserId => f.write_str("line_user_id"),
        }
    }
}

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

    #[error("a variable has no name; write {{{{Column}}}} or {{{{Column|default}}}}")]
    Unnamed,

    #[error(transparent)]
    Column(#[from] ColumnError),

    #[error("characters from U+FDD0 to U+FDEF are not supported; remove them")]
    Reserved,

    /// A rule of the channel is broken.
    #[error("{0}")]
    Rule(String),
}

/// The recipient has no value for a variable without a default.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the column {column} is empty, and the variable has no default")]
pub struct Missing {
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
