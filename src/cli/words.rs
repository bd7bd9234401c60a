//! Formats numbers, shares, times and hours for operators.

use std::collections::BTreeMap;
use std::fmt::Display;

pub(super) use crate::domain::grouped as count;
use crate::domain::{Hours, Span, Stretch};

/// Holidays that are listed one by one; more are counted.
const NAMED: usize = 4;
/// The clock that hours without a time zone use.
pub(super) const OWN_CLOCK: &str = "by each recipient's own clock";

/// `sent Mon-Fri 09:00-18:00, not sent 21:00-08:00 or on 2026-12-25, by each recipient's own clock`; `None` without hours.
pub(super) fn hours(hours: &Hours) -> Option<String> {
    if hours.windows.is_empty() && hours.quiet.is_empty() && hours.holidays.is_empty() {
        return None;
    }
    let all = |stretches: &[Stretch]| stretches.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    let mut parts = Vec::new();
    if !hours.windows.is_empty() {
        parts.push(format!("sent {}", all(&hours.windows)));
    }
    let mut never = Vec::new();
    if !hours.quiet.is_empty() {
        never.push(all(&hours.quiet));
    }
    if !hours.holidays.is_empty() {
        never.push(match hours.holidays.len() {
            ..=NAMED => format!("on {}", list(&hours.holidays.iter().collect::<Vec<_>>())),
            many => format!("on {}", of(many as i128, "holiday", "holidays")),
        });
    }
    if !never.is_empty() {
        parts.push(format!("not sent {}", never.join(" or ")));
    }
    // A start by the recipient's clock is described elsewhere.
    if (Hours { since: None, ..hours.clone() }).are_theirs() {
        parts.push(OWN_CLOCK.to_owned());
    }
    Some(parts.join(", "))
}

/// A count, with a dash for zero.
pub(super) fn count_or_dash(number: i64) -> String {
    if number == 0 { "–".to_owned() } else { count(number) }
}

/// `1 message`, `3,000 messages`.
pub(super) fn of(number: impl Into<i128>, one: &str, many: &str) -> String {
    let number = number.into();
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A share in percent: 100 only if it is complete, 0 only if it is empty.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub(super) fn percent(part: i64, whole: i64) -> String {
    if whole <= 0 {
        return "–".to_owned();
    }
    let tenths = (part as f64 * 1_000.0 / whole as f64).round();
    match tenths {
        _ if part == whole => "100 %".to_owned(),
        _ if part == 0 => "0 %".to_owned(),
        tenths if tenths < 1.0 => "< 0.1 %".to_owned(),
        tenths => format!("{:.1} %", tenths.min(999.0) / 10.0),
    }
}

/// A duration in its two largest units: `350 ms`, `2.4 s`, `28 s`, `4 min 12 s`, `2 h 5 min`, `3 d 4 h`.
pub(super) fn span(span: Span) -> String {
    let millis = span.millis();
    let seconds = (millis + 500) / 1_000;
    let two = |large: i64, unit: &str, small: i64, small_unit: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {small_unit}"),
    };
    match seconds {
        _ if millis == 0 => "0 s".to_owned(),
        _ if millis < 1_000 => format!("{millis} ms"),
        _ if millis < 9_950 => format!("{}.{} s", (millis + 50) / 1_000, (millis + 50) % 1_000 / 100),
        ..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// A duration in whole seconds, for values that count up or down on the screen.
pub(super) fn about(left: Span) -> String {
    match (left.millis() + 999) / 1_000 {
        seconds @ ..10 => format!("{} s", seconds.max(1)),
        seconds => span(Span::from_secs(seconds)),
    }
}

/// `498/s`; a slow rate has one decimal, and a slower one is per minute or per hour.
pub(super) fn rate(each_second: f64) -> String {
    let units = [(1.0, "s"), (60.0, "min"), (3_600.0, "h")];
    let (each, unit) = units.into_iter().find(|(seconds, _)| each_second * seconds >= 0.095).unwrap_or((1.0, "s"));
    let each = each_second * each;
    let tenths = format!("{each:.1}");
    match tenths.strip_suffix(".0") {
        Some(_) => format!("{}/{unit}", whole(each)),
        None if each < 9.95 => format!("{tenths}/{unit}"),
        None => format!("{}/{unit}", whole(each)),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a cast from a float saturates, and no rate comes near the limit")]
fn whole(number: f64) -> String {
    count(number.round() as i64)
}

/// A bar at most `columns` wide for the share `part` of `whole`, drawn to an eighth of a column.
pub(super) fn bar(part: i64, whole: i64, columns: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = eighths_of(part, whole, columns);
    let mut bar = "█".repeat(eighths / 8);
    bar.push_str(EIGHTHS[eighths % 8]);
    if bar.is_empty() && part > 0 {
        bar.push('▏');
    }
    bar
}

fn eighths_of(part: i64, whole: i64, columns: usize) -> usize {
    if whole <= 0 || part <= 0 {
        return 0;
    }
    let columns = i128::try_from(columns * 8).unwrap_or(0);
    let eighths = (i128::from(part.min(whole)) * columns + i128::from(whole) / 2) / i128::from(whole);
    usize::try_from(eighths).unwrap_or(0)
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list<T: Display>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [one] => one.to_string(),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(ToString::to_string).collect();
            format!("{} and {last}", first.join(", "))
        }
    }
}

/// The count of each kind: `2 opted out and 1 too short`.
pub(super) fn each<K: Display, N: Copy + Into<i128>>(kinds: &BTreeMap<K, N>) -> String {
    let kinds: Vec<String> = kinds.iter().map(|(kind, number)| format!("{} {kind}", count(*number))).collect();
    list(&kinds)
}

/// Quotes a text for a shell, if it needs quotes.
pub(super) fn shell(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_shares_and_rates_have_few_digits() {
        assert_eq!([0, 999, 1_000, 1_234_567, -12_345].map(count), ["0", "999", "1,000", "1,234,567", "-12,345"]);
        assert_eq!([of(1, "row", "rows"), of(2_000, "row", "rows")], ["1 row", "2,000 rows"]);
        let shares = [(0, 9), (9, 9), (1, 100_000), (99_999, 100_000), (1, 3), (0, 0)];
        assert_eq!(
            shares.map(|(part, whole)| percent(part, whole)),
            ["0 %", "100 %", "< 0.1 %", "99.9 %", "33.3 %", "–"]
        );
        assert_eq!([0.0, 0.4, 5.01, 497.6, 12_000.2].map(rate), ["0/s", "0.4/s", "5/s", "498/s", "12,000/s"]);
        assert_eq!([5.0 / 60.0, 1.0 / 60.0, 1.0 / 3_600.0].map(rate), ["5/min", "1/min", "1/h"]);
    }

    #[test]
    fn durations_have_at_most_two_units() {
        let millis = [0, 350, 2_440, 9_960, 28_000, 252_000, 7_500_000, 273_600_000];
        let read = ["0 s", "350 ms", "2.4 s", "10 s", "28 s", "4 min 12 s", "2 h 5 min", "3 d 4 h"];
        assert_eq!(millis.map(|millis| span(Span::from_millis(millis))), read);
        assert_eq!(about(Span::from_millis(2_001)), "3 s");
    }

    #[test]
    fn a_bar_shows_small_shares_and_is_full_only_at_the_whole() {
        assert_eq!([bar(0, 10, 4), bar(5, 10, 4), bar(10, 10, 4), bar(1, 1_000, 4)], ["", "██", "████", "▏"]);
    }

    #[test]
    fn names_with_spaces_or_quotes_are_quoted_for_a_shell() {
        assert_eq!([shell("promo-1"), shell("May's promo")], ["promo-1", r"'May'\''s promo'"]);
    }
}
