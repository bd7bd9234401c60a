//! Errors that stop an import. A bad row never stops one: it becomes a reject.

use std::io;
use std::path::PathBuf;

use super::selection::SelectionError;

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}; check that it exists, is a file and is readable", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("{} is empty; give a file with a header row and at least a column of phone numbers", file.display())]
    Empty { file: PathBuf },
    #[error("{} is neither text nor a spreadsheet; save the recipients as CSV or XLSX", file.display())]
    NotText { file: PathBuf },
    #[error("{} is a web page or XML, despite its name; open it in a spreadsheet program and save it as XLSX", file.display())]
    Markup { file: PathBuf },
    #[error("cannot unpack {}: it is damaged or incomplete; copy or export it again", file.display())]
    DamagedArchive { file: PathBuf, source: BoxError },
    #[error("cannot write temporary files to {}, which unpacking and standard input need; free some space there, or set TMPDIR to a folder with room", folder.display())]
    Spool { folder: PathBuf, source: io::Error },
    #[error("{} contains several files, and only one can be read: {}; unpack it and give one of them", file.display(), listed(files))]
    SeveralInArchive { file: PathBuf, files: Vec<String> },
    #[error("{} is packed several times; unpack it and give the file inside", file.display())]
    TooDeep { file: PathBuf },
    #[error("{} unpacks to more than {times} times its size, unlike any recipient file; if it is one, unpack it, or save it as CSV", file.display())]
    Bomb { file: PathBuf, times: u64 },
    #[error("{} is locked with a password, or damaged; open it and save it without a password", file.display())]
    Locked { file: PathBuf },
    #[error("{} is larger than {} MB, the limit for its format; save it as XLSX or CSV", file.display(), max >> 20)]
    TooLarge { file: PathBuf, max: u64 },
    #[error("{} is damaged, or too large to unpack into memory; open it in a spreadsheet program and save it as CSV", file.display())]
    TooHeavy { file: PathBuf },
    #[error("{}: unknown sheet; its sheets are {}", file.display(), listed(sheets))]
    NoSuchSheet { file: PathBuf, sheets: Vec<String> },
    #[error("{} is text and has no sheets; leave out --sheet", file.display())]
    NoSheets { file: PathBuf },
    #[error("{} is a spreadsheet and has neither an encoding nor a delimiter; leave out --encoding and --delimiter", file.display())]
    NoText { file: PathBuf },
    #[error("{} is not a readable spreadsheet; save the recipients as XLSX or CSV", file.display())]
    NotSpreadsheet { file: PathBuf, source: BoxError },
    #[error(
        "{}: sheet \"{sheet}\" cannot be read after row {after_row}; open it in a spreadsheet program and save it again",
        file.display()
    )]
    Sheet { file: PathBuf, sheet: String, after_row: u64, source: BoxError },
    #[error("{}: unknown column \"{column}\" (columns: {})", file.display(), listed(columns))]
    NoSuchColumn { file: PathBuf, column: String, columns: Vec<String> },
    #[error("{}: two columns would have the name \"{name}\"; map the other one to another name", file.display())]
    MappedTwice { file: PathBuf, name: String },
    #[error(
        "{}: no column contains phone numbers (columns: {}){}; call their column \"number\", or import the file with \
         `volley audience import --map number=Column`; national numbers also need a country (--country, or `country` in a \
         campaign file)",
        file.display(),
        listed(columns),
        if sheets.is_empty() { String::new() } else { format!(", in any of its sheets: {}", listed(sheets)) }
    )]
    NoNumberColumn { file: PathBuf, columns: Vec<String>, sheets: Vec<String> },
    #[error("{}: the header has {count} columns, more than {max}; check the delimiter or delete columns that are not needed", file.display())]
    TooManyColumns { file: PathBuf, count: usize, max: usize },
    #[error("{}: the quote opened in line {line} is never closed; close it, or delete it", file.display())]
    OpenQuote { file: PathBuf, line: u64 },
    #[error(
        "{}: the row at line {line} is longer than {max} bytes; check its line ends, and that this is a recipient file",
        file.display()
    )]
    RowTooLong { file: PathBuf, line: u64, max: usize },
    #[error(transparent)]
    Selection(#[from] SelectionError),
    #[error("{} changed while it was read; try again when no program writes to it", file.display())]
    Changed { file: PathBuf },
    #[error("cannot write {}; check that its folder exists, is writable and has room", file.display())]
    Write { file: PathBuf, source: BoxError },
    #[error("{} is the input file; give the output another name", file.display())]
    OverInput { file: PathBuf },
    #[error("{} would contain CSV despite its name; give it a name that ends in .csv", file.display())]
    OnlyCsv { file: PathBuf },
    #[error("{} cannot take both the accepted and the rejected rows; give each its own file", file.display())]
    OneOutput { file: PathBuf },
    #[error("a demo file has 1 to {max} recipients (the rows of a sheet), not {count}; ask for another number")]
    DemoSize { count: u64, max: u64 },
    #[error("the import was stopped")]
    Stopped,
    /// The sink failed; the source says why.
    #[error("cannot keep the rows that were read")]
    Sink(#[source] BoxError),
    #[error("{}: reading failed because of a bug in Volley; try the file as CSV, and report the bug", file.display())]
    Internal { file: PathBuf },
}

/// Lists the first few names, and the beginning of each: a file that is not a recipient file can have a thousand columns,
/// named by long texts.
fn listed(columns: &[String]) -> String {
    const LISTED: usize = 20;
    const CHARACTERS: usize = 60;
    let shown = |name: &String| match name.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.clone(),
    };
    let mut list = columns.iter().take(LISTED).map(shown).collect::<Vec<_>>().join(", ");
    if let Some(more) = columns.len().checked_sub(LISTED).filter(|more| *more > 0) {
        list.push_str(&format!(" and {more} more"));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_names_is_short_whatever_they_are() {
        let names: Vec<String> = (0..1_000).map(|name| format!("{name}{}", "é".repeat(100_000))).collect();
        let list = listed(&names);
        assert!(list.ends_with("and 980 more") && list.chars().count() < 1_400, "{list}");
        assert_eq!(listed(&["a".to_owned(), "b".to_owned()]), "a, b");
    }
}
