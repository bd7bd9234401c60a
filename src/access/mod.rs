//! Who may call the API, and what each caller may do: keys and operators with scopes.
//!
//! In: the `Authorization` of a request, and where it came from.
//! Out: the caller with its scopes and limits ([`Caller`]), or why it is refused ([`Denied`]).
//! Promises: a secret is stored as a digest and compared in constant time; a revoked key is refused at once.
//! May not: answer requests.

mod caller;

pub use caller::{Caller, Denied, Scopes};

use std::net::IpAddr;
use std::sync::Arc;

use crate::domain::Timestamp;
use crate::store::Store;

/// Checks callers against the keys of the store.
#[derive(Debug)]
pub struct Access {
    #[expect(dead_code, reason = "read once keys exist")]
    store: Arc<dyn Store>,
}

impl Access {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Finds the caller of a request by its `Authorization`, and checks that its key is valid and may be used from `peer`.
    pub async fn caller(
        &self,
        authorization: Option<&[u8]>,
        peer: IpAddr,
        now: Timestamp,
    ) -> Result<Arc<Caller>, Denied> {
        let _ = (authorization, peer, now);
        Err(Denied::NoKey)
    }
}
