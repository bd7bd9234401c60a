//! Implements [`Requests`].

use super::super::{Sqlite, requests};
use crate::base::domain::Timestamp;
use crate::store::{Begun, NewRequest, RequestKey, Requests, Result, StoredAnswer};

#[async_trait::async_trait]
impl Requests for Sqlite {
    async fn begin_request(&self, new: NewRequest) -> Result<Begun> {
        self.write("begin a request", move |c| Box::pin(requests::begin(c, new))).await
    }

    async fn finish_request(&self, of: RequestKey, answer: StoredAnswer, now: Timestamp) -> Result<()> {
        let verb = "store the answer to a request";
        self.write(verb, move |c| Box::pin(async move { requests::finish(c, &of, &answer, now).await })).await
    }

    async fn interrupt_request(&self, of: RequestKey) -> Result<()> {
        self.write("interrupt a request", move |c| Box::pin(async move { requests::interrupt(c, &of).await })).await
    }

    async fn forget_request(&self, of: RequestKey) -> Result<()> {
        self.write("forget a request", move |c| Box::pin(async move { requests::forget(c, &of).await })).await
    }

    async fn forget_old_requests(&self, before: Timestamp) -> Result<()> {
        while self.write("forget old requests", move |c| Box::pin(requests::forget_old(c, before))).await? {}
        Ok(())
    }

    async fn own_secret(&self, purpose: &'static str, new: [u8; 32]) -> Result<[u8; 32]> {
        self.write("store a secret", move |c| Box::pin(requests::own_secret(c, purpose, new))).await
    }
}
