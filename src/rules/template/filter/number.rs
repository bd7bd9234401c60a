//! Writes a number as a language does. Digits are rounded as text, so numbers of any length stay exact.

use std::fmt::Write;

use super::call::Argument;
use super::language::{Marks, locale};
use super::{FilterProblem, Unreadable};

const DECIMALS_MAX: u8 = 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rules::template) struct NumberForm {
    /// `None` for those of the cell.
    decimals: Option<usize>,
    written: Marks,
    /// The marks in the cells; `None` for digits with a point at most.
    read: Option<Marks>,
}

impl NumberForm {
    /// Reads `number`, `number(2)`, `number(2, "de")` or `number(2, "de", "de")`; `None` for other arguments.
    pub(super) fn of(arguments: &[Argument<'_>]) -> Result<Option<Self>, FilterProblem> {
        let (decimals, written, read) = match *arguments {
            [] => (None, "en", None),
            [Argument::Number(decimals)] => (Some(decimals), "en", None),
            [Argument::Number(decimals), Argument::Text(written)] => (Some(decimals), written, None),
            [Argument::Number(decimals), Argument::Text(written), Argument::Text(read)] => {
                (Some(decimals), written, Some(read))
            }
            _ => return Ok(None),
        };
        if let Some(decimals) = decimals.filter(|decimals| *decimals > u64::from(DECIMALS_MAX)) {
            return Err(FilterProblem::Decimals { decimals, most: DECIMALS_MAX });
        }
        let marks = |name| locale(name).map(Marks::of);
        let decimals = decimals.and_then(|decimals| usize::try_from(decimals).ok());
        Ok(Some(Self { decimals, written: marks(written)?, read: read.map(marks).transpose()? }))
    }

    pub(super) fn write(&self, value: &str, out: &mut dyn Write) -> Result<(), Unreadable> {
        let number = match self.read {
            None => Number::plain(value),
            Some(marks) => Number::of_language(value, marks),
        };
        Rounded::of(&number.ok_or(Unreadable)?, self.decimals).write(self.written, out)
    }
}

/// A number as a cell has it. The whole digits may have marks between them.
struct Number<'a> {
    is_negative: bool,
    whole: &'a str,
    fraction: &'a str,
}

impl<'a> Number<'a> {
    /// Reads digits with an optional sign and decimal point, as `where` of a campaign does: `10`, `-0.5`, `+7.`.
    fn plain(value: &'a str) -> Option<Self> {
        let (is_negative, digits) = unsigned(value);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let reads = are_digits(whole) && are_digits(fraction) && !(whole.is_empty() && fraction.is_empty());
        reads.then_some(Self { is_negative, whole, fraction })
    }

    /// Reads a number with the marks of a language. Groups of digits are optional, but all of them right.
    fn of_language(value: &'a str, marks: Marks) -> Option<Self> {
        let (is_negative, digits) = unsigned(value);
        let (whole, fraction) = digits.split_once(marks.decimal).unwrap_or((digits, ""));
        let is_mark = |c: char| marks.between_groups.chars().any(|mark| is_alike(mark, c));
        let all = whole.chars().filter(char::is_ascii_digit).count();
        let has_groups = whole.contains(is_mark);
        let (mut seen, mut was_mark) = (0, true);
        for c in whole.chars() {
            if c.is_ascii_digit() {
                // A mark has to come before every digit that begins a group, but the first one.
                if has_groups && seen > 0 && was_mark != marks.is_boundary(all - seen) {
                    return None;
                }
                (seen, was_mark) = (seen + 1, false);
            } else if is_mark(c) && !was_mark {
                was_mark = true;
            } else {
                return None;
            }
        }
        let ends_well = !was_mark || (whole.is_empty() && !fraction.is_empty());
        (ends_well && are_digits(fraction)).then_some(Self { is_negative, whole, fraction })
    }
}

fn unsigned(value: &str) -> (bool, &str) {
    let value = value.trim();
    match value.strip_prefix(['-', '\u{2212}']) {
        Some(digits) => (true, digits),
        None => (false, value.strip_prefix('+').unwrap_or(value)),
    }
}

fn are_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a character stands for a mark: spaces of any width for each other, and so both apostrophes.
fn is_alike(mark: char, c: char) -> bool {
    mark == c || (mark.is_whitespace() && c.is_whitespace()) || (mark == '’' && c == '\'')
}

/// Digits that are rounded half away from zero, one after another.
struct Rounded<'a> {
    whole: &'a str,
    /// The number of whole digits, without zeros in front.
    whole_len: usize,
    fraction: &'a str,
    decimals: usize,
    is_negative: bool,
    rounds_up: bool,
    /// When it rounds up: the last kept digit that is no 9. The nines after it become zeros.
    raised: Option<usize>,
}

impl<'a> Rounded<'a> {
    fn of(number: &Number<'a>, decimals: Option<usize>) -> Self {
        let Number { is_negative, whole, fraction } = *number;
        let decimals = decimals.unwrap_or(fraction.len());
        let rounds_up = fraction.as_bytes().get(decimals).is_some_and(|digit| *digit >= b'5');
        let mut rounded = Self { whole, whole_len: 0, fraction, decimals, is_negative, rounds_up, raised: None };
        rounded.whole_len = rounded.whole_digits().count();
        let last = rounded.kept().enumerate().filter(|(_, digit)| *digit != b'9').last();
        rounded.raised = last.map(|(index, _)| index).filter(|_| rounds_up);
        rounded
    }

    fn whole_digits(&self) -> impl Iterator<Item = u8> {
        self.whole.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0')
    }

    /// The digits before they are rounded, down to the last decimal.
    fn kept(&self) -> impl Iterator<Item = u8> {
        let fraction = self.fraction.bytes().chain(std::iter::repeat(b'0')).take(self.decimals);
        self.whole_digits().chain(fraction)
    }

    /// The digits after they are rounded, and the number of whole ones among them.
    fn digits(&self) -> (impl Iterator<Item = u8>, usize) {
        let carries = self.rounds_up && self.raised.is_none();
        let digit = |(index, digit): (usize, u8)| match self.raised {
            _ if !self.rounds_up => digit,
            Some(raised) if index < raised => digit,
            Some(raised) if index == raised => digit + 1,
            Some(_) | None => b'0',
        };
        let all = self.kept().enumerate().map(digit);
        (carries.then_some(b'1').into_iter().chain(all), self.whole_len + usize::from(carries))
    }

    fn write(&self, marks: Marks, out: &mut dyn Write) -> Result<(), Unreadable> {
        let (digits, whole) = self.digits();
        if self.is_negative && self.digits().0.any(|digit| digit != b'0') {
            out.write_char('-')?;
        }
        if whole == 0 {
            out.write_char('0')?;
        }
        for (index, digit) in digits.enumerate() {
            if index == whole {
                out.write_str(marks.decimal)?;
            } else if index > 0 && index < whole && marks.is_boundary(whole - index) {
                out.write_str(marks.between_groups)?;
            }
            out.write_char(char::from(digit))?;
        }
        Ok(())
    }
}
