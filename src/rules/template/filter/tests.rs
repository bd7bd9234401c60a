use proptest::prelude::*;

use super::*;

fn filters(text: &str) -> Result<Vec<Filter>, FilterProblem> {
    let calls = calls(text).map_err(|(_, problem)| problem)?;
    Filter::all(&calls).map_err(|(_, problem)| problem)
}

fn changed(text: &str, value: &str) -> Option<String> {
    let mut out = String::new();
    write(&filters(text).unwrap(), value, &mut out).ok().map(|()| out)
}

#[track_caller]
fn assert_changes(cases: &[(&str, &str, &str)]) {
    for (text, value, expected) in cases {
        assert_eq!(changed(text, value).as_deref(), Some(*expected), "{value} by {text}");
    }
}

#[test]
fn letters_change_as_in_any_language_without_rules_of_its_own() {
    assert_changes(&[
        ("upper", "Straße Ünal", "STRASSE ÜNAL"),
        ("lower", "ÅSA", "åsa"),
        ("title", "anna-lena O'NEIL van DIJK (jr)", "Anna-Lena O'neil Van Dijk (Jr)"),
        ("trim", "\u{a0} Ann  B \n", "Ann  B"),
        ("url", "a b/ü~?&%", "a%20b%2F%C3%BC~%3F%26%25"),
        ("trim:lower:title", " ANN ", "Ann"),
        ("upper:lower", "É", "é"),
        ("title", &"é".repeat(200), &format!("É{}", "é".repeat(199))),
    ]);
}

#[test]
fn a_text_is_cut_after_characters_as_a_reader_counts_them() {
    assert_changes(&[
        ("truncate(3)", "abc", "abc"),
        ("truncate(3)", "abcd", "abc"),
        ("truncate(3, \"…\")", "abc", "abc"),
        ("truncate(3, \"…\")", "abcd", "ab…"),
        ("truncate(6)", "Hello you", "Hello"),
        // A flag, a family and a letter with its accent are one character each.
        ("truncate(3)", "🇩🇪👨‍👩‍👧e\u{301}x", "🇩🇪👨‍👩‍👧e\u{301}"),
        ("upper:truncate(2)", "ßa", "SS"),
        ("truncate(2, '.'):upper", "ßab", "SS."),
        ("truncate(4, '…'):truncate(2)", "abcdef", "ab"),
    ]);
}

#[test]
fn numbers_are_grouped_and_rounded_exactly() {
    assert_changes(&[
        ("number", "1234567.5", "1,234,567.5"),
        ("number(2)", "1234.5", "1,234.50"),
        ("number(2, \"de\")", "1234567.885", "1.234.567,89"),
        ("number(0, \"de\")", "999.5", "1.000"),
        ("number(1)", "0.95", "1.0"),
        ("number(2)", "-0.004", "0.00"),
        ("number(2)", "-0.005", "-0.01"),
        ("number(0)", "0.4", "0"),
        ("number(0)", "007", "7"),
        ("number", "-.5", "-0.5"),
        ("number(2, \"en_IN\")", " 12345678 ", "1,23,45,678.00"),
        ("number(0, \"fr\")", "1234567", "1\u{202f}234\u{202f}567"),
        ("number(2, \"en\", \"de\")", "1.234.567,5", "1,234,567.50"),
        ("number(2, \"en\", \"de\")", "1234567,5", "1,234,567.50"),
        ("number(0, \"de\", \"fr\")", "1 234", "1.234"),
        ("number(1, \"en\", \"de_CH\")", "1'234.56", "1,234.6"),
        ("number", "123456789012345678901234567890", "123,456,789,012,345,678,901,234,567,890"),
    ]);
    for (text, value) in [
        ("number", "1,234"),
        ("number", "1.234.567"),
        ("number", "12 EUR"),
        ("number", "1e5"),
        ("number", "."),
        ("number", "--1"),
        ("number", "١٢"),
        ("number(2, \"en\", \"de\")", "12.34,5"),
        ("number(2, \"en\", \"de\")", "1.2345"),
        ("number(2, \"en\", \"de\")", "1..234"),
        ("number(2, \"en\", \"de\")", ".123"),
        ("number(2, \"en\", \"de\")", "123."),
        ("number(2, \"en\", \"de\")", "1234.567"),
        ("number(2, \"en\", \"de\")", ","),
        ("number(2, \"en\", \"de\")", ""),
    ] {
        assert_eq!(changed(text, value), None, "{value} by {text}");
    }
}

#[test]
fn dates_are_read_strictly_and_written_in_a_language() {
    assert_changes(&[
        ("date(\"%d %B %Y\")", "2026-12-01", "01 December 2026"),
        ("date(\"%A, %-d. %B\", \"de\")", "1.12.2026", "Dienstag, 1. Dezember"),
        ("date(\"%d/%m/%Y\")", "2026/12/01", "01/12/2026"),
        ("date(\"%H:%M\")", "2026-12-01T09:30:15.250+08:00", "09:30"),
        ("date(\"%H:%M\")", "2026-12-01 09:30", "09:30"),
        ("date(\"%H:%M\")", "2026-12-01", "00:00"),
        ("date(\"%d %b\", \"en\", \"%m/%d/%Y\")", "12/31/2026", "31 Dec"),
        ("date(\"%d %b %H\", \"en\", \"%Y%m%d %H:%M\")", "20261231 18:05", "31 Dec 18"),
        ("date(\"%B\", \"de\"):upper", "2026-03-01", "MÄRZ"),
        ("trim:date(\"%Y\")", " 2026-12-01 ", "2026"),
    ]);
    for value in [
        "01/12/2026",
        "12-01-2026",
        "2026-13-01",
        "2026-02-29",
        "2026-1-1",
        "26-12-01",
        "1.12.26",
        "1.12.2026.",
        "2026-12-01-",
        "2026-12-01T9:30",
        "2026-12-01T25:00",
        "2026-12-01 09:30 soon",
        "2026-12-01T09:30+8",
        "20261201",
        "46000",
        "tomorrow",
    ] {
        assert_eq!(changed("date(\"%Y\")", value), None, "{value}");
    }
    assert_eq!(changed("date(\"%d\", \"en\", \"%m/%d/%Y\")", "2026-12-01"), None);
}

#[test]
fn a_wrong_filter_is_refused_with_what_to_write() {
    for (text, sentence) in [
        ("uper", "unknown filter \"uper\"; did you mean \"upper\"?"),
        ("shout", "unknown filter \"shout\"; use one of upper, lower"),
        ("upper(1)", "upper does not take these arguments; write upper"),
        ("truncate", "write truncate(20) or truncate(20, \"…\")"),
        ("truncate(0)", "write truncate(20) or truncate(20, \"…\")"),
        ("truncate(3, \"...\")", "a text of at most 3 characters cannot end with \"...\""),
        ("number(21)", "21 decimals are more than the 20 allowed"),
        ("number(\"de\")", "write number, number(2)"),
        ("number(2, \"dee\")", "unknown language \"dee\"; did you mean \"de\"?"),
        ("upper:number", "number reads the text of the cell; move it before the other filters"),
        ("date", "date does not take these arguments; write date(\"%d %B %Y\")"),
        ("date(\"%Q\")", "\"%Q\" cannot write a date"),
        ("date(\"%d %Z\")", "\"%d %Z\" cannot write a date"),
        ("date(\"\")", "\"\" cannot write a date"),
        ("date(\"%d\", \"en\", \"%d/%m\")", "\"%d/%m\" cannot read a date"),
        ("date(\"%d\", \"en\", \"%m\")", "\"%m\" cannot read a date"),
        ("upper lower", "`upper lower` is not a filter"),
    ] {
        let error = filters(text).unwrap_err().to_string();
        assert!(error.contains(sentence), "{text}: {error}");
    }
    assert!(filters("truncate(4, \"...\")").is_ok() && filters("number(20)").is_ok());
}

#[test]
fn the_examples_of_the_guide_are_right() {
    let guide = include_str!("../../../../docs/variables.md");
    let (_, table) = guide.split_once("<!-- begin filters -->").unwrap();
    let (table, _) = table.split_once("<!-- end filters -->").unwrap();
    let cells = |row: &'static str| row.split('`').skip(1).step_by(2).collect::<Vec<_>>();
    let rows: Vec<Vec<&str>> = table.lines().map(cells).filter(|cells| !cells.is_empty()).collect();
    for row in &rows {
        let [variable, cell, expected] = row[..] else { panic!("{row:?}") };
        let (_, filters) = variable.trim_start_matches('{').trim_end_matches('}').split_once(':').unwrap();
        assert_eq!(changed(filters, cell).as_deref(), Some(expected), "{variable}");
    }
    let shown = |name: &str| rows.iter().any(|row| row[0].contains(&format!(":{name}")));
    assert!(FILTERS.iter().all(|(name, _)| shown(name)), "the guide has an example of each filter");
}

proptest! {
    #[test]
    fn numbers_agree_with_arithmetic_on_integers(number in -999_999_999_i64..=999_999_999, decimals in 0_usize..4) {
        let sign = if number < 0 { "-" } else { "" };
        let text = format!("{sign}{}.{:04}", number.abs() / 10_000, number.abs() % 10_000);
        let scale = 10_i64.pow(u32::try_from(4 - decimals).unwrap());
        let rounded = (number.abs() + scale / 2) / scale;
        let below = 10_i64.pow(u32::try_from(decimals).unwrap());
        let fraction = if decimals == 0 { String::new() } else { format!(".{:0decimals$}", rounded % below) };
        let sign = if rounded == 0 { "" } else { sign };
        let written = changed(&format!("number({decimals})"), &text).unwrap();
        prop_assert_eq!(written.replace(',', ""), format!("{sign}{}{fraction}", rounded / below));
    }

    #[test]
    fn no_filter_and_no_value_panics(text in "(upper|number|date|truncate|trim)(\\([\"'0-9%a-zA-Z/, ]{0,12}\\))?|.*", value in ".*|[-+0-9./: T]{0,24}") {
        if let Ok(filters) = filters(&text) {
            let mut out = String::new();
            // Whether the value is read is not the question here.
            let _ = write(&filters, &value, &mut out);
        }
    }
}
