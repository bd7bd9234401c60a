//! Cells that a selection cannot compare.

use std::fmt;

use crate::base::domain::text::{grouped, list, plural};

/// Cells of a column that are compared, but were not read as they may be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misread {
    /// They are not numbers, or not dates.
    Unread {
        column: String,
        is_day: bool,
        number: u64,
        /// Cells of the column with any text.
        filled: u64,
        examples: Vec<String>,
        advice: Option<Advice>,
    },
    /// Numbers such as `1.234`, in a column that does not tell what the point means.
    Guessed { column: String, number: u64, examples: Vec<String> },
}

/// Why cells are not read that may be numbers or dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Others are written in another way.
    OneWay,
    /// Each can be read in two ways, and no other cell tells in which.
    Certain,
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let such_as =
            |examples: &[String]| list(&examples.iter().map(|example| format!("\"{example}\"")).collect::<Vec<_>>());
        match self {
            Self::Unread { column, is_day, number, filled, examples, advice } => {
                let (one, many) = if *is_day { ("a date", "dates") } else { ("a number", "numbers") };
                let are_not = if *number == 1 { format!("is not {one}") } else { format!("are not {many}") };
                let (number, of, examples) = (grouped(*number), plural(*filled, "value", "values"), such_as(examples));
                write!(
                    f,
                    "{number} of {of} of {column} {are_not}, such as {examples}; no comparison with {one} holds for them"
                )?;
                match (advice, is_day) {
                    (None, _) => Ok(()),
                    (Some(Advice::OneWay), _) => write!(f, "; write all {many} of the column in one way"),
                    (Some(Advice::Certain), false) => {
                        write!(f, "; the comma may mark thousands or a fraction, and no other value tells")
                    }
                    (Some(Advice::Certain), true) => write!(
                        f,
                        "; the day may come first or second, and no other value tells: write dates as 2026-12-31"
                    ),
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
