//! How much one key of a campaign file may hold. A larger one is refused while the file is read, before any work that grows
//! faster than the file.

use crate::base::domain::{Pool, grouped};

/// The most characters of one text.
const TEXT_MAX: usize = 100_000;
/// The most variables in one text.
const VARIABLES_MAX: usize = 1_000;
/// The most characters of a name within a JSON object that is passed on as it is.
pub(super) const NAME_MAX: usize = 200;
/// The most problems that are reported together.
pub(super) const PROBLEMS_MAX: usize = 100;

/// The most entries of a list.
#[derive(Debug, Clone, Copy)]
pub struct Most {
    pub entries: usize,
    /// What to do about more.
    remedy: &'static str,
}

impl Most {
    pub const AUDIENCES: Self = Self::of(100);
    pub const NUMBERS: Self = Self { entries: 100_000, remedy: "put them into a file" };
    pub const EXCLUDED: Self = Self { entries: 1_000, remedy: "put the numbers into a file, and exclude that" };
    /// Of `quiet_hours` or `send_window`.
    pub const HOURS: Self = Self::of(100);
    pub const HOLIDAYS: Self = Self::of(1_000);
    /// More than there are.
    pub const COUNTRIES: Self = Self::of(300);
    pub(super) const LANES: Self = Self::of(Pool::MOST);
    /// Of a choice among the values of a campaign.
    pub const CHOICES: Self = Self::of(1_000);
    /// Of any other list of a content. The rules of the channels allow fewer.
    pub(super) const PARTS: Self = Self::of(100);
    /// Of a JSON object that is passed on as it is, with all that it holds.
    pub(super) const JSON: Self = Self::of(1_000);

    const fn of(entries: usize) -> Self {
        Self { entries, remedy: "remove some" }
    }

    /// What is wrong with a list of this many entries.
    pub fn problem(self, entries: usize) -> Option<String> {
        let Self { entries: most, remedy } = self;
        let sentence = || {
            format!("{} entries are more than the {} allowed; {remedy}", grouped(entries as u64), grouped(most as u64))
        };
        (entries > most).then(sentence)
    }
}

/// What is wrong with the size of a text.
pub fn text_problem(text: &str) -> Option<String> {
    let beyond = |count: usize, most: usize, what: &str, remedy: &str| {
        let (count, most) = (grouped(count as u64), grouped(most as u64));
        format!("{count} {what} are more than the {most} that a text may have; {remedy}")
    };
    // No text has more characters than bytes, or more variables than pairs of braces.
    if text.len() > TEXT_MAX {
        let characters = text.chars().count();
        if characters > TEXT_MAX {
            return Some(beyond(characters, TEXT_MAX, "characters", "shorten it"));
        }
    }
    let variables = text.matches("{{").count();
    (variables > VARIABLES_MAX).then(|| beyond(variables, VARIABLES_MAX, "variables", "remove some"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_refuses_one_more_and_says_what_to_do() {
        assert_eq!(Most::HOURS.problem(100), None);
        assert_eq!(Most::HOURS.problem(60_000).unwrap(), "60,000 entries are more than the 100 allowed; remove some");
        assert!(Most::EXCLUDED.problem(1_001).unwrap().ends_with("put the numbers into a file, and exclude that"));
    }

    #[test]
    fn a_text_has_a_bound_on_its_characters_and_its_variables() {
        assert_eq!(text_problem(&"ä".repeat(TEXT_MAX)), None);
        let long = text_problem(&"ä".repeat(TEXT_MAX + 1)).unwrap();
        assert_eq!(long, "100,001 characters are more than the 100,000 that a text may have; shorten it");
        assert_eq!(text_problem(&"{{a}} ".repeat(VARIABLES_MAX)), None);
        let many = text_problem(&"{{a}} ".repeat(60_000 / 6)).unwrap();
        assert_eq!(many, "10,000 variables are more than the 1,000 that a text may have; remove some");
    }
}
