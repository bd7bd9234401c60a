//! The cost that a plan states is the cost that the report shows, and what the provider was sent.

use volley::base::clock::Clock;
use volley::base::domain::{Cost, Count, MessageKey, Money, Span, State};
use volley::campaigns::campaign::Launched;

use crate::support::by_hand::ByHand;

const PRICES: &str = "channel,country,category,price,currency,charged\nSMS,SG,,0.0413,EUR,\nSMS,DE,,0.0829,EUR,\nSMS,*,,0.0731,EUR,\n\
                      Viber,*,,0.0175,EUR,\nViber,FR,,0.0211,EUR,\nWhatsApp,SG,MARKETING,0.0615,EUR,delivery\n\
                      WhatsApp,*,MARKETING,0.0724,EUR,delivery\nWhatsApp,*,UTILITY,0.0153,EUR,delivery\n";

/// Campaigns that are launched together.
const TOGETHER: u64 = 50;

/// What becomes of the messages of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Nothing is reported, so every message goes through all of its steps, which are charged as they are submitted.
    Silent,
    /// The first messages are delivered. WhatsApp is among their channels, and charged for deliveries.
    Delivered,
}

/// How many campaigns of each fate are drawn. With `VOLLEY_LONG`, a thousand.
fn campaigns() -> u64 {
    if std::env::var_os("VOLLEY_LONG").is_some() { 1_000 } else { TOGETHER }
}

/// A campaign and its recipients, drawn at random.
struct Drawn {
    rows: String,
    campaign: String,
}

const NAMES: [&str; 9] = ["", "Ann", "Žofie", "Zoë", "สมชาย", "😀😀", "€500", "Jean-Baptiste Emmanuel Zorg", "Bręk"];
/// How numbers of three countries begin, and how many digits follow.
const NUMBERS: [(&str, usize); 3] = [("+6591", 6), ("+4915112", 6), ("+3361234", 4)];
const PIECES: [&str; 8] =
    ["Hello ", "{{Name}}", "{{Name|friend}}", "50 € off ", "“now” ", "🎁", "{{Code}}", "{{Code|none}} "];

impl Drawn {
    fn with(rng: &mut fastrand::Rng, fate: Fate) -> Self {
        let mut rows = "Mobile,Name,Code,BSUID\n".to_owned();
        for n in 0..rng.usize(1..12) {
            let (start, digits) = NUMBERS[rng.usize(..NUMBERS.len())];
            let number = format!("{start}{n:0digits$}");
            let name = rng.choice(NAMES).unwrap();
            let code = "7".repeat(if rng.u8(0..4) == 0 { 0 } else { rng.usize(1..160) });
            // WhatsApp alone knows some of them, so neither SMS nor Viber costs anything for them.
            match rng.u8(0..4) {
                0 => rows += &format!(",{name},{code},SG.1349120865530274{n:04}\n"),
                _ => rows += &format!("{number},{name},{code},\n"),
            }
        }
        let on_missing = if rng.bool() { "next_step" } else { "skip" };
        let mut campaign = format!("on_missing_value = \"{on_missing}\"\n");
        // A channel may have one step.
        let mut channels = vec!["SMS", "Viber"];
        rng.shuffle(&mut channels);
        channels.truncate(rng.usize(1..3));
        if fate == Fate::Delivered {
            channels.insert(rng.usize(..=channels.len()), "WhatsApp");
        }
        for (step, channel) in channels.iter().enumerate() {
            let mut text = "x".repeat(rng.usize(1..170));
            for _ in 0..rng.usize(0..4) {
                text += rng.choice(PIECES).unwrap();
            }
            let is_sms = *channel == "SMS";
            campaign += &format!("[[step]]\nchannel = \"{channel}\"\n");
            if *channel == "WhatsApp" {
                let category = rng.choice(["MARKETING", "UTILITY"]).unwrap();
                let body = rng.choice(["\"Hi\"", "\"{{Name|friend}}\"", "\"{{Code}}\""]).unwrap();
                let named = format!("name = \"{}\", language = \"en\"", category.to_lowercase());
                campaign += &format!("template = {{ {named}, category = \"{category}\", body = [{body}] }}\n");
            } else {
                campaign += &format!("text = {}\n", serde_json::Value::from(text));
            }
            if is_sms && rng.bool() {
                campaign += "transliterate = true\n";
            }
            if step + 1 < channels.len() {
                campaign += "fallback_after = \"15m\"\n";
            }
            match rng.u8(0..4) {
                0 => campaign += "only = [\"SG\", \"DE\"]\n",
                1 => campaign += "skip_when = [\"FR\"]\n",
                _ => {}
            }
        }
        Self { rows, campaign }
    }
}

/// The parts of an SMS, counted from the standard for the characters that are drawn here.
fn parts(text: &str) -> u64 {
    let septets = |c: char| match c {
        '€' => Some(2),
        'ë' | 'ę' | 'ž' | 'Ž' | '“' | '”' => None,
        _ if c.is_ascii() => Some(1),
        _ => None,
    };
    let is_gsm7 = text.chars().all(|c| septets(c).is_some());
    let (alone, joined) = if is_gsm7 { (160, 153) } else { (70, 67) };
    let unit = |c: char| if is_gsm7 { septets(c).unwrap() } else { c.len_utf16() };
    if text.chars().map(unit).sum::<usize>() <= alone {
        return 1;
    }
    let (mut parts, mut left) = (1, joined);
    for c in text.chars() {
        if left < unit(c) {
            (parts, left) = (parts + 1, joined);
        }
        left -= unit(c);
    }
    parts
}

/// What a request costs by [`PRICES`], read from the request itself.
fn price(request: &serde_json::Value) -> Money {
    let of = |pointer: &str| request.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default();
    let (to, text, channel) = (of("/user/msisdn"), of("/content/text"), of("/channels/0/channel"));
    // Who has no number is from Singapore.
    let country = NUMBERS.iter().position(|(start, _)| to.is_empty() || to.starts_with(start));
    let country = country.unwrap_or_else(|| panic!("{request}"));
    let price = match (channel, of("/content/template/name")) {
        ("WhatsApp", "marketing") => ["0.0615", "0.0724", "0.0724"],
        ("WhatsApp", "utility") => ["0.0153"; 3],
        ("Viber", _) => ["0.0175", "0.0175", "0.0211"],
        _ => ["0.0413", "0.0829", "0.0731"],
    };
    price[country].parse::<Money>().unwrap().times(if channel == "SMS" { parts(text) } else { 1 })
}

/// Reports that every message that awaits a receipt was delivered.
async fn deliver(world: &ByHand, launched: &Launched) {
    let plan = world.store.plan(launched.batch).await.unwrap().unwrap();
    let keys: Vec<_> =
        (0..world.batch(launched).await.messages).map(|n| MessageKey { batch: launched.batch, n }).collect();
    for message in world.store.load(keys).await.unwrap() {
        let (step, channel) = (message.present.step, plan.step(message.present.step).unwrap().channel);
        if matches!(message.present.state, State::Awaiting { .. }) {
            let of = (message.key, u8::try_from(step.index()).unwrap());
            world.post_receipt(launched, of, channel, "delivered", None).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cost_of_first_messages_is_charged_once_they_are_delivered() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("prices.csv"), PRICES).unwrap();
    let mut by_delivery = 0;
    for group in 0..campaigns() / TOGETHER {
        let (world, launched) = drawn(&folder, group, Fate::Delivered).await;
        until_none(&world, &launched, &[Count::Queued, Count::Sending]).await;
        for (text, cost, launched) in &launched {
            let before = spent(&world, launched).await;
            deliver(&world, launched).await;
            let until = "all that was reserved is charged";
            let after = world.when(until, async || {
                let report = world.report(launched).await;
                let reserved: Money = report.steps.iter().filter_map(|step| step.reserved).sum();
                if reserved.is_zero() {
                    Ok(spent(&world, launched).await)
                } else {
                    Err(format!("{reserved} of\n{text}"))
                }
            });
            let after = after.await;
            assert_eq!(after, cost.first, "seed {group}:\n{text}");
            by_delivery += u64::from(before != after);
        }
        let sent: Money = world.requests().iter().map(price).sum();
        assert_eq!(sent, launched.iter().map(|(_, cost, _)| cost.first).sum(), "seed {group}");
        world.stop().await;
    }
    assert!(by_delivery > campaigns() / 4, "{by_delivery} were charged for deliveries");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cost_of_a_plan_is_the_cost_of_its_report_and_of_what_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("prices.csv"), PRICES).unwrap();
    for group in 0..campaigns() / TOGETHER {
        let (world, launched) = drawn(&folder, group, Fate::Silent).await;
        let no_more = [Count::Queued, Count::Sending];
        until_none(&world, &launched, &no_more).await;
        for (text, cost, launched) in &launched {
            assert_eq!(spent(&world, launched).await, cost.first, "first messages of seed {group}:\n{text}");
        }
        world.advance_to(world.clock.now() + Span::from_secs(15 * 60)).await;
        until_none(&world, &launched, &[Count::AwaitingOpen, no_more[0], no_more[1]]).await;
        for (text, cost, launched) in &launched {
            assert_eq!(spent(&world, launched).await, cost.at_most, "all messages of seed {group}:\n{text}");
        }
        let sent: Money = world.requests().iter().map(price).sum();
        assert_eq!(sent, launched.iter().map(|(_, cost, _)| cost.at_most).sum(), "seed {group}");
        world.stop().await;
    }
}

/// Launches campaigns that are drawn at random, with the cost that the plan of each states.
async fn drawn(folder: &tempfile::TempDir, group: u64, fate: Fate) -> (ByHand, Vec<(String, Cost, Launched)>) {
    let list = folder.path().join("prices.csv");
    let mut rng = fastrand::Rng::with_seed(group);
    let world = ByHand::start(&format!("rate = \"500/s\"\n[prices]\nfile = \"{}\"", list.display())).await;
    let mut launched = Vec::new();
    for n in 0..TOGETHER {
        let Drawn { rows, campaign } = Drawn::with(&mut rng, fate);
        let audience = folder.path().join(format!("{n}.csv"));
        std::fs::write(&audience, rows).unwrap();
        let text = format!("audience = \"{}\"\n{campaign}", audience.display());
        // A draw may leave nobody to send to.
        let Ok(prepared) = world.plan(&text).await else { continue };
        let cost = prepared.plan.cost.clone().unwrap();
        launched.push((text.clone(), cost, world.launch(&text).await));
    }
    assert!(launched.len() as u64 > TOGETHER / 2, "most of what is drawn can be sent");
    (world, launched)
}

async fn spent(world: &ByHand, launched: &Launched) -> Money {
    world.report(launched).await.steps.iter().filter_map(|step| step.spent).sum()
}

/// Waits until none of these counts has a message of these campaigns.
async fn until_none(world: &ByHand, launched: &[(String, Cost, Launched)], counts: &[Count]) {
    for (text, _, launched) in launched {
        world
            .when("everything is submitted", async || {
                let tallies = world.store.tallies(launched.batch).await.unwrap();
                let left: i64 = counts.iter().map(|count| tallies.total(*count)).sum();
                if left == 0 { Ok(()) } else { Err(format!("{left} are left of\n{text}")) }
            })
            .await;
    }
}
