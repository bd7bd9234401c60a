//! Splits texts into literals and variables: `{{Column}}`, `{{Column|default}}`, `{{Column:filter|default}}`.
//!
//! The first `|` begins the default, which is any text. A filter is therefore written after a colon and before the
//! default: behind a `|`, `{{Name|upper}}` could mean the default `upper` as well. A colon is also allowed in the name of
//! a column, and only the columns of a file can tell which it is, so `bound` decides.

use super::error::ContentProblem;
use crate::base::domain::count_steps;

/// A part of a text, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Literal(&'a str),
    Variable(Written<'a>),
}

/// A variable as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written<'a> {
    /// Its name, and its filters if it has some.
    pub(super) head: &'a str,
    pub(super) default: Option<&'a str>,
    /// The character of the text at which the head begins, from 1.
    pub(super) at: usize,
}

/// The most characters of the head of a variable.
const HEAD_MAX: usize = 1_000;

/// Splits a text into literals and variables.
///
/// - Names and defaults are trimmed.
/// - The first `|` begins the default, which may be empty. Within the quotes of a filter's arguments it is text, as `}}`
///   is there.
/// - Of three braces in a row, the outer one is text.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, ContentProblem> {
    let mut pieces = Vec::new();
    let mut rest = text;
    // Characters are counted from the variable before, because counting from the beginning would take the square of the
    // length.
    let (mut counted, mut characters) = (0, 0);
    while let Some(found) = rest.find("{{") {
        let run = rest[found..].bytes().take_while(|byte| *byte == b'{').count();
        let open = found + run - 2;
        let inside = &rest[open + 2..];
        let unclosed = || ContentProblem::Unclosed { rest: shortened(&rest[open..]) };
        let Extent { head, close } = extent(inside).ok_or_else(unclosed)?;
        let variable = &inside[..close];
        if variable.contains("{{") {
            return Err(unclosed());
        }
        let default = variable[head..].strip_prefix('|').map(str::trim);
        let trimmed = variable[..head].trim_start();
        let begins = text.len() - inside.len() + (head - trimmed.len());
        count_steps(begins - counted);
        characters += text[counted..begins].chars().count();
        counted = begins;
        let at = characters + 1;
        let head = trimmed.trim_end();
        if head.is_empty() {
            return Err(ContentProblem::Unnamed { at });
        }
        if head.chars().count() > HEAD_MAX {
            return Err(ContentProblem::LongVariable { at, most: HEAD_MAX });
        }
        if open > 0 {
            pieces.push(Piece::Literal(&rest[..open]));
        }
        pieces.push(Piece::Variable(Written { head, default, at }));
        rest = &inside[close + 2..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    Ok(pieces)
}

/// Where the head of a variable ends, and where its closing braces begin.
struct Extent {
    head: usize,
    close: usize,
}

/// Finds the end of a variable. A quote without its end is an ordinary character.
fn extent(inside: &str) -> Option<Extent> {
    let head = outside_quotes(inside, true).or_else(|| outside_quotes(inside, false))?;
    let close = match inside[head..].starts_with('|') {
        true => head + inside[head..].find("}}")?,
        false => head,
    };
    Some(Extent { head, close })
}

/// Finds the first `|` or `}}`; with `quotes`, only outside of the quoted arguments of a filter.
fn outside_quotes(inside: &str, quotes: bool) -> Option<usize> {
    let (mut in_arguments, mut quote) = (false, None);
    for (at, byte) in inside.bytes().enumerate() {
        count_steps(1);
        match (quote, byte) {
            (Some(open), _) => quote = Some(open).filter(|open| *open != byte),
            (None, b'|') => return Some(at),
            (None, b'}') if inside[at..].starts_with("}}") => return Some(at),
            (None, b'"' | b'\'') if in_arguments => quote = Some(byte),
            (None, b'(') => in_arguments |= quotes && follows_a_filter(&inside[..at]),
            (None, b')') => in_arguments = false,
            (None, _) => {}
        }
    }
    None
}

/// Whether a parenthesis after this text opens the arguments of a filter.
fn follows_a_filter(before: &str) -> bool {
    let name = before.trim_end().trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '_');
    name.len() < before.trim_end().len() && name.trim_end().ends_with(':')
}

/// The value of a column, if it is not blank.
pub(super) fn filled<T: AsRef<str>>(fields: &[T], column: usize) -> Option<&str> {
    fields.get(column).map(AsRef::as_ref).filter(|field| !is_blank(field))
}

/// Whether a text has no character but spaces. Most texts are decided by their first byte.
pub(super) fn is_blank(text: &str) -> bool {
    match text.as_bytes().first() {
        None => true,
        Some(first) if first.is_ascii_graphic() => false,
        Some(_) => text.chars().all(char::is_whitespace),
    }
}

/// The beginning of a text, for an error message.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(24) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn variable<'a>(head: &'a str, default: Option<&'a str>, at: usize) -> Piece<'a> {
        Piece::Variable(Written { head, default, at })
    }

    #[test]
    fn a_text_is_split_into_literals_and_variables() {
        use Piece::Literal;
        let cases: [(&str, &[Piece<'_>]); 8] = [
            ("", &[]),
            ("plain } text { here }}", &[Literal("plain } text { here }}")]),
            ("{{a}}", &[variable("a", None, 3)]),
            ("Ü {{ First Name | there }}!", &[Literal("Ü "), variable("First Name", Some("there"), 6), Literal("!")]),
            ("{{a|}}{{b|x|y}}", &[variable("a", Some(""), 3), variable("b", Some("x|y"), 9)]),
            ("{{{a}}}", &[Literal("{"), variable("a", None, 4), Literal("}")]),
            ("{a} {{b}", &[]),
            ("{{a {{b}}", &[]),
        ];
        for (text, expected) in cases {
            match pieces(text) {
                Ok(found) => assert_eq!(found, expected, "{text}"),
                Err(problem) => {
                    assert!(expected.is_empty() && matches!(problem, ContentProblem::Unclosed { .. }), "{text}");
                }
            }
        }
        assert!(matches!(pieces("a {{ | x}}"), Err(ContentProblem::Unnamed { at: 6 })));
    }

    #[test]
    fn the_head_of_a_variable_has_1000_characters_at_most() {
        let variable = |head: usize| format!("Hi {{{{{}|there}}}}", "ä".repeat(head));
        assert!(pieces(&variable(HEAD_MAX)).is_ok());
        let problem = pieces(&variable(HEAD_MAX + 1)).unwrap_err();
        assert_eq!(problem, ContentProblem::LongVariable { at: 6, most: HEAD_MAX });
    }

    #[test]
    fn quoted_arguments_of_a_filter_may_hold_bars_and_braces() {
        for (text, head, default) in [
            (r#"{{Day:date("%d|%m")|soon}}"#, r#"Day:date("%d|%m")"#, Some("soon")),
            ("{{Day : date ( '}}' ) }}", "Day : date ( '}}' )", None),
            // Without a filter's name before the parenthesis, everything is as without filters.
            (r#"{{Size ("a|b")}}"#, r#"Size ("a"#, Some(r#"b")"#)),
            (r#"{{5" pipe|"x"}}"#, r#"5" pipe"#, Some(r#""x""#)),
            // A quote without an end is an ordinary character.
            (r#"{{Day:date("%d)|soon}}"#, r#"Day:date("%d)"#, Some("soon")),
        ] {
            assert_eq!(pieces(text).unwrap(), [variable(head, default, 3)], "{text}");
        }
    }

    proptest! {
        #[test]
        fn splitting_never_panics_and_loses_nothing(text in "[{}|:()\"'a é\u{2003}]{0,24}|.*") {
            if let Ok(pieces) = pieces(&text) {
                let mut rest = text.as_str();
                for piece in pieces {
                    let part = match piece { Piece::Literal(part) | Piece::Variable(Written { head: part, .. }) => part };
                    let found = rest.find(part);
                    prop_assert!(found.is_some(), "{} is not in {}", part, rest);
                    rest = &rest[found.unwrap_or_default() + part.len()..];
                }
            }
        }

        #[test]
        fn a_blank_text_is_empty_when_trimmed(text in "[ \t\u{a0}\u{2003}a-]{0,4}") {
            prop_assert_eq!(is_blank(&text), text.trim().is_empty());
        }
    }
}
