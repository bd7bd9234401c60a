//! The fields of a form with a recipient file: how its numbers are read. They are choices, so that no file is uploaded with
//! a wrong one.

use super::texts::{COUNTRIES, ENGLISH};
use super::writing::{Field, FieldKind};
use crate::base::domain::Country;

#[derive(Debug)]
pub struct FileFields {
    pub country: Field,
    pub lines: Field,
}

/// Which country the numbers of a file have. It is asked before the file is stored.
#[derive(Debug)]
pub struct CountryQuestion {
    pub upload: String,
    pub without_country: u64,
    pub rows: u64,
    pub fields: FileFields,
}

impl FileFields {
    /// The fields with what was chosen: a country, and which lines are accepted.
    pub fn new(country: &str, lines: &str) -> Self {
        Self::named(["country", "lines"], (country, lines))
    }

    /// The same for a second form of a page.
    pub fn of_second_form(country: &str, lines: &str) -> Self {
        Self::named(["file-country", "file-lines"], (country, lines))
    }

    fn named(names: [&str; 2], (country, lines): (&str, &str)) -> Self {
        let own = &ENGLISH.audiences;
        let kinds = [("", own.all_lines), ("mobile", own.mobile_lines)];
        let kinds = kinds.map(|(value, label)| (value.to_owned(), label.to_owned())).to_vec();
        let lines = Field::text(names[1], (own.lines, own.lines_hint), lines.to_owned());
        Self { country: country_field(names[0], country), lines: Field { kind: FieldKind::Choice(kinds), ..lines } }
    }
}

/// The field for the country of numbers without a country code.
pub fn country_field(name: &str, chosen: &str) -> Field {
    let chosen = chosen.parse().map_or_else(|_| String::new(), |country: Country| country.to_string());
    let none = (String::new(), ENGLISH.no_default_country.to_owned());
    let countries = COUNTRIES.iter().map(|(code, name)| ((*code).to_owned(), format!("{name} ({code})")));
    let kind = FieldKind::Choice(std::iter::once(none).chain(countries).collect());
    Field { kind, ..Field::text(name, (ENGLISH.default_country, ENGLISH.default_country_hint), chosen) }
}
