use crate::base::domain::Timestamp;
use crate::store::{AccountEvent, FetchedTemplates, Result, TemplateLimit, TemplateRequest};

/// The last known templates of the provider.
#[async_trait::async_trait]
pub trait Catalogues: Send + Sync + std::fmt::Debug {
    /// Replaces all templates of a channel, and stores and applies the events that follow from the list, in one transaction.
    ///
    /// - Changes nothing and returns `false` if the stored ones were fetched later.
    async fn replace_templates(&self, fetched: FetchedTemplates, events: Vec<AccountEvent>) -> Result<bool>;
    /// Reads the templates of every channel that was ever fetched; if `names` are given, only these, in all languages.
    async fn templates(&self, names: Option<Vec<String>>) -> Result<Vec<FetchedTemplates>>;
    /// Records a request about a template before it is sent, unless the limit is reached.
    ///
    /// - Returns its id; `None` if it was not recorded.
    async fn begin_template_request(
        &self,
        request: TemplateRequest,
        limit: Option<TemplateLimit>,
    ) -> Result<Option<i64>>;
    /// Removes a recorded request that the provider has refused.
    async fn forget_template_request(&self, id: i64) -> Result<()>;
    /// Lists the requests about the templates of an account since `since`, earliest first.
    async fn template_requests(&self, account_id: String, since: Timestamp) -> Result<Vec<TemplateRequest>>;
}
