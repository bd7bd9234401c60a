//! What happened, latest first.

use askama::Template;

use super::frame::Frame;
use super::show::{capital, visible};
use crate::base::domain::Zone;
use crate::base::events::Event;

/// The events of the installation, or of one campaign.
#[derive(Debug, Template)]
#[template(path = "events.html")]
pub struct EventsPage<'a> {
    pub frame: Frame,
    /// The campaign, with its address.
    pub campaign: Option<(String, String)>,
    pub events: Vec<&'a Event>,
    pub is_later: bool,
    pub next: Option<String>,
    pub path: String,
}

impl EventsPage<'_> {
    const fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// What an event says, with or without its subject, and with times in this zone.
pub(super) fn said(event: &Event, with_subject: bool, zone: Option<Zone>) -> String {
    capital(visible(if with_subject { event.sentence_in(zone) } else { event.text_in(zone) }))
}
