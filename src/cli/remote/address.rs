//! The address of a server, checked before a key is sent to it.

use std::fmt;

use url::{Host, Url};

/// The address of a server's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address(Url);

/// Why an address is not used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidAddress {
    #[error("\"{0}\" is not the address of a server; write it as https://volley.example.com")]
    NoUrl(String),
    /// It would be printed, and it is no API key.
    #[error("an address with a name or a password is not supported; the API key goes into --key-file")]
    Password,
    #[error("an address with a query or a fragment is not supported; leave out what follows the path")]
    Query,
    #[error(
        "the API key would be sent to {0} without encryption, where others on the way can read it; use https://, or add \
         --allow-plain-http if the network is yours alone"
    )]
    Plain(String),
}

impl Address {
    /// Parses the address of a server. Without TLS it must be of this computer, unless that is allowed.
    pub(super) fn parse(text: &str, allow_plain: bool) -> Result<Self, InvalidAddress> {
        let invalid = || InvalidAddress::NoUrl(text.to_owned());
        let mut url = Url::parse(text).map_err(|_| invalid())?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidAddress::Password);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidAddress::Query);
        }
        let host = url.host().ok_or_else(invalid)?;
        let is_here = match &host {
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
            Host::Domain(name) => *name == "localhost",
        };
        match url.scheme() {
            "https" => {}
            "http" if is_here || allow_plain => {}
            "http" => return Err(InvalidAddress::Plain(host.to_string())),
            _ => return Err(invalid()),
        }
        // A path without its last slash would lose its last part when it is joined.
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self(url))
    }

    /// The address of an operation, such as `v1/commands`.
    pub(super) fn join(&self, path: &str) -> Url {
        self.0.join(path).unwrap_or_else(|_| self.0.clone())
    }

    pub(super) fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_sent_in_clear_text_to_this_computer_alone() {
        let parse = |text| Address::parse(text, false);
        for here in ["http://127.0.0.1:8688", "http://[::1]:8688", "http://localhost", "https://volley.example.com"] {
            assert!(parse(here).is_ok(), "{here}");
        }
        for (there, host) in [
            ("http://volley.example.com", "volley.example.com"),
            ("http://10.0.0.7:8688", "10.0.0.7"),
            ("http://localhost.example.com", "localhost.example.com"),
            ("http://127.0.0.1.example.com", "127.0.0.1.example.com"),
            ("http://0.0.0.0", "0.0.0.0"),
        ] {
            assert_eq!(parse(there), Err(InvalidAddress::Plain(host.to_owned())), "{there}");
            assert!(Address::parse(there, true).is_ok(), "{there}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "volley.example.com", "ftp://volley.example.com", "file:///etc/passwd", "https://"] {
            assert!(matches!(Address::parse(text, true), Err(InvalidAddress::NoUrl(_))), "{text}");
        }
        assert_eq!(Address::parse("https://ann:secret@volley.example.com", true), Err(InvalidAddress::Password));
        assert_eq!(Address::parse("https://volley.example.com/?key=1", true), Err(InvalidAddress::Query));
    }

    #[test]
    fn a_path_in_front_of_the_api_is_kept() {
        for text in ["https://example.com/volley", "https://example.com/volley/"] {
            let address = Address::parse(text, false).unwrap();
            assert_eq!(address.join("v1/commands").as_str(), "https://example.com/volley/v1/commands");
            assert_eq!(address.to_string(), "https://example.com/volley");
        }
    }
}
