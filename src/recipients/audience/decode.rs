//! Decodes the bytes of a file to UTF-8 and tracks the read position.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use encoding_rs_io::DecodeReaderBytesBuilder;

use super::charset::TextFormat;

/// A file that reports its read position to a shared cell, while its reader owns it.
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

/// Decodes a file from its beginning, without the byte order mark and NUL characters. Invalid bytes become the replacement
/// character.
pub(super) fn decode<R: Read + Seek + 'static>(mut file: R, text: TextFormat) -> io::Result<Box<dyn Read>> {
    file.seek(SeekFrom::Start(text.mark))?;
    let decoded: Box<dyn Read> = if text.is_plain {
        Box::new(file)
    } else {
        Box::new(DecodeReaderBytesBuilder::new().encoding(Some(text.encoding)).build(file))
    };
    Ok(if text.may_have_nul { Box::new(WithoutNul(decoded)) } else { decoded })
}

struct WithoutNul(Box<dyn Read>);

impl Read for WithoutNul {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.0.read(buffer)?;
            let mut kept = 0;
            for index in 0..count {
                buffer[kept] = buffer[index];
                kept += usize::from(buffer[index] != 0);
            }
            // A buffer of only NULs is not the end of the file.
            if kept > 0 || count == 0 {
                return Ok(kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::{SHIFT_JIS, UTF_8, UTF_16LE};

    use super::*;

    fn decoded(bytes: &'static [u8], text: TextFormat) -> String {
        let mut decoded = String::new();
        decode(io::Cursor::new(bytes), text).unwrap().read_to_string(&mut decoded).unwrap();
        decoded
    }

    #[test]
    fn decoded_text_has_no_byte_order_mark_and_no_nul() {
        let plain = TextFormat { encoding: UTF_8, mark: 0, is_plain: true, may_have_nul: false };
        assert_eq!(decoded("Zo\u{eb}".as_bytes(), plain), "Zoë");
        assert_eq!(decoded(b"\xef\xbb\xbfZo", TextFormat { mark: 3, ..plain }), "Zo");
        assert_eq!(decoded(b"\0a\0\0b\0", TextFormat { may_have_nul: true, ..plain }), "ab");
        assert_eq!(decoded(b"\0\0\0", TextFormat { may_have_nul: true, ..plain }), "");
        assert_eq!(decoded(b"Zo\xeb,1", TextFormat { is_plain: false, ..plain }), "Zo\u{fffd},1");
        assert_eq!(decoded(b"\x93\x64\x98\x62", TextFormat { encoding: SHIFT_JIS, is_plain: false, ..plain }), "電話");
        let wide = TextFormat { encoding: UTF_16LE, mark: 2, is_plain: false, may_have_nul: true };
        assert_eq!(decoded(b"\xff\xfea\0\0\0b\0", wide), "ab");
    }
}
