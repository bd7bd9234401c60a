//! The certificate of the server, and its private key.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::error::Error;
use super::file_mode::{Writable, writable};
use super::read::Reader;

/// The largest file of either, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// The PEM files by which the server speaks TLS. They can be read again while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// A certificate with its chain and its private key, which fit together.
#[derive(Clone)]
pub struct TlsIdentity {
    certified: Arc<CertifiedKey>,
    /// The private key as it was read, to notice another one.
    key: Arc<PrivateKeyDer<'static>>,
}

/// Why two files make no identity.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTls {
    #[error("the file {} cannot be read; check its path and permissions: {error}", path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    /// A pipe would block a server that reads it again.
    #[error("the file {} is not a regular file of at most 1 MiB; write PEM into a text file", path.display())]
    NoTextFile { path: PathBuf },
    #[error(transparent)]
    WritableByOthers(Writable),
    #[error("the file {} has no certificate; write the certificate and its chain in PEM, each from -----BEGIN CERTIFICATE----- on", path.display())]
    NoCertificate { path: PathBuf },
    #[error("the file {} has no private key without a passphrase; write one in PEM, from -----BEGIN PRIVATE KEY----- on", path.display())]
    NoKey { path: PathBuf },
    #[error("the file {} is not valid PEM ({why}); export it again", path.display())]
    Malformed { path: PathBuf, why: pem::Error },
    #[error("the certificate in {} and the key in {} cannot be used together ({why}); write both of one request", certificate.display(), key.display())]
    NoPair { certificate: PathBuf, key: PathBuf, why: rustls::Error },
}

impl TlsFiles {
    const CERTIFICATE: &'static str = "tls_certificate";
    const KEY: &'static str = "tls_key";

    /// Reads the names of both files. [`Config::check_serve`](super::Config::check_serve) checks what is in them: a damaged
    /// certificate keeps no operator from cancelling a campaign.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, Error> {
        let certificate = reader.text(Self::CERTIFICATE)?.map(|path| reader.resolve(Self::CERTIFICATE, &path));
        let key = reader.text(Self::KEY)?.map(|path| reader.resolve(Self::KEY, &path));
        match (certificate, key) {
            (Some(certificate), Some(key)) => Ok(Some(Self { certificate, key })),
            (None, None) => Ok(None),
            (Some(_), None) => {
                Err(reader.wrong(Self::CERTIFICATE, "a certificate needs its private key; set tls_key as well"))
            }
            (None, Some(_)) => {
                Err(reader.wrong(Self::KEY, "a private key needs its certificate; set tls_certificate as well"))
            }
        }
    }

    /// Reads both files as they are now.
    pub fn load(&self) -> Result<TlsIdentity, InvalidTls> {
        let malformed = |path: &Path, why| InvalidTls::Malformed { path: path.to_owned(), why };
        let certificates = text(&self.certificate)?;
        let certificates = CertificateDer::pem_slice_iter(&certificates).collect::<Result<Vec<_>, _>>();
        let certificates = certificates.map_err(|why| malformed(&self.certificate, why))?;
        if certificates.is_empty() {
            return Err(InvalidTls::NoCertificate { path: self.certificate.clone() });
        }
        let unreadable = |error| InvalidTls::Unreadable { path: self.key.clone(), error };
        if let Some(writable) = writable(&self.key).map_err(unreadable)? {
            return Err(InvalidTls::WritableByOthers(writable));
        }
        let key = PrivateKeyDer::from_pem_slice(&text(&self.key)?).map_err(|why| match why {
            pem::Error::NoItemsFound => InvalidTls::NoKey { path: self.key.clone() },
            why => malformed(&self.key, why),
        })?;
        let certified = CertifiedKey::from_der(certificates, key.clone_key(), &default_provider());
        let no_pair = |why| InvalidTls::NoPair { certificate: self.certificate.clone(), key: self.key.clone(), why };
        Ok(TlsIdentity { certified: Arc::new(certified.map_err(no_pair)?), key: Arc::new(key) })
    }
}

fn text(path: &Path) -> Result<Vec<u8>, InvalidTls> {
    let unreadable = |error| InvalidTls::Unreadable { path: path.to_owned(), error };
    let file = std::fs::metadata(path).map_err(unreadable)?;
    if !file.is_file() || file.len() > FILE_MAX {
        return Err(InvalidTls::NoTextFile { path: path.to_owned() });
    }
    std::fs::read(path).map_err(unreadable)
}

impl TlsIdentity {
    /// What a handshake presents.
    pub const fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }
}

/// For the owner of both.
impl PartialEq for TlsIdentity {
    fn eq(&self, other: &Self) -> bool {
        self.certified.cert == other.certified.cert && self.key.secret_der() == other.key.secret_der()
    }
}

impl Eq for TlsIdentity {}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsIdentity({} certificates)", self.certified.cert.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = include_str!("../../../tests/it/support/tls/provider.pem");
    const KEY: &str = include_str!("../../../tests/it/support/tls/provider.key");
    const OTHER: &str = include_str!("../../../tests/it/support/tls/authority.pem");

    #[test]
    fn a_certificate_needs_its_own_key_and_both_must_be_readable() {
        let folder = tempfile::tempdir().unwrap();
        let files = TlsFiles { certificate: folder.path().join("server.pem"), key: folder.path().join("server.key") };
        let load = |certificate: &str, key: &str| {
            std::fs::write(&files.certificate, certificate).unwrap();
            std::fs::write(&files.key, key).unwrap();
            files.load().map_err(|invalid| invalid.to_string())
        };
        let valid = load(CERTIFICATE, KEY).unwrap();
        assert_eq!(valid, load(CERTIFICATE, KEY).unwrap());
        assert_eq!(format!("{valid:?}"), "TlsIdentity(1 certificates)");
        assert_ne!(valid, load(&format!("{CERTIFICATE}{OTHER}"), KEY).unwrap(), "another chain");
        let cut = &KEY[..KEY.len() / 2];
        for (certificate, key, expected) in [
            ("", KEY, "server.pem has no certificate"),
            (CERTIFICATE, "", "server.key has no private key"),
            (CERTIFICATE, CERTIFICATE, "server.key has no private key"),
            (CERTIFICATE, cut, "server.key is not valid PEM"),
            (OTHER, KEY, "cannot be used together"),
        ] {
            let error = load(certificate, key).unwrap_err();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains(&KEY[40..60]), "no part of the key: {error}");
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            load(CERTIFICATE, KEY).unwrap();
            std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(0o660)).unwrap();
            assert!(files.load().unwrap_err().to_string().contains("can be written by users other than its owner"));
        }
        std::fs::remove_file(&files.key).unwrap();
        assert!(files.load().unwrap_err().to_string().contains("server.key cannot be read"));
    }
}
