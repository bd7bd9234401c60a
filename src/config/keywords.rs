//! `[opt_out]`: words that an installation adds to those of the table, and takes from it.

use super::error::Error;
use super::read::Reader;
use crate::domain::Phrase;

/// What people may write to be left alone, or to be written to again, beside what everybody understands; and what of
/// that is to mean nothing here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keywords {
    pub stop: Vec<Phrase>,
    pub start: Vec<Phrase>,
    pub ignore: Vec<Phrase>,
}

impl Keywords {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let stop: Vec<Phrase> = reader.parsed_list("stop")?;
        let start: Vec<Phrase> = reader.parsed_list("start")?;
        let ignore: Vec<Phrase> = reader.parsed_list("ignore")?;
        for (key, words, other, others) in
            [("start", &start, "stop", &stop), ("ignore", &ignore, "stop", &stop), ("ignore", &ignore, "start", &start)]
        {
            if let Some(word) = words.iter().find(|word| others.contains(word)) {
                let problem = format_args!("\"{word}\" stands in {other} as well; a word means one thing");
                return Err(reader.wrong(key, problem));
            }
        }
        Ok(Self { stop, start, ignore })
    }
}
