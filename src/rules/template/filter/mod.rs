//! Filters change the value of a variable: `{{Name:trim:title}}`, `{{Amount:number(2, "de")}}`.
//!
//! A filter writes its text into the buffer of the message, character by character. Only a filter that cuts, behind
//! another one that writes, needs the text before it as a whole, and allocates it.

mod call;
mod date;
mod language;
mod letters;
mod number;
mod truncate;

use std::fmt;

pub(super) use call::{Call, calls};
use date::DateForm;
use letters::{Change, Letters};
use number::NumberForm;
use truncate::Truncate;

use crate::base::domain::hint;

/// A change of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filter {
    Letters(Change),
    Trim,
    Truncate(Truncate),
    Number(NumberForm),
    Date(Box<DateForm>),
}

/// The names of all filters, and how each is written.
const FILTERS: [(&str, &str); 8] = [
    ("upper", "upper"),
    ("lower", "lower"),
    ("title", "title"),
    ("trim", "trim"),
    ("url", "url"),
    ("truncate", "truncate(20) or truncate(20, \"…\")"),
    ("number", "number, number(2), number(2, \"de\") or number(2, \"de\", \"de\")"),
    ("date", "date(\"%d %B %Y\"), date(\"%d %B %Y\", \"de\") or date(\"%d %B %Y\", \"de\", \"%d/%m/%Y\")"),
];

/// Why a filter cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterProblem {
    #[error("unknown filter \"{name}\"; {}", hint(name, FILTERS.iter().map(|(name, _)| *name)))]
    Unknown { name: String },

    #[error("`{text}` is not a filter; write filters as in {{{{Column:trim:truncate(20)}}}}")]
    Malformed { text: String },

    #[error("a variable has at most {most} filters; remove some")]
    TooMany { most: usize },

    #[error("{name} does not take these arguments; write {usage}")]
    Arguments { name: &'static str, usage: &'static str },

    #[error("{name} reads the text of the cell; move it before the other filters")]
    NotFirst { name: &'static str },

    #[error("a text of at most {limit} characters cannot end with \"{mark}\"; raise the limit, or shorten the ending")]
    LongMark { limit: usize, mark: String },

    #[error("{decimals} decimals are more than the {most} allowed; write fewer")]
    Decimals { decimals: u64, most: u8 },

    #[error("unknown language \"{name}\"; {}", language::nearest_or_example(name))]
    Language { name: String },

    #[error("\"{format}\" cannot write a date; use %d, %m, %Y, %B, %A, %H and %M, as in \"%d %B %Y\"")]
    WriteDate { format: String },

    #[error("\"{format}\" cannot read a date; use %d, %m, %Y, %H and %M, as in \"%d/%m/%Y\"")]
    ReadDate { format: String },
}

/// A filter cannot read a value, so the value counts as missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

impl From<fmt::Error> for Unreadable {
    fn from(_: fmt::Error) -> Self {
        Self
    }
}

impl Filter {
    /// Makes the filter of a call; `is_first` if no other filter comes before it.
    fn of(call: &Call<'_>, is_first: bool) -> Result<Self, FilterProblem> {
        let Some((name, usage)) = FILTERS.into_iter().find(|(name, _)| *name == call.name) else {
            return Err(FilterProblem::Unknown { name: call.name.to_owned() });
        };
        let arguments = &call.arguments[..];
        let change = match name {
            "upper" => Some(Change::Upper),
            "lower" => Some(Change::Lower),
            "title" => Some(Change::Title),
            "url" => Some(Change::Url),
            _ => None,
        };
        let filter = match (name, change) {
            (_, Some(change)) => arguments.is_empty().then_some(Self::Letters(change)),
            ("trim", _) => arguments.is_empty().then_some(Self::Trim),
            ("truncate", _) => Truncate::of(arguments)?.map(Self::Truncate),
            ("number" | "date", _) if !is_first => return Err(FilterProblem::NotFirst { name }),
            ("number", _) => NumberForm::of(arguments)?.map(Self::Number),
            _ => DateForm::of(arguments)?.map(|form| Self::Date(Box::new(form))),
        };
        filter.ok_or(FilterProblem::Arguments { name, usage })
    }

    /// Makes the filters of calls, or returns the problem of the first bad one with its call.
    pub(super) fn all<'a, 'b>(calls: &'b [Call<'a>]) -> Result<Vec<Self>, (&'b Call<'a>, FilterProblem)> {
        // Spaces around a number or a date have no effect, so `trim` may come first.
        let is_first = |index: usize| calls[..index].iter().all(|call| call.name == "trim");
        let filter =
            |(index, call): (usize, &'b Call<'a>)| Self::of(call, is_first(index)).map_err(|problem| (call, problem));
        calls.iter().enumerate().map(filter).collect()
    }

    /// Whether it cannot read every text.
    pub(super) fn reads(&self) -> bool {
        matches!(self, Self::Number(_) | Self::Date(_))
    }

    fn apply(&self, value: &str, out: &mut dyn fmt::Write) -> Result<(), Unreadable> {
        match self {
            Self::Letters(_) => through(std::slice::from_ref(self), out, &mut |out| Ok(out.write_str(value)?)),
            Self::Trim => Ok(out.write_str(value.trim())?),
            Self::Truncate(truncate) => Ok(truncate.write(value, out)?),
            Self::Number(form) => form.write(value, out),
            Self::Date(form) => form.write(value, out),
        }
    }
}

/// Writes a value, changed by filters in their order. If a filter cannot read it, the caller drops what was written.
pub(super) fn write(filters: &[Filter], value: &str, out: &mut dyn fmt::Write) -> Result<(), Unreadable> {
    match filters {
        [] => Ok(out.write_str(value)?),
        [Filter::Trim, rest @ ..] => write(rest, value.trim(), out),
        [first, rest @ ..] if rest.iter().all(|filter| matches!(filter, Filter::Letters(_))) => {
            through(rest, out, &mut |out| first.apply(value, out))
        }
        [first, rest @ ..] => {
            let mut whole = String::new();
            first.apply(value, &mut whole)?;
            write(rest, &whole, out)
        }
    }
}

type Source<'a> = dyn FnMut(&mut dyn fmt::Write) -> Result<(), Unreadable> + 'a;

/// Lets `source` write through filters that change letters, in their order.
fn through(filters: &[Filter], out: &mut dyn fmt::Write, source: &mut Source<'_>) -> Result<(), Unreadable> {
    match filters {
        [Filter::Letters(change), rest @ ..] => {
            through(rest, out, &mut |inner| source(&mut Letters::new(*change, inner)))
        }
        _ => source(out),
    }
}

#[cfg(test)]
mod tests;
