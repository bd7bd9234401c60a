//! Extracts the digits of a number from its spelling: marks, digits of other scripts, quantities of spreadsheets.

use std::borrow::Cow;

use super::Reason;

/// Fifteen digits, with `00` or a doubled prefix before them, and a few more to recognize a number that is too long.
const MAX_DIGITS: usize = 24;

/// The digits of a cell after a `+`, whether or not the cell had one.
pub(super) struct Digits {
    ascii: [u8; MAX_DIGITS + 1],
    len: usize,
    pub(super) plus: bool,
    /// Whether a mark among them usually separates two numbers.
    pub(super) listed: bool,
    /// The index of a zero in brackets, as in `+49 (0) 151`.
    zero_in_brackets: Option<usize>,
}

impl Digits {
    fn new() -> Self {
        Self { ascii: [b'+'; MAX_DIGITS + 1], len: 1, plus: false, listed: false, zero_in_brackets: None }
    }

    fn push(&mut self, digit: u8) -> Result<(), Reason> {
        *self.ascii.get_mut(self.len).ok_or(Reason::TooLong)? = digit;
        self.len += 1;
        Ok(())
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.ascii[..self.len]).unwrap_or("+")
    }

    /// Cuts digits that do not fit: such a number is too long in any case.
    pub(super) fn from_ascii(digits: &str) -> Self {
        let mut all = Self::new();
        for digit in digits.bytes() {
            let _ = all.push(digit);
        }
        all
    }

    /// The digits that are written as an international number: after `+`, `00` or `011`.
    pub(super) fn abroad(&self) -> Option<Self> {
        let after = |prefix| self.as_str().strip_prefix(prefix);
        let rest = if self.plus { after("+") } else { after("+00").or_else(|| after("+011")) };
        rest.map(Self::from_ascii)
    }

    /// The same digits without the zero in brackets; `None` without one.
    pub(super) fn without_zero_in_brackets(&self) -> Option<Self> {
        let (before, after) = self.as_str().split_at_checked(self.zero_in_brackets?)?;
        let rest = Self::from_ascii(&format!("{}{}", before.strip_prefix('+')?, after.strip_prefix('0')?));
        Some(Self { plus: self.plus, ..rest })
    }

    pub(super) fn of(cell: &str) -> Result<Self, Reason> {
        let may_be_quantity = cell.bytes().any(|byte| matches!(byte, b'e' | b'E' | b'.' | b','));
        let text = if may_be_quantity { whole_number(cell)? } else { Cow::Borrowed(cell) };
        let mut digits = Self::new();
        // A mark that may separate two numbers, but also occurs inside one: `0171/123456`.
        let mut between = false;
        // The international prefix of Belarus, Russia and Tajikistan: `8~10`, with a pause for the second tone.
        let mut pauses = false;
        let mut bracket = Bracket::Outside;
        for char in text.chars() {
            bracket = bracket.after(char);
            if bracket == Bracket::AroundZero {
                digits.zero_in_brackets = Some(digits.len - 1);
            }
            match char {
                '0'..='9' => {
                    digits.push(char as u8).map_err(|long| if between { Reason::SeveralNumbers } else { long })?;
                }
                '+' | '＋' if digits.len == 1 && !digits.plus => digits.plus = true,
                '+' | '＋' => return Err(Reason::SeveralNumbers),
                '/' => between = true,
                '~' | '\u{2053}' | '\u{223c}' | '～' => pauses |= digits.as_str() == "+8",
                ',' | ';' | '|' | '&' | '\n' => (between, digits.listed) = (true, true),
                ' ' | '-' | '.' | '(' | ')' | '[' | ']' | '_' | '\t' | '\r' | '\'' => {}
                other if !other.is_ascii() && is_silent(other) => {}
                other => match foreign_digit(other) {
                    Some(digit) => digits.push(digit)?,
                    None => return Err(Reason::NotANumber),
                },
            }
        }
        // The longest number has fifteen digits, seventeen with `00`.
        if between && digits.len > 18 {
            return Err(Reason::SeveralNumbers);
        }
        if pauses && let Some(rest) = digits.as_str().strip_prefix("+810") {
            let rest = Self::from_ascii(rest);
            // Three digits and the prefix of the copy are gone, so a zero in brackets is three digits further left.
            let zero_in_brackets = digits.zero_in_brackets.and_then(|index| index.checked_sub(3));
            digits = Self { plus: true, listed: digits.listed, zero_in_brackets, ..rest };
        }
        if digits.len == 1 { Err(Reason::Empty) } else { Ok(digits) }
    }
}

/// Finds a zero in brackets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bracket {
    Outside,
    Open,
    Zero,
    /// The last character closed a bracket around a zero.
    AroundZero,
}

impl Bracket {
    const fn after(self, char: char) -> Self {
        match (self, char) {
            (_, '(' | '[' | '\u{ff08}') => Self::Open,
            (Self::Open | Self::Zero, ' ') => self,
            (Self::Open, '0' | '\u{ff10}') => Self::Zero,
            (Self::Zero, ')' | ']' | '\u{ff09}') => Self::AroundZero,
            _ => Self::Outside,
        }
    }
}

/// Trims blanks, quotes, the text marks of spreadsheets and the `tel:` of links.
pub(super) fn bare(cell: &str) -> &str {
    let mut text = cell.trim();
    if let Some(inside) = text.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')) {
        text = inside.trim();
    }
    text = text.trim_matches(['"', '\'']).trim();
    match text.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("tel:") => text[4..].trim(),
        _ => text,
    }
}

/// Restores a number that a spreadsheet wrote as a quantity, such as `6591234567.0` or `6.591234567E+09`.
///
/// A rounded number is an error, because its digits are lost. Any other text is returned unchanged.
fn whole_number(text: &str) -> Result<Cow<'_, str>, Reason> {
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, ""));
    if !all_digits(whole) || !all_digits(fraction) || whole.is_empty() {
        return Ok(Cow::Borrowed(text));
    }
    let Some(exponent) = exponent else {
        let padded = whole.len() >= 7 && matches!(fraction, "0" | "00");
        return Ok(Cow::Borrowed(if padded { whole } else { text }));
    };
    match exponent.strip_prefix('+').unwrap_or(exponent).parse::<usize>() {
        // All digits are present: only the point has moved.
        Ok(places) if places == fraction.len() => Ok(Cow::Owned(format!("{whole}{fraction}"))),
        Ok(_) => Err(Reason::DigitsLost),
        Err(_) => Ok(Cow::Borrowed(text)),
    }
}

/// Whether a mark is ignored: blanks, dashes and direction marks of other scripts and of word processors.
const fn is_silent(char: char) -> bool {
    matches!(char,
        '\u{a0}' | '\u{ad}' | '\u{1680}' | '\u{2000}'..='\u{2015}' | '\u{2018}' | '\u{2019}' | '\u{2026}'
        | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{2212}' | '\u{3000}' | '\u{30fc}' | '\u{fe63}'
        | '\u{feff}' | '\u{ff08}' | '\u{ff09}' | '\u{ff0d}' | '\u{ff0e}' | '·')
}

/// Converts a decimal digit of another script to ASCII.
fn foreign_digit(char: char) -> Option<u8> {
    // Full width, Arabic, Persian, Devanagari, Bengali, Tamil, Thai, Lao, Myanmar, Khmer.
    const ZEROS: [u32; 10] = [0xff10, 0x660, 0x6f0, 0x966, 0x9e6, 0xbe6, 0xe50, 0xed0, 0x1040, 0x17e0];
    let code = u32::from(char);
    ZEROS.iter().find_map(|zero| {
        let value = code.checked_sub(*zero).filter(|value| *value < 10)?;
        u8::try_from(value).ok().map(|value| b'0' + value)
    })
}
