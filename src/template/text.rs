//! Parses texts with variables: `{{Column}}` and `{{Column|default}}`.

use super::error::ContentProblem;

/// A part of a text, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Literal(&'a str),
    Variable { name: &'a str, default: Option<&'a str> },
}

/// Splits a text into literals and variables.
///
/// - Names and defaults are trimmed.
/// - The first `|` begins the default, which may be empty.
/// - Of three braces in a row, the outer one is text.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, ContentProblem> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(found) = rest.find("{{") {
        let run = rest[found..].bytes().take_while(|byte| *byte == b'{').count();
        let open = found + run - 2;
        let inside = &rest[open + 2..];
        let unclosed = || ContentProblem::Unclosed { rest: shortened(&rest[open..]) };
        let close = inside.find("}}").ok_or_else(unclosed)?;
        let variable = &inside[..close];
        if variable.contains("{{") {
            return Err(unclosed());
        }
        let (name, default) = match variable.split_once('|') {
            Some((name, default)) => (name.trim(), Some(default.trim())),
            None => (variable.trim(), None),
        };
        if name.is_empty() {
            return Err(ContentProblem::Unnamed);
        }
        if open > 0 {
            pieces.push(Piece::Literal(&rest[..open]));
        }
        pieces.push(Piece::Variable { name, default });
        rest = &inside[close + 2..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    Ok(pieces)
}

/// The value of a column, if it is not blank.
pub(super) fn filled<T: AsRef<str>>(fields: &[T], column: usize) -> Option<&str> {
    fields.get(column).map(AsRef::as_ref).filter(|field| !field.trim().is_empty())
}

/// The beginning of a text, for an error message.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(24) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_into_literals_and_variables() {
        use Piece::{Literal, Variable};
        let cases: [(&str, &[Piece<'_>]); 8] = [
            ("", &[]),
            ("plain } text { here }}", &[Literal("plain } text { here }}")]),
            ("{{a}}", &[Variable { name: "a", default: None }]),
            (
                "Hi {{ First Name | there }}!",
                &[Literal("Hi "), Variable { name: "First Name", default: Some("there") }, Literal("!")],
            ),
            (
                "{{a|}}{{b|x|y}}",
                &[Variable { name: "a", default: Some("") }, Variable { name: "b", default: Some("x|y") }],
            ),
            ("{{{a}}}", &[Literal("{"), Variable { name: "a", default: None }, Literal("}")]),
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
        assert!(matches!(pieces("a {{ | x}}"), Err(ContentProblem::Unnamed)));
    }
}
