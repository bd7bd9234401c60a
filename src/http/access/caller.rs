//! A caller of the API: its key, its scopes and its limits.

use std::num::NonZeroU32;

use crate::base::domain::{Purpose, Scope, Scopes};
use crate::base::events::Origin;
use crate::store::{ApiKey, AuditActor, OperatorAccount, SecretDigest};

/// Who calls, and what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The public part of its key.
    pub id: String,
    pub name: String,
    pub scopes: Scopes,
    /// The subaccounts that it may use; `None` means all.
    pub sub_accounts: Option<Vec<String>>,
    /// The lanes that it may use; `None` means all.
    pub lanes: Option<Vec<String>>,
    /// The most requests that it may make in a second; `None` means as many as any caller.
    pub requests_per_s: Option<NonZeroU32>,
    /// What the messages are for that it sends; `None` means marketing.
    pub purpose: Option<Purpose>,
    /// The session of an operator.
    pub session: Option<SecretDigest>,
}

impl Caller {
    pub(super) fn of_key(key: &ApiKey) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            scopes: key.scopes,
            sub_accounts: key.limits.sub_accounts.clone(),
            lanes: key.limits.lanes.clone(),
            requests_per_s: key.limits.requests_per_s,
            purpose: key.limits.purpose,
            session: None,
        }
    }

    pub fn of_operator(operator: &OperatorAccount) -> Self {
        Self {
            id: format!("operator:{}", operator.name),
            name: operator.name.clone(),
            scopes: operator.scopes,
            sub_accounts: None,
            lanes: None,
            requests_per_s: None,
            purpose: None,
            session: None,
        }
    }

    /// Checks the limits of lanes and subaccounts for what is about all of them.
    pub fn ensure_unlimited(&self) -> Result<(), Denied> {
        if self.is_limited() { Err(Denied::Limited { name: self.name.clone() }) } else { Ok(()) }
    }

    pub fn check(&self, scope: Scope) -> Result<(), Denied> {
        if self.scopes.contain(scope) { Ok(()) } else { Err(Denied::Scope(scope)) }
    }

    /// Whether it may not use every lane or not every subaccount.
    pub const fn is_limited(&self) -> bool {
        self.sub_accounts.is_some() || self.lanes.is_some()
    }

    /// Whether its limit of lanes permits a lane.
    pub fn may_use_lane(&self, lane: &str) -> bool {
        self.lanes.as_ref().is_none_or(|allowed| allowed.iter().any(|name| name == lane))
    }

    /// Whether it may use a subaccount, and what belongs to it.
    pub fn may_use(&self, sub_account: &str) -> bool {
        self.sub_accounts.as_ref().is_none_or(|allowed| allowed.iter().any(|name| name == sub_account))
    }

    /// The caller, as recorded with its decisions.
    pub fn origin(&self, reason: Option<&str>) -> Origin {
        Origin::operator(self.name.clone(), reason)
    }

    /// The caller, as the audit log records it.
    pub fn actor(&self) -> AuditActor {
        AuditActor::Caller { id: self.id.clone(), name: self.name.clone() }
    }
}

/// Why a request is refused before it is looked at.
///
/// A key is named only to its owner: the request proved its secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("no API key; send `Authorization: Bearer KEY` with a key of `volley key create`")]
    NoKey,
    #[error("unknown API key; `volley key list` shows the keys")]
    Unknown,
    #[error("the API key \"{name}\" was revoked; create another with `volley key create`")]
    Revoked { name: String },
    #[error("the API key \"{name}\" has expired; create another with `volley key create`")]
    Expired { name: String },
    #[error("the API key \"{name}\" may not be used from this address; see `volley key list`")]
    Address { name: String },
    #[error("this needs a key with the scope \"{0}\"")]
    Scope(Scope),
    #[error(
        "the API key \"{name}\" is limited to some lanes or subaccounts, and this is about more than these; use a key \
         without such a limit"
    )]
    Limited { name: String },
    #[error("unknown name, or wrong password")]
    SignIn,
    #[error("the session has ended; sign in again")]
    NoSession,
    #[error("the operator \"{name}\" is disabled; `volley operator enable` ends that")]
    Disabled { name: String },
    /// It is not known whether the caller may call: the request can be repeated.
    #[error("the caller cannot be checked now: {why}")]
    Unavailable { why: String },
}
