//! Turns the rows of any kind of file into blocks of rows with columns.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use encoding_rs::Encoding;

use super::background::Background;
use super::block::{Block, Row};
use super::charset::{self, Hint};
use super::columns::{Columns, NoColumns};
use super::header;
use super::open::{self, Book, Opened, Packed};
use super::pipeline::{Feed, Layout};
use super::read::Reading;
use super::sheet::{self, Format, SheetCounts};
use super::sniff::{self, Kind};
use super::text::TextRows;
use super::{DefaultCountry, Error, ImportNote, note};

/// Rows per block: small enough for an even distribution and little memory, large enough that passing a block costs nothing.
pub(super) const BLOCK_ROWS: usize = 1_000;
const BLOCK_BYTES: usize = 256 * 1024;
/// Number of rows that are used to find the header and the columns.
pub(super) const HEAD_ROWS: usize = 120;
/// Maximum number of columns. No recipient file has more, and each column costs memory in every row.
pub(super) const MAX_COLUMNS: usize = 1_024;

/// A source of rows, in order.
pub(super) trait Source {
    /// Reads one row into the block; false at the end.
    fn row(&mut self, block: &mut Block) -> Result<bool, Error>;

    /// Bytes of the file that have been read.
    fn bytes_done(&self) -> u64;

    /// Quoted cells that span several lines and contain delimiters, as a missing closing quote causes.
    fn long_quotes(&self) -> note::RowCount {
        note::RowCount::default()
    }
}

/// Properties of a file that are known before its columns.
#[derive(Debug, Clone, Default)]
pub(super) struct Form {
    pub(super) packed: Vec<Packed>,
    pub(super) digest: Background<String>,
    pub(super) counts: Arc<SheetCounts>,
    pub(super) long_quotes: Arc<OnceLock<note::RowCount>>,
    pub(super) encoding: Option<&'static Encoding>,
    pub(super) delimiter: Option<char>,
    pub(super) sheet: Option<String>,
    pub(super) bytes_total: u64,
    /// The number column must be recognised by its name.
    pub(super) must_be_named: bool,
    /// The text may contain characters that are invalid in its encoding.
    pub(super) may_be_damaged: bool,
    pub(super) notes: Vec<ImportNote>,
}

/// Reads a whole file into `feed`. Errors call it `path`.
pub(super) fn feed_file(file: &Path, path: &Path, reading: &Reading<'_>, feed: &mut Feed) -> Result<(), Error> {
    let Opened { mut file, bytes, packed, digest, book } = open::open(file, path)?;
    let form = Form { packed, digest, bytes_total: bytes, ..Form::default() };
    let format = match book {
        Some(Book::Xlsx) => Format::Xlsx,
        Some(Book::Xlsb) => Format::Xlsb,
        Some(Book::Ods) => Format::Ods,
        None => {
            let sample = sniff::sample(&mut file).map_err(|source| Error::Read { file: path.to_owned(), source })?;
            match sniff::kind(&sample) {
                Kind::Empty => return Err(Error::Empty { file: path.to_owned() }),
                Kind::Unknown if reading.options.encoding.is_none() => {
                    return Err(Error::NotText { file: path.to_owned() });
                }
                Kind::Markup => return Err(Error::Markup { file: path.to_owned() }),
                Kind::Text | Kind::Unknown => return feed_text(path, file, &sample, form, reading, feed),
                Kind::OldBook => Format::Xls,
            }
        }
    };
    if reading.options.encoding.is_some() || reading.options.delimiter.is_some() {
        return Err(Error::NoText { file: path.to_owned() });
    }
    let choice = reading.options.sheet.as_ref();
    sheet::with_rows(path, file, format, choice, &form, &mut |source, form| {
        feed_table(path, source, form, reading, feed)
    })
}

fn feed_text(
    path: &Path,
    mut file: File,
    sample: &[u8],
    form: Form,
    reading: &Reading<'_>,
    feed: &mut Feed,
) -> Result<(), Error> {
    let unreadable = |source| Error::Read { file: path.to_owned(), source };
    if reading.options.sheet.is_some() {
        return Err(Error::NoSheets { file: path.to_owned() });
    }
    let hint = Hint { stated: reading.options.encoding, country: reading.options.country.map(DefaultCountry::country) };
    let text = charset::find(&mut file, sample, hint).map_err(unreadable)?;
    let mut source = TextRows::open(path, file, text, reading.options.delimiter).map_err(unreadable)?;
    let form = Form {
        encoding: Some(text.encoding),
        delimiter: Some(char::from(source.delimiter)),
        may_be_damaged: !text.is_plain,
        ..form
    };
    feed_table(path, &mut source, form, reading, feed)
}

fn feed_table(
    path: &Path,
    source: &mut dyn Source,
    mut form: Form,
    reading: &Reading<'_>,
    feed: &mut Feed,
) -> Result<(), Error> {
    let changed = || Error::Changed { file: path.to_owned() };
    let rows = read_block(source, HEAD_ROWS)?.seal().ok_or_else(changed)?;
    if rows.len() == 0 {
        return Err(Error::Empty { file: path.to_owned() });
    }
    let head = header::find(&rows, reading);
    let widest = rows.iter().nth(head.header.unwrap_or(head.first)).map_or(0, |row| row.width());
    if widest > MAX_COLUMNS {
        return Err(Error::TooManyColumns { file: path.to_owned(), count: widest, max: MAX_COLUMNS });
    }
    let titles = rows.iter().take(head.header.unwrap_or(head.first));
    let text = |row: Row<'_>| row.cells().map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" ");
    let titles: Vec<(u64, String)> = titles.map(|row| (row.line, text(row))).collect();
    form.notes.extend((!titles.is_empty()).then_some(ImportNote::Titles { rows: titles }));
    let is_headless = head.header.is_none() && !reading.options.no_header;
    form.notes.extend(is_headless.then_some(ImportNote::NoHeader));
    let data = || rows.iter().skip(head.first);
    let header = head.header.and_then(|index| rows.iter().nth(index));
    let columns = Columns::find(header, &data, reading).map_err(|error| match error {
        NoColumns::NoNumber(columns) => Error::NoNumberColumn { file: path.to_owned(), columns, sheets: Vec::new() },
        NoColumns::NoSuch(column, columns) => Error::NoSuchColumn { file: path.to_owned(), column, columns },
        NoColumns::Twice(name) => Error::MappedTwice { file: path.to_owned(), name },
    })?;
    if form.must_be_named && (header.is_none() || !columns.says_numbers()) {
        let columns = columns.names().to_vec();
        return Err(Error::NoNumberColumn { file: path.to_owned(), columns, sheets: Vec::new() });
    }
    let columns = columns.of_sheet(form.sheet.is_some());
    let names = columns.named_by_us(header, &reading.options.map);
    form.notes.extend(names.map(|names| ImportNote::NamedColumns { names }));
    form.notes.extend(columns.not_a_country().map(|column| ImportNote::NotACountry { column }));
    let area_codes = columns.area_code().map(str::to_owned);
    form.notes.extend(area_codes.map(|column| ImportNote::AreaCodes { column, number: columns.number().to_owned() }));
    let others = columns.others();
    let taken = columns.number().to_owned();
    form.notes.extend((!others.is_empty()).then_some(ImportNote::OtherNumbers { taken, columns: others }));
    let long_quotes = form.long_quotes.clone();
    let selection = reading.selection(&columns)?;
    let mut more =
        feed.start(Layout { columns, selection, form }) && feed.rows(rows.skip(head.first), source.bytes_done());
    while more {
        let rows = read_block(source, BLOCK_ROWS)?.seal().ok_or_else(changed)?;
        more = rows.len() > 0 && feed.rows(rows, source.bytes_done());
    }
    // Set once, after the last row; no other code sets it.
    let _ = long_quotes.set(source.long_quotes());
    Ok(())
}

fn read_block(source: &mut dyn Source, rows: usize) -> Result<Block, Error> {
    let mut block = Block::default();
    while block.len() < rows && block.bytes() < BLOCK_BYTES && source.row(&mut block)? {}
    Ok(block)
}
