//! Writes a demo recipient file: plausible recipients who do not exist, with valid and distinct numbers.

use std::path::Path;

use rust_xlsxwriter::{Workbook, Worksheet, XlsxError};
use tempfile::NamedTempFile;

use super::Error;
use crate::base::clock::Chance;

/// The rows of a sheet, without the header.
pub const MAX_DEMO_RECIPIENTS: u64 = 1_048_575;

const HEADER: [&str; 6] = ["Mobile", "FirstName", "Code", "Pic", "Slug", "Country"];

/// A range of a million valid numbers in one country: the prefix and any six digits.
struct NumberRange {
    country: &'static str,
    prefix: &'static str,
    names: &'static [&'static str],
}

const RANGES: &[NumberRange] = &[
    NumberRange {
        country: "SG",
        prefix: "+6591",
        names: &["Wei Ling", "Jun Jie", "Hui Min", "Kai Xuan", "Priya", "Nurul", "Farid", "Mei Fen", "Zhi Hao", "Siti"],
    },
    NumberRange {
        country: "ID",
        prefix: "+62812345",
        names: &["Dewi", "Budi", "Putri", "Agus", "Rina", "Eko", "Ayu", "Bambang", "Indah", "Yusuf"],
    },
    NumberRange {
        country: "MY",
        prefix: "+60123",
        names: &["Aisyah", "Hafiz", "Chee Keong", "Nadia", "Suresh", "Amirah", "Farhan", "Li Na", "Kavitha", "Azlan"],
    },
    NumberRange {
        country: "PH",
        prefix: "+639171",
        names: &["Maria", "Jose", "Angelica", "Jun", "Liza", "Ramon", "Kristine", "Paolo", "Grace", "Benjie"],
    },
    NumberRange {
        country: "TH",
        prefix: "+66812",
        names: &["Somchai", "Malee", "Anong", "Niran", "Ploy", "Kamon", "Suda", "Arthit", "Wanida", "Prasert"],
    },
    NumberRange {
        country: "IN",
        prefix: "+919812",
        names: &["Aarav", "Diya", "Rohan", "Ananya", "Vikram", "Ishita", "Karthik", "Meera", "Sanjay", "Pooja"],
    },
    NumberRange {
        country: "DE",
        prefix: "+4915112",
        names: &["Lena", "Jürgen", "Sophie", "Björn", "Käthe", "Lukas", "Heike", "Jonas", "Anneliese", "Felix"],
    },
    NumberRange {
        country: "GB",
        prefix: "+447400",
        names: &["Olivia", "Harry", "Amelia", "Siobhán", "George", "Zoë", "Arthur", "Isla", "Callum", "Freya"],
    },
];
const RANGE_SIZE: u64 = 1_000_000;

/// Writes an XLSX file of `count` recipients in eight countries. The same seed writes the same rows. It streams: memory does
/// not grow with the count.
pub fn write_demo(file: &Path, count: u64, chance: &Chance) -> Result<(), Error> {
    if !(1..=MAX_DEMO_RECIPIENTS).contains(&count) {
        return Err(Error::DemoSize { count, max: MAX_DEMO_RECIPIENTS });
    }
    let failed = |source: super::BoxError| Error::Write { file: file.to_owned(), source };
    let mut book = Workbook::new();
    let sheet = book.add_worksheet_with_constant_memory().map_err(|error| failed(error.into()))?;
    fill(sheet, count, chance).map_err(|error| failed(error.into()))?;
    // The file is renamed when it is complete, so no import sees half of it.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = NamedTempFile::new_in(folder).map_err(|error| failed(error.into()))?;
    book.save_to_writer(temporary.as_file_mut()).map_err(|error| failed(error.into()))?;
    temporary.persist(file).map_err(|error| failed(error.into()))?;
    Ok(())
}

fn fill(sheet: &mut Worksheet, count: u64, chance: &Chance) -> Result<(), XlsxError> {
    sheet.set_name("Recipients")?;
    sheet.set_column_width(0, 18)?;
    for (column, name) in (0..).zip(HEADER) {
        sheet.write_string(0, column, name)?;
    }
    let mut numbers: Vec<Numbers> = RANGES.iter().map(|_| Numbers::new(chance)).collect();
    for row in (1..).take(usize::try_from(count).unwrap_or(usize::MAX)) {
        let range = below(chance, RANGES.len());
        let NumberRange { country, prefix, names } = &RANGES[range];
        let cells = [
            format!("{prefix}{:06}", numbers[range].next()),
            names[below(chance, names.len())].to_owned(),
            code(chance),
            format!("spring-{}.jpg", below(chance, 12) + 1),
            format!("s/{}", code(chance).to_lowercase()),
            (*country).to_owned(),
        ];
        for (column, cell) in (0..).zip(cells) {
            sheet.write_string(row, column, cell)?;
        }
    }
    Ok(())
}

/// Yields every value below [`RANGE_SIZE`] once, in an order that looks random: the step and the size have no common factor.
struct Numbers {
    at: u64,
}

impl Numbers {
    const STEP: u64 = 618_033;

    fn new(chance: &Chance) -> Self {
        Self { at: chance.bits() % RANGE_SIZE }
    }

    fn next(&mut self) -> u64 {
        self.at = (self.at + Self::STEP) % RANGE_SIZE;
        self.at
    }
}

fn below(chance: &Chance, count: usize) -> usize {
    usize::try_from(chance.bits() % count as u64).unwrap_or(0)
}

/// A voucher code without easily confused characters.
fn code(chance: &Chance) -> String {
    const SIGNS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    (0..7).map(|_| char::from(SIGNS[below(chance, SIGNS.len())])).collect()
}

#[cfg(test)]
mod tests {
    use super::super::number::{self, Home};
    use super::super::{Options, SeenRecipients, read};
    use super::*;

    #[test]
    fn every_number_of_every_range_is_valid_in_its_country() {
        for NumberRange { country, prefix, .. } in RANGES {
            for digits in (0..RANGE_SIZE).step_by(997).chain([RANGE_SIZE - 1]) {
                let number = number::read(&format!("{prefix}{digits:06}"), Home::Missing);
                assert_eq!(
                    number.map(|number| number.country.to_string()),
                    Ok((*country).to_owned()),
                    "{prefix}{digits:06}"
                );
            }
        }
    }

    #[test]
    fn a_range_repeats_no_number_before_its_end() {
        let mut numbers = Numbers::new(&Chance::seeded(1));
        let all: std::collections::HashSet<u64> = (0..RANGE_SIZE).map(|_| numbers.next()).collect();
        assert_eq!(all.len() as u64, RANGE_SIZE);
    }

    #[test]
    fn every_row_of_a_demo_file_reads_back_as_valid() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("demo.xlsx");
        write_demo(&file, 3_000, &Chance::seeded(7)).unwrap();
        let summary = read(
            &file,
            &Options::default(),
            &|_| false,
            &mut SeenRecipients::default(),
            &mut super::super::Outputs::default(),
        )
        .unwrap();
        assert_eq!((summary.rows, summary.valid, summary.countries.len()), (3_000, 3_000, RANGES.len()));
        assert_eq!((summary.number_column.as_str(), summary.sheet.as_deref()), ("Mobile", Some("Recipients")));
        assert_eq!(summary.columns, HEADER);
    }

    #[test]
    fn a_demo_with_too_few_or_too_many_recipients_is_refused() {
        for count in [0, MAX_DEMO_RECIPIENTS + 1] {
            let error = write_demo(Path::new("never.xlsx"), count, &Chance::seeded(1)).unwrap_err();
            assert!(matches!(error, Error::DemoSize { .. }));
        }
    }
}
