//! A caller of the API: its key, its scopes and its limits.

use crate::domain::Scope;
use crate::events::Origin;

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | 1 << scope as u8)
    }

    pub const fn contain(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8 | 1 << Scope::Admin as u8) != 0
    }
}

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
}

impl Caller {
    pub fn check(&self, scope: Scope) -> Result<(), Denied> {
        if self.scopes.contain(scope) { Ok(()) } else { Err(Denied::Scope(scope)) }
    }

    /// Whether it may use a subaccount, and what belongs to it.
    pub fn may_use(&self, sub_account: &str) -> bool {
        self.sub_accounts.as_ref().is_none_or(|allowed| allowed.iter().any(|name| name == sub_account))
    }

    /// The caller, as recorded with its decisions.
    pub fn origin(&self, reason: Option<&str>) -> Origin {
        Origin::operator(self.name.clone(), reason)
    }
}

/// Why a request is refused before it is looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("no API key; send `Authorization: Bearer KEY` with a key of `volley key create`")]
    NoKey,
    #[error("unknown API key; `volley key list` shows the keys")]
    Unknown,
    #[error("the API key \"{name}\" was revoked; create another with `volley key create`")]
    Revoked { name: String },
    #[error("the API key \"{name}\" may not be used from this address; see `volley key list`")]
    Address { name: String },
    #[error("this needs a key with the scope \"{0}\"")]
    Scope(Scope),
}
