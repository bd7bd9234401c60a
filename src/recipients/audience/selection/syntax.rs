//! Parses an expression: `or` of `and` of `not` of comparisons and parentheses.

use std::sync::Arc;

use chrono::NaiveDate;

use super::decimal::Decimal;
use super::error::{SelectionError, WrongSelection};
use super::notation::Date;
use super::tokens::{Placed, Sign, Token, tokens};
use super::{Condition, Limit, NamedColumn, Order, Values};

type Parsed<T> = Result<T, SelectionError>;

/// Levels of parentheses and `not`, so that no expression overflows the stack.
const DEEPEST: usize = 50;
/// Comparisons. Each row is compared with all of them.
const COMPARISONS_MAX: usize = 200;
/// Values of a list.
const VALUES_MAX: usize = 10_000;

/// A value of a comparison.
enum Value {
    Text(String),
    Number(Decimal<'static>),
    Day(NaiveDate),
}

impl Values {
    fn add(&mut self, value: Value) {
        match value {
            Value::Text(text) => drop(self.texts.insert(text)),
            Value::Number(number) => drop(self.numbers.insert(number)),
            Value::Day(day) => drop(self.days.insert(day)),
        }
    }

    fn of(value: Value) -> Arc<Self> {
        let mut values = Self::default();
        values.add(value);
        Arc::new(values)
    }
}

pub(super) fn parse(text: &str) -> Parsed<Condition<NamedColumn>> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, depth: 0, comparisons: 0 };
    if parser.next().token == Token::End {
        return Err(SelectionError { at: parser.next().at, wrong: WrongSelection::Nothing });
    }
    let condition = parser.any()?;
    match parser.next().token {
        Token::End => Ok(condition),
        _ => Err(parser.missing("`and` or `or`")),
    }
}

struct Parser<'a> {
    /// The tokens that are left, at least [`Token::End`].
    tokens: &'a [Placed],
    depth: usize,
    comparisons: usize,
}

impl<'a> Parser<'a> {
    fn next(&self) -> &'a Placed {
        &self.tokens[0]
    }

    fn take(&mut self) -> &'a Placed {
        let next = self.next();
        if next.token != Token::End {
            self.tokens = &self.tokens[1..];
        }
        next
    }

    /// Takes the next token if it is this keyword, in any letter case.
    fn takes(&mut self, keyword: &str) -> bool {
        let is_next = matches!(&self.next().token, Token::Word(word) if word.eq_ignore_ascii_case(keyword));
        if is_next {
            self.take();
        }
        is_next
    }

    fn takes_sign(&mut self, sign: Sign) -> bool {
        let is_next = self.next().token == Token::Sign(sign);
        if is_next {
            self.take();
        }
        is_next
    }

    fn missing(&self, expected: &'static str) -> SelectionError {
        let Placed { at, written, .. } = self.next();
        SelectionError { at: *at, wrong: WrongSelection::Missing { expected, found: written.clone() } }
    }

    fn any(&mut self) -> Parsed<Condition<NamedColumn>> {
        self.joined("or", Condition::Any, Self::all)
    }

    fn all(&mut self) -> Parsed<Condition<NamedColumn>> {
        self.joined("and", Condition::All, Self::one)
    }

    /// One or more parts with the keyword between them.
    fn joined(
        &mut self,
        keyword: &str,
        join: fn(Vec<Condition<NamedColumn>>) -> Condition<NamedColumn>,
        part: fn(&mut Self) -> Parsed<Condition<NamedColumn>>,
    ) -> Parsed<Condition<NamedColumn>> {
        let first = part(self)?;
        let mut parts = vec![first];
        while self.takes(keyword) {
            parts.push(part(self)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { join(parts) })
    }

    fn one(&mut self) -> Parsed<Condition<NamedColumn>> {
        let at = self.next().at;
        let is_not = self.takes("not");
        if !is_not && !self.takes_sign(Sign::Open) {
            return self.comparison();
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(SelectionError { at, wrong: WrongSelection::TooDeep { most: DEEPEST } });
        }
        let condition = if is_not { Condition::Not(Box::new(self.one()?)) } else { self.any()? };
        self.depth -= 1;
        if !is_not && !self.takes_sign(Sign::Close) {
            return Err(self.missing("`)`"));
        }
        Ok(condition)
    }

    fn comparison(&mut self) -> Parsed<Condition<NamedColumn>> {
        let at = self.next().at;
        self.comparisons += 1;
        if self.comparisons > COMPARISONS_MAX {
            return Err(SelectionError { at, wrong: WrongSelection::TooMany { most: COMPARISONS_MAX } });
        }
        let column = self.column()?;
        if self.takes("in") {
            return Ok(Condition::In(column, self.list()?));
        }
        let sign = self.next();
        let order = match sign.token {
            Token::Sign(Sign::Equal) => None,
            Token::Sign(Sign::Unequal) => None,
            Token::Sign(Sign::Below) => Some(Order::Below),
            Token::Sign(Sign::AtMost) => Some(Order::AtMost),
            Token::Sign(Sign::Above) => Some(Order::Above),
            Token::Sign(Sign::AtLeast) => Some(Order::AtLeast),
            _ => return Err(self.missing("a comparison (=, !=, <, <=, >, >= or in)")),
        };
        self.take();
        let at = self.next().at;
        match (order, self.value()?) {
            (None, value) if sign.token == Token::Sign(Sign::Equal) => Ok(Condition::In(column, Values::of(value))),
            (None, value) => Ok(Condition::Not(Box::new(Condition::In(column, Values::of(value))))),
            (Some(order), Value::Number(number)) => Ok(Condition::Compared(column, order, Limit::Number(number))),
            (Some(order), Value::Day(day)) => Ok(Condition::Compared(column, order, Limit::Day(day))),
            // Texts have no order, so a date in quotes can only be meant as one.
            (Some(order), Value::Text(text)) => match Date::written(&text) {
                Some(Date::Day(day) | Date::First(day) | Date::Second(day)) => {
                    Ok(Condition::Compared(column, order, Limit::Day(day)))
                }
                Some(_) => Err(SelectionError { at, wrong: WrongSelection::UncertainDay(text) }),
                None => Err(SelectionError { at, wrong: WrongSelection::OrderOfTexts { sign: sign.written.clone() } }),
            },
        }
    }

    fn column(&mut self) -> Parsed<NamedColumn> {
        let Placed { token, at, .. } = self.next();
        let name = match token {
            Token::Column(name) if !name.is_empty() => name,
            Token::Word(word) if !is_keyword(word) => word,
            Token::Text(_) | Token::Number(_) | Token::Day(_) => {
                return Err(SelectionError { at: *at, wrong: WrongSelection::ValueFirst });
            }
            _ => return Err(self.missing("a column name")),
        };
        self.take();
        Ok(NamedColumn { name: name.clone(), at: *at })
    }

    fn list(&mut self) -> Parsed<Arc<Values>> {
        if !self.takes_sign(Sign::OpenList) {
            return Err(self.missing("a list, such as [\"Köln\", \"Bonn\"],"));
        }
        let (mut values, mut written) = (Values::default(), 1);
        values.add(self.value()?);
        while self.takes_sign(Sign::Comma) {
            let at = self.next().at;
            values.add(self.value()?);
            written += 1;
            if written > VALUES_MAX {
                return Err(SelectionError { at, wrong: WrongSelection::TooManyValues { most: VALUES_MAX } });
            }
        }
        if !self.takes_sign(Sign::CloseList) {
            return Err(self.missing("`,` or `]`"));
        }
        Ok(Arc::new(values))
    }

    fn value(&mut self) -> Parsed<Value> {
        let Placed { token, at, .. } = self.next();
        let value = match token {
            Token::Text(text) => Value::Text(text.clone()),
            Token::Number(number) => Value::Number(number.clone()),
            Token::Day(day) => Value::Day(*day),
            Token::Word(word) if !is_keyword(word) => {
                let wrong = WrongSelection::Unquoted { word: word.clone() };
                return Err(SelectionError { at: *at, wrong });
            }
            _ => return Err(self.missing("a text in quotes, a number or a date")),
        };
        self.take();
        Ok(value)
    }
}

/// A column with such a name is written in braces.
fn is_keyword(word: &str) -> bool {
    ["and", "or", "not", "in"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Selection;
    use super::*;

    #[test]
    fn a_broken_expression_is_refused_with_the_place() {
        for (text, error) in [
            ("", "character 1: there is no condition; write one, such as Consent = \"yes\""),
            ("Consent", "character 8: a comparison (=, !=, <, <=, >, >= or in) is missing at the end"),
            ("Consent = yes", "character 11: \"yes\" is a text without quotes; write \"yes\" in quotes"),
            ("Consent = \"yes", "character 11: a text that begins here has no quote at its end"),
            ("Ä = 'x' City = 'y'", "character 9: `and` or `or` is missing before City"),
            ("(City = 'x'", "character 12: `)` is missing at the end"),
            ("City in 'x'", "character 9: a list, such as [\"Köln\", \"Bonn\"], is missing before 'x'"),
            ("City in ['x' 'y']", "character 14: `,` or `]` is missing before 'y'"),
            ("City in []", "character 10: a text in quotes, a number or a date is missing before ]"),
            ("10 < Score", "character 1: a column comes before the sign; write, for example, Score >= 10"),
            (
                "Score > \"10\"",
                "character 9: `>` compares numbers and dates; write a number without quotes, or use =, != or in with texts",
            ),
            (
                "Joined > 03/04/2026",
                "character 10: the day of \"03/04/2026\" is uncertain; write the date with the year first, such as 2026-12-31",
            ),
            (
                "Joined > 2026-02-30",
                "character 10: \"2026-02-30\" is neither a number nor a date; write, for example, 10, 0.5 or 2026-12-31",
            ),
            ("Score == 10", "character 7: \"==\" is written \"=\" here"),
            ("!City = 'x'", "character 1: \"!\" is written \"not\" here"),
            ("Score > 1,5", "character 10: `and` or `or` is missing before ,"),
            (
                "Score > 1.5.2",
                "character 9: \"1.5.2\" is neither a number nor a date; write, for example, 10, 0.5 or 2026-12-31",
            ),
            ("City = 'x' and", "character 15: a column name is missing at the end"),
            ("{{City = 'x'", "character 1: a column name that begins here has no }} at its end"),
            (
                "City ~ 'x'",
                "character 6: \"~\" has no meaning here; write texts in quotes, and column names with spaces as {{First name}}",
            ),
        ] {
            assert_eq!(Selection::parse(text).unwrap_err().to_string(), error, "{text}");
        }
    }

    #[test]
    fn deep_expressions_are_refused_before_the_stack_ends() {
        let nested = |levels: usize| format!("{}A = 1{}", "(".repeat(levels), ")".repeat(levels));
        assert!(Selection::parse(&nested(DEEPEST)).is_ok());
        let refused = Selection::parse(&nested(DEEPEST + 1)).unwrap_err();
        assert_eq!(refused.wrong, WrongSelection::TooDeep { most: DEEPEST });
        assert!(Selection::parse(&"not ".repeat(1_000_000)).is_err());
    }

    #[test]
    fn a_comparison_or_a_value_too_many_is_refused_with_its_place() {
        let comparisons = |count: usize| vec!["A=1"; count].join(" or ");
        assert!(Selection::parse(&comparisons(COMPARISONS_MAX)).is_ok());
        let refused = Selection::parse(&comparisons(20_000)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "character 1401: there are more than 200 comparisons; remove some, or compare a column with many values by `in`"
        );
        let list = |count: usize| format!("A in [{}]", vec!["1"; count].join(","));
        assert!(Selection::parse(&list(VALUES_MAX)).is_ok());
        let refused = Selection::parse(&list(VALUES_MAX + 1)).unwrap_err();
        assert_eq!(refused.to_string(), "character 20007: there are more than 10,000 values in a list; write fewer");
    }

    #[test]
    fn quotes_and_keywords_can_be_part_of_texts_and_names() {
        for text in [r#"Name = "O\"Neil""#, r#"Name = 'O\'Neil'"#, r#"Name = "O'Neil""#, "{{and}} = 1", "{{ in }} = 1"]
        {
            assert!(Selection::parse(text).is_ok(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,60}") {
            let _ = Selection::parse(&text);
        }

        #[test]
        fn no_mix_of_its_own_parts_makes_the_parser_panic(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "and", "or", "not", "in", "(", ")", "[", "]", ",", "=", "!=", "<", "A", "{{B}}", "\"x\"", "1", "-", "\\",
                ]),
                0..20,
            ),
        ) {
            let _ = Selection::parse(&parts.join(" "));
        }
    }
}
