use crate::base::domain::Timestamp;
use crate::store::{Begun, NewRequest, RequestKey, Result, StoredAnswer};

/// Requests of the API that are carried out once, and the secrets that the server makes for itself.
#[async_trait::async_trait]
pub trait Requests: Send + Sync + std::fmt::Debug {
    /// Begins a request, unless one with the same key was begun before.
    async fn begin_request(&self, new: NewRequest) -> Result<Begun>;
    /// Stores the answer to a request that was begun; changes nothing if it is finished or forgotten.
    /// Its 24 hours count from `now`.
    async fn finish_request(&self, of: RequestKey, answer: StoredAnswer, now: Timestamp) -> Result<()>;
    /// Notes that the result of a request that was begun is not known.
    async fn interrupt_request(&self, of: RequestKey) -> Result<()>;
    /// Forgets a request that was begun and has changed nothing, so that it can be sent again.
    async fn forget_request(&self, of: RequestKey) -> Result<()>;
    /// Forgets the requests that were finished before `before`, in pieces. Those that never finished are kept longer.
    async fn forget_old_requests(&self, before: Timestamp) -> Result<()>;
    /// Returns the secret for a purpose. If there is none yet, stores `new` as the secret.
    async fn own_secret(&self, purpose: &'static str, new: [u8; 32]) -> Result<[u8; 32]>;
}
