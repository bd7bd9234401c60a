//! Implements [`Keys`]: each verb runs the statements of its module.

use super::super::{Sqlite, api_keys, audit, operators};
use crate::base::domain::{KeyId, Scopes, Timestamp};
use crate::store::{
    ApiKey, AuditEntry, AuditFilter, Cursor, Keys, LastUse, OperatorAccount, PasswordHash, Result, ScopesSet,
    SecretDigest, SetupToken,
};

#[async_trait::async_trait]
impl Keys for Sqlite {
    async fn api_key(&self, id: KeyId) -> Result<Option<ApiKey>> {
        self.read("read a key", move |c| Box::pin(api_keys::find(c, id))).await
    }

    async fn api_key_named(&self, name: String) -> Result<Option<ApiKey>> {
        self.read("read a key by its name", move |c| Box::pin(api_keys::named(c, name))).await
    }

    async fn api_keys(&self, after: Option<KeyId>, limit: u32) -> Result<Vec<ApiKey>> {
        self.read("list keys", move |c| Box::pin(api_keys::list(c, after, limit))).await
    }

    async fn create_api_key(&self, key: ApiKey, setup: Option<SecretDigest>, entry: AuditEntry) -> Result<bool> {
        self.write("create a key", move |c| Box::pin(api_keys::create(c, key, setup, entry))).await
    }

    async fn rotate_api_key(
        &self,
        id: KeyId,
        secret: SecretDigest,
        former_until: Option<Timestamp>,
        entry: AuditEntry,
    ) -> Result<bool> {
        self.write("rotate a key", move |c| Box::pin(api_keys::rotate(c, id, secret, former_until, entry))).await
    }

    async fn revoke_api_key(&self, id: KeyId, now: Timestamp, entry: AuditEntry) -> Result<bool> {
        self.write("revoke a key", move |c| Box::pin(api_keys::revoke(c, id, now, entry))).await
    }

    async fn record_key_uses(&self, uses: Vec<(KeyId, LastUse)>) -> Result<()> {
        self.write("record the uses of keys", move |c| Box::pin(api_keys::record_uses(c, uses))).await
    }

    async fn operator(&self, name: String) -> Result<Option<OperatorAccount>> {
        self.read("read an operator", move |c| Box::pin(operators::find(c, name))).await
    }

    async fn operators(&self, after: Option<String>, limit: u32) -> Result<Vec<OperatorAccount>> {
        self.read("list operators", move |c| Box::pin(operators::list(c, after, limit))).await
    }

    async fn create_operator(
        &self,
        operator: OperatorAccount,
        setup: Option<SecretDigest>,
        entry: AuditEntry,
    ) -> Result<bool> {
        self.write("create an operator", move |c| Box::pin(operators::create(c, operator, setup, entry))).await
    }

    async fn set_password(&self, name: String, password: PasswordHash, entry: AuditEntry) -> Result<bool> {
        self.write("set a password", move |c| Box::pin(operators::set_password(c, name, password, entry))).await
    }

    async fn set_operator_scopes(&self, name: String, scopes: Scopes, entry: AuditEntry) -> Result<ScopesSet> {
        self.write("set the scopes of an operator", move |c| Box::pin(operators::set_scopes(c, name, scopes, entry)))
            .await
    }

    async fn set_operator_disabled(&self, name: String, since: Option<Timestamp>, entry: AuditEntry) -> Result<bool> {
        self.write("disable or enable an operator", move |c| Box::pin(operators::set_disabled(c, name, since, entry)))
            .await
    }

    async fn offer_setup(&self, token: SetupToken, now: Timestamp) -> Result<bool> {
        self.write("store the setup token", move |c| Box::pin(api_keys::offer_setup(c, token, now))).await
    }

    async fn setup_token(&self) -> Result<Option<SetupToken>> {
        self.read("read the setup token", move |c| Box::pin(api_keys::setup_token(c))).await
    }

    async fn record_audit(&self, entries: Vec<AuditEntry>) -> Result<()> {
        self.write("record audit entries", move |c| Box::pin(async move { audit::record(c, &entries).await })).await
    }

    async fn audit_entries(&self, after: Cursor, limit: u32) -> Result<Vec<(Cursor, AuditEntry)>> {
        self.read("read the audit log", move |c| Box::pin(audit::list(c, after, limit))).await
    }

    async fn audit_entries_before(
        &self,
        filter: AuditFilter,
        before: Option<Cursor>,
        limit: u32,
    ) -> Result<Vec<(Cursor, AuditEntry)>> {
        self.read("read earlier audit entries", move |c| Box::pin(audit::list_before(c, filter, before, limit))).await
    }

    async fn forget_audit(&self, before: Timestamp) -> Result<()> {
        while self.write("delete old audit entries", move |c| Box::pin(audit::forget(c, before))).await? > 0 {}
        Ok(())
    }
}
