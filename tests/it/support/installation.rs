//! A whole installation in a folder of its own: a configuration, a practice provider, a server that starts and
//! stops.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::path::PathBuf;

use parking_lot::Mutex;
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{ConnectOptions, Row};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use volley::base::domain::{Channel, Msisdn};

use super::process::{Ended, Process};
use super::provider::{Arrived, Provider, arrived};
use super::proxy::Proxy;

/// Ports that no operating system uses for outgoing connections, so no process takes ours while the server is down.
const PORTS: Range<u16> = 20_000..30_000;

/// How a world is made.
pub(crate) struct Shape {
    pub(crate) seed: u64,
    /// The practice provider's profile, in TOML.
    pub(crate) profile: String,
    /// Messages a second that each lane may send.
    pub(crate) rate: u32,
    /// Messages in a request, if they are sent in batches.
    pub(crate) batch: Option<u32>,
    /// Requests of a lane at the same time.
    pub(crate) connections: u32,
}

/// The practice provider's journal, which survives it.
const JOURNAL: &str = "provider.log";

pub(crate) struct Installation {
    pub(crate) provider: Provider,
    folder: TempDir,
    /// Killed when the world ends.
    simulator: Option<Process>,
    /// How it is started, without its seed.
    simulate: Vec<String>,
    server: Option<Process>,
    reader: OnceCell<SqlitePool>,
}

/// Where server and provider listen.
struct Ends {
    server: SocketAddr,
    provider: SocketAddr,
}

/// Server and provider reach each other through these.
pub(crate) struct Networks {
    pub(crate) way_out: Proxy,
    pub(crate) way_in: Proxy,
}

/// Ports that tests of this process have, some of which begin with the same seed.
static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

fn free_port(rng: &mut fastrand::Rng) -> SocketAddr {
    loop {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, rng.u16(PORTS)));
        if TAKEN.lock().insert(address.port()) && TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// A port for a test without a seed of its own.
pub(crate) fn free_address() -> SocketAddr {
    free_port(&mut fastrand::Rng::with_seed(u64::from(std::process::id())))
}

impl Ends {
    fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        Self { server: free_port(&mut rng), provider: free_port(&mut rng) }
    }
}

impl Installation {
    /// With a provider that runs and a server that does not.
    pub(crate) async fn new(shape: &Shape) -> Self {
        let ends = Ends::new(shape.seed);
        Self::between(shape, &ends, &ends, "").await
    }

    /// The same, with a network for each direction between the two; `settings` are added to `[provider]`.
    pub(crate) async fn apart(shape: &Shape, settings: &str) -> (Self, Networks) {
        let ends = Ends::new(shape.seed);
        let networks =
            Networks { way_out: Proxy::before(ends.provider).await, way_in: Proxy::before(ends.server).await };
        let seen = Ends { server: networks.way_in.address, provider: networks.way_out.address };
        (Self::between(shape, &ends, &seen, settings).await, networks)
    }

    /// `seen` has the address of each as the other uses it.
    async fn between(shape: &Shape, ends: &Ends, seen: &Ends, settings: &str) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("profile.toml"), &shape.profile).unwrap();
        let webhook = format!("http://{}/webhooks/8x8", seen.server);
        let listen = ends.provider.to_string();
        let simulate = ["simulate", "--json", "--listen", &listen, "--profile", "profile.toml", "--journal", JOURNAL]
            .iter()
            .chain(&["--webhook", &webhook, "--webhook-authorization", "Bearer practice", "--seed"])
            .map(|argument| (*argument).to_owned())
            .collect();
        let mut config = format!(
            "[database]\nurl = \"sqlite://volley.db\"\n\
             [server]\nlisten = \"{}\"\n\
             [provider]\nbase_url = \"http://{}\"\nsub_account = \"acme\"\napi_key = \"practice\"\n\
             webhook_authorization = \"Bearer practice\"\nconnections = {}\n{settings}\n",
            ends.server, seen.provider, shape.connections
        );
        if let Some(size) = shape.batch {
            writeln!(config, "send = \"batch\"\nbatch_size = {size}").unwrap();
        }
        for channel in ["WhatsApp", "Viber", "SMS"] {
            let tier = if channel == "WhatsApp" { "tier = \"unlimited\"\n" } else { "" };
            let name = channel.to_lowercase();
            let rate = shape.rate;
            write!(config, "[[lane]]\nname = \"{name}\"\nchannel = \"{channel}\"\nrate = \"{rate}/s\"\n{tier}")
                .unwrap();
        }
        std::fs::write(folder.path().join("volley.toml"), config).unwrap();
        let provider = Provider::at(&format!("http://{listen}"));
        let mut site = Self { provider, folder, simulator: None, simulate, server: None, reader: OnceCell::new() };
        site.simulate(shape.seed).await;
        site
    }

    /// Starts a provider that knows nothing of what an earlier one has accepted. Each start gives other ids.
    pub(crate) async fn simulate(&mut self, seed: u64) {
        assert!(self.simulator.is_none());
        let seed = seed.to_string();
        let arguments: Vec<&str> = self.simulate.iter().map(String::as_str).chain([seed.as_str()]).collect();
        let mut simulator = self.begin(&arguments);
        simulator.first_line().await;
        self.simulator = Some(simulator);
    }

    /// SIGKILL.
    pub(crate) async fn kill_simulator(&mut self) {
        let ended = self.simulator.take().unwrap().kill().await;
        assert!(ended.is_none(), "the simulator had ended by itself");
    }

    pub(crate) fn simulator(&self) -> &Process {
        self.simulator.as_ref().unwrap()
    }

    /// All messages that the provider has ever accepted, by its journal.
    pub(crate) fn journal(&self) -> Vec<Arrived> {
        let text = std::fs::read_to_string(self.path(JOURNAL)).unwrap();
        // A line that is being written at this moment is not accepted yet.
        arrived(&text[..text.rfind('\n').map_or(0, |last| last + 1)])
    }

    /// Where the server takes webhooks.
    pub(crate) fn webhooks(&self) -> String {
        let config = std::fs::read_to_string(self.path("volley.toml")).unwrap();
        let line = config.lines().find_map(|line| line.strip_prefix("listen = ")).unwrap();
        line.trim_matches('"').to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a recipient file with one row for each number. Numbers count up from +6591000000.
    pub(crate) fn write_people(&self, name: &str, people: Range<u64>) {
        let mut file = String::from("Mobile,FirstName\n");
        for person in people {
            writeln!(file, "+{},Ann {person}", number(person)).unwrap();
        }
        std::fs::write(self.path(name), file).unwrap();
    }

    pub(crate) fn begin(&self, arguments: &[&str]) -> Process {
        Process::start(self.folder.path(), arguments)
    }

    /// Runs a command to its end.
    pub(crate) async fn volley(&self, arguments: &[&str]) -> Ended {
        self.begin(arguments).ended().await
    }

    /// Starts a server, and returns once it listens.
    pub(crate) async fn serve(&mut self) {
        assert!(self.server.is_none());
        let mut server = self.begin(&["serve", "--json"]);
        server.first_line().await;
        self.server = Some(server);
    }

    /// Starts a server by a program that becomes it.
    pub(crate) async fn serve_by(&mut self, by: &[&str]) {
        assert!(self.server.is_none());
        let mut server = Process::start_by(self.folder.path(), by, &["serve", "--json"]);
        server.first_line().await;
        self.server = Some(server);
    }

    /// Starts a server, and returns at once.
    pub(crate) fn begin_to_serve(&mut self) {
        assert!(self.server.is_none());
        self.server = Some(self.begin(&["serve", "--json"]));
    }

    /// SIGKILL. It must not have ended by itself before.
    pub(crate) async fn kill_server(&mut self) {
        let server = self.server.take().unwrap();
        if let Some(ended) = server.kill().await {
            panic!("the server had ended by itself: {} {}", ended.status, ended.stderr);
        }
    }

    pub(crate) fn server(&self) -> &Process {
        self.server.as_ref().unwrap()
    }

    /// The running server, for a test that ends it in another way.
    pub(crate) fn take_server(&mut self) -> Process {
        self.server.take().unwrap()
    }

    /// A connection that reads the database beside all processes, and writes nothing.
    async fn reader(&self) -> &SqlitePool {
        let options = SqliteConnectOptions::new().filename(self.path("volley.db")).read_only(true);
        let open = async || SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        self.reader.get_or_init(open).await
    }

    /// Whether the database can be written now: no process holds its lock.
    pub(crate) async fn can_be_written(&self) -> bool {
        let options = SqliteConnectOptions::new().filename(self.path("volley.db"));
        let mut connection = options.busy_timeout(std::time::Duration::ZERO).connect().await.unwrap();
        let begun = sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await;
        begun.is_ok() && sqlx::query("ROLLBACK").execute(&mut connection).await.is_ok()
    }

    /// One number from the database; none without a row.
    pub(crate) async fn look(&self, sql: &'static str) -> Option<i64> {
        let row = sqlx::query(sql).fetch_optional(self.reader().await).await.unwrap();
        row.and_then(|row| row.get::<Option<i64>, _>(0))
    }

    /// The server's events about itself and the provider, to find out why a test has failed.
    pub(crate) async fn notes(&self) -> String {
        let sql = "SELECT concat_ws(' ', at, subject, origin, kind) FROM event ORDER BY id";
        let notes: Vec<String> = sqlx::query_scalar(sql).fetch_all(self.reader().await).await.unwrap();
        notes.join("\n")
    }

    /// Messages that are claimed and not recorded: their recipients and channels.
    pub(crate) async fn in_flight(&self) -> Vec<(Msisdn, Channel)> {
        let sql = "SELECT address, channel FROM message JOIN lane ON lane.id = message.lane WHERE state = 1";
        let rows = sqlx::query(sql).fetch_all(self.reader().await).await.unwrap();
        let one = |row: &sqlx::sqlite::SqliteRow| {
            let number = u64::try_from(row.get::<i64, _>(0)).unwrap();
            (Msisdn::try_from(number).unwrap(), Channel::from_code(row.get::<u8, _>(1)).unwrap())
        };
        rows.iter().map(one).collect()
    }

    pub(crate) async fn report(&self, campaign: &str) -> Value {
        self.volley(&["campaign", "report", campaign, "--json"]).await.json()
    }

    pub(crate) async fn show(&self, campaign: &str) -> Value {
        self.volley(&["campaign", "show", campaign, "--json"]).await.json()
    }
}

/// The number of a recipient.
pub(crate) fn number(person: u64) -> u64 {
    6_591_000_000 + person
}
