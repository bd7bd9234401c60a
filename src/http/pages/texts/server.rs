//! The texts about the health of a server and its settings.

use super::texts;

texts! {
    /// The texts about the health of a server and its settings.
    ServerTexts;

    // Health.
    health = "Health";
    failed = "Prevents sending";
    warnings = "To look at";
    passed = "Passed";
    ok = "OK";
    warning = "Warning";
    prevents = "Failed";
    all_passed = "Every check has passed.";
    checked_at = "Checked";
    check = "Check";
    result = "Result";
    ask_title = "Ask the provider";
    ask_lead = "Checks each key, subaccount and channel at the provider, and the disk. It takes a few seconds and sends nothing.";
    ask = "Ask now";
    asked_last = "Last asked";
    not_asked = "Not asked since the server started.";
    servers = "Servers";
    server = "Server";
    last_beat = "Last heartbeat";
    no_servers = "No server has a recent heartbeat.";
    no_servers_hint = "The findings above say why.";

    // Settings.
    settings = "Settings";
    from_file = "Read from";
    no_file = "The server runs without a configuration file.";
    how_to_change = "To change a setting, edit the file or the variable, then restart the server. To change rates and tiers without a restart, use the page Lanes.";
    changed = "Changed while the server runs";
    changed_lead = "These values replace those of the file.";
    changed_tag = "changed";
    in_file = "in the file";
    find = "Setting or value contains";
    only_set = "Only what differs from the default";
    secret_set = "set, not shown";
    not_set = "not set";
    default = "default";
    nothing_found = "No setting matches.";
    nothing_found_hint = "Shorten the text, or clear the filter.";
    no_settings = "The sources of the settings are not known.";
    no_settings_hint = "Print them with: volley config show";
}

impl ServerTexts {
    /// Where in the file a setting is written.
    pub fn line(&self, line: &u32) -> String {
        format!("line {line}")
    }
}
