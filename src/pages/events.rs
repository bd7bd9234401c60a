//! What happened, latest first.

use askama::Template;

use super::frame::Frame;
use crate::events::Event;

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
