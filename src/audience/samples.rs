//! The sample files that people try: what they hold is what is claimed of them, and the spreadsheet can be made anew.

use std::path::PathBuf;

use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, XlsxError};

use super::*;
use crate::domain::Recipient;

fn sample(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)
}

fn check(name: &str, country: Option<&str>) -> Summary {
    let options = Options { country: country.map(|country| country.parse().unwrap()), ..Options::default() };
    read(&sample(name), &options, &|_| false, &mut Known::default(), &mut Outputs::default()).unwrap()
}

/// Thirty people, of whom some have their number as a number, as spreadsheets like to keep it, and all have a birthday.
/// The table begins beside and below the corner, a chart-like note follows on another sheet.
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

#[test]
#[ignore = "writes samples/recipients.xlsx anew"]
fn write_the_sample_spreadsheet() {
    std::fs::write(sample("recipients.xlsx"), spreadsheet()).unwrap();
}

#[test]
fn the_clean_sample_is_clean() {
    let summary = check("recipients.csv", None);
    assert_eq!((summary.rows, summary.valid), (50, 50), "{:?}", summary.examples);
    assert_eq!((summary.encoding, summary.delimiter), (Some("UTF-8"), Some(',')));
    assert!(summary.countries.len() >= 6);
    assert_eq!(summary.columns[..5], ["Mobile", "FirstName", "code", "pic", "slug"]);
}

#[test]
fn the_sample_spreadsheet_is_clean() {
    let summary = check("recipients.xlsx", None);
    assert_eq!((summary.rows, summary.valid), (30, 30), "{:?}", summary.examples);
    assert_eq!((summary.sheet.as_deref(), summary.countries.len()), (Some("Recipients"), 5));
}

/// A binary workbook as older programs write it: a cover, a title above the table, countries in words, numbers as quantities.
#[test]
fn the_old_spreadsheet_is_clean() {
    let summary = check("recipients.xls", None);
    assert_eq!((summary.rows, summary.valid), (8, 8), "{:?}", summary.examples);
    assert_eq!((summary.sheet.as_deref(), summary.number_column.as_str()), (Some("Kunden"), "Handy"));
    let countries: Vec<(String, u64)> =
        summary.countries.iter().map(|(country, n)| (country.to_string(), *n)).collect();
    let expected = [("DE", 3), ("ES", 2), ("FR", 1), ("GB", 1), ("SG", 1)].map(|(country, n)| (country.to_owned(), n));
    assert_eq!(countries, expected);
    let title = (1, "Kundenliste, Stand November".to_owned());
    assert_eq!(summary.notes, [Note::Titles { rows: vec![title] }, Note::FixedLines { rows: 1 }]);
}

#[test]
fn spreadsheet_cells_become_the_text_that_people_mean() {
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
    read(&file, &Options::default(), &|msisdn| msisdn.get() == 628_123_456_739, &mut Known::default(), &mut first)
        .unwrap();
    let fields = first.0.unwrap().fields;
    assert_eq!(fields.unpack().unwrap(), ["6581234510", "Wei Ling", "SPRING00", "s/000", "SG", "1970-03-09", "TRUE"]);
    // The last row: three above the table, thirty in it, a blank one between.
    assert_eq!(first.1.iter().map(|reject| reject.line).collect::<Vec<_>>(), [34]);
}

#[test]
fn the_messy_sample_has_one_of_everything() {
    let summary = check("recipients-messy.csv", Some("DE"));
    assert_eq!((summary.encoding, summary.delimiter), (Some("windows-1252"), Some(';')));
    let sum = summary.valid + summary.invalid + summary.duplicates;
    assert_eq!(summary.rows, sum);
    for reason in Reason::ALL {
        let elsewhere = [
            Reason::OptedOut,
            Reason::CountryMissing,
            Reason::Elsewhere,
            Reason::SeveralNumbers,
            Reason::FixedLine,
            Reason::IdTooLong,
        ];
        assert_eq!(summary.reasons.contains_key(reason), !elsewhere.contains(reason), "{reason}");
    }
    assert_eq!(summary.notes, [Note::SeveralNumbers { rows: 1 }]);
}
