//! Implements [`Catalogues`]: each verb runs the statements of its module.

use super::super::{Sqlite, catalogue};
use crate::domain::Timestamp;
use crate::store::{Catalogues, FetchedTemplates, Result, TemplateRequest};

#[async_trait::async_trait]
impl Catalogues for Sqlite {
    async fn replace_templates(&self, fetched: FetchedTemplates) -> Result<bool> {
        self.write("store templates", move |c| Box::pin(catalogue::replace(c, fetched))).await
    }

    async fn templates(&self, names: Option<Vec<String>>) -> Result<Vec<FetchedTemplates>> {
        self.read("read templates", move |c| Box::pin(catalogue::templates(c, names))).await
    }

    async fn record_template_request(&self, request: TemplateRequest) -> Result<()> {
        self.write("record a template request", move |c| Box::pin(catalogue::record_request(c, request))).await
    }

    async fn template_requests(&self, account_id: String, since: Timestamp) -> Result<Vec<TemplateRequest>> {
        let verb = "read template requests";
        self.read(verb, move |c| Box::pin(catalogue::requests(c, account_id, since))).await
    }
}
