//! The server's certificate, read again while it runs.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::config::{InvalidTls, TlsFiles, TlsIdentity};
use crate::base::domain::{Causes, Span, Timestamp};
use crate::base::events::{Event, EventKind, Subject};
use crate::store::Events;

/// How often the files are read.
const EVERY: Span = Span::from_secs(3);

/// Why a server cannot speak TLS.
#[derive(Debug, thiserror::Error)]
pub enum NoCertificate {
    #[error(transparent)]
    Invalid(#[from] InvalidTls),
    #[error("this build cannot speak TLS: {0}")]
    Protocols(rustls::Error),
}

/// The certificate that new connections present.
pub struct Certificate {
    files: TlsFiles,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

#[derive(Debug)]
struct Current(ArcSwap<TlsIdentity>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(self.0.load().certified()))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads the files. Connections speak HTTP/1.1: with many requests at a time on each, their bodies would have no bound.
    pub fn load(files: &TlsFiles) -> Result<Arc<Self>, NoCertificate> {
        let current = Arc::new(Current(ArcSwap::from_pointee(files.load()?)));
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(NoCertificate::Protocols)?;
        let resolver = Arc::clone(&current) as Arc<dyn ResolvesServerCert>;
        let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(Self { files: files.clone(), current, config: Arc::new(config) }))
    }

    /// Reads the files, and presents what they hold at once. Returns whether that is new.
    pub fn reread(&self) -> Result<bool, InvalidTls> {
        let identity = self.files.load()?;
        if identity == *self.current.0.load_full() {
            return Ok(false);
        }
        self.current.0.store(Arc::new(identity));
        Ok(true)
    }

    /// The file of the certificate.
    pub fn file(&self) -> &Path {
        &self.files.certificate
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

/// Reads the files of a certificate again.
pub(in crate::http::api) struct Renewal {
    certificate: Arc<Certificate>,
    store: Arc<dyn Events>,
    /// What the last look found, if it differs from what is in effect: the identity, or why there is none. Two files are
    /// not replaced at one moment, so a change counts only if the next look finds the same.
    found: Option<Result<TlsIdentity, String>>,
    /// The reason that was reported last, until the files are valid again.
    reported: Option<String>,
}

impl Renewal {
    pub(in crate::http::api) fn new(certificate: Arc<Certificate>, store: Arc<dyn Events>) -> Self {
        Self { certificate, store, found: None, reported: None }
    }

    /// Reads the files once.
    pub(in crate::http::api) async fn run_once(&mut self, now: Timestamp) {
        let read = self.certificate.files.load().map_err(|invalid| invalid.to_string());
        if read.as_ref() == Ok(self.certificate.current.0.load().as_ref()) {
            (self.found, self.reported) = (None, None);
            return;
        }
        if self.found.as_ref() != Some(&read) {
            self.found = Some(read);
            return;
        }
        let file = self.certificate.file().display().to_string();
        match read {
            Ok(identity) => {
                (self.found, self.reported) = (None, None);
                self.certificate.current.0.store(Arc::new(identity));
                tracing::info!(file, "new connections use the new certificate");
                self.record(now, EventKind::CertificateReplaced { file }).await;
            }
            Err(why) if self.reported.as_ref() == Some(&why) => {}
            Err(why) => {
                tracing::error!(
                    file,
                    reason = why,
                    "the new certificate cannot be used; the former one stays in effect"
                );
                self.reported = Some(why.clone());
                self.record(now, EventKind::CertificateRejected { file, problem: why }).await;
            }
        }
    }

    async fn record(&self, now: Timestamp, kind: EventKind) {
        if let Err(error) = self.store.record_event(Event::by_server(now, Subject::Server, kind)).await {
            tracing::warn!(error = %Causes(&error), "cannot record an event about the certificate");
        }
    }

    pub(in crate::http::api) async fn run(mut self, clock: Arc<dyn Clock>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            self.run_once(clock.now()).await;
            tokio::select! {
                () = stop.cancelled() => {}
                () = clock.sleep(EVERY) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;
    use crate::store;

    const CERTIFICATE: &str = include_str!("../../../../tests/it/support/tls/provider.pem");
    const CHAIN: &str = include_str!("../../../../tests/it/support/tls/authority.pem");
    const KEY: &str = include_str!("../../../../tests/it/support/tls/provider.key");

    #[tokio::test]
    async fn a_new_certificate_is_used_once_two_looks_find_it_and_a_broken_one_never() {
        let folder = tempfile::tempdir().unwrap();
        let files = TlsFiles { certificate: folder.path().join("server.pem"), key: folder.path().join("server.key") };
        std::fs::write(&files.certificate, CERTIFICATE).unwrap();
        std::fs::write(&files.key, KEY).unwrap();
        let now = Timestamp::from_millis(1_800_000_000_000);
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(now));
        let store = store::open("sqlite::memory:", clock).await.unwrap();
        let certificate = Certificate::load(&files).unwrap();
        let mut renewal = Renewal::new(Arc::clone(&certificate), store.clone());
        let chain = || certificate.current.0.load().certified().cert.len();
        let renewed = format!("{CERTIFICATE}{CHAIN}");
        // What is written, and how many certificates are in effect after the look.
        let looks = [(CERTIFICATE, 1), ("", 1), ("", 1), ("", 1), (&renewed, 1), ("", 1), (&renewed, 1), (&renewed, 2)];
        for (written, expected) in looks {
            std::fs::write(&files.certificate, written).unwrap();
            renewal.run_once(now).await;
            assert_eq!(chain(), expected, "{written}");
        }
        // An operator who says that the files are complete need not wait for a second look.
        std::fs::write(&files.certificate, CERTIFICATE).unwrap();
        assert!(certificate.reread().unwrap() && !certificate.reread().unwrap());
        assert_eq!(chain(), 1);
        std::fs::write(&files.certificate, "").unwrap();
        assert!(certificate.reread().is_err());
        assert_eq!(chain(), 1, "the former certificate stays in effect");
        std::fs::write(&files.certificate, &renewed).unwrap();
        assert!(certificate.reread().unwrap());

        std::fs::remove_file(&files.key).unwrap();
        renewal.run_once(now).await;
        renewal.run_once(now).await;
        assert_eq!(chain(), 2);
        let events = store.events(store::Cursor::START, 10).await.unwrap();
        let kinds: Vec<bool> =
            events.into_iter().map(|(_, event)| matches!(event.kind, EventKind::CertificateReplaced { .. })).collect();
        assert_eq!(kinds, [false, true, false], "each change is told once");
    }
}
