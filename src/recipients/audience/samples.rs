//! Checks the sample files, and generates the sample spreadsheets.

use std::path::PathBuf;

use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, XlsxError};

use super::note::RowCount;
use super::sheet::made::{self, Value};
use super::*;
use crate::base::domain::Recipient;

fn sample(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)
}

fn check(name: &str, country: Option<&str>) -> Summary {
    let options = Options { country: country.map(|country| country.parse().unwrap()), ..Options::default() };
    read(&sample(name), &options, &|_| false, &mut SeenRecipients::default(), &mut Outputs::default()).unwrap()
}

/// Thirty recipients with birthdays; some phone numbers are numeric cells, as spreadsheets often store them. The table does
/// not begin in the top left corner, and another sheet with a note follows.
pub(super) fn spreadsheet() -> Vec<u8> {
    let write = || -> Result<Vec<u8>, XlsxError> {
        let mut book = Workbook::new();
        book.add_worksheet().set_name("Cover")?;
        let sheet = book.add_worksheet();
        sheet.set_name("Recipients")?;
        let day = Format::new().set_num_format("yyyy-mm-dd");
        for (column, name) in (1..).zip(["Mobile", "FirstName", "code", "slug", "Country", "Birthday", "VIP"]) {
            sheet.write_string(2, column, name)?;
        }
        let people = [
            ("SG", "+65812345", "Wei Ling"),
            ("DE", "+4915123456", "Jürgen"),
            ("GB", "+4474001234", "Zoë"),
            ("IN", "+9181234567", "Ananya"),
            ("ID", "+6281234567", "Dewi"),
        ];
        for index in 0..30_u32 {
            let (country, prefix, name) = people[index as usize % people.len()];
            let digits = format!("{prefix}{:0>width$}", 10 + index, width = if country == "DE" { 3 } else { 2 });
            let row = 3 + index + u32::from(index > 14);
            match index % 3 {
                0 => sheet.write_number(row, 1, digits[1..].parse::<f64>().unwrap())?,
                _ => sheet.write_string(row, 1, &digits)?,
            };
            sheet.write_string(row, 2, name)?;
            sheet.write_string(row, 3, format!("SPRING{index:02}"))?;
            sheet.write_string(row, 4, format!("s/{index:03}"))?;
            sheet.write_string(row, 5, country)?;
            let birthday = ExcelDateTime::from_ymd(1970 + u16::try_from(index).unwrap(), 3, 9)?;
            sheet.write_datetime_with_format(row, 6, &birthday, &day)?;
            sheet.write_boolean(row, 7, index % 4 == 0)?;
        }
        book.add_worksheet().set_name("Notes")?.write_string(0, 0, "Nobody of these exists.")?;
        book.save_to_buffer()
    };
    write().unwrap()
}

/// A list with numeric phone numbers and dates, in the binary format.
fn binary_spreadsheet() -> Vec<u8> {
    const HEADER: &[Value<'_>] =
        &[Value::Text("Customer"), Value::Text("Telephone"), Value::Text("Since"), Value::Text("Order no")];
    let people = [("Ann", 0.0), ("Bob", 1.0), ("Cleo", 2.0), ("Dan", 3.0), ("Eve", 4.0), ("Finn", 5.0)];
    let row = |(name, n): (&'static str, f64)| {
        let number = if n == 5.0 { Value::Empty } else { Value::Number(447_400_123_450.0 + n) };
        let order = if n < 2.0 { "2026-0007" } else { "2026-0008" };
        vec![Value::Text(name), number, Value::Day(45_900.0 + 7.0 * n), Value::Text(order)]
    };
    let people = people.map(row);
    let rows: Vec<&[Value<'_>]> = [HEADER].into_iter().chain(people.iter().map(Vec::as_slice)).collect();
    made::xlsb_with("Orders", &rows, &[2, 3], &[])
}

#[test]
#[ignore = "rewrites samples/recipients.xlsx and .xlsb"]
fn write_the_sample_spreadsheets() {
    std::fs::write(sample("recipients.xlsx"), spreadsheet()).unwrap();
    std::fs::write(sample("recipients.xlsb"), binary_spreadsheet()).unwrap();
}

#[test]
fn every_row_of_the_clean_sample_is_valid() {
    let summary = check("recipients.csv", None);
    assert_eq!((summary.rows, summary.valid), (50, 50), "{:?}", summary.examples);
    assert_eq!((summary.encoding.map(encoding_rs::Encoding::name), summary.delimiter), (Some("UTF-8"), Some(',')));
    assert!(summary.countries.len() >= 6);
    assert_eq!(summary.columns[..5], ["Mobile", "FirstName", "code", "pic", "slug"]);
}

#[test]
fn every_row_of_the_sample_spreadsheet_is_valid() {
    let summary = check("recipients.xlsx", None);
    assert_eq!((summary.rows, summary.valid), (30, 30), "{:?}", summary.examples);
    assert_eq!((summary.sheet.as_deref(), summary.countries.len()), (Some("Recipients"), 5));
}

/// A binary workbook of an older program: a cover, a title above the table, country names, numeric phone numbers.
#[test]
fn every_row_of_the_old_spreadsheet_is_valid() {
    let summary = check("recipients.xls", None);
    assert_eq!((summary.rows, summary.valid), (8, 8), "{:?}", summary.examples);
    assert_eq!((summary.sheet.as_deref(), summary.number_column.as_str()), (Some("Kunden"), "Handy"));
    let expected = [("DE", 3), ("ES", 2), ("FR", 1), ("GB", 1), ("SG", 1)].map(|(country, n)| (country.to_owned(), n));
    assert_eq!(countries(&summary), expected);
    let title = (1, "Kundenliste, Stand November".to_owned());
    assert_eq!(
        summary.notes,
        [ImportNote::Titles { rows: vec![title] }, ImportNote::Landlines(RowCount { number: 1, line: 11 })]
    );
}

/// The number of accepted recipients in each country.
fn countries(summary: &Summary) -> Vec<(String, u64)> {
    summary.countries.iter().map(|(country, n)| (country.to_string(), *n)).collect()
}

fn rejected(summary: &Summary) -> Vec<(u64, Reason)> {
    let mut rejected: Vec<_> = summary.examples.iter().map(|example| (example.line, example.reason)).collect();
    rejected.sort_unstable_by_key(|(line, _)| *line);
    rejected
}

/// The members of a club in a LibreOffice file: national numbers with country names in Spanish.
#[test]
fn the_open_document_is_read_including_hidden_rows() {
    let summary = check("recipients.ods", None);
    assert_eq!((summary.rows, summary.valid, summary.sheet.as_deref()), (12, 7, Some("Socios")));
    let expected = [("AR", 2), ("CL", 1), ("CO", 1), ("ES", 3)].map(|(country, n)| (country.to_owned(), n));
    assert_eq!(countries(&summary), expected);
    let wrong = [(5, Reason::TooLong), (6, Reason::TooLong), (12, Reason::Duplicate), (13, Reason::NotANumber)];
    assert_eq!(rejected(&summary), [&wrong[..], &[(14, Reason::Empty)]].concat());
    let kinds: Vec<_> = summary.notes.iter().map(ImportNote::kind).collect();
    assert_eq!(kinds, ["other_sheets", "titles", "landlines", "error_cells", "hidden_rows", "merged_cells"]);
    assert!(summary.notes.contains(&ImportNote::HiddenRows { rows: 2 }));
}

#[test]
fn the_binary_spreadsheet_is_read_with_its_dates() {
    let summary = check("recipients.xlsb", None);
    assert_eq!((summary.rows, summary.valid, summary.number_column.as_str()), (6, 5, "Telephone"));
    assert_eq!(summary.notes, [ImportNote::HiddenRows { rows: 2 }]);
    assert_eq!(summary.fields[2].samples[0], "2025-08-31");
}

/// A list of a Japanese program: a title, full-width digits, country names, landlines.
#[test]
fn the_japanese_list_is_read_in_its_encoding() {
    let summary = check("recipients-japan.csv", None);
    assert_eq!(
        (summary.encoding.map(encoding_rs::Encoding::name), summary.rows, summary.valid),
        (Some("Shift_JIS"), 8, 6)
    );
    assert_eq!((summary.number_column.as_str(), summary.fields[1].samples[0].as_str()), ("携帯電話", "山田 太郎"));
    assert_eq!(countries(&summary), [("JP".to_owned(), 5), ("KR".to_owned(), 1)]);
    assert_eq!(rejected(&summary), [(9, Reason::Duplicate), (11, Reason::NotANumber)]);
}

/// The "Unicode text" export of a spreadsheet program.
#[test]
fn the_unicode_text_export_is_read() {
    let summary = check("recipients-unicode.txt", None);
    assert_eq!((summary.encoding.map(encoding_rs::Encoding::name), summary.delimiter), (Some("UTF-16LE"), Some('\t')));
    assert_eq!((summary.rows, summary.valid), (6, 4));
    assert_eq!(countries(&summary), [("RU".to_owned(), 3), ("UA".to_owned(), 1)]);
    assert_eq!(summary.notes, [ImportNote::Extensions(RowCount { number: 1, line: 5 })]);
}

#[test]
fn the_packed_list_of_numbers_is_read_without_a_header() {
    let summary = check("numbers.txt.gz", Some("SG"));
    assert_eq!((summary.packed.as_slice(), summary.rows, summary.valid), (&[Packed::Gzip][..], 104, 101));
    assert_eq!((summary.duplicates, summary.columns), (2, vec!["Column 1".to_owned()]));
    assert_eq!(summary.notes[0], ImportNote::NoHeader);
}

#[test]
fn spreadsheet_cells_become_the_displayed_text() {
    struct First(Option<Recipient>, Vec<Reject>);
    impl Sink for First {
        fn accepted(&mut self, recipients: Vec<Recipient>) -> Result<(), Halt> {
            self.0 = recipients.into_iter().next();
            Ok(())
        }
        fn rejected(&mut self, rejects: &[Reject]) -> Result<(), Halt> {
            self.1.extend_from_slice(rejects);
            Ok(())
        }
    }
    let mut first = First(None, Vec::new());
    let file = sample("recipients.xlsx");
    read(
        &file,
        &Options::default(),
        &|it| it.to_string() == "+628123456739",
        &mut SeenRecipients::default(),
        &mut first,
    )
    .unwrap();
    let fields = first.0.unwrap().fields;
    assert_eq!(fields.unpack().unwrap(), ["6581234510", "Wei Ling", "SPRING00", "s/000", "SG", "1970-03-09", "TRUE"]);
    // The last row: three rows above the data, thirty in it, and a blank one between.
    assert_eq!(first.1.iter().map(|reject| reject.line).collect::<Vec<_>>(), [34]);
}

#[test]
fn the_messy_sample_covers_most_reasons() {
    let summary = check("recipients-messy.csv", Some("DE"));
    assert_eq!(
        (summary.encoding.map(encoding_rs::Encoding::name), summary.delimiter),
        (Some("windows-1252"), Some(';'))
    );
    let sum = summary.valid + summary.invalid + summary.duplicates;
    assert_eq!(summary.rows, sum);
    for reason in Reason::ALL {
        let elsewhere = [
            Reason::OptedOut,
            Reason::CountryMissing,
            Reason::PlusMissing,
            Reason::TwoReadings,
            Reason::EarlierSource,
            Reason::SeveralNumbers,
            Reason::Landline,
            Reason::IdTooLong,
            Reason::TooMuchText,
        ];
        assert_eq!(summary.reasons.contains_key(reason), !elsewhere.contains(reason), "{reason}");
    }
    assert_eq!(summary.notes, [ImportNote::SeveralNumbers(RowCount { number: 1, line: 16 })]);
}
