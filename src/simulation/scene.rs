//! What a seed says about an installation, its provider and its campaign.

use std::fmt::Write as _;

use crate::domain::{Channel, Span};
use crate::simulator::{Latency, Profile};

/// The lanes of every scene, in the order of the route.
pub(super) const LANES: [(&str, Channel); 3] =
    [("wa", Channel::WhatsApp), ("viber", Channel::Viber), ("sms", Channel::Sms)];

#[derive(Debug)]
pub(super) struct Scene {
    pub(super) people: u32,
    pub(super) config: String,
    pub(super) campaign: String,
    pub(super) profile: Profile,
}

/// One of these.
pub(super) fn one_of<T: Copy>(dice: &mut fastrand::Rng, all: &[T]) -> T {
    all[dice.usize(..all.len())]
}

/// The number of a person.
pub(super) fn number(person: u32) -> u64 {
    6_591_000_000 + u64::from(person)
}

impl Scene {
    pub(super) fn draw(dice: &mut fastrand::Rng) -> Self {
        let people = dice.u32(20..=26);
        Self { people, config: config(dice), campaign: campaign(dice, people), profile: profile(dice) }
    }
}

fn config(dice: &mut fastrand::Rng) -> String {
    let send = one_of(dice, &["send = \"single\"", "send = \"batch\"\nbatch_size = 4"]);
    let mut text = format!(
        "[provider]\nbase_url = \"http://127.0.0.1:9\"\nsub_account = \"acme\"\napi_key = \"test\"\nconnections = 4\n{send}\n"
    );
    for (name, channel) in LANES {
        let rate = one_of(dice, &["1/s", "5/s", "100/s"]);
        let burst = one_of(dice, &["", "burst = 4\n"]);
        let more = match channel {
            Channel::WhatsApp => one_of(dice, &["tier = \"unlimited\"\n", "tier = \"250\"\n"]),
            Channel::Sms => "source = \"ACME\"\n",
            _ => "",
        };
        let _ = write!(text, "[[lane]]\nname = \"{name}\"\nchannel = \"{channel}\"\nrate = \"{rate}\"\n{burst}{more}");
    }
    text
}

fn campaign(dice: &mut fastrand::Rng, people: u32) -> String {
    let numbers: Vec<String> = (0..people).map(|person| format!("\"+{}\"", number(person))).collect();
    let mut text = format!("name = \"storm\"\nnumbers = [{}]\n", numbers.join(","));
    text += one_of(dice, &["", "", "ttl = \"5m\"\n", "ttl = \"30m\"\n"]);
    text += one_of(dice, &["", "on_unknown = \"resend\"\n"]);
    text += one_of(dice, &["", "", "after_gap = \"wait\"\n", "after_gap = \"fall_back\"\n"]);
    for (place, (lane, channel)) in LANES.iter().enumerate() {
        let _ = write!(text, "[[step]]\nchannel = \"{channel}\"\nlane = \"{lane}\"\n");
        let _ = writeln!(text, "receipt_window = \"{}\"", one_of(dice, &["3m", "20m"]));
        text += one_of(dice, &["", "", "leave_within = \"20s\"\n", "leave_within = \"2m\"\n"]);
        if place + 1 < LANES.len() {
            text += one_of(
                dice,
                &["", "fallback_after = \"20s\"\n", "fallback_after = \"60s\"\n", "fallback_after = \"4m\"\n"],
            );
        }
        let success: &[&str] = match channel {
            Channel::WhatsApp | Channel::Viber => {
                &["", "success_status = \"Read\"\n", "success_status = \"Sent\"\n", "success_status = \"Accepted\"\n"]
            }
            _ => &["", "success_status = \"Sent\"\n"],
        };
        text += one_of(dice, success);
        text += match channel {
            Channel::WhatsApp => {
                "template = { name = \"promo\", language = \"en\", category = \"MARKETING\", ttl = \"12h\" }\n"
            }
            _ => "text = \"Hi\"\n",
        };
    }
    text
}

fn profile(dice: &mut fastrand::Rng) -> Profile {
    let mut profile = Profile { queued_receipts: dice.bool(), keep_requests: 0, ..Profile::default() };
    for delivery in profile.channels.values_mut() {
        let mut after = |most: i64| Latency { median: Span::from_millis(dice.i64(50..most)), spread: 3.0 };
        delivery.sent_after = after(3_000);
        delivery.delivered_after = after(60_000);
        delivery.read_after = after(60_000);
        delivery.undelivered_after = after(60_000);
        delivery.reject = 0.08;
        delivery.undelivered = 0.25;
        delivery.silent = 0.12;
        delivery.delivered = 0.45;
        delivery.read = 0.6;
        delivery.reject_codes = vec![3_003, 3_005];
        // This person's fault, in passing, the person's wish.
        delivery.undelivered_codes = vec![46, 9, 11, 1_002, 1_051];
    }
    profile
}
