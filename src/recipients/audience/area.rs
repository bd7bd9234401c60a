//! Numbers split over two columns: the area code in one, the rest in the other.

use std::collections::BTreeSet;

use super::number::digits;
use super::vocabulary::AREA_CODE;
use crate::base::domain::column_key;

/// Whether a column name means area codes.
pub(super) fn is_called_so(name: &str) -> bool {
    AREA_CODE.contains(&column_key(name).as_str())
}

/// Most digits of an area code, including a dialling prefix or a calling code.
const MAX_DIGITS: usize = 7;

/// A column of area codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AreaCodes {
    pub(super) place: usize,
    /// Lengths, in digits, of the numbers that certainly lack their area code.
    pub(super) rests: BTreeSet<usize>,
}

impl AreaCodes {
    /// Whether a number has the length of one that lacks its area code.
    pub(super) fn is_rest(&self, number: &str) -> bool {
        self.rests.contains(&digits(number))
    }
}

/// An area code and the number of the same row, joined.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Joined {
    pub(super) whole: String,
    /// Whether the number begins with the digits of the code, with no separator after them. It may already contain its
    /// code, or begin with the same digits by chance.
    pub(super) may_repeat: bool,
}

/// Joins an area code and a number. `None` if there is no code, or if the number certainly contains one already.
pub(super) fn joined(code: &str, number: &str) -> Option<Joined> {
    let (code, number) = (code.trim(), number.trim());
    let is_code = (1..=MAX_DIGITS).contains(&digits(code)) && !code.chars().any(char::is_alphabetic);
    let lacks_one = digits(number) > 0 && !number.starts_with(['+', '0', '＋']);
    let next = char_after(number, code);
    let repeats = next.is_some_and(|next| !next.is_ascii_digit());
    let joined = || Joined { whole: format!("{code} {number}"), may_repeat: next.is_some() };
    (is_code && lacks_one && !repeats).then(joined)
}

/// The character after the digits of a code, if the number begins with them; a space if the number ends there.
fn char_after(number: &str, code: &str) -> Option<char> {
    let mut rest = number.chars();
    for digit in code.chars().filter(char::is_ascii_digit) {
        if rest.find(char::is_ascii_digit)? != digit {
            return None;
        }
    }
    Some(rest.next().unwrap_or(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_without_area_code_gets_it() {
        for (code, number, whole) in [
            ("0171", "2345678", Some(("0171 2345678", false))),
            (" (11) ", "91234-5678", Some(("(11) 91234-5678", false))),
            ("+49 171", "2345678", Some(("+49 171 2345678", false))),
            ("98", "98765-4321", Some(("98 98765-4321", true))),
            ("98", "98 765-4321", None),
            ("0171", "0171 2345678", None),
            ("650", "650-253-0000", None),
            ("650", "(650) 253 0000", None),
            ("650", "650", None),
            ("650", "+16502530000", None),
            ("", "2345678", None),
            ("0171", "", None),
            ("North 3", "2345678", None),
            ("12345678", "2345678", None),
        ] {
            let expected = whole.map(|(whole, may_repeat)| Joined { whole: whole.to_owned(), may_repeat });
            assert_eq!(joined(code, number), expected, "{code:?} {number:?}");
        }
        assert!(["Vorwahl", "DDD", "Area Code"].into_iter().all(is_called_so) && !is_called_so("Area"));
    }
}
