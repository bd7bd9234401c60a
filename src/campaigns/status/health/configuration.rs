//! Checks the configuration and its lanes.

use super::{Findings, Health};
use crate::base::config::{Config, Loaded};
use crate::base::domain::text::list;
use crate::campaigns::campaign::{PriceList, check_routes};

/// Checks the configuration of a command. A server that runs (`server_runs`) may have got other values when it started.
pub(super) fn check_configuration(loaded: &Loaded, server_runs: bool, findings: &mut Findings) {
    let config = &loaded.config;
    match &loaded.file {
        Some(file) => findings.add_ok("configuration", format!("{} is valid", file.display())),
        None => findings.add(
            "configuration",
            Health::Warning,
            "no volley.toml in this folder, so every value is the default",
            Some("create volley.toml, or name a file with --config"),
        ),
    }
    for warning in &loaded.warnings {
        findings.add("configuration", Health::Warning, warning, None);
    }
    for problem in check_routes(config) {
        findings.add("configuration", Health::Failed, problem.to_string(), None);
    }
    if let Some(Err(error)) = config.prices.as_deref().map(PriceList::load) {
        findings.add("configuration", Health::Failed, format!("nothing can be launched: {error}"), None);
    }
    match config.check_serve() {
        Err(error) if server_runs => {
            let text = format!("a server is running, with values that are missing here: {error}");
            let advice = "add them to the file, or set them for every command as for the server";
            findings.add("configuration", Health::Warning, text, Some(advice));
        }
        Err(error) => {
            findings.add("configuration", Health::Failed, format!("`volley serve` would not start: {error}"), None);
        }
        Ok(()) => {}
    }
}

/// Checks that there are lanes, and which of them have a key.
pub(super) fn check_lanes(config: &Config, findings: &mut Findings) {
    if config.lanes.is_empty() {
        let advice = "add a [[lane]] with a name and a channel";
        findings.add("lanes", Health::Failed, "no lanes are configured, so nothing can be sent", Some(advice));
        return;
    }
    let with_key = config.lanes.iter().filter(|lane| lane.provider.api_key.is_some());
    let names: Vec<&str> = with_key.map(|lane| lane.name.as_str()).collect();
    if !names.is_empty() {
        let have = if names.len() == 1 { "has an API key" } else { "have API keys" };
        findings.add_ok("lanes", format!("{} {have}", list(&names)));
    }
}
