//! `[opt_out]`: the keywords that an installation adds to the built-in ones or removes from them, and the confirmation.

use super::confirmation::Confirmation;
use super::error::Error;
use super::hosts::{Api, beside, check_beside};
use super::provider::{Provider, web_address};
use super::read::Reader;
use crate::base::domain::{OptOutOf, Phrase};

/// Keywords for opting out and in, beside the built-in ones, built-in keywords to ignore, and what follows an opt-out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keywords {
    pub stop: Vec<Phrase>,
    pub start: Vec<Phrase>,
    pub ignore: Vec<Phrase>,
    /// Texts that opt out wherever a reply has them.
    pub contains: Vec<String>,
    /// What a stop word opts out of.
    pub stop_means: OptOutOf,
    /// What a recipient gets after an opt-out by keyword.
    pub confirm: Option<Confirmation>,
    /// The group of the provider's contacts that opt-outs are pushed to.
    pub group: Option<String>,
    /// The address of the provider's contacts, without a trailing slash.
    pub contacts_url: String,
}

impl Keywords {
    /// Reads `[opt_out]`. The address of the contacts follows that of the provider.
    pub(super) fn read(reader: &mut Reader<'_>, provider: &Provider) -> Result<Self, Error> {
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
        let contains: Vec<String> = reader.parsed_list("contains")?;
        if contains.iter().any(|text| text.trim().is_empty()) {
            return Err(reader.wrong("contains", "has an empty text, which every reply contains; remove it"));
        }
        let stop_means = reader.parsed("stop_means")?.unwrap_or_default();
        let confirm = Confirmation::read(reader)?;
        let group = reader.text("group")?;
        let contacts_url = if reader.has("contacts_url") {
            let own = web_address(reader, "contacts_url")?.unwrap_or_default();
            check_beside(reader, "contacts_url", &own, provider)?;
            own
        } else {
            let same_region = beside(&provider.base_url, Api::Contacts);
            reader.assume("contacts_url", &same_region);
            same_region
        };
        Ok(Self { stop, start, ignore, contains, stop_means, confirm, group, contacts_url })
    }
}
