//! `kill -9` at any moment, then a restart.
//!
//! Real processes: the shipped binary, a practice provider in a process of its own, SIGKILL. The sender's reports
//! are compared with the provider's journal. `VOLLEY_KILLS` is the number of kills. `VOLLEY_KILL_SEED` repeats a
//! run as far as processes allow: the same kills after the same counts, though never at the same instruction.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use serde_json::Value;
use tokio::task::JoinSet;
use volley::base::domain::{Channel, Msisdn, Span};

use crate::support::{ALONE, Arrived, Installation, Seen, Shape, clock, number, until};

const KILLS: usize = 60;
/// So few that the receipts repeated because of one kill do not meet the last kill of the round.
const KILLS_A_ROUND: usize = 10;
const ROUNDS_AT_ONCE: usize = 3;
/// Messages a second of a lane.
const RATE: u32 = 400;
/// Requests of a lane at the same time: few where each carries many.
const CONNECTIONS: u32 = 64;
const BATCH_CONNECTIONS: u32 = 8;
/// What a lane has claimed and not begun: two claims of 100 ms of its rate.
const READY_MAX: u32 = 2 * RATE / 10;
const SETTLE_MAX: Span = Span::from_secs(240);
/// Recipients of a campaign.
const PEOPLE: u64 = 600;
/// Messages in a request of the rounds that send in batches.
const BATCH: u32 = 20;
/// Messages that have to be queued for a kill to find some in flight.
const WORK: i64 = 300;

/// Every possible fate of a message, within a second or two.
const PROFILE: &str = r#"
answer_after = { median = "15ms", spread = 3.0 }
keep_requests = 0
[channel.WhatsApp]
reject = 0.05
undelivered = 0.25
silent = 0.05
delivered = 0.60
read = 0.5
undelivered_codes = [1018]
sent_after = { median = "40ms", spread = 2.0 }
delivered_after = { median = "150ms", spread = 3.0 }
read_after = { median = "300ms", spread = 3.0 }
undelivered_after = { median = "150ms", spread = 3.0 }
[channel.Viber]
reject = 0.0
undelivered = 0.35
silent = 0.05
delivered = 0.60
read = 0.2
undelivered_codes = [2008]
sent_after = { median = "40ms", spread = 2.0 }
delivered_after = { median = "150ms", spread = 3.0 }
read_after = { median = "300ms", spread = 3.0 }
undelivered_after = { median = "150ms", spread = 3.0 }
[channel.SMS]
reject = 0.02
undelivered = 0.10
silent = 0.05
delivered = 0.80
undelivered_codes = [46]
sent_after = { median = "40ms", spread = 2.0 }
delivered_after = { median = "150ms", spread = 3.0 }
undelivered_after = { median = "150ms", spread = 3.0 }
"#;

/// The route of every campaign: all three channels, with deadlines as short as a machine that is busy with other tests
/// allows. A machine that stalls repeatedly may miss every repeat of a receipt; then an attempt without an answer waits
/// for the end of its window.
fn campaign_file(audience: &str, more: &str) -> String {
    format!(
        r#"
audience = "{audience}"
{more}
[[step]]
channel = "WhatsApp"
fallback_after = "10s"
receipt_window = "2m"
success_status = "Delivered"
[step.template]
name = "promo"
language = "en"
category = "MARKETING"
body = ["{{{{FirstName}}}}"]
[[step]]
channel = "Viber"
fallback_after = "10s"
receipt_window = "2m"
text = "Hi {{{{FirstName}}}}"
[[step]]
channel = "SMS"
text = "Hi {{{{FirstName}}}}"
receipt_window = "6s"
"#
    )
}

pub(crate) fn from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

pub(crate) fn seed() -> u64 {
    from_environment("VOLLEY_KILL_SEED").unwrap_or_else(|| clock().now().millis().unsigned_abs())
}

/// When the server is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    /// After the provider has accepted so many more messages.
    Sending(u64),
    /// After the server has acknowledged so many more webhooks.
    Receipts(u64),
    /// When it has just begun to recover the state of its predecessor.
    Starting,
    /// While a command beside it lays out a campaign.
    Launching,
}

impl Moment {
    fn drawn(rng: &mut fastrand::Rng) -> Self {
        match rng.u8(..10) {
            0..=5 => Self::Sending(rng.u64(1..120)),
            6 | 7 => Self::Receipts(rng.u64(1..200)),
            8 => Self::Starting,
            _ => Self::Launching,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Sending(_) => "sending",
            Self::Receipts(_) => "receipts",
            Self::Starting => "starting",
            Self::Launching => "launching",
        }
    }
}

struct Campaign {
    name: String,
    people: Range<u64>,
}

impl Campaign {
    fn people(&self) -> impl Iterator<Item = Msisdn> {
        self.people.clone().map(|person| Msisdn::try_from(number(person)).unwrap())
    }
}

/// One installation that is killed again and again.
struct Round {
    seed: u64,
    rng: fastrand::Rng,
    site: Installation,
    /// How many claimed messages of a lane a kill may find that the provider never got: ready, or on a connection.
    unsent_max: u32,
    campaigns: Vec<Campaign>,
    /// Each kill with what it found in flight.
    kills: Vec<(Moment, i64)>,
}

impl Round {
    async fn new(seed: u64) -> Self {
        // Every other one sends in batches.
        let batch = seed.is_multiple_of(2).then_some(BATCH);
        let connections = if batch.is_some() { BATCH_CONNECTIONS } else { CONNECTIONS };
        let shape = Shape { seed, profile: PROFILE.to_owned(), rate: RATE, batch, connections };
        let site = Installation::new(&shape).await;
        let unsent_max = READY_MAX + connections * batch.unwrap_or(1);
        let rng = fastrand::Rng::with_seed(seed);
        Self { seed, rng, site, unsent_max, campaigns: Vec::new(), kills: Vec::new() }
    }

    async fn run(mut self, kills: usize) -> Vec<(Moment, i64)> {
        self.site.serve().await;
        for _ in 0..kills {
            self.see_to_work().await;
            let moment = Moment::drawn(&mut self.rng);
            self.kill_at(moment).await;
            if moment != Moment::Starting {
                self.site.serve().await;
            }
        }
        self.settle().await;
        self.check().await;
        self.kills
    }

    /// Launches another campaign if too few messages are queued for a kill.
    async fn see_to_work(&mut self) {
        while self.site.look("SELECT count(*) FROM message WHERE state = 0").await.unwrap_or(0) < WORK {
            let name = self.next_campaign();
            self.site.volley(&["campaign", "launch", &format!("{name}.toml"), "--json"]).await.json();
        }
    }

    fn next_campaign(&mut self) -> String {
        let first = u64::try_from(self.campaigns.len()).unwrap() * PEOPLE;
        let name = format!("campaign-{}", self.campaigns.len() + 1);
        let people = first..first + PEOPLE;
        self.site.write_people(&format!("{name}.csv"), people.clone());
        let file = campaign_file(&format!("{name}.csv"), &format!("name = \"{name}\""));
        std::fs::write(self.site.path(&format!("{name}.toml")), file).unwrap();
        self.campaigns.push(Campaign { name: name.clone(), people });
        name
    }

    async fn kill_at(&mut self, moment: Moment) {
        let seen = self.site.provider.seen().await;
        match moment {
            Moment::Sending(more) => self.wait_until_seen(&format!("messages={}", seen.messages + more)).await,
            Moment::Receipts(more) => self.wait_until_seen(&format!("posted={}", seen.webhooks.posted + more)).await,
            Moment::Starting => {
                self.kill_and_count(moment).await;
                let before = self.site.look("SELECT max(id) FROM node").await;
                self.site.begin_to_serve();
                self.wait_for("a new server has begun", |now| now > before, "SELECT max(id) FROM node").await;
                self.site.kill_server().await;
                self.site.serve().await;
                return;
            }
            Moment::Launching => {
                let name = self.next_campaign();
                let launch = self.site.begin(&["campaign", "launch", &format!("{name}.toml"), "--json"]);
                // The campaign is being laid out, or has just been: the kill may meet either.
                let batches = i64::try_from(self.campaigns.len()).unwrap();
                self.wait_for("the campaign is begun", |now| now >= Some(batches), "SELECT count(*) FROM batch").await;
                self.kill_and_count(moment).await;
                launch.ended().await.json();
                return;
            }
        }
        self.kill_and_count(moment).await;
    }

    /// Waits until the provider's counters reach these values.
    async fn wait_until_seen(&mut self, so_much: &str) {
        if self.site.provider.wait_until_seen(so_much, 60).await.is_none() {
            let seen = self.site.provider.seen().await;
            panic!("seed {}: the provider has not seen {so_much} within a minute, only {seen:?}", self.seed);
        }
    }

    async fn wait_for(&mut self, what: &str, is_so: impl Fn(Option<i64>) -> bool, sql: &'static str) {
        let (clock, what) = (clock(), format!("seed {}: {what}", self.seed));
        let give_up = clock.now() + Span::from_secs(60);
        loop {
            let now = self.site.look(sql).await;
            if is_so(now) {
                return;
            }
            assert!(clock.now() < give_up, "{what}: the last look: {now:?}");
            clock.sleep(Span::from_millis(1)).await;
        }
    }

    async fn kill_and_count(&mut self, moment: Moment) {
        self.site.kill_server().await;
        let in_flight = self.site.in_flight().await;
        let arrived = self.site.provider.arrived().await;
        let arrived: HashSet<(Msisdn, Channel)> = arrived.iter().map(|it| (it.msisdn, it.channel)).collect();
        for channel in ROUTE {
            let unsent = in_flight.iter().filter(|it| it.1 == channel && !arrived.contains(it)).count();
            let most = usize::try_from(self.unsent_max).unwrap();
            assert!(unsent <= most, "seed {}: {unsent} claimed and not sent on {channel} after {moment:?}", self.seed);
        }
        self.kills.push((moment, i64::try_from(in_flight.len()).unwrap()));
    }

    /// Waits until every message has its outcome and the provider has posted every receipt.
    async fn settle(&mut self) {
        for campaign in &self.campaigns {
            let what = format!("seed {}: {} is settled", self.seed, campaign.name);
            until(&what, SETTLE_MAX, || async {
                let show = self.site.show(&campaign.name).await;
                let left = |name: &str| show["counts"][name].as_i64().unwrap();
                match show["state"].as_str().unwrap() {
                    "settled" => {
                        assert_eq!(left("queued") + left("sending") + left("awaiting"), 0, "settled too early: {show}");
                        return Ok(());
                    }
                    "finished" => assert_eq!(left("queued") + left("sending"), 0, "finished too early: {show}"),
                    "running" => {}
                    other => panic!("no command has made it {other}: {show}"),
                }
                let notes = if show["waived"].is_null() { String::new() } else { self.site.notes().await };
                Err(format!("{show}\n{notes}"))
            })
            .await;
        }
        let what = format!("seed {}: everything is told", self.seed);
        until(&what, SETTLE_MAX, || async {
            let seen = self.site.provider.seen().await;
            if seen.webhooks.posted == seen.receipts { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;
    }

    /// Compares the sender's account with the provider's.
    async fn check(&self) {
        let seed = self.seed;
        // Read in every run, so that a run that fails can show them.
        drop(self.site.notes().await);
        let seen = self.site.provider.seen().await;
        check_manners(seed, &seen);
        let arrived = self.site.provider.arrived().await;
        let ids: HashSet<&str> = arrived.iter().map(|message| message.client_message_id.as_str()).collect();
        assert_eq!(ids.len(), arrived.len(), "seed {seed}: an id came twice");
        let mut by_person: HashMap<(Msisdn, Channel), &Arrived> = HashMap::new();
        for message in &arrived {
            let twice = by_person.insert((message.msisdn, message.channel), message).is_some();
            assert!(!twice, "seed {seed}: {} got {} twice", message.msisdn, message.channel);
        }
        for campaign in &self.campaigns {
            self.check_fallbacks(campaign, &by_person).await;
            check_campaign(seed, campaign, &self.site.report(&campaign.name).await, &by_person);
            // The audit confirms the surviving data from its facts.
            let audit = self.site.volley(&["audit", &campaign.name, "--json"]).await.json();
            assert_eq!(audit["proven"], true, "seed {seed}: {}: {audit}", campaign.name);
        }
    }

    /// No kill causes a message on another channel: the server waits for the repeats.
    async fn check_fallbacks(&self, campaign: &Campaign, seen: &HashMap<(Msisdn, Channel), &Arrived>) {
        for person in campaign.people() {
            if deliveries(seen, person) > 1 {
                let story = self.site.volley(&["message", "explain", &campaign.name, &person.to_string()]).await.stdout;
                let notes = self.site.notes().await;
                panic!("seed {}: {} fell back although reached:\n{story}\n{notes}", self.seed, campaign.name);
            }
        }
    }
}

/// Requests that Volley must never send.
fn check_manners(seed: u64, seen: &Seen) {
    assert_eq!(seen.duplicates, 0, "seed {seed}: {seen:?}");
    assert_eq!(seen.without_client_id, 0, "seed {seed}: {seen:?}");
    assert_eq!(seen.own_fallbacks, 0, "seed {seed}: {seen:?}");
    assert_eq!(seen.not_one_channel, 0, "seed {seed}: {seen:?}");
    assert_eq!(seen.with_fallback_text, 0, "seed {seed}: {seen:?}");
    assert_eq!(seen.with_fallback_rule, 0, "seed {seed}: {seen:?}");
    // Otherwise the provider has reported less than it knew, and the comparison would prove nothing.
    assert_eq!((seen.receipts_lost, seen.webhooks.dropped, seen.webhooks.waiting), (0, 0, 0), "seed {seed}: {seen:?}");
}

const ROUTE: [Channel; 3] = [Channel::WhatsApp, Channel::Viber, Channel::Sms];

/// On how many channels a recipient got the message.
fn deliveries(seen: &HashMap<(Msisdn, Channel), &Arrived>, person: Msisdn) -> usize {
    let is_delivered = |channel: &&Channel| seen.get(&(person, **channel)).is_some_and(|message| message.is_delivered);
    ROUTE.iter().filter(is_delivered).count()
}

fn check_campaign(seed: u64, campaign: &Campaign, report: &Value, seen: &HashMap<(Msisdn, Channel), &Arrived>) {
    let name = &campaign.name;
    let on = |person: Msisdn, channel: Channel| seen.get(&(person, channel)).copied();
    let number_of = |key: &str| report[key].as_i64().unwrap();
    let audience = i64::try_from(campaign.people().count()).unwrap();

    // Every recipient ends with one outcome.
    let outcomes: BTreeMap<String, i64> = serde_json::from_value(report["outcomes"].clone()).unwrap();
    assert_eq!(number_of("audience"), audience, "seed {seed}: {name}: {report}");
    assert_eq!(number_of("open"), 0, "seed {seed}: {name}: {report}");
    assert_eq!(outcomes.values().sum::<i64>(), audience, "seed {seed}: {name}: {report}");
    for nobody in ["cancelled", "skipped", "expired"] {
        assert_eq!(outcomes[nobody], 0, "seed {seed}: {name}: {report}");
    }

    // Nothing that was acknowledged is lost: exactly the recipients who were reached count as reached.
    let reached = campaign.people().filter(|person| deliveries(seen, *person) > 0).count();
    assert_eq!(outcomes["reached"], i64::try_from(reached).unwrap(), "seed {seed}: {name}: {report}");
    assert_eq!(number_of("delivered_twice"), 0, "seed {seed}: {name}: {report}");

    // The provider never reported an unknown attempt, and reported every other one that counts as submitted.
    let unknown: Vec<(Msisdn, Channel)> = report["unknown"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let step = usize::try_from(entry["step"].as_u64().unwrap()).unwrap();
            (entry["msisdn"].as_str().unwrap().parse().unwrap(), ROUTE[step - 1])
        })
        .collect();
    assert_eq!(number_of("unknown_count"), i64::try_from(unknown.len()).unwrap(), "seed {seed}: {name}: {report}");
    for (person, channel) in &unknown {
        let told = on(*person, *channel).is_some_and(|message| message.is_told);
        assert!(!told, "seed {seed}: {name}: {person} on {channel} is unknown, and the provider has told of it");
    }
    for (place, channel) in ROUTE.into_iter().enumerate() {
        let took = campaign.people().filter(|person| on(*person, channel).is_some()).count();
        let never_came = unknown.iter().filter(|(person, on_it)| *on_it == channel && on(*person, channel).is_none());
        let handed_over = report["steps"][place]["handed_over"].as_i64().unwrap();
        let expected = i64::try_from(took + never_came.count()).unwrap();
        assert_eq!(handed_over, expected, "seed {seed}: {name}: {channel}: {report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_moment_causes_no_double_and_no_loss() {
    let _alone = ALONE.lock().await;
    let seed = seed();
    let kills = from_environment("VOLLEY_KILLS").map_or(KILLS, |kills| usize::try_from(kills).unwrap());
    println!("VOLLEY_KILL_SEED={seed} VOLLEY_KILLS={kills}");
    let begun = clock().now();
    let mut rounds: Vec<(u64, usize)> = Vec::new();
    let mut left = kills;
    while left > 0 {
        let share = left.min(KILLS_A_ROUND);
        rounds.push((seed.wrapping_add(u64::try_from(rounds.len()).unwrap()), share));
        left -= share;
    }
    let (mut running, mut all) = (JoinSet::new(), Vec::new());
    while !rounds.is_empty() || !running.is_empty() {
        while running.len() < ROUNDS_AT_ONCE
            && let Some((seed, share)) = rounds.pop()
        {
            running.spawn(async move { Round::new(seed).await.run(share).await });
        }
        match running.join_next().await.unwrap() {
            Ok(kills) => all.extend(kills),
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
    let mut by_moment: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (moment, in_flight) in &all {
        let (count, busy) = by_moment.entry(moment.name()).or_default();
        *count += 1;
        *busy += usize::from(*in_flight > 0);
    }
    let busy = all.iter().filter(|(_, in_flight)| *in_flight > 0).count();
    let most = all.iter().map(|(_, in_flight)| *in_flight).max().unwrap_or(0);
    println!(
        "{} kills in {}; {busy} with hand-overs in flight, at most {most}; (kills, in flight) by moment: {by_moment:?}",
        all.len(),
        clock().now().since(begun)
    );
    assert_eq!(all.len(), kills);
    assert!(busy * 2 >= kills, "too few kills found hand-overs in flight: {by_moment:?}");
}
