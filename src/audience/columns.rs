//! Which column is what.

use super::area::{self, AreaCodes, Joined};
use super::block::Row;
use super::evidence::{Evidence, by_content, by_name};
use super::number::{self, Home, Number};
use super::read::Reading;
use super::{Reason, names};
use crate::domain::{Meaning, column_key};

/// The columns of a file, in its order, and which of them hold what the import itself needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// The place of the first one in its row: what stands left of the table is no part of it.
    left: usize,
    names: Vec<String>,
    number: usize,
    country: Option<usize>,
    client_message_id: Option<usize>,
    /// Of the numbers, where they stand in a column of their own.
    area_codes: Option<AreaCodes>,
    /// It is called so, and names none that is known.
    not_a_country: Option<usize>,
    /// Others that hold phone numbers as well.
    others: Vec<usize>,
    /// Numbers that nobody says a country of lack one, most of them: none is taken for an international one.
    is_national: bool,
    /// Numbers without a `+` may be of another country than the one that is told: they begin with their calling code.
    is_coded: bool,
    /// Opt-outs and exclusions: whatever may be a number is one.
    takes_all: bool,
    /// Each cell of a row is where it belongs: no mark within another has moved it.
    is_of_sheet: bool,
}

/// Why the columns cannot be told apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoColumns {
    NoNumber(Vec<String>),
    /// What was mapped is not there.
    NoSuch(String, Vec<String>),
    /// Two columns would have one name.
    Twice(String),
}

/// What somebody said that a column is: `number=Cell phone`, or `FirstName=Vorname`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    pub is: String,
    pub column: String,
}

impl std::str::FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (is, column) = text.split_once('=').unwrap_or_default();
        match (is.trim(), column.trim()) {
            ("", _) | (_, "") => Err(format!(
                "\"{text}\" is no mapping; write what the column is, =, and its name: number=\"Cell phone\", FirstName=Vorname"
            )),
            (is, column) => Ok(Self { is: is.to_owned(), column: column.to_owned() }),
        }
    }
}

impl Columns {
    /// The names, each different, none empty.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The name of the column that holds the numbers.
    pub fn number(&self) -> &str {
        self.names.get(self.number).map_or("", String::as_str)
    }

    /// Those of numbers that come without a file: they stand in one column, and nothing stands in the others.
    pub(super) fn of_numbers(names: Vec<String>, number: &str) -> Self {
        let number = names.iter().position(|name| name == number).unwrap_or(0);
        Self {
            left: 0,
            names,
            number,
            country: None,
            client_message_id: None,
            area_codes: None,
            not_a_country: None,
            others: Vec::new(),
            is_national: false,
            is_coded: false,
            takes_all: false,
            is_of_sheet: false,
        }
    }

    /// The same columns, with numbers that are written as the first of them are.
    pub(super) fn judged_by<'a>(mut self, first: impl Iterator<Item = Row<'a>>, reading: &Reading<'_>) -> Self {
        let evidence = Evidence::of(&self, self.number, first, reading.default);
        self.judge(&evidence, reading);
        self
    }

    fn judge(&mut self, evidence: &Evidence, reading: &Reading<'_>) {
        self.is_national = evidence.is_national();
        self.is_coded = evidence.is_coded();
        self.takes_all = reading.options.takes_all;
    }

    /// The same columns in a sheet.
    pub(super) fn of_sheet(self, is_of_sheet: bool) -> Self {
        Self { is_of_sheet, ..self }
    }

    pub(super) const fn are_of_sheet(&self) -> bool {
        self.is_of_sheet
    }

    /// The column that is called a country's and is none.
    pub(super) fn not_a_country(&self) -> Option<String> {
        self.not_a_country.filter(|_| self.country.is_none()).and_then(|place| self.names.get(place).cloned())
    }

    /// Whether the column of the numbers is called so.
    pub(super) fn says_numbers(&self) -> bool {
        names::called(self.number()).is_some()
    }

    /// The names of those that hold phone numbers beside the one that was taken.
    pub(super) fn others(&self) -> Vec<String> {
        self.others.iter().filter_map(|place| self.names.get(*place).cloned()).collect()
    }

    pub(super) const fn number_place(&self) -> usize {
        self.number
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn cell<'a>(&self, row: &Row<'a>, place: usize) -> &'a str {
        row.cell(self.left + place)
    }

    /// The number of a row, with its area code where that stands beside it.
    pub(super) fn read(&self, row: &Row<'_>, default: Home) -> Result<Number, Reason> {
        let (cell, home) = (self.cell(row, self.number), self.home(row, default));
        let beside = |codes: &AreaCodes| Some((area::joined(self.cell(row, codes.place), cell)?, codes.is_rest(cell)));
        match self.area_codes.as_ref().and_then(beside) {
            Some((Joined { whole, may_repeat }, is_rest)) if is_rest || !may_repeat => number::read(&whole, home),
            Some(_) | None => number::read(cell, home),
        }
    }

    /// The column of area codes, where those were put before the numbers.
    pub(super) fn area_code(&self) -> Option<&str> {
        self.area_codes.as_ref().and_then(|codes| self.names.get(codes.place)).map(String::as_str)
    }

    /// A row's cells, one for each column.
    pub(super) fn cells<'a>(&self, row: Row<'a>) -> impl Iterator<Item = &'a str> + Clone {
        (self.left..self.left + self.len()).map(move |place| row.cell(place))
    }

    /// What stands behind the last column.
    pub(super) fn behind<'a>(&self, row: Row<'a>) -> impl Iterator<Item = &'a str> + Clone {
        (self.left + self.len()..row.width()).map(move |place| row.cell(place))
    }

    pub(super) fn client_message_id<'a>(&self, row: &Row<'a>) -> Option<&'a str> {
        self.client_message_id.map(|index| self.cell(row, index).trim()).filter(|id| !id.is_empty())
    }

    /// The country of a row's national number.
    pub(super) fn home(&self, row: &Row<'_>, default: Home) -> Home {
        match self.country.map_or(default, |index| Home::of_cell(self.cell(row, index), default)) {
            Home::Missing if self.is_national => Home::National,
            home if self.takes_all => home.any(),
            home if self.is_coded => home.coded(),
            home => home,
        }
    }

    /// Reads the header, where there is one, with the help of the first rows of data.
    pub(super) fn find<'a, I: Iterator<Item = Row<'a>>>(
        header: Option<Row<'a>>,
        data: &dyn Fn() -> I,
        reading: &Reading<'_>,
    ) -> Result<Self, NoColumns> {
        let left = first_column(header, data);
        let names = names::name_all(left, header, data);
        let keys: Vec<String> = names.iter().map(|name| column_key(name)).collect();
        // What it says need not be understood: a number of a country that nobody knows is refused, and not taken for one of
        // another country.
        let is_country = |index: usize| {
            let says = |row: Row<'_>| Home::of_cell(row.cell(left + index), Home::Missing);
            let (known, unknown) = data().map(says).fold((false, false), |(known, unknown), home| {
                (known || matches!(home, Home::Known(_)), unknown || home == Home::Unreadable)
            });
            // Where somebody has told a country, a column that names none says something else.
            known || (unknown && reading.default == Home::Missing)
        };
        let called_so = || (0..keys.len()).filter(|index| Meaning::of_key(&keys[*index]) == Some(Meaning::Country));
        // A word of a name is not enough: most of what stands there has to be a country.
        let are_countries = |index: &usize| {
            let cells = || data().map(|row| row.cell(left + *index)).filter(|cell| !cell.trim().is_empty());
            let known = cells().filter(|cell| matches!(Home::of_cell(cell, Home::Missing), Home::Known(_))).count();
            known > 0 && known * 2 >= cells().count()
        };
        let by_word = || (0..names.len()).filter(|index| names::may_be_country(&names[*index])).find(are_countries);
        let country = called_so().find(|index| is_country(*index)).or_else(by_word);
        let says_something =
            |index: &usize| data().any(|row| row.cell(left + *index).chars().any(char::is_alphanumeric));
        let client_message_id = keys.iter().position(|key| Meaning::of_key(key) == Some(Meaning::ClientMessageId));
        let not_a_country = called_so().find(says_something).filter(|_| country.is_none());
        let mut found = Self { left, country, client_message_id, not_a_country, ..Self::of_numbers(names, "") };
        let told = found.map(&reading.options.map)?;
        let default = reading.default;
        let evidence: Vec<Evidence> =
            (0..keys.len()).map(|index| Evidence::of(&found, index, data(), default)).collect();
        let wanted = || {
            let wanted = reading.options.number.as_deref()?;
            place_of(wanted, &found.names).filter(|place| evidence.get(*place).is_some_and(|it| it.filled > 0))
        };
        // A name says nothing of a column in which nothing stands.
        let named = || by_name(&found.names, &evidence).filter(|place| evidence[*place].filled > 0);
        let by_content = || by_content(&found.names, &evidence, client_message_id);
        // Where no cell helps, a name or a word of it is all there is.
        let ranks = || (0..keys.len()).filter_map(|place| Some((names::called(&found.names[place])?, place)));
        let by_rank = || ranks().min().map(|(_, place)| place);
        let number = told.or_else(wanted).or_else(named).or_else(by_content).or_else(by_rank);
        let Some(number) = number else { return Err(NoColumns::NoNumber(found.names)) };
        found.number = number;
        if let Some(evidence) = evidence.get(number) {
            found.judge(evidence, reading);
        }
        // Where nothing but the content spoke for the one that was taken, it speaks for others as well.
        let is_guess = told.is_none() && !found.says_numbers();
        let is_another = |place: &usize| {
            *place != number
                && Some(*place) != client_message_id
                && evidence[*place].are_others(&found.names[*place], is_guess)
        };
        found.others = (0..evidence.len()).filter(is_another).collect();
        // A name is not enough: most of the numbers that lack one have to exist with what stands there.
        let rests = |place: usize| {
            let joined = |row: &Row<'_>| area::joined(found.cell(row, place), found.cell(row, number));
            let whole = |row| Some((joined(&row).filter(|joined| !joined.may_repeat)?, row));
            let exists = |joined: &Joined, row: &Row<'_>| number::read(&joined.whole, found.home(row, default)).is_ok();
            let (mut rests, mut missing) = (Vec::new(), 0);
            for (joined, row) in data().filter_map(whole) {
                if exists(&joined, &row) {
                    rests.push(number::digits(found.cell(&row, number)));
                } else {
                    missing += 1;
                }
            }
            (!rests.is_empty() && rests.len() >= missing)
                .then(|| AreaCodes { place, rests: rests.into_iter().collect() })
        };
        let are_area_codes = |place: &usize| *place != number && area::is_called_so(&found.names[*place]);
        found.area_codes = (0..found.len()).filter(are_area_codes).find_map(rests);
        Ok(found)
    }

    /// Obeys what somebody said. Returns the column of the numbers, where that was said.
    fn map(&mut self, mappings: &[Mapping]) -> Result<Option<usize>, NoColumns> {
        let mut number = None;
        let before = self.names.clone();
        for Mapping { is, column } in mappings {
            let Some(place) = place_of(column, &before) else {
                return Err(NoColumns::NoSuch(column.clone(), before));
            };
            match is.to_ascii_lowercase().as_str() {
                "number" => number = Some(place),
                "country" => self.country = Some(place),
                "clientmessageid" => self.client_message_id = Some(place),
                _ if self.names.iter().enumerate().any(|(other, name)| other != place && name == is) => {
                    return Err(NoColumns::Twice(is.clone()));
                }
                _ => is.clone_into(&mut self.names[place]),
            }
        }
        Ok(number)
    }

    /// What a column is to the import and to templates, where that is known: its name there.
    pub(super) fn meaning(&self, place: usize) -> Option<&'static str> {
        if place == self.number {
            return Some("number");
        }
        let meaning = match () {
            () if self.country == Some(place) => Some(Meaning::Country),
            () if self.client_message_id == Some(place) => Some(Meaning::ClientMessageId),
            () => {
                let by_name = self.names.get(place).and_then(|name| Meaning::of(name));
                by_name.filter(|meaning| matches!(meaning, Meaning::FirstName | Meaning::LastName))
            }
        };
        meaning.map(Meaning::name)
    }

    /// Names that the header does not say, where there is one.
    pub(super) fn named_by_us(&self, header: Option<Row<'_>>, mappings: &[Mapping]) -> Option<Vec<String>> {
        let header = header?;
        let said: Vec<&str> =
            header.cells().map(names::bare).chain(mappings.iter().map(|told| told.is.as_str())).collect();
        let ours = |name: &&String| !said.contains(&name.as_str());
        let names: Vec<String> = self.names.iter().filter(ours).cloned().collect();
        (!names.is_empty()).then_some(names)
    }
}

/// Where a column stands: the one of that very name, else one that differs only in how it is written.
pub(super) fn place_of(column: &str, names: &[String]) -> Option<usize> {
    let nearly = || names.iter().position(|name| column_key(name) == column_key(column));
    names.iter().position(|name| name == column).or_else(nearly)
}

/// Where a table begins in a sheet that has room left of it: at its first name, or left of that where a row holds something.
fn first_column<'a, I: Iterator<Item = Row<'a>>>(header: Option<Row<'a>>, data: &dyn Fn() -> I) -> usize {
    let is_used = |row: &Row<'_>, place: usize| !row.cell(place).trim().is_empty();
    let begin = |row: Row<'_>| (0..row.width()).find(|place| is_used(&row, *place));
    header.into_iter().chain(data()).filter_map(begin).min().unwrap_or(0)
}

#[cfg(test)]
mod tests;
