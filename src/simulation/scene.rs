//! What a seed determines: an installation, its provider, its recipients and its campaigns.

use std::fmt::Write as _;

use crate::base::config::Config;
use crate::base::domain::{Channel, Country, Fields, Loaded, MessageKey, Msisdn, Recipient, Span, Status, Tier};
use crate::practice::simulator::{Answers, Latency, Profile};

/// Recipients in the world. The first campaign sends to the first of them, the second to the last, so some get both.
pub(super) const RECIPIENTS: u32 = 30;
const FIRST: u32 = 20;
const SECOND_FROM: u32 = 14;

/// Whether the message is the only one that its recipient may get.
pub(super) fn gets_one(message: MessageKey) -> bool {
    let MessageKey { batch, n } = message;
    match batch.0 {
        1 => n < SECOND_FROM,
        2 => n >= FIRST - SECOND_FROM,
        _ => true,
    }
}

/// Returns the recipient of a message.
pub(super) fn recipient_of(message: MessageKey) -> Msisdn {
    let MessageKey { batch, n } = message;
    recipient(match batch.0 {
        1 => n,
        2 => SECOND_FROM + n,
        _ => joining(message),
    })
    .number()
    .unwrap()
}

/// Returns the number of the recipient for a message that joins a batch. This recipient gets nothing else.
pub(super) fn joining(MessageKey { batch, n }: MessageKey) -> u32 {
    assert!(n < JOINING_MAX, "too many messages join one batch");
    RECIPIENTS + batch.0 * JOINING_MAX + n
}

/// How long after its join a message with an expiry of its own expires. Some expire in the queue, some while they wait for
/// receipts.
pub(super) fn expires_after(n: u32) -> Option<Span> {
    match n % 4 {
        1 => Some(Span::from_secs(10)),
        3 => Some(Span::from_secs(100)),
        _ => None,
    }
}

/// Maximum number of messages that join one batch.
const JOINING_MAX: u32 = 40;

/// The columns of every audience.
pub(super) const COLUMNS: [&str; 3] = ["Mobile", "name", "LineId"];

#[derive(Debug)]
pub(super) struct Scene {
    pub(super) config: Config,
    pub(super) config_text: String,
    pub(super) campaigns: Vec<Campaign>,
    pub(super) profile: Profile,
}

#[derive(Debug)]
pub(super) struct Campaign {
    pub(super) text: String,
    pub(super) recipients: std::ops::Range<u32>,
}

/// Draws one of these.
pub(super) fn one_of<T: Copy>(dice: &mut fastrand::Rng, all: &[T]) -> T {
    all[dice.usize(..all.len())]
}

/// Returns a recipient in one of three countries. Some have no name.
pub(super) fn recipient(n: u32) -> Recipient {
    let (_, first) = COUNTRIES[(n % 3) as usize];
    let number = first + u64::from(n);
    let msisdn = Msisdn::try_from(number).unwrap();
    let name = if has_name(n) { "Ann" } else { "" };
    Recipient {
        address: Some(msisdn.into()),
        country: country_of(msisdn),
        client_message_id: None,
        fields: Fields::pack([number.to_string().as_str(), name, &format!("U{number:0>32}")]),
    }
}

/// The countries of recipients, and their first numbers. WhatsApp names those in Brazil by another spelling.
const COUNTRIES: [(&str, u64); 3] = [("SG", 6_591_000_000), ("BR", 5_511_987_650_000), ("DE", 4_915_112_000_000)];

/// The number of a message's recipient. No storm has ids instead.
pub(super) fn number_of(message: &Loaded) -> Msisdn {
    message.address.number().unwrap()
}

pub(super) fn country_of(msisdn: Msisdn) -> Country {
    let (country, _) = COUNTRIES.into_iter().find(|(_, first)| msisdn.get().wrapping_sub(*first) < 1_000).unwrap();
    country.parse().unwrap()
}

pub(super) fn has_name(n: u32) -> bool {
    n % 7 != 3
}

impl Scene {
    pub(super) fn draw(dice: &mut fastrand::Rng) -> Self {
        let mut channels = Channel::ALL.to_vec();
        dice.shuffle(&mut channels);
        if dice.u32(..4) > 0 {
            // Most routes begin with WhatsApp, and it has the most ways to fail.
            let index = channels.iter().position(|channel| *channel == Channel::WhatsApp).unwrap();
            channels.swap(0, index);
        }
        let most = one_of(dice, &[3, 3, 3, 3, 4, 4, 5, 7]);
        let first = &channels[..most];
        let mut second: Vec<Channel> = channels[..one_of(dice, &[1, 2, 2, 3, 3, 4, 7]).min(most)].to_vec();
        dice.shuffle(&mut second);
        let by_route = dice.u32(..3) == 0;
        let two_on_whatsapp = second.contains(&Channel::WhatsApp) || dice.bool();
        let mut config_text = config(dice, first, two_on_whatsapp);
        let pool = two_on_whatsapp && dice.bool();
        let mut campaigns = vec![Campaign { text: campaign(dice, "one", first, "", pool), recipients: 0..FIRST }];
        if dice.u32(..4) > 0 {
            let text = if by_route {
                config_text += "[[route]]\nname = \"usual\"\ndefault = true\n";
                config_text += &steps(dice, "route.step", &second, "2", pool, None, None);
                head(dice, "two", None)
            } else {
                campaign(dice, "two", &second, "2", pool)
            };
            campaigns.push(Campaign { text, recipients: SECOND_FROM..RECIPIENTS });
        }
        let path = std::path::Path::new("volley.toml");
        let nothing = std::iter::empty::<(&str, String)>();
        let config = Config::read(Some((path, &config_text)), std::iter::empty(), nothing);
        let mut config = config.unwrap_or_else(|error| panic!("{error}\n{config_text}")).config;
        if dice.bool() {
            // No tier of the provider is small enough to fill up in a storm, so this replaces the file's tier.
            let small = Tier::Recipients(dice.u32(6..20));
            config.lanes.iter_mut().filter(|lane| lane.tiered().is_some()).for_each(|lane| lane.tier = small);
        }
        Self { config, config_text, campaigns, profile: profile(dice) }
    }
}

/// Returns the name of a campaign's lane on a channel. Only WhatsApp has a lane for each campaign.
fn lane(channel: Channel, which: &str) -> String {
    match channel {
        Channel::WhatsApp => format!("WhatsApp{which}"),
        other => other.to_string(),
    }
}

fn config(dice: &mut fastrand::Rng, channels: &[Channel], two_on_whatsapp: bool) -> String {
    let send = one_of(dice, &["send = \"single\"", "send = \"batch\"\nbatch_size = 4"]);
    let mut text = format!(
        "[provider]\nbase_url = \"http://127.0.0.1:9\"\nsub_account = \"acme\"\napi_key = \"test\"\nconnections = 4\n{send}\n"
    );
    // The sample's price list applies.
    let _ = write!(text, "[prices]\nfile = \"{}/samples/prices.csv\"\n", env!("CARGO_MANIFEST_DIR"));
    let shared = one_of(dice, &["", "account = \"waba\"\n"]);
    let other = if shared.is_empty() { one_of(dice, &["acme", "other"]) } else { "acme" };
    let mut add = |dice: &mut fastrand::Rng, name: &str, channel: Channel| {
        let rate = one_of(dice, &["1/s", "5/s", "100/s"]);
        let burst = one_of(dice, &["", "burst = 4\n"]);
        let more = match channel {
            Channel::WhatsApp => {
                let portfolio = if name.ends_with('2') { other } else { "acme" };
                let countries = one_of(dice, &["", "", "", "countries = [\"SG\", \"MY\"]\n"]);
                format!("tier = \"unlimited\"\nportfolio = \"{portfolio}\"\n{shared}{countries}")
            }
            Channel::Sms => "source = \"ACME\"\n".to_owned(),
            _ => String::new(),
        };
        let _ = write!(text, "[[lane]]\nname = \"{name}\"\nchannel = \"{channel}\"\nrate = \"{rate}\"\n{burst}{more}");
    };
    for channel in channels {
        add(dice, &lane(*channel, ""), *channel);
        if *channel == Channel::WhatsApp && two_on_whatsapp {
            add(dice, &lane(*channel, "2"), *channel);
        }
    }
    if !shared.is_empty() && channels.contains(&Channel::WhatsApp) {
        let _ = write!(text, "[[account]]\nname = \"waba\"\nrate = \"{}\"\n", one_of(dice, &["2/s", "6/s"]));
    }
    text
}

/// A TTL in which a message may be sent again a day later, in seconds.
const LONG: i64 = 30 * 3_600;

fn campaign(dice: &mut fastrand::Rng, name: &str, channels: &[Channel], which: &str, pool: bool) -> String {
    let ttl = one_of(dice, &[None, None, None, Some(300), Some(1_800), Some(LONG)]);
    let overlap = one_of(dice, &[None, None, Some("warn"), Some("wait"), Some("refuse")]);
    let mut text = head(dice, name, ttl);
    text += one_of(dice, &["", "", "", "", "", "", "max_messages = 9\n", "budget = \"0.70\"\n"]);
    if let Some(overlap) = overlap {
        let _ = writeln!(text, "on_overlap = \"{overlap}\"");
    }
    text + &steps(dice, "step", channels, which, pool, ttl, overlap)
}

/// Every world begins at 16:00 in Singapore and Malaysia, and at 09:00 in Germany. Messages that wait for hours are
/// checked every few hours, so there are some hours in each third of a day.
const SCHEDULES: &[&str] = &[
    "",
    "",
    "",
    "quiet_hours = \"08:02-08:05 UTC\"\n",
    "quiet_hours = [\"16:01-16:04\", \"09:06-09:07\"]\n",
    "send_window = \"00:00-16:02\"\n",
    // The stretch that ends at midnight extends to the next day in Germany.
    "quiet_hours = [\"Fri 16:01-16:04\", \"Sat 09:00-10:00\", \"Thu 23:00-09:02\"]\n",
    "holidays = [\"2027-01-16\"]\nat = \"2027-01-15T16:02\"\ntime_zone = \"recipient\"\non_missed = \"start\"\n",
    "at = \"2027-01-15T08:03Z\"\non_missed = \"start\"\n",
    "at = \"2027-01-15T08:03Z\"\non_missed = \"start\"\nquiet_hours = \"16:00-16:04\"\n",
];

/// Few steps have one, because a limited step ends soon.
const LIMITS: &[&str] = &["", "", "", "", "", "", "", "", "", "", "max_messages = 4\n", "budget = \"0.30 EUR\"\n"];

/// Returns the keys before the steps.
fn head(dice: &mut fastrand::Rng, name: &str, ttl: Option<i64>) -> String {
    let mut text = format!("name = \"{name}\"\naudience = \"{name}\"\n");
    if let Some(ttl) = ttl {
        let _ = writeln!(text, "ttl = \"{ttl}s\"");
    }
    text += one_of(dice, &["", "", "", "over = \"2m\"\n"]);
    text += one_of(dice, &["", "", "", "purpose = \"service\"\n"]);
    let end = one_of(dice, &["", "", "", "", "end = \"2027-01-15T08:08Z\"\n"]);
    text += end;
    if end.is_empty() {
        text += one_of(dice, SCHEDULES);
    }
    text += one_of(dice, &["", "on_unknown = \"resend\"\n"]);
    text + one_of(dice, &["", "", "after_gap = \"wait\"\n", "after_gap = \"fall_back\"\n"])
}

fn steps(
    dice: &mut fastrand::Rng,
    table: &str,
    channels: &[Channel],
    which: &str,
    pool: bool,
    whole: Option<i64>,
    overlap: Option<&str>,
) -> String {
    let mut text = String::new();
    for (index, channel) in channels.iter().enumerate() {
        let is_template = *channel == Channel::WhatsApp && dice.u32(..6) > 0;
        let has_deadline = index + 1 < channels.len() && dice.u32(..5) > 0;
        // The provider must stop delivering before the deadline if the route refuses overlaps, and soon if it waits for
        // them.
        let fallback_after = one_of(dice, &[20, 60, 240]);
        let may_overlap = !has_deadline || overlap.is_none_or(|overlap| overlap == "warn");
        let ttl = match (is_template, may_overlap) {
            (true, true) => Some(one_of(dice, &[90, 43_200])),
            (false, true) => one_of(dice, &[None, None, Some(15), Some(90)]),
            (true, false) => Some(10),
            (false, false) => one_of(dice, &[None, Some(10)]),
        };
        let _ = writeln!(text, "[[{table}]]\nchannel = \"{channel}\"");
        if is_template && pool {
            let _ = writeln!(text, "lanes = [\"{}\", \"{}\"]", lane(*channel, ""), lane(*channel, "2"));
        } else {
            let _ = writeln!(text, "lane = \"{}\"", lane(*channel, which));
        }
        let _ = writeln!(text, "receipt_window = \"{}\"", one_of(dice, &["3m", "20m"]));
        text += one_of(dice, LIMITS);
        text += one_of(dice, &["", "", "", "", "", "purpose = \"service\"\n"]);
        text += one_of(dice, &["", "", "leave_within = \"20s\"\n", "leave_within = \"2m\"\n"]);
        text += one_of(
            dice,
            &["", "", "", "", "only = [\"SG\", \"DE\"]\n", "skip_when = [\"MY\"]\n", "skip_when = [\"DE\"]\n"],
        );
        if has_deadline {
            let _ = writeln!(text, "fallback_after = \"{fallback_after}s\"");
        }
        let best = channel.best_status();
        let success = one_of(dice, &[None, None, Some(Status::Accepted), Some(Status::Sent), Some(best)]);
        if let Some(success) = success.filter(|success| *success <= best) {
            let _ = writeln!(text, "success_status = \"{success}\"");
        }
        if *channel == Channel::WhatsApp && index + 1 < channels.len() {
            text += one_of(dice, &["", "", "on_tier_spent = \"fall_back\"\n"]);
        }
        let retries_at_limit = *channel == Channel::WhatsApp && whole == Some(LONG);
        if retries_at_limit {
            text += "on_recipient_limit = \"retry\"\n";
        }
        if is_template {
            let ttl = ttl.unwrap_or(43_200);
            let _ = writeln!(
                text,
                "template = {{ name = \"promo\", language = \"en\", category = \"MARKETING\", ttl = \"{ttl}s\" }}"
            );
            continue;
        }
        // A step that is sent again after a day takes none of less than a day.
        let takes_ttl = *channel != Channel::LineNotification && !retries_at_limit;
        if let Some(ttl) = ttl.filter(|ttl| takes_ttl && whole.is_none_or(|whole| *ttl <= whole)) {
            let _ = writeln!(text, "ttl = \"{ttl}s\"");
        }
        text += &content(*channel, one_of(dice, &["Hi", "Hi {{name|there}}", "Hi {{name}}"]));
    }
    text
}

/// Returns the keys of a content that says these words on a channel.
fn content(channel: Channel, words: &str) -> String {
    match channel {
        Channel::ZaloNotification => {
            format!("template = {{ name = \"7\", language = \"vi\", params = {{ words = \"{words}\" }} }}\n")
        }
        Channel::LineNotification => format!("notification = {{ title = \"{words}\" }}\n"),
        // LINE ids are hexadecimal, and so is a number.
        Channel::Line => format!("text = \"{words}\"\nline_user_id = \"{{{{LineId}}}}\"\n"),
        Channel::WhatsApp | Channel::Viber | Channel::Sms | Channel::Rcs => format!("text = \"{words}\"\n"),
    }
}

fn profile(dice: &mut fastrand::Rng) -> Profile {
    let mut profile = Profile { queued_receipts: dice.bool(), keep_requests: 0, ..Profile::default() };
    let share = one_of(dice, &[0.0, 0.1, 0.6]);
    for (channel, delivery) in &mut profile.channels {
        let mut after = |most: i64| Latency { median: Span::from_millis(dice.i64(50..most)), spread: 3.0 };
        delivery.sent_after = after(3_000);
        delivery.delivered_after = after(60_000);
        delivery.read_after = after(60_000);
        delivery.undelivered_after = after(60_000);
        let after = after(60_000);
        // Messages from LINE name no number, so the model of wishes could not tell whose they are.
        let share = if *channel == Channel::Line { 0.0 } else { share };
        delivery.answers = Answers { share, after, quotes: 0.6, stops: 0.4, returns: 0.5, buttons: 0.2 };
        delivery.reject = 0.08;
        delivery.undelivered = 0.27;
        delivery.silent = 0.15;
        delivery.delivered = 0.4;
        delivery.read = 0.6;
        // An invalid number, and an invalid value of this recipient.
        delivery.reject_codes = vec![3_003, 3_005];
        // Faults of this recipient, temporary failures, its limit, an opt-out, and an invalid text.
        delivery.undelivered_codes = vec![46, 9, 11, 1_002, 1_024, 1_051, 2_015];
    }
    profile
}
