//! `[opt_out]`: the keywords that an installation adds to the built-in ones or removes from them.

use super::error::Error;
use super::read::Reader;
use crate::domain::Phrase;

/// Keywords for opting out and in, beside the built-in ones, and built-in keywords to ignore.
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
                let problem = format_args!("\"{word}\" is also in {other}; keep it in one of them");
                return Err(reader.wrong(key, problem));
            }
        }
        Ok(Self { stop, start, ignore })
    }
}
