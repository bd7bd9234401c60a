//! What differs between the configuration that a server runs with and the one that it would start with now.

use std::collections::{BTreeMap, BTreeSet};

use super::keys::ROUTE;
use super::{Loaded, Route, Setting, Source};

/// The settings of each section by key, without those of routes, which show only a part of their steps.
fn by_section(loaded: &Loaded) -> BTreeMap<&str, BTreeMap<&'static str, &Setting>> {
    let mut sections = BTreeMap::<&str, BTreeMap<_, _>>::new();
    for setting in loaded.settings.iter().filter(|setting| setting.section.split(' ').next() != Some(ROUTE)) {
        sections.entry(&setting.section).or_default().insert(setting.key, setting);
    }
    sections
}

fn routes(loaded: &Loaded) -> BTreeMap<&str, &Route> {
    loaded.config.routes.iter().map(|route| (route.name.as_str(), route)).collect()
}

/// Whether a key has another value. A default follows other values, so it is no change of its own.
fn differ(is: Option<&&Setting>, was: Option<&&Setting>) -> bool {
    let is_written = |setting: Option<&&Setting>| setting.is_some_and(|setting| setting.source != Source::Default);
    let text = |setting: Option<&&Setting>| setting.and_then(|setting| setting.value.clone());
    let secret = |setting: Option<&&Setting>| setting.and_then(|setting| setting.secret.clone());
    (is_written(is) || is_written(was)) && (text(is) != text(was) || secret(is) != secret(was))
}

impl Loaded {
    /// What a server that runs with `running` does otherwise after a restart: keys, such as `server: listen`, and whole
    /// sections that are new or gone, such as `lane promo-sg`.
    ///
    /// The contents of files that a running server reads again are no part of it.
    pub fn changes_since(&self, running: &Self) -> Vec<String> {
        let (is, was) = (by_section(self), by_section(running));
        let mut changes = Vec::new();
        for section in is.keys().chain(was.keys()).collect::<BTreeSet<_>>() {
            let (Some(is), Some(was)) = (is.get(section), was.get(section)) else {
                changes.push((*section).to_owned());
                continue;
            };
            let keys = is.keys().chain(was.keys()).collect::<BTreeSet<_>>();
            let changed = keys.into_iter().filter(|key| differ(is.get(*key), was.get(*key)));
            changes.extend(changed.map(|key| format!("{section}: {key}")));
        }
        let roots = "provider: ca_file".to_owned();
        let has_other_roots = self.config.provider.network.roots != running.config.provider.network.roots;
        if has_other_roots && !changes.contains(&roots) {
            changes.push(roots);
        }
        let (is, was) = (routes(self), routes(running));
        let names = is.keys().chain(was.keys()).collect::<BTreeSet<_>>();
        let changed = names.into_iter().filter(|name| is.get(*name) != was.get(*name));
        changes.extend(changed.map(|name| format!("{ROUTE} {name}")));
        changes
    }
}

#[cfg(test)]
mod tests {
    use crate::base::config::Config;

    const RUNNING: &str = "[server]\nlisten = \"127.0.0.1:9000\"\n\
        [provider]\nsub_account = \"acme\"\napi_key = \"k1\"\nca_file = \"ca.pem\"\n\
        [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nrate = \"9/s\"\n\
        [[route]]\nname = \"codes\"\n[[route.step]]\nchannel = \"SMS\"\ntext = \"Your code is {{Code}}.\"\n";

    #[test]
    fn each_change_is_named_once_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let authority = include_str!("../../../tests/it/support/tls/authority.pem");
        let read = |text: &str| {
            let file = folder.path().join("volley.toml");
            Config::read(Some((&file, text)), std::iter::empty(), std::iter::empty::<(&str, String)>()).unwrap()
        };
        std::fs::write(folder.path().join("ca.pem"), authority).unwrap();
        let running = read(RUNNING);
        for (before, after, expected) in [
            ("", "", &[][..]),
            ("listen = \"127.0.0.1:9000\"", "listen = \"127.0.0.1:9001\"", &["server: listen"]),
            // The default of public_url is made from listen.
            ("listen = \"127.0.0.1:9000\"", "", &["server: listen"]),
            // A default that is written down is no change.
            ("[server]", "[server]\nmetrics_open = false", &[]),
            ("api_key = \"k1\"", "api_key = \"k2\"", &["provider: api_key"]),
            ("rate = \"9/s\"", "rate = \"8/s\"\nburst = 2", &["lane sms: burst", "lane sms: rate"]),
            ("name = \"sms\"", "name = \"sms-2\"", &["lane sms", "lane sms-2"]),
            ("Your code", "The code", &["route codes"]),
            ("name = \"codes\"", "name = \"pins\"", &["route codes", "route pins"]),
            ("[server]", "[prices]\nfile = \"p.csv\"\n[server]", &["prices: file"]),
        ] {
            let changes = read(&RUNNING.replacen(before, after, 1)).changes_since(&running);
            assert_eq!(changes, expected, "{after}");
        }
        std::fs::write(folder.path().join("ca.pem"), format!("{authority}{authority}")).unwrap();
        assert_eq!(read(RUNNING).changes_since(&running), ["provider: ca_file"]);
    }
}
