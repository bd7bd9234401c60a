//! Commands that are killed midway, and the server with them: nothing half done is visible, and the same command,
//! repeated, completes it.

use serde_json::Value;
use volley::base::domain::Span;

use crate::kill::{from_environment, seed};
use crate::support::{ALONE, Installation, Process, Shape, clock, until};

const PEOPLE: u64 = 40_000;
/// When a command is killed: early, with much of its work before it.
const ROWS: std::ops::Range<i64> = 1..25_000;
const NEXT_CENTURY: &str = "at = \"2099-01-01T09:00\"\ntime_zone = \"Asia/Singapore\"";

const PROFILE: &str = r#"
keep_requests = 0
answer_after = { median = "10ms", spread = 2.0 }
[channel.SMS]
reject = 0.0
undelivered = 0.0
silent = 0.0
delivered = 1.0
sent_after = { median = "20ms", spread = 2.0 }
delivered_after = { median = "50ms", spread = 2.0 }
"#;

const IMPORTED: &str = "SELECT max(n) FROM recipient WHERE audience = (SELECT max(id) FROM audience WHERE ready = 0)";
const LAID_OUT: &str = "SELECT max(n) FROM message WHERE batch = (SELECT max(id) FROM batch WHERE state = 0)";
const CALLED_OFF: &str = "SELECT count(*) FROM batch WHERE state IN (5, 6)";

struct Desk {
    seed: u64,
    rng: fastrand::Rng,
    site: Installation,
    kills: usize,
}

impl Desk {
    async fn new(seed: u64) -> Self {
        let shape = Shape { seed, profile: PROFILE.to_owned(), rate: 2_000, batch: None, connections: 64 };
        let mut site = Installation::new(&shape).await;
        site.write_people("people.csv", 0..PEOPLE);
        site.write_people("more.csv", PEOPLE..2 * PEOPLE);
        site.serve().await;
        Self { seed, rng: fastrand::Rng::with_seed(seed), site, kills: 0 }
    }

    fn campaign(&self, name: &str, audience: &str, more: &str) {
        let file = format!(
            "name = \"{name}\"\naudience = \"{audience}\"\n{more}\n\
             [[step]]\nchannel = \"SMS\"\ntext = \"Hi {{{{FirstName}}}}\"\nreceipt_window = \"5s\"\n"
        );
        std::fs::write(self.site.path(&format!("{name}.toml")), file).unwrap();
    }

    /// Waits until a number in the database is large enough. The command must not have ended by then.
    async fn reached(&mut self, sql: &'static str, least: i64) {
        let (seed, clock) = (self.seed, clock());
        let give_up = clock.now() + Span::from_secs(60);
        loop {
            let now = self.site.look(sql).await.unwrap_or(-1);
            if now >= least {
                return;
            }
            assert!(clock.now() < give_up, "seed {seed}: {sql} has not reached {least} within a minute, only {now}");
            clock.sleep(Span::from_millis(1)).await;
        }
    }

    async fn kill(&mut self, command: Process) {
        if let Some(ended) = command.kill().await {
            panic!("seed {}: it was done before it could be killed: {} {}", self.seed, ended.stdout, ended.stderr);
        }
        self.kills += 1;
    }

    async fn kill_server(&mut self) {
        self.site.kill_server().await;
        self.kills += 1;
    }

    async fn names(&self, of: &str) -> Vec<Value> {
        let list = self.site.volley(&[of, "list", "--json"]).await.json();
        list.as_array().unwrap().iter().map(|entry| entry["name"].clone()).collect()
    }

    async fn import_is_killed(&mut self, name: &str, with_server: bool) {
        let import = ["audience", "import", "people.csv", "--name", name, "--json"];
        let running = self.site.begin(&import);
        let rows = self.rng.i64(ROWS);
        self.reached(IMPORTED, rows).await;
        self.kill(running).await;
        if with_server {
            self.kill_server().await;
            self.site.serve().await;
        }
        assert!(!self.names("audience").await.contains(&name.into()), "seed {}: half an audience shows", self.seed);
        assert_eq!(self.site.volley(&import).await.json()["valid"], PEOPLE, "seed {}", self.seed);
        let names = self.names("audience").await;
        assert_eq!(names.iter().filter(|shown| **shown == name).count(), 1, "seed {}: {names:?}", self.seed);
    }

    async fn append_is_killed(&mut self, name: &str) {
        let append = ["audience", "import", "more.csv", "--append", name, "--json"];
        let running = self.site.begin(&append);
        let rows = self.rng.i64(ROWS);
        self.reached(IMPORTED, rows).await;
        self.kill(running).await;
        let show = ["audience", "show", name, "--json"];
        let seed = self.seed;
        assert_eq!(self.site.volley(&show).await.json()["recipients"], PEOPLE, "seed {seed}: half a part shows");
        assert_eq!(self.site.volley(&append).await.json()["added"], PEOPLE, "seed {seed}");
        let shown = self.site.volley(&show).await.json();
        assert_eq!(
            (&shown["recipients"], shown["parts"].as_array().unwrap().len()),
            (&(2 * PEOPLE).into(), 2),
            "{seed}"
        );
    }

    async fn launch_is_killed(&mut self, name: &str, at: &'static str, with_server: bool) {
        let file = format!("{name}.toml");
        let launch = ["campaign", "launch", &file, "--json"];
        let running = self.site.begin(&launch);
        let rows = self.rng.i64(ROWS);
        self.reached(at, rows).await;
        self.kill(running).await;
        if with_server {
            self.kill_server().await;
            self.site.serve().await;
        }
        assert!(!self.names("campaign").await.contains(&name.into()), "seed {}: half a campaign shows", self.seed);
        let launched = self.site.volley(&launch).await.json();
        assert_eq!((&launched["messages"], &launched["state"]), (&PEOPLE.into(), &"scheduled".into()), "{launched}");
        let names = self.names("campaign").await;
        assert_eq!(names.iter().filter(|shown| **shown == name).count(), 1, "seed {}: {names:?}", self.seed);
    }

    /// Cancels a campaign that has not begun, and kills the given processes once the cancel is on disk.
    async fn cancel_is_killed(&mut self, name: &str, command_too: bool, server_too: bool) {
        let cancel = ["campaign", "cancel", name, "--json"];
        let before = self.site.look(CALLED_OFF).await.unwrap_or(0);
        let running = self.site.begin(&cancel);
        self.reached(CALLED_OFF, before + 1).await;
        if server_too {
            self.kill_server().await;
        }
        if command_too {
            // It may have ended by now: a cancel is quick.
            self.kills += usize::from(running.kill().await.is_none());
        } else {
            running.ended().await.json();
        }
        // The counters are right at once, before the rows are.
        let report = self.site.report(name).await;
        assert_eq!(report["outcomes"]["cancelled"], PEOPLE, "seed {}: {report}", self.seed);
        if server_too {
            self.site.serve().await;
        }
        self.is_cancelled(name).await;
        // Repeated, it finds the campaign cancelled.
        let again = self.site.volley(&cancel).await.json();
        assert_eq!(again["state"], "cancelled", "seed {}: {again}", self.seed);
    }

    async fn is_cancelled(&self, name: &str) -> Value {
        let what = format!("seed {}: {name} is cancelled, and every message has its outcome", self.seed);
        until(&what, Span::from_secs(120), || async {
            let report = self.site.report(name).await;
            if report["state"] == "cancelled" && report["open"] == 0 { Ok(report) } else { Err(report) }
        })
        .await
    }

    /// Cancels a running campaign, and kills the server before it has noted the cancel.
    async fn cancel_under_way(&mut self) {
        let seed = self.seed;
        self.campaign("under-way", "imported-1", "");
        self.site.volley(&["campaign", "launch", "under-way.toml", "--json"]).await.json();
        let seen = self.site.provider.seen().await;
        let some = seen.messages + self.rng.u64(50..1_000);
        assert!(self.site.provider.wait_until_seen(&format!("messages={some}"), 60).await.is_some(), "seed {seed}");
        let before = self.site.look(CALLED_OFF).await.unwrap_or(0);
        let cancel = self.site.begin(&["campaign", "cancel", "under-way", "--json"]);
        self.reached(CALLED_OFF, before + 1).await;
        self.kill_server().await;
        cancel.ended().await.json();
        let when_cancelled = self.site.provider.seen().await.messages;
        self.site.serve().await;
        let report = self.is_cancelled("under-way").await;
        assert_eq!(self.site.provider.seen().await.messages, when_cancelled, "seed {seed}: something left after it");
        let number = |value: &Value| value.as_u64().unwrap();
        let outcomes: u64 = report["outcomes"].as_object().unwrap().values().map(number).sum();
        assert_eq!(outcomes, PEOPLE, "seed {seed}: {report}");
        let left = number(&report["steps"][0]["handed_over"]);
        assert_eq!(number(&report["outcomes"]["cancelled"]), PEOPLE - left, "seed {seed}: {report}");
        assert!(left >= when_cancelled && when_cancelled >= some, "seed {seed}: {report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_command_leaves_nothing_half_done_and_can_be_repeated() {
    let _alone = ALONE.lock().await;
    let seed = seed();
    // A few kills, or many in the long run, each at other rows.
    let times = from_environment("VOLLEY_KILLS").map_or(1, |kills| kills.div_ceil(100));
    println!("VOLLEY_KILL_SEED={seed}");
    let begun = clock().now();
    let mut kills = 0;
    for time in 0..times {
        let mut desk = Desk::new(seed.wrapping_add(time)).await;
        desk.import_is_killed("imported-1", false).await;
        desk.import_is_killed("imported-2", true).await;
        desk.campaign("launched-1", "imported-1", NEXT_CENTURY);
        desk.launch_is_killed("launched-1", LAID_OUT, false).await;
        desk.campaign("launched-2", "imported-2", NEXT_CENTURY);
        desk.launch_is_killed("launched-2", LAID_OUT, true).await;
        // This launch reads its recipients from a file, and is killed while it reads.
        desk.campaign("launched-3", "people.csv", NEXT_CENTURY);
        desk.launch_is_killed("launched-3", IMPORTED, false).await;
        desk.cancel_is_killed("launched-1", true, false).await;
        desk.cancel_is_killed("launched-2", false, true).await;
        desk.cancel_is_killed("launched-3", true, true).await;
        assert_eq!(desk.site.provider.seen().await.messages, 0, "seed {seed}: nothing of this was to leave");
        desk.cancel_under_way().await;
        desk.append_is_killed("imported-2").await;
        kills += desk.kills;
    }
    println!("{kills} kills in {}", clock().now().since(begun));
}
