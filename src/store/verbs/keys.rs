//! The part of the contract that is about access: keys, operators, the setup token and the audit log.

use crate::base::domain::{KeyId, Scopes, Timestamp};
use crate::store::{
    ApiKey, AuditEntry, AuditFilter, Cursor, LastUse, OperatorAccount, PasswordHash, Result, ScopesSet, SecretDigest,
    SetupToken,
};

/// Keys of the API, and the operators of the pages.
///
/// - A verb that changes one writes its entry of the audit log in the same transaction; if nothing changed, it writes none.
/// - The setup token ends with the first admin: a key or an operator whose scopes contain `admin`.
#[async_trait::async_trait]
pub trait Keys: Send + Sync + std::fmt::Debug {
    /// Reads a key, also a revoked one.
    async fn api_key(&self, id: KeyId) -> Result<Option<ApiKey>>;
    /// Reads the key with this name that is not revoked.
    async fn api_key_named(&self, name: String) -> Result<Option<ApiKey>>;
    /// Lists keys in a fixed order, revoked ones included.
    async fn api_keys(&self, after: Option<KeyId>, limit: u32) -> Result<Vec<ApiKey>>;
    /// Stores a new key; returns whether it did.
    ///
    /// - With `setup`, it does so only if that setup token is still stored, and removes the token.
    /// - Fails with [`Error::NameTaken`](crate::store::Error::NameTaken) if a key that is not revoked has the name.
    async fn create_api_key(&self, key: ApiKey, setup: Option<SecretDigest>, entry: AuditEntry) -> Result<bool>;
    /// Replaces the secret of a key that is not revoked; returns whether it did.
    ///
    /// - The secret so far stays valid until `former_until`; `None` ends it.
    async fn rotate_api_key(
        &self,
        id: KeyId,
        secret: SecretDigest,
        former_until: Option<Timestamp>,
        entry: AuditEntry,
    ) -> Result<bool>;
    /// Revokes a key for good; returns whether it did.
    async fn revoke_api_key(&self, id: KeyId, now: Timestamp, entry: AuditEntry) -> Result<bool>;
    /// Records last uses. An earlier one than the recorded one changes nothing.
    async fn record_key_uses(&self, uses: Vec<(KeyId, LastUse)>) -> Result<()>;

    async fn operator(&self, name: String) -> Result<Option<OperatorAccount>>;
    /// Lists operators in the order of their names.
    async fn operators(&self, after: Option<String>, limit: u32) -> Result<Vec<OperatorAccount>>;
    /// Stores a new operator; returns whether it did.
    ///
    /// - With `setup`, it does so only if that setup token is still stored, and removes the token.
    /// - Fails with [`Error::NameTaken`](crate::store::Error::NameTaken) if there is one with the name.
    async fn create_operator(
        &self,
        operator: OperatorAccount,
        setup: Option<SecretDigest>,
        entry: AuditEntry,
    ) -> Result<bool>;
    /// Replaces the password of an operator; returns whether there is one with the name.
    async fn set_password(&self, name: String, password: PasswordHash, entry: AuditEntry) -> Result<bool>;
    /// Replaces the scopes of an operator, unless no operator with the scope `admin` could sign in after it.
    ///
    /// - The setup token ends if the new scopes contain `admin`.
    async fn set_operator_scopes(&self, name: String, scopes: Scopes, entry: AuditEntry) -> Result<ScopesSet>;
    /// Disables an operator since a moment, or enables it; returns whether that changed anything.
    async fn set_operator_disabled(&self, name: String, since: Option<Timestamp>, entry: AuditEntry) -> Result<bool>;

    /// Stores a setup token if there is no key, no operator, and no token that is valid at `now`; returns whether it did.
    async fn offer_setup(&self, token: SetupToken, now: Timestamp) -> Result<bool>;
    async fn setup_token(&self) -> Result<Option<SetupToken>>;

    /// Adds entries to the audit log.
    async fn record_audit(&self, entries: Vec<AuditEntry>) -> Result<()>;
    /// Lists the `limit` latest entries after `after`, latest last, each with its position.
    async fn audit_entries(&self, after: Cursor, limit: u32) -> Result<Vec<(Cursor, AuditEntry)>>;
    /// Lists the `limit` latest entries of a filter before `before`, latest first; without it, the latest of all.
    async fn audit_entries_before(
        &self,
        filter: AuditFilter,
        before: Option<Cursor>,
        limit: u32,
    ) -> Result<Vec<(Cursor, AuditEntry)>>;
    /// Deletes, in pieces, entries from before `before`.
    ///
    /// - Keeps every entry that is at most 30 days older than the latest one. The database itself refuses to delete these,
    ///   and to change any.
    async fn forget_audit(&self, before: Timestamp) -> Result<()>;
}
