//! Requests about anything but the sending of messages: each is made once, and nothing stops it.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use url::Url;

use super::{Broken, Failed, Http, RawAnswer, no_answer};
use crate::base::domain::Span;
use crate::provider::client::offer::{GatedBody, Offer, Open};

/// A request about anything but the sending of messages.
#[derive(Debug)]
pub(in crate::provider::client) struct Call<'a> {
    pub(in crate::provider::client) method: Method,
    /// Below `/api/v1`, one segment each.
    pub(in crate::provider::client) path: &'a [&'a str],
    /// A name and its value.
    pub(in crate::provider::client) query: Option<(&'a str, &'a str)>,
    /// With its media type.
    pub(in crate::provider::client) body: Option<(HeaderValue, Bytes)>,
}

impl Http {
    /// Makes a request once, and waits for its answer until the limit.
    pub(in crate::provider::client) async fn call(&self, call: Call<'_>, limit: Span) -> Result<RawAnswer, Broken> {
        let asked = async {
            let mut headers = self.prepared().headers.clone();
            let body = match call.body {
                None => GatedBody::empty(),
                Some((kind, body)) => {
                    headers.insert(CONTENT_TYPE, kind);
                    GatedBody::new(body, Offer::new(Arc::new(Open)))
                }
            };
            let target = self.address.target(call.path, call.query, headers);
            let target = target.map_err(|why| Failed::Unconnected { why: why.to_string() })?;
            self.exchange(target.request(call.method, body)).await
        };
        let answered = tokio::time::timeout(limit.std(), asked).await;
        let answered = answered.unwrap_or_else(|_| Err(Failed::Broken { why: no_answer(limit) }));
        answered.map_err(|failed| match failed {
            Failed::Unconnected { why } => Broken::NotOffered { why },
            Failed::Broken { why } => Broken::Sent { why },
        })
    }

    /// How long an answer to a request may take.
    pub(in crate::provider::client) const fn timeout(&self) -> Span {
        self.timeout
    }

    /// The provider's address.
    pub(in crate::provider::client) fn base_url(&self) -> Option<Url> {
        let mut url = self.address.api.clone();
        url.path_segments_mut().ok()?.pop().pop();
        Some(url)
    }

    /// The subaccount of its lane.
    pub(in crate::provider::client) fn sub_account(&self) -> &str {
        &self.address.sub_account
    }
}
