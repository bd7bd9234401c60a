//! Addresses on this machine and in private networks, which a provider on the internet cannot reach.

use std::net::IpAddr;

use url::{Host, Url};

use super::{Lane, LaneProvider};
use crate::domain::Reachable;

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
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(ip) => is_private((*ip).into()),
        Host::Ipv6(ip) => is_private((*ip).into()),
    }
}

/// Whether an address is of this machine or of a network of its own.
pub fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                // 100.64.0.0/10, which providers of access share among their customers.
                || (ip.octets()[0] == 100 && ip.octets()[1] & 0xC0 == 64)
        }
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => is_private(ip.into()),
            None => ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local(),
        },
    }
}
