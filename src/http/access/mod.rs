//! Who may call the API, and what each caller may do: keys and operators with scopes, and the log of what they did.
//!
//! In: the `Authorization` of a request, or the secret of a session, and where it came from; names and passwords; changes
//! of keys and operators, each with who asks for it.
//! Out: the caller with its scopes and limits ([`Caller`]), or why it is refused ([`Denied`]); each new secret, once; views.
//! Promises: a secret is stored as a digest, a password as argon2id, and both are compared in constant time. A key that was
//! revoked is refused at once by this server and within [`IN_EFFECT`] by every other. A session ends with a new password of
//! its operator. A use of a key writes nothing while
//! its request waits. Every change of keys and operators is in the audit log, in the same transaction.
//! May not: answer requests, or decide what an operation needs.

mod audit;
mod caller;
mod error;
mod keys;
mod known;
mod operators;
mod passwords;
mod secret;
mod sessions;
mod setup;
mod shared_reports;
#[cfg(test)]
mod tests;
mod uses;
mod views;

pub use crate::base::domain::Scopes;
pub use audit::By;
pub use caller::{Caller, Denied};
pub use error::{AccessError, InvalidKey, InvalidName};
pub use keys::{Issued, NewKey, all_keys};
pub use operators::{NewOperator, all_operators};
pub use passwords::{InvalidPassword, PasswordFault};
pub use sessions::{FormToken, SESSION_MAX, SignedIn};
pub use shared_reports::{LINKS_MAX, link_id};
pub use uses::Uses;
pub use views::{AuditEntryView, IssuedView, KeyState, KeyView, OperatorView};

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::base::config::Secret;
use crate::base::domain::{Causes, IpNetwork, KeyId, Span, Timestamp};
use crate::store::{ApiKey, Store};
use known::{Keys, Known, Look};
use passwords::Passwords;
use secret::{NO_SECRET, Presented};

/// How long after its commit a change of a key by another process is in effect at the latest.
pub const IN_EFFECT: Span = Span::from_millis(250);

/// Lookups at once of keys that no request has used so far. A flood of invented keys gets no more of the database.
const STRANGERS: usize = 2;

/// Checks callers against the keys and operators of the store, and changes these.
#[derive(Debug)]
pub struct Access {
    store: Arc<dyn Store>,
    keys: Keys,
    uses: Arc<Uses>,
    passwords: Passwords,
    strangers: Semaphore,
}

impl Access {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            keys: Keys::default(),
            uses: Arc::new(Uses::new(Arc::clone(&store))),
            passwords: Passwords::new(),
            strangers: Semaphore::new(STRANGERS),
            store,
        }
    }

    /// The uses of keys, which a task records beside the requests ([`Uses::record_until`]).
    pub fn uses(&self) -> Arc<Uses> {
        Arc::clone(&self.uses)
    }

    /// Finds the caller of a request by its `Authorization`, and checks that its key is valid and may be used from `peer`.
    ///
    /// - Until the secret is proven, every answer is the same: that no such key is known.
    pub async fn caller(
        &self,
        authorization: Option<&[u8]>,
        peer: IpAddr,
        now: Timestamp,
    ) -> Result<Arc<Caller>, Denied> {
        let presented = Presented::read(authorization)?;
        let known = self.known(presented.id, now).await?;
        // The same comparisons for every request, whatever is stored.
        let (secret, former) = known.as_ref().map_or((NO_SECRET, None), |known| (known.key.secret, known.key.former));
        let is_current = presented.secret.matches(&secret);
        let (former, former_until) = former.unwrap_or((NO_SECRET, Timestamp::MAX));
        let is_former = presented.secret.matches(&former) & (now < former_until);
        let known = known.filter(|_| is_current | is_former).ok_or(Denied::Unknown)?;
        check(&known.key, peer, now)?;
        self.uses.note(presented.id, peer.to_canonical(), now);
        Ok(Arc::clone(&known.caller))
    }

    /// Checks that the key or the session of a caller that was admitted may still be used, with the scopes of that time. An
    /// answer that goes on for long asks.
    pub async fn recheck(&self, caller: &Caller, now: Timestamp) -> Result<(), Denied> {
        if let Some(session) = caller.session {
            let (_, operator) = self.valid_session(session, now).await?;
            // With other scopes, the caller is another one: the next request is checked by these.
            return if operator.scopes == caller.scopes { Ok(()) } else { Err(Denied::NoSession) };
        }
        // The caller of a test has no key.
        let Ok(id) = caller.id.parse::<KeyId>() else { return Ok(()) };
        let known = self.known(id, now).await?.ok_or(Denied::Unknown)?;
        ensure_valid(&known.key, now)
    }

    async fn known(&self, id: KeyId, now: Timestamp) -> Result<Option<Arc<Known>>, Denied> {
        let (reading, _permit) = match self.keys.look(id, now) {
            Look::Fresh(known) => return Ok(Some(known)),
            Look::Stale(reading) => (reading, None),
            // An error means that the semaphore was closed, which nothing does.
            Look::Strange(reading) => (reading, self.strangers.acquire().await.ok()),
        };
        let key = self.store.api_key(id).await.map_err(|error| unavailable(&error))?;
        Ok(key.map(|key| self.keys.keep(key, reading)))
    }

    /// Finds the operator with this name and password.
    ///
    /// - Takes as long for an unknown name as for a wrong password, and gives the same answer.
    pub async fn sign_in(&self, name: &str, password: Secret) -> Result<Arc<Caller>, Denied> {
        let operator = self.store.operator(name.to_owned()).await.map_err(|error| unavailable(&error))?;
        let hash = operator.as_ref().map(|operator| operator.password.clone());
        let is_right = self.passwords.verify(password, hash).await.map_err(|error| unavailable(&error))?;
        let operator = operator.filter(|_| is_right).ok_or(Denied::SignIn)?;
        // The password took a while: the operator may be disabled meanwhile.
        match self.store.operator(operator.name).await.map_err(|error| unavailable(&error))? {
            Some(operator) if operator.disabled_at.is_none() => Ok(Arc::new(Caller::of_operator(&operator))),
            Some(operator) => Err(Denied::Disabled { name: operator.name }),
            None => Err(Denied::SignIn),
        }
    }
}

/// Checks a key whose secret was proven.
fn check(key: &ApiKey, peer: IpAddr, now: Timestamp) -> Result<(), Denied> {
    ensure_valid(key, now)?;
    let is_allowed = |networks: &Vec<IpNetwork>| networks.iter().any(|network| network.contains(peer));
    if key.limits.addresses.as_ref().is_none_or(is_allowed) {
        Ok(())
    } else {
        Err(Denied::Address { name: key.name.clone() })
    }
}

fn ensure_valid(key: &ApiKey, now: Timestamp) -> Result<(), Denied> {
    let name = || key.name.clone();
    if key.revoked_at.is_some() {
        return Err(Denied::Revoked { name: name() });
    }
    if key.limits.expires_at.is_some_and(|at| at <= now) { Err(Denied::Expired { name: name() }) } else { Ok(()) }
}

fn unavailable(error: &(dyn std::error::Error + 'static)) -> Denied {
    Denied::Unavailable { why: Causes(error).to_string() }
}
