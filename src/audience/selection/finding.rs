//! Cells that a selection cannot compare.

use std::fmt;

use crate::domain::text::{grouped, list, plural};

/// Cells of a column that are put into an order, but were not read as they may be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misread {
    /// They are no numbers, or no dates.
    Unread {
        column: String,
        is_day: bool,
        number: u64,
        /// Cells of the column with any text.
        filled: u64,
        examples: Vec<String>,
        /// The column has several notations, or none that is certain.
        is_mixed: bool,
    },
    /// Numbers such as `1.234`, in a column that does not tell what the point means.
    Guessed { column: String, number: u64, examples: Vec<String> },
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let such_as =
            |examples: &[String]| list(&examples.iter().map(|example| format!("\"{example}\"")).collect::<Vec<_>>());
        match self {
            Self::Unread { column, is_day, number, filled, examples, is_mixed } => {
                let (what, one) = if *is_day { ("dates", "a date") } else { ("numbers", "a number") };
                let (number, filled, examples) = (grouped(*number), grouped(*filled), such_as(examples));
                write!(
                    f,
                    "{number} of {filled} values of {column} are no {what}, such as {examples}; no comparison with {one} holds \
                     for them"
                )?;
                match (is_mixed, is_day) {
                    (false, _) => Ok(()),
                    (true, false) => write!(f, "; write all numbers of the column in one way"),
                    (true, true) => write!(f, "; write all dates of the column in one way, such as 2026-12-31"),
                }
            }
            Self::Guessed { column, number, examples } => {
                let is_read = if *number == 1 { "is read as a number" } else { "are read as numbers" };
                let (values, examples) = (plural(*number, "value", "values"), such_as(examples));
                write!(f, "{values} of {column}, such as {examples}, {is_read} with a fraction, not with thousands")
            }
        }
    }
}
