//! What stops an import. Rows never do: they become rejects.

use std::io;
use std::path::PathBuf;

use crate::domain::Country;

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}; check that it exists, is a file and may be read", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("{} is empty; give a file with a header row and at least the column of the numbers", file.display())]
    Empty { file: PathBuf },
    #[error("{} is neither text nor an XLSX spreadsheet; save the recipients as CSV or XLSX", file.display())]
    NotText { file: PathBuf },
    #[error(
        "{} is a spreadsheet of the old binary kind or is locked with a password; open it and save it as XLSX without one",
        file.display()
    )]
    OldSpreadsheet { file: PathBuf },
    #[error("{} is a ZIP archive but no readable XLSX spreadsheet; save the recipients as XLSX or CSV", file.display())]
    NotXlsx { file: PathBuf, source: BoxError },
    #[error(
        "{}: sheet \"{sheet}\" cannot be read beyond row {after_row}; open it in a spreadsheet program and save it again",
        file.display()
    )]
    Sheet { file: PathBuf, sheet: String, after_row: u64, source: BoxError },
    #[error("{}: line {line} looks like data, not like a header; put the names of the columns in the first row", file.display())]
    NoHeader { file: PathBuf, line: u64 },
    #[error(
        "{}: no column holds phone numbers; name it Mobile, or give the default country if the numbers are national (columns: {})",
        file.display(),
        listed(columns)
    )]
    NoNumberColumn { file: PathBuf, columns: Vec<String> },
    #[error("{}: the header has {count} columns, more than {max}; check the delimiter or delete what is not needed", file.display())]
    TooManyColumns { file: PathBuf, count: usize, max: usize },
    #[error("{}: a quote is opened in the row at line {line} and never closed; close it, or delete it", file.display())]
    OpenQuote { file: PathBuf, line: u64 },
    #[error(
        "{}: the row at line {line} is longer than {max} bytes; check its line ends and whether this is a recipient file",
        file.display()
    )]
    RowTooLong { file: PathBuf, line: u64, max: usize },
    #[error("{} changed while it was read; start again once nothing writes to it", file.display())]
    Changed { file: PathBuf },
    #[error("{0} is no country with phone numbers; give the two letters of one, such as SG")]
    UnknownCountry(Country),
    #[error("cannot write {}; check that its folder exists, may be written to and has room", file.display())]
    Write { file: PathBuf, source: BoxError },
    #[error("{} is the file that is read; give the rows that are written out a name of their own", file.display())]
    OverInput { file: PathBuf },
    #[error("{} cannot hold both the accepted and the rejected rows; give each its own file", file.display())]
    OneOutput { file: PathBuf },
    #[error("a demo file has 1 to {max} recipients, as many as a sheet has rows, and not {count}; ask for fewer")]
    DemoSize { count: u64, max: u64 },
    #[error("the import was stopped")]
    Stopped,
    /// Whoever takes the rows could not; the source says why.
    #[error("the rows that were read could not be kept")]
    Sink(#[source] BoxError),
    #[error("{}: reading it failed inside of Volley, which is a fault of ours; try the file as CSV, and report it", file.display())]
    Internal { file: PathBuf },
}

/// A file that is no recipient file at all can have a thousand columns.
fn listed(columns: &[String]) -> String {
    const LISTED: usize = 20;
    let mut list = columns.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if let Some(more) = columns.len().checked_sub(LISTED).filter(|more| *more > 0) {
        list.push_str(&format!(" and {more} more"));
    }
    list
}
