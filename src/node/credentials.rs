//! Reads the files of credentials again, so that keys and webhook secrets can be rotated without a restart.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::config::{Credential, Invalid, SecretFile, Valid};
use crate::base::domain::{Causes, FaultReport, Span, Timestamp};
use crate::base::events::{Event, EventKind, Subject};
use crate::store::Events;

/// How often the files are read. They are small, and few.
const EVERY: Span = Span::from_secs(2);

/// The credentials whose files are read again.
pub(super) struct Rotation {
    watched: Vec<Watched>,
    store: Arc<dyn Events>,
    /// Events that are not written yet.
    events: Vec<Event>,
    unwritten: FaultReport,
}

struct Watched {
    credential: Credential,
    /// What the last look found, if it differs from what is valid. A file may be half-written, so a change takes effect
    /// only if the next look finds the same.
    found: Option<Valid>,
    fault: FaultReport,
}

impl Rotation {
    pub(super) fn new(credentials: Vec<Credential>, store: Arc<dyn Events>) -> Self {
        let watch = |credential| Watched { credential, found: None, fault: FaultReport::default() };
        Self {
            watched: credentials.into_iter().map(watch).collect(),
            store,
            events: Vec::new(),
            unwritten: FaultReport::default(),
        }
    }

    /// Reads each file once. A file that is missing or invalid changes nothing.
    pub(super) async fn run_once(&mut self, now: Timestamp) {
        for watched in &mut self.watched {
            let credential = watched.credential.clone();
            let Some(file) = credential.file() else { continue };
            match file.read() {
                Ok(valid) => {
                    watched.fault.ends();
                    if let Some(secrets) = watched.look(valid) {
                        let (key, path) = (file.key.to_owned(), file.path().display().to_string());
                        let kind = EventKind::CredentialReplaced { key, file: path, secrets };
                        self.events.push(Event::by_server(now, Subject::Server, kind));
                    }
                }
                Err(invalid) => {
                    watched.found = None;
                    watched.warn(file, &invalid);
                }
            }
        }
        while let Some(event) = self.events.first() {
            if let Err(error) = self.store.record_event(event.clone()).await {
                if self.unwritten.begins() {
                    tracing::warn!(error = %Causes(&error), "cannot record that a credential was replaced; retrying");
                }
                return;
            }
            self.events.remove(0);
        }
        self.unwritten.ends();
    }

    pub(super) async fn run(mut self, clock: Arc<dyn Clock>, stop: CancellationToken) {
        if self.watched.is_empty() {
            // A task that ends before the server does ends the server.
            return stop.cancelled().await;
        }
        while !stop.is_cancelled() {
            self.run_once(clock.now()).await;
            tokio::select! {
                () = stop.cancelled() => {}
                () = clock.sleep_until(clock.now() + EVERY) => {}
            }
        }
    }
}

impl Watched {
    /// Replaces the secrets if two looks in a row found the same new ones. Returns how many are valid now.
    fn look(&mut self, valid: Valid) -> Option<u32> {
        if *self.credential.valid() == valid {
            self.found = None;
            return None;
        }
        if self.found.as_ref() != Some(&valid) {
            self.found = Some(valid);
            return None;
        }
        self.found = None;
        Some(self.credential.replace(valid))
    }

    fn warn(&self, file: &SecretFile, invalid: &Invalid) {
        if self.fault.begins() {
            tracing::warn!("{}: {invalid}; the secret that was read before stays in effect", file.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;
    use crate::base::config::Config;
    use crate::store;

    struct Desk {
        folder: tempfile::TempDir,
        credential: Credential,
        store: Arc<dyn store::Store>,
        rotation: Rotation,
        now: Timestamp,
    }

    impl Desk {
        async fn new() -> Self {
            let now = Timestamp::from_millis(1_800_000_000_000);
            let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(now));
            let store = store::open("sqlite::memory:", clock).await.unwrap();
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("volley.toml");
            std::fs::write(folder.path().join("hook"), "old").unwrap();
            std::fs::write(&path, "[provider]\nwebhook_secret_file = \"hook\"").unwrap();
            let config = Config::load(Some(&path), std::iter::empty()).unwrap().config;
            let rotation = Rotation::new(config.credentials_in_files(), store.clone());
            let credential = config.provider.webhook_secret.unwrap();
            Self { folder, credential, store, rotation, now }
        }

        /// Writes the file, looks once, and returns the valid secrets.
        async fn look(&mut self, file: &str) -> Vec<String> {
            std::fs::write(self.folder.path().join("hook"), file).unwrap();
            self.rotation.run_once(self.now).await;
            self.credential.valid().iter().map(|secret| secret.expose().to_owned()).collect()
        }

        async fn events(&self) -> Vec<String> {
            let events = self.store.events(store::Cursor::START, 10).await.unwrap();
            events.into_iter().map(|(_, event)| event.text()).collect()
        }
    }

    #[tokio::test]
    async fn a_changed_file_takes_effect_once_two_looks_find_the_same() {
        let mut desk = Desk::new().await;
        assert_eq!(desk.look("old\nne").await, ["old"], "half-written");
        assert_eq!(desk.look("old\nnew").await, ["old"]);
        assert_eq!(desk.events().await, [""; 0]);
        assert_eq!(desk.look("old\nnew").await, ["old", "new"]);
        assert_eq!(desk.look("new").await, ["old", "new"]);
        assert_eq!(desk.look("new\n").await, ["new"], "only the secrets count");
        let events = desk.events().await;
        assert!(events[0].ends_with("hook) has changed: 2 secrets are valid now"), "{events:?}");
        assert!(events[1].ends_with("hook) has changed: the new secret is in effect"), "{events:?}");
        assert_eq!(events.len(), 2);
        assert!(events.iter().all(|event| event.starts_with("webhook_secret_file (")), "{events:?}");
    }

    #[tokio::test]
    async fn a_missing_or_invalid_file_keeps_the_secrets() {
        let mut desk = Desk::new().await;
        for wrong in ["", "a\nb\nc", "# comment\nnew"] {
            desk.look("new").await;
            desk.look(wrong).await;
            assert_eq!(desk.look(wrong).await, ["old"], "{wrong:?}");
        }
        std::fs::remove_file(desk.folder.path().join("hook")).unwrap();
        desk.rotation.run_once(desk.now).await;
        assert_eq!(desk.look("new").await, ["old"], "a file that is back counts from its first look");
        assert_eq!(desk.look("new").await, ["new"]);
        assert_eq!(desk.events().await.len(), 1);
    }
}
