//! How a column writes its numbers and dates. One cell does not tell, but all of them together do.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::decimal::Decimal;
use super::finding::{Advice, Misread};

/// What a column is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Number,
    Day,
}

/// How a column writes numbers and dates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Notation {
    /// The mark before the fraction of a number, if the column tells; else it is a point, and thousands have no mark.
    mark: Option<Mark>,
    /// The place of the day in `03/04/2026`, if the column tells.
    day: Option<DayPlace>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Point,
    Comma,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DayPlace {
    First,
    Second,
}

impl Notation {
    pub(super) fn number(self, cell: &str) -> Option<Decimal<'_>> {
        match self.mark {
            None => Decimal::read(cell).or_else(|| {
                let [point, comma] = [Mark::Point, Mark::Comma].map(|mark| mark.number(cell));
                point.filter(|point| comma.is_some_and(|comma| comma == *point))
            }),
            Some(mark) => mark.number(cell),
        }
    }

    pub(super) fn day(self, cell: &str) -> Option<NaiveDate> {
        match Date::read(cell)? {
            Date::Day(day) => Some(day),
            Date::Either { day_first, day_second } => match self.day? {
                DayPlace::First => Some(day_first),
                DayPlace::Second => Some(day_second),
            },
            Date::First(day) => (self.day == Some(DayPlace::First)).then_some(day),
            Date::Second(day) => (self.day == Some(DayPlace::Second)).then_some(day),
        }
    }
}

impl Mark {
    /// The marks of the fraction and of the thousands.
    const fn signs(self) -> (char, char) {
        match self {
            Self::Point => ('.', ','),
            Self::Comma => (',', '.'),
        }
    }

    /// Reads a number such as `1.234,50`. Thousands may also be set apart by a space or an apostrophe.
    fn number(self, cell: &str) -> Option<Decimal<'_>> {
        let (fraction_mark, group_mark) = self.signs();
        let cell = cell.trim();
        let (whole, fraction) = cell.split_once(fraction_mark).unwrap_or((cell, ""));
        let has_group = whole.contains(|char| char == group_mark || is_gap(char));
        if !has_group && fraction_mark == '.' {
            return Decimal::read(cell);
        }
        let whole = if has_group { Cow::Owned(ungrouped(whole, group_mark)?) } else { Cow::Borrowed(whole) };
        // A second mark in the fraction would be read as the first.
        let are_digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
        are_digits.then(|| Decimal::read(&format!("{whole}.{fraction}")).map(Decimal::into_owned)).flatten()
    }
}

/// Whether a character sets thousands apart in any notation.
const fn is_gap(char: char) -> bool {
    matches!(char, ' ' | '\u{a0}' | '\u{202f}' | '\'' | '’')
}

/// The digits of a whole number without the marks of its thousands; `None` if these are not thousands.
fn ungrouped(whole: &str, mark: char) -> Option<String> {
    let (sign, digits) = whole.split_at(usize::from(whole.starts_with(['-', '+'])));
    let mark = digits.chars().find(|char| *char == mark || is_gap(*char))?;
    let (first, rest) = digits.split_once(mark)?;
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_first = matches!(first.len(), 1..=3) && are_digits(first) && !first.starts_with('0');
    let are_groups = rest.split(mark).all(|group| group.len() == 3 && are_digits(group));
    (is_first && are_groups).then(|| format!("{sign}{}", digits.replace(mark, "")))
}

/// The date of a cell, as far as the cell alone tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Date {
    Day(NaiveDate),
    /// `03/04/2026`
    Either {
        day_first: NaiveDate,
        day_second: NaiveDate,
    },
    /// `25/12/2026`
    First(NaiveDate),
    /// `12/25/2026`
    Second(NaiveDate),
}

impl Date {
    /// Reads a date of a condition, which has no time: a cell is compared by its day.
    pub(super) fn written(text: &str) -> Option<Self> {
        Self::read(text).filter(|_| !text.contains(':'))
    }

    /// Reads a date, and leaves out a time after it.
    pub(super) fn read(cell: &str) -> Option<Self> {
        let cell = cell.trim();
        let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'/' | b'.');
        let length = cell.bytes().take_while(is_part).count();
        let (date, time) = cell.split_at(length);
        if !time.is_empty() && !is_time(time) {
            return None;
        }
        let sign = date.chars().find(|char| !char.is_ascii_digit())?;
        let parts: Vec<&str> = date.split(sign).collect();
        let [first, second, third] = parts[..] else { return None };
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let date = |year: &str, month: &str, day: &str| {
            let has_lengths = year.len() == 4 && matches!(month.len(), 1 | 2) && matches!(day.len(), 1 | 2);
            if !has_lengths {
                return None;
            }
            NaiveDate::from_ymd_opt(i32::try_from(number(year)?).ok()?, number(month)?, number(day)?)
        };
        if first.len() == 4 {
            return date(first, second, third).map(Self::Day);
        }
        let (day_first, day_second) = (date(third, second, first), date(third, first, second));
        match (day_first, day_second) {
            (day_first, _) if sign == '.' => day_first.map(Self::Day),
            (Some(one), Some(other)) if one == other => Some(Self::Day(one)),
            (Some(day_first), Some(day_second)) => Some(Self::Either { day_first, day_second }),
            (day_first, day_second) => day_first.map(Self::First).or(day_second.map(Self::Second)),
        }
    }
}

/// Whether what follows a date is a time of that day: `T09:30:00Z`, ` 9:30 PM`.
fn is_time(text: &str) -> bool {
    let after = text.strip_prefix(['T', ' ']).map_or("", str::trim_start);
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    matches!(digits, 1 | 2) && after[digits..].starts_with(':')
}

/// What a cell tells about the notation of its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hint {
    /// Only one mark, or one place of the day, makes it a number or a date: the point, or the day in front.
    First,
    /// The comma, or the month in front.
    Second,
    /// `1.234` and `03/04/2026`
    Either,
    /// `1,234`, a number only if the comma is known to be a mark of the fraction or of thousands.
    EitherUnread,
    /// No number, or no date, in any notation.
    Neither,
}

impl Hint {
    /// `None` if the cell is read alike in every notation.
    fn of_number(cell: &str) -> Option<Self> {
        // Most cells have no mark, so one look is enough for them.
        if cell.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let [point, comma] = [Mark::Point, Mark::Comma].map(|mark| mark.number(cell));
        match (point, comma) {
            (Some(point), Some(comma)) if point == comma => None,
            (Some(_), Some(_)) if Decimal::read(cell).is_some() => Some(Self::Either),
            (Some(_), Some(_)) => Some(Self::EitherUnread),
            (Some(_), None) => Some(Self::First),
            (None, Some(_)) => Some(Self::Second),
            (None, None) => Some(Self::Neither),
        }
    }

    fn of_day(cell: &str) -> Option<Self> {
        match Date::read(cell) {
            Some(Date::Day(_)) => None,
            Some(Date::Either { .. }) => Some(Self::EitherUnread),
            Some(Date::First(_)) => Some(Self::First),
            Some(Date::Second(_)) => Some(Self::Second),
            None => Some(Self::Neither),
        }
    }
}

/// The most examples of one kind of cell.
const EXAMPLES: usize = 3;
/// The most characters of an example.
const EXAMPLE_CHARS: usize = 40;

/// Cells that tell the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Cells {
    number: u64,
    examples: Vec<String>,
}

impl Cells {
    fn add(&mut self, cell: &str) {
        self.number += 1;
        let shown = || cell.trim().chars().take(EXAMPLE_CHARS).collect::<String>();
        if self.examples.len() < EXAMPLES && !self.examples.iter().any(|example| *example == shown()) {
            self.examples.push(shown());
        }
    }

    fn merge(&mut self, more: Self) {
        self.number += more.number;
        for example in more.examples {
            if self.examples.len() < EXAMPLES && !self.examples.contains(&example) {
                self.examples.push(example);
            }
        }
    }
}

/// What all cells of a column tell about its notation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    /// Whether the selection puts its cells into an order, so that cells that cannot be read matter.
    is_ordered: bool,
    filled: u64,
    /// By what they tell, and whether they are read even if the column does not tell its notation.
    hints: BTreeMap<(Hint, bool), Cells>,
}

impl Seen {
    fn see(&mut self, kind: Kind, cell: &str) {
        if cell.trim().is_empty() {
            return;
        }
        self.filled += 1;
        let hint = match kind {
            Kind::Number => Hint::of_number(cell.trim()),
            Kind::Day => Hint::of_day(cell),
        };
        if let Some(hint) = hint {
            let notation = Notation::default();
            let is_read = match kind {
                Kind::Number => notation.number(cell).is_some(),
                Kind::Day => notation.day(cell).is_some(),
            };
            self.hints.entry((hint, is_read)).or_default().add(cell);
        }
    }

    fn has(&self, wanted: Hint) -> bool {
        self.hints.keys().any(|(hint, _)| *hint == wanted)
    }

    /// Whether cells speak for the first notation or for the second one; `None` if none do, or both.
    fn verdict(&self) -> Option<Hint> {
        match (self.has(Hint::First), self.has(Hint::Second)) {
            (true, false) => Some(Hint::First),
            (false, true) => Some(Hint::Second),
            _ => None,
        }
    }

    fn cells(&self, are_wanted: impl Fn(Hint, bool) -> bool) -> Cells {
        let mut all = Cells::default();
        let wanted = self.hints.iter().filter(|((hint, is_read), _)| are_wanted(*hint, *is_read));
        wanted.for_each(|(_, cells)| all.merge(cells.clone()));
        all
    }

    /// What could not be read, and what was read by a guess.
    fn misread(&self, kind: Kind, column: &str) -> Vec<Misread> {
        let mut found = Vec::new();
        let verdict = self.verdict();
        let is_unread = |hint, is_read: bool| hint == Hint::Neither || (verdict.is_none() && !is_read);
        let Cells { number, examples } = self.cells(is_unread);
        if number > 0 {
            let advice = match verdict {
                None if self.has(Hint::First) && self.has(Hint::Second) => Some(Advice::OneWay),
                None if self.has(Hint::EitherUnread) => Some(Advice::Certain),
                _ => None,
            };
            let (column, is_day, filled) = (column.to_owned(), kind == Kind::Day, self.filled);
            found.push(Misread::Unread { column, is_day, number, filled, examples, advice });
        }
        let Cells { number, examples } = self.cells(|hint, is_read| hint == Hint::Either && is_read);
        if verdict.is_none() && number > 0 {
            found.push(Misread::Guessed { column: column.to_owned(), number, examples });
        }
        found
    }
}

/// What the cells of the compared columns tell about their notations, by column and what it is compared with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence(BTreeMap<(usize, Kind), Seen>);

impl Evidence {
    pub(super) fn expect(&mut self, column: usize, kind: Kind, is_ordered: bool) {
        let seen = Seen { is_ordered: false, filled: 0, hints: BTreeMap::new() };
        self.0.entry((column, kind)).or_insert(seen).is_ordered |= is_ordered;
    }

    /// Whether nothing is compared with numbers or dates.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Looks at a row. `cell` returns the text of a column.
    pub fn see<'a>(&mut self, cell: impl Fn(usize) -> &'a str) {
        for ((column, kind), seen) in &mut self.0 {
            seen.see(*kind, cell(*column));
        }
    }

    /// Adds what other rows of the same source tell.
    pub fn add(&mut self, more: Self) {
        for (key, seen) in more.0 {
            let own = self.0.entry(key).or_insert_with(|| Seen { hints: BTreeMap::new(), filled: 0, ..seen });
            own.filled += seen.filled;
            for (hint, cells) in seen.hints {
                own.hints.entry(hint).or_default().merge(cells);
            }
        }
    }

    pub(super) fn notation(&self, column: usize) -> Notation {
        let verdict = |kind| self.0.get(&(column, kind)).and_then(Seen::verdict);
        Notation {
            mark: verdict(Kind::Number).map(|hint| if hint == Hint::First { Mark::Point } else { Mark::Comma }),
            day: verdict(Kind::Day).map(|hint| if hint == Hint::First { DayPlace::First } else { DayPlace::Second }),
        }
    }

    /// What of the columns that are put into an order could not be read, or only by a guess.
    pub fn misread(&self, columns: &[String]) -> Vec<Misread> {
        let ordered = self.0.iter().filter(|(_, seen)| seen.is_ordered);
        let name = |column: usize| columns.get(column).map_or("", String::as_str);
        ordered.flat_map(|((column, kind), seen)| seen.misread(*kind, name(*column))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a column with these cells has, when it is compared with numbers or with dates.
    fn notation(kind: Kind, cells: &[&str]) -> Notation {
        evidence(kind, cells).notation(0)
    }

    fn evidence(kind: Kind, cells: &[&str]) -> Evidence {
        let mut evidence = Evidence::default();
        evidence.expect(0, kind, true);
        for cell in cells {
            evidence.see(|_| cell);
        }
        evidence
    }

    fn numbers(cells: &[&str]) -> Vec<Option<Decimal<'static>>> {
        let notation = notation(Kind::Number, cells);
        cells.iter().map(|cell| notation.number(cell).map(Decimal::into_owned)).collect()
    }

    fn sentences(kind: Kind, cells: &[&str]) -> Vec<String> {
        evidence(kind, cells).misread(&["Bonus".to_owned()]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_whole_column_tells_what_a_mark_means() {
        for (cells, read) in [
            (&["12", "20.5", "-3"][..], &["12", "20.5", "-3"][..]),
            (&["12,50", "1.234", "7", "1.234,5", "-0,25"], &["12.5", "1234", "7", "1234.5", "-0.25"]),
            (&["12.50", "1,234", "1,234,567.25"], &["12.5", "1234", "1234567.25"]),
            (&["1 234,50", "1\u{202f}000", "1'000,5"], &["1234.5", "1000", "1000.5"]),
            (&["1 234", "5"], &["1234", "5"]),
            // Nothing tells: as a program writes it.
            (&["1.234", "2.500"], &["1.234", "2.5"]),
        ] {
            let expected: Vec<_> = read.iter().map(|number| Decimal::read(number)).collect();
            assert_eq!(numbers(cells), expected, "{cells:?}");
        }
    }

    #[test]
    fn what_no_notation_reads_is_no_number() {
        for cell in ["1.5.2", "1,2,3", "12,34.5", "1.23,4", "01.234,5", "1,,5", ",", "12 50,5", "1e3", "10 %", "٣,٥"]
        {
            assert_eq!(numbers(&["0,5", cell])[1], None, "{cell}");
        }
        // Two notations in one column speak against each other.
        assert_eq!(numbers(&["12,50", "12.50"]), [None, Decimal::read("12.5")]);
        assert_eq!(numbers(&["1,234", "2,500"]), [None, None]);
    }

    #[test]
    fn dates_are_read_where_the_day_is_certain() {
        let day = |year, month, day| NaiveDate::from_ymd_opt(year, month, day);
        let days = |cells: &[&str]| -> Vec<Option<NaiveDate>> {
            let notation = notation(Kind::Day, cells);
            cells.iter().map(|cell| notation.day(cell)).collect()
        };
        let june = day(2026, 6, 1);
        assert_eq!(days(&["2026-06-01", "01.06.2026", "1.6.2026", "2026/6/1", "2026-06-01T09:30:00Z"]), [june; 5]);
        assert_eq!(days(&["01.06.2026 9:30", "2026-06-01 09:30:00"]), [june; 2]);
        assert_eq!(days(&["25/12/2026", "01/06/2026"]), [day(2026, 12, 25), june]);
        assert_eq!(days(&["12/25/2026", "06/01/2026"]), [day(2026, 12, 25), june]);
        assert_eq!(days(&["01/06/2026", "05/05/2026"]), [None, day(2026, 5, 5)]);
        assert_eq!(days(&["25/12/2026", "12/25/2026"]), [None, None]);
        for cell in ["", "2026", "31.02.2026", "2026-13-01", "01.06.26", "2026-06-01x", "1-6", "2026-06-01 later"] {
            assert_eq!(days(&[cell]), [None], "{cell}");
        }
    }

    #[test]
    fn what_is_not_read_is_said_with_examples() {
        let no_number = "no comparison with a number holds for them";
        assert_eq!(
            sentences(Kind::Number, &["12,50", "n/a", "n/a", "", "ten"]),
            [format!("3 of 4 values of Bonus are not numbers, such as \"n/a\" and \"ten\"; {no_number}")]
        );
        assert_eq!(
            sentences(Kind::Number, &["12,50", "1,234.50"]),
            [format!(
                "2 of 2 values of Bonus are not numbers, such as \"1,234.50\" and \"12,50\"; {no_number}; write all numbers of \
                 the column in one way"
            )]
        );
        assert_eq!(
            sentences(Kind::Number, &["1,234"]),
            [format!(
                "1 of 1 value of Bonus is not a number, such as \"1,234\"; {no_number}; the comma may mark thousands or a \
                 fraction, and no other value tells"
            )]
        );
        assert_eq!(
            sentences(Kind::Number, &["1.234", "17", "n/a"]),
            [
                format!("1 of 3 values of Bonus is not a number, such as \"n/a\"; {no_number}"),
                "1 value of Bonus, such as \"1.234\", is read as a number with a fraction, not with thousands"
                    .to_owned(),
            ]
        );
        assert_eq!(
            sentences(Kind::Day, &["03/04/2026"]),
            [
                "1 of 1 value of Bonus is not a date, such as \"03/04/2026\"; no comparison with a date holds for them; the day \
                 may come first or second, and no other value tells: write dates as 2026-12-31"
            ]
        );
        for cells in [&["12", "20.5"][..], &["12,50", "1.234"], &["", " "], &[]] {
            assert_eq!(sentences(Kind::Number, cells), [""; 0], "{cells:?}");
        }
    }

    #[test]
    fn rows_read_by_several_threads_tell_the_same() {
        let (mut one, other) = (evidence(Kind::Number, &["1.234"]), evidence(Kind::Number, &["0,5", "x"]));
        one.add(other);
        assert_eq!(one, evidence(Kind::Number, &["1.234", "0,5", "x"]));
    }
}
