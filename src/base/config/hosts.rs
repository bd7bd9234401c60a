//! The provider's own hosts: which addresses are among them, and the host of another API in the same region.

use url::Url;

use super::error::Error;
use super::provider::Provider;
use super::read::Reader;

/// An API with hosts of its own beside those of the chat-apps API. A host is the name of the API and the domain of a
/// region, such as `8x8.com`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    Sms,
    Contacts,
}

impl Api {
    const fn name(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Contacts => "contacts",
        }
    }
}

/// Whether a host is the provider's, in any region. Every other host is a practice provider's, or that of a gateway.
pub(super) fn is_own(host: &str) -> bool {
    let mut labels = host.trim_end_matches('.').rsplit('.');
    labels.next().is_some() && labels.next() == Some("8x8")
}

/// The address of an API beside another one: in the region of `base_url`, or the same address if that is not the
/// provider's own. A practice provider has all APIs at one address.
pub(super) fn beside(base_url: &str, api: Api) -> String {
    let same = || base_url.to_owned();
    let Ok(mut url) = Url::parse(base_url) else { return same() };
    let Some((_, region)) = url.host_str().filter(|host| is_own(host)).and_then(|host| host.split_once('.')) else {
        return same();
    };
    // A host without the name of an API is not one of the documented ones: nothing is known of its neighbours.
    if !is_own(region) {
        return same();
    }
    let host = format!("{}.{region}", api.name());
    url.set_host(Some(&host)).map_or_else(|_| same(), |()| url.as_str().trim_end_matches('/').to_owned())
}

/// Refuses an address of the provider beside a `base_url` that is none, and the reverse. So no request of a practice
/// configuration reaches the provider.
pub(super) fn check_beside(
    reader: &Reader<'_>,
    key: &'static str,
    address: &str,
    provider: &Provider,
) -> Result<(), Error> {
    let is_providers = |address: &str| Url::parse(address).is_ok_and(|url| url.host_str().is_some_and(is_own));
    let base_url = &provider.base_url;
    let kind = match (is_providers(address), is_providers(base_url)) {
        (true, false) => "is",
        (false, true) => "is not",
        (true, true) | (false, false) => return Ok(()),
    };
    Err(reader.wrong(
        key,
        format_args!(
            "{address} {kind} the provider's own address, but base_url under [provider] is {base_url}; change base_url \
             under [provider], or remove this key, which then follows it"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_api_has_its_host_in_the_region_of_the_base_url() {
        for (base_url, sms, contacts) in [
            ("https://chatapps.8x8.com", "https://sms.8x8.com", "https://contacts.8x8.com"),
            ("https://chatapps.us.8x8.com", "https://sms.us.8x8.com", "https://contacts.us.8x8.com"),
            ("https://chatapps.8x8.uk", "https://sms.8x8.uk", "https://contacts.8x8.uk"),
            ("https://ChatApps.8x8.id", "https://sms.8x8.id", "https://contacts.8x8.id"),
            ("https://sms.8x8.uk", "https://sms.8x8.uk", "https://contacts.8x8.uk"),
            ("https://8x8.com", "https://8x8.com", "https://8x8.com"),
            ("http://127.0.0.1:8690", "http://127.0.0.1:8690", "http://127.0.0.1:8690"),
            (
                "http://chatapps.8x8.com.own.example/8x8",
                "http://chatapps.8x8.com.own.example/8x8",
                "http://chatapps.8x8.com.own.example/8x8",
            ),
        ] {
            assert_eq!([beside(base_url, Api::Sms), beside(base_url, Api::Contacts)], [sms, contacts], "{base_url}");
        }
    }
}
