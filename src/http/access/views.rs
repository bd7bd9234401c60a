//! Keys, operators and the audit log, for JSON. No view has a digest or a hash.

use std::net::IpAddr;
use std::num::NonZeroU32;

use serde::Serialize;
use utoipa::ToSchema;

use super::Issued;
use crate::base::domain::{AuditAction, IpNetwork, KeyId, Purpose, Scopes, Timestamp, rfc3339, rfc3339_option};
use crate::store::{ApiKey, AuditActor, AuditEntry, OperatorAccount};

/// Whether a key or an operator may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    Active,
    Expired,
    Revoked,
    Disabled,
}

impl KeyState {
    pub fn of(key: &ApiKey, now: Timestamp) -> Self {
        match key.limits.expires_at {
            _ if key.revoked_at.is_some() => Self::Revoked,
            Some(at) if at <= now => Self::Expired,
            _ => Self::Active,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Disabled => "disabled",
        }
    }
}

/// A key.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct KeyView<'a> {
    pub id: KeyId,
    pub name: &'a str,
    pub state: KeyState,
    pub scopes: Scopes,
    #[schema(value_type = Option<Vec<String>>)]
    pub sub_accounts: Option<&'a [String]>,
    #[schema(value_type = Option<Vec<String>>)]
    pub lanes: Option<&'a [String]>,
    #[schema(value_type = Option<Vec<IpNetwork>>)]
    pub addresses: Option<&'a [IpNetwork]>,
    #[schema(value_type = Option<u32>, minimum = 1)]
    pub requests_per_s: Option<NonZeroU32>,
    /// What the messages are for that it sends; null means marketing.
    pub purpose: Option<Purpose>,
    #[serde(with = "rfc3339")]
    pub created_at: Timestamp,
    pub created_by: &'a str,
    #[serde(with = "rfc3339_option")]
    pub expires_at: Option<Timestamp>,
    /// Until when the secret before the last rotation is valid, if it still is.
    #[serde(with = "rfc3339_option")]
    pub former_until: Option<Timestamp>,
    #[serde(with = "rfc3339_option")]
    pub revoked_at: Option<Timestamp>,
    #[serde(with = "rfc3339_option")]
    pub last_used_at: Option<Timestamp>,
    #[schema(value_type = Option<String>)]
    pub last_used_from: Option<IpAddr>,
}

impl<'a> KeyView<'a> {
    pub fn new(key: &'a ApiKey, now: Timestamp) -> Self {
        let limits = &key.limits;
        Self {
            id: key.id,
            name: &key.name,
            state: KeyState::of(key, now),
            scopes: key.scopes,
            sub_accounts: limits.sub_accounts.as_deref(),
            lanes: limits.lanes.as_deref(),
            addresses: limits.addresses.as_deref(),
            requests_per_s: limits.requests_per_s,
            purpose: limits.purpose,
            created_at: key.created_at,
            created_by: &key.created_by,
            expires_at: limits.expires_at,
            former_until: key.former.map(|(_, until)| until).filter(|until| now < *until),
            revoked_at: key.revoked_at,
            last_used_at: key.last_use.map(|used| used.at),
            last_used_from: key.last_use.map(|used| used.from),
        }
    }
}

/// A key with its secret, at the only moment at which that is known.
#[derive(Serialize, ToSchema)]
pub struct IssuedView<'a> {
    #[serde(flatten)]
    pub of: KeyView<'a>,
    /// The key itself, shown once: a repeated answer does not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<&'a str>,
}

impl std::fmt::Debug for IssuedView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuedView").field("of", &self.of).finish_non_exhaustive()
    }
}

impl<'a> IssuedView<'a> {
    /// The view for all times after that moment.
    #[must_use]
    pub fn without_secret(&self) -> Self {
        Self { of: self.of.clone(), key: None }
    }

    pub fn new(issued: &'a Issued, now: Timestamp) -> Self {
        Self { of: KeyView::new(&issued.key, now), key: Some(issued.text.expose()) }
    }
}

/// An operator.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OperatorView<'a> {
    pub name: &'a str,
    pub state: KeyState,
    pub scopes: Scopes,
    #[serde(with = "rfc3339")]
    pub created_at: Timestamp,
    pub created_by: &'a str,
    #[serde(with = "rfc3339")]
    pub password_set_at: Timestamp,
    #[serde(with = "rfc3339_option")]
    pub disabled_at: Option<Timestamp>,
}

impl<'a> OperatorView<'a> {
    pub fn new(operator: &'a OperatorAccount) -> Self {
        Self {
            name: &operator.name,
            state: if operator.disabled_at.is_some() { KeyState::Disabled } else { KeyState::Active },
            scopes: operator.scopes,
            created_at: operator.created_at,
            created_by: &operator.created_by,
            password_set_at: operator.password_set_at,
            disabled_at: operator.disabled_at,
        }
    }
}

/// An entry of the audit log.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AuditEntryView<'a> {
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    pub action: AuditAction,
    pub object: Option<&'a str>,
    pub actor: &'static str,
    pub actor_id: Option<&'a str>,
    pub actor_name: Option<&'a str>,
    #[schema(value_type = Option<String>)]
    pub peer: Option<IpAddr>,
    pub request_id: Option<&'a str>,
    pub method: Option<&'a str>,
    pub path: Option<&'a str>,
    pub http_status: Option<u16>,
}

impl<'a> AuditEntryView<'a> {
    pub fn new(entry: &'a AuditEntry) -> Self {
        let (actor, actor_id, actor_name) = match &entry.actor {
            AuditActor::Command { name } => ("command", None, Some(name.as_str())),
            AuditActor::Caller { id, name } => ("caller", Some(id.as_str()), Some(name.as_str())),
            AuditActor::SetupToken => ("setup token", None, None),
            AuditActor::Unproven { operator } => ("unproven", None, operator.as_deref()),
        };
        let request = entry.request.as_ref();
        Self {
            at: entry.at,
            action: entry.action,
            object: entry.object.as_deref(),
            actor,
            actor_id,
            actor_name,
            peer: request.map(|request| request.peer),
            request_id: request.map(|request| request.id.as_str()),
            method: request.map(|request| request.method.as_str()),
            path: request.map(|request| request.path.as_str()),
            http_status: entry.http_status,
        }
    }
}
