//! Storms over real processes, files and HTTP: `kill -9` of the server, of the provider and of both, stalled
//! processes, a full disk, an unwritable database. In the end the sender's reports are compared with the provider's
//! own journal.
//!
//! `VOLLEY_PROCESS_STORMS` is the number of rounds of each, `VOLLEY_STANDSTILL` how many seconds a process stalls,
//! and `VOLLEY_KILL_SEED` repeats a run as far as processes allow. The clock of the machine is not changed, because
//! that would reach every process on it; tests with a clock moved by hand cover its jumps.

#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tokio::task::JoinSet;
use volley::base::domain::{Channel, Msisdn, Span};

use crate::kill::{from_environment, seed};
use crate::support::{ALONE, Installation, Shape, clock, number, until};

/// Messages a second of a lane.
const RATE: u32 = 300;
const CONNECTIONS: u32 = 16;
/// Recipients of a campaign.
const PEOPLE: u64 = 600;
/// How many messages may still arrive after a server has reported that it sends no more: those claimed, on both lanes.
const CLAIMED_MAX: usize = 2 * (2 * RATE as usize / 10 + CONNECTIONS as usize);
/// Longer than a deadline, and longer than a busy process stalls.
const STANDSTILL: u64 = 8;
const SETTLE_MAX: Span = Span::from_secs(240);
const PATIENCE: Span = Span::from_secs(180);

const PROFILE: &str = r#"
answer_after = { median = "15ms", spread = 3.0 }
keep_requests = 0
[channel.WhatsApp]
reject = 0.0
undelivered = 0.20
silent = 0.05
delivered = 0.75
read = 0.3
undelivered_codes = [1018]
sent_after = { median = "40ms", spread = 2.0 }
delivered_after = { median = "300ms", spread = 3.0 }
read_after = { median = "600ms", spread = 3.0 }
undelivered_after = { median = "200ms", spread = 3.0 }
[channel.SMS]
reject = 0.0
undelivered = 0.05
silent = 0.05
delivered = 0.90
undelivered_codes = [46]
sent_after = { median = "40ms", spread = 2.0 }
delivered_after = { median = "150ms", spread = 3.0 }
undelivered_after = { median = "150ms", spread = 3.0 }
"#;

const ROUTE: [Channel; 2] = [Channel::WhatsApp, Channel::Sms];
const STEPS: &str = r#"
[[step]]
channel = "WhatsApp"
fallback_after = "6s"
success_status = "Delivered"
[step.template]
name = "promo"
language = "en"
category = "MARKETING"
body = ["{{FirstName}}"]
[[step]]
channel = "SMS"
text = "Hi {{FirstName}}"
receipt_window = "6s"
"#;

struct Storm {
    kind: &'static str,
    seed: u64,
    rng: fastrand::Rng,
    site: Installation,
    campaigns: u64,
    /// Providers so far.
    lives: u64,
}

/// The result of a storm.
#[derive(Debug, Default)]
struct StormResult {
    accepted: usize,
    unknown: usize,
    /// The means, if there are several.
    by: &'static str,
}

impl Storm {
    async fn new(kind: &'static str, seed: u64) -> Self {
        let shape = Shape { seed, profile: PROFILE.to_owned(), rate: RATE, batch: None, connections: CONNECTIONS };
        let rng = fastrand::Rng::with_seed(seed);
        Self { kind, seed, rng, site: Installation::new(&shape).await, campaigns: 0, lives: 1 }
    }

    fn name(&self) -> String {
        format!("{}, seed {}", self.kind, self.seed)
    }

    async fn launch(&mut self) {
        self.campaigns += 1;
        let (n, last) = (self.campaigns, self.campaigns * PEOPLE);
        self.site.write_people(&format!("{n}.csv"), last - PEOPLE..last);
        let file = format!("name = \"storm-{n}\"\naudience = \"{n}.csv\"\n{STEPS}");
        std::fs::write(self.site.path(&format!("{n}.toml")), file).unwrap();
        self.site.volley(&["campaign", "launch", &format!("{n}.toml"), "--json"]).await.json();
    }

    /// Waits until the provider has accepted some more, so that the storm begins under load.
    async fn under_load(&mut self) {
        let wanted = self.site.journal().len() + self.rng.usize(20..150);
        until(&format!("{}: {wanted} accepted", self.name()), PATIENCE, || async {
            let accepted = self.site.journal().len();
            if accepted >= wanted { Ok(()) } else { Err(accepted) }
        })
        .await;
    }

    async fn new_provider(&mut self) {
        self.lives += 1;
        // Another seed, because no id may occur twice.
        self.site.simulate(self.seed + (self.lives << 32)).await;
    }

    /// A killed process loses its memory: the provider forgets the messages it has accepted, and reports no more on them.
    async fn kills(mut self) -> (Self, StormResult) {
        self.site.serve().await;
        for victim in ["server", "provider", "both"] {
            self.launch().await;
            self.under_load().await;
            if victim != "provider" {
                self.site.kill_server().await;
            }
            if victim != "server" {
                self.site.kill_simulator().await;
                self.new_provider().await;
            }
            if victim != "provider" {
                self.site.serve().await;
            }
        }
        self.settle().await;
        let came = self.compare_with_journal().await;
        (self, came)
    }

    /// A process that stalls and then continues.
    async fn standstill(mut self, of_server: bool) -> (Self, StormResult) {
        let (clock, still) = (clock(), from_environment("VOLLEY_STANDSTILL").unwrap_or(STANDSTILL));
        let still = Span::from_secs(i64::try_from(still).unwrap());
        self.site.serve().await;
        self.launch().await;
        self.under_load().await;
        let process = if of_server { self.site.server() } else { self.site.simulator() };
        process.signal("STOP");
        clock.sleep(still).await;
        process.signal("CONT");
        self.settle().await;
        let came = self.compare_with_journal().await;
        // A stalled provider posts no receipt in time, so messages may fall back.
        if of_server {
            self.nothing_was_needless(&came).await;
        }
        (self, came)
    }

    /// A time in which the database cannot be written: `begin` and `end` make it so.
    async fn unwritable(mut self, obstacle: Obstacle) -> (Self, StormResult) {
        self.launch().await;
        self.under_load().await;
        obstacle.begin(&self.site);
        self.site.server().wait_for_output("sending waits").await;
        let when_said = self.site.journal().len();
        // No more arrives than it had claimed.
        let more = when_said + CLAIMED_MAX + 1;
        assert!(
            self.site.provider.wait_until_seen(&format!("messages={more}"), 2).await.is_none(),
            "{}: it sends on",
            self.name()
        );
        obstacle.end(&self.site);
        self.settle().await;
        let came = StormResult { by: obstacle.name(), ..self.compare_with_journal().await };
        self.nothing_was_needless(&came).await;
        let said = self.site.server().output();
        assert!(said.lines().count() < 40, "{}: each trouble once, not each try: {said}", self.name());
        assert!(said.contains("can be recorded again") || said.contains("written again"), "{}: {said}", self.name());
        (self, came)
    }

    /// Like a full disk, it fails everything that makes a file longer, and much of the rest. A disk of its own would show
    /// only to the server; `unwritable_database` tests what commands say about a full disk.
    async fn full_disk(mut self) -> (Self, StormResult) {
        self.site.serve_by(&["/bin/sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).await;
        self.unwritable(Obstacle::Limit).await
    }

    async fn read_only(mut self) -> (Self, StormResult) {
        self.site.serve_by(&["/bin/sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).await;
        let files = ["volley.db", "volley.db-wal"].map(|name| self.site.path(name));
        let obstacle = if chattr("+i", &files[..1]) && chattr("-i", &files[..1]) {
            Obstacle::Immutable(Immutable(files.to_vec()))
        } else {
            Obstacle::Limit
        };
        self.unwritable(obstacle).await
    }

    async fn settle(&mut self) {
        for n in 1..=self.campaigns {
            let what = format!("{}: storm-{n} is settled", self.name());
            until(&what, SETTLE_MAX, || async {
                let show = self.site.show(&format!("storm-{n}")).await;
                if show["state"] == "settled" { Ok(()) } else { Err(show) }
            })
            .await;
        }
    }

    /// Compares the sender's reports with the provider's journal.
    async fn compare_with_journal(&mut self) -> StormResult {
        let name = self.name();
        let journal = self.site.journal();
        let ids: BTreeSet<&str> = journal.iter().map(|message| message.client_message_id.as_str()).collect();
        assert_eq!(ids.len(), journal.len(), "{name}: an id was accepted twice");
        let accepted: BTreeSet<(Msisdn, Channel)> = journal.iter().map(|it| (it.msisdn, it.channel)).collect();
        assert_eq!(accepted.len(), journal.len(), "{name}: a recipient got two messages on one channel");
        let mut came = StormResult { accepted: accepted.len(), ..StormResult::default() };
        for n in 1..=self.campaigns {
            let report = self.site.report(&format!("storm-{n}")).await;
            came.unknown += self.check(n, &report, &accepted);
            let audit = self.site.volley(&["audit", &format!("storm-{n}"), "--json"]).await.json();
            assert_eq!(audit["proven"], true, "{name}: storm-{n}: {audit}");
        }
        // Counters match the rows.
        let rows = self.site.look("SELECT count(*) FROM message WHERE state = 3").await;
        assert_eq!(rows, i64::try_from(self.campaigns * PEOPLE).ok(), "{name}: every message has its outcome");
        let counted = self.site.look("SELECT sum(n) FROM tally WHERE count BETWEEN 18 AND 27 OR count = 31").await;
        assert_eq!(counted, rows, "{name}: the counted outcomes are those of the rows");
        let handed_over = self.site.look("SELECT sum(n) FROM tally WHERE count = 4").await;
        let attempts = self.site.look("SELECT count(*) FROM attempt WHERE verdict IN (0, 2)").await;
        assert_eq!(handed_over, attempts, "{name}: the counted hand-overs are those of the rows");
        came
    }

    /// Returns how many attempts of a campaign stay unknown.
    fn check(&self, n: u64, report: &Value, accepted: &BTreeSet<(Msisdn, Channel)>) -> usize {
        let name = self.name();
        let people = || (n - 1) * PEOPLE..n * PEOPLE;
        let person = |person| Msisdn::try_from(number(person)).unwrap();
        let outcomes: BTreeMap<String, u64> = serde_json::from_value(report["outcomes"].clone()).unwrap();
        let sum = outcomes.values().sum::<u64>();
        assert_eq!((report["open"].as_u64(), sum), (Some(0), PEOPLE), "{name}: every person has one outcome: {report}");
        let unknown: BTreeSet<(Msisdn, Channel)> = report["unknown"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| {
                let step = usize::try_from(entry["step"].as_u64().unwrap()).unwrap();
                (entry["msisdn"].as_str().unwrap().parse().unwrap(), ROUTE[step - 1])
            })
            .collect();
        assert_eq!(report["unknown_count"].as_u64(), u64::try_from(unknown.len()).ok(), "{name}: {report}");
        for forgotten in people().map(person) {
            let was_written_to =
                |channel| accepted.contains(&(forgotten, channel)) || unknown.contains(&(forgotten, channel));
            assert!(ROUTE.into_iter().any(was_written_to), "{name}: {forgotten} is forgotten: {report}");
        }
        for (step, channel) in report["steps"].as_array().unwrap().iter().zip(ROUTE) {
            let on = |set: &BTreeSet<(Msisdn, Channel)>| -> BTreeSet<Msisdn> {
                people().map(person).filter(|person| set.contains(&(*person, channel))).collect()
            };
            let told = on(accepted).union(&on(&unknown)).count();
            assert_eq!(step["handed_over"].as_u64(), u64::try_from(told).ok(), "{name}: {channel}: {report}");
        }
        unknown.len()
    }

    /// If no process died, no message is unknown, and a recipient who was reached gets no second message.
    async fn nothing_was_needless(&self, came: &StormResult) {
        let name = self.name();
        assert_eq!(came.unknown, 0, "{name}: {came:?}");
        let mut reached = BTreeSet::new();
        for message in self.site.provider.arrived().await.iter().filter(|message| message.is_delivered) {
            assert!(reached.insert(message.msisdn), "{name}: {} was reached, and got another", message.msisdn);
        }
    }
}

/// What prevents writes to a database.
enum Obstacle {
    /// Its process may write no further than the first page, a limit that needs no privilege.
    Limit,
    Immutable(Immutable),
}

impl Obstacle {
    fn begin(&self, site: &Installation) {
        match self {
            Self::Limit => assert!(shell(&format!("prlimit --pid {} --fsize=4096:", site.server().id()))),
            Self::Immutable(Immutable(files)) => assert!(chattr("+i", files)),
        }
    }

    fn end(&self, site: &Installation) {
        match self {
            Self::Limit => assert!(shell(&format!("prlimit --pid {} --fsize=unlimited:", site.server().id()))),
            Self::Immutable(Immutable(files)) => assert!(chattr("-i", files)),
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Limit => "a limit of what its process may write",
            Self::Immutable(_) => "immutable files",
        }
    }
}

/// Immutable files, which can be removed again when this is dropped.
struct Immutable(Vec<PathBuf>);

impl Drop for Immutable {
    fn drop(&mut self) {
        chattr("-i", &self.0);
    }
}

fn shell(script: &str) -> bool {
    Command::new("/bin/sh").args(["-c", script]).status().unwrap().success()
}

fn chattr(how: &str, files: &[PathBuf]) -> bool {
    Command::new("chattr").arg(how).args(files).output().is_ok_and(|done| done.status.success())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_stalls_and_write_errors_cause_no_double_and_no_loss() {
    let _alone = ALONE.lock().await;
    let seed = seed();
    let rounds = from_environment("VOLLEY_PROCESS_STORMS").unwrap_or(1);
    println!("VOLLEY_KILL_SEED={seed} VOLLEY_PROCESS_STORMS={rounds}");
    let begun = clock().now();
    let mut all: BTreeMap<&str, (u32, usize, usize)> = BTreeMap::new();
    for round in 0..rounds {
        let seed = seed.wrapping_add(round) & 0xffff_ffff;
        let mut storms = JoinSet::new();
        storms.spawn(async move { Storm::new("kills", seed).await.kills().await });
        storms.spawn(async move { Storm::new("server stands still", seed + 1_000).await.standstill(true).await });
        storms.spawn(async move { Storm::new("provider stands still", seed + 4_000).await.standstill(false).await });
        storms.spawn(async move { Storm::new("full disk", seed + 2_000).await.full_disk().await });
        storms.spawn(async move { Storm::new("read-only", seed + 3_000).await.read_only().await });
        while let Some(storm) = storms.join_next().await {
            let (storm, came) = match storm {
                Ok(ended) => ended,
                Err(failed) => std::panic::resume_unwind(failed.into_panic()),
            };
            let (times, accepted, unknown) = all.entry(storm.kind).or_default();
            *times += 1;
            *accepted += came.accepted;
            *unknown += came.unknown;
            let by = if came.by.is_empty() { String::new() } else { format!(", by {}", came.by) };
            println!("{}: {} accepted, {} unknown{by}", storm.name(), came.accepted, came.unknown);
        }
    }
    println!("(storms, accepted, unknown) by kind: {all:?}, in {}", clock().now().since(begun));
    assert!(all["kills"].2 > 0, "no kill has found anything in flight: {all:?}");
}
