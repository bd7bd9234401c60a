//! Writes a cell as the text its author means: a number as digits, a day as ISO date, a boolean as TRUE or FALSE.

use calamine::{Data, DataRef, ExcelDateTime};

/// Borrows a cell.
pub(super) fn borrowed(cell: &Data) -> DataRef<'_> {
    match cell {
        Data::Int(number) => DataRef::Int(*number),
        Data::Float(number) => DataRef::Float(*number),
        Data::String(text) | Data::DateTimeIso(text) => DataRef::SharedString(text),
        Data::DurationIso(text) => DataRef::DurationIso(text.clone()),
        Data::Bool(truth) => DataRef::Bool(*truth),
        Data::DateTime(at) => DataRef::DateTime(*at),
        Data::Error(error) => DataRef::Error(error.clone()),
        Data::Empty => DataRef::Empty,
    }
}

/// Appends a value to `text`; false if the cell holds an error.
pub(super) fn write_text(text: &mut String, value: &DataRef<'_>) -> bool {
    use std::fmt::Write;
    // Writing to a String cannot fail.
    let _ = match value {
        DataRef::Empty => Ok(()),
        DataRef::String(string) | DataRef::DateTimeIso(string) => text.write_str(string),
        DataRef::DurationIso(duration) => text.write_str(&clock(duration).unwrap_or_else(|| duration.clone())),
        DataRef::SharedString(string) => text.write_str(string),
        DataRef::Int(number) => write!(text, "{number}"),
        DataRef::Float(number) => write_number(text, *number),
        DataRef::Bool(true) => text.write_str("TRUE"),
        DataRef::Bool(false) => text.write_str("FALSE"),
        DataRef::DateTime(at) => write_date_time(text, *at),
        DataRef::Error(_) => return false,
    };
    true
}

/// Converts an ISO duration to the notation of the other formats: `PT03H04M00S` to `03:04:00`.
fn clock(duration: &str) -> Option<String> {
    let (hours, rest) = duration.strip_prefix("PT")?.split_once('H')?;
    let (minutes, rest) = rest.split_once('M')?;
    let seconds = rest.strip_suffix('S')?.split(['.', ',']).next()?;
    let number = |text: &str| text.parse::<u32>().ok();
    Some(format!("{:02}:{:02}:{:02}", number(hours)?, number(minutes)?, number(seconds)?))
}

/// What spreadsheet programs show for a formula without a result.
const ERRORS: [&str; 14] = [
    "#DIV/0!",
    "#N/A",
    "#NAME?",
    "#NULL!",
    "#NUM!",
    "#REF!",
    "#VALUE!",
    "#SPILL!",
    "#CALC!",
    "#FIELD!",
    "#BLOCKED!",
    "#CONNECT!",
    "#UNKNOWN!",
    "#ERROR!",
];

/// Whether a text is an error that a spreadsheet program shows instead of a value.
#[inline]
pub(in crate::recipients::audience) fn is_error(text: &str) -> bool {
    match text.as_bytes() {
        [b'#', ..] => ERRORS.contains(&text.trim_end()),
        [b'E', b'r', b'r', b':', number @ ..] => number.len() == 3 && number.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// Writes a number without an exponent, to the fifteen digits that spreadsheets show: 0.1 + 0.2 is 0.3 there.
fn write_number(text: &mut String, number: f64) -> std::fmt::Result {
    use std::fmt::Write;
    // Whole numbers, such as phone numbers, are exact; Rust writes them without a point.
    let shown = if number.fract() == 0.0 { number } else { format!("{number:.14e}").parse().unwrap_or(number) };
    write!(text, "{shown}")
}

/// The day after the last date of a spreadsheet, 9999-12-31.
///
/// A larger "date" is a number whose format merely looks like a date format, as formats of phone numbers can.
const LAST_DAY: f64 = 2_958_466.0;

fn write_date_time(text: &mut String, at: ExcelDateTime) -> std::fmt::Result {
    use std::fmt::Write;
    let days = at.as_f64();
    if !(0.0..LAST_DAY).contains(&days) {
        return write_number(text, days);
    }
    let (year, month, day, hour, minute, second, _) = at.to_ymd_hms_milli();
    if at.is_duration() || days < 1.0 {
        // A duration counts its days as hours.
        let hours = days.trunc() * 24.0 + f64::from(hour);
        return write!(text, "{hours:02}:{minute:02}:{second:02}");
    }
    write!(text, "{year:04}-{month:02}-{day:02}")?;
    if (hour, minute, second) == (0, 0, 0) { Ok(()) } else { write!(text, "T{hour:02}:{minute:02}:{second:02}") }
}
