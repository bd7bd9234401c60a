//! Finds where the table of a file begins: it may have titles above it, and may lack a header.

use super::Reason;
use super::block::{Row, Rows};
use super::names;
use super::number::{self, Home};
use super::read::Reading;
use crate::base::domain::{Channel, ChannelUser};

/// Where the header and the data begin.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Index of the header row, if there is one. Rows above it are titles.
    pub(super) header: Option<usize>,
    /// Index of the first data row.
    pub(super) first: usize,
}

/// Number of rows that are searched for a header.
const TITLES_MAX: usize = 20;

/// Finds the header in the first rows of a file: it names a number column, or is above the first number. With `no_header`,
/// the first row is data. An id of a channel that rows may have in place of a number is like a number.
pub(super) fn find(rows: &Rows, reading: &Reading<'_>) -> Head {
    let without = Head { header: None, first: 0 };
    let Reading { options, default } = *reading;
    if options.no_header {
        return without;
    }
    let is_user = |cell: &str| match ChannelUser::channel_of(cell.trim()) {
        Some(Channel::WhatsApp) => true,
        Some(_) => options.takes_users,
        None => false,
    };
    let is_number = |cell: &str| is_like_a_number(cell, default) || is_user(cell);
    let rows: Vec<Row<'_>> = rows.iter().collect();
    let usual = usual_fill(&rows);
    let is_full = |row: &Row<'_>| filled(row) * 2 >= usual;
    let holds_number = |row: &Row<'_>| row.cells().any(is_number);
    let numbers_below = |index: usize, column: usize| rows[index + 1..].iter().any(|row| is_number(row.cell(column)));
    let first_data = rows.iter().take(TITLES_MAX).position(|row| is_full(row) && holds_number(row));
    for (index, row) in rows.iter().enumerate().take(TITLES_MAX).filter(|(_, row)| is_full(row)) {
        // Titles have fewer filled cells than the header, or no number where the header names one. Otherwise the row is data
        // with a remark about a number.
        let is_below_titles = |column: usize| {
            rows[..index].iter().all(|above| {
                let (less, equal) = (filled(above) < filled(row), filled(above) == filled(row));
                let cell = above.cell(column);
                less || (equal && names::is_whole_phone_name(row.cell(column)) && !is_number(cell))
            })
        };
        let is_sure = first_data.is_none_or(|first| index < first);
        let mut named = (0..row.width()).filter(|column| names::called(row.cell(*column)).is_some());
        if named.any(|column| {
            let has_numbers = (!holds_number(row) || index == 0) && numbers_below(index, column);
            is_below_titles(column) && (has_numbers || (is_sure && names::is_whole_phone_name(row.cell(column))))
        }) {
            return Head { header: Some(index), first: index + 1 };
        }
    }
    let Some(first) = first_data else {
        // No cell looks like a number; the error lists the names of the columns.
        let above = rows.iter().take(TITLES_MAX).position(is_full).unwrap_or(0);
        return Head { header: Some(above), first: above + 1 };
    };
    // A cell above a number that has no letter is no name: it is an invalid number.
    let column = (0..rows[first].width()).find(|column| is_number(rows[first].cell(*column)));
    let is_wrong_number = |row: &Row<'_>| {
        let cell = row.cell(column.unwrap_or_default()).trim();
        !cell.is_empty() && !cell.chars().any(char::is_alphabetic)
    };
    let names = |index: &usize| {
        let row = &rows[*index];
        let is_blank = row.cell(column.unwrap_or_default()).trim().is_empty();
        is_full(row) && !is_blank && !is_wrong_number(row)
    };
    // The topmost row that is not a title; rows below it that lack a number are recipients.
    let header = (0..first).filter(names).find(|index| filled(&rows[*index]) * 5 >= usual * 3);
    // Without a header, only rows that do not belong to the table are skipped.
    let first = match header {
        Some(header) => header + 1,
        None => rows[..first].iter().position(is_full).unwrap_or(first),
    };
    Head { header, first }
}

/// The most frequent number of filled cells in a row.
fn usual_fill(rows: &[Row<'_>]) -> usize {
    let mut fills: Vec<usize> = rows.iter().map(filled).collect();
    fills.sort_unstable();
    fills.chunk_by(|a, b| a == b).max_by_key(|same| (same.len(), same[0])).map_or(1, |same| same[0])
}

fn filled(row: &Row<'_>) -> usize {
    row.cells().filter(|cell| !cell.trim().is_empty()).count()
}

/// Whether a cell is a number, or is refused only for its country or `+`.
pub(super) fn is_like_a_number(cell: &str, home: Home) -> bool {
    let is_like = |reason| matches!(reason, Reason::CountryMissing | Reason::PlusMissing | Reason::TwoReadings);
    number::digits(cell) >= number::DIGITS_FOR_SURE && number::read(cell, home.coded()).map_or_else(is_like, |_| true)
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::super::block::Block;
    use super::*;

    fn found(lines: &[&str], country: &str) -> (Option<usize>, usize) {
        let mut block = Block::default();
        for (index, line) in lines.iter().enumerate() {
            for cell in line.split(',') {
                block.push(cell.as_bytes());
                block.end_cell();
            }
            block.end_row(index as u64 + 1);
        }
        let default = country.parse().ok().and_then(Home::of).unwrap_or(Home::Missing);
        let options = Options::default();
        let Head { header, first } = find(&block.seal().unwrap(), &Reading { options: &options, default });
        (header, first)
    }

    #[test]
    fn a_header_names_numbers_or_is_above_the_first() {
        assert_eq!(found(&["Mobile,Name", "+6581234567,Ann"], ""), (Some(0), 1));
        assert_eq!(found(&["Who,Reach", "Ann,+6581234567"], ""), (Some(0), 1));
        assert_eq!(found(&["Who,Reach", "Ann,81234567"], ""), (Some(0), 1), "a number without its country");
        assert_eq!(found(&["Mobile,Name", "none,Ann"], ""), (Some(0), 1));
        assert_eq!(found(&["a,b", "x,y"], ""), (Some(0), 1), "no number at all");
        assert_eq!(found(&["Handy,302345678", "01512 3456789,x"], "DE"), (Some(0), 1), "a name that is a number");
    }

    #[test]
    fn without_a_header_the_first_row_is_data() {
        assert_eq!(found(&["+6581234567,Ann", "+6581234568,Bob"], ""), (None, 0));
        assert_eq!(found(&["81234567", "81234568"], "SG"), (None, 0));
        assert_eq!(found(&["123", "81234567", "81234568"], "SG"), (None, 0), "an invalid number is not a name");
        assert_eq!(found(&["Who", "123", "81234567", "81234568"], "SG"), (Some(0), 1));
        assert_eq!(found(&["81234567,Ann,mobile", "81234568,Bob,home"], "SG"), (None, 0), "a word of data");
    }

    #[test]
    fn a_row_without_number_below_the_header_is_data() {
        assert_eq!(found(&["Kontakt,Name", ",Ann", "0171 1234567,Bob"], "DE"), (Some(0), 1));
        assert_eq!(found(&["Reach,Name", "n/a,Ann", "+6581234567,Bob"], ""), (Some(0), 1));
        assert_eq!(found(&["Name,Remark,Reach", "Ann,no phone,-", "Bob,,+6581234567"], ""), (Some(0), 1));
    }

    #[test]
    fn a_remark_about_a_number_is_not_a_header() {
        for remark in ["kein Handy", "mobile", "no phone given", "Telefon defekt"] {
            let row = format!("Bob,{remark},Bonn");
            let table = ["Kunde,Kontakt,Ort", "Ann,0171 2345678,Köln", &row, "Carl,0171 2345679,Köln"];
            assert_eq!(found(&table, "DE"), (Some(0), 1), "{remark}");
            assert_eq!(found(&table[1..], "DE"), (None, 0), "{remark}");
        }
        let pref = ["Name,Reach,Pref", "Ann,,mobile", "Bob,+6581234568,+6591234568", "Cy,+6581234569,mobile"];
        assert_eq!(found(&pref, ""), (Some(0), 1));
        let unnamed = ["Who,Reach,City,,", "Ann,n/a,SG,x,y", "Bob,+6581234567,SG,x,y"];
        assert_eq!(found(&unnamed, ""), (Some(0), 1));
        assert_eq!(found(&["Ann,,SG", "Bob,+6581234568,SG", "Cy,+6581234569,SG"], ""), (None, 0));
    }

    #[test]
    fn a_title_may_hold_a_date_or_a_number() {
        let table = ["Name,Mobile,City,Code", "Ann,+6581234567,X,1", "Bob,+6581234568,Y,2"];
        let below = |titles: &[&'static str]| found(&[titles, &table[..]].concat(), "");
        assert_eq!(below(&["Exported,2024-11-20,,"]), (Some(1), 2));
        assert_eq!(below(&["ACME Ltd,Hotline +65 6123 4567,,"]), (Some(1), 2));
        assert_eq!(below(&["Company:,ACME,Tel:,+6561234567", "Date:,20/11/2024,,"]), (Some(2), 3));
    }

    #[test]
    fn rows_above_the_header_are_titles() {
        let table =
            ["Customers 2026,,", "as of 2026-11-01,,", "Mobile,Name,City", "+6581234567,Ann,x", "+6581234568,Bob,y"];
        assert_eq!(found(&table, ""), (Some(2), 3));
        let alone = ["Customers 2026", "+6581234567,Ann,x", "+6581234568,Bob,y"];
        assert_eq!(found(&alone, ""), (None, 1), "a title without a header");
    }
}
