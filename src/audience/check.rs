//! Turns rows into recipients or rejects, one block at a time, on any thread. Checks over the whole file come later.

use super::Reason;
use super::block::{Row, Rows};
use super::columns::Columns;
use super::findings::Findings;
use super::number::{Home, Number};
use super::read::Lines;
use super::repeated_ids::Id;
use super::sheet::is_error;
use crate::domain::{Fields, Recipient};

/// A rejected row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Where the row begins: line of the text, row of the sheet, or position in the list; from 1.
    pub line: u64,
    pub reason: Reason,
    /// Every column in order, and the cells after the last column.
    pub fields: Fields,
}

/// The provider's limit for a client's own id, in characters.
const CLIENT_ID_MAX: usize = 50;

/// The rules that every row must meet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Country of national numbers whose row names none.
    pub(super) default: Home,
    pub(super) lines: Lines,
    /// Also accepts rows with too many cells.
    pub(super) takes_all: bool,
}

/// Rows that have been checked, each on its own.
#[derive(Debug, Default)]
pub(super) struct CheckedRows {
    /// Accepted recipients, in file order. A separate list, so that a whole block can be passed on at once: there are millions.
    pub(super) recipients: Vec<Recipient>,
    /// Line and id of each recipient.
    pub(super) origins: Vec<Origin>,
    /// Rejected rows, in file order.
    pub(super) rejected: Vec<Reject>,
    /// Number of rows with text in each column.
    pub(super) filled: Vec<u64>,
    pub(super) findings: Findings,
}

/// Line and id of a recipient.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    pub(super) line: u64,
    pub(super) id: Option<Id>,
}

impl CheckedRows {
    /// The first few rows in file order, accepted or rejected.
    pub(super) fn first(&self, rows: usize) -> impl Iterator<Item = &Fields> {
        let accepted = self.origins.iter().map(|origin| origin.line).zip(self.recipients.iter().map(|it| &it.fields));
        let rejected = self.rejected.iter().map(|reject| (reject.line, &reject.fields));
        let mut first: Vec<_> = accepted.take(rows).chain(rejected.take(rows)).collect();
        first.sort_unstable_by_key(|(line, _)| *line);
        first.into_iter().take(rows).map(|(_, fields)| fields)
    }
}

/// Checks the rows of a block.
pub(super) fn check(rows: &Rows, columns: &Columns, rules: Rules) -> CheckedRows {
    let mut checked = CheckedRows {
        recipients: Vec::with_capacity(rows.len()),
        origins: Vec::with_capacity(rows.len()),
        filled: vec![0; columns.len()],
        ..CheckedRows::default()
    };
    // Searched once in the whole text, because hardly any file has one.
    let text = rows.text().as_bytes();
    let may_be_errors = memchr::memchr(b'#', text).is_some() || memchr::memmem::find(text, b"Err:").is_some();
    for row in rows.iter() {
        for (index, (filled, cell)) in checked.filled.iter_mut().zip(columns.cells(row)).enumerate() {
            *filled += u64::from(!is_blank(cell));
            // No message shows such a text of the number column, because its row is rejected.
            let is_shown = may_be_errors && index != columns.number_place();
            checked.findings.error_texts += u64::from(is_shown && is_error(cell));
        }
        let line = row.line;
        match check_row(row, columns, rules, &mut checked.findings) {
            Ok(recipient) => {
                let id = recipient.client_message_id.as_deref().map(Id::of);
                // In a list of opt-outs or exclusions, each number counts, not only the first of its row.
                let more = if rules.takes_all { columns.read_all(&row, rules.default) } else { Vec::new() };
                for number in more.iter().filter(|number| number.msisdn != recipient.msisdn) {
                    checked.origins.push(Origin { line, id: None });
                    let Number { msisdn, country, .. } = *number;
                    checked.recipients.push(Recipient { msisdn, country, ..recipient.clone() });
                }
                checked.origins.push(Origin { line, id });
                checked.recipients.push(recipient);
            }
            Err((reason, fields)) => checked.rejected.push(Reject { line, reason, fields }),
        }
    }
    checked
}

/// Whether a cell is blank. Most cells begin with a visible ASCII character, which needs no decoding.
fn is_blank(cell: &str) -> bool {
    !cell.as_bytes().first().is_some_and(u8::is_ascii_graphic) && cell.trim_start().is_empty()
}

fn check_row(
    row: Row<'_>,
    columns: &Columns,
    rules: Rules,
    findings: &mut Findings,
) -> Result<Recipient, (Reason, Fields)> {
    let beside_table = columns.behind(row).any(|cell| !cell.trim().is_empty());
    // In a text, nothing shows which cell is the extra one; in a sheet, each cell names its column.
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
    findings.record(row.line, number, beside_table);
    Ok(Recipient {
        msisdn: number.msisdn,
        country: number.country,
        client_message_id: client_message_id.map(Into::into),
        fields,
    })
}
