//! What recipients wrote to us, latest first.

use askama::Template;

use super::frame::Frame;
use super::recipient::recipient_path;
use crate::base::domain::{Address, Channel, Keyword, Msisdn, Timestamp};

/// So many replies are counted that may be opt-outs.
pub const UNDECIDED_COUNTED: u32 = 99;

/// A message from a recipient.
#[derive(Debug)]
pub struct Reply {
    /// The provider's id.
    pub umid: String,
    pub at: Timestamp,
    /// The number of the writer, if it is known.
    pub number: Option<Msisdn>,
    /// The channel's id of the writer, if the number is unknown.
    pub user: Option<String>,
    pub channel: Option<Channel>,
    /// The provider's word.
    pub kind: String,
    /// Whether the recipient chose a button or a row of a list.
    pub is_choice: bool,
    pub keyword: Option<Keyword>,
    pub text: String,
    /// Whether the text goes on.
    pub is_cut: bool,
    /// The message that it answers.
    pub on: Option<AnsweredMessage>,
}

/// A message that was answered.
#[derive(Debug)]
pub struct AnsweredMessage {
    pub campaign: String,
    pub campaign_path: String,
    pub message: String,
    pub step: u8,
}

impl Reply {
    /// The writer, as an operator knows them.
    fn writer(&self) -> Option<String> {
        self.number.map(|number| number.to_string()).or_else(|| self.user.clone())
    }

    fn recipient_path(&self) -> Option<String> {
        let user = || self.user.as_deref()?.parse().ok().map(Address::User);
        self.number.map(Address::Number).or_else(user).as_ref().map(recipient_path)
    }
}

/// The replies to everything, or to one campaign.
#[derive(Debug, Template)]
#[template(path = "replies.html")]
pub struct RepliesPage {
    pub frame: Frame,
    /// The campaign, with its address, if the page belongs to one.
    pub of: Option<(String, String)>,
    pub rows: Vec<Reply>,
    /// What the list was filtered by.
    pub campaign: String,
    pub is_unknown_campaign: bool,
    pub text: String,
    /// Whether the list has only replies that may be opt-outs.
    pub is_undecided: bool,
    /// How many of those there are: none, some, or at least this many.
    pub undecided: u64,
    pub is_later: bool,
    /// The address of the same list as a file.
    pub csv: String,
    pub first: String,
    pub next: Option<String>,
}

impl RepliesPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn is_filtered(&self) -> bool {
        !self.campaign.is_empty() || !self.text.is_empty() || self.is_undecided
    }

    /// The page without filters.
    fn path(&self) -> String {
        self.of.as_ref().map_or_else(|| "/replies".to_owned(), |(_, path)| format!("{path}/replies"))
    }
}
