//! Sends the requests of another program on to the provider, as they are.

use bytes::Bytes;
use http::{HeaderValue, Method};

use super::http_client::{Broken, Call, Http, RawAnswer};
use crate::base::domain::Span;

/// The longest wait for an answer: a file of 30 MiB at 3 Mbit/s.
const LIMIT: Span = Span::from_secs(100);

/// A request of another program.
#[derive(Debug, Clone)]
pub struct Relayed<'a> {
    pub method: Method,
    /// Below `/api/v1`, one segment each.
    pub path: &'a [&'a str],
    /// With its media type.
    pub body: Option<(HeaderValue, Bytes)>,
}

impl Http {
    /// Sends a request on under the key of the lane, once, and returns the provider's answer.
    pub async fn relay(&self, Relayed { method, path, body }: Relayed<'_>) -> Result<RawAnswer, Broken> {
        self.call(Call { method, path, query: None, body }, LIMIT).await
    }
}
