//! Text for operators: counts, durations, rates, lists, send hours and quoted names, the same in every view.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use super::{Hours, Span, Stretch};

/// Formats a number with thousands separators: `3,000`.
pub fn grouped(number: impl Into<i128>) -> String {
    let number = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        grouped.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Formats a number of bytes: `885 kB`, `1.9 MB`, `43 GB`.
pub fn size(bytes: u64) -> String {
    let units = [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        None => format!("{} kB", bytes.div_ceil(1_000)),
        Some((unit, name)) if bytes >= 10 * unit => format!("{} {name}", bytes / unit),
        Some((unit, name)) => {
            let tenths = (bytes + unit / 20) / (unit / 10);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
    }
}

/// A share in percent, with one decimal: 100 only if it is complete, 0 only if it is empty. `None` of nothing.
pub fn percent(part: i64, whole: i64) -> Option<String> {
    let (part, whole) = (i128::from(part.max(0)), i128::from(whole));
    let tenths = |whole: i128| (part * 2_000 + whole) / (2 * whole);
    Some(match whole {
        ..=0 => return None,
        _ if part >= whole => "100 %".to_owned(),
        _ if part == 0 => "0 %".to_owned(),
        whole => match tenths(whole).min(999) {
            0 => "< 0.1 %".to_owned(),
            tenths => format!("{}.{} %", tenths / 10, tenths % 10),
        },
    })
}

/// Formats a count of things: `1 message`, `3,000 messages`.
pub fn plural(number: impl Into<i128>, one: &str, many: &str) -> String {
    let number = number.into();
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// Holidays that are listed one by one; more are counted.
const NAMED: usize = 4;
/// The clock that hours without a time zone use.
pub const OWN_CLOCK: &str = "by each recipient's own clock";

/// `sent Mon-Fri 09:00-18:00, not sent 21:00-08:00 or on 2026-12-25, by each recipient's own clock`; `None` without hours.
pub fn hours(hours: &Hours) -> Option<String> {
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
            many => format!("on {}", plural(many as i128, "holiday", "holidays")),
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

/// Capitalizes the first letter of a sentence.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().collect::<String>() + letters.as_str()).unwrap_or_default()
}

/// A text with its control characters shown as signs, such as `␛` for an escape. Line breaks stay.
///
/// Texts of recipient files and of the provider may hold any character, and a terminal obeys some of them. Others turn the
/// order of the letters around, so that `gpj.exe` reads as a picture.
pub fn visible(text: &str) -> Cow<'_, str> {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}');
    if !text.chars().any(|c| (c.is_control() && c != '\n') || turns(c)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match u32::from(c) {
            _ if c == '\n' => shown.push(c),
            code @ ..0x20 => shown.push(char::from_u32(0x2400 + code).unwrap_or(char::REPLACEMENT_CHARACTER)),
            0x7f => shown.push('␡'),
            0x80..0xa0 => shown.push(char::REPLACEMENT_CHARACTER),
            code if turns(c) => {
                // A string takes every write.
                let _ = write!(shown, "‹U+{code:04X}›");
            }
            _ => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    let digits = bytes.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// A duration in its two largest units: `350 ms`, `2.4 s`, `28 s`, `4 min 12 s`, `2 h 5 min`, `3 d 4 h`.
pub fn span(span: Span) -> String {
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
pub fn about(left: Span) -> String {
    match (left.millis() + 999) / 1_000 {
        seconds @ ..10 => format!("{} s", seconds.max(1)),
        seconds => span(Span::from_secs(seconds)),
    }
}

/// `498/s`; a slow rate has one decimal, and a slower one is per minute or per hour.
pub fn rate(each_second: f64) -> String {
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
    grouped(number.round() as i64)
}

/// `a`, `a and b`, `a, b and c`.
pub fn list<T: Display>(items: &[T]) -> String {
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
pub fn each<K: Display, N: Copy + Into<i128>>(kinds: &BTreeMap<K, N>) -> String {
    let kinds: Vec<String> = kinds.iter().map(|(kind, number)| format!("{} {kind}", grouped(*number))).collect();
    list(&kinds)
}

/// A text of strangers on one line of at most `longest` characters.
pub fn one_line(text: &str, longest: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(longest).collect()
}

/// Quotes a text for a shell, if it needs quotes.
pub fn shell(text: &str) -> String {
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
    fn numbers_and_rates_have_few_digits() {
        assert_eq!([0, 999, 1_000, 1_234_567, -12_345].map(grouped), ["0", "999", "1,000", "1,234,567", "-12,345"]);
        assert_eq!([plural(1, "row", "rows"), plural(2_000, "row", "rows")], ["1 row", "2,000 rows"]);
        assert_eq!([0.0, 0.4, 5.01, 497.6, 12_000.2].map(rate), ["0/s", "0.4/s", "5/s", "498/s", "12,000/s"]);
        assert_eq!([5.0 / 60.0, 1.0 / 60.0, 1.0 / 3_600.0].map(rate), ["5/min", "1/min", "1/h"]);
    }

    #[test]
    fn control_characters_become_signs_and_line_breaks_stay() {
        assert_eq!(visible("a\u{1b}[0m\tb\u{7f}\u{9b}\r\nc\u{0}\n"), "a␛[0m␉b␡\u{fffd}\nc␀\n");
        assert_eq!(hex([0x00, 0x0f, 0xa5]), "000fa5");
        assert_eq!(visible("\u{202e}gpj.exe"), "‹U+202E›gpj.exe");
        assert!(matches!(visible("Grüße\nन"), Cow::Borrowed("Grüße\nन")));
    }

    #[test]
    fn sizes_have_the_largest_unit_that_fits() {
        let bytes = [0, 885_400, 1_000_000, 1_885_000, 43_151_000_000, 2_500_000_000_000];
        assert_eq!(bytes.map(size), ["0 kB", "886 kB", "1.0 MB", "1.9 MB", "43 GB", "2.5 TB"]);
    }

    #[test]
    fn durations_have_at_most_two_units() {
        let millis = [0, 350, 2_440, 9_960, 28_000, 252_000, 7_500_000, 273_600_000];
        let read = ["0 s", "350 ms", "2.4 s", "10 s", "28 s", "4 min 12 s", "2 h 5 min", "3 d 4 h"];
        assert_eq!(millis.map(|millis| span(Span::from_millis(millis))), read);
        assert_eq!(about(Span::from_millis(2_001)), "3 s");
    }

    #[test]
    fn names_with_spaces_or_quotes_are_quoted_for_a_shell() {
        assert_eq!([shell("promo-1"), shell("May's promo")], ["promo-1", r"'May'\''s promo'"]);
    }
}
