//! Creates, rotates and revokes keys.

use super::error::check_name;
use super::secret::{Made, make_key, make_key_id};
use super::{Access, AccessError, By, InvalidKey};
use crate::base::config::Secret;
use crate::base::domain::{AuditAction, KeyId, Scopes, Span, Timestamp};
use crate::store::{ApiKey, Error, KeyLimits, Keys, Result, SecretDigest};

/// Keys that one store call reads.
const PAGE: u32 = 500;

/// A key to create.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewKey {
    pub name: String,
    pub scopes: Scopes,
    pub limits: KeyLimits,
}

/// A key with its secret, which is shown once.
#[derive(Debug)]
pub struct Issued {
    pub key: ApiKey,
    /// What its owner sends: `vk_<id>_<secret>`.
    pub text: Secret,
}

impl NewKey {
    pub(super) fn check(&self, now: Timestamp) -> std::result::Result<(), AccessError> {
        check_name(&self.name)?;
        if self.scopes.is_empty() {
            return Err(InvalidKey::NoScope.into());
        }
        let KeyLimits { sub_accounts, lanes, addresses, expires_at, .. } = &self.limits;
        for (what, is_empty) in [
            ("subaccounts", sub_accounts.as_ref().is_some_and(Vec::is_empty)),
            ("lanes", lanes.as_ref().is_some_and(Vec::is_empty)),
            ("addresses", addresses.as_ref().is_some_and(Vec::is_empty)),
        ] {
            if is_empty {
                return Err(InvalidKey::EmptyList(what).into());
            }
        }
        if expires_at.is_some_and(|at| at <= now) { Err(InvalidKey::Expired.into()) } else { Ok(()) }
    }
}

/// Lists every key, by name; revoked keys last.
pub async fn all_keys(store: &dyn Keys) -> Result<Vec<ApiKey>> {
    let mut all: Vec<ApiKey> = Vec::new();
    loop {
        let page = store.api_keys(all.last().map(|key| key.id), PAGE).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    all.sort_by(|a, b| (a.revoked_at, &a.name, a.created_at).cmp(&(b.revoked_at, &b.name, b.created_at)));
    Ok(all)
}

impl Access {
    /// Creates a key. Its secret is nowhere but in the result.
    pub async fn create_key(&self, new: NewKey, by: &By, now: Timestamp) -> std::result::Result<Issued, AccessError> {
        new.check(now)?;
        self.issue(new, by, now, None).await
    }

    /// Creates a key that was checked, on `setup` if that is still there.
    pub(super) async fn issue(
        &self,
        new: NewKey,
        by: &By,
        now: Timestamp,
        setup: Option<SecretDigest>,
    ) -> std::result::Result<Issued, AccessError> {
        let id = make_key_id().map_err(AccessError::Random)?;
        let Made { text, digest } = make_key(id).map_err(AccessError::Random)?;
        let NewKey { name, scopes, limits } = new;
        let key = ApiKey {
            id,
            name,
            scopes,
            limits,
            secret: digest,
            former: None,
            created_at: now,
            created_by: by.name(),
            revoked_at: None,
            last_use: None,
        };
        let entry = by.did(AuditAction::KeyCreated, &object(&key), now);
        match self.store.create_api_key(key.clone(), setup, entry).await {
            Ok(true) => Ok(Issued { key, text }),
            Ok(false) => Err(AccessError::SetupToken),
            Err(Error::NameTaken { name }) => Err(AccessError::KeyExists { name }),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a key a new secret. The one so far stays valid for `overlap`.
    pub async fn rotate_key(
        &self,
        name: &str,
        overlap: Span,
        by: &By,
        now: Timestamp,
    ) -> std::result::Result<Issued, AccessError> {
        let key = self.key(name).await?;
        let Made { text, digest } = make_key(key.id).map_err(AccessError::Random)?;
        let former_until = (overlap > Span::ZERO).then(|| now + overlap);
        let entry = by.did(AuditAction::KeyRotated, &object(&key), now);
        let is_rotated = self.store.rotate_api_key(key.id, digest, former_until, entry).await?;
        self.keys.forget(key.id);
        if !is_rotated {
            return Err(AccessError::Revoked { name: key.name });
        }
        let former = former_until.map(|until| (key.secret, until));
        Ok(Issued { key: ApiKey { secret: digest, former, ..key }, text })
    }

    /// Revokes a key for good. This server refuses it from now on, every other within [`super::IN_EFFECT`].
    pub async fn revoke_key(&self, name: &str, by: &By, now: Timestamp) -> std::result::Result<ApiKey, AccessError> {
        let key = self.key(name).await?;
        let entry = by.did(AuditAction::KeyRevoked, &object(&key), now);
        let is_revoked = self.store.revoke_api_key(key.id, now, entry).await?;
        self.keys.forget(key.id);
        if is_revoked {
            Ok(ApiKey { revoked_at: Some(now), ..key })
        } else {
            Err(AccessError::Revoked { name: key.name })
        }
    }

    /// Finds the key with this id, or the one with this name that is not revoked.
    pub async fn key(&self, name: &str) -> std::result::Result<ApiKey, AccessError> {
        let found = match name.parse::<KeyId>() {
            Ok(id) => self.store.api_key(id).await?,
            Err(_) => self.store.api_key_named(name.to_owned()).await?,
        };
        found.ok_or_else(|| AccessError::UnknownKey { name: name.to_owned() })
    }
}

/// The key, as the audit log names it: names can be used again.
fn object(key: &ApiKey) -> String {
    format!("{} {}", key.id, key.name)
}
