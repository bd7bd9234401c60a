//! Why no connection to a provider was opened: how far it came, and what to do.

use std::error::Error;
use std::io;

use rustls::{CertificateError, InvalidMessage};

use super::connect::BoxError;
use crate::base::domain::Span;

/// A connection that was not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unconnected {
    pub address: AddressOf,
    pub stage: Stage,
    pub why: Why,
}

/// Whose address was asked, which says where to correct it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressOf {
    /// `base_url`.
    Provider,
    /// `contacts_url`.
    Contacts,
    /// A file that a message shows, which the provider will fetch as well.
    File,
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
        is_proxy: bool,
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
    /// The answer to the TLS handshake is not TLS, but plain HTTP or another protocol.
    NoTls,
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
            rustls::Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) => Self::NoTls,
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
            Self::NoTls => "the server speaks no TLS at this port".to_owned(),
            Self::UnknownIssuer => "the issuer of its certificate is not trusted".to_owned(),
            Self::OtherHost => "its certificate is for another host".to_owned(),
            Self::Expired => "its certificate has expired or is not valid yet".to_owned(),
        }
    }
}

impl Unconnected {
    /// Where the address is written that a stage connects to.
    const fn key(&self, is_proxy: bool) -> &'static str {
        match self.address {
            _ if is_proxy => "`proxy` or HTTPS_PROXY",
            AddressOf::Provider => "base_url",
            AddressOf::Contacts => "`contacts_url` in [opt_out]",
            AddressOf::File => "the address",
        }
    }

    /// What to do about a failure of TLS.
    fn tls_advice(&self, is_proxy: bool) -> String {
        let key = self.key(is_proxy);
        match (&self.why, self.address) {
            (Why::UnknownIssuer, AddressOf::File) if !is_proxy => {
                "use an address whose certificate has a public issuer, which the provider trusts too".to_owned()
            }
            (Why::UnknownIssuer, _) => "name the issuer's certificate with `ca_file`".to_owned(),
            (Why::OtherHost, _) => format!("check {key}"),
            (Why::Expired, _) => "check the clock of this machine".to_owned(),
            (Why::NoTls, _) => format!("check scheme and port of {key}"),
            _ => format!("check {key}, and whether a firewall interrupts TLS"),
        }
    }
}

impl std::fmt::Display for Unconnected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let why = self.why.words();
        match &self.stage {
            Stage::Name { host, is_proxy } => {
                write!(f, "the name {host} cannot be resolved ({why}); check {} and DNS", self.key(*is_proxy))
            }
            Stage::Tcp { host, is_proxy } => {
                write!(
                    f,
                    "no TCP connection to {host} ({why}); check {}, the network and firewalls",
                    self.key(*is_proxy)
                )
            }
            Stage::Proxy { proxy, host } => {
                let advice = match self.why {
                    Why::ProxyAuthentication => "write proxy = \"http://user:password@host:port\"",
                    _ => "check the rules of the proxy",
                };
                write!(f, "proxy {proxy} does not connect to {host} ({why}); {advice}")
            }
            Stage::Tls { host, is_proxy } => {
                write!(f, "no TLS connection to {host} ({why}); {}", self.tls_advice(*is_proxy))
            }
        }
    }
}

impl Error for Unconnected {}
