//! Rows to recipients or rejects, a block at a time and on any thread; what needs the whole file comes later.

use super::Reason;
use super::block::{Row, Rows};
use super::columns::Columns;
use super::number::Home;
use super::read::Lines;
use super::repeats::Id;
use super::seen::Seen;
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

/// What every row is held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Of which country a national number is, where its row does not say.
    pub(super) default: Home,
    pub(super) lines: Lines,
    /// Also of rows that have a cell too many.
    pub(super) takes_all: bool,
}

/// Rows that have been looked at, each by itself.
#[derive(Debug, Default)]
pub(super) struct CheckedRows {
    /// Whoever can be written to, in the order of the file. They stand by themselves so that a whole block of them can be
    /// handed on at once: there are millions.
    pub(super) recipients: Vec<Recipient>,
    /// Of each of them what else is asked.
    pub(super) places: Vec<Place>,
    /// The others, in the order of the file.
    pub(super) refused: Vec<Reject>,
    /// For each column, how many rows have something in it.
    pub(super) filled: Vec<u64>,
    pub(super) seen: Seen,
}

/// Where somebody stands in the file, and what is remembered of their id.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) id: Option<Id>,
}

impl CheckedRows {
    /// The first few rows of the file that they are, accepted or not.
    pub(super) fn first(&self, rows: usize) -> impl Iterator<Item = &Fields> {
        let accepted = self.places.iter().map(|place| place.line).zip(self.recipients.iter().map(|it| &it.fields));
        let refused = self.refused.iter().map(|reject| (reject.line, &reject.fields));
        let mut first: Vec<_> = accepted.take(rows).chain(refused.take(rows)).collect();
        first.sort_unstable_by_key(|(line, _)| *line);
        first.into_iter().take(rows).map(|(_, fields)| fields)
    }
}

pub(super) fn check(rows: &Rows, columns: &Columns, rules: Rules) -> CheckedRows {
    let mut checked = CheckedRows {
        recipients: Vec::with_capacity(rows.len()),
        places: Vec::with_capacity(rows.len()),
        filled: vec![0; columns.len()],
        ..CheckedRows::default()
    };
    // Looked for once in all of the text, since hardly any file has one.
    let text = rows.text().as_bytes();
    let may_be_errors = memchr::memchr(b'#', text).is_some() || memchr::memmem::find(text, b"Err:").is_some();
    for row in rows.iter() {
        for (filled, cell) in checked.filled.iter_mut().zip(columns.cells(row)) {
            *filled += u64::from(!is_blank(cell));
            checked.seen.error_texts += u64::from(may_be_errors && is_error(cell));
        }
        let line = row.line;
        match check_row(row, columns, rules, &mut checked.seen) {
            Ok(recipient) => {
                checked.places.push(Place { line, id: recipient.client_message_id.as_deref().map(Id::of) });
                checked.recipients.push(recipient);
            }
            Err((reason, fields)) => checked.refused.push(Reject { line, reason, fields }),
        }
    }
    checked
}

/// Most cells begin with what is no blank: that need not be decoded to be seen.
fn is_blank(cell: &str) -> bool {
    !cell.as_bytes().first().is_some_and(u8::is_ascii_graphic) && cell.trim_start().is_empty()
}

fn check_row(row: Row<'_>, columns: &Columns, rules: Rules, seen: &mut Seen) -> Result<Recipient, (Reason, Fields)> {
    let beside_table = columns.behind(row).any(|cell| !cell.trim().is_empty());
    // Between marks nobody knows which cell is the one too many; a sheet says where each belongs.
    if beside_table && !columns.are_of_sheet() && !rules.takes_all {
        let fields = Fields::pack(columns.cells(row).chain(columns.behind(row)));
        return Err((Reason::TooManyCells, fields));
    }
    let fields = Fields::pack(columns.cells(row));
    let number = match columns.read(&row, rules.default) {
        Ok(number) if number.is_fixed && rules.lines == Lines::Mobile => return Err((Reason::FixedLine, fields)),
        Ok(number) => number,
        Err(reason) => return Err((reason, fields)),
    };
    let client_message_id = columns.client_message_id(&row);
    if client_message_id.is_some_and(|id| id.chars().count() > CLIENT_ID_MAX) {
        return Err((Reason::IdTooLong, fields));
    }
    seen.note(row.line, number, beside_table);
    Ok(Recipient {
        msisdn: number.msisdn,
        country: number.country,
        client_message_id: client_message_id.map(Into::into),
        fields,
    })
}
