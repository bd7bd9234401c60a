//! Implements [`Sessions`]: each verb runs the statements of its module.

use super::super::{Sqlite, sessions};
use crate::base::domain::{Timestamp, Zone};
use crate::store::{AuditEntry, OperatorAccount, Result, SecretDigest, Session, Sessions};

#[async_trait::async_trait]
impl Sessions for Sqlite {
    async fn begin_session(&self, session: Session, entry: AuditEntry) -> Result<bool> {
        self.write("begin a session", move |c| Box::pin(sessions::begin(c, session, entry))).await
    }

    async fn session(&self, secret: SecretDigest) -> Result<Option<(Session, OperatorAccount)>> {
        self.read("read a session", move |c| Box::pin(sessions::find(c, secret))).await
    }

    async fn record_session_use(&self, secret: SecretDigest, at: Timestamp) -> Result<()> {
        self.write("record the use of a session", move |c| Box::pin(sessions::record_use(c, secret, at))).await
    }

    async fn set_session_zone(&self, secret: SecretDigest, zone: Zone) -> Result<()> {
        self.write("set the zone of a session", move |c| Box::pin(sessions::set_zone(c, secret, zone))).await
    }

    async fn end_session(&self, secret: SecretDigest, entry: AuditEntry) -> Result<bool> {
        self.write("end a session", move |c| Box::pin(sessions::end(c, secret, entry))).await
    }

    async fn forget_sessions(&self, before: Timestamp) -> Result<()> {
        while self.write("end old sessions", move |c| Box::pin(sessions::forget(c, before))).await? > 0 {}
        Ok(())
    }
}
