//! Figures as pages show them: shares, and bars that are drawn to scale.

use std::fmt;

use crate::base::domain::text::{self, grouped};

/// A part of a whole. The whole may be zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Portion {
    pub part: i64,
    pub whole: i64,
}

impl Portion {
    pub const fn of(part: i64, whole: i64) -> Self {
        Self { part, whole }
    }

    /// Thousandths of the whole, from 0 to 1,000.
    fn thousandths(self) -> i64 {
        if self.whole <= 0 {
            return 0;
        }
        let exact = i128::from(self.part.max(0)) * 1_000 / i128::from(self.whole);
        i64::try_from(exact.min(1_000)).unwrap_or(1_000)
    }

    /// A number from 0 to 100 for an attribute of SVG: `12.5`.
    pub fn width(self) -> String {
        let thousandths = self.thousandths();
        format!("{}.{}", thousandths / 10, thousandths % 10)
    }

    /// `42.5 %`. Neither a small part nor all but a small part is rounded away.
    pub fn percent(self) -> String {
        text::percent(self.part, self.whole).unwrap_or_else(|| "0 %".to_owned())
    }
}

/// A part of a bar.
#[derive(Debug)]
pub struct Part {
    /// Its class, which gives it a colour and a pattern.
    pub class: &'static str,
    pub label: &'static str,
    pub number: i64,
    /// The page with the recipients behind the number.
    pub link: Option<String>,
    from: i64,
    whole: i64,
}

impl Part {
    pub fn x(&self) -> String {
        Portion::of(self.from, self.whole).width()
    }

    pub fn width(&self) -> String {
        Portion::of(self.number, self.whole).width()
    }

    pub fn percent(&self) -> String {
        Portion::of(self.number, self.whole).percent()
    }
}

/// A bar whose parts sum to a whole, with its numbers beside it.
#[derive(Debug)]
pub struct Bar {
    pub parts: Vec<Part>,
}

impl Bar {
    /// Lays out parts one after another: class, label, number and link of each.
    pub fn of(whole: i64, parts: impl IntoIterator<Item = (&'static str, &'static str, i64, Option<String>)>) -> Self {
        let mut from = 0;
        let part = |(class, label, number, link): (_, _, i64, _)| {
            let part = Part { class, label, number, link, from, whole };
            from += number.max(0);
            part
        };
        Self { parts: parts.into_iter().map(part).collect() }
    }
}

/// The bar in words, for those who do not see it.
impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}: {}", part.label, grouped(part.number))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_part_is_never_rounded_away() {
        let percent = |part, whole| Portion::of(part, whole).percent();
        assert_eq!(
            [percent(0, 10), percent(1, 1_000_000), percent(1, 3), percent(999_999, 1_000_000)].join(", "),
            "0 %, < 0.1 %, 33.3 %, 99.9 %"
        );
        assert_eq!([percent(10, 10), percent(0, 0), percent(5, 0), percent(-1, 3)].join(", "), "100 %, 0 %, 0 %, 0 %");
    }

    #[test]
    fn the_parts_of_a_bar_follow_each_other_and_fill_it() {
        let bar = Bar::of(8, [("a", "A", 2, None), ("b", "B", 0, None), ("c", "C", 6, None)]);
        let drawn: Vec<(String, String)> = bar.parts.iter().map(|part| (part.x(), part.width())).collect();
        let text = |pairs: [(&str, &str); 3]| pairs.map(|(x, width)| (x.to_owned(), width.to_owned())).to_vec();
        assert_eq!(drawn, text([("0.0", "25.0"), ("25.0", "0.0"), ("25.0", "75.0")]));
        assert_eq!(bar.to_string(), "A: 2, B: 0, C: 6");
    }

    #[test]
    fn no_number_is_drawn_beyond_its_bar() {
        assert_eq!(Portion::of(i64::MAX, 1).width(), "100.0");
        assert_eq!(Portion::of(-5, 1).width(), "0.0");
    }
}
