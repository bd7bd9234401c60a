//! Keys, operators and the audit log, as they are stored.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

use subtle::ConstantTimeEq as _;

use crate::base::domain::{AuditAction, IpNetwork, KeyId, Purpose, Scopes, Timestamp, Zone};

/// SHA-256 of a secret.
#[derive(Clone, Copy)]
pub struct SecretDigest(pub [u8; 32]);

impl SecretDigest {
    /// Compares in constant time.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl PartialEq for SecretDigest {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other)
    }
}

impl Eq for SecretDigest {}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The hash of a password, as a PHC string.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What limits a key beside its scopes, and what its messages are for; `None` means no limit, and marketing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyLimits {
    pub sub_accounts: Option<Vec<String>>,
    pub lanes: Option<Vec<String>>,
    /// The networks from which it may be used.
    pub addresses: Option<Vec<IpNetwork>>,
    pub requests_per_s: Option<NonZeroU32>,
    pub expires_at: Option<Timestamp>,
    pub purpose: Option<Purpose>,
}

/// The last use of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastUse {
    pub at: Timestamp,
    pub from: IpAddr,
}

/// A key of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: KeyId,
    pub name: String,
    pub scopes: Scopes,
    pub limits: KeyLimits,
    pub secret: SecretDigest,
    /// The secret before the last rotation, and until when it is valid.
    pub former: Option<(SecretDigest, Timestamp)>,
    pub created_at: Timestamp,
    pub created_by: String,
    pub revoked_at: Option<Timestamp>,
    pub last_use: Option<LastUse>,
}

/// An operator who signs in with a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorAccount {
    pub name: String,
    pub scopes: Scopes,
    pub password: PasswordHash,
    pub password_set_at: Timestamp,
    pub created_at: Timestamp,
    pub created_by: String,
    pub disabled_at: Option<Timestamp>,
}

/// What became of new scopes of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopesSet {
    Set,
    /// The operator has these scopes already, or is unknown.
    Unchanged,
    /// Nothing was changed: no operator with the scope `admin` could sign in any more.
    NoAdminLeft,
}

/// An operator who is signed in to the pages with one browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub secret: SecretDigest,
    /// The name of the operator.
    pub operator: String,
    /// The zone in which the browser shows times.
    pub zone: Option<Zone>,
    pub begun_at: Timestamp,
    /// The last use that was recorded.
    pub used_at: Timestamp,
}

/// The one-time token for the first admin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetupToken {
    pub secret: SecretDigest,
    pub expires_at: Timestamp,
}

/// Who did something, as the audit log records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditActor {
    /// A command beside the server, with the name of its operator.
    Command {
        name: String,
    },
    /// A key or an operator of the API, with its id.
    Caller {
        id: String,
        name: String,
    },
    SetupToken,
    /// Somebody without a proof, such as a wrong password. The name is that of a known operator: any other text that is typed
    /// as a name may be a password.
    Unproven {
        operator: Option<String>,
    },
}

/// Whose entries of the audit log are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditWho {
    /// Those under this name, in capital or small letters.
    Name(String),
    /// Those of the key or the operator with this id.
    Caller(String),
}

impl AuditWho {
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Name(text) | Self::Caller(text) => text,
        }
    }
}

/// Which entries of the audit log are wanted. `None` means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    pub who: Option<AuditWho>,
    pub action: Option<AuditAction>,
}

/// A request to the API, as the audit log records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRequest {
    pub id: String,
    pub peer: IpAddr,
    pub method: String,
    pub path: String,
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    pub at: Timestamp,
    pub actor: AuditActor,
    /// The request by which it was done; `None` for a command.
    pub request: Option<AuditRequest>,
    pub action: AuditAction,
    /// What it was done to, by its name or id.
    pub object: Option<String>,
    /// The status of the answer, if the entry is about a request as a whole.
    pub http_status: Option<u16>,
}
