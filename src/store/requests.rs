//! Defines requests of the API that are carried out once.

use crate::base::domain::Timestamp;

/// A request that names an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// The public part of the caller's API key.
    pub caller: String,
    pub key: String,
}

/// A request that begins.
#[derive(Debug, Clone)]
pub struct NewRequest {
    pub of: RequestKey,
    /// SHA-256 of method, path and body.
    pub digest: [u8; 32],
    /// The start of the server that carries it out.
    pub run: u64,
    pub now: Timestamp,
}

/// The answer to a request, as it is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    pub status: u16,
    /// The headers that matter, each with its name.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What became of the beginning of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// The request is new: carry it out.
    New,
    /// The same request was finished: repeat its answer.
    Finished(StoredAnswer),
    /// The key belongs to another request.
    Other,
    /// The same request is being carried out by this start of the server.
    InProgress,
    /// The same request was begun by a start of the server that ended before it was finished.
    Interrupted { begun_at: Timestamp },
}
