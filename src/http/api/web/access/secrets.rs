//! New secrets, from the form that made them to the one page that shows them.
//!
//! A form answers with a redirect, so that a reload of the page that shows a secret makes no other one. In between, the
//! secret is in memory alone, for the session that made it.

use axum::response::Response;
use tokio::sync::{Mutex, MutexGuard};

use crate::base::config::Secret;
use crate::base::domain::{Span, Timestamp};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call};
use crate::http::api::web::admit::Session;
use crate::http::api::web::frame::page;
use crate::http::pages::{Part, Place, SecretKind, SecretPage, ShownSecret};
use crate::store::SecretDigest;

/// A secret that was not shown is forgotten after this time.
const KEPT: Span = Span::from_secs(600);
/// Secrets that wait at most; the oldest makes room.
const WAITING_MAX: usize = 100;

/// A secret that waits to be shown.
#[derive(Debug)]
pub(in crate::http::api::web) struct NewSecret {
    /// The session that may see it.
    pub(in crate::http::api::web) session: Option<SecretDigest>,
    /// The address of the page that shows it.
    pub(in crate::http::api::web) path: String,
    /// The name of what it is of.
    pub(in crate::http::api::web) name: String,
    pub(in crate::http::api::web) secret: Secret,
    /// Until when the one before is valid.
    pub(in crate::http::api::web) former_until: Option<Timestamp>,
    pub(in crate::http::api::web) made_at: Timestamp,
}

/// The secrets that wait to be shown.
#[derive(Debug, Default)]
pub(in crate::http::api) struct NewSecrets(Mutex<Vec<NewSecret>>);

/// They are held while a secret is made. So of two clicks, the second finds the secret of the first.
#[derive(Debug)]
pub(in crate::http::api::web) struct Held<'a>(MutexGuard<'a, Vec<NewSecret>>);

impl NewSecrets {
    pub(in crate::http::api::web) async fn hold(&self, now: Timestamp) -> Held<'_> {
        let mut waiting = self.0.lock().await;
        waiting.retain(|secret| now.since(secret.made_at) < KEPT);
        Held(waiting)
    }
}

impl Held<'_> {
    /// Keeps a secret until it is shown.
    pub(in crate::http::api::web) fn keep(&mut self, secret: NewSecret) {
        self.forget(&secret.path);
        if self.0.len() >= WAITING_MAX {
            self.0.remove(0);
        }
        self.0.push(secret);
    }

    /// Takes a secret out to show it.
    pub(in crate::http::api::web) fn take(&mut self, session: Option<SecretDigest>, path: &str) -> Option<NewSecret> {
        let at = self.0.iter().position(|secret| secret.session == session && secret.path == path)?;
        Some(self.0.remove(at))
    }

    /// Whether a secret waits for this session.
    pub(in crate::http::api::web) fn waits(&self, session: Option<SecretDigest>, path: &str) -> bool {
        self.0.iter().any(|secret| secret.session == session && secret.path == path)
    }

    /// The page of a secret that waits for this session: one of a thing with this name in a list.
    pub(in crate::http::api::web) fn made(
        &self,
        session: Option<SecretDigest>,
        list: &str,
        name: &str,
    ) -> Option<String> {
        let is_it =
            |secret: &&NewSecret| secret.session == session && secret.name == name && secret.path.starts_with(list);
        self.0.iter().find(is_it).map(|secret| secret.path.clone())
    }

    pub(in crate::http::api::web) fn forget(&mut self, path: &str) {
        self.0.retain(|secret| secret.path != path);
    }
}

/// Shows the new secret of a key or a webhook once: of which it is, where its page is, and where `back` leads.
pub(super) async fn show(
    shared: &Shared,
    (session, call): (&Session, &Call),
    (kind, name): (SecretKind, String),
    path: &str,
    back: &str,
) -> Answer<Response> {
    let shown = shared.0.new_secrets.hold(call.at).await.take(call.caller.session, &format!("{path}/secret"));
    page(&SecretPage {
        frame: session.frame(Place::Below(Part::Server)),
        kind,
        name,
        former_until: shown.as_ref().and_then(|shown| shown.former_until),
        secret: shown.map(|shown| ShownSecret(shown.secret.expose().to_owned())),
        of: back.to_owned(),
        rotate: format!("{path}/rotate"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(session: u8, path: &str, made_at: Timestamp) -> NewSecret {
        let session = Some(SecretDigest([session; 32]));
        let (path, name) = (path.to_owned(), "shop".to_owned());
        NewSecret { session, path, name, secret: Secret::new("vk_1"), former_until: None, made_at }
    }

    #[tokio::test]
    async fn a_secret_is_shown_once_to_its_session_and_not_after_ten_minutes() {
        let (secrets, now) = (NewSecrets::default(), Timestamp::from_millis(0));
        let (own, other) = (Some(SecretDigest([1; 32])), Some(SecretDigest([2; 32])));
        secrets.hold(now).await.keep(secret(1, "/keys/1/secret", now));
        let mut held = secrets.hold(now).await;
        assert!(held.take(other, "/keys/1/secret").is_none() && held.take(own, "/keys/2/secret").is_none());
        assert_eq!(held.made(own, "/keys/", "shop").as_deref(), Some("/keys/1/secret"));
        assert!(held.made(other, "/keys/", "shop").is_none() && held.made(own, "/webhooks/", "shop").is_none());
        assert!(held.take(own, "/keys/1/secret").is_some() && held.take(own, "/keys/1/secret").is_none());
        held.keep(secret(1, "/keys/1/secret", now));
        drop(held);
        assert!(!secrets.hold(now + KEPT).await.waits(own, "/keys/1/secret"));
    }

    #[tokio::test]
    async fn the_memory_of_new_secrets_is_bounded() {
        let (secrets, now) = (NewSecrets::default(), Timestamp::from_millis(0));
        let mut held = secrets.hold(now).await;
        for number in 0..=WAITING_MAX {
            held.keep(secret(1, &format!("/keys/{number}/secret"), now));
        }
        assert_eq!(held.0.len(), WAITING_MAX);
        assert!(!held.waits(Some(SecretDigest([1; 32])), "/keys/0/secret"));
    }
}
