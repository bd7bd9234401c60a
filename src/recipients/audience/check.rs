//! Turns rows into recipients or rejects, one block at a time, on any thread. Checks over the whole file come later.

use super::block::Row;
use super::columns::Columns;
use super::findings::Findings;
use super::number::{Home, Number};
use super::pipeline::Job;
use super::read::Lines;
use super::repeated_ids::IdHash;
use super::sheet::is_error;
use super::{Readings, Reason};
use crate::base::domain::{Address, ChannelUser, Country, Fields, Msisdn, Recipient};

/// A rejected row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Where the row begins: line of the text, row of the sheet, or position in the list; from 1.
    pub line: u64,
    pub reason: Reason,
    /// Its number, if it can be read.
    pub msisdn: Option<Msisdn>,
    /// The other number that it can be read as.
    pub other_msisdn: Option<Msisdn>,
    /// Every column in order, and the cells after the last column.
    pub fields: Fields,
}

impl Reject {
    /// Both numbers that the row can be read as, if it was rejected for that.
    pub(super) fn readings(&self) -> Option<Readings> {
        let both = [self.msisdn?, self.other_msisdn?];
        (self.reason == Reason::TwoReadings).then_some(Readings(both))
    }
}

/// The provider's limit for a client's own id, in characters.
const CLIENT_ID_MAX: usize = 50;

/// The rules that every row must meet.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowRules {
    /// The country of national numbers in rows without a country.
    pub(super) default_home: Home,
    pub(super) line_types: Lines,
    /// For opt-outs and exclusions: accepts rows with too many cells or too long an id, and reads every number of a cell.
    pub(super) takes_all: bool,
}

/// Rows that have been checked, each on its own.
#[derive(Debug, Default)]
pub(super) struct CheckedRows {
    /// Accepted recipients, in file order. Kept apart from `origins`, so that the block moves on without a copy of each.
    pub(super) recipients: Vec<Recipient>,
    /// Line and id of each recipient.
    pub(super) origins: Vec<LineAndId>,
    /// The ids of WhatsApp beside the numbers of recipients, each with the recipient's index.
    pub(super) beside: Vec<(usize, ChannelUser)>,
    /// Rejected rows, in file order.
    pub(super) rejected: Vec<Reject>,
    /// Number of rows that the selection leaves out. Nothing else is known about them.
    pub(super) not_selected: u64,
    /// Number of rows with text in each column.
    pub(super) filled: Vec<u64>,
    pub(super) findings: Findings,
}

/// Line and id of a recipient.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineAndId {
    pub(super) line: u64,
    pub(super) id: Option<IdHash>,
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
pub(super) fn check(job: &Job, rules: RowRules) -> CheckedRows {
    let Job { columns, selection, may_be_damaged, rows, .. } = job;
    let mut checked = CheckedRows {
        recipients: Vec::with_capacity(rows.len()),
        origins: Vec::with_capacity(rows.len()),
        filled: vec![0; columns.len()],
        ..CheckedRows::default()
    };
    // Most files contain no error text, so one search in the block spares the check of each cell.
    let text = rows.text().as_bytes();
    let may_be_errors = memchr::memchr(b'#', text).is_some() || memchr::memmem::find(text, b"Err:").is_some();
    for row in rows.iter() {
        if selection.as_ref().is_some_and(|selection| !selection.selects(|index| columns.cell(&row, index))) {
            checked.not_selected += 1;
            continue;
        }
        for (filled, cell) in checked.filled.iter_mut().zip(columns.cells(row)) {
            *filled += u64::from(!is_blank(cell));
        }
        let line = row.line;
        match check_row(row, columns, rules, &mut checked.findings) {
            Ok(recipient) => {
                if may_be_errors {
                    let errors = columns.cells(row).filter(|cell| is_error(cell)).count();
                    checked.findings.error_texts += errors as u64;
                }
                let further =
                    if rules.takes_all { further_recipients(&row, columns, rules, &recipient) } else { Vec::new() };
                let id = recipient.client_message_id.as_deref().map(IdHash::of);
                if let (Some(user), Some(_)) = (columns.user(&row), recipient.number()) {
                    checked.beside.push((checked.recipients.len(), user));
                }
                checked.origins.push(LineAndId { line, id });
                checked.recipients.push(recipient);
                checked.origins.extend(further.iter().map(|_| LineAndId { line, id: None }));
                checked.recipients.extend(further);
            }
            Err(reject) => checked.rejected.push(reject),
        }
    }
    if *may_be_damaged {
        checked.findings.damaged = rows.text().matches('\u{fffd}').count() as u64;
    }
    checked
}

/// The recipients of the further numbers in the cell of a row. The id belongs to the first.
fn further_recipients(row: &Row<'_>, columns: &Columns, rules: RowRules, first: &Recipient) -> Vec<Recipient> {
    let numbers =
        columns.read_all(row, rules.default_home).into_iter().filter(|number| Some(number.msisdn) != first.number());
    let recipient = |Number { msisdn, country, .. }: Number| Recipient {
        address: Some(msisdn.into()),
        country,
        client_message_id: None,
        fields: first.fields.clone(),
    };
    numbers.map(recipient).collect()
}

/// Whether a cell is blank. Most cells begin with a visible ASCII character, which needs no decoding.
fn is_blank(cell: &str) -> bool {
    !cell.as_bytes().first().is_some_and(u8::is_ascii_graphic) && cell.trim_start().is_empty()
}

fn check_row(row: Row<'_>, columns: &Columns, rules: RowRules, findings: &mut Findings) -> Result<Recipient, Reject> {
    let line = row.line;
    let beside_table = columns.cells_after(row).any(|cell| !cell.trim().is_empty());
    let number = columns.read(&row, rules.default_home);
    let user = columns.user_alone(&row, &number);
    let (msisdn, other_msisdn) = match number {
        Ok(number) => (Some(number.msisdn), None),
        Err(Reason::TwoReadings) => {
            columns.both_readings(&row, rules.default_home).map_or((None, None), |[a, b]| (Some(a), Some(b)))
        }
        Err(_) => (None, None),
    };
    let rejected = |reason, fields| Reject { line, reason, msisdn, other_msisdn, fields };
    // In a text file a delimiter without quotes may have shifted the cells, so the number may be wrong. In a sheet each
    // cell names its column.
    if beside_table && !columns.are_of_sheet() && !rules.takes_all {
        let fields = Fields::pack(columns.cells(row).chain(columns.cells_after(row)));
        return Err(rejected(Reason::TooManyCells, fields));
    }
    let fields = Fields::pack(columns.cells(row));
    if row.is_cut && !rules.takes_all {
        return Err(rejected(Reason::TooMuchText, fields));
    }
    let (address, country) = match (number, user) {
        (_, Some(user)) => {
            let country = user.country().unwrap_or(Country::WORLD);
            (Address::User(user), country)
        }
        (Ok(number), None) if number.is_fixed && rules.line_types == Lines::Mobile => {
            return Err(rejected(Reason::Landline, fields));
        }
        (Ok(number), None) => (Address::Number(number.msisdn), number.country),
        (Err(reason), None) => return Err(rejected(reason, fields)),
    };
    let client_message_id = columns.client_message_id(&row);
    if client_message_id.is_some_and(|id| id.chars().count() > CLIENT_ID_MAX) && !rules.takes_all {
        return Err(rejected(Reason::IdTooLong, fields));
    }
    findings.record(line, number.ok().filter(|_| address.number().is_some()), beside_table);
    Ok(Recipient { address: Some(address), country, client_message_id: client_message_id.map(Into::into), fields })
}
