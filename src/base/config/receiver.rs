//! Which addresses can get webhooks: as far as their text tells, before any of them is resolved.

use std::net::{IpAddr, Ipv4Addr};

use url::{Host, Url};

use super::{is_private, is_private_host};
use crate::base::domain::IpNetwork;

/// Why an address gets no webhooks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    #[error("it is no web address; use https:// with a host and a path")]
    Invalid,
    #[error("it has a user or a password in it; name an authorization instead")]
    Credentials,
    #[error("it does not use TLS; use https://, or allow the receiver's network in outgoing.allow")]
    Plain,
    #[error("{0} is not a public address; allow its network in outgoing.allow if the receiver is yours")]
    Private(IpAddr),
}

/// Checks an address, given the networks that are allowed. A name is checked again when it is resolved.
pub fn check_receiver(text: &str, allowed: &[IpNetwork]) -> Result<Url, Unsendable> {
    let url = Url::parse(text).map_err(|_| Unsendable::Invalid)?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.port() != Some(0);
    let host = url.host().filter(|_| is_web).ok_or(Unsendable::Invalid)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Unsendable::Credentials);
    }
    let ip = match host {
        Host::Ipv4(ip) => Some(IpAddr::V4(ip)),
        Host::Ipv6(ip) => Some(IpAddr::V6(ip)),
        Host::Domain(_) => is_private_host(&host).then_some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
    };
    let is_allowed = |ip: IpAddr| allowed.iter().any(|network| network.contains(ip));
    // No resolver is asked for an address that is written in digits.
    if let Some(ip) = ip.filter(|ip| is_private(*ip) && !is_allowed(*ip)) {
        return Err(Unsendable::Private(ip));
    }
    let may_be_plain = ip.map_or(!allowed.is_empty(), is_allowed);
    if url.scheme() == "http" && !may_be_plain {
        return Err(Unsendable::Plain);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_public_and_encrypted_unless_its_network_is_allowed() {
        let allowed: [IpNetwork; 1] = ["10.0.0.0/8".parse().unwrap()];
        let checked = |url: &str, allowed: &[IpNetwork]| check_receiver(url, allowed).map(|url| url.to_string());
        let private = |ip: &str| Err(Unsendable::Private(ip.parse().unwrap()));
        for (url, without, with) in [
            ("https://crm.example/hooks?a=b", Ok(()), Ok(())),
            ("http://crm.example/hooks", Err(Unsendable::Plain), Ok(())),
            ("https://127.0.0.1/", private("127.0.0.1"), private("127.0.0.1")),
            ("https://0x7f.1/", private("127.0.0.1"), private("127.0.0.1")),
            ("https://2130706433/", private("127.0.0.1"), private("127.0.0.1")),
            ("https://[::1]/", private("::1"), private("::1")),
            ("https://[::ffff:169.254.169.254]/", private("::ffff:169.254.169.254"), private("::ffff:169.254.169.254")),
            ("https://10.1.2.3/", private("10.1.2.3"), Ok(())),
            ("http://10.1.2.3/", private("10.1.2.3"), Ok(())),
            ("http://8.8.8.8/", Err(Unsendable::Plain), Err(Unsendable::Plain)),
            ("https://8.8.8.8/", Ok(()), Ok(())),
            ("https://localhost/", private("127.0.0.1"), private("127.0.0.1")),
            ("https://localhost./", private("127.0.0.1"), private("127.0.0.1")),
            ("https://crm.localhost./", private("127.0.0.1"), private("127.0.0.1")),
            ("https://crm.example:0/", Err(Unsendable::Invalid), Err(Unsendable::Invalid)),
            ("ftp://crm.example/", Err(Unsendable::Invalid), Err(Unsendable::Invalid)),
            ("file:///etc/passwd", Err(Unsendable::Invalid), Err(Unsendable::Invalid)),
            ("crm.example", Err(Unsendable::Invalid), Err(Unsendable::Invalid)),
            ("https://ann:pw@crm.example/", Err(Unsendable::Credentials), Err(Unsendable::Credentials)),
        ] {
            assert_eq!(checked(url, &[]).map(drop), without, "{url}");
            assert_eq!(checked(url, &allowed).map(drop), with, "{url} where 10.0.0.0/8 is allowed");
        }
    }
}
