//! What is wrong with an expression, and where.

use crate::base::domain::{ColumnError, grouped};

/// Why a selection cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("character {at}: {wrong}")]
pub struct SelectionError {
    /// The character of the expression, from 1.
    pub at: usize,
    pub wrong: WrongSelection,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongSelection {
    #[error("there is no condition; write one, such as Consent = \"yes\"")]
    Nothing,
    #[error("{expected} is missing{}", before(found))]
    Missing { expected: &'static str, found: String },
    #[error("a column comes before the sign; write, for example, Score >= 10")]
    ValueFirst,
    #[error("`{sign}` compares numbers and dates; write a number without quotes, or use =, != or in with texts")]
    OrderOfTexts { sign: String },
    #[error("\"{written}\" is written \"{write}\" here")]
    Foreign { written: &'static str, write: &'static str },
    #[error("a text that begins here has no quote at its end")]
    UnclosedText,
    #[error("a column name that begins here has no }}}} at its end")]
    UnclosedColumn,
    #[error("\"{0}\" is neither a number nor a date; write, for example, 10, 0.5 or 2026-12-31")]
    Number(String),
    #[error("the day of \"{0}\" is uncertain; write the date with the year first, such as 2026-12-31")]
    UncertainDay(String),
    #[error("\"{0}\" has no meaning here; write texts in quotes, and column names with spaces as {{{{First name}}}}")]
    Character(char),
    #[error("\"{word}\" is a text without quotes; write \"{word}\" in quotes")]
    Unquoted { word: String },
    #[error("there are more than {most} parentheses and `not` within each other; write it in fewer levels")]
    TooDeep { most: usize },
    #[error("there are more than {most} comparisons; remove some, or compare a column with many values by `in`")]
    TooMany { most: usize },
    #[error("there are more than {} values in a list; write fewer", grouped(*most as u64))]
    TooManyValues { most: usize },
    #[error(transparent)]
    Column(#[from] ColumnError),
}

fn before(found: &str) -> String {
    if found.is_empty() { " at the end".to_owned() } else { format!(" before {found}") }
}
