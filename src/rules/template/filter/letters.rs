//! Filters that change one character after another: letter case and percent encoding.

use std::fmt::{self, Write};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rules::template) enum Change {
    Upper,
    Lower,
    /// Each word with one capital: after a space, a hyphen or nothing.
    Title,
    /// Every byte that RFC 3986 reserves or does not name, as `%` and two digits.
    Url,
}

/// Writes changed characters on to `out`.
pub(super) struct Letters<'a> {
    change: Change,
    out: &'a mut dyn Write,
    /// Whether the next letter is the first of a word.
    begins: bool,
}

impl<'a> Letters<'a> {
    pub(super) fn new(change: Change, out: &'a mut dyn Write) -> Self {
        Self { change, out, begins: true }
    }
}

impl Write for Letters<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut run = Run { bytes: [0; RUN], len: 0, out: &mut *self.out };
        match self.change {
            Change::Upper => text.chars().flat_map(char::to_uppercase).try_for_each(|c| run.push(c))?,
            Change::Lower => text.chars().flat_map(char::to_lowercase).try_for_each(|c| run.push(c))?,
            Change::Title => {
                for c in text.chars() {
                    if !c.is_alphanumeric() {
                        self.begins |= c.is_whitespace() || matches!(c, '-' | '\u{2010}' | '\u{2011}');
                        run.push(c)?;
                    } else if std::mem::take(&mut self.begins) {
                        c.to_uppercase().try_for_each(|c| run.push(c))?;
                    } else {
                        c.to_lowercase().try_for_each(|c| run.push(c))?;
                    }
                }
            }
            Change::Url => {
                for byte in text.bytes() {
                    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                        run.push(char::from(byte))?;
                    } else {
                        let digit = |nibble: u8| char::from(b"0123456789ABCDEF"[usize::from(nibble)]);
                        ['%', digit(byte >> 4), digit(byte & 0xf)].into_iter().try_for_each(|c| run.push(c))?;
                    }
                }
            }
        }
        run.flush()
    }
}

const RUN: usize = 64;

/// Collects characters, because `out` takes a run of them faster than each alone.
struct Run<'a> {
    bytes: [u8; RUN],
    len: usize,
    out: &'a mut dyn Write,
}

impl Run<'_> {
    fn push(&mut self, c: char) -> fmt::Result {
        if self.len + c.len_utf8() > RUN {
            self.flush()?;
        }
        self.len += c.encode_utf8(&mut self.bytes[self.len..]).len();
        Ok(())
    }

    fn flush(&mut self) -> fmt::Result {
        let len = std::mem::take(&mut self.len);
        let text = std::str::from_utf8(&self.bytes[..len]).map_err(|_| fmt::Error)?;
        self.out.write_str(text)
    }
}
