//! Sessions: an operator signs in with a password, and the browser keeps a secret.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use super::secret::{make_session, session_digest};
use super::{Access, AccessError, By, Caller, Denied, unavailable};
use crate::base::config::Secret;
use crate::base::domain::text::hex;
use crate::base::domain::{AuditAction, Span, Timestamp, Zone};
use crate::store::{AuditRequest, OperatorAccount, SecretDigest, Session};

/// A session ends so long after its last use.
const IDLE_MAX: Span = Span::from_secs(12 * 3_600);
/// It ends so long after the operator has signed in, however much it is used.
pub const SESSION_MAX: Span = Span::from_secs(7 * 86_400);
/// A use is recorded if the recorded one is older, so that a page costs no write.
const USE_RECORDED: Span = Span::from_secs(300);

/// An operator who is signed in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub caller: Arc<Caller>,
    /// The zone in which the browser shows times.
    pub zone: Option<Zone>,
    /// What a form of the session's pages sends along.
    pub form_token: FormToken,
    secret: SecretDigest,
}

/// Proves that a form comes from a page of the session. Other sites cannot read it, and it follows from the secret, so
/// nothing is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormToken(String);

impl FormToken {
    fn of(secret: &str) -> Self {
        let digest = Sha256::new().chain_update("form of ").chain_update(secret).finalize();
        Self(hex(digest))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares in constant time.
    pub fn matches(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

impl Access {
    /// Begins a session of an operator who was just signed in. Returns the secret for the browser.
    pub async fn begin_session(
        &self,
        operator: &Caller,
        zone: Option<Zone>,
        request: AuditRequest,
        now: Timestamp,
    ) -> Result<Secret, AccessError> {
        let made = make_session().map_err(AccessError::Random)?;
        let session =
            Session { secret: made.digest, operator: operator.name.clone(), zone, begun_at: now, used_at: now };
        let entry = By::caller(operator, request).did(AuditAction::SignedIn, &operator.name, now);
        if self.store.begin_session(session, entry).await? {
            Ok(made.text)
        } else {
            // The operator was disabled since the password was checked.
            Err(AccessError::UnknownOperator { name: operator.name.clone() })
        }
    }

    /// Finds the session with this secret, with the present scopes of its operator.
    pub async fn session(&self, secret: &str, now: Timestamp) -> Result<SignedIn, Denied> {
        let digest = session_digest(secret).ok_or(Denied::NoSession)?;
        let (session, operator) = self.valid_session(digest, now).await?;
        if now.since(session.used_at) >= USE_RECORDED {
            self.store.record_session_use(digest, now).await.map_err(|error| unavailable(&error))?;
        }
        let caller = Caller { session: Some(digest), ..Caller::of_operator(&operator) };
        Ok(SignedIn { caller: Arc::new(caller), zone: session.zone, form_token: FormToken::of(secret), secret: digest })
    }

    pub(super) async fn valid_session(
        &self,
        secret: SecretDigest,
        now: Timestamp,
    ) -> Result<(Session, OperatorAccount), Denied> {
        let found = self.store.session(secret).await.map_err(|error| unavailable(&error))?;
        let is_valid = |(session, operator): &(Session, OperatorAccount)| {
            now.since(session.used_at) < IDLE_MAX
                && now.since(session.begun_at) < SESSION_MAX
                && operator.disabled_at.is_none()
        };
        found.filter(is_valid).ok_or(Denied::NoSession)
    }

    pub async fn set_session_zone(&self, session: &SignedIn, zone: Zone) -> Result<(), AccessError> {
        Ok(self.store.set_session_zone(session.secret, zone).await?)
    }

    pub async fn end_session(
        &self,
        session: &SignedIn,
        request: AuditRequest,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        let caller = &session.caller;
        let entry = By::caller(caller, request).did(AuditAction::SignedOut, &caller.name, now);
        self.store.end_session(session.secret, entry).await?;
        Ok(())
    }
}
