//! Splits an expression into words, texts, numbers and signs.

use chrono::NaiveDate;

use super::decimal::Decimal;
use super::error::{SelectionError, WrongSelection};
use super::notation::Date;
use crate::base::domain::is_mark;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A name without braces, which may also be `and`, `or`, `not` or `in`.
    Word(String),
    /// A name in braces.
    Column(String),
    Text(String),
    Number(Decimal<'static>),
    Day(NaiveDate),
    Sign(Sign),
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Equal,
    Unequal,
    Below,
    AtMost,
    Above,
    AtLeast,
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
}

/// A token, the character at which it begins (from 1), and how it is written.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) at: usize,
    pub(super) written: String,
}

/// Signs of other languages, and what to write here.
const FOREIGN: [(&str, &str); 6] = [("==", "="), ("<>", "!="), ("&&", "and"), ("||", "or"), ("=<", "<="), ("=>", ">=")];

/// The longer signs come first.
const SIGNS: [(&str, Sign); 11] = [
    ("!=", Sign::Unequal),
    ("<=", Sign::AtMost),
    (">=", Sign::AtLeast),
    ("=", Sign::Equal),
    ("<", Sign::Below),
    (">", Sign::Above),
    ("(", Sign::Open),
    (")", Sign::Close),
    ("[", Sign::OpenList),
    ("]", Sign::CloseList),
    (",", Sign::Comma),
];

/// Splits the expression. The last token is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, SelectionError> {
    let mut tokens = Vec::new();
    let (mut rest, mut at) = (text, 1);
    loop {
        let trimmed = rest.trim_start();
        // Only what was skipped: counting the rest would take the square of the length.
        at += rest[..rest.len() - trimmed.len()].chars().count();
        rest = trimmed;
        if rest.is_empty() {
            tokens.push(Placed { token: Token::End, at, written: String::new() });
            return Ok(tokens);
        }
        let (token, length) = first(rest).map_err(|wrong| SelectionError { at, wrong })?;
        let written = &rest[..length];
        tokens.push(Placed { token, at, written: written.to_owned() });
        at += written.chars().count();
        rest = &rest[length..];
    }
}

/// The first token of a text that begins with one, and its length in bytes.
fn first(text: &str) -> Result<(Token, usize), WrongSelection> {
    if let Some(inside) = text.strip_prefix("{{") {
        let length = inside.find("}}").ok_or(WrongSelection::UnclosedColumn)?;
        return Ok((Token::Column(inside[..length].trim().to_owned()), length + 4));
    }
    if let Some((foreign, ours)) = FOREIGN.iter().find(|(foreign, _)| text.starts_with(foreign)) {
        return Err(WrongSelection::Foreign { written: foreign, write: ours });
    }
    if let Some((written, sign)) = SIGNS.iter().find(|(written, _)| text.starts_with(written)) {
        return Ok((Token::Sign(*sign), written.len()));
    }
    let first = text.chars().next().unwrap_or_default();
    match first {
        '"' | '\'' => quoted(text, first),
        '0'..='9' | '-' | '+' | '.' => number(text),
        '!' => Err(WrongSelection::Foreign { written: "!", write: "not" }),
        _ if first.is_alphabetic() || first == '_' || is_mark(first) => {
            let is_part = |char: char| char.is_alphanumeric() || is_mark(char) || matches!(char, '_' | '-' | '.');
            let length = text.find(|char| !is_part(char)).unwrap_or(text.len());
            Ok((Token::Word(text[..length].to_owned()), length))
        }
        _ => Err(WrongSelection::Character(first)),
    }
}

/// A text in quotes. A backslash takes the next character as it is.
fn quoted(text: &str, quote: char) -> Result<(Token, usize), WrongSelection> {
    let mut inside = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((index, char)) = chars.next() {
        match char {
            '\\' => inside.push(chars.next().ok_or(WrongSelection::UnclosedText)?.1),
            _ if char == quote => return Ok((Token::Text(inside), index + 1)),
            _ => inside.push(char),
        }
    }
    Err(WrongSelection::UnclosedText)
}

/// A number or a date, which has no quotes either.
fn number(text: &str) -> Result<(Token, usize), WrongSelection> {
    let is_part = |char: char| char.is_alphanumeric() || matches!(char, '.' | '_' | '-' | '/');
    let length = text.char_indices().skip(1).find(|(_, char)| !is_part(*char)).map_or(text.len(), |(index, _)| index);
    let written = &text[..length];
    let token = match (Decimal::read(written), Date::written(written)) {
        (Some(number), _) => Token::Number(number.into_owned()),
        (None, Some(Date::Day(day) | Date::First(day) | Date::Second(day))) => Token::Day(day),
        (None, Some(_)) => return Err(WrongSelection::UncertainDay(written.to_owned())),
        (None, None) => return Err(WrongSelection::Number(written.to_owned())),
    };
    Ok((token, length))
}
