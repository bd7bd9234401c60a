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
    #[error("{} is neither text nor a spreadsheet; save the recipients as CSV or XLSX", file.display())]
    NotText { file: PathBuf },
    #[error("{} is a web page or XML, whatever it is called; open it in a spreadsheet program and save it as XLSX", file.display())]
    Markup { file: PathBuf },
    #[error("{} cannot be unpacked; it is damaged, or was not copied to its end", file.display())]
    DamagedArchive { file: PathBuf, source: BoxError },
    #[error("what is unpacked or comes from standard input is kept in {} meanwhile, which cannot be written; free some space there, or set TMPDIR to a folder that has room", folder.display())]
    Spool { folder: PathBuf, source: io::Error },
    #[error("{} holds several files, and only one can be read: {}; unpack it and give one of them", file.display(), listed(files))]
    SeveralInArchive { file: PathBuf, files: Vec<String> },
    #[error("{} is packed over and over; unpack it once and give what is inside", file.display())]
    TooDeep { file: PathBuf },
    #[error("{} grows to more than {times} times its size when it is unpacked, as no recipient file does; unpack it yourself if it is one", file.display())]
    Bomb { file: PathBuf, times: u64 },
    #[error("{} is locked with a password, or damaged; open it and save it without one", file.display())]
    Locked { file: PathBuf },
    #[error("{} is larger than {} MB, which is the most that is read of its kind; save it as XLSX or CSV", file.display(), max >> 20)]
    TooLarge { file: PathBuf, max: u64 },
    #[error("{} is damaged, or unpacks to more than fits into memory; open it in a spreadsheet program and save it as CSV", file.display())]
    TooHeavy { file: PathBuf },
    #[error("{} has no such sheet; it has {}", file.display(), listed(sheets))]
    NoSuchSheet { file: PathBuf, sheets: Vec<String> },
    #[error("{} is text and has no sheets; leave out --sheet", file.display())]
    NoSheets { file: PathBuf },
    #[error("{} is a spreadsheet, which has neither an encoding nor a delimiter to be told; leave them out", file.display())]
    NoText { file: PathBuf },
    #[error("{} is no spreadsheet that can be read; save the recipients as XLSX or CSV", file.display())]
    NotSpreadsheet { file: PathBuf, source: BoxError },
    #[error(
        "{}: sheet \"{sheet}\" cannot be read beyond row {after_row}; open it in a spreadsheet program and save it again",
        file.display()
    )]
    Sheet { file: PathBuf, sheet: String, after_row: u64, source: BoxError },
    #[error("{} has no column \"{column}\" (columns: {})", file.display(), listed(columns))]
    NoSuchColumn { file: PathBuf, column: String, columns: Vec<String> },
    #[error("{}: two columns would be called \"{name}\"; map the other one to another name", file.display())]
    MappedTwice { file: PathBuf, name: String },
    #[error(
        "{}: no column holds phone numbers (columns: {}){}; say which does with --map number=Column, and where national \
         numbers are from with --country",
        file.display(),
        listed(columns),
        if sheets.is_empty() { String::new() } else { format!(", in none of its sheets: {}", listed(sheets)) }
    )]
    NoNumberColumn { file: PathBuf, columns: Vec<String>, sheets: Vec<String> },
    #[error("{}: the header has {count} columns, more than {max}; check the delimiter or delete what is not needed", file.display())]
    TooManyColumns { file: PathBuf, count: usize, max: usize },
    #[error("{}: a quote is opened in line {line} and never closed; close it, or delete it", file.display())]
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
    #[error("{} would be CSV whatever it is called; give it a name that ends in .csv", file.display())]
    OnlyCsv { file: PathBuf },
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
