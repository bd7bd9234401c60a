//! An event as JSON.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

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

impl PartialSchema for EventView<'_> {
    /// The keys of every event. Each kind has more, which `docs/json.md` lists.
    fn schema() -> RefOr<Schema> {
        let text = |description: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(description));
        let at = text("When it happened.").format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
        ObjectBuilder::new()
            .property("at", at)
            .property("subject", text("What it is about, in words.").examples(["campaign November promo"]))
            .property("text", text("What happened, in words.").examples(["paused by ann: wrong text"]))
            .property("about", text("The kind of subject, such as campaign or lane."))
            .property("kind", text("The kind of event."))
            .property("by", text("Who caused it.").enum_values(Some(["operator", "provider", "server"])))
            .property("operator", text("The name of the operator, if one caused it."))
            .property("reason", text("The reason given."))
            .required("at")
            .required("subject")
            .required("text")
            .required("about")
            .required("kind")
            .required("by")
            .into()
    }
}

impl ToSchema for EventView<'_> {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Event")
    }
}
