//! Audiences, checks and imports as JSON.

use serde::Serialize;
use serde_json::Value;

use super::{Summary, understood};
use crate::domain::Span;
use crate::store::{Audience, AudiencePart};

/// An imported audience.
#[derive(Debug, Serialize)]
pub struct AudienceView<'a> {
    pub name: &'a str,
    pub recipients: u32,
    pub columns: &'a [String],
    pub parts: Vec<PartView<'a>>,
}

/// One file of an audience.
#[derive(Debug, Serialize)]
pub struct PartView<'a> {
    pub source: &'a str,
    pub recipients: u32,
    pub imported_at: String,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub summary: Value,
}

impl<'a> AudienceView<'a> {
    pub fn new(audience: &'a Audience) -> Self {
        let part = |part: &'a AudiencePart| PartView {
            source: &part.source,
            recipients: part.recipients,
            imported_at: part.begun_at.rfc3339(),
            summary: understood(part),
        };
        Self {
            name: &audience.name,
            recipients: audience.recipients(),
            columns: &audience.columns,
            parts: audience.parts.iter().map(part).collect(),
        }
    }
}

/// The counts of a checked file.
#[derive(Debug, Serialize)]
pub struct CheckView<'a> {
    #[serde(flatten)]
    pub summary: &'a Summary,
    /// How long the check took.
    pub seconds: f64,
}

impl<'a> CheckView<'a> {
    pub fn new(summary: &'a Summary, took: Span) -> Self {
        Self { summary, seconds: took.std().as_secs_f64() }
    }
}

/// The counts of an imported file.
#[derive(Debug, Serialize)]
pub struct ImportView<'a> {
    pub name: &'a str,
    /// Number of new recipients.
    pub added: u64,
    pub took_ms: i64,
    /// The audience into which the same file was imported before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_as: Option<&'a str>,
    #[serde(flatten)]
    pub summary: &'a Summary,
}
