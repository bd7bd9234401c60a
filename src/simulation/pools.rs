//! Steps that are sent by several lanes.

use std::collections::{BTreeMap, BTreeSet};

use super::small::World;
use crate::base::clock::Clock;
use crate::base::domain::{LaneId, MessageKey, Msisdn, Outcome, SkipReason, Span, State};
use crate::base::events::Origin;
use crate::campaigns::campaign::Launched;
use crate::store::Hold;

const PROVIDER: &str = "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
    webhook_authorization = \"hook\"\n";

/// A configuration of SMS lanes, each with additional keys.
fn config(lanes: &[(&str, &str)]) -> String {
    let lane = |(name, more): &(&str, &str)| {
        format!("[[lane]]\nname = \"{name}\"\nchannel = \"SMS\"\nrate = \"1000/s\"\n{more}\n")
    };
    lanes.iter().map(lane).fold(PROVIDER.to_owned(), |text, lane| text + &lane)
}

const THREE: [(&str, &str); 3] = [("one", ""), ("two", ""), ("three", "")];

fn campaign(numbers: impl Iterator<Item = u64>, step: &str) -> String {
    let numbers: Vec<String> = numbers.map(|number| format!("\"+{number}\"")).collect();
    format!("numbers = [{}]\n[[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n{step}", numbers.join(","))
}

/// A campaign to 90 recipients in Singapore, by a pool of three lanes.
fn to_ninety() -> String {
    campaign((0..90).map(|n| 6_591_000_000 + n * 3), "lanes = [\"one\", \"two\", \"three\"]")
}

impl World {
    /// Returns the lane that sent to each recipient.
    async fn lanes_of(&self, launched: &Launched) -> BTreeMap<Msisdn, String> {
        let keys: Vec<_> = (0..launched.messages).map(|n| MessageKey { batch: launched.batch, n }).collect();
        let messages = self.store.load(keys.clone()).await.unwrap();
        let attempts = self.store.attempts(keys).await.unwrap();
        let names: BTreeMap<LaneId, String> =
            self.store.lanes(Vec::new()).await.unwrap().into_iter().map(|lane| (lane.id, lane.name)).collect();
        let sent = messages.iter().zip(attempts);
        sent.filter_map(|(message, attempts)| Some((message.address.number()?, names[&attempts.first()?.lane].clone())))
            .collect()
    }

    async fn pause_lane(&mut self, lane: &str) {
        let now = self.clock.now();
        self.store.hold(Hold::by_operator(lane, "", Origin::operator("Ann", None), now), now).await.unwrap();
        self.node.watch().await;
    }

    async fn resume_lane(&mut self, lane: &str) {
        let now = self.clock.now();
        self.store.release(lane.to_owned(), String::new(), now, Origin::operator("Ann", None)).await.unwrap();
        self.node.watch().await;
    }
}

#[tokio::test]
async fn a_pool_divides_its_recipients_and_each_keeps_the_same_sender() {
    let mut world = World::of(&config(&THREE), None).await;
    let first = world.launch_of(&to_ninety()).await;
    world.send().await;
    let lanes = world.lanes_of(&first).await;
    assert_eq!(lanes.len(), 90);
    for (lane, _) in THREE {
        let recipients = lanes.values().filter(|sender| *sender == lane).count();
        assert!((15..50).contains(&recipients), "{recipients} of 90 recipients by one of three lanes");
    }
    world.restart().await;
    let second = world.launch_of(&to_ninety()).await;
    world.send().await;
    assert_eq!(world.lanes_of(&second).await, lanes);
}

#[tokio::test]
async fn a_held_lane_of_a_pool_is_replaced_and_gets_its_recipients_back() {
    let mut world = World::of(&config(&THREE), None).await;
    let first = world.launch_of(&to_ninety()).await;
    world.pause_lane("two").await;
    world.send().await;
    let meanwhile = world.lanes_of(&first).await;
    assert_eq!(meanwhile.len(), 90, "no message waits for it");
    assert!(meanwhile.values().all(|lane| lane != "two"));
    world.resume_lane("two").await;
    let second = world.launch_of(&to_ninety()).await;
    world.send().await;
    let own = world.lanes_of(&second).await;
    assert!(own.values().any(|lane| lane == "two"));
    let moved: BTreeSet<&String> =
        own.iter().filter(|(recipient, lane)| meanwhile[*recipient] != **lane).map(|(_, lane)| lane).collect();
    assert_eq!(moved, BTreeSet::from([&"two".to_owned()]), "no other recipient has another sender");
    // When all of them are held, every message waits.
    for (lane, _) in THREE {
        world.pause_lane(lane).await;
    }
    let third = world.launch_of(&to_ninety()).await;
    world.send().await;
    assert!(world.lanes_of(&third).await.is_empty());
}

#[tokio::test]
async fn a_lane_is_replaced_after_a_long_outage_and_not_after_a_short_one() {
    let mut world = World::of(&config(&THREE), None).await;
    world.provider.out.lock().insert("two".to_owned());
    let launched = world.launch_of(&to_ninety()).await;
    world.send().await;
    let begun = world.lanes_of(&launched).await;
    assert!(begun.len() < 90 && begun.values().all(|lane| lane != "two"), "its recipients wait for it");
    for _ in 0..12 {
        world.clock.advance(Span::from_secs(1));
        world.send().await;
    }
    let lanes = world.lanes_of(&launched).await;
    assert_eq!(lanes.len(), 90);
    assert!(lanes.values().all(|lane| lane != "two"));
    assert_eq!(world.provider.sms.lock().len(), 90, "each once");
}

#[tokio::test]
async fn an_outage_of_one_lane_delays_no_other_and_causes_no_fallback() {
    let viber = "[[lane]]\nname = \"viber\"\nchannel = \"Viber\"\nrate = \"1000/s\"\n";
    let mut world = World::of(&(config(&[THREE[0]]) + viber), None).await;
    world.provider.out.lock().insert("viber".to_owned());
    let first = "channel = \"Viber\"\ntext = \"Hello\"\nfallback_after = \"15m\"\n[[step]]\nchannel = \"SMS\"";
    let out = campaign((0..20).map(|n| 6_591_000_000 + n), "").replace("channel = \"SMS\"", first);
    let out = world.launch_of(&out).await;
    let other = world.launch_of(&campaign((100..120).map(|n| 6_591_000_000 + n), "")).await;
    for _ in 0..5 {
        world.send().await;
    }
    assert_eq!((world.lanes_of(&other).await.len(), world.provider.sms.lock().len()), (20, 20));
    assert_eq!(world.provider.taken.lock().len(), 0);
    for n in 0..20 {
        assert!(matches!(world.message(&out, n).await.state, State::Queued { .. } | State::Sending { .. }), "{n}");
    }
    world.provider.out.lock().clear();
    for _ in 0..120 {
        world.send().await;
    }
    assert_eq!(world.lanes_of(&out).await.values().filter(|lane| *lane == "viber").count(), 20);
    assert_eq!(world.provider.sms.lock().len(), 20, "no message fell back");
}

#[tokio::test]
async fn a_removed_lane_leaves_its_recipients_to_its_pool() {
    let mut world = World::of(&config(&THREE), None).await;
    for (lane, _) in THREE {
        world.pause_lane(lane).await;
    }
    let launched = world.launch_of(&to_ninety()).await;
    world.send().await;
    world.configured(&config(&[THREE[0], THREE[2]])).await;
    for lane in ["one", "three"] {
        world.resume_lane(lane).await;
    }
    world.send().await;
    let lanes = world.lanes_of(&launched).await;
    assert_eq!(lanes.len(), 90);
    assert!(lanes.values().all(|lane| lane != "two"));
}

#[tokio::test]
async fn a_country_uses_the_lanes_that_name_it_and_no_others_replace_them() {
    let lanes = [
        ("sg", "countries = [\"SG\"]\nsource = \"ACME SG\""),
        ("asia", "countries = [\"SG\", \"MY\"]\nsource = \"ACME\""),
        ("rest", "source = \"68886\""),
    ];
    let mut world = World::of(&config(&lanes), None).await;
    let numbers = || (0..30).flat_map(|n| [6_591_000_000 + n, 60_121_000_000 + n, 4_915_112_000_000 + n]);
    let text = campaign(numbers(), "lanes = [\"sg\", \"asia\", \"rest\"]");
    let launched = world.launch_of(&text).await;
    world.send().await;
    let country = |recipient: &Msisdn| recipient.to_string()[..3].to_owned();
    let by_country = |lanes: BTreeMap<Msisdn, String>| {
        lanes.iter().map(|(recipient, lane)| (country(recipient), lane.clone())).collect::<BTreeSet<_>>()
    };
    let pair = |country: &str, lane: &str| (country.to_owned(), lane.to_owned());
    let all = [pair("+60", "asia"), pair("+49", "rest"), pair("+65", "asia"), pair("+65", "sg")];
    assert_eq!(by_country(world.lanes_of(&launched).await), BTreeSet::from(all));
    let sources: BTreeSet<String> = world.provider.sources.lock().values().cloned().collect();
    assert_eq!(sources, ["68886", "ACME", "ACME SG"].map(str::to_owned).into());
    // Another lane may replace one of Singapore's two. No lane may replace the only one of Malaysia or of the rest.
    for lane in ["sg", "rest"] {
        world.pause_lane(lane).await;
    }
    let launched = world.launch_of(&text).await;
    world.send().await;
    let lanes = world.lanes_of(&launched).await;
    assert_eq!(lanes.len(), 60);
    assert_eq!(by_country(lanes), [pair("+60", "asia"), pair("+65", "asia")].into());
}

#[tokio::test]
async fn a_step_without_a_lane_for_the_country_is_passed_over() {
    let lanes = [("sg", "countries = [\"SG\"]"), ("my", "countries = [\"MY\"]")];
    let mut world = World::of(&config(&lanes), None).await;
    let numbers = [6_591_000_000, 60_121_000_000, 4_915_112_000_000];
    let launched = world.launch_of(&campaign(numbers.into_iter(), "lanes = [\"sg\", \"my\"]")).await;
    world.send().await;
    assert_eq!(world.lanes_of(&launched).await.len(), 2);
    let german = world.store.load(vec![MessageKey { batch: launched.batch, n: 2 }]).await.unwrap().remove(0);
    let State::Done { outcome, skipped, .. } = german.present.state else { panic!("{german:?}") };
    assert_eq!((outcome, skipped), (Outcome::Skipped, Some(SkipReason::NoStep)));
}

#[tokio::test]
async fn an_sms_has_the_sender_that_its_step_names_for_the_country() {
    let mut world = World::of(&config(&[("sms", "source = \"LANE\"")]), None).await;
    let numbers = [6_591_000_000, 60_121_000_000, 4_915_112_000_000];
    let sender = |world: &World, launched: &Launched| {
        let sources = world.provider.sources.lock();
        (0..3).map(|n| sources[&MessageKey { batch: launched.batch, n }].clone()).collect::<Vec<_>>()
    };
    for (step, expected) in [
        ("source = { SG = \"ACME\", MY = \"68886\" }", ["ACME", "68886", "LANE"]),
        ("source = { SG = \"ACME\", others = \"VOLLEY\" }", ["ACME", "VOLLEY", "VOLLEY"]),
        ("source = \"VOLLEY\"", ["VOLLEY"; 3]),
        ("", ["LANE"; 3]),
    ] {
        let launched = world.launch_of(&campaign(numbers.into_iter(), step)).await;
        world.send().await;
        assert_eq!(sender(&world, &launched), expected, "{step}");
    }
}

#[tokio::test]
async fn a_message_records_the_lane_that_replaced_its_own() {
    let mut world = World::of(&config(&[THREE[0], THREE[1]]), None).await;
    world.pause_lane("one").await;
    let launched = world.launch_of(&campaign((0..9).map(|n| 6_591_000_000 + n), "lanes = [\"one\", \"two\"]")).await;
    world.send().await;
    let lanes = world.lanes_of(&launched).await;
    assert!(lanes.len() == 9 && lanes.values().all(|lane| lane == "two"));
    let rows = world.store.load((0..9).map(|n| MessageKey { batch: launched.batch, n }).collect()).await.unwrap();
    let two = world.store.lanes(Vec::new()).await.unwrap().into_iter().find(|lane| lane.name == "two").unwrap().id;
    assert!(rows.iter().all(|row| row.lane == two), "the row names the lane that sent the message");
}
