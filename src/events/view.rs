//! An event as JSON.

use serde::Serialize;

use super::{Event, EventKind, Origin, Subject};

/// An event: its fields, and its sentence in two parts.
#[derive(Debug, Serialize)]
pub struct EventView<'a> {
    pub at: String,
    pub subject: String,
    pub text: String,
    #[serde(flatten)]
    pub about: &'a Subject,
    #[serde(flatten)]
    pub origin: &'a Origin,
    #[serde(flatten)]
    pub kind: &'a EventKind,
}

impl<'a> EventView<'a> {
    pub fn new(event: &'a Event) -> Self {
        let Event { at, subject, origin, kind } = event;
        let (at, text) = (at.rfc3339(), event.text());
        Self { at, subject: subject.to_string(), text, about: subject, origin, kind }
    }
}
