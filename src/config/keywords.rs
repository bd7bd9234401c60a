//! `[opt_out]`: words that an installation adds to those of the table.

use super::error::Error;
use super::read::Reader;

/// What people may write to be left alone, or to be written to again, beside what everybody understands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keywords {
    pub stop: Vec<String>,
    pub start: Vec<String>,
}

impl Keywords {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let keywords = Self { stop: reader.list("stop")?, start: reader.list("start")? };
        match keywords.stop.iter().find(|word| keywords.start.contains(word)) {
            Some(word) => {
                Err(reader.wrong("start", format_args!("\"{word}\" stands in stop as well; a word means one of them")))
            }
            None => Ok(keywords),
        }
    }
}
