//! The first admin: a one-time token with which its key is created over the API.

use super::secret::{make_setup_token, setup_digest};
use super::{Access, AccessError, By, InvalidKey, Issued, NewKey};
use crate::config::Secret;
use crate::domain::{Scope, Span, Timestamp};
use crate::store::{AuditActor, AuditRequest, SetupToken};

/// How long the token is valid.
const VALID: Span = Span::from_secs(24 * 3_600);

impl Access {
    /// Makes a setup token if there is no key and no operator, and no token that is still valid.
    pub async fn offer_setup(&self, now: Timestamp) -> Result<Option<Secret>, AccessError> {
        let made = make_setup_token().map_err(AccessError::Random)?;
        let token = SetupToken { secret: made.digest, expires_at: now + VALID };
        Ok(self.store.offer_setup(token, now).await?.then_some(made.text))
    }

    /// Creates the first admin key with the setup token, which ends with it.
    ///
    /// - The token also ends after a day, or once there is another admin.
    pub async fn create_first_key(
        &self,
        token: &Secret,
        new: NewKey,
        request: AuditRequest,
        now: Timestamp,
    ) -> Result<Issued, AccessError> {
        let given = setup_digest(token).ok_or(AccessError::SetupToken)?;
        let stored = self.store.setup_token().await?.ok_or(AccessError::SetupToken)?;
        if !given.matches(&stored.secret) || stored.expires_at <= now {
            return Err(AccessError::SetupToken);
        }
        new.check(now)?;
        if !new.scopes.contain(Scope::Admin) {
            return Err(InvalidKey::NotAdmin.into());
        }
        let by = By { actor: AuditActor::SetupToken, request: Some(request) };
        self.issue(new, &by, now, Some(stored.secret)).await
    }
}
