//! Every key of a profile of the practice provider: its page has the default and an example of each, and no key is
//! missing.

use std::collections::BTreeSet;

use serde_json::Value;
use volley::practice::simulator::Profile;

use super::{compare, tables};

/// One key with an example that differs from its default.
struct Key(&'static str, &'static str, &'static str);

/// Keys of one table, a profile in which `@` is where a key goes, and where the table is in the whole profile.
struct Section {
    title: &'static str,
    around: &'static str,
    path: &'static str,
    keys: &'static [Key],
}

#[rustfmt::skip]
const SECTIONS: &[Section] = &[
    Section { title: "The profile", around: "@", path: "", keys: &[
        Key("speed", "60", "After the provider accepted a message, everything happens this many times faster than in production; `--speed` overrides it."),
        Key("answer_after", "{ median = \"20ms\", spread = 2.0 }", "Delay of the answers to posts."),
        Key("queued_receipts", "true", "Whether a receipt reports the acceptance too."),
        Key("keep_requests", "100", "The number of messages, from the first, whose whole request is kept."),
        Key("account_id", "\"acme-1\"", "The account that events name. Without it: the account of the latest request that named one; before that, none."),
        Key("sub_accounts", "[\"acme\"]", "The subaccounts that exist; if empty, every subaccount does."),
        Key("session_window", "false", "Whether WhatsApp delivers free-form content only within 24 hours of the recipient's last message, or 72 hours after an advertisement."),
        Key("route", "[{ channel = \"SMS\" }]", "The subaccount's own route, for a request that names no channel; see `[[route]]`. If empty: WhatsApp, or the one channel that carries the content."),
        Key("channel", "{ SMS = { read = 0.1 } }", "Delivery by channel; see `[channel.NAME]`."),
        Key("templates", "{ strict = true }", "How templates are treated; see `[templates]`."),
        Key("faults", "{ throttle = 0.1 }", "Faults that are on from the start; see `[faults]`."),
        Key("windows", "[{ from = \"10s\", until = \"20s\", faults = { no_credit = true } }]", "Faults for a time; see `[[windows]]`."),
    ] },
    Section { title: "`[channel.NAME]`", around: "[channel.WhatsApp]\n@", path: "/channel/WhatsApp", keys: &[
        Key("channel_id", "\"number-1\"", "The id of the subaccount's sender, which replies and details name; a lane's `channel_id`."),
        Key("reject", "0.01", "Share of the messages that is refused at once."),
        Key("undelivered", "0.05", "Share that is accepted and reported as undelivered."),
        Key("silent", "0.1", "Share that is accepted and gets no receipt."),
        Key("delivered", "0.5", "Share that is delivered. The remaining messages are reported as sent and get no later receipt."),
        Key("read", "0.9", "Share of the delivered messages that is read."),
        Key("reject_codes", "[3041]", "Codes of refusals; a code that is listed twice is drawn twice as often."),
        Key("undelivered_codes", "[1026]", "Codes of undelivered messages; a code that is listed twice is drawn twice as often."),
        Key("sent_after", "{ median = \"1s\", spread = 2.0 }", "Time from the acceptance to sent."),
        Key("delivered_after", "{ median = \"5s\", spread = 2.0 }", "Time from sent to delivered."),
        Key("read_after", "{ median = \"1m\", spread = 2.0 }", "Time from delivered to read."),
        Key("undelivered_after", "{ median = \"5s\", spread = 2.0 }", "Time from sent to undelivered."),
        Key("answers", "{ share = 0.5 }", "Replies of recipients; see `[channel.NAME.answers]`."),
        Key("rate", "\"80/s\"", "The rate that the provider accepts; requests above it are answered 429."),
        Key("country", "{ \"+65\" = { delivered = 0.6 } }", "Countries that differ: a calling code with any keys of the channel. The longest matching code applies."),
    ] },
    Section { title: "`[channel.NAME.answers]`", around: "[channel.WhatsApp.answers]\n@", path: "/channel/WhatsApp/answers", keys: &[
        Key("share", "0.5", "Share of the recipients who reply after they read a message, or after delivery on a channel that does not report Read."),
        Key("after", "{ median = \"10s\", spread = 2.0 }", "Time until the reply."),
        Key("quotes", "0.5", "Share of the replies that name the message."),
        Key("stops", "0.5", "Share of the replies that are STOP."),
        Key("buttons", "0.2", "Share of the replies that choose a button, a list row or a suggestion of the message. A message without one gets a text."),
        Key("returns", "0.5", "Share of the recipients who send START after their STOP."),
    ] },
    Section { title: "A time", around: "answer_after = { median = \"1s\", spread = 1.0, @ }", path: "/channel/WhatsApp/sent_after", keys: &[
        Key("median", "\"2s\"", "Half of the times are shorter."),
        Key("spread", "4.0", "No time is shorter than the median divided by this, or longer than the median times this."),
    ] },
    Section { title: "`[templates]`", around: "[templates]\n@", path: "/templates", keys: &[
        Key("strict", "true", "Whether a message with a template that was never created is refused."),
        Key("approved_after", "\"10s\"", "Time from the creation of a template to its approval."),
        Key("reject", "[\"promo\"]", "Names of templates that are rejected instead."),
    ] },
    Section { title: "`[[route]]`", around: "[[route]]\nchannel = \"Viber\"\n@", path: "/route/1", keys: &[
        Key("channel", "\"SMS\"", "The channel of the step; it must have a section."),
        Key("fallback_after", "\"30s\"", "The time without success after which the next step is sent."),
        Key("success_status", "\"Read\"", "The status that ends the route."),
    ] },
    Section { title: "`[[windows]]`", around: "[[windows]]\nfrom = \"1s\"\nuntil = \"2s\"\nfaults = {}\n@", path: "/windows/0", keys: &[
        Key("from", "\"0s\"", "Begin, counted from the first request."),
        Key("until", "\"20s\"", "End, counted from the first request."),
        Key("faults", "{ throttle = 1.0 }", "The faults in this time, instead of all others; keys as in `[faults]`."),
    ] },
    Section { title: "`[faults]`", around: "[faults]\n@", path: "/faults", keys: &[
        Key("throttle", "0.1", "Share of the requests that is answered 429."),
        Key("retry_after", "5", "Seconds in the `Retry-After` of a 429; 0 omits the header."),
        Key("error_500", "0.1", "Share that is answered 500 and not processed."),
        Key("error_500_after", "0.1", "Share that is processed and answered 500."),
        Key("cut_before", "0.1", "Share whose connection closes without processing."),
        Key("cut_after", "0.1", "Share that is processed, and whose connection closes without an answer."),
        Key("slow_ms", "300", "Delay of a slow answer, in milliseconds."),
        Key("slow", "0.5", "Share of the answers that is slow."),
        Key("duplicate", "0.1", "Share of the receipts that is sent a second time."),
        Key("reorder", "0.1", "Share of the receipts that is delayed until later ones may have overtaken them."),
        Key("key_refused", "true", "No API key is accepted."),
        Key("forbidden_text", "\"<script>\"", "Requests that contain this text are answered 403 without a code, as a firewall does."),
        Key("template_paused", "\"promo\"", "Messages with this template are accepted, then reported undelivered: paused."),
        Key("template_missing", "\"promo\"", "Messages with this template are refused at once: it does not exist."),
        Key("no_credit", "true", "Every message is accepted, then reported undelivered: no credit."),
        Key("silent_receipts", "true", "Due receipts are lost."),
        Key("details_500", "0.1", "Share of the queries for a message that is answered 500."),
        Key("details_cut", "0.1", "Share of the queries for a message whose connection closes without an answer."),
        Key("details_unknown", "true", "Queries find no message."),
    ] },
];

/// The profile with this line in a section. It replaces the same key of the text around it.
fn with(section: &Section, name: &str, value: &str) -> Result<Profile, String> {
    let (is_inline, own) = (section.around.contains(", @"), format!("{name} = "));
    let text = if is_inline {
        let others = [("median", "\"1s\""), ("spread", "1.0")].into_iter().filter(|(other, _)| *other != name);
        let others: Vec<String> = others.map(|(other, value)| format!("{other} = {value}")).collect();
        format!("answer_after = {{ {}, {own}{value} }}", others.join(", "))
    } else {
        let kept = section.around.lines().filter(|line| !line.starts_with(&own));
        kept.collect::<Vec<_>>().join("\n").replace('@', &format!("{own}{value}"))
    };
    Profile::from_toml(&text).map_err(|error| error.to_string())
}

/// A value of the built-in profile, as a file would have it.
fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "none".to_owned(),
        Some(Value::Object(object)) if object.contains_key("median") => {
            let part = |key: &str| object[key].to_string();
            format!("`{{ median = {}, spread = {} }}`", part("median"), part("spread"))
        }
        Some(Value::Object(_)) => "see below".to_owned(),
        Some(Value::Array(list)) if list.iter().any(Value::is_object) => "see below".to_owned(),
        Some(value) => format!("`{value}`"),
    }
}

impl tables::Section for Section {
    const COLUMNS: &'static [&'static str] = &["key", "default", "example", "meaning"];

    fn title(&self) -> &str {
        self.title
    }

    fn names(&self) -> Vec<&str> {
        self.keys.iter().map(|key| key.0).collect()
    }

    fn known(&self) -> BTreeSet<String> {
        let error = with(self, "zzzzzzzzzz", "1").unwrap_err();
        let (_, names) = error.split_once("expected").unwrap_or_else(|| panic!("{}: {error}", self.title));
        names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    fn row(&self, name: &str, wrong: &mut Vec<String>) -> Vec<String> {
        let Key(_, example, meaning) = self.keys.iter().find(|key| key.0 == name).unwrap();
        match with(self, name, example) {
            Ok(profile) if profile == Profile::default() => wrong.push(format!("{name} = {example} changes nothing")),
            Ok(_) => {}
            Err(error) => wrong.push(format!("{}, {name} = {example}: {error}", self.title)),
        }
        vec![format!("`{name}`"), self.default_of(name), format!("`{example}`"), (*meaning).to_owned()]
    }
}

impl Section {
    fn default_of(&self, name: &str) -> String {
        let is_needed = ["A time", "`[[route]]`", "`[[windows]]`"].contains(&self.title);
        match (is_needed, name) {
            (true, "fallback_after" | "success_status") => "none".to_owned(),
            (true, _) => "needed".to_owned(),
            (false, name) => shown(built_in().pointer(self.path).and_then(|defaults| defaults.get(name))),
        }
    }
}

/// The built-in profile.
fn built_in() -> Value {
    serde_json::to_value(Profile::default()).unwrap()
}

/// The defaults that differ between channels.
fn channels() -> String {
    let whole = built_in();
    let all = whole["channel"].as_object().unwrap();
    let values_of = |key: &str| all.values().map(|channel| shown(channel.get(key))).collect::<Vec<_>>();
    let header: Vec<&str> = [""].into_iter().chain(all.keys().map(String::as_str)).collect();
    let keys = all["WhatsApp"].as_object().unwrap().keys().map(|key| (key, values_of(key)));
    let differing = keys.filter(|(_, values)| values.iter().any(|value| *value != values[0]));
    let rows = differing.map(|(key, values)| [format!("`{key}`")].into_iter().chain(values).collect());
    format!("## Defaults by channel\n\n{}\n", tables::table(&header, rows))
}

#[test]
fn the_page_of_the_practice_provider_has_every_key_of_a_profile() {
    let text = tables::tables(&SECTIONS.iter().collect::<Vec<_>>()) + &channels();
    compare("docs/practice-provider.md", "keys", &text);
}
