//! Every key of a campaign file and of `volley.toml`: the code accepts its example, the page has the code's answer to
//! nonsense, and no key is missing.

use std::collections::BTreeSet;
use std::fs;

use super::{compare, of_next_year, practice, tables};
use crate::cli::run;

/// One key as its page documents it.
struct Key {
    name: &'static str,
    kind: &'static str,
    default: &'static str,
    /// A value that is accepted, and one that is not; empty where every text is accepted.
    example: &'static str,
    nonsense: &'static str,
    meaning: &'static str,
}

const fn key(
    name: &'static str,
    kind: &'static str,
    default: &'static str,
    example: &'static str,
    nonsense: &'static str,
    meaning: &'static str,
) -> Key {
    Key { name, kind, default, example, nonsense, meaning }
}

/// Keys of one table of a file, and a file around it in which `@` is where a key goes.
struct Section {
    title: &'static str,
    file: &'static str,
    around: &'static str,
    keys: &'static [Key],
}

const TEXT: &str = "text";
const LIST: &str = "text or list";
const TIME: &str = "duration";
const WHOLE: &str = "whole number";
const GUARD: &str = "`slow` or `hold`";

const CAMPAIGN: &str = "page.toml";
const CONFIG: &str = "volley.toml";

#[rustfmt::skip]
const SECTIONS: &[Section] = &[
    Section { title: "The campaign", file: CAMPAIGN, around: "audience = \"recipients.csv\"\ncountry = \"SG\"\nat = \"2026-12-01T09:00+08:00\"\n@\n[[step]]\nchannel = \"Viber\"\ntext = \"Hi\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n", keys: &[
        key("name", TEXT, "made from the file's name and the time", "\"November promo\"", "5", "The name by which commands and reports refer to the campaign; one line of at most 200 characters."),
        key("audience", LIST, "none; needed, or `numbers`", "\"recipients.csv\"", "5", "The recipients: files, or names of imported audiences."),
        key("numbers", "list of texts", "none", "[\"+6591234567\"]", "[5]", "Single phone numbers to send to as well."),
        key("exclude", LIST, "none", "[\"+6591234567\"]", "[5]", "Files, audiences and numbers that get nothing."),
        key("country", "country", "none", "\"SG\"", "\"Singapur!\"", "Country of numbers without a country code."),
        key("where", "condition", "every recipient", "'Country in [\"SG\", \"MY\"]'", "'Country == \"SG\"'", "Only recipients whose columns meet this condition get a message; see [Recipient files](recipient-files.md#select-recipients)."),
        key("allow_countries", "list of countries", "all", "[\"SG\", \"MY\"]", "[\"XX\"]", "Only recipients in these countries get anything."),
        key("ttl", TIME, "none", "\"24h\"", "\"soon\"", "No step is sent later than this after a message's first submission."),
        key("at", "time", "at once", "\"2026-12-01T09:00+08:00\"", "\"tomorrow\"", "When the campaign begins; read in `time_zone`, or with an offset."),
        key("when", "`approved`", "none", "", "\"ready\"", "`approved`: the campaign begins once its [templates](templates.md#wait-for-approval) are approved."),
        key("end", "time", "none", "\"2026-12-02T18:00+08:00\"", "\"later\"", "The latest first submission."),
        key("time_zone", "zone", "none; needed if a time has no offset", "\"Asia/Singapore\"", "\"Mars\"", "The zone of `at` and `end`, or `\"recipient\"` for each recipient's own."),
        key("over", TIME, "none", "\"3h\"", "\"0s\"", "Spreads first submissions evenly over this time."),
        key("send_window", LIST, "always", "\"Mon-Fri 09:00-18:00\"", "\"daytime\"", "Messages are sent only at these hours, in the recipient's zone unless one is named."),
        key("quiet_hours", LIST, "none", "\"21:00-08:00\"", "\"night\"", "Nothing is sent at these hours."),
        key("holidays", LIST, "none", "[\"2026-12-25\"]", "[\"Christmas\"]", "Nothing is sent on these days."),
        key("on_missed", "`start` or `skip`", "up to an hour late, then pause", "\"skip\"", "\"never\"", "What happens if no server runs at the start."),
        key("max_messages", WHOLE, "none", "500", "0", "The maximum number of messages that the campaign sends, over all its steps."),
        key("budget", "amount", "none", "\"100 EUR\"", "\"cheap\"", "The most that the campaign may spend; needs `[prices]`. `\"5.000 EUR\"` is refused: write `5` or `5000`."),
        key("pause_when", "rule", "none", "\"undelivered > 20% of the last 1000\"", "\"bad\"", "Pauses the campaign once a step has this share of undelivered messages."),
        key("hold_paid_when", "rule", "none", "\"undelivered > 50% of the last 1000\"", "\"bad\"", "Once a step has this share of undelivered messages, holds the next step that costs something."),
        key("on_overlap", "`warn`, `wait` or `refuse`", "`warn`", "\"wait\"", "\"hope\"", "What to do if the provider may still deliver a step when the message falls back: `warn` in the plan, `wait` with the fallback, or `refuse` the launch."),
        key("on_unknown", "`keep` or `resend`", "`keep`", "\"resend\"", "\"guess\"", "Whether a step whose result is unknown is [sent again](guarantees.md#when-a-step-is-sent-again)."),
        key("after_gap", "`ask`, `wait` or `fall_back`", "`ask`", "\"wait\"", "\"panic\"", "What happens to messages [whose receipts were lost](guarantees.md#receipts-do-not-arrive) in an outage."),
        key("on_missing_value", "`next_step`, `skip` or `refuse`", "`next_step`", "\"skip\"", "\"ignore\"", "What happens to a recipient who lacks a [value](variables.md#missing-values)."),
        key("values", "table", "none", "{ Shop = \"Volley Store\", Discount = { by = \"Country\", SG = \"20\", others = \"5\" } }", "{ Shop = [] }", "The campaign's own [variables](variables.md#values-of-the-campaign)."),
        key("purpose", "`marketing` or `service`", "what each template's category says, else `marketing`", "\"service\"", "\"fun\"", "What the steps are for, unless a step says it. An [opt-out of marketing](opt-outs.md#what-an-opt-out-covers) does not stop service."),
        key("route", TEXT, "the default route of `volley.toml`", "", "5", "A `[[route]]` of `volley.toml` instead of steps."),
        key("sub_account", TEXT, "the provider's", "", "5", "The subaccount whose default route is used."),
    ] },
    Section { title: "A step", file: CAMPAIGN, around: "audience = \"recipients.csv\"\ncountry = \"SG\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n@\n[[step]]\nchannel = \"Viber\"\ntext = \"Hi\"\n", keys: &[
        key("channel", "channel", "needed", "\"SMS\"", "\"Pigeon\"", "WhatsApp, Viber, SMS, RCS, Zalo and others; each channel once in a campaign."),
        key("purpose", "`marketing` or `service`", "the campaign's, else what the template's category says, else `marketing`", "\"service\"", "\"fun\"", "What this step is for. An opt-out of marketing does not stop service."),
        key("lane", TEXT, "the channel's only lane", "\"sms\"", "5", "The lane that sends this step."),
        key("lanes", "list of texts", "none", "[\"sms\"]", "[5]", "A pool of lanes that share the recipients."),
        key("fallback_after", TIME, "only on failure", "\"15m\"", "\"soon\"", "A message without its `success_status` falls back this long after the provider accepted it."),
        key("success_status", "`Sent`, `Delivered` or `Read`", "`Delivered`, or `Sent` on LINE", "\"Sent\"", "\"Seen\"", "The status that counts as reached."),
        key("receipt_window", TIME, "by channel", "\"48h\"", "\"ever\"", "How long the last step waits for receipts. Default: 48 h on SMS, on WhatsApp the template's `ttl` (30 days by default, 10 min for AUTHENTICATION), else 7 days."),
        key("ttl", TIME, "none", "\"1h\"", "\"long\"", "How long the provider may try to deliver this step."),
        key("leave_within", TIME, "none", "\"30m\"", "\"fast\"", "A message that is not submitted within this time falls back."),
        key("on_tier_spent", "`wait` or `fall_back`", "`wait`", "\"wait\"", "\"shrug\"", "WhatsApp only: what happens when the tier has no free slot."),
        key("on_recipient_limit", "`fall_back` or `retry`", "`fall_back`", "\"fall_back\"", "\"shrug\"", "WhatsApp only: what happens when the recipient's own limit at the provider is reached."),
        key("us_marketing", "`fall_back` or `send`", "`fall_back`", "\"fall_back\"", "\"shrug\"", "WhatsApp templates of MARKETING only: what happens to numbers of the United States, where Meta delivers none of them."),
        key("quiet_hours", LIST, "the campaign's", "\"21:00-08:00\"", "\"night\"", "Nothing of this step is sent at these hours."),
        key("send_window", LIST, "the campaign's", "\"09:00-18:00\"", "\"daytime\"", "This step is sent only at these hours."),
        key("only", "list of countries", "all", "[\"SG\"]", "[\"XX\"]", "The step is for numbers of these countries."),
        key("skip_when", "list of countries", "none", "[\"CN\"]", "[\"XX\"]", "The step is for numbers of all other countries."),
        key("max_messages", WHOLE, "none", "500", "0", "The maximum number of messages that this step sends."),
        key("budget", "amount", "none", "\"50 EUR\"", "\"cheap\"", "The most that may be spent on this step."),
        key("text", TEXT, "needed, or another content", "\"Hi {{FirstName|there}}\"", "5", "What to say, or the caption of a file; `{{Column}}` is the recipient's value, `{{Column|default}}` with a default. See [Variables](variables.md)."),
        key("source", "text or table", "the lane's", "\"ACME\"", "5", "The SMS sender, for all or by country: `{ SG = \"ACME\", others = \"68886\" }`."),
        key("encoding", "`AUTO`, `GSM7` or `UCS2`", "`AUTO`", "\"UCS2\"", "\"Morse\"", "The encoding of an SMS."),
        key("transliterate", "`true` or `false`", "`false`", "true", "\"yes\"", "Whether an SMS is written in [plain characters](variables.md#sms)."),
        key("image", "address or table", "none", "", "5", "A picture: the address of a file, such as `\"https://media.example/{{Pic}}\"`, or the path of a local file. [Contents of a step](content.md) has examples of all contents."),
        key("video", "address or table", "none", "", "5", "A video, in the same way."),
        key("audio", "address or table", "none", "", "5", "An audio, in the same way."),
        key("file", "address or table", "none", "", "5", "A document, in the same way."),
        key("button", "table", "none", "", "5", "On Viber, beside a text, an image or a video: `{ caption = \"View\", url = \"https://…\" }`."),
        key("suggestions", "list of tables", "none", "", "5", "On RCS, below a text, a file or cards: `[{ reply = \"Yes\", data = \"yes\" }]`."),
        key("template", "table", "none", "", "5", "A template instead of a text, on WhatsApp or ZaloNotification."),
        key("location", "table", "none", "", "5", "A place on a map."),
        key("interactive", "table", "none", "", "5", "On WhatsApp: a message with buttons, a list, a link, a flow or products."),
        key("card", "table", "none", "", "5", "On RCS: a picture or a video with texts and suggestions."),
        key("cards", "list of tables", "none", "", "5", "On RCS: several cards in a row."),
        key("card_width", "`small` or `medium`", "`medium`", "", "\"wide\"", "The width of `cards`."),
        key("notification", "table", "none", "", "5", "On LineNotification: the texts of a LINE Official Notification."),
        key("raw", "table", "none", "", "5", "Instead of a text: the `type` and `content` of the provider's own request. Their strings may have variables: `raw = { type = \"image\", content = { url = \"https://media.example/{{Pic}}\" } }`."),
        key("line_user_id", TEXT, "none", "", "\"{{LineId}}\"", "On LINE: the recipient's id there, from a column."),
    ] },
    Section { title: "A template", file: CAMPAIGN, around: "audience = \"recipients.csv\"\ncountry = \"SG\"\n[[step]]\nchannel = \"WhatsApp\"\n[step.template]\nname = \"promo\"\nlanguage = \"en\"\ncategory = \"MARKETING\"\n@\n", keys: &[
        key("name", TEXT, "needed", "\"promo\"", "5", "The template's name at the provider."),
        key("language", TEXT, "needed", "\"en_US\"", "5", "The template's language."),
        key("category", "category", "the provider's, if its [templates](templates.md) were fetched", "\"UTILITY\"", "\"SPAM\"", "AUTHENTICATION, UTILITY or MARKETING, as at the provider."),
        key("ttl", TIME, "by category", "\"12h\"", "\"long\"", "How long the provider tries to deliver it; write the value that is set there. Default: 10 min for AUTHENTICATION, else 30 days."),
        key("header", "table", "none", "{ image = \"https://media.example/{{Pic}}\" }", "{ image = \"a\", video = \"b\" }", "One of text, image, video, gif, document or location. A file is a web address, or the path of a local file, which the launch [uploads](production.md#images-videos-and-documents)."),
        key("body", "list of texts", "none", "[\"{{FirstName|there}}\"]", "[5]", "The values of the body's variables, in order."),
        key("buttons", "list of tables", "none", "[{ index = 0, url = \"{{Slug}}\" }]", "[{ index = 77, url = \"a\" }]", "Values of buttons. Each has an index, and one of url, payload, copy_code, flow or voice_call. `flow = {}` opens the template's flow; `flow = { screen = \"…\", data = {…} }` opens a screen with data. `voice_call = {}` lets the recipient call you; it takes a `ttl` and a `payload`."),
        key("carousel", "list of tables", "none", "[{ header = { image = \"https://media.example/{{Pic}}\" }, body = [\"{{Code}}\"] }]", "5", "The cards of a carousel, each with `header`, `body` and `buttons`; see [Contents of a step](content.md#carousels-of-templates)."),
        key("otp", TEXT, "none", "", "\"{{Code}}\"", "The code of an AUTHENTICATION template, for its body and its copy button. Write it instead of `category`, `body` and `buttons`."),
    ] },
    Section { title: "A location", file: CAMPAIGN, around: "audience = \"recipients.csv\"\ncountry = \"SG\"\n[[step]]\nchannel = \"WhatsApp\"\n[step.location]\nlatitude = 1.2857\nlongitude = 103.8479\nname = \"Shop\"\naddress = \"1 George Street\"\n@\n", keys: &[
        key("latitude", "degrees", "needed", "1.2857", "\"north\"", "From -90 to 90."),
        key("longitude", "degrees", "needed", "103.8479", "\"east\"", "From -180 to 180."),
        key("name", TEXT, "needed", "\"Shop\"", "\"\"", "The name of the place."),
        key("address", TEXT, "needed", "\"1 George Street\"", "\"\"", "Its address."),
    ] },
    Section { title: "An interactive message", file: CAMPAIGN, around: "audience = \"recipients.csv\"\ncountry = \"SG\"\n[[step]]\nchannel = \"WhatsApp\"\n[step.interactive]\nbody = \"Hi\"\n@\n", keys: &[
        key("header", "table", "none", "", "{ image = \"a\", video = \"b\" }", "One of text, image, video or document."),
        key("body", TEXT, "needed, but for a product", "", "5", "The text of the message."),
        key("footer", TEXT, "none", "", "5", "A short text below it."),
        key("buttons", "list of tables", "one of these six", "[{ id = \"yes\", title = \"Yes\" }]", "5", "Up to three buttons. The `id` comes back when the recipient taps one."),
        key("list", "table", "one of these six", "{ button = \"Slots\", sections = [{ rows = [{ id = \"1\", title = \"9:00\" }] }] }", "5", "A list of up to ten rows in sections. The `id` comes back when the recipient chooses a row."),
        key("link", "table", "one of these six", "{ text = \"Track it\", url = \"https://orders.example/{{Slug}}\" }", "5", "A button that opens an address."),
        key("flow", "table", "one of these six", "{ id = \"1234567890\", text = \"Book now\", mode = \"draft\", message_version = \"3\" }", "{ id = \"1\", text = \"Book now\", mode = \"final\" }", "A button that opens a flow; takes a `token`, a `screen` and its `data`, a `mode` (`draft` or `published`) and a `message_version` as well."),
        key("product", "table", "one of these six", "{ catalog = \"4711\", product = \"shirt-1\" }", "5", "A product of a catalog."),
        key("products", "table", "one of these six", "{ catalog = \"4711\", sections = [{ products = [\"shirt-1\"] }] }", "5", "Products of a catalog, in sections."),
    ] },
    Section { title: "A card", file: CAMPAIGN, around: "audience = \"recipients.csv\"\ncountry = \"SG\"\n[[step]]\nchannel = \"RCS\"\n[step.card]\nimage = \"https://media.example/a.png\"\n@\n", keys: &[
        key("title", TEXT, "none", "", "5", "The title, of at most 200 characters."),
        key("description", TEXT, "none", "", "5", "The text, of at most 2,000 characters."),
        key("image", "address or table", "needed, or `video`", "", "5", "A picture; a table may give its `thumbnail`."),
        key("video", "address or table", "needed, or `image`", "", "5", "A video instead."),
        key("height", "`short`, `medium` or `tall`", "the device's", "", "\"high\"", "The height of the picture."),
        key("orientation", "`vertical` or `horizontal`", "`vertical`", "", "\"round\"", "Whether the picture stands above the texts or beside them; not in `cards`."),
        key("thumbnail_side", "`left` or `right`", "the device's", "", "\"top\"", "The side of the picture of a horizontal card; not in `cards`."),
        key("suggestions", "list of tables", "none", "", "5", "Up to four replies and actions in the card."),
    ] },
    Section { title: "A notification", file: CAMPAIGN, around: "audience = \"recipients.csv\"\ncountry = \"SG\"\n[[step]]\nchannel = \"LineNotification\"\n[step.notification]\ntitle = \"Reminder\"\n@\n", keys: &[
        key("title", TEXT, "needed", "", "5", "The title."),
        key("company", TEXT, "none", "", "5", "The name of the sender."),
        key("icon", TEXT, "none", "", "5", "The name of an icon, such as `calendarCheck`."),
        key("emphasis", "table", "none", "", "5", "A value that stands out: `{ label = \"Event\", content = \"{{Event}}\" }`."),
        key("list", "list of tables", "none", "", "5", "More values with labels."),
        key("explanation", TEXT, "none", "", "5", "A longer text."),
        key("greeting", TEXT, "none", "", "5", "A last line."),
        key("actions", "list of tables", "none", "", "5", "Buttons that open addresses: `[{ title = \"Agenda\", url = \"https://…\" }]`."),
    ] },
    Section { title: "`[database]`", file: CONFIG, around: "[database]\n@\n", keys: &[
        key("url", TEXT, "`sqlite://volley.db`", "\"sqlite://volley.db\"", "\"mysql://x\"", "The database file; a relative path starts at the folder of this file."),
    ] },
    Section { title: "`[server]`", file: CONFIG, around: "[server]\ntls_certificate = \"server.pem\"\ntls_key = \"server.key\"\n@\n", keys: &[
        key("listen", "address", "`127.0.0.1:8688`", "\"127.0.0.1:9000\"", "\"here\"", "Where the server listens."),
        key("public_url", "URL", "made from `listen`", "\"https://volley.example\"", "\"volley\"", "Where the provider posts its webhooks."),
        key("trusted_proxies", "list of texts", "none", "[\"10.0.0.0/8\"]", "[\"10.1.0.0/8\"]", "Networks of [proxies before the server](production.md#a-proxy-before-the-server), such as `[\"127.0.0.1\"]`. From them, `X-Forwarded-For` and `X-Forwarded-Proto` count."),
        key("tls_certificate", "file", "none", "\"server.pem\"", "[1]", "A PEM file with the server's certificate and its chain. With it and `tls_key`, the server speaks TLS itself; see [In production](production.md#tls)."),
        key("tls_key", "file", "none", "\"server.key\"", "[1]", "A PEM file with the private key of `tls_certificate`, without a passphrase."),
        key("metrics_open", "`true` or `false`", "`false`", "true", "\"yes\"", "Whether [`/metrics`](monitoring.md) needs no API key."),
        key("once_per_client_id", "`true` or `false`", "`false`", "true", "\"yes\"", "Whether the [8x8 API](compatible-api.md) accepts the same `clientMessageId` of a subaccount once within 24 hours. A later message with it gets the answer of the first, whatever its content."),
        key("uploads_max", "size", "`20GB`", "\"500MB\"", "\"20\"", "The size of all [uploads](api.md#uploading-recipient-files) together. They are files beside the database."),
    ] },
    Section { title: "`[provider]`", file: CONFIG, around: "[provider]\n@\n", keys: &[
        key("base_url", "URL", "`https://chatapps.8x8.com`", "\"http://127.0.0.1:8690\"", "\"chatapps\"", "The provider's address."),
        key("sub_account", TEXT, "none", "\"acme\"", "\"\"", "The subaccount that sends."),
        key("account_id", TEXT, "none", "\"acme-1\"", "\"\"", "The provider's account to which templates and webhooks belong; needed to [fetch templates](templates.md)."),
        key("account_name", TEXT, "`account_id`", "\"Acme\"", "\"\"", "The account's name, by which the provider's API for contacts knows it; needed to [push opt-outs](opt-outs.md#the-providers-blacklist)."),
        key("api_key", TEXT, "none; needed to serve", "\"secret\"", "\"two words\"", "The API key."),
        key("api_key_file", "file", "none", "\"8x8.key\"", "\"missing.key\"", "A file with the API key. A server [reads it again](production.md#rotate-keys-and-secrets) while it runs."),
        key("webhook_authorization", TEXT, "none", "\"Bearer abc\"", "\"\"", "The `Authorization` header that you set at the provider for its webhooks."),
        key("webhook_authorization_file", "file", "none", "\"hook.key\"", "\"missing.key\"", "A file with that header; two lines while you [rotate](production.md#rotate-keys-and-secrets) it."),
        key("webhook_secret_file", "file", "none", "\"hook.key\"", "\"missing.key\"", "A file with the key that signs the webhooks; two lines while you rotate it."),
        key("send", "`single` or `batch`", "`single`", "\"batch\"", "\"bulk\"", "`single`: one request for each message; `batch`: one request for many."),
        key("batch_size", WHOLE, "1,000", "500", "0", "Messages in one request with `send = \"batch\"`."),
        key("timeout", TIME, "30s", "\"10s\"", "\"1h\"", "How long a request may take."),
        key("connections", WHOLE, "64", "32", "0", "The most requests that a lane has open at once."),
        key("connect_timeout", TIME, "10s", "\"5s\"", "\"1m\"", "How long opening a connection may take: name, TCP, proxy and TLS together."),
        key("proxy", "URL", "the environment's (`HTTPS_PROXY`)", "\"http://proxy.example:3128\"", "\"socks5://proxy\"", "The proxy of every request to the provider, with a user and a password if it needs them. Hosts in the variable `NO_PROXY` are reached directly."),
        key("ca_file", "file", "none", "\"ca.pem\"", "\"missing.pem\"", "A PEM file with certificates that Volley trusts beside those of the system."),
    ] },
    Section { title: "`[[account]]`", file: CONFIG, around: "[[account]]\nname = \"waba-1\"\n@\n[[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\naccount = \"waba-1\"\nsub_account = \"acme\"\napi_key = \"k\"\n", keys: &[
        key("name", TEXT, "needed", "\"waba-1\"", "\"\"", "The account's name, as lanes refer to it."),
        key("rate", "rate", "none", "\"1000/s\"", "\"fast\"", "The rate that its lanes share."),
    ] },
    Section { title: "`[[lane]]`", file: CONFIG, around: "[provider]\napi_key = \"k\"\n[[lane]]\nname = \"promo-sg\"\nchannel = \"WhatsApp\"\nsub_account = \"acme\"\n@\n", keys: &[
        key("name", TEXT, "needed", "\"promo-sg\"", "\"\"", "The lane's name in commands and campaign files."),
        key("channel", "channel", "needed", "\"WhatsApp\"", "\"Pigeon\"", "The channel it sends on."),
        key("rate", "rate", "80/s", "\"40/s\"", "\"fast\"", "The most messages in a time: `80/s`, `5/min`."),
        key("burst", WHOLE, "50 ms of the rate, at least 1", "10", "0", "The most messages that the lane sends at once after a pause."),
        key("number", TEXT, "none", "\"+6531234567\"", "\"\"", "The WhatsApp number, by which the provider's events name the lane."),
        key("channel_id", TEXT, "none", "\"6531234567\"", "\"\"", "The sender's id at the provider, and in its events; needed to [fetch templates](templates.md)."),
        key("also_in_app", "`true` or `false`", "`false`", "true", "\"yes\"", "Whether the number is also used in the WhatsApp Business app: WhatsApp then takes 20/s at most; WhatsApp only."),
        key("account", TEXT, "the lane's own", "\"waba-1\"", "\"\"", "The account whose rate it shares."),
        key("portfolio", TEXT, "the account's own", "\"acme\"", "\"\"", "The portfolio whose tier it shares; WhatsApp only."),
        key("tier", "tier", "250", "\"10K\"", "\"7K\"", "The most new recipients in 24 hours, for the whole portfolio: 50, 250, 2K, 10K, 100K, unlimited; WhatsApp only."),
        key("source", TEXT, "none", "", "\"\"", "The SMS sender; SMS only."),
        key("countries", "list of countries", "all", "[\"SG\"]", "[\"XX\"]", "The countries that the lane serves in a pool."),
        key("api", "`chatapps` or `sms`", "`chatapps`", "\"chatapps\"", "\"mail\"", "The provider's API that takes the lane's messages. `sms` is for accounts with SMS alone; its address is the region's `https://sms.…`."),
        key("base_url", "URL", "the provider's", "\"https://chatapps.8x8.uk\"", "\"http://127.0.0.1:8690\"", "The lane's own provider address, of the same provider: all addresses are 8x8's own, or none is."),
        key("sub_account", TEXT, "the provider's", "\"acme\"", "\"\"", "The lane's own subaccount."),
        key("account_id", TEXT, "the provider's", "\"acme-1\"", "\"\"", "The lane's own account of templates and webhooks."),
        key("api_key", TEXT, "the provider's", "\"secret\"", "\"two words\"", "The lane's own API key."),
        key("api_key_file", "file", "the provider's", "\"8x8.key\"", "\"missing.key\"", "A file with the lane's own API key."),
    ] },
    Section { title: "`[opt_out]`", file: CONFIG, around: "[opt_out]\n@\n", keys: &[
        key("stop", "list of texts", "none", "[\"no more ads\"]", "{ a = 1 }", "Replies that opt out, beside the built-in ones."),
        key("start", "list of texts", "none", "[\"ads please\"]", "{ a = 1 }", "Replies that opt in again."),
        key("ignore", "list of texts", "none", "[\"end\"]", "{ a = 1 }", "Built-in words that do not count."),
        key("contains", "list of texts", "none", "[\"STOP\"]", "{ a = 1 }", "Texts that opt out wherever a reply has them as words of their own, with upper and lower case as they are."),
        key("stop_means", "`everything` or `marketing`", "`everything`", "\"marketing\"", "\"nothing\"", "What a stop word [opts out of](opt-outs.md#what-an-opt-out-covers)."),
        key("confirm", "text or table of texts", "none", "{ de = \"Sie erhalten nichts mehr.\", others = \"You will get nothing more.\" }", "{ de = \"Sie erhalten nichts mehr.\" }", "What a recipient gets once after an opt-out by reply: one text, or a text for each language and `others`."),
        key("group", "text", "none", "\"Opt-outs\"", "\"\"", "The group of the provider's contacts that `volley opt-out push` adds to."),
        key("contacts_url", "URL", "follows `base_url`", "\"https://contacts.8x8.uk\"", "\"http://127.0.0.1:8690\"", "The address of the provider's API for contacts. Without it: the region's `https://contacts.…`, or `base_url` itself if that is not 8x8's own."),
    ] },
    Section { title: "`[prices]`", file: CONFIG, around: "[prices]\n@\n", keys: &[
        key("file", "file", "none", "\"prices.csv\"", "5", "The price list."),
    ] },
    Section { title: "`[retention]`", file: CONFIG, around: "[retention]\n@\n", keys: &[
        key("after", TIME, "keep everything", "\"90d\"", "\"1d\"", "Once a day, Volley removes the messages of campaigns that settled longer ago."),
        key("audit_log", TIME, "keep everything", "\"400d\"", "\"7d\"", "Once a day, Volley removes older entries of the [audit log](access.md#the-audit-log)."),
    ] },
    Section { title: "`[campaigns]`", file: CONFIG, around: "[campaigns]\n@\n", keys: &[
        key("approval_above", WHOLE, "no approval", "10000", "\"many\"", "A campaign with more recipients is [started by another operator](pages.md#a-second-operator) than those who have written it."),
    ] },
    Section { title: "`[quality]`", file: CONFIG, around: "[quality]\n@\n", keys: &[
        key("yellow", GUARD, "nothing", "\"slow\"", "\"stop\"", "What happens while the provider scores a template YELLOW; see [Quality](rates.md#quality)."),
        key("red", GUARD, "nothing", "\"hold\"", "\"stop\"", "The same while it scores a template RED."),
        key("flagged", GUARD, "nothing", "\"hold\"", "\"stop\"", "The same while it has FLAGGED a lane's number."),
    ] },
    Section { title: "`[outgoing]`", file: CONFIG, around: "[outgoing]\n@\n", keys: &[
        key("allow", "list of texts", "none", "[\"10.0.0.0/8\"]", "[\"10.1.0.0/8\"]", "Networks without public addresses to which [webhooks](webhooks.md#where-webhooks-may-go) may go."),
    ] },
    Section { title: "`[[alert]]`", file: CONFIG, around: "[[alert]]\nname = \"ops\"\nurl = \"https://hooks.example/ops\"\n@\n", keys: &[
        key("name", TEXT, "none; needed", "\"ops\"", "\"on call\"", "The name of the alert."),
        key("url", "URL", "none; needed, or `command`", "\"https://hooks.example/T000/B000\"", "\"hooks.example\"", "Where the alert is posted to. It is secret, because it may hold a token."),
        key("format", "`json` or `slack`", "`json`", "\"slack\"", "\"teams\"", "The form of the body."),
        key("command", "list of texts", "none", "", "[\"page\"]", "A program with its arguments, instead of a URL; it gets the alert as JSON on its standard input."),
        key("kinds", "list of texts", "all", "[\"lane_held\", \"outage\"]", "[\"lane_hold\"]", "The [kinds of alerts](webhooks.md#alerts) that it reports."),
    ] },
];

/// The program's answer to a file with this line in it.
fn answer(section: &Section, name: &str, value: &str) -> Result<(), String> {
    let folder = practice();
    let at = folder.path();
    // The line replaces one that the file around it needs.
    let line = format!("{name} = {value}");
    let (before, after) = section.around.split_once('@').unwrap();
    let (head, table) = before.rsplit_once("]\n").map_or(("", before), |(head, table)| (head, table));
    let kept: String =
        table.lines().filter(|own| !own.starts_with(&format!("{name} = "))).map(|own| format!("{own}\n")).collect();
    let head = if head.is_empty() { String::new() } else { format!("{head}]\n") };
    fs::write(at.join(section.file), of_next_year(&format!("{head}{kept}{line}\n{after}"))).unwrap();
    let args: &[&str] = if section.file == CONFIG { &["config", "check"] } else { &["campaign", "plan", CAMPAIGN] };
    let ran = run(at, args);
    if ran.code == 0 { Ok(()) } else { Err(ran.stderr.lines().next().unwrap_or_default().to_owned()) }
}

/// The error without the program's and the file's name, which the page needs not repeat.
fn short(error: &str) -> String {
    let said = error.trim_start_matches("volley: ");
    let inside = [CAMPAIGN, CONFIG].iter().find_map(|file| said.strip_prefix(file)).unwrap_or(said);
    inside.trim_start_matches([',', ':', ' ']).replace('|', "\\|")
}

impl tables::Section for Section {
    const COLUMNS: &'static [&'static str] = &["key", "value", "default", "example", "invalid value, and its error"];

    fn title(&self) -> &str {
        self.title
    }

    fn names(&self) -> Vec<&str> {
        self.keys.iter().map(|key| key.name).collect()
    }

    fn known(&self) -> BTreeSet<String> {
        let Err(error) = answer(self, "zzzzzzzzzz", "1") else { panic!("{}: nonsense is accepted", self.title) };
        let list = error.split("use one of ").nth(1).unwrap_or_else(|| panic!("{}: {error}", self.title));
        let names = list.trim_end_matches(['.', '`']).split(", ").map(|name| name.trim_matches('`'));
        // Steps have a section of their own.
        names.filter(|name| *name != "step").map(str::to_owned).collect()
    }

    fn row(&self, name: &str, wrong: &mut Vec<String>) -> Vec<String> {
        let key = self.keys.iter().find(|key| key.name == name).unwrap();
        if !key.example.is_empty()
            && let Err(error) = answer(self, name, key.example)
        {
            wrong.push(format!("{}, {name} = {}: {error}", self.title, key.example));
        }
        let error = answer(self, name, key.nonsense).err().unwrap_or_else(|| {
            wrong.push(format!("{}, {name} = {} is accepted", self.title, key.nonsense));
            String::new()
        });
        let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{}`", text.replace('|', "\\|")) };
        let nonsense = format!("{}: {}", code(key.nonsense), short(&error));
        vec![code(name), key.kind.to_owned(), key.default.to_owned(), code(key.example), nonsense]
    }

    fn after(&self) -> String {
        let lines = self.keys.iter().map(|key| format!("- `{}`: {}\n", key.name, key.meaning));
        lines.collect::<String>() + "\n"
    }
}

fn tables_of(file: &str) -> String {
    tables::tables(&SECTIONS.iter().filter(|section| section.file == file).collect::<Vec<_>>())
}

#[test]
fn the_page_of_the_campaign_file_has_every_key_with_its_error() {
    compare("docs/campaign-file.md", "keys", &tables_of(CAMPAIGN));
}

#[test]
fn the_page_of_the_configuration_has_every_key_with_its_error() {
    compare("docs/configuration.md", "keys", &tables_of(CONFIG));
}
