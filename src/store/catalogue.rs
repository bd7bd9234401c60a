//! Defines what the store keeps about the provider's templates.

use crate::base::domain::Timestamp;

/// A channel of an account at the provider: the place of templates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplatePlace {
    pub account_id: String,
    pub channel_id: String,
}

/// The templates of a channel, all fetched at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedTemplates {
    pub place: TemplatePlace,
    pub fetched_at: Timestamp,
    pub templates: Vec<StoredTemplate>,
}

/// A template as the provider listed it. Each channel has at most one of a name and a language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTemplate {
    pub name: String,
    pub language: String,
    /// The provider's word.
    pub category: String,
    /// The provider's word.
    pub status: String,
    /// The provider's JSON.
    pub components: String,
    /// When it was last updated, by the provider's clock.
    pub updated_at: Option<Timestamp>,
}

/// What was asked of the provider about a template's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateRequest {
    pub place: TemplatePlace,
    pub name: String,
    /// Empty for all languages.
    pub language: String,
    pub kind: TemplateRequestKind,
    pub at: Timestamp,
}

/// The most requests of one kind that are recorded for an account since a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemplateLimit {
    pub at_most: u32,
    pub since: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateRequestKind {
    Created = 0,
    Removed = 1,
}

impl TemplateRequestKind {
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Created),
            1 => Some(Self::Removed),
            _ => None,
        }
    }
}
