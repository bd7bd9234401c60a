//! Networks of IP addresses.

use core::net::IpAddr;
use std::fmt;
use std::str::FromStr;

use super::word::serde_as_text;

/// The addresses that share a prefix: `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IpNetwork {
    address: IpAddr,
    bits: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIpNetwork {
    #[error("it is not a network; write an address and the length of its prefix, such as 10.0.0.0/8")]
    Malformed,
    #[error("it has bits behind its prefix; write {0}")]
    BitsBehindPrefix(IpNetwork),
}

impl IpNetwork {
    /// Whether an address is in it. An IPv4 address that is written as an IPv6 address is the same address.
    pub fn contains(self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.address.is_ipv4() && Self::prefix(ip, self.bits) == self.address
    }

    /// The network that counts as one client: a host of IPv6 has as many addresses as it likes.
    pub fn of_client(ip: IpAddr) -> Self {
        let address = ip.to_canonical();
        let bits = if address.is_ipv4() { 32 } else { 64 };
        Self { address: Self::prefix(address, bits), bits }
    }

    /// The address, if the network has no other.
    pub fn host(self) -> Option<IpAddr> {
        (self.bits == Self::width(self.address)).then_some(self.address)
    }

    /// Whether every address of its family is in it.
    pub const fn is_everywhere(self) -> bool {
        self.bits == 0
    }

    const fn width(ip: IpAddr) -> u32 {
        if ip.is_ipv4() { 32 } else { 128 }
    }

    /// The address with zeros after the prefix.
    fn prefix(ip: IpAddr, bits: u32) -> IpAddr {
        let rest = Self::width(ip) - bits;
        match ip {
            IpAddr::V4(ip) => {
                let kept = u32::MAX.checked_shl(rest).unwrap_or(0);
                IpAddr::V4((ip.to_bits() & kept).into())
            }
            IpAddr::V6(ip) => {
                let kept = u128::MAX.checked_shl(rest).unwrap_or(0);
                IpAddr::V6((ip.to_bits() & kept).into())
            }
        }
    }
}

impl FromStr for IpNetwork {
    type Err = InvalidIpNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let written: IpAddr = address.parse().map_err(|_| InvalidIpNetwork::Malformed)?;
        let width = Self::width(written);
        let bits = match bits {
            None => width,
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().ok().filter(|bits| *bits <= width).ok_or(InvalidIpNetwork::Malformed)?
            }
            Some(_) => return Err(InvalidIpNetwork::Malformed),
        };
        // An IPv4 network that is written as an IPv6 network is the same network.
        let address = written.to_canonical();
        let dropped = width - Self::width(address);
        let (address, bits) = if bits < dropped { (written, bits) } else { (address, bits - dropped) };
        let network = Self { address: Self::prefix(address, bits), bits };
        if network.address == address { Ok(network) } else { Err(InvalidIpNetwork::BitsBehindPrefix(network)) }
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

serde_as_text!(IpNetwork);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_the_addresses_of_its_prefix() {
        let contains = |network: &str, ip: &str| network.parse::<IpNetwork>().unwrap().contains(ip.parse().unwrap());
        for (network, ip, is_in) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.4", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("fd00::/8", "fdab::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::/0", "fe80::1", true),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true),
            ("::ffff:10.0.0.0/104", "10.9.9.9", true),
        ] {
            assert_eq!(contains(network, ip), is_in, "{network} {ip}");
        }
    }

    #[test]
    fn a_client_of_ipv6_is_its_network() {
        let of = |ip: &str| IpNetwork::of_client(ip.parse().unwrap()).to_string();
        assert_eq!((of("10.1.2.3"), of("::ffff:10.1.2.3")), ("10.1.2.3/32".to_owned(), "10.1.2.3/32".to_owned()));
        assert_eq!(of("2001:db8:1:2:3::4"), "2001:db8:1:2::/64");
    }

    #[test]
    fn a_network_is_read_strictly_and_prints_what_it_reads() {
        for text in ["10.0.0.0/8", "127.0.0.1/32", "fd00::/8", "::/0"] {
            assert_eq!(text.parse::<IpNetwork>().unwrap().to_string(), text);
        }
        for text in ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0/8", "example.com", "", "::/129"] {
            assert_eq!(text.parse::<IpNetwork>(), Err(InvalidIpNetwork::Malformed), "{text}");
        }
        let wrong = "10.1.0.0/8".parse::<IpNetwork>().unwrap_err();
        assert_eq!(wrong.to_string(), "it has bits behind its prefix; write 10.0.0.0/8");
    }
}
