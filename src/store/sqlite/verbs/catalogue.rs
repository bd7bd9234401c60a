//! Implements [`Catalogues`]: each verb runs the statements of its module.

use super::super::{Sqlite, catalogue};
use crate::base::domain::Timestamp;
use crate::store::{AccountEvent, Catalogues, FetchedTemplates, Result, TemplateLimit, TemplateRequest};

#[async_trait::async_trait]
impl Catalogues for Sqlite {
    async fn replace_templates(&self, fetched: FetchedTemplates, events: Vec<AccountEvent>) -> Result<bool> {
        self.write("store templates", move |c| Box::pin(catalogue::replace(c, fetched, events))).await
    }

    async fn templates(&self, names: Option<Vec<String>>) -> Result<Vec<FetchedTemplates>> {
        self.read("read templates", move |c| Box::pin(catalogue::templates(c, names))).await
    }

    async fn begin_template_request(
        &self,
        request: TemplateRequest,
        limit: Option<TemplateLimit>,
    ) -> Result<Option<i64>> {
        self.write("record a template request", move |c| Box::pin(catalogue::begin_request(c, request, limit))).await
    }

    async fn forget_template_request(&self, id: i64) -> Result<()> {
        self.write("remove a template request", move |c| Box::pin(catalogue::forget_request(c, id))).await
    }

    async fn template_requests(&self, account_id: String, since: Timestamp) -> Result<Vec<TemplateRequest>> {
        let verb = "read template requests";
        self.read(verb, move |c| Box::pin(catalogue::requests(c, account_id, since))).await
    }
}
