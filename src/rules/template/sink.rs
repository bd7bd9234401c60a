//! Where the text of a variable is written.

use std::fmt::{self, Write};

use crate::base::domain::push_json_escaped;

/// A buffer that can take back what was written last. Writing never fails.
pub(super) trait Sink: Write {
    fn len(&self) -> usize;

    fn truncate(&mut self, len: usize);

    fn put(&mut self, text: &str);
}

impl Sink for String {
    fn len(&self) -> usize {
        self.len()
    }

    fn truncate(&mut self, len: usize) {
        self.truncate(len);
    }

    fn put(&mut self, text: &str) {
        self.push_str(text);
    }
}

/// Writes the inside of a JSON string.
pub(super) struct Json<'a>(pub(super) &'a mut Vec<u8>);

impl Write for Json<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_json_escaped(self.0, text);
        Ok(())
    }
}

impl Sink for Json<'_> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    fn put(&mut self, text: &str) {
        push_json_escaped(self.0, text);
    }
}

/// Keeps nothing: for the question whether there is a text.
pub(super) struct Discard;

impl Write for Discard {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        Ok(())
    }
}

impl Sink for Discard {
    fn len(&self) -> usize {
        0
    }

    fn truncate(&mut self, _: usize) {}

    fn put(&mut self, _: &str) {}
}
