//! Rows to recipients or rejects, a block at a time and on any thread; what needs the whole file comes later.

use super::Reason;
use super::block::{Row, Rows};
use super::columns::Columns;
use super::number::{self, Home};
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

/// A row that has been looked at by itself.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) line: u64,
    pub(super) verdict: Result<Recipient, (Reason, Fields)>,
}

pub(super) fn check(rows: &Rows, columns: &Columns, default: Home) -> Vec<Checked> {
    rows.iter().map(|row| Checked { line: row.line, verdict: check_row(row, columns, default) }).collect()
}

fn check_row(row: Row<'_>, columns: &Columns, default: Home) -> Result<Recipient, (Reason, Fields)> {
    let width = columns.len();
    if (width..row.width()).any(|index| !row.cell(index).trim().is_empty()) {
        return Err((Reason::TooManyCells, Fields::pack(row.cells())));
    }
    let fields = || Fields::pack((0..width).map(|index| row.cell(index)));
    match number::read(columns.number_cell(&row), columns.home(&row, default)) {
        Ok(number) => Ok(Recipient {
            msisdn: number.msisdn,
            country: number.country,
            client_message_id: columns.client_message_id(&row).map(Into::into),
            fields: fields(),
        }),
        Err(reason) => Err((reason, fields())),
    }
}
