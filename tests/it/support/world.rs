//! A whole installation in this process: the simulator and a node over real HTTP, a database in a temporary folder.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use volley::base::clock::{Chance, Clock, RealClock};
use volley::base::config::{self, Config, Loaded};
use volley::base::domain::{Count, Outcome, Span, Tallies, Umid};
use volley::base::events::Origin;
use volley::campaigns::campaign::{Draft, Launched, Launcher};
use volley::campaigns::report::Report;
use volley::http::api::{self, ApiParts, Door};
use volley::node::{Node, NodeFailure, NodeParts, Os, StartError};
use volley::practice::simulator::{self, Model, Profile, WebhookTarget};
use volley::provider::client::{Broken, Endpoint, Gate, Http, RawAnswer, Transport, install_tls};
use volley::sending::dispatch::LaneStatus;
use volley::store::{self, Batch, Epoch, Store};

use super::numbers;

pub(crate) const SECRET: &str = "hook-secret";

/// How long a condition may take to come true before the test fails with what it saw last. Far longer than anything here
/// takes, because a busy machine must not fail a test, and longer than a gap holds deadlines, because a machine that
/// stalls for a moment leaves a gap.
const PATIENCE: Duration = Duration::from_secs(180);

pub(crate) struct World {
    pub(crate) config: Arc<Config>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Arc<Chance>,
    pub(crate) webhook: String,
    provider: String,
    way: Way,
    client: reqwest::Client,
    node: Option<Node>,
    serving: Option<tokio::task::JoinHandle<()>>,
    door: Arc<Door>,
    stop_simulator: CancellationToken,
    _folder: tempfile::TempDir,
}

/// What a test sets of its installation; everything else has a sensible default.
pub(crate) struct Setup {
    pub(crate) profile: Profile,
    /// Added to `[provider]`.
    pub(crate) provider: &'static str,
    /// Added to the WhatsApp lane.
    pub(crate) whatsapp: &'static str,
    pub(crate) rate: &'static str,
    /// Whole lanes beside those of WhatsApp, Viber and SMS.
    pub(crate) lanes: &'static str,
    pub(crate) way: Way,
}

/// What happens to a request between its begin and the provider.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// It arrives after this time.
    Takes(Span),
    /// The worker that sends it panics.
    Panics,
}

impl Default for Setup {
    fn default() -> Self {
        let whatsapp = "tier = \"unlimited\"";
        Self {
            profile: Profile::perfect(),
            provider: "",
            whatsapp,
            rate: "2000/s",
            lanes: "",
            way: Way::Takes(Span::ZERO),
        }
    }
}

/// The fates of a channel's messages: the shares that are rejected, undelivered, silent and delivered.
pub(crate) type Fates = [f64; 4];
pub(crate) const REJECTED: Fates = [1.0, 0.0, 0.0, 0.0];
pub(crate) const SILENT: Fates = [0.0, 0.0, 1.0, 0.0];
pub(crate) const DELIVERED: Fates = [0.0, 0.0, 0.0, 1.0];

/// A fast provider with these fates on these channels.
pub(crate) fn fates(channels: &[(&str, Fates)]) -> Profile {
    let channels = channels.iter().map(|(channel, [reject, undelivered, silent, delivered])| {
        format!(
            "[channel.{channel}]\nreject = {reject:?}\nundelivered = {undelivered:?}\nsilent = {silent:?}\n\
             delivered = {delivered:?}\n"
        )
    });
    Profile::from_toml(&format!("speed = 1000.0\n{}", channels.collect::<String>())).unwrap()
}

/// HTTP with such a delay or panic before it.
#[derive(Debug)]
struct Behind {
    http: Http,
    way: Way,
    clock: Arc<dyn Clock>,
}

#[async_trait::async_trait]
impl Transport for Behind {
    async fn post(&self, to: Endpoint, body: Vec<u8>, gate: Arc<dyn Gate>) -> Result<RawAnswer, Broken> {
        match self.way {
            Way::Takes(span) => self.clock.sleep(span).await,
            Way::Panics => panic!("lost on the way"),
        }
        self.http.post(to, body, gate).await
    }

    async fn details(&self, umid: &Umid) -> Result<RawAnswer, Broken> {
        self.http.details(umid).await
    }
}

impl Setup {
    pub(crate) async fn start(self) -> World {
        install_tls();
        let clock: Arc<dyn Clock> = Arc::new(RealClock::new());
        let chance = Arc::new(Chance::seeded(7));
        let folder = tempfile::tempdir().unwrap();
        let api_listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let webhook = format!("http://{}/webhooks/8x8", api_listener.local_addr().unwrap());

        let simulator = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = format!("http://{}", simulator.local_addr().unwrap());
        let mut target = WebhookTarget::new(webhook.clone());
        target.secret = Some(SECRET.to_owned().into());
        let model = Model::new(self.profile, 11, clock.now()).with_key(Some("test".to_owned()));
        let stop_simulator = CancellationToken::new();
        tokio::spawn(simulator::serve(
            simulator,
            model,
            simulator::SimulatorOptions { webhook: Some(target), journal: None },
            Arc::clone(&clock),
            stop_simulator.clone(),
        ));

        let secret_file = folder.path().join("hook.key");
        std::fs::write(&secret_file, SECRET).unwrap();
        let text = format!(
            "[provider]\nbase_url = \"{provider}\"\nsub_account = \"acme\"\napi_key = \"test\"\n\
             webhook_secret_file = \"{}\"\n{}\n\
             [[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\nrate = \"{rate}\"\n{}\n\
             [[lane]]\nname = \"viber\"\nchannel = \"Viber\"\nrate = \"{rate}\"\n\
             [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nrate = \"{rate}\"\nsource = \"ACME\"\n{lanes}",
            secret_file.display(),
            self.provider,
            self.whatsapp,
            rate = self.rate,
            lanes = self.lanes,
        );
        let path = folder.path().join("volley.toml");
        let none = std::iter::empty::<(&str, String)>();
        let config = Arc::new(Config::read(Some((&path, &text)), std::iter::empty(), none).unwrap().config);
        let url = format!("sqlite://{}", folder.path().join("volley.db").display());
        let store = store::open(&url, Arc::clone(&clock)).await.unwrap();
        let mut world = World {
            config,
            store,
            clock,
            chance,
            webhook,
            provider,
            way: self.way,
            client: reqwest::Client::new(),
            node: None,
            serving: None,
            door: Door::new(super::clock(), None, Vec::new()),
            stop_simulator,
            _folder: folder,
        };
        world.start_node(api_listener).await;
        world
    }
}

impl World {
    async fn start_node(&mut self, listener: TcpListener) {
        let parts = NodeParts {
            config: Arc::clone(&self.config),
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            chance: Arc::clone(&self.chance),
            processes: Arc::new(Os),
        };
        let transport = |lane: &config::Lane| -> Result<Box<dyn Transport>, StartError> {
            let http = Http::new(&lane.name, &lane.provider)?;
            Ok(Box::new(Behind { http, way: self.way, clock: Arc::clone(&self.clock) }))
        };
        let node = Node::start_over(parts, transport).await.unwrap();
        let parts = ApiParts {
            config: Arc::clone(&self.config),
            loaded: Arc::new(Loaded::without_sources(Config::clone(&self.config))),
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            chance: Arc::clone(&self.chance),
            intake: node.intake().unwrap(),
            verifier: node.door(),
            door: Arc::clone(&self.door),
            sources: node.sources(),
            commands: None,
        };
        self.serving = Some(tokio::spawn(async move { api::serve(listener, parts).await.unwrap() }));
        self.node = Some(node);
    }

    pub(crate) fn lanes(&self) -> Vec<LaneStatus> {
        self.node.as_ref().unwrap().lanes()
    }

    /// Waits until the node reports why it failed.
    pub(crate) async fn failed(&mut self) -> String {
        let failed = self.node.as_mut().unwrap().failed();
        match tokio::time::timeout(PATIENCE, failed).await.unwrap() {
            NodeFailure::Room(why) => why,
            other => panic!("the node failed otherwise: {other}"),
        }
    }

    /// Closes the provider's address.
    pub(crate) fn cut_provider(&self) {
        self.stop_simulator.cancel();
    }

    /// Stops everything in order.
    pub(crate) async fn stop(mut self) {
        let mut node = self.node.take().unwrap();
        node.stop_sending().await;
        node.stop_listening().await;
        self.stop_simulator.cancel();
        self.door.close();
        self.serving.take().unwrap().await.unwrap();
        node.stop().await.unwrap();
        self.store.close().await;
    }

    /// Launches a campaign to so many recipients in Singapore, with these steps.
    pub(crate) async fn launch(&self, people: u32, steps: &str) -> Launched {
        self.launch_text(&format!("{}\n{steps}", numbers(0..people))).await
    }

    pub(crate) async fn launch_text(&self, text: &str) -> Launched {
        let draft = Draft::parse("test.toml", text).unwrap();
        let launcher = Launcher {
            store: self.store.as_ref(),
            clock: self.clock.as_ref(),
            chance: &self.chance,
            config: &self.config,
            by: Origin::SERVER,
        };
        launcher.launch(&draft, |_| None).await.unwrap().0
    }

    pub(crate) async fn batch(&self, launched: &Launched) -> Batch {
        self.store.batch(launched.batch).await.unwrap().unwrap()
    }

    pub(crate) async fn tallies(&self, launched: &Launched) -> Tallies {
        self.store.tallies(launched.batch).await.unwrap()
    }

    pub(crate) async fn report(&self, launched: &Launched) -> Report {
        let report = Report::read(self.store.as_ref(), &self.batch(launched).await).await.unwrap();
        let ended: i64 = Outcome::ALL.iter().map(|outcome| report.outcome(*outcome)).sum();
        assert_eq!(ended + report.open, report.audience, "totals add up to the audience: {report:?}");
        report
    }

    /// Waits until a figure is reached.
    pub(crate) async fn until(&self, launched: &Launched, count: Count, at_least: i64) {
        self.when(&format!("{count} of at least {at_least}"), || async {
            let tallies = self.tallies(launched).await;
            let now = tallies.total(count);
            if now >= at_least { Ok(()) } else { Err(format!("{now}; {:?}", tallies.entries().collect::<Vec<_>>())) }
        })
        .await;
    }

    pub(crate) async fn until_state(&self, launched: &Launched, state: volley::base::domain::BatchState) -> Report {
        self.when(&format!("campaign to be {state}"), || async {
            let batch = self.batch(launched).await;
            if batch.state == state { Ok(()) } else { Err(self.state_of(launched).await) }
        })
        .await;
        self.report(launched).await
    }

    /// Everything that explains why a campaign does not progress.
    pub(crate) async fn state_of(&self, launched: &Launched) -> String {
        let batch = self.batch(launched).await;
        let tallies = self.tallies(launched).await;
        let counts: Vec<_> = tallies.entries().map(|(step, count, n)| format!("{step} {count}: {n}")).collect();
        let open = self.store.open_messages(launched.batch, None, 1).await.unwrap();
        let in_flight = self.store.in_flight(Epoch(u64::from(u32::MAX)), None, 1).await.unwrap();
        let lanes = self.node.as_ref().map(Node::lanes);
        format!("{} {counts:?}; first open {open:?}; first in flight {in_flight:?}; {lanes:?}", batch.state)
    }

    /// Waits until a condition holds; panics with what was seen last.
    pub(crate) async fn when<T, F: Future<Output = Result<T, String>>>(
        &self,
        what: &str,
        condition: impl Fn() -> F,
    ) -> T {
        let deadline = self.clock.now() + Span::from(PATIENCE);
        loop {
            match condition().await {
                Ok(value) => return value,
                Err(last) if self.clock.now() >= deadline => panic!("waited in vain for {what}; last seen: {last}"),
                Err(_) => self.clock.sleep(Span::from_millis(10)).await,
            }
        }
    }

    /// Switches faults of the provider on or off.
    pub(crate) async fn faults(&self, faults: Value) {
        let answer = self
            .client
            .post(format!("{}/simulator/faults", self.provider))
            .body(faults.to_string())
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// Lets a recipient write to us on WhatsApp.
    pub(crate) async fn hear_from(&self, msisdn: &str) {
        let body = serde_json::json!({ "msisdn": msisdn, "text": "Hello", "sub_account": "acme" });
        let sent = self.client.post(format!("{}/simulator/inbound", self.provider)).body(body.to_string()).send();
        let answer = sent.await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// What the provider has seen. In every test each request named one channel, and no message was sent twice.
    pub(crate) async fn seen(&self) -> Value {
        let text = self.get("/simulator/seen").await;
        let seen: Value = serde_json::from_str(&text).unwrap();
        for never in ["duplicates", "own_fallbacks", "not_one_channel", "with_fallback_text", "with_fallback_rule"] {
            assert_eq!(seen[never], json!(0), "{never}: {seen}");
        }
        seen
    }

    pub(crate) async fn get(&self, path: &str) -> String {
        self.client.get(format!("{}{path}", self.provider)).send().await.unwrap().text().await.unwrap()
    }

    /// Posts a webhook by hand; returns the status.
    pub(crate) async fn post_webhook(&self, body: &str, proof: Option<(&str, &str)>) -> u16 {
        let mut request = self.client.post(&self.webhook).body(body.to_owned());
        if let Some((header, value)) = proof {
            request = request.header(header, value);
        }
        request.send().await.unwrap().status().as_u16()
    }
}
