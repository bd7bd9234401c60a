//! Reads filters as they are written: `trim:truncate(20, "…")`.

use super::FilterProblem;

/// A filter by its name, with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rules::template) struct Call<'a> {
    pub(in crate::rules::template) name: &'a str,
    pub(in crate::rules::template) arguments: Vec<Argument<'a>>,
    /// The byte of the text at which it begins.
    pub(in crate::rules::template) at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rules::template) enum Argument<'a> {
    Number(u64),
    Text(&'a str),
}

/// The most filters of a variable. Each writes into the next one, so a thousand of them would overflow the stack.
const CALLS_MAX: usize = 20;

/// Reads filters separated by colons, or returns the byte of the text at which the problem is.
pub(in crate::rules::template) fn calls(text: &str) -> Result<Vec<Call<'_>>, (usize, FilterProblem)> {
    let mut calls = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let at = text.len() - rest.len();
        let (call, after) =
            call(rest, at).ok_or_else(|| (at, FilterProblem::Malformed { text: rest.trim_end().to_owned() }))?;
        if calls.len() == CALLS_MAX {
            return Err((at, FilterProblem::TooMany { most: CALLS_MAX }));
        }
        calls.push(call);
        match after.trim_start().strip_prefix(':') {
            Some(next) => rest = next,
            None if after.trim().is_empty() => return Ok(calls),
            None => return Err((at, FilterProblem::Malformed { text: rest.trim_end().to_owned() })),
        }
    }
}

/// Reads one filter; returns it with the text after it.
fn call(text: &str, at: usize) -> Option<(Call<'_>, &str)> {
    let end = text.find(|c: char| !c.is_ascii_alphabetic() && c != '_').unwrap_or(text.len());
    let (name, after) = text.split_at(end);
    if name.is_empty() {
        return None;
    }
    let Some(mut rest) = after.trim_start().strip_prefix('(') else {
        return Some((Call { name, arguments: Vec::new(), at }, after));
    };
    let mut arguments = Vec::new();
    loop {
        let (argument, after) = argument(rest.trim_start())?;
        arguments.push(argument);
        let after = after.trim_start();
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Some((Call { name, arguments, at }, after.strip_prefix(')')?)),
        }
    }
}

/// Reads a whole number, or a text between quotes of either kind.
fn argument(text: &str) -> Option<(Argument<'_>, &str)> {
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let (inside, after) = text[1..].split_once(quote)?;
        return Some((Argument::Text(inside), after));
    }
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, after) = text.split_at(end);
    Some((Argument::Number(digits.parse().ok()?), after))
}

#[cfg(test)]
mod tests {
    use super::Argument::{Number, Text};
    use super::*;

    #[test]
    fn calls_are_read_with_their_arguments_and_places() {
        let found = calls(r#" trim : truncate ( 20 , "…" ):date('%d "%m"')"#).unwrap();
        let found: Vec<_> = found.iter().map(|call| (call.name, &call.arguments[..], call.at)).collect();
        assert_eq!(
            found,
            [
                ("trim", &[][..], 1),
                ("truncate", &[Number(20), Text("…")][..], 8),
                ("date", &[Text("%d \"%m\"")][..], 32)
            ]
        );
    }

    #[test]
    fn a_variable_has_20_filters_at_most() {
        assert_eq!(calls(&vec!["upper"; CALLS_MAX].join(":")).unwrap().len(), CALLS_MAX);
        let (at, problem) = calls(&vec!["upper"; 100_000].join(":")).unwrap_err();
        assert_eq!((at, problem), (6 * CALLS_MAX, FilterProblem::TooMany { most: CALLS_MAX }));
    }

    #[test]
    fn what_is_no_call_is_refused_with_its_place() {
        for (text, at) in [
            ("", 0),
            ("trim:", 5),
            ("trim::upper", 5),
            ("trim upper", 0),
            ("truncate()", 0),
            ("truncate(20", 0),
            ("truncate(20,)", 0),
            ("truncate(-1)", 0),
            ("truncate(99999999999999999999)", 0),
            ("upper:date(\"%d)", 6),
            ("näme", 0),
        ] {
            let (found, problem) = calls(text).unwrap_err();
            assert!(found == at && matches!(problem, FilterProblem::Malformed { .. }), "{text}: {found} {problem}");
        }
    }
}
