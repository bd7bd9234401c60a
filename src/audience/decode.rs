//! Bytes of a file to UTF-8 text, and how far we are.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use encoding_rs::UTF_8;
use encoding_rs_io::DecodeReaderBytesBuilder;

use super::sniff::Text;

/// A file that says where it is being read, while someone else owns it.
#[derive(Debug)]
pub(super) struct Tracked {
    file: File,
    at: Rc<Cell<u64>>,
}

impl Tracked {
    pub(super) fn new(file: File) -> (Self, Rc<Cell<u64>>) {
        let at = Rc::new(Cell::new(0));
        (Self { file, at: Rc::clone(&at) }, at)
    }
}

impl Read for Tracked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.at.set(self.at.get() + count as u64);
        Ok(count)
    }
}

impl Seek for Tracked {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = self.file.seek(to)?;
        self.at.set(at);
        Ok(at)
    }
}

/// The file's text from its beginning, without its byte order mark. What is no character in its encoding becomes the
/// replacement character.
pub(super) fn decode<R: Read + Seek + 'static>(mut file: R, text: Text) -> io::Result<Box<dyn Read>> {
    file.seek(SeekFrom::Start(text.mark))?;
    if text.encoding == UTF_8 {
        return Ok(Box::new(file));
    }
    Ok(Box::new(DecodeReaderBytesBuilder::new().encoding(Some(text.encoding)).build(file)))
}
