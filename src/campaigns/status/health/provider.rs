//! Checks what the provider says about the lanes' keys, subaccounts, accounts and channels.

use std::collections::BTreeMap;

use super::{Findings, Health};
use crate::base::config::{Config, Lane};
use crate::base::domain::Channel;
use crate::base::domain::text::list;
use crate::provider::client::{Access, Http, Stage, Unconnected, Why};

/// The hosts of the provider's regions.
const REGIONS: [(&str, &str); 4] = [
    ("chatapps.8x8.com", "Asia-Pacific"),
    ("chatapps.us.8x8.com", "North America"),
    ("chatapps.8x8.uk", "Europe"),
    ("chatapps.8x8.id", "Indonesia"),
];

/// Lanes that ask the provider the same question.
#[derive(Debug)]
struct Asking<'a> {
    /// The lane whose client asks.
    lane: &'a Lane,
    names: Vec<&'a str>,
}

/// The lanes with a key, by address, subaccount and key.
fn asking(config: &Config) -> Vec<Asking<'_>> {
    grouped(config.lanes.iter(), |one, other| {
        has_same_key(one, other) && one.provider.sub_account == other.provider.sub_account
    })
}

/// Whether two lanes ask the same address with the same key.
fn has_same_key(one: &Lane, other: &Lane) -> bool {
    let (one, other) = (&one.provider, &other.provider);
    let is_same = match (&one.api_key, &other.api_key) {
        (Some(one), Some(other)) => one.is(other),
        (one, other) => one.is_none() == other.is_none(),
    };
    one.base_url == other.base_url && is_same
}

impl Asking<'_> {
    /// Whether both ask the same address with the same key.
    fn has_key_of(&self, other: &Asking<'_>) -> bool {
        has_same_key(self.lane, other.lane)
    }
}

/// The WhatsApp lanes that name an account and a channel of it, by both.
fn asking_about_channels(config: &Config) -> Vec<(Asking<'_>, &str, &str)> {
    let of = |lane: &Lane| lane.provider.account_id.clone().zip(lane.channel_id.clone());
    let named = config.lanes.iter().filter(|lane| lane.channel == Channel::WhatsApp && of(lane).is_some());
    let groups = grouped(named, |one, other| one.provider.base_url == other.provider.base_url && of(one) == of(other));
    let full = groups.into_iter().filter_map(|asking| {
        let lane = asking.lane;
        Some((asking, lane.provider.account_id.as_deref()?, lane.channel_id.as_deref()?))
    });
    full.collect()
}

fn grouped<'a>(lanes: impl Iterator<Item = &'a Lane>, is_same: impl Fn(&Lane, &Lane) -> bool) -> Vec<Asking<'a>> {
    let mut groups: Vec<Asking<'a>> = Vec::new();
    for lane in lanes.filter(|lane| lane.provider.api_key.is_some()) {
        match groups.iter_mut().find(|group| is_same(group.lane, lane)) {
            Some(group) => group.names.push(&lane.name),
            None => groups.push(Asking { lane, names: vec![&lane.name] }),
        }
    }
    groups
}

impl Findings {
    /// Asks the provider of each lane whether it accepts the key and the subaccount.
    pub async fn ask_providers(&mut self, config: &Config) {
        let mut unconnected: BTreeMap<&str, Option<Unconnected>> = BTreeMap::new();
        for lane in &config.lanes {
            let address = lane.provider.base_url.as_str();
            if unconnected.contains_key(address) {
                continue;
            }
            match Http::new(&lane.name, &lane.provider) {
                Ok(http) => {
                    let why = http.connect().await.err();
                    match &why {
                        Some(why) => self.add_unconnected(address, why),
                        None => self.add_reached(config, address),
                    }
                    unconnected.insert(address, why);
                }
                Err(error) => self.add("provider", Health::Failed, error.to_string(), None),
            }
        }
        let is_reached = |address: &str| matches!(unconnected.get(address), Some(None));
        let mut refused = Vec::new();
        for asking in asking(config).into_iter().filter(|asking| is_reached(&asking.lane.provider.base_url)) {
            if let Ok(http) = Http::new(&asking.lane.name, &asking.lane.provider) {
                let access = http.access_to_messages().await;
                self.add_access(&asking, &access);
                if matches!(access, Access::KeyRefused { .. }) {
                    refused.push(asking);
                }
            }
        }
        // A refused key gets the same refusal for every account, which says nothing about the account.
        let may_ask = |asking: &Asking<'_>| {
            is_reached(&asking.lane.provider.base_url) && !refused.iter().any(|refused| refused.has_key_of(asking))
        };
        for asked in asking_about_channels(config).iter().filter(|asked| may_ask(&asked.0)) {
            let (asking, account, channel) = asked;
            if let Ok(http) = Http::new(&asking.lane.name, &asking.lane.provider) {
                self.add_channel_access(asked, &http.access_to_templates(account, channel).await);
            }
        }
    }

    /// Reports an address that a connection was opened to. With a key, the provider's answer says more.
    fn add_reached(&mut self, config: &Config, address: &str) {
        let mut lanes = config.lanes.iter().filter(|lane| lane.provider.base_url == address);
        if lanes.all(|lane| lane.provider.api_key.is_none()) {
            self.add_ok("provider", format!("{address} can be reached"));
        }
    }

    /// Reports an address that no connection was opened to.
    fn add_unconnected(&mut self, address: &str, why: &Unconnected) {
        let is_another_host = match &why.stage {
            Stage::Name { is_proxy, .. } => !is_proxy,
            Stage::Tls { is_proxy, .. } => !is_proxy && why.why == Why::OtherHost,
            Stage::Tcp { .. } | Stage::Proxy { .. } => false,
        };
        let advice = (is_another_host && region_of(address).is_none()).then(regions);
        let text = format!("{address} cannot be reached: {why}");
        self.add("provider", Health::Failed, text, advice.as_deref());
    }

    /// Reports what the provider says about a key and its subaccount.
    fn add_access(&mut self, asking: &Asking<'_>, access: &Access) {
        let provider = &asking.lane.provider;
        let (address, sub_account) = (&provider.base_url, &provider.sub_account);
        let of = format!("of {}", list(&asking.names));
        let another_region = format!("or base_url is the address of another region: {}", regions());
        let (health, text, advice) = match access {
            Access::Granted => {
                let text = format!("{address} accepts the key and the subaccount {sub_account} {of}");
                return self.add_ok("provider", text);
            }
            Access::KeyRefused { said } => (
                Health::Failed,
                format!("{address} refuses the API key {of} ({said})"),
                format!(
                    "the key is wrong or revoked; copy the current one from the provider's portal; {another_region}"
                ),
            ),
            Access::NotAllowed { said } => (
                Health::Failed,
                format!("the API key {of} may not use {address} ({said})"),
                "give the key the right to send messages in the provider's portal".to_owned(),
            ),
            Access::ForeignSubAccount { said } => (
                Health::Failed,
                format!("the subaccount {sub_account} {of} does not belong to the account of the API key ({said})"),
                format!("check sub_account, or use the key of its account; {another_region}"),
            ),
            Access::Refused { said } => (
                Health::Failed,
                format!("{address} refuses a harmless query {of} ({said})"),
                format!("check sub_account and base_url; {another_region}"),
            ),
            Access::NotFound { said } | Access::NotTheProvider { said } => (
                Health::Failed,
                format!("{address} does not answer as the provider does ({said})"),
                "check base_url, and whether a proxy or a firewall answers instead".to_owned(),
            ),
            Access::Busy { .. } => (
                Health::Warning,
                format!("the key {of} could not be checked: {address} is asked too often at this time"),
                "run `volley doctor` again".to_owned(),
            ),
            Access::Unavailable { said } => (
                Health::Failed,
                format!("{address} has a problem ({said})"),
                "wait, and ask the provider about its status".to_owned(),
            ),
        };
        self.add("provider", health, text, Some(&advice));
    }

    /// Reports what the provider says about an account and its channel. Sending needs neither, so nothing fails.
    fn add_channel_access(&mut self, (asking, account, channel): &(Asking<'_>, &str, &str), access: &Access) {
        let of = format!("of {}", list(&asking.names));
        let (said, advice) = match access {
            Access::Granted => {
                return self.add_ok("provider", format!("account_id and channel_id {of} belong to the API key"));
            }
            Access::KeyRefused { said } | Access::NotAllowed { said } => {
                (said, "account_id is of another account than the API key; copy it from the provider's portal")
            }
            Access::ForeignSubAccount { said } | Access::NotFound { said } | Access::Refused { said } => {
                (said, "copy account_id and channel_id from the provider's portal")
            }
            // The finding about the key says it already, or another run may find more.
            Access::Busy { .. } | Access::NotTheProvider { .. } | Access::Unavailable { .. } => return,
        };
        let text = format!("the templates of account {account}, channel {channel} {of} cannot be read ({said})");
        self.add("provider", Health::Warning, text, Some(advice));
    }
}

/// The region of an address, if it is one of the provider's.
fn region_of(address: &str) -> Option<&'static str> {
    // The SMS API has the same regions.
    let host = address.strip_prefix("https://")?.split('/').next()?.replacen("sms.", "chatapps.", 1);
    REGIONS.iter().find(|(known, _)| *known == host).map(|(_, region)| *region)
}

/// All regions with their addresses, in words.
fn regions() -> String {
    let all: Vec<String> = REGIONS.iter().map(|(host, region)| format!("https://{host} ({region})")).collect();
    list(&all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::client::AddressOf;

    fn config() -> Config {
        let text = "[provider]\nbase_url = \"https://chatapps.8x8.com\"\nsub_account = \"acme\"\napi_key = \"k1\"\n\
                    [[lane]]\nname = \"a\"\nchannel = \"WhatsApp\"\naccount_id = \"acc\"\nchannel_id = \"c1\"\n\
                    [[lane]]\nname = \"b\"\nchannel = \"SMS\"\nsource = \"ACME\"\n\
                    [[lane]]\nname = \"c\"\nchannel = \"SMS\"\nsub_account = \"other\"\n\
                    [[lane]]\nname = \"d\"\nchannel = \"Viber\"\napi_key = \"k1\"\n";
        let none = std::iter::empty::<(&str, String)>();
        let file = std::path::Path::new("volley.toml");
        Config::read(Some((file, text)), std::iter::empty(), none).unwrap().config
    }

    #[test]
    fn each_key_and_subaccount_is_asked_about_once() {
        let config = config();
        let names: Vec<Vec<&str>> = asking(&config).into_iter().map(|asking| asking.names).collect();
        assert_eq!(names, [vec!["a", "b"], vec!["c"], vec!["d"]]);
        let channels = asking_about_channels(&config);
        assert!(matches!(&channels[..], [(asking, "acc", "c1")] if asking.names == ["a"]), "{channels:?}");
        let of_key: Vec<bool> = asking(&config).iter().map(|it| it.has_key_of(&channels[0].0)).collect();
        assert_eq!(of_key, [true, true, false]);
    }

    #[test]
    fn each_access_is_told_apart_with_what_to_do() {
        let config = config();
        let asking = &asking(&config)[0];
        let said = || "1200: no".to_owned();
        for (access, health, text, advice) in [
            (Access::Granted, Health::Ok, "accepts the key and the subaccount acme of a and b", ""),
            (
                Access::KeyRefused { said: said() },
                Health::Failed,
                "refuses the API key of a and b (1200: no)",
                "wrong or revoked",
            ),
            (Access::NotAllowed { said: said() }, Health::Failed, "may not use", "give the key the right"),
            (
                Access::ForeignSubAccount { said: said() },
                Health::Failed,
                "the subaccount acme of a and b does not belong",
                "https://chatapps.8x8.uk (Europe)",
            ),
            (
                Access::NotTheProvider { said: said() },
                Health::Failed,
                "does not answer as the provider does",
                "check base_url",
            ),
            (Access::Busy { retry_after: None }, Health::Warning, "asked too often", "again"),
            (Access::Unavailable { said: said() }, Health::Failed, "has a problem", "wait"),
        ] {
            let mut findings = Findings::default();
            findings.add_access(asking, &access);
            let [found] = findings.all() else { panic!("{access:?}") };
            assert_eq!(found.health, health, "{access:?}");
            assert!(found.text.contains(text), "{}", found.text);
            assert!(found.what_to_do.clone().unwrap_or_default().contains(advice), "{:?}", found.what_to_do);
        }
    }

    #[test]
    fn a_name_that_is_no_region_shows_the_regions() {
        let stage = Stage::Name { host: "chatapps.8x8.eu".to_owned(), is_proxy: false };
        let why = Unconnected { address: AddressOf::Provider, stage, why: Why::Failed("no such name".to_owned()) };
        for (address, shows) in [("https://chatapps.8x8.eu", true), ("https://chatapps.8x8.uk", false)] {
            let mut findings = Findings::default();
            findings.add_unconnected(address, &why);
            let advice = findings.all()[0].what_to_do.clone();
            assert_eq!(advice.is_some_and(|advice| advice.contains("https://chatapps.us.8x8.com")), shows, "{address}");
        }
    }
}
