//! The client of a request: the other end of its connection, or the client that a trusted proxy names.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName};

use crate::base::domain::IpNetwork;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Where a request comes from. It is an extension of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http::api) struct Client {
    /// The address that counts for locks, limits and the audit log.
    pub(in crate::http::api) address: IpAddr,
    /// Whether the client speaks TLS, to this server or to the proxy before it.
    pub(in crate::http::api) is_over_tls: bool,
}

impl Client {
    /// The client of a request; an unknown one if the request did not come through the door, as in tests.
    pub(in crate::http::api) fn of(extensions: &Extensions) -> Self {
        let unknown = Self { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), is_over_tls: false };
        extensions.get::<Self>().copied().unwrap_or(unknown)
    }
}

impl<S: Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

/// The proxies before the server, which name the clients of the requests that they forward.
#[derive(Debug)]
pub(super) struct TrustedProxies(Vec<IpNetwork>);

impl TrustedProxies {
    pub(super) const fn new(networks: Vec<IpNetwork>) -> Self {
        Self(networks)
    }

    pub(super) fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// The client of a request from `peer`.
    ///
    /// - Of the addresses in `X-Forwarded-For`, the last untrusted one counts: each proxy appends the address of its own
    ///   peer, and whatever is before that was written by the client.
    /// - Without an untrusted one, the first address counts; without any, the peer.
    /// - The headers of an untrusted peer are ignored.
    pub(super) fn client(&self, peer: SocketAddr, headers: &HeaderMap, is_over_tls: bool) -> Client {
        let mut address = peer.ip().to_canonical();
        if !self.contain(address) {
            return Client { address, is_over_tls };
        }
        for hop in values(headers, &FORWARDED_FOR).into_iter().rev() {
            // What is before an entry that is no address cannot be trusted either.
            let Some(named) = address_in(hop) else { break };
            address = named;
            if !self.contain(named) {
                break;
            }
        }
        let is_forwarded_over_tls =
            values(headers, &FORWARDED_PROTO).last().is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
        Client { address, is_over_tls: is_over_tls || is_forwarded_over_tls }
    }
}

/// The entries of a list, over all lines of the header, in their order.
fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    // A line that is no text is one unreadable entry.
    let lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("?"));
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|entry| !entry.is_empty()).collect()
}

/// Reads an address, as proxies write it: also with a port, or in brackets.
fn address_in(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let address = bare.parse().ok().or_else(|| Some(entry.parse::<SocketAddr>().ok()?.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, lines: &[(&'static str, &'static str)]) -> (String, bool) {
        let networks = ["127.0.0.0/8", "10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let client =
            TrustedProxies::new(networks.to_vec()).client(SocketAddr::new(peer.parse().unwrap(), 1), &headers, false);
        (client.address.to_string(), client.is_over_tls)
    }

    #[test]
    fn the_last_untrusted_address_is_the_client_and_only_proxies_name_it() {
        let of = |peer, forwarded| client(peer, &[("x-forwarded-for", forwarded)]).0;
        for (peer, forwarded, expected) in [
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
            ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("127.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
            ("127.0.0.1", "1.2.3.4, 198.51.100.1, 10.1.1.1", "198.51.100.1"),
            ("127.0.0.1", "10.2.2.2, 10.1.1.1", "10.2.2.2"),
            ("127.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
            ("127.0.0.1", "2001:db8::1", "2001:db8::1"),
            ("fd00::1", "[2001:db8::1]:4711", "2001:db8::1"),
            ("fd00::1", "[2001:db8::1]", "2001:db8::1"),
            ("127.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
            ("127.0.0.1", "1.2.3.4, unknown", "127.0.0.1"),
            ("127.0.0.1", "1.2.3.4, unknown, 10.1.1.1", "10.1.1.1"),
            ("127.0.0.1", " , ", "127.0.0.1"),
        ] {
            assert_eq!(of(peer, forwarded), expected, "{peer}: {forwarded}");
        }
        assert_eq!(client("127.0.0.1", &[]).0, "127.0.0.1");
        let two_lines = [("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "198.51.100.1, 10.1.1.1")];
        assert_eq!(client("127.0.0.1", &two_lines).0, "198.51.100.1");
    }

    #[test]
    fn only_a_trusted_proxy_says_that_its_client_speaks_tls() {
        let is_over_tls = |peer, proto| client(peer, &[("x-forwarded-proto", proto)]).1;
        assert!(is_over_tls("127.0.0.1", "https") && is_over_tls("127.0.0.1", "http, HTTPS"));
        assert!(!is_over_tls("127.0.0.1", "http") && !is_over_tls("127.0.0.1", "https, http"));
        assert!(!is_over_tls("203.0.113.9", "https"));
    }
}
