use crate::domain::Timestamp;
use crate::store::{FetchedTemplates, Result, TemplateRequest};

/// The last known templates of the provider.
#[async_trait::async_trait]
pub trait Catalogues: Send + Sync + std::fmt::Debug {
    /// Replaces all templates of a channel.
    ///
    /// - Changes nothing and returns `false` if the stored ones were fetched later.
    async fn replace_templates(&self, fetched: FetchedTemplates) -> Result<bool>;
    /// Reads the templates of every channel that was ever fetched; if `names` are given, only these, in all languages.
    async fn templates(&self, names: Option<Vec<String>>) -> Result<Vec<FetchedTemplates>>;
    /// Records what was asked of the provider about a template.
    async fn record_template_request(&self, request: TemplateRequest) -> Result<()>;
    /// Lists what was asked about the templates of an account since `since`, earliest first.
    async fn template_requests(&self, account_id: String, since: Timestamp) -> Result<Vec<TemplateRequest>>;
}
