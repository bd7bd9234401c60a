//! Recipient files for benchmarks. The same rows produce the same recipients in every format.

use std::path::Path;

use rust_xlsxwriter::Workbook;

use crate::base::domain::{Country, Msisdn};
use crate::bench::Error;
use crate::recipients::audience::example_number;

pub(super) const HEADER: [&str; 6] = ["Mobile", "FirstName", "Country", "Code", "Points", "City"];

/// The countries of the recipients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Sixteen countries. Half of the numbers are in national form, and five of a hundred are invalid.
    Some,
    /// Every country that has numbers.
    Everywhere,
}

/// A country, its calling code, its trunk prefix, the first digits of its mobile numbers, their length, and a name.
struct NumberPlan(&'static str, &'static str, &'static str, &'static str, usize, &'static str);

const PLANS: [NumberPlan; 16] = [
    NumberPlan("SG", "65", "", "8", 8, "Wei Ling"),
    NumberPlan("DE", "49", "0", "151", 11, "Jürgen"),
    NumberPlan("GB", "44", "0", "7400", 10, "Zoë"),
    NumberPlan("IN", "91", "", "98", 10, "Ananya"),
    NumberPlan("ID", "62", "0", "812", 11, "Dewi"),
    NumberPlan("FR", "33", "0", "61", 9, "François"),
    NumberPlan("US", "1", "", "650253", 10, "Bob"),
    NumberPlan("BR", "55", "", "119", 11, "Ana"),
    NumberPlan("ES", "34", "", "61", 9, "José"),
    NumberPlan("IT", "39", "", "34", 10, "Luca"),
    NumberPlan("TH", "66", "0", "8", 9, "Somchai"),
    NumberPlan("MY", "60", "0", "12", 9, "Aisyah"),
    NumberPlan("PH", "63", "0", "917", 10, "María"),
    NumberPlan("AU", "61", "0", "41", 9, "Jack"),
    NumberPlan("JP", "81", "0", "90", 10, "Yuki"),
    NumberPlan("ZA", "27", "0", "82", 9, "Thabo"),
];

/// Rows of a recipient file, the same ones each time.
struct Rows {
    random: fastrand::Rng,
    everywhere: Vec<(Country, Msisdn)>,
    from: From,
    next: u32,
}

impl Rows {
    fn new(from: From) -> Self {
        let country = |code: &str| code.parse().ok();
        let known = Country::known().filter_map(country);
        let everywhere = known.filter_map(|country| Some((country, example_number(country)?))).collect();
        Self { random: fastrand::Rng::with_seed(1), everywhere, from, next: 0 }
    }

    fn row(&mut self) -> [String; 6] {
        let n = self.next;
        self.next += 1;
        let (number, name, country) = match self.from {
            From::Some => self.of_some(n),
            From::Everywhere => self.of_all(n),
        };
        let points = (n % 1_000).to_string();
        [number, name.to_owned(), country, format!("SPRING{n:07}"), points, format!("City of {}", n % 500)]
    }

    fn of_some(&mut self, n: u32) -> (String, &'static str, String) {
        let NumberPlan(country, code, trunk, begins, digits, name) = &PLANS[n as usize % PLANS.len()];
        let mut own = (*begins).to_owned();
        while own.len() < *digits {
            own.push(char::from(self.random.u8(b'0'..=b'9')));
        }
        let number = match self.random.u8(0..100) {
            0..2 => "n/a".to_owned(),
            2..5 => own[..4].to_owned(),
            5..30 => format!("{trunk}{own}"),
            30..52 => format!("{trunk}{} {}-{}", &own[..3], &own[3..6], &own[6..]),
            52..60 => format!("+{code} {} {}", &own[..3], &own[3..]),
            _ => format!("+{code}{own}"),
        };
        (number, name, (*country).to_owned())
    }

    /// Returns a valid number with its last five digits replaced at random.
    fn of_all(&mut self, n: u32) -> (String, &'static str, String) {
        let (country, example) = self.everywhere[n as usize % self.everywhere.len()];
        let number = example.get() / 100_000 * 100_000 + self.random.u64(0..100_000);
        (format!("+{number}"), "Ann", country.to_string())
    }
}

/// Writes a CSV file of `rows` recipients.
pub fn write_csv(path: &Path, rows: u32, from: From) -> Result<(), Error> {
    let mut source = Rows::new(from);
    let mut csv = csv::Writer::from_path(path)?;
    csv.write_record(HEADER)?;
    for _ in 0..rows {
        csv.write_record(source.row())?;
    }
    Ok(csv.flush()?)
}

/// Writes the same recipients as a sheet, with shared strings as spreadsheets write them.
pub fn write_xlsx(path: &Path, rows: u32, from: From) -> Result<(), Error> {
    let mut source = Rows::new(from);
    let mut book = Workbook::new();
    let sheet = book.add_worksheet_with_low_memory()?;
    sheet.write_row(0, 0, HEADER)?;
    for row in 1..=rows {
        let [number, name, country, code, points, city] = source.row();
        sheet.write_row(row, 0, [number, name, country, code])?;
        sheet.write_number(row, 4, points.parse::<f64>()?)?;
        sheet.write_string(row, 5, city)?;
    }
    Ok(book.save(path)?)
}
