//! Draws shares and counts for operators, beside the texts that every view has.

use crate::base::domain::text;
pub(super) use crate::base::domain::text::{about, capital, each, grouped as count, list, plural, rate, shell, span};

/// A count, with a dash for zero.
pub(super) fn count_or_dash(number: i64) -> String {
    if number == 0 { "–".to_owned() } else { count(number) }
}

/// A share in percent; a dash of nothing.
pub(super) fn percent(part: i64, whole: i64) -> String {
    text::percent(part, whole).unwrap_or_else(|| "–".to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_whole_only_if_it_is_complete() {
        let shares = [(0, 9), (9, 9), (1, 100_000), (99_999, 100_000), (1, 3), (0, 0)];
        assert_eq!(
            shares.map(|(part, whole)| percent(part, whole)),
            ["0 %", "100 %", "< 0.1 %", "99.9 %", "33.3 %", "–"]
        );
    }

    #[test]
    fn a_bar_shows_small_shares_and_is_full_only_at_the_whole() {
        assert_eq!([bar(0, 10, 4), bar(5, 10, 4), bar(10, 10, 4), bar(1, 1_000, 4)], ["", "██", "████", "▏"]);
    }
}
