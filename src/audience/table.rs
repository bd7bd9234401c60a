//! A source of rows with a header to blocks of rows with columns: the same for every kind of file.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

use super::Error;
use super::block::{Block, Rows};
use super::columns::{Columns, NoColumns};
use super::decode::{Tracked, decode};
use super::number::Home;
use super::pipeline::{Feed, Opened};
use super::sheet;
use super::sniff::{self, Kind, Text};
use super::split::{MAX_ROW_BYTES, Splitter, Unsplittable};

/// Small enough to share out evenly and to hold a few of, large enough that handing over costs nothing.
pub(super) const BLOCK_ROWS: usize = 1_000;
const BLOCK_BYTES: usize = 256 * 1024;
/// How many rows are looked at to tell the columns apart.
const HEAD_ROWS: usize = 100;
/// No recipient file has as many, and each costs memory in every row.
pub(super) const MAX_COLUMNS: usize = 1_024;

/// Rows in order, the header first.
pub(super) trait Source {
    /// Reads one row into the block; false when there are no more.
    fn row(&mut self, block: &mut Block) -> Result<bool, Error>;

    /// How many bytes of the file have been read.
    fn bytes_done(&self) -> u64;
}

/// What is known of a file before its columns are.
#[derive(Debug, Clone, Default)]
pub(super) struct Form {
    pub(super) encoding: Option<&'static str>,
    pub(super) delimiter: Option<char>,
    pub(super) sheet: Option<String>,
    pub(super) bytes_total: u64,
}

/// Reads a whole file into `feed`.
pub(super) fn feed_file(path: &Path, default: Home, feed: &mut Feed) -> Result<(), Error> {
    let unreadable = |source| Error::Read { file: path.to_owned(), source };
    let mut file = File::open(path).map_err(unreadable)?;
    let bytes_total = file.metadata().map_err(unreadable)?.len();
    match sniff::kind(&mut file).map_err(unreadable)? {
        Kind::Empty => Err(Error::Empty { file: path.to_owned() }),
        Kind::Unknown => Err(Error::NotText { file: path.to_owned() }),
        Kind::OldSpreadsheet => Err(Error::OldSpreadsheet { file: path.to_owned() }),
        Kind::Zip => {
            let form = Form { bytes_total, ..Form::default() };
            sheet::with_rows(path, file, &form, &mut |source, form| feed_table(path, source, form, default, feed))
        }
        Kind::Text(text) => {
            let (mut source, delimiter) = TextSource::open(path, file, text).map_err(unreadable)?;
            let form = Form {
                encoding: Some(text.encoding.name()),
                delimiter: Some(char::from(delimiter)),
                sheet: None,
                bytes_total,
            };
            feed_table(path, &mut source, form, default, feed)
        }
    }
}

fn feed_table(path: &Path, source: &mut dyn Source, form: Form, default: Home, feed: &mut Feed) -> Result<(), Error> {
    let changed = || Error::Changed { file: path.to_owned() };
    let mut block = Block::default();
    if !source.row(&mut block)? {
        return Err(Error::Empty { file: path.to_owned() });
    }
    let header = block.seal().ok_or_else(changed)?;
    let Some(header) = header.iter().next() else { return Err(Error::Empty { file: path.to_owned() }) };
    if header.width() > MAX_COLUMNS {
        return Err(Error::TooManyColumns { file: path.to_owned(), count: header.width(), max: MAX_COLUMNS });
    }
    let head = read_block(source, HEAD_ROWS)?.seal().ok_or_else(changed)?;
    let columns = Columns::find(header, &head, default).map_err(|error| match error {
        NoColumns::NoHeader => Error::NoHeader { file: path.to_owned(), line: header.line },
        NoColumns::NoNumber(columns) => Error::NoNumberColumn { file: path.to_owned(), columns },
    })?;
    let mut more = feed.open(Opened { columns, form }) && feed.rows(head, source.bytes_done());
    while more {
        let rows: Rows = read_block(source, BLOCK_ROWS)?.seal().ok_or_else(changed)?;
        more = rows.len() > 0 && feed.rows(rows, source.bytes_done());
    }
    Ok(())
}

fn read_block(source: &mut dyn Source, rows: usize) -> Result<Block, Error> {
    let mut block = Block::default();
    while block.len() < rows && block.bytes() < BLOCK_BYTES && source.row(&mut block)? {}
    Ok(block)
}

struct TextSource<'a> {
    path: &'a Path,
    splitter: Splitter<Box<dyn Read>>,
    at: Rc<Cell<u64>>,
}

impl<'a> TextSource<'a> {
    fn open(path: &'a Path, file: File, text: Text) -> io::Result<(Self, u8)> {
        let mut sample = Vec::new();
        decode(file.try_clone()?, text)?.take(sniff::SAMPLE_BYTES).read_to_end(&mut sample)?;
        let cut = sniff::cut(&sample);
        let (file, at) = Tracked::new(file);
        let mut splitter = Splitter::new(decode(file, text)?, cut.delimiter);
        if cut.named {
            // The line that names the delimiter is no row. It was split once already, so it cannot fail.
            let _ = splitter.row(&mut Block::default());
        }
        Ok((Self { path, splitter, at }, cut.delimiter))
    }
}

impl Source for TextSource<'_> {
    fn row(&mut self, block: &mut Block) -> Result<bool, Error> {
        self.splitter.row(block).map_err(|error| {
            let file = self.path.to_owned();
            match error {
                Unsplittable::Io(source) => Error::Read { file, source },
                Unsplittable::OpenQuote { line } => Error::OpenQuote { file, line },
                Unsplittable::TooLong { line } => Error::RowTooLong { file, line, max: MAX_ROW_BYTES },
            }
        })
    }

    fn bytes_done(&self) -> u64 {
        self.at.get()
    }
}
