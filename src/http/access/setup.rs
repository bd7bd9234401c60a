//! The first admin: a one-time token with which a key is created over the API, or an operator on the pages.

use super::secret::{make_setup_token, setup_digest};
use super::{Access, AccessError, By, InvalidKey, Issued, NewKey, NewOperator};
use crate::base::config::Secret;
use crate::base::domain::{Scope, Span, Timestamp};
use crate::store::{AuditActor, AuditRequest, OperatorAccount, SecretDigest, SetupToken};

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
        let setup = self.valid_setup(token, now).await?;
        new.check(now)?;
        if !new.scopes.contain(Scope::Admin) {
            return Err(InvalidKey::NotAdmin.into());
        }
        let by = By { actor: AuditActor::SetupToken, request: Some(request) };
        self.issue(new, &by, now, Some(setup)).await
    }

    /// Creates the first operator, an admin, with the setup token, which ends with it.
    pub async fn create_first_operator(
        &self,
        token: &Secret,
        new: NewOperator,
        request: AuditRequest,
        now: Timestamp,
    ) -> Result<OperatorAccount, AccessError> {
        let setup = self.valid_setup(token, now).await?;
        if !new.scopes.contain(Scope::Admin) {
            return Err(InvalidKey::NotAdmin.into());
        }
        let by = By { actor: AuditActor::SetupToken, request: Some(request) };
        self.add_operator(new, &by, now, Some(setup)).await
    }

    /// Whether a setup token is stored, so that there is no admin yet.
    pub async fn awaits_setup(&self, now: Timestamp) -> Result<bool, AccessError> {
        Ok(self.store.setup_token().await?.is_some_and(|token| token.expires_at > now))
    }

    async fn valid_setup(&self, token: &Secret, now: Timestamp) -> Result<SecretDigest, AccessError> {
        let given = setup_digest(token).ok_or(AccessError::SetupToken)?;
        let stored = self.store.setup_token().await?.ok_or(AccessError::SetupToken)?;
        if !given.matches(&stored.secret) || stored.expires_at <= now {
            return Err(AccessError::SetupToken);
        }
        Ok(stored.secret)
    }
}
