//! The number formats of a workbook: which numbers are days, times or durations.

use std::collections::HashMap;

use calamine::{DataRef, ExcelDateTime, ExcelDateTimeType};

use super::failed::Failed;
use super::package::Budget;

/// How a number is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum NumberFormat {
    #[default]
    Number,
    DateTime,
    Duration,
}

/// The formats of cells, by the number of the style.
#[derive(Debug, Default)]
pub(super) struct Formats {
    own: HashMap<u32, NumberFormat>,
    styles: Vec<NumberFormat>,
    pub(super) counts_from_1904: bool,
}

impl Formats {
    /// Adds a format of the workbook's own.
    pub(super) fn add_own(&mut self, id: u32, code: &str, budget: &mut Budget) -> Result<(), Failed> {
        budget.spend(0)?;
        self.own.insert(id, of_code(code));
        Ok(())
    }

    /// Adds the next style, by the id of its format.
    pub(super) fn add_style(&mut self, format: u32, budget: &mut Budget) -> Result<(), Failed> {
        budget.spend(0)?;
        self.styles.push(self.own.get(&format).copied().unwrap_or_else(|| built_in(format)));
        Ok(())
    }

    pub(super) fn of_style(&self, style: usize) -> NumberFormat {
        self.styles.get(style).copied().unwrap_or_default()
    }

    /// A number as a cell with this style shows it.
    pub(super) fn value(&self, number: f64, format: NumberFormat) -> DataRef<'static> {
        let kind = match format {
            NumberFormat::Number => return DataRef::Float(number),
            NumberFormat::DateTime => ExcelDateTimeType::DateTime,
            NumberFormat::Duration => ExcelDateTimeType::TimeDelta,
        };
        DataRef::DateTime(ExcelDateTime::new(number, kind, self.counts_from_1904))
    }
}

/// The formats that every workbook has (ECMA-376, 18.8.30), and those of East Asia.
const fn built_in(id: u32) -> NumberFormat {
    match id {
        14..=22 | 27..=36 | 45 | 47 | 50..=58 => NumberFormat::DateTime,
        46 => NumberFormat::Duration,
        _ => NumberFormat::Number,
    }
}

/// The first section of a format decides: one with a letter of a date outside quotes is a date, one with hours, minutes or
/// seconds in brackets is a duration.
fn of_code(code: &str) -> NumberFormat {
    let mut chars = code.chars();
    let mut is_after_a = false;
    while let Some(char) = chars.next() {
        match char {
            ';' => break,
            // The next character is shown, skipped or repeated.
            '\\' | '_' | '*' => _ = chars.next(),
            '"' => while chars.next().is_some_and(|char| char != '"') {},
            '[' => {
                let word: String = chars.by_ref().take_while(|char| *char != ']').collect();
                let unit = word.chars().next().unwrap_or_default().to_ascii_lowercase();
                if matches!(unit, 'h' | 'm' | 's') && word.chars().all(|char| char.to_ascii_lowercase() == unit) {
                    return NumberFormat::Duration;
                }
            }
            'd' | 'D' | 'm' | 'M' | 'h' | 'H' | 'y' | 'Y' | 's' | 'S' => return NumberFormat::DateTime,
            // AM/PM and A/P.
            '/' | 'p' | 'P' if is_after_a => return NumberFormat::DateTime,
            'a' | 'A' => is_after_a = true,
            _ => {}
        }
    }
    NumberFormat::Number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_says_whether_its_number_is_a_date() {
        use NumberFormat::{DateTime, Duration, Number};
        let codes = [
            ("General", Number),
            ("DD/MM/YY", DateTime),
            ("H:MM:SS;@", DateTime),
            ("#,##0\\ [$\u{20bd}-46D]", Number),
            ("m\"M\"d\"D\";@", DateTime),
            ("[h]:mm:ss", Duration),
            ("[ss]", Duration),
            ("[>=100][Magenta][s].00", Duration),
            ("[>=100][Magenta]General", Number),
            ("\"Y: \"0.00\"m\";\"Y: \"-0.00\"m\"", Number),
            ("\"$\"#,##0_);[Red](\"$\"#,##0)", Number),
            ("[$-404]e\"年\"m\"月\"d\"日\"", DateTime),
            ("0_ ;[Red]\\-0\\ ", Number),
            ("\\Y000000", Number),
            ("a/p", DateTime),
            ("ha/p\\\\m", DateTime),
            ("#,##0*y", Number),
            ("*-yyyy-mm-dd", DateTime),
            ("m0", DateTime),
            ("+0", Number),
        ];
        for (code, format) in codes {
            assert_eq!(of_code(code), format, "{code}");
        }
        assert_eq!(
            [13, 14, 22, 23, 46, 47, 58].map(built_in),
            [Number, DateTime, DateTime, Number, Duration, DateTime, DateTime]
        );
    }
}
