//! What can be wrong with a content, and where in it.

use std::fmt;
use std::sync::Arc;

/// A text of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The template as a whole, or one of the words that describe it.
    Template(&'static str),
    Text,
    Source,
    Encoding,
    Header(&'static str),
    /// Counted from one, as in `{{1}}`.
    Body(usize),
    Button(u8, &'static str),
}

impl fmt::Display for Place {
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
        }
    }
}

/// A problem with one text of a content. Whoever knows the step puts it in front.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct Error {
    pub place: Place,
    pub problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("`{rest}` opens a variable that is never closed; write {{{{Column}}}} or {{{{Column|default}}}}")]
    Unclosed { rest: String },

    #[error("a variable has no name; write {{{{Column}}}} or {{{{Column|default}}}}")]
    Unnamed,

    #[error("there is no column `{name}`; {}", columns_there_are(.name, .columns))]
    UnknownColumn { name: String, columns: Vec<String> },

    #[error("`{name}` could be the column `{first}` or `{second}`; write it exactly as in the file")]
    AmbiguousColumn { name: String, first: String, second: String },

    #[error("a character between U+FDD0 and U+FDEF stands for no text; remove it")]
    Reserved,

    /// A rule of the channel, in one sentence.
    #[error("{0}")]
    Rule(String),
}

fn columns_there_are(name: &str, columns: &[String]) -> String {
    let list = if columns.is_empty() { "none".to_owned() } else { columns.join(", ") };
    match crate::config::nearest(name, columns.iter().map(String::as_str)) {
        Some(right) => format!("did you mean `{right}`? The columns are {list}"),
        None => format!("the columns are {list}; use one of them"),
    }
}

/// A recipient lacks what a variable without default wants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the column {column} is empty, and the variable has no default")]
pub struct Missing {
    pub column: Arc<str>,
}

/// The provider's JSON does not hold together with its slots: a fault of ours, not of the campaign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    #[error("a marked text became JSON that cannot be read; report this as a fault of Volley")]
    NotJson,
    #[error("a marked text holds a marker that nobody set; report this as a fault of Volley")]
    UnknownMarker,
}
