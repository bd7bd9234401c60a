//! Addresses on this machine and in private networks, which a provider on the internet cannot reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use super::{Lane, LaneProvider};
use crate::base::domain::Reachable;

impl LaneProvider {
    /// Where it can fetch files: a provider in a private network can do so there, too.
    pub fn reachable(&self) -> Reachable {
        let is_private =
            Url::parse(&self.base_url).is_ok_and(|url| url.host().is_some_and(|host| is_private_host(&host)));
        if is_private { Reachable::Any } else { Reachable::Public }
    }
}

/// Where the providers of all these lanes can fetch files.
pub fn reachable_by_all<'a>(mut lanes: impl Iterator<Item = &'a Lane>) -> Reachable {
    let is_public = lanes.any(|lane| lane.provider.reachable() == Reachable::Public);
    if is_public { Reachable::Public } else { Reachable::Any }
}

/// Whether a host is private by its name or address. Other names can be resolved to a private address as well.
pub fn is_private_host(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        Host::Ipv4(ip) => is_private((*ip).into()),
        Host::Ipv6(ip) => is_private((*ip).into()),
    }
}

/// Whether an address is not one of the public internet: of this machine, of a network of its own, or reserved.
///
/// Addresses that lead to an IPv4 address are judged by that one.
pub fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_private_v4(ip),
        IpAddr::V6(ip) => match inner_v4(ip) {
            Some(inner) => is_private_v4(inner),
            None => is_private_v6(ip),
        },
    }
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    let starts = |prefix: u128, bits: u32| ip.to_bits() >> (128 - bits) == prefix >> (128 - bits);
    ip.to_bits() >> 125 != PUBLIC_V6 || RESERVED_V6.iter().any(|(prefix, bits)| starts(*prefix, *bits))
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    RESERVED_V4.iter().any(|([a, b, c, d], bits)| {
        let prefix = u32::from_be_bytes([*a, *b, *c, *d]);
        ip.to_bits() >> (32 - bits) == prefix >> (32 - bits)
    })
}

/// The networks of IANA's registry of special addresses that are not reachable from everywhere.
const RESERVED_V4: [([u8; 4], u32); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    // Providers of access share it among their customers.
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    // Multicast, and what is reserved above it, with the broadcast address.
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// The first three bits of the addresses of the public internet. All others are reserved, local, or for many receivers.
const PUBLIC_V6: u128 = 0b001;

/// The networks among them that are not reachable from everywhere.
const RESERVED_V6: [(u128, u32); 3] = [
    // Protocol assignments, with Teredo, which hides an IPv4 address behind a server's.
    (0x2001 << 112, 23),
    // Documents.
    (0x2001_0db8 << 96, 32),
    (0x3fff << 112, 20),
];

/// The IPv4 address that an IPv6 address leads to: written as one, or by NAT64 or 6to4.
fn inner_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [first, second, third, .., seventh, eighth] = ip.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    ip.to_ipv4_mapped().or_else(|| match (first, second) {
        (0x64, 0xff9b) if ip.to_bits() << 32 >> 64 == 0 => Some(of(seventh, eighth)),
        (0x2002, high) => Some(of(high, third)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_count_as_public() {
        let is_private = |ip: &str| is_private(ip.parse().unwrap());
        for ip in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "3fff::1",
            "fc00::1",
            "fdab::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "::ffff:0:10.0.0.1",
            "::ffff:0:8.8.8.8",
            "64:ff9b::100.64.0.1",
            "200::1",
            "4000::1",
            "5f00::1",
        ] {
            assert!(is_private(ip), "{ip}");
        }
        for ip in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(!is_private(ip), "{ip}");
        }
    }
}
