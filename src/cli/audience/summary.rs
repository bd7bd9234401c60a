//! Prints the summary of a recipient file.

use console::truncate_str;

use crate::base::domain::Span;
use crate::cli::out::Paint;
use crate::cli::table::Table;
use crate::cli::words::{bar, count, percent, plural, span};
use crate::recipients::audience::{ColumnMeaning, Example, Packed, Summary};

/// Maximum number of countries that are listed; the others are summed up.
const COUNTRIES: usize = 12;
const BAR: usize = 30;
/// Maximum number of columns that are listed; --json has all.
const COLUMNS: usize = 24;
/// Maximum width of a column's name.
const NAME: usize = 40;

pub(in crate::cli) fn lines(summary: &Summary, took: Span, label: &str, paint: Paint) -> Vec<String> {
    let mut lines = vec![headline(summary, took, label, paint), String::new()];
    let mut table = Table::new(&["", ">", ">", ""]);
    for (name, number) in [
        ("valid", summary.valid),
        ("invalid", summary.invalid),
        ("duplicates", summary.duplicates),
        ("opted out", summary.opted_out),
    ] {
        let share = if number == 0 { String::new() } else { percent(small(number), small(summary.rows)) };
        let shown = match (name, number) {
            ("valid", 1..) => paint.good(count(number)),
            ("invalid", 1..) => paint.bad(count(number)),
            _ => count(number),
        };
        table.row([name.to_owned(), shown, share]);
    }
    lines.extend(table.lines(paint).into_iter().map(|line| format!("  {line}")));
    if summary.rows > 0 && summary.rows == summary.invalid {
        lines.push(paint.bad("  no phone numbers found; is this a recipient file?"));
    }
    lines.extend(column_lines(summary, paint));
    let countries: Vec<(String, u64)> =
        summary.countries.iter().map(|(country, count)| (country.to_string(), *count)).collect();
    lines.extend(country_lines(countries, paint));
    if !summary.notes.is_empty() {
        lines.extend([String::new(), "Notes".to_owned()]);
        lines.extend(summary.notes.iter().map(|note| format!("  {}", note.text())));
    }
    if !summary.reasons.is_empty() {
        lines.extend([String::new(), "Rejected, and what to do".to_owned()]);
        for (reason, number) in &summary.reasons {
            lines.push(format!("  {} {}", paint.bold(count(*number)), paint.bold(reason)));
            lines.push(format!("      {}", reason.sentence()));
            let examples: Vec<String> =
                summary.examples.iter().filter(|example| example.reason == *reason).map(shown).collect();
            let more = match number.saturating_sub(examples.len() as u64) {
                0 => String::new(),
                more => format!(" · … and {} more (`audience check --rejects FILE` writes all)", count(more)),
            };
            lines.push(paint.dim(format!("      {}{more}", examples.join(" · "))));
        }
    }
    lines
}

fn shown(example: &Example) -> String {
    let line = format!("line {}", count(example.line));
    match (example.value.as_str(), example.readings) {
        ("", _) => line,
        (value, Some(readings)) => format!("{line}: {value} ({readings})"),
        (value, None) => format!("{line}: {value}"),
    }
}

fn headline(summary: &Summary, took: Span, label: &str, paint: Paint) -> String {
    let mut parts = vec![plural(summary.rows, "row", "rows")];
    parts.push(format!("numbers in column {}", summary.number_column));
    parts.extend(summary.packed.iter().rev().map(|packed| match packed {
        Packed::Gzip => "gzipped".to_owned(),
        Packed::Zip => "in a ZIP".to_owned(),
    }));
    parts.extend(summary.sheet.as_ref().map(|sheet| format!("sheet {sheet}")));
    parts.extend(summary.encoding.map(|encoding| encoding.name().to_owned()));
    parts.extend(summary.delimiter.map(|delimiter| match delimiter {
        '\t' => "tab-separated".to_owned(),
        delimiter => format!("separated by \"{delimiter}\""),
    }));
    parts.push(format!("read in {}", span(took)));
    format!("{}  {}", paint.bold(label), paint.dim(parts.join(" · ")))
}

/// Lists the columns: their meaning, how many cells are filled, and samples.
fn column_lines(summary: &Summary, paint: Paint) -> Vec<String> {
    let mut lines = vec![String::new(), plural(small(summary.fields.len() as u64), "Column", "Columns")];
    let mut table = Table::new(&["", "", ">", ""]);
    for field in summary.fields.iter().take(COLUMNS) {
        let meaning = match field.meaning {
            Some(ColumnMeaning::Number) => "phone numbers".to_owned(),
            Some(ColumnMeaning::Named(meaning)) if meaning.name() != field.name => {
                format!("used as {}", meaning.name())
            }
            Some(ColumnMeaning::Named(_)) | None => String::new(),
        };
        let full = match percent(small(field.filled), small(summary.rows)).as_str() {
            _ if field.filled == 0 => "empty".to_owned(),
            share => format!("{share} full"),
        };
        // A line break in a cell must not break the line.
        let samples = field.samples.iter().map(|sample| sample.split_whitespace().collect::<Vec<_>>().join(" "));
        let samples = paint.dim(samples.collect::<Vec<_>>().join(" · "));
        table.row([truncate_str(&field.name, NAME, "…").into_owned(), paint.good(meaning), full, samples]);
    }
    lines.extend(table.lines(paint).into_iter().map(|line| format!("  {line}")));
    if let Some(more) = summary.fields.len().checked_sub(COLUMNS).filter(|more| *more > 0) {
        lines.push(paint.dim(format!("  and {}", plural(small(more as u64), "more column", "more columns"))));
    }
    lines
}

/// Lists the countries with bars, the largest first.
pub(in crate::cli) fn country_lines(mut countries: Vec<(String, u64)>, paint: Paint) -> Vec<String> {
    if countries.is_empty() {
        return Vec::new();
    }
    countries.sort_by_key(|(country, number)| (std::cmp::Reverse(*number), country.clone()));
    let most = countries.first().map_or(0, |(_, number)| *number);
    let mut lines = vec![String::new(), plural(small(countries.len() as u64), "Country", "Countries")];
    let mut table = Table::new(&["", ">", ""]);
    for (country, number) in countries.iter().take(COUNTRIES) {
        table.row([country.clone(), count(*number), paint.good(bar(small(*number), small(most), BAR))]);
    }
    if let Some(others) = countries.get(COUNTRIES..).filter(|others| !others.is_empty()) {
        let rest: u64 = others.iter().map(|(_, number)| number).sum();
        table.row([format!("{} more", others.len()), count(rest)]);
    }
    lines.extend(table.lines(paint).into_iter().map(|line| format!("  {line}")));
    lines
}

/// Converts a count of rows; more than `i64::MAX` become `i64::MAX`.
pub(in crate::cli) fn small(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
