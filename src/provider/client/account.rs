//! What an account configures at the provider, and batches that another program scheduled there.

use bytes::Bytes;
use http::{HeaderValue, Method};

use super::access::{Access, granted};
use super::http_client::{Call, Http};
use crate::rules::wire::{Cancelled, WebhookScope, WebhookSetting};

impl Http {
    /// Reads where the provider posts the webhooks of an account.
    pub async fn webhooks(&self, account: &str) -> Result<Vec<WebhookSetting>, Access> {
        let body = self.ask(Method::GET, &["accounts", account, "webhooks"], None).await?;
        serde_json::from_slice(&body).map_err(|_| Access::NotTheProvider { said: "no list of webhooks".to_owned() })
    }

    /// Creates webhooks of an account, or replaces those of the same subaccount and type.
    pub async fn set_webhooks(&self, account: &str, settings: &[WebhookSetting]) -> Result<(), Access> {
        self.ask(Method::POST, &["accounts", account, "webhooks"], Some(json(settings))).await.map(drop)
    }

    /// Deletes webhooks of an account.
    pub async fn delete_webhooks(&self, account: &str, scopes: &[WebhookScope]) -> Result<(), Access> {
        self.ask(Method::DELETE, &["accounts", account, "webhooks"], Some(json(scopes))).await.map(drop)
    }

    /// Cancels the messages of a batch that were scheduled at the provider and are not sent yet. Returns their number.
    pub async fn cancel_batch(&self, batch: &str) -> Result<u64, Access> {
        let path = ["subaccounts", self.sub_account(), "messages", "batch", batch];
        let body = self.ask(Method::DELETE, &path, None).await?;
        let count = serde_json::from_slice::<Cancelled>(&body).ok().and_then(|cancelled| cancelled.cancelled_count);
        let count = count.and_then(|count| u64::try_from(count).ok());
        count.ok_or(Access::NotTheProvider { said: "no count of cancelled messages".to_owned() })
    }

    async fn ask(&self, method: Method, path: &[&str], body: Option<(HeaderValue, Bytes)>) -> Result<Bytes, Access> {
        granted(self.call(Call { method, path, query: None, body }, self.timeout()).await)
    }
}

fn json<T: serde::Serialize>(list: &[T]) -> (HeaderValue, Bytes) {
    // The settings are texts and truth values, which every JSON can hold.
    let body = serde_json::to_vec(list).unwrap_or_default();
    (HeaderValue::from_static("application/json"), body.into())
}
