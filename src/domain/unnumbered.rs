//! What others say, without the phone numbers in it.
//!
//! A number is hidden however it is written, because nobody knows what a provider will write into its words. A stretch of
//! digits that separators join is a number where it has as many digits as the shortest that are given out, unless it is
//! plainly something else: a date, a time with its fraction, an address of the network. Commas and colons join nothing, so
//! amounts and times of day stay. In doubt it is hidden: a code that cannot be read costs less than a person's number.

/// The shortest numbers that are given out have so many digits.
const SHORTEST: usize = 7;
/// As in `+49 (0)30`, `65 - 91`.
const SEPARATORS_MAX: usize = 3;

/// A text of somebody else's with all that may be a phone number hidden but for its end, so that it can be kept, shown
/// and logged: `no route to +***67`.
pub fn without_numbers(text: &str) -> String {
    let groups = groups(text);
    let mut hidden = String::with_capacity(text.len());
    let mut told = 0;
    for stretch in groups.chunk_by(|one, other| is_joined(&text[one.until..other.from])) {
        let stretch = Stretch { text, groups: stretch };
        for number in stretch.numbers() {
            let (Some(first), Some(last)) = (number.first(), number.last()) else { continue };
            let digits = text[first.from..last.until].chars().filter(|c| c.is_numeric());
            let count = digits.clone().count();
            if count >= SHORTEST {
                hidden.push_str(&text[told..first.from]);
                hidden.push_str("***");
                hidden.extend(digits.skip(count - 2));
                told = last.until;
            }
        }
    }
    hidden.push_str(&text[told..]);
    hidden
}

/// Digits without anything between them.
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

/// Whether what stands between two groups joins them. A full stop with a space behind it ends a sentence.
fn is_joined(between: &str) -> bool {
    let is_separator =
        |c: char| c.is_whitespace() || matches!(c, '-' | '.' | '/' | '(' | ')' | '\u{2010}'..='\u{2015}');
    between.chars().count() <= SEPARATORS_MAX && between.chars().all(is_separator) && !between.starts_with(". ")
}

/// Groups that are joined.
struct Stretch<'a> {
    text: &'a str,
    groups: &'a [Group],
}

impl<'a> Stretch<'a> {
    /// What is left of it without what is no number.
    fn numbers(&self) -> Vec<&'a [Group]> {
        let is_said_to_be_one = self.groups.first().is_some_and(|first| self.text[..first.from].ends_with('+'));
        if is_said_to_be_one {
            return vec![self.groups];
        }
        let mut numbers = Vec::new();
        let (mut from, mut place) = (0, 0);
        while place < self.groups.len() {
            let other = [(3, self.is_date(place)), (4, self.is_address(place)), (2, self.is_fraction(place))];
            match other.into_iter().find(|(_, is_so)| *is_so) {
                Some((length, _)) => {
                    numbers.push(&self.groups[from..place]);
                    place += length;
                    from = place;
                }
                None => place += 1,
            }
        }
        numbers.push(&self.groups[from..]);
        numbers
    }

    fn joint(&self, place: usize) -> Option<&str> {
        let (one, other) = (self.groups.get(place)?, self.groups.get(place + 1)?);
        Some(&self.text[one.until..other.from])
    }

    /// So many groups from a place on, joined by one and the same character, which joins no others to them.
    fn alike(&self, place: usize, length: usize, joints: &[&str]) -> Option<Vec<(usize, u32)>> {
        let joint = self.joint(place).filter(|joint| joints.contains(joint))?;
        let within = (place..place + length - 1).all(|place| self.joint(place) == Some(joint));
        let before = place.checked_sub(1).and_then(|before| self.joint(before));
        if !within || before == Some(joint) || self.joint(place + length - 1) == Some(joint) {
            return None;
        }
        let value = |group: &Group| {
            let digits = &self.text[group.from..group.until];
            digits.parse().ok().map(|value| (digits.len(), value))
        };
        self.groups.get(place..place + length)?.iter().map(value).collect()
    }

    /// `2026-11-20`, `20.11.2026`, `11/20/2026`.
    fn is_date(&self, place: usize) -> bool {
        let Some(parts) = self.alike(place, 3, &["-", ".", "/"]) else { return false };
        let (year, others) = match parts[..] {
            [year @ (4, _), one, other] | [one, other, year @ (4, _)] => (year.1, [one, other]),
            _ => return false,
        };
        (1_900..2_200).contains(&year)
            && others.iter().all(|(length, value)| *length <= 2 && (1..=31).contains(value))
            && others.iter().any(|(_, value)| *value <= 12)
    }

    /// `192.168.100.200`.
    fn is_address(&self, place: usize) -> bool {
        self.alike(place, 4, &["."]).is_some_and(|parts| parts.iter().all(|(_, value)| *value <= 255))
    }

    /// The seconds of a time of day, and what is behind their point.
    fn is_fraction(&self, place: usize) -> bool {
        let before = self.groups.get(place).and_then(|group| self.text[..group.from].strip_suffix(':'));
        before.is_some_and(|before| before.ends_with(char::is_numeric)) && self.joint(place) == Some(".")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_others_say_is_kept_without_the_numbers_in_it() {
        for (said, kept) in [
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
            assert_eq!(without_numbers(said), kept, "{said}");
        }
    }

    #[test]
    fn times_dates_codes_and_amounts_are_no_numbers() {
        for said in [
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
            assert_eq!(without_numbers(said), said);
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
        fn whatever_is_said_can_be_gone_through(said: String) {
            without_numbers(&said);
        }
    }
}
