//! Why no connection to a provider was opened: how far it came, and what to do.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use super::connect::BoxError;
use crate::domain::Span;

/// A connection that was not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unconnected {
    pub stage: Stage,
    pub why: Why,
}

/// The stage that failed, with its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The name of a host was to be resolved.
    Name {
        host: String,
        is_proxy: bool,
    },
    /// TCP to this address.
    Tcp {
        host: String,
        is_proxy: bool,
    },
    /// The proxy was to connect to the host.
    Proxy {
        proxy: String,
        host: String,
    },
    Tls {
        host: String,
    },
}

/// Why a stage failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    TimedOut(Span),
    Failed(String),
    /// The proxy wants a user and a password, or others.
    ProxyAuthentication,
    /// The proxy answers with another status than 200.
    ProxyRefuses,
    /// The issuer of the certificate is not trusted.
    UnknownIssuer,
    /// The certificate is for other hosts.
    OtherHost,
    /// The certificate has expired, or is not valid yet.
    Expired,
}

impl Why {
    /// Reads the cause of a stage's error: the innermost one, which says what happened.
    pub(super) fn of(error: &BoxError, limit: Span) -> Self {
        let mut cause: &(dyn Error + 'static) = error.as_ref();
        loop {
            if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
                return Self::of_tls(tls);
            }
            let Some(io) = cause.downcast_ref::<io::Error>() else {
                match cause.source() {
                    Some(source) => cause = source,
                    None => return Self::Failed(cause.to_string()),
                }
                continue;
            };
            if io.kind() == io::ErrorKind::TimedOut {
                return Self::TimedOut(limit);
            }
            match io.get_ref() {
                Some(inner) => cause = inner,
                None => return Self::Failed(io.to_string()),
            }
        }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => Self::UnknownIssuer,
            rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => Self::OtherHost,
            rustls::Error::InvalidCertificate(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. },
            ) => Self::Expired,
            other => Self::Failed(other.to_string()),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::TimedOut(limit) => format!("no answer within {limit}"),
            Self::Failed(words) => words.clone(),
            Self::ProxyAuthentication => "it asks for a user and a password".to_owned(),
            Self::ProxyRefuses => "it refuses".to_owned(),
            Self::UnknownIssuer => "the issuer of its certificate is not trusted".to_owned(),
            Self::OtherHost => "its certificate is for another host".to_owned(),
            Self::Expired => "its certificate has expired or is not valid yet".to_owned(),
        }
    }
}

impl std::fmt::Display for Unconnected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let why = self.why.words();
        let key = |is_proxy| if is_proxy { "`proxy` or HTTPS_PROXY" } else { "base_url" };
        match &self.stage {
            Stage::Name { host, is_proxy } => {
                write!(f, "the name {host} cannot be resolved ({why}); check {} and DNS", key(*is_proxy))
            }
            Stage::Tcp { host, is_proxy } => {
                write!(f, "no TCP connection to {host} ({why}); check {}, the network and firewalls", key(*is_proxy))
            }
            Stage::Proxy { proxy, host } => {
                let advice = match self.why {
                    Why::ProxyAuthentication => "write proxy = \"http://user:password@host:port\"",
                    _ => "check the rules of the proxy",
                };
                write!(f, "proxy {proxy} does not connect to {host} ({why}); {advice}")
            }
            Stage::Tls { host } => {
                let advice = match self.why {
                    Why::UnknownIssuer => "name the issuer's certificate with `ca_file`",
                    Why::OtherHost => "check base_url",
                    Why::Expired => "check the clock of this machine",
                    _ => "check that base_url is an https:// address",
                };
                write!(f, "no TLS connection to {host} ({why}); {advice}")
            }
        }
    }
}

impl Error for Unconnected {}
