//! `[opt_out]`: the keywords that an installation adds to the built-in ones or removes from them, and the confirmation.

use super::confirmation::Confirmation;
use super::error::Error;
use super::provider::web_address;
use super::read::Reader;
use crate::domain::Phrase;

/// Where the provider's contacts are.
const CONTACTS_URL: &str = "https://contacts.8x8.com";

/// Keywords for opting out and in, beside the built-in ones, built-in keywords to ignore, and what follows an opt-out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keywords {
    pub stop: Vec<Phrase>,
    pub start: Vec<Phrase>,
    pub ignore: Vec<Phrase>,
    /// What a recipient gets after an opt-out by keyword.
    pub confirm: Option<Confirmation>,
    /// The group of the provider's contacts that opt-outs are pushed to.
    pub group: Option<String>,
    /// The address of the provider's contacts, without a trailing slash.
    pub contacts_url: String,
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
        let confirm = Confirmation::read(reader)?;
        let group = reader.text("group")?;
        let contacts_url = if reader.has("contacts_url") {
            web_address(reader, "contacts_url")?.unwrap_or_default()
        } else {
            reader.assume("contacts_url", &CONTACTS_URL);
            CONTACTS_URL.to_owned()
        };
        Ok(Self { stop, start, ignore, confirm, group, contacts_url })
    }
}
