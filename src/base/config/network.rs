//! How connections to the provider are opened: certificates beside the system's, a proxy, and a time limit.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::Uri;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::error::Error;
use super::read::Reader;
use super::secret::Secret;
use crate::base::domain::Span;

/// How connections to every provider are opened.
#[derive(Debug, Clone)]
pub struct Network {
    /// Certificates that are trusted beside those of the system.
    pub roots: Option<TrustedRoots>,
    /// The proxy of every request. Without one, the environment may name a proxy.
    pub proxy: Option<ProxyUrl>,
    /// How long opening a connection may take: name, TCP, proxy and TLS together.
    pub connect_timeout: Span,
}

impl Network {
    /// Longer than this, and no query about the provider's state would ever be answered in time.
    const CONNECT_TIMEOUT: Span = Span::from_secs(10);

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self { roots: roots(reader)?, proxy: proxy(reader)?, connect_timeout: connect_timeout(reader)? })
    }
}

/// The certificates of a PEM file.
#[derive(Clone, PartialEq, Eq)]
pub struct TrustedRoots(Arc<[CertificateDer<'static>]>);

impl TrustedRoots {
    pub fn certificates(&self) -> impl Iterator<Item = CertificateDer<'static>> + '_ {
        self.0.iter().cloned()
    }

    /// Reads the certificates of a file, and checks each.
    fn load(path: &Path) -> Result<Self, InvalidRoots> {
        let unreadable = |error| InvalidRoots::Unreadable { path: path.to_owned(), error };
        let text = std::fs::read(path).map_err(unreadable)?;
        let mut certificates = Vec::new();
        for (index, found) in CertificateDer::pem_slice_iter(&text).enumerate() {
            let invalid = |why: String| InvalidRoots::Malformed { path: path.to_owned(), number: index + 1, why };
            let certificate = found.map_err(|error| invalid(error.to_string()))?;
            RootCertStore::empty().add(certificate.clone()).map_err(|error| invalid(error.to_string()))?;
            certificates.push(certificate);
        }
        if certificates.is_empty() {
            return Err(InvalidRoots::Empty { path: path.to_owned() });
        }
        Ok(Self(certificates.into()))
    }
}

impl fmt::Debug for TrustedRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustedRoots({})", self.0.len())
    }
}

/// Why a file holds no valid certificates.
#[derive(Debug, thiserror::Error)]
enum InvalidRoots {
    #[error("the file {} cannot be read; check its path and permissions: {error}", path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error("the file {} has no certificate; write one or more in PEM, each from -----BEGIN CERTIFICATE----- on", path.display())]
    Empty { path: PathBuf },
    #[error("certificate {number} of the file {} is invalid ({why}); export it again in PEM", path.display())]
    Malformed { path: PathBuf, number: usize, why: String },
}

/// The URL of a proxy, which may hold a user and a password. It prints without them.
#[derive(Clone)]
pub struct ProxyUrl(Secret);

impl ProxyUrl {
    /// The whole URL, for the one place that connects to it.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Reads a URL strictly: where it is connected to, one with raw special characters would count as no proxy, and
    /// the API key would be sent without it, or its password would be cut off.
    fn parse(text: &str) -> Option<Self> {
        let url: Uri = text.parse().ok()?;
        let (host, authority) = (url.host()?, url.authority()?.as_str());
        let near = authority.split_once('@').map_or(authority, |(_, near)| near);
        let is_proxy = matches!(url.scheme_str(), Some("http" | "https"))
            && !host.is_empty()
            && (near == host || url.port().is_some_and(|port| near == format!("{host}:{port}")))
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && !text.contains('#')
            && is_percent_encoded(authority);
        is_proxy.then(|| Self(Secret::new(text)))
    }
}

/// Whether each `%` starts the two hexadecimal digits of a character.
fn is_percent_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|after| after.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2)
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyUrl(***)")
    }
}

fn roots(reader: &mut Reader<'_>) -> Result<Option<TrustedRoots>, Error> {
    let Some(path) = reader.text("ca_file")? else { return Ok(None) };
    let path = reader.resolve("ca_file", &path);
    TrustedRoots::load(&path).map(Some).map_err(|invalid| reader.wrong("ca_file", invalid))
}

fn proxy(reader: &mut Reader<'_>) -> Result<Option<ProxyUrl>, Error> {
    let Some(text) = reader.text("proxy")? else { return Ok(None) };
    // The value is not repeated: it may hold a password.
    let problem = "invalid URL of a proxy; use http://host:port or http://user:password@host:port, and percent-encode \
                   special characters of the password, such as %40 for @";
    ProxyUrl::parse(&text).map(Some).ok_or_else(|| reader.wrong("proxy", problem))
}

fn connect_timeout(reader: &mut Reader<'_>) -> Result<Span, Error> {
    let timeout = reader.parsed_or("connect_timeout", Network::CONNECT_TIMEOUT)?;
    if (Span::from_secs(1)..=Network::CONNECT_TIMEOUT).contains(&timeout) {
        return Ok(timeout);
    }
    Err(reader.wrong("connect_timeout", format_args!("invalid time limit {timeout}; use 1s to 10s")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHORITY: &str = include_str!("../../../tests/it/support/tls/authority.pem");

    #[test]
    fn a_file_of_roots_holds_valid_certificates() {
        let folder = tempfile::tempdir().unwrap();
        let load = |text: &str| {
            let path = folder.path().join("ca.pem");
            std::fs::write(&path, text).unwrap();
            TrustedRoots::load(&path).map(|roots| roots.certificates().count()).map_err(|invalid| invalid.to_string())
        };
        assert_eq!(load(AUTHORITY), Ok(1));
        assert_eq!(load(&format!("# two\n{AUTHORITY}\n{AUTHORITY}")), Ok(2));
        let cut = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        for (text, expected) in [
            ("", "has no certificate; write one or more in PEM"),
            ("secret", "has no certificate"),
            (cut, "certificate 1 of the file"),
            (&format!("{AUTHORITY}\n{cut}"), "certificate 2 of the file"),
        ] {
            let error = load(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        assert!(
            TrustedRoots::load(&folder.path().join("none.pem")).unwrap_err().to_string().contains("cannot be read")
        );
    }

    #[test]
    fn the_url_of_a_proxy_is_checked_and_never_printed() {
        for url in [
            "http://proxy:3128",
            "https://proxy.example",
            "http://ann:s3cret@10.0.0.1:3128/",
            "http://ann:a%40b%23%C3%A4@[::1]:3128",
        ] {
            let proxy = ProxyUrl::parse(url).unwrap();
            assert_eq!((proxy.expose(), format!("{proxy:?}").as_str()), (url, "ProxyUrl(***)"));
        }
        for url in ["proxy:3128", "socks5://proxy:1080", "http://", "http://proxy/path", "http://proxy?a=b", ""] {
            assert!(ProxyUrl::parse(url).is_none(), "{url}");
        }
        // Readers of URLs that encode these themselves take them, but not the one that decides about the connection.
        for url in [
            "http://ann:a@b@proxy:3128",
            "http://ann:a#b@proxy:3128",
            "http://ann:a/b@proxy:3128",
            "http://ann:pä@proxy:3128",
            "http://ann:a%@proxy:3128",
            "http:proxy:3128",
            "http://ann@:3128",
        ] {
            assert!(ProxyUrl::parse(url).is_none(), "{url}");
        }
    }
}
