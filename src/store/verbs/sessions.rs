//! The part of the contract that is about sessions of operators.

use crate::base::domain::{Timestamp, Zone};
use crate::store::{AuditEntry, OperatorAccount, Result, SecretDigest, Session};

/// Sessions of operators.
///
/// - A new password and a disabled operator end the sessions of this operator, in the same transaction.
#[async_trait::async_trait]
pub trait Sessions: Send + Sync + std::fmt::Debug {
    /// Stores a new session with its entry of the audit log; returns whether it did. It does not if the operator is unknown
    /// or disabled.
    async fn begin_session(&self, session: Session, entry: AuditEntry) -> Result<bool>;
    /// Reads the session with this secret, and its operator.
    async fn session(&self, secret: SecretDigest) -> Result<Option<(Session, OperatorAccount)>>;
    /// Records a use. An earlier one than the recorded one changes nothing.
    async fn record_session_use(&self, secret: SecretDigest, at: Timestamp) -> Result<()>;
    async fn set_session_zone(&self, secret: SecretDigest, zone: Zone) -> Result<()>;
    /// Ends a session with its entry of the audit log; returns whether there was one.
    async fn end_session(&self, secret: SecretDigest, entry: AuditEntry) -> Result<bool>;
    /// Ends, in pieces, the sessions that were last used before `before`.
    async fn forget_sessions(&self, before: Timestamp) -> Result<()>;
}
