//! Numbers in two columns: the area code in one, the rest in the other.

use std::collections::BTreeSet;

use super::number::digits;
use super::vocabulary::AREA_CODE;
use crate::domain::column_key;

pub(super) fn is_called_so(name: &str) -> bool {
    AREA_CODE.contains(&column_key(name).as_str())
}

/// Digits of an area code, with what one dials before it, or with a calling code.
const LONGEST: usize = 7;

/// A column of area codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AreaCodes {
    pub(super) place: usize,
    /// How many digits the numbers have that lack theirs for certain.
    pub(super) rests: BTreeSet<usize>,
}

impl AreaCodes {
    /// Whether a number is as long as those that lack their code.
    pub(super) fn is_rest(&self, number: &str) -> bool {
        self.rests.contains(&digits(number))
    }
}

/// An area code and the number beside it, put together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Joined {
    pub(super) whole: String,
    /// Whether the number begins with the digits of the code and goes on at once: it may have its code already, or begin
    /// like it.
    pub(super) may_repeat: bool,
}

/// None where there is no code, or where the number has its own for certain.
pub(super) fn joined(code: &str, number: &str) -> Option<Joined> {
    let (code, number) = (code.trim(), number.trim());
    let is_code = (1..=LONGEST).contains(&digits(code)) && !code.chars().any(char::is_alphabetic);
    let lacks_one = digits(number) > 0 && !number.starts_with(['+', '0', '＋']);
    let next = behind(number, code);
    let repeats = next.is_some_and(|next| !next.is_ascii_digit());
    let joined = || Joined { whole: format!("{code} {number}"), may_repeat: next.is_some() };
    (is_code && lacks_one && !repeats).then(joined)
}

/// The character behind the digits of a code, where a number begins with them; a space where it ends there.
fn behind(number: &str, code: &str) -> Option<char> {
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
    fn what_lacks_its_area_code_gets_it() {
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
