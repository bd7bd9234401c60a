//! Reads the rows of a text file.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

use super::Error;
use super::block::Block;
use super::charset::TextFormat;
use super::decode::{Tracked, decode};
use super::delimiter;
use super::note::RowCount;
use super::sniff::SAMPLE_BYTES;
use super::split::{MAX_ROW_BYTES, SplitError, Splitter};
use super::table::Source;

pub(super) struct TextRows<'a> {
    path: &'a Path,
    splitter: Splitter<Box<dyn Read>>,
    pub(super) delimiter: u8,
    at: Rc<Cell<u64>>,
}

impl<'a> TextRows<'a> {
    pub(super) fn open(path: &'a Path, file: File, text: TextFormat, delimiter: Option<u8>) -> io::Result<Self> {
        let mut sample = Vec::new();
        decode(file.try_clone()?, text)?.take(SAMPLE_BYTES).read_to_end(&mut sample)?;
        let cut = delimiter::find(&sample, delimiter);
        let (file, at) = Tracked::new(file);
        let mut splitter = Splitter::new(decode(file, text)?, cut.delimiter);
        if cut.named {
            // Skip the line that names the delimiter. It was split before, so this cannot fail.
            let _ = splitter.row(&mut Block::default());
        }
        Ok(Self { path, splitter, delimiter: cut.delimiter, at })
    }
}

impl Source for TextRows<'_> {
    fn row(&mut self, block: &mut Block) -> Result<bool, Error> {
        self.splitter.row(block).map_err(|error| {
            let file = self.path.to_owned();
            match error {
                SplitError::Io(source) => Error::Read { file, source },
                SplitError::OpenQuote { line } => Error::OpenQuote { file, line },
                SplitError::TooLong { line } => Error::RowTooLong { file, line, max: MAX_ROW_BYTES },
            }
        })
    }

    fn bytes_done(&self) -> u64 {
        self.at.get()
    }

    fn long_quotes(&self) -> RowCount {
        self.splitter.long_quotes
    }
}
