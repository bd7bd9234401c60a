//! Rows to recipients or rejects, a block at a time and on any thread; what needs the whole file comes later.

use super::Reason;
use super::block::{Row, Rows};
use super::columns::Columns;
use super::number::{self, Beside, Home};
use super::read::Lines;
use super::sheet::is_error;
use crate::domain::{Fields, Recipient};

/// One row that is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Where the row begins: line of the text, row of the sheet, or place in the list; from 1.
    pub line: u64,
    pub reason: Reason,
    /// Every column in order, and what stands behind them.
    pub fields: Fields,
}

/// Characters of a client's own id, as the provider has them.
const CLIENT_ID_MAX: usize = 50;

/// A row that has been looked at by itself.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) line: u64,
    pub(super) verdict: Result<Recipient, (Reason, Fields)>,
    pub(super) beside: Beside,
    pub(super) is_fixed: bool,
    /// Something stands right of its table.
    pub(super) beside_table: bool,
}

/// What every row is held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Of which country a national number is, where its row does not say.
    pub(super) default: Home,
    pub(super) lines: Lines,
    /// Also of rows that have a cell too many.
    pub(super) takes_all: bool,
}

/// Rows that have been looked at.
#[derive(Debug, Default)]
pub(super) struct CheckedRows {
    pub(super) rows: Vec<Checked>,
    /// For each column, how many of them have something in it.
    pub(super) filled: Vec<u64>,
    /// Cells that hold what a spreadsheet program shows where there is no value.
    pub(super) errors: u64,
}

pub(super) fn check(rows: &Rows, columns: &Columns, rules: Rules) -> CheckedRows {
    let (mut filled, mut errors) = (vec![0; columns.len()], 0);
    // Looked for once in all of the text, since hardly any file has one.
    let text = rows.text().as_bytes();
    let may_be_errors = memchr::memchr(b'#', text).is_some() || memchr::memmem::find(text, b"Err:").is_some();
    let check = |row| {
        for (filled, cell) in filled.iter_mut().zip(columns.cells(row)) {
            *filled += u64::from(!cell.trim_start().is_empty());
            errors += u64::from(may_be_errors && is_error(cell));
        }
        check_row(row, columns, rules)
    };
    let rows = rows.iter().map(check).collect();
    CheckedRows { rows, filled, errors }
}

fn check_row(row: Row<'_>, columns: &Columns, rules: Rules) -> Checked {
    let refused = |reason, fields| Checked {
        line: row.line,
        verdict: Err((reason, fields)),
        beside: Beside::default(),
        is_fixed: reason == Reason::FixedLine,
        beside_table: false,
    };
    let beside_table = columns.behind(row).any(|cell| !cell.trim().is_empty());
    // Between marks nobody knows which cell is the one too many; a sheet says where each belongs.
    if beside_table && !columns.are_of_sheet() && !rules.takes_all {
        return refused(Reason::TooManyCells, Fields::pack(columns.cells(row).chain(columns.behind(row))));
    }
    let fields = Fields::pack(columns.cells(row));
    let number = match number::read(columns.number_cell(&row), columns.home(&row, rules.default)) {
        Ok(number) if number.is_fixed && rules.lines == Lines::Mobile => return refused(Reason::FixedLine, fields),
        Ok(number) => number,
        Err(reason) => return refused(reason, fields),
    };
    let client_message_id = columns.client_message_id(&row);
    if client_message_id.is_some_and(|id| id.chars().count() > CLIENT_ID_MAX) {
        return refused(Reason::IdTooLong, fields);
    }
    let recipient = Recipient {
        msisdn: number.msisdn,
        country: number.country,
        client_message_id: client_message_id.map(Into::into),
        fields,
    };
    let (beside, is_fixed) = (number.beside, number.is_fixed);
    Checked { line: row.line, verdict: Ok(recipient), beside, is_fixed, beside_table }
}
