//! Finds out what each column of a file holds.

use std::borrow::Cow;

use super::area::{self, AreaCodes, Joined};
use super::block::Row;
use super::evidence::{Evidence, by_content, by_name};
use super::number::{self, Home, Number};
use super::outputs::{AFTER, BEFORE};
use super::read::Reading;
use super::{ColumnMeaning, Reason, exported, names};
use crate::base::domain::{ChannelUser, Meaning, Msisdn, column_key, formula};

/// The columns of a file, in its order, and which of them the import itself uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// The index of the first column in a row: cells left of the table do not belong to it.
    left: usize,
    names: Vec<String>,
    /// The number of columns after them that Volley has added to a file of rejected rows. They belong to no recipient.
    added: usize,
    number: usize,
    country: Option<usize>,
    client_message_id: Option<usize>,
    /// The column of ids by which WhatsApp knows its users.
    user: Option<usize>,
    /// The column of area codes, if the numbers lack them.
    area_codes: Option<AreaCodes>,
    /// A column whose name says country and whose cells name no known one.
    not_a_country: Option<usize>,
    /// Other columns that hold phone numbers.
    others: Vec<usize>,
    /// Most numbers without a given country lack one, so none is read as an international number.
    is_national: bool,
    /// Numbers without a `+` begin with their calling code, so they may be of another country than the given one.
    is_coded: bool,
    /// Whether every possible number is accepted, as in lists of opt-outs and exclusions.
    takes_all: bool,
    /// Whether the file is an exported audience: the number and the country of each row are left of its columns.
    is_exported: bool,
    /// Whether the file is a sheet, in which no stray delimiter can shift the cells of a row.
    is_of_sheet: bool,
}

/// The number of columns before `end` that Volley has added to a file of rejected rows: their names are Volley's, and
/// their reasons too.
fn added<'a, I: Iterator<Item = Row<'a>>>(end: usize, header: Option<Row<'a>>, data: &dyn Fn() -> I) -> usize {
    let Some((header, first)) = header.zip(end.checked_sub(AFTER.len())) else { return 0 };
    let is_named = AFTER.iter().enumerate().all(|(index, name)| header.cell(first + index).trim() == *name);
    let reasons = || data().map(|row| row.cell(end - 1).trim()).filter(|cell| !cell.is_empty());
    if is_named && reasons().next().is_some() && reasons().all(Reason::is_in_file) { AFTER.len() } else { 0 }
}

/// The column of countries; without one, a filled column whose name says country and whose cells name no known one.
fn country_columns<'a, I: Iterator<Item = Row<'a>>>(
    left: usize,
    names: &[String],
    keys: &[String],
    data: &dyn Fn() -> I,
    default: Home,
) -> (Option<usize>, Option<usize>) {
    // Its cells need not name known countries: a number of an unknown country is rejected, not read as one of another.
    let is_country = |index: usize| {
        let says = |row: Row<'_>| Home::of_cell(row.cell(left + index), Home::Missing);
        let (known, unknown) = data().map(says).fold((false, false), |(known, unknown), home| {
            (known || matches!(home, Home::Known(_)), unknown || home == Home::Unreadable)
        });
        // If a country is given for the file, a column without known countries holds something else.
        known || (unknown && default == Home::Missing)
    };
    let named_country = || (0..keys.len()).filter(|index| Meaning::of_key(&keys[*index]) == Some(Meaning::Country));
    // A word of the name is not enough: at least half of the filled cells must name a country.
    let are_countries = |index: &usize| {
        let cells = || data().map(|row| row.cell(left + *index)).filter(|cell| !cell.trim().is_empty());
        let known = cells().filter(|cell| matches!(Home::of_cell(cell, Home::Missing), Home::Known(_))).count();
        known > 0 && known * 2 >= cells().count()
    };
    let by_word = || (0..names.len()).filter(|index| names::may_be_country(&names[*index])).find(are_countries);
    let country = named_country().find(|index| is_country(*index)).or_else(by_word);
    let is_filled = |index: &usize| data().any(|row| row.cell(left + *index).chars().any(char::is_alphanumeric));
    let not_a_country = named_country().find(is_filled).filter(|_| country.is_none());
    (country, not_a_country)
}

/// Why the columns cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoColumns {
    NoNumber(Vec<String>),
    /// A mapped column does not exist.
    NoSuch(String, Vec<String>),
    /// Two columns would have the same name.
    Twice(String),
}

/// The operator's name for a column: `number=Cell phone`, or `FirstName=Vorname`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    pub name: String,
    pub column: String,
}

impl std::str::FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, column) = text.split_once('=').unwrap_or_default();
        match (name.trim(), column.trim()) {
            ("", _) | (_, "") => Err(format!(
                "invalid mapping \"{text}\"; write NAME=COLUMN, such as number=\"Cell phone\" or FirstName=Vorname"
            )),
            (name, column) => Ok(Self { name: name.to_owned(), column: column.to_owned() }),
        }
    }
}

impl Columns {
    /// The names: unique, and none empty.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The name of the number column.
    pub fn number(&self) -> &str {
        self.names.get(self.number).map_or("", String::as_str)
    }

    /// The columns of numbers that come without a file: all but the number column are empty.
    pub(super) fn of_numbers(names: Vec<String>, number: &str) -> Self {
        let number = names.iter().position(|name| name == number).unwrap_or(0);
        Self {
            left: 0,
            names,
            added: 0,
            number,
            country: None,
            client_message_id: None,
            user: None,
            area_codes: None,
            not_a_country: None,
            others: Vec::new(),
            is_national: false,
            is_coded: false,
            takes_all: false,
            is_exported: false,
            is_of_sheet: false,
        }
    }

    /// The same columns, with the notation of the numbers found from the first rows.
    pub(super) fn judged_by<'a>(mut self, first: impl Iterator<Item = Row<'a>>, reading: &Reading<'_>) -> Self {
        let evidence = Evidence::of(&self, self.number, first, reading.default);
        self.set_notation(&evidence, reading);
        self
    }

    fn set_notation(&mut self, evidence: &Evidence, reading: &Reading<'_>) {
        self.is_national = evidence.is_national();
        self.is_coded = evidence.is_coded();
        self.takes_all = reading.options.takes_all;
    }

    /// The same columns, marked as those of a sheet or not.
    pub(super) fn of_sheet(self, is_of_sheet: bool) -> Self {
        Self { is_of_sheet, ..self }
    }

    pub(super) const fn are_of_sheet(&self) -> bool {
        self.is_of_sheet
    }

    /// The column whose name says country and whose cells name no known one.
    pub(super) fn not_a_country(&self) -> Option<String> {
        self.not_a_country.filter(|_| self.country.is_none()).and_then(|index| self.names.get(index).cloned())
    }

    /// Whether the name of the number column says that it holds numbers.
    pub(super) fn says_numbers(&self) -> bool {
        names::called(self.number()).is_some()
    }

    /// The names of the other columns that hold phone numbers.
    pub(super) fn others(&self) -> Vec<String> {
        self.others.iter().filter_map(|index| self.names.get(*index).cloned()).collect()
    }

    pub(super) const fn number_place(&self) -> usize {
        self.number
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn cell<'a>(&self, row: &Row<'a>, index: usize) -> &'a str {
        self.as_it_was(row.cell(self.left + index))
    }

    /// The cell without the mark that Volley puts before a formula in its own CSV files.
    fn as_it_was<'a>(&self, cell: &'a str) -> &'a str {
        let is_ours = self.is_exported || self.added > 0;
        if is_ours && !self.is_of_sheet { formula::unmarked(cell) } else { cell }
    }

    /// Reads the number of a row, with the area code of its own column if there is one.
    pub(super) fn read(&self, row: &Row<'_>, default: Home) -> Result<Number, Reason> {
        number::read(&self.number_cell(row), self.home(row, default))
    }

    /// Both numbers that a row can be read as, if it is refused for that.
    pub(super) fn both_readings(&self, row: &Row<'_>, default: Home) -> Option<[Msisdn; 2]> {
        number::both_readings(&self.number_cell(row), self.home(row, default))
    }

    /// Reads all numbers of a row whose cell holds several; none of a row with one number.
    pub(super) fn read_all(&self, row: &Row<'_>, default: Home) -> Vec<Number> {
        number::all(&self.number_cell(row), self.home(row, default))
    }

    /// The cell of the number, after the area code of its own column.
    fn number_cell<'a>(&self, row: &Row<'a>) -> Cow<'a, str> {
        if self.is_exported {
            return Cow::Borrowed(row.cell(self.left - BEFORE.len()));
        }
        let cell = self.cell(row, self.number);
        let with_code =
            |codes: &AreaCodes| Some((area::joined(self.cell(row, codes.place), cell)?, codes.is_rest(cell)));
        match self.area_codes.as_ref().and_then(with_code) {
            Some((Joined { whole, may_repeat }, is_rest)) if is_rest || !may_repeat => Cow::Owned(whole),
            Some(_) | None => Cow::Borrowed(cell),
        }
    }

    /// The name of the column whose area codes are put before the numbers.
    pub(super) fn area_code(&self) -> Option<&str> {
        self.area_codes.as_ref().and_then(|codes| self.names.get(codes.place)).map(String::as_str)
    }

    /// The cells of a row, one for each column.
    pub(super) fn cells<'a>(&self, row: Row<'a>) -> impl Iterator<Item = &'a str> + Clone {
        (0..self.len()).map(move |index| self.cell(&row, index))
    }

    /// The cells after the last column.
    pub(super) fn cells_after<'a>(&self, row: Row<'a>) -> impl Iterator<Item = &'a str> + Clone {
        (self.left + self.len() + self.added..row.width()).map(move |index| row.cell(index))
    }

    pub(super) fn client_message_id<'a>(&self, row: &Row<'a>) -> Option<&'a str> {
        self.client_message_id.map(|index| self.cell(row, index).trim()).filter(|id| !id.is_empty())
    }

    /// The index of the column of WhatsApp's ids.
    pub(super) const fn users_place(&self) -> Option<usize> {
        self.user
    }

    /// The WhatsApp user whom a row names in the column of ids.
    pub(super) fn user(&self, row: &Row<'_>) -> Option<ChannelUser> {
        ChannelUser::of_whatsapp(self.cell(row, self.user?))
    }

    /// Whether the file has ids in place of numbers.
    fn is_of_users_alone(&self) -> bool {
        self.user == Some(self.number) && !self.says_numbers()
    }

    /// The WhatsApp user whom a row names in place of a number: in its own column, or in the number's.
    pub(super) fn user_alone(&self, row: &Row<'_>, number: &Result<Number, Reason>) -> Option<ChannelUser> {
        let is_any = self.is_exported || self.is_of_users_alone();
        // Nearly every cell is a number, and too short for an id.
        if number.is_ok() && !is_any && self.cell(row, self.number).len() <= ChannelUser::LONGEST_UNSURE {
            return None;
        }
        let cell = self.number_cell(row);
        match number {
            Err(_) if cell.trim().is_empty() => self.user(row),
            _ => ChannelUser::of_whatsapp(&cell).filter(|user| is_any || user.is_surely_of_whatsapp()),
        }
    }

    /// The country of a number of a row without a `+`.
    pub(super) fn home(&self, row: &Row<'_>, default: Home) -> Home {
        match self.country.map_or(default, |index| Home::of_cell(self.cell(row, index), default)) {
            Home::Missing if self.is_national => Home::National,
            home if self.takes_all => home.any(),
            home if self.is_coded => home.coded(),
            home => home,
        }
    }

    /// Finds the columns by the header, if there is one, and the first rows of data.
    pub(super) fn find<'a, I: Iterator<Item = Row<'a>>>(
        header: Option<Row<'a>>,
        data: &dyn Fn() -> I,
        reading: &Reading<'_>,
    ) -> Result<Self, NoColumns> {
        let left = first_column(header, data);
        match exported::find(left, header, data, reading) {
            Some(found) => Ok(found),
            None => Self::find_from(left, header, data, reading),
        }
    }

    /// The columns of an exported audience, which come after the number and the country of each row.
    pub(super) fn of_export(self) -> Self {
        let names = self.names.iter().map(|name| formula::unmarked(name).to_owned()).collect();
        Self { names, is_exported: true, ..self }
    }

    /// Finds the columns from `left` on.
    pub(super) fn find_from<'a, I: Iterator<Item = Row<'a>>>(
        left: usize,
        header: Option<Row<'a>>,
        data: &dyn Fn() -> I,
        reading: &Reading<'_>,
    ) -> Result<Self, NoColumns> {
        let mut names = names::name_all(left, header, data);
        let added = added(left + names.len(), header, data);
        names.truncate(names.len() - added);
        let keys: Vec<String> = names.iter().map(|name| column_key(name)).collect();
        let (country, not_a_country) = country_columns(left, &names, &keys, data, reading.default);
        let client_message_id = keys.iter().position(|key| Meaning::of_key(key) == Some(Meaning::ClientMessageId));
        let mut found = Self { left, added, country, client_message_id, not_a_country, ..Self::of_numbers(names, "") };
        found.user = found.find_users(&keys, data);
        let mapped = found.apply(&reading.options.map)?;
        let default = reading.default;
        let evidence: Vec<Evidence> =
            (0..keys.len()).map(|index| Evidence::of(&found, index, data(), default)).collect();
        let wanted = || {
            let wanted = reading.options.number.as_deref()?;
            place_of(wanted, &found.names).filter(|index| evidence.get(*index).is_some_and(|it| it.filled > 0))
        };
        // The name of an empty column does not count.
        let named = || by_name(&found.names, &evidence).filter(|index| evidence[*index].filled > 0);
        let by_content = || by_content(&found.names, &evidence, client_message_id);
        // If no cell helps, only the names are left.
        let ranks = || (0..keys.len()).filter_map(|index| Some((names::called(&found.names[index])?, index)));
        let by_rank = || ranks().min().map(|(_, index)| index);
        let is_user = |cell: &str| ChannelUser::channel_of(cell.trim()).is_some();
        let has_users = |index: &usize| data().any(|row| is_user(found.cell(&row, *index)));
        let by_users =
            || found.user.or_else(|| (0..keys.len()).find(has_users).filter(|_| reading.options.takes_users));
        let number = mapped.or_else(wanted).or_else(named).or_else(by_content).or_else(by_rank).or_else(by_users);
        let Some(number) = number else { return Err(NoColumns::NoNumber(found.names)) };
        found.number = number;
        if let Some(evidence) = evidence.get(number) {
            found.set_notation(evidence, reading);
        }
        // If the number column was found by its content alone, other columns with such content count as well.
        let is_guess = mapped.is_none() && !found.says_numbers();
        let is_another = |index: &usize| {
            *index != number
                && Some(*index) != client_message_id
                && evidence[*index].are_others(&found.names[*index], is_guess)
        };
        found.others = (0..evidence.len()).filter(is_another).collect();
        found.area_codes = found.find_area_codes(data, default);
        Ok(found)
    }

    /// Finds the column of WhatsApp's ids: by its name, or because at least half of its filled cells are surely ids.
    fn find_users<'a, I: Iterator<Item = Row<'a>>>(&self, keys: &[String], data: &dyn Fn() -> I) -> Option<usize> {
        let named = || keys.iter().position(|key| Meaning::of_key(key) == Some(Meaning::WhatsAppUserId));
        let are_ids = |index: &usize| {
            let cells = || data().map(|row| self.cell(&row, *index)).filter(|cell| !cell.trim().is_empty());
            let is_id = |cell: &&str| ChannelUser::of_whatsapp(cell).is_some_and(|user| user.is_surely_of_whatsapp());
            let ids = cells().filter(is_id).count();
            ids > 0 && ids * 2 >= cells().count()
        };
        named().or_else(|| (0..self.len()).find(are_ids))
    }

    /// Finds the column of area codes that the numbers lack.
    fn find_area_codes<'a, I: Iterator<Item = Row<'a>>>(
        &self,
        data: &dyn Fn() -> I,
        default: Home,
    ) -> Option<AreaCodes> {
        // The name is not enough: at least half of the numbers that lack an area code must exist with the code.
        let with_codes = |place: usize| {
            let joined = |row: &Row<'_>| area::joined(self.cell(row, place), self.cell(row, self.number));
            let whole = |row| Some((joined(&row).filter(|joined| !joined.may_repeat)?, row));
            let exists = |joined: &Joined, row: &Row<'_>| number::read(&joined.whole, self.home(row, default)).is_ok();
            let (mut rests, mut missing) = (Vec::new(), 0);
            for (joined, row) in data().filter_map(whole) {
                if exists(&joined, &row) {
                    rests.push(number::digits(self.cell(&row, self.number)));
                } else {
                    missing += 1;
                }
            }
            (!rests.is_empty() && rests.len() >= missing)
                .then(|| AreaCodes { place, rests: rests.into_iter().collect() })
        };
        let are_area_codes = |index: &usize| *index != self.number && area::is_called_so(&self.names[*index]);
        (0..self.len()).filter(are_area_codes).find_map(with_codes)
    }

    /// Applies the operator's mappings. Returns the number column if one of them names it.
    fn apply(&mut self, mappings: &[Mapping]) -> Result<Option<usize>, NoColumns> {
        let mut number = None;
        let before = self.names.clone();
        for Mapping { name: new, column } in mappings {
            let Some(index) = place_of(column, &before) else {
                return Err(NoColumns::NoSuch(column.clone(), before));
            };
            match new.to_ascii_lowercase().as_str() {
                "number" => number = Some(index),
                "country" => self.country = Some(index),
                "clientmessageid" => self.client_message_id = Some(index),
                "whatsappuserid" => self.user = Some(index),
                _ if self.names.iter().enumerate().any(|(other, name)| other != index && name == new) => {
                    return Err(NoColumns::Twice(new.clone()));
                }
                _ => new.clone_into(&mut self.names[index]),
            }
        }
        Ok(number)
    }

    /// What a column is for the import and for templates, if that is known.
    pub(super) fn meaning(&self, index: usize) -> Option<ColumnMeaning> {
        if index == self.number {
            return Some(ColumnMeaning::Number);
        }
        let meaning = match () {
            () if self.country == Some(index) => Some(Meaning::Country),
            () if self.client_message_id == Some(index) => Some(Meaning::ClientMessageId),
            () if self.user == Some(index) => Some(Meaning::WhatsAppUserId),
            () => {
                let by_name = self.names.get(index).and_then(|name| Meaning::of(name));
                by_name.filter(|meaning| matches!(meaning, Meaning::FirstName | Meaning::LastName))
            }
        };
        meaning.map(ColumnMeaning::Named)
    }

    /// The names that are neither in the header nor mapped; `None` if there are none, or no header.
    pub(super) fn named_by_us(&self, header: Option<Row<'_>>, mappings: &[Mapping]) -> Option<Vec<String>> {
        let header = header?;
        let given: Vec<&str> =
            header.cells().map(names::bare).chain(mappings.iter().map(|mapping| mapping.name.as_str())).collect();
        let is_made = |name: &&String| !given.contains(&name.as_str());
        let names: Vec<String> = self.names.iter().filter(is_made).cloned().collect();
        (!names.is_empty()).then_some(names)
    }
}

/// The index of a column: the one with exactly this name, else one whose name differs only in spelling.
pub(super) fn place_of(column: &str, names: &[String]) -> Option<usize> {
    let nearly = || names.iter().position(|name| column_key(name) == column_key(column));
    names.iter().position(|name| name == column).or_else(nearly)
}

/// The first column of a table that may have empty columns left of it: the first one with a filled cell in any row.
fn first_column<'a, I: Iterator<Item = Row<'a>>>(header: Option<Row<'a>>, data: &dyn Fn() -> I) -> usize {
    let is_used = |row: &Row<'_>, index: usize| !row.cell(index).trim().is_empty();
    let begin = |row: Row<'_>| (0..row.width()).find(|index| is_used(&row, *index));
    header.into_iter().chain(data()).filter_map(begin).min().unwrap_or(0)
}

#[cfg(test)]
mod tests;
