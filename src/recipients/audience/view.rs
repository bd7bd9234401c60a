//! Audiences, checks and imports as JSON.

use std::borrow::Cow;

use serde::Serialize;

use super::{ImportNote, Summary};
use crate::base::domain::{AddressFields, Country, Recipient, Span};
use crate::store::{Audience, AudiencePart};

/// An imported audience.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AudienceView<'a> {
    pub name: &'a str,
    pub recipients: u32,
    pub columns: &'a [String],
    pub parts: Vec<PartView<'a>>,
}

/// One file of an audience.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PartView<'a> {
    pub source: &'a str,
    pub recipients: u32,
    pub imported_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<SummaryView<'a>>,
}

/// The counts of a file, with its notes as sentences.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SummaryView<'a> {
    #[serde(flatten)]
    pub summary: &'a Summary,
    pub notes: Vec<NoteView>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct NoteView {
    pub kind: &'static str,
    pub text: String,
}

impl<'a> SummaryView<'a> {
    pub fn new(summary: &'a Summary) -> Self {
        let view = |note: &ImportNote| NoteView { kind: note.kind(), text: note.text() };
        Self { summary, notes: summary.notes.iter().map(view).collect() }
    }
}

impl<'a> AudienceView<'a> {
    /// `summaries` are those of its parts, in their order; a part may have none.
    pub fn new(audience: &'a Audience, summaries: &'a [Option<Summary>]) -> Self {
        let part = |(part, summary): (&'a AudiencePart, &'a Option<Summary>)| PartView {
            source: &part.source,
            recipients: part.recipients,
            imported_at: part.begun_at.rfc3339(),
            summary: summary.as_ref().map(SummaryView::new),
        };
        Self {
            name: &audience.name,
            recipients: audience.recipients(),
            columns: &audience.columns,
            parts: audience.parts.iter().zip(summaries).map(part).collect(),
        }
    }
}

/// The counts of a checked file.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CheckView<'a> {
    #[serde(flatten)]
    pub summary: SummaryView<'a>,
    /// How long the check took.
    pub seconds: f64,
}

impl<'a> CheckView<'a> {
    pub fn new(summary: &'a Summary, took: Span) -> Self {
        Self { summary: SummaryView::new(summary), seconds: took.std().as_secs_f64() }
    }
}

/// The counts of an imported file.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ImportView<'a> {
    pub name: &'a str,
    /// Number of new recipients.
    pub added: u64,
    pub took_ms: i64,
    /// The audience into which the same file was imported before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_as: Option<&'a str>,
    #[serde(flatten)]
    pub summary: SummaryView<'a>,
}

/// A recipient with the fields of its row.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RecipientView<'a> {
    #[serde(flatten)]
    pub address: AddressFields,
    pub country: Country,
    pub client_message_id: Option<&'a str>,
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub fields: OrderedFields<'a>,
}

/// The fields of a row, in the order of the columns.
#[derive(Debug)]
pub struct OrderedFields<'a>(Vec<(&'a str, Cow<'a, str>)>);

impl Serialize for OrderedFields<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, field)| (name, field)))
    }
}

impl<'a> RecipientView<'a> {
    /// `columns` are those of its audience.
    pub fn new(recipient: &'a Recipient, columns: &'a [String]) -> Self {
        let fields = recipient.fields.unpack().unwrap_or_default();
        Self {
            address: recipient.address.clone().into(),
            country: recipient.country,
            client_message_id: recipient.client_message_id.as_deref(),
            fields: OrderedFields(columns.iter().map(String::as_str).zip(fields).collect()),
        }
    }
}

/// An audience that was removed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RemovedView<'a> {
    pub name: &'a str,
    pub recipients: u32,
}
