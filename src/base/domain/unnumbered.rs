//! Hides the phone numbers in texts from outside.
//!
//! A number is hidden in every spelling, because a provider may write it in any form. A stretch is a run of digits and
//! of separators that join them. It is a number if it has as many digits as the shortest numbers that are assigned.
//! Exceptions are a date, a time with its fraction, and a network address. Commas and colons do not join, so amounts
//! and times of day stay. In doubt the stretch is hidden: an unreadable code costs less than the exposure of a
//! recipient's number.

/// The shortest numbers that are assigned have so many digits.
const SHORTEST: usize = 7;
/// The longest separator, as in `+49 (0)30`, `65 - 91`.
const SEPARATORS_MAX: usize = 3;

/// Hides everything in a text from outside that may be a phone number, except its last two digits:
/// `no route to +***67`.
///
/// The result can be stored, shown and logged.
pub fn without_numbers(text: &str) -> String {
    let groups = groups(text);
    let mut hidden = String::with_capacity(text.len());
    let mut copied_until = 0;
    for stretch in groups.chunk_by(|one, other| is_joined(&text[one.until..other.from])) {
        let stretch = Stretch { text, groups: stretch };
        for number in stretch.numbers() {
            let (Some(first), Some(last)) = (number.first(), number.last()) else { continue };
            let digits = text[first.from..last.until].chars().filter(|c| c.is_numeric());
            let count = digits.clone().count();
            if count >= SHORTEST {
                hidden.push_str(&text[copied_until..first.from]);
                hidden.push_str("***");
                hidden.extend(digits.skip(count - 2));
                copied_until = last.until;
            }
        }
    }
    hidden.push_str(&text[copied_until..]);
    hidden
}

/// Adjacent digits.
#[derive(Debug, Clone, Copy)]
struct Group {
    from: usize,
    until: usize,
}

fn groups(text: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (from, digit) in text.char_indices().filter(|(_, c)| c.is_numeric()) {
        let until = from + digit.len_utf8();
        match groups.last_mut().filter(|last| last.until == from) {
            Some(last) => last.until = until,
            None => groups.push(Group { from, until }),
        }
    }
    groups
}

/// Whether the text between two groups joins them. A full stop before a space ends a sentence.
fn is_joined(between: &str) -> bool {
    let is_separator =
        |c: char| c.is_whitespace() || matches!(c, '-' | '.' | '/' | '(' | ')' | '\u{2010}'..='\u{2015}');
    between.chars().count() <= SEPARATORS_MAX && between.chars().all(is_separator) && !between.starts_with(". ")
}

/// Groups that separators join.
struct Stretch<'a> {
    text: &'a str,
    groups: &'a [Group],
}

impl<'a> Stretch<'a> {
    /// The parts of the stretch that may be numbers: without its dates, addresses and fractions.
    fn numbers(&self) -> Vec<&'a [Group]> {
        let has_plus = self.groups.first().is_some_and(|first| self.text[..first.from].ends_with('+'));
        if has_plus {
            return vec![self.groups];
        }
        let mut numbers = Vec::new();
        let (mut from, mut at) = (0, 0);
        while at < self.groups.len() {
            let other = [(3, self.is_date(at)), (4, self.is_address(at)), (2, self.is_fraction(at))];
            match other.into_iter().find(|(_, is_so)| *is_so) {
                Some((length, _)) => {
                    numbers.push(&self.groups[from..at]);
                    at += length;
                    from = at;
                }
                None => at += 1,
            }
        }
        numbers.push(&self.groups[from..]);
        numbers
    }

    fn joint(&self, at: usize) -> Option<&str> {
        let (one, other) = (self.groups.get(at)?, self.groups.get(at + 1)?);
        Some(&self.text[one.until..other.from])
    }

    /// The lengths and values of `length` groups from `at` on, if one character of `joints` joins exactly these groups.
    fn alike(&self, at: usize, length: usize, joints: &[&str]) -> Option<Vec<(usize, u32)>> {
        let joint = self.joint(at).filter(|joint| joints.contains(joint))?;
        let within = (at..at + length - 1).all(|at| self.joint(at) == Some(joint));
        let before = at.checked_sub(1).and_then(|before| self.joint(before));
        if !within || before == Some(joint) || self.joint(at + length - 1) == Some(joint) {
            return None;
        }
        let value = |group: &Group| {
            let digits = &self.text[group.from..group.until];
            digits.parse().ok().map(|value| (digits.len(), value))
        };
        self.groups.get(at..at + length)?.iter().map(value).collect()
    }

    /// `2026-11-20`, `20.11.2026`, `11/20/2026`.
    fn is_date(&self, at: usize) -> bool {
        let Some(parts) = self.alike(at, 3, &["-", ".", "/"]) else { return false };
        let (year, others) = match parts[..] {
            [year @ (4, _), one, other] | [one, other, year @ (4, _)] => (year.1, [one, other]),
            _ => return false,
        };
        (1_900..2_200).contains(&year)
            && others.iter().all(|(length, value)| *length <= 2 && (1..=31).contains(value))
            && others.iter().any(|(_, value)| *value <= 12)
    }

    /// `192.168.100.200`.
    fn is_address(&self, at: usize) -> bool {
        self.alike(at, 4, &["."]).is_some_and(|parts| parts.iter().all(|(_, value)| *value <= 255))
    }

    /// The seconds of a time of day with their fraction.
    fn is_fraction(&self, at: usize) -> bool {
        let before = self.groups.get(at).and_then(|group| self.text[..group.from].strip_suffix(':'));
        before.is_some_and(|before| before.ends_with(char::is_numeric)) && self.joint(at) == Some(".")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_in_a_text_are_hidden_and_the_rest_is_kept() {
        for (text, kept) in [
            ("Invalid MSISDN +6591234567.", "Invalid MSISDN +***67."),
            ("6591234567,006591234568 and 1234567", "***67,***68 and ***67"),
            ("номер ٦٥٩١٢٣٤٥٦٧ неверен", "номер ***٦٧ неверен"),
            ("no route to +65 9123 4567", "no route to +***67"),
            ("no route to 9123-4567 or (65) 9123.4567!", "no route to ***67 or (***67!"),
            ("+65\t9123\t4567", "+***67"),
            ("+49 (0)30 123456: barred", "+***56: barred"),
            ("030/123 456", "***56"),
            ("65\u{a0}9123\u{2011}4567", "***67"),
            ("to:65 9123 4567", "to:***67"),
            ("on 2026-11-20 9123 4567 called", "on 2026-11-20 ***67 called"),
            ("+31 12-11-2026", "+***26"),
        ] {
            assert_eq!(without_numbers(text), kept, "{text}");
        }
    }

    #[test]
    fn times_dates_codes_and_amounts_are_no_numbers() {
        for text in [
            "",
            "2026-11-20 10:59:00",
            "2026-11-20 10:59:00.123456 +0800",
            "2026-11-20T10:59:00.123Z",
            "from 20.11.2026 to 11/21/2026",
            "error 3038 of 2000",
            "error 3038. 2000 left",
            "try again in 123456 s, code 131026",
            "1,000,000 of 2,500,000",
            "192.168.100.200:8080 has hung up",
            "HTTP 429 (code 1005)",
        ] {
            assert_eq!(without_numbers(text), text);
        }
    }

    proptest! {
        #[test]
        fn a_number_is_hidden_however_its_digits_are_joined(
            digits in prop::collection::vec(0_u8..10, 8..15),
            joints in prop::collection::vec(prop::sample::select(vec!["", "", " ", "-", ".", "\t", ") "]), 15),
        ) {
            let joined: String =
                digits.iter().zip(&joints).map(|(digit, joint)| format!("{digit}{joint}")).collect();
            let kept = without_numbers(&format!("to +{joined} now"));
            prop_assert_eq!(kept.chars().filter(char::is_ascii_digit).count(), 2, "{}", kept);
        }

        #[test]
        fn no_text_panics(text: String) {
            without_numbers(&text);
        }
    }
}
