//! A server on a clock that is moved by hand, and a provider that answers as a test says: for tests of hours, or of
//! the order of events.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use tokio::sync::watch;
use volley::base::clock::{Chance, Clock, ManualClock};
use volley::base::config::{self, Config};
use volley::base::domain::{
    AttemptId, Channel, Loaded, MessageKey, Plan, Present, Span, State, StepIndex, Timestamp, Umid,
};
use volley::base::events::Origin;
use volley::campaigns::campaign::{self, Decided, Draft, LaunchError, Launched, Launcher, Prepared, SingleMessage};
use volley::campaigns::report::Report;
use volley::campaigns::story::{self, Story};
use volley::http::api::{ApiParts, Door};
use volley::node::{Node, NodeParts, Os, StartError};
use volley::provider::client::{Broken, Endpoint, Gate, RawAnswer, Transport};
use volley::sending::book::Book;
use volley::sending::receipts::{Intake, NotStored};
use volley::store::{self, Batch, Direction, Joined, LinkState, Store};

use super::until;

/// Far longer than anything here takes, in real time.
const PATIENCE: Span = Span::from_secs(60);
/// How far time advances with each look while the server has something to do.
const TICK: Span = Span::from_millis(10);

/// The `Authorization` of the provider's webhooks.
pub(crate) const AUTHORIZATION: &str = "Bearer agreed";

/// Viber, then an SMS after a quarter of an hour without a delivery.
pub(crate) const VIBER_THEN_SMS: &str = r#"
[[step]]
channel = "Viber"
fallback_after = "15m"
text = "Hello"
[[step]]
channel = "SMS"
text = "Hello"
"#;

/// What the provider answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProviderAnswer {
    Yes,
    No,
    /// It refuses, with this HTTP status and code.
    Refuses(u16, u32),
    /// The connection breaks once the request may have been read.
    Nothing,
    /// Not yet.
    Later,
}

#[derive(Debug)]
struct Provider {
    answer: watch::Receiver<ProviderAnswer>,
    /// Its answer to the next request alone.
    next_answer: Arc<Mutex<Option<ProviderAnswer>>>,
    /// What it knows of every message, for queries; nothing, unless a test sets it.
    knows: watch::Receiver<Option<&'static str>>,
    requests: Arc<Mutex<Vec<Value>>>,
}

#[async_trait::async_trait]
impl Transport for Provider {
    async fn post(&self, _: Endpoint, body: Vec<u8>, gate: Arc<dyn Gate>) -> Result<RawAnswer, Broken> {
        if !gate.open() {
            return Err(Broken::Withdrawn);
        }
        let request: Value = serde_json::from_slice(&body).unwrap();
        let id = request["clientMessageId"].as_str().unwrap().to_owned();
        self.requests.lock().push(request);
        let first = self.next_answer.lock().take();
        let answer = match first {
            Some(answer) => answer,
            None => *self.answer.clone().wait_for(|answer| *answer != ProviderAnswer::Later).await.unwrap(),
        };
        let (status, body) = match answer {
            ProviderAnswer::Yes => (200, json!({ "umid": id, "status": { "state": "queued" } })),
            ProviderAnswer::No => (400, json!({ "code": 1002, "message": "Invalid MSISDN" })),
            ProviderAnswer::Refuses(status, code) => (status, json!({ "code": code, "message": "No" })),
            ProviderAnswer::Nothing | ProviderAnswer::Later => {
                return Err(Broken::Sent { why: "the connection broke".to_owned() });
            }
        };
        Ok(RawAnswer { status, retry_after: None, body: body.to_string().into() })
    }

    async fn details(&self, umid: &Umid) -> Result<RawAnswer, Broken> {
        if let Some(state) = *self.knows.borrow() {
            let record = json!({
                "umid": umid.as_str(), "channel": "Viber", "direction": "Outbound", "createdAt": "2027-01-15T08:00:00Z",
                "status": { "state": state },
            });
            let body = json!({ "data": [record] }).to_string().into();
            return Ok(RawAnswer { status: 200, retry_after: None, body });
        }
        let body = json!({ "code": 1300, "message": "Object wasn't found or is already expired" });
        Ok(RawAnswer { status: 404, retry_after: None, body: body.to_string().into() })
    }
}

pub(crate) struct ByHand {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) chance: Arc<Chance>,
    config: Arc<Config>,
    node: Node,
    intake: Intake,
    answer: watch::Sender<ProviderAnswer>,
    next_answer: Arc<Mutex<Option<ProviderAnswer>>>,
    knows: watch::Sender<Option<&'static str>>,
    requests: Arc<Mutex<Vec<Value>>>,
    door: Arc<Door>,
    folder: tempfile::TempDir,
}

impl ByHand {
    /// Opens the door to webhooks, and returns its address.
    pub(crate) async fn open_door(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhooks/8x8", listener.local_addr().unwrap());
        let parts = ApiParts {
            config: Arc::clone(&self.config),
            loaded: Arc::new(config::Loaded::without_sources(Config::clone(&self.config))),
            store: Arc::clone(&self.store),
            clock: super::clock(),
            chance: Arc::clone(&self.chance),
            intake: self.intake.clone(),
            verifier: self.node.door(),
            door: Arc::clone(&self.door),
            sources: self.node.sources(),
            commands: None,
        };
        let serving = volley::http::api::serve(listener, parts);
        tokio::spawn(async move { serving.await.unwrap() });
        url
    }

    /// `lane` is added to the Viber lane.
    pub(crate) async fn start(lane: &str) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let (chance, folder) = (Arc::new(Chance::seeded(7)), tempfile::tempdir().unwrap());
        let text = format!(
            "[provider]\nbase_url = \"http://127.0.0.1:9\"\nsub_account = \"acme\"\napi_key = \"test\"\n\
             webhook_authorization = \"{AUTHORIZATION}\"\n\
             [[lane]]\nname = \"viber\"\nchannel = \"Viber\"\n{lane}\n\
             [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nsource = \"ACME\"\n\
             [[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\ntier = \"250\"\n"
        );
        let path = folder.path().join("volley.toml");
        let none = std::iter::empty::<(&str, String)>();
        let config = Arc::new(Config::read(Some((&path, &text)), std::iter::empty(), none).unwrap().config);
        let url = format!("sqlite://{}", folder.path().join("volley.db").display());
        let store = store::open(&url, Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        let ((answer, heard), (knows, known)) = (watch::channel(ProviderAnswer::Yes), watch::channel(None));
        let next_answer = Arc::<Mutex<Option<ProviderAnswer>>>::default();
        let (first, requests) = (Arc::clone(&next_answer), Arc::<Mutex<Vec<Value>>>::default());
        let kept = Arc::clone(&requests);
        let parts = NodeParts {
            config: Arc::clone(&config),
            store: Arc::clone(&store),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            chance: Arc::clone(&chance),
            processes: Arc::new(Os),
        };
        let transport = |_: &config::Lane| -> Result<Box<dyn Transport>, StartError> {
            Ok(Box::new(Provider {
                answer: heard.clone(),
                next_answer: Arc::clone(&first),
                knows: known.clone(),
                requests: Arc::clone(&kept),
            }))
        };
        let node = Node::start_over(parts, transport).await.unwrap();
        let intake = node.intake().unwrap();
        let door = Door::new(super::clock(), None, Vec::new());
        Self { store, clock, chance, config, node, intake, answer, next_answer, knows, requests, door, folder }
    }

    /// The requests that the provider has read, oldest first.
    pub(crate) fn requests(&self) -> Vec<Value> {
        self.requests.lock().clone()
    }

    pub(crate) fn set_answer(&self, answer: ProviderAnswer) {
        self.answer.send_replace(answer);
    }

    /// Sets its answer to the next request alone.
    pub(crate) fn set_next_answer(&self, answer: ProviderAnswer) {
        *self.next_answer.lock() = Some(answer);
    }

    /// Sets its answers to queries about messages.
    pub(crate) fn provider_knows(&self, state: &'static str) {
        self.knows.send_replace(Some(state));
    }

    /// Plans a campaign, as a launch of it would.
    pub(crate) async fn plan(&self, text: &str) -> Result<Prepared, LaunchError> {
        let draft = Draft::parse("test.toml", text).unwrap();
        let (store, clock) = (self.store.as_ref(), self.clock.as_ref());
        let launcher = Launcher { store, clock, chance: &self.chance, config: &self.config, by: Origin::SERVER };
        launcher.plan(&draft).await
    }

    pub(crate) async fn launch(&self, text: &str) -> Launched {
        let draft = Draft::parse("test.toml", text).unwrap();
        let (store, clock) = (self.store.as_ref(), self.clock.as_ref());
        let launcher = Launcher { store, clock, chance: &self.chance, config: &self.config, by: Origin::SERVER };
        launcher.launch(&draft, |_| None).await.unwrap().0
    }

    /// Sends single messages, as calls of the API do.
    pub(crate) async fn join(&self, plan: Plan, messages: Vec<SingleMessage>) -> Joined {
        let (store, clock) = (self.store.as_ref(), self.clock.as_ref());
        let launcher = Launcher { store, clock, chance: &self.chance, config: &self.config, by: Origin::SERVER };
        launcher.join(plan, messages).await.unwrap()
    }

    pub(crate) async fn batch(&self, launched: &Launched) -> Batch {
        self.store.batch(launched.batch).await.unwrap().unwrap()
    }

    pub(crate) async fn message(&self, key: MessageKey) -> Loaded {
        self.store.load(vec![key]).await.unwrap().pop().unwrap()
    }

    /// Advances time in small steps until a message is in the expected state.
    pub(crate) async fn until(&self, key: MessageKey, what: &str, is: impl Fn(&Present) -> bool) -> Present {
        self.when(what, async || {
            let present = self.message(key).await.present;
            if is(&present) { Ok(present) } else { Err(format!("{present:?}")) }
        })
        .await
    }

    /// Advances time until a harmless read has proven the way to the provider, which a broken request put in doubt.
    pub(crate) async fn until_reachable(&self) {
        let since = self.clock.now();
        let is_proven =
            |link: &LinkState| link.direction == Direction::Out && link.doubt.is_none() && link.proven > since;
        self.when("the way out is proven", async || {
            let links = self.store.links().await.unwrap();
            if links.iter().any(is_proven) { Ok(()) } else { Err(format!("{links:?}")) }
        })
        .await;
    }

    /// Advances time in small steps until a condition holds.
    pub(crate) async fn when<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
        let real = super::clock();
        let give_up = real.now() + PATIENCE;
        loop {
            match look().await {
                Ok(found) => return found,
                Err(last) => {
                    assert!(real.now() < give_up, "{what}: not so within {PATIENCE}; the last look: {last}");
                    self.clock.advance(TICK);
                    real.sleep(Span::from_millis(1)).await;
                }
            }
        }
    }

    /// Advances time at once, and waits until the server has seen the new time, so the leap does not count as a time in
    /// which it did not listen.
    pub(crate) async fn advance_to(&self, at: Timestamp) {
        for by in [at.since(self.clock.now()).millis() - 2_000, 1_000, 1_000] {
            self.clock.advance(Span::from_millis(by.max(0)));
            let now = self.clock.now();
            until("the server has beaten", PATIENCE, || async {
                let nodes = self.store.nodes(now).await.unwrap();
                if nodes.is_empty() {
                    // Its present work may itself wait for time to pass.
                    self.clock.advance(Span::from_millis(1));
                    return Err("not yet");
                }
                Ok(())
            })
            .await;
        }
    }

    /// A receipt from the provider, with our id.
    pub(crate) async fn post_receipt(
        &self,
        launched: &Launched,
        (key, step): (MessageKey, u8),
        channel: Channel,
        state: &str,
        code: Option<i64>,
    ) -> Result<(), NotStored> {
        self.intake.take(self.receipt(launched, (key, step), channel, state, code).into()).await
    }

    /// A receipt as the provider writes it.
    pub(crate) fn receipt(
        &self,
        launched: &Launched,
        (key, step): (MessageKey, u8),
        channel: Channel,
        state: &str,
        code: Option<i64>,
    ) -> String {
        let step = StepIndex::new(step).unwrap();
        let id = AttemptId { key, step, tag: launched.id.tag }.to_string();
        let body = json!({
            "namespace": "ChatApps",
            "eventType": "outbound_message_status_changed",
            "payload": {
                "umid": id, "clientMessageId": id, "channel": channel.as_str(),
                "status": { "state": state, "errorCode": code, "timestamp": self.clock.now().rfc3339() },
            },
        });
        body.to_string()
    }

    /// A message from a recipient, as the provider posts it, after `change`.
    pub(crate) async fn write(&self, umid: &str, channel: Channel, text: &str, change: impl FnOnce(&mut Value)) {
        let mut event = json!({
            "namespace": "ChatApps",
            "eventType": "inbound_message_received",
            "description": "ChatApps inbound message",
            "payload": {
                "umid": umid, "subAccountId": "acme", "timestamp": self.clock.now().rfc3339(),
                "user": { "msisdn": "+6591000001", "channelUserId": "6591000001", "name": "Ann" },
                "recipient": { "channel": channel.as_str().to_lowercase(), "channelId": "c-1" },
                "type": "Text",
                "content": { "text": text },
            },
        });
        change(&mut event["payload"]);
        self.intake.take(event.to_string().into()).await.unwrap();
    }

    pub(crate) async fn report(&self, launched: &Launched) -> Report {
        Report::read(self.store.as_ref(), &self.batch(launched).await).await.unwrap()
    }

    pub(crate) async fn story(&self, launched: &Launched, key: MessageKey) -> Story {
        self.story_in(self.batch(launched).await, key).await
    }

    pub(crate) async fn story_in(&self, batch: Batch, key: MessageKey) -> Story {
        let entry = Book::new(Arc::clone(&self.store)).get(batch.id).await.unwrap().unwrap();
        story::explain(self.store.as_ref(), &batch, &entry, key, self.clock.now(), None).await.unwrap().unwrap()
    }

    /// Changes the database as only a test or a failing disk does.
    pub(crate) async fn execute_sql(&self, sql: &'static str) {
        let file = SqliteConnectOptions::new().filename(self.folder.path().join("volley.db"));
        let mut connection = file.connect().await.unwrap();
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }

    /// A copy of the present database, for tests that tamper with it.
    pub(crate) async fn copy_to(&self, place: &std::path::Path) {
        let file = SqliteConnectOptions::new().filename(self.folder.path().join("volley.db"));
        let mut connection = file.connect().await.unwrap();
        sqlx::query("VACUUM INTO ?1").bind(place.to_str().unwrap()).execute(&mut connection).await.unwrap();
    }

    /// Cancels a campaign, as the command does.
    pub(crate) async fn cancel(&self, launched: &Launched) {
        let batch = self.batch(launched).await;
        let by = Origin::operator("ann", None);
        let cancelling = campaign::cancel(self.store.as_ref(), self.clock.as_ref(), &batch, &by);
        let decided = while_time_passes(&self.clock, cancelling).await.unwrap();
        assert!(matches!(decided, Decided::Saved(_)), "{decided:?}");
    }

    pub(crate) async fn pause(&self, launched: &Launched) {
        let batch = self.batch(launched).await;
        let by = Origin::operator("ann", None);
        let pausing = campaign::pause(self.store.as_ref(), self.clock.as_ref(), &batch, &by);
        let decided = while_time_passes(&self.clock, pausing).await.unwrap();
        assert!(matches!(decided, Decided::Saved(_)), "{decided:?}");
    }

    pub(crate) async fn resume(&self, launched: &Launched) {
        let batch = self.batch(launched).await;
        let by = Origin::operator("ann", None);
        let resuming = campaign::resume(self.store.as_ref(), self.clock.as_ref(), &batch, &by);
        let decided = while_time_passes(&self.clock, resuming).await.unwrap();
        assert!(matches!(decided, Decided::Saved(_)), "{decided:?}");
    }

    /// Stops everything in order.
    pub(crate) async fn stop(self) {
        let Self { node, intake, clock, door, .. } = self;
        door.close();
        drop(intake);
        while_time_passes(&clock, node.stop()).await.unwrap();
    }
}

/// Lets time pass while something runs.
async fn while_time_passes<T>(clock: &ManualClock, what: impl Future<Output = T>) -> T {
    let real = super::clock();
    tokio::pin!(what);
    loop {
        tokio::select! {
            done = &mut what => return done,
            () = real.sleep(Span::from_millis(1)) => clock.advance(TICK),
        }
    }
}

pub(crate) const fn is_awaiting(present: &Present) -> bool {
    matches!(present.state, State::Awaiting { .. })
}
