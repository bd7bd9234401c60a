//! A small world: a server run by hand, a clock that only the test moves, and a provider that answers what the test has
//! set.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::fate::AllGone;
use crate::base::clock::{Chance, Clock, ManualClock};
use crate::base::config::{self, Config};
use crate::base::domain::{BatchId, BatchState, Count, MessageKey, Msisdn, Present, Span, StepIndex, Timestamp, Umid};
use crate::base::events::Origin;
use crate::campaigns::campaign::{
    CampaignDecision, CarriedOut, DecidedBy, DecisionError, Draft, LaunchError, Launched, Launcher, Repeat, carry_out,
};
use crate::node::{ByHand, NodeParts, StartError};
use crate::practice::simulator::{Call, Method, Model, Reply, Webhook};
use crate::provider::client::{Broken, Endpoint, Gate, RawAnswer, Transport};
use crate::rules::forecast::Forecast;
use crate::store::{self, Store};

pub(super) const CONFIG: &str = "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
    webhook_authorization = \"hook\"\n\
    [[lane]]\nname = \"viber\"\nchannel = \"Viber\"\nrate = \"1000/s\"\n\
    [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nrate = \"1000/s\"\nsource = \"ACME\"\n";

/// What the provider answers to a query for message details.
#[derive(Debug, Clone, Copy)]
pub(super) enum DetailsAnswer {
    State(&'static str),
    /// The recipient reads it at the moment of the query.
    ReadNow,
    Status(u16, &'static str),
}

#[derive(Debug)]
pub(super) struct Provider {
    clock: Arc<ManualClock>,
    /// The answer for each message; the provider does not know other messages.
    pub(super) details_answers: Mutex<HashMap<MessageKey, DetailsAnswer>>,
    pub(super) asked: Mutex<Vec<(Timestamp, MessageKey)>>,
    pub(super) sms: Mutex<Vec<MessageKey>>,
    /// The messages that it accepted on other channels, and when.
    pub(super) taken: Mutex<Vec<(Timestamp, MessageKey)>>,
    /// The source of each SMS.
    pub(super) sources: Mutex<HashMap<MessageKey, String>>,
    /// Lanes whose send requests never reach the provider.
    pub(super) out: Mutex<HashSet<String>>,
    /// Lanes whose send requests and queries never reach the provider.
    pub(super) cut: Mutex<HashSet<String>>,
    /// The code with which it refuses every message but an SMS.
    pub(super) refuses: Mutex<Option<u32>>,
    /// Numbers whose requests a firewall refuses before the provider sees them, without a code of the provider.
    pub(super) forbidden: Mutex<HashSet<Msisdn>>,
    /// Whether connections break after a request was sent.
    pub(super) breaks: AtomicBool,
    /// The texts of the SMS, in the same order.
    pub(super) texts: Mutex<Vec<String>>,
    /// The lane of whose send requests one in ten is cut after the provider has read it, and the dice for that.
    pub(super) unsteady: Mutex<Option<(String, fastrand::Rng)>>,
    /// The practice provider, if it answers instead of the test.
    pub(super) model: Option<Mutex<Model>>,
    /// Its webhooks that are not posted yet.
    pub(super) webhooks: Mutex<Vec<Webhook>>,
}

impl Provider {
    /// Returns the answer of the practice provider. Its webhooks wait until a test posts them.
    fn call(&self, method: Method, path: &str, body: &[u8]) -> Option<Result<RawAnswer, Broken>> {
        let mut model = self.model.as_ref()?.lock();
        let (now, path) = (self.clock.now(), format!("/api/v1/subaccounts/acme/messages{path}"));
        self.webhooks.lock().extend(model.tick(now));
        let call = Call { method, path: &path, authorization: Some("Bearer k"), body };
        let Reply::Response { status, body, .. } = model.call(&call, now).reply else { panic!("cut") };
        Some(Ok(RawAnswer { status, retry_after: None, body: body.into() }))
    }
}

/// The failure code of a message that did not arrive because of its recipient.
const NOT_REACHED: u32 = 46;

/// Returns one of the recipients, all of whom are in Singapore.
pub(super) fn recipient(n: u32) -> Msisdn {
    format!("+659{:07}", 1_000_000 + n).parse().unwrap()
}

/// Returns these recipients as a campaign file lists them.
pub(super) fn numbers(recipients: Range<u32>) -> String {
    let listed: Vec<String> = recipients.map(|n| format!("\"{}\"", recipient(n))).collect();
    format!("numbers = [{}]", listed.join(","))
}

pub(super) fn key_of(id: &str) -> MessageKey {
    id.parse::<crate::base::domain::AttemptId>().unwrap().key
}

fn read(config: &str) -> Arc<Config> {
    let path = Path::new("volley.toml");
    let nothing = std::iter::empty::<(&str, String)>();
    Arc::new(Config::read(Some((path, config)), std::iter::empty(), nothing).unwrap().config)
}

#[derive(Debug)]
struct Line {
    provider: Arc<Provider>,
    lane: String,
}

impl Line {
    fn get_there(&self) -> Result<(), Broken> {
        if self.provider.cut.lock().contains(&self.lane) {
            return Err(Broken::NotOffered { why: "no route to host".to_owned() });
        }
        Ok(())
    }

    /// Accepts each message of a batch.
    fn take_batch(&self, request: &serde_json::Value) -> RawAnswer {
        let accept = |message: &serde_json::Value| {
            let id = message["clientMessageId"].as_str().unwrap();
            self.provider.taken.lock().push((self.provider.clock.now(), key_of(id)));
            serde_json::json!({ "umid": id, "clientMessageId": id, "status": { "state": "queued" } })
        };
        let messages: Vec<_> = request["messages"].as_array().unwrap().iter().map(accept).collect();
        let body = serde_json::json!({ "messages": messages }).to_string();
        RawAnswer { status: 200, retry_after: None, body: body.into() }
    }
}

#[async_trait::async_trait]
impl Transport for Line {
    async fn post(&self, to: Endpoint, body: Vec<u8>, gate: Arc<dyn Gate>) -> Result<RawAnswer, Broken> {
        self.get_there()?;
        if self.provider.out.lock().contains(&self.lane) {
            return Err(Broken::NotOffered { why: "connection refused".to_owned() });
        }
        if !gate.open() {
            return Err(Broken::Withdrawn);
        }
        let request: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let text = request.to_string();
        if self.provider.forbidden.lock().iter().any(|number| text.contains(&number.to_string())) {
            return Ok(RawAnswer { status: 403, retry_after: None, body: "<html>Forbidden</html>".into() });
        }
        if to.is_batch() {
            return Ok(self.take_batch(&request));
        }
        // Volley keeps all times itself, so a cancel has nothing to cancel at the provider.
        assert!(request["scheduled"].is_null(), "{request}");
        let id = request["clientMessageId"].as_str().unwrap().to_owned();
        if request["channels"][0]["channel"] == "SMS" {
            self.provider.sms.lock().push(key_of(&id));
            self.provider.texts.lock().push(request["content"]["text"].as_str().unwrap_or_default().to_owned());
            if let Some(source) = request["content"]["sms"]["source"].as_str() {
                self.provider.sources.lock().insert(key_of(&id), source.to_owned());
            }
        } else {
            self.provider.taken.lock().push((self.provider.clock.now(), key_of(&id)));
        }
        if let Some(code) = self.provider.refuses.lock().filter(|_| request["channels"][0]["channel"] != "SMS") {
            let body = serde_json::json!({ "code": code, "message": "refused" }).to_string();
            return Ok(RawAnswer { status: 400, retry_after: None, body: body.into() });
        }
        if self.provider.breaks.load(Ordering::Relaxed) {
            return Err(Broken::Sent { why: "connection reset".to_owned() });
        }
        if let Some(answered) = self.provider.call(Method::Post, "", &body) {
            let mut unsteady = self.provider.unsteady.lock();
            let dice = unsteady.as_mut().filter(|(lane, _)| *lane == self.lane).map(|(_, dice)| dice);
            return match dice.is_some_and(|dice| dice.u32(..10) == 0) {
                true => Err(Broken::Sent { why: "connection reset".to_owned() }),
                false => answered,
            };
        }
        let body = serde_json::json!({ "umid": id, "status": { "state": "queued" } });
        Ok(RawAnswer { status: 200, retry_after: None, body: body.to_string().into() })
    }

    async fn details(&self, umid: &Umid) -> Result<RawAnswer, Broken> {
        if self.provider.out.lock().contains(&self.lane) {
            return Err(Broken::NotOffered { why: "connection refused".to_owned() });
        }
        self.get_there()?;
        let now = self.provider.clock.now();
        if let Some(answered) = self.provider.call(Method::Get, &format!("/{}", umid.as_str()), b"") {
            return answered;
        }
        if umid.as_str().parse::<crate::base::domain::AttemptId>().is_err() {
            let body = r#"{"code":1300,"message":"Object wasn't found or is already expired"}"#;
            return Ok(RawAnswer { status: 404, retry_after: None, body: body.into() });
        }
        if umid.as_str().starts_with("00000000") {
            // A harmless read that names no message.
            let body = r#"{"code":1300}"#.into();
            return Ok(RawAnswer { status: 404, retry_after: None, body });
        }
        let key = key_of(umid.as_str());
        self.provider.asked.lock().push((now, key));
        let answer = self
            .provider
            .details_answers
            .lock()
            .get(&key)
            .copied()
            .unwrap_or(DetailsAnswer::Status(404, r#"{"code":1300}"#));
        let in_state = |state: &str, at: serde_json::Value| {
            let code = (state == "undelivered").then_some(2_008);
            let record = serde_json::json!({
                "umid": umid.as_str(), "channel": "Viber", "direction": "Outbound", "step": 1,
                "status": { "state": state, "errorCode": code, "timestamp": at },
                "user": { "msisdn": "+659100xxxx" }, "content": "**MASKED**"
            });
            (200, serde_json::json!({ "data": [record] }).to_string())
        };
        let (status, body) = match answer {
            DetailsAnswer::Status(status, body) => (status, body.to_owned()),
            DetailsAnswer::State(state) => in_state(state, "2027-01-15T08:00:10.00Z".into()),
            DetailsAnswer::ReadNow => in_state("read", now.rfc3339().into()),
        };
        Ok(RawAnswer { status, retry_after: None, body: body.into() })
    }
}

pub(super) struct World {
    pub(super) clock: Arc<ManualClock>,
    config: Arc<Config>,
    chance: Arc<Chance>,
    pub(super) store: Arc<dyn Store>,
    pub(super) provider: Arc<Provider>,
    pub(super) node: ByHand,
}

impl World {
    pub(super) async fn begin() -> Self {
        Self::beside(None).await
    }

    pub(super) async fn beside(model: Option<Model>) -> Self {
        Self::of(CONFIG, model).await
    }

    pub(super) async fn of(config: &str, model: Option<Model>) -> Self {
        Self::on("sqlite::memory:", config, model).await
    }

    /// Creates a world on a file, of which there can be a backup.
    pub(super) async fn on_file(folder: &tempfile::TempDir, model: Option<Model>) -> Self {
        Self::on(&format!("sqlite://{}", folder.path().join("volley.db").display()), CONFIG, model).await
    }

    /// Creates a world on this database.
    pub(super) async fn on(database: &str, config: &str, model: Option<Model>) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let config = read(config);
        let chance = Arc::new(Chance::seeded(5));
        let store = store::open(database, Arc::clone(&clock) as _).await.unwrap();
        let provider = Arc::new(Provider {
            clock: Arc::clone(&clock),
            details_answers: Mutex::default(),
            asked: Mutex::default(),
            sms: Mutex::default(),
            texts: Mutex::default(),
            sources: Mutex::default(),
            out: Mutex::default(),
            cut: Mutex::default(),
            taken: Mutex::default(),
            refuses: Mutex::default(),
            forbidden: Mutex::default(),
            breaks: AtomicBool::new(false),
            unsteady: Mutex::default(),
            model: model.map(Mutex::new),
            webhooks: Mutex::default(),
        });
        let node = Self::start(&clock, &config, &chance, &store, &provider).await;
        Self { clock, config, chance, store, provider, node }
    }

    async fn start(
        clock: &Arc<ManualClock>,
        config: &Arc<Config>,
        chance: &Arc<Chance>,
        store: &Arc<dyn Store>,
        provider: &Arc<Provider>,
    ) -> ByHand {
        let parts = NodeParts {
            config: Arc::clone(config),
            store: Arc::clone(store),
            clock: Arc::clone(clock) as _,
            chance: Arc::clone(chance),
            processes: Arc::new(AllGone),
        };
        let provider = Arc::clone(provider);
        let line = move |lane: &config::Lane| -> Result<Box<dyn Transport>, StartError> {
            Ok(Box::new(Line { provider: Arc::clone(&provider), lane: lane.name.clone() }))
        };
        ByHand::start(parts, line).await.unwrap()
    }

    /// Kills the server, and starts another one after this span.
    pub(super) async fn down_for(&mut self, span: Span) {
        self.node.watch().await;
        self.clock.advance(span);
        self.restart().await;
    }

    /// Changes the configuration, and restarts the server to apply it.
    pub(super) async fn configured(&mut self, config: &str) {
        self.config = read(config);
        self.restart().await;
    }

    pub(super) async fn restart(&mut self) {
        self.node = Self::start(&self.clock, &self.config, &self.chance, &self.store, &self.provider).await;
    }

    /// Loses the database, and starts a server on this backup of it. The provider remembers what was sent.
    pub(super) async fn restore(&mut self, backup: &Path) {
        let url = format!("sqlite://{}", backup.display());
        self.store = store::open(&url, Arc::clone(&self.clock) as _).await.unwrap();
        self.restart().await;
    }

    /// Carries out a decision, with or without the confirmation that a restored campaign needs.
    pub(super) async fn decide(
        &self,
        batch: BatchId,
        decision: CampaignDecision,
        confirms_restored: bool,
    ) -> Result<CarriedOut, DecisionError> {
        let batch = self.store.batch(batch).await.unwrap().unwrap();
        let by = DecidedBy { origin: Origin::operator("Ann", None), is_signed_in: false, confirms_restored };
        let whole = (self.store.as_ref(), self.config.as_ref());
        self.complete(carry_out(whole, self.clock.as_ref(), &batch, decision, &by)).await
    }

    pub(super) async fn launch(&self, recipients: u32, keys: &str) -> Launched {
        let text = format!(
            "{}\n{keys}\n[[step]]\nchannel = \"Viber\"\nfallback_after = \"15m\"\ntext = \"Hello\"\n\
             [[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n",
            numbers(0..recipients)
        );
        self.launch_of(&text).await
    }

    pub(super) async fn launch_of(&self, text: &str) -> Launched {
        let draft = Draft::parse("test.toml", text).unwrap();
        self.launcher().launch(&draft, |_| None).await.unwrap().0
    }

    pub(super) fn launcher(&self) -> Launcher<'_> {
        let (store, clock) = (self.store.as_ref(), self.clock.as_ref());
        Launcher { store, clock, chance: &self.chance, config: &self.config, by: Origin::SERVER }
    }

    /// Returns the forecast of a campaign that is launched now.
    pub(super) async fn forecast_of(&self, text: &str) -> Forecast {
        let draft = Draft::parse("test.toml", text).unwrap();
        let launcher = self.launcher();
        launcher.plan(&draft).await.unwrap().forecast.unwrap()
    }

    pub(super) async fn repeat(&self, launched: &Launched, again: &Repeat) -> Result<Launched, LaunchError> {
        let batch = self.store.batch(launched.batch).await.unwrap().unwrap();
        self.launcher().repeat(&batch, again).await
    }

    /// Sends everything that may be sent, and records the answers.
    pub(super) async fn send(&mut self) {
        self.node.watch().await;
        for _ in 0..10 {
            for lane in 0..self.config.lanes.len() {
                // Each look at the queues takes those of a higher rank first.
                for anyway in [true, false, false] {
                    self.node.claim(lane, anyway).await.unwrap();
                }
                while let Some(hand) = self.node.next(lane).await {
                    hand.await;
                }
            }
            self.node.record().await.unwrap();
            self.clock.advance(Span::from_millis(100));
        }
    }

    /// Cuts these lanes from the provider, or connects them again.
    pub(super) fn set_cut(&self, lanes: &[&str], is_cut: bool) {
        let mut cut = self.provider.cut.lock();
        for lane in lanes {
            if is_cut {
                cut.insert((*lane).to_owned())
            } else {
                cut.remove(*lane)
            };
        }
    }

    pub(super) fn set_details(&self, launched: &Launched, n: u32, answer: DetailsAnswer) {
        self.provider.details_answers.lock().insert(MessageKey { batch: launched.batch, n }, answer);
    }

    /// Lets this many seconds pass, and does everything that is due in each. It allows ten queries a second, so the
    /// asker has to keep its own rate.
    pub(super) async fn seconds(&mut self, seconds: u32) {
        for _ in 0..seconds {
            self.node.fire().await.unwrap();
            self.node.watch().await;
            for _ in 0..10 {
                self.node.ask().await.unwrap();
                self.clock.advance(Span::from_millis(102));
            }
        }
    }

    /// Lets this many seconds pass, in which the server lives and does nothing else.
    pub(super) async fn idle(&mut self, seconds: u32) {
        for _ in 0..seconds {
            self.clock.advance(Span::from_secs(1));
            self.node.watch().await;
        }
    }

    /// Posts a receipt for the first step.
    pub(super) async fn receipt(&mut self, launched: &Launched, n: u32, state: &str) {
        self.receipt_of_step(launched, &[n], 0, state).await;
    }

    pub(super) async fn receipt_of_step(&mut self, launched: &Launched, of: &[u32], step: usize, state: &str) {
        for n in of {
            let key = MessageKey { batch: launched.batch, n: *n };
            let umid = self.store.attempts(vec![key]).await.unwrap().concat()[step].umid.clone().unwrap();
            self.webhook(umid.as_str(), ["viber", "sms"][step], state, NOT_REACHED).await;
        }
    }

    /// Posts a receipt; `reason` is the code of a failure.
    async fn webhook(&mut self, umid: &str, channel: &str, state: &str, reason: u32) {
        let code = if state == "undelivered" { reason } else { 0 };
        let event = serde_json::json!({ "eventType": "outbound_message_status_changed", "payload": {
            "umid": umid, "subAccountId": "acme", "channel": channel, "status": { "state": state, "errorCode": code }
        } });
        self.node.take(&[event.to_string().as_bytes()]).await[0].clone().unwrap();
    }

    /// Posts a receipt for the latest attempt.
    pub(super) async fn receipt_of_try(&mut self, launched: &Launched, n: u32, state: &str) {
        self.receipt_for(launched, n, state, NOT_REACHED).await;
    }

    /// The same, with the code of a failure.
    pub(super) async fn receipt_for(&mut self, launched: &Launched, n: u32, state: &str, reason: u32) {
        let key = MessageKey { batch: launched.batch, n };
        let attempt = self.store.attempts(vec![key]).await.unwrap().concat().pop().unwrap();
        let channel = if attempt.step == StepIndex::FIRST { "viber" } else { "sms" };
        self.webhook(attempt.umid.unwrap().as_str(), channel, state, reason).await;
    }

    /// Completes an operator's decision. No server notes it, so this advances the clock until the wait for that ends.
    pub(super) async fn complete<T>(&self, decision: impl Future<Output = T>) -> T {
        tokio::pin!(decision);
        loop {
            tokio::select! {
                decided = &mut decision => return decided,
                () = tokio::task::yield_now() => self.clock.advance(Span::from_millis(1)),
            }
        }
    }

    pub(super) async fn moves(&mut self, launched: &Launched, from: BatchState, to: BatchState) {
        let now = self.clock.now();
        self.store.move_batch(launched.batch, vec![from], to, None, now).await.unwrap();
        self.node.watch().await;
    }

    pub(super) fn asked(&self) -> Vec<u32> {
        self.provider.asked.lock().iter().map(|(_, key)| key.n).collect()
    }

    pub(super) fn check_query_rate(&self) {
        let asked = self.provider.asked.lock();
        let pairs = asked.windows(2).filter(|pair| pair[1].0.since(pair[0].0) < Span::from_secs(1));
        assert_eq!(pairs.count(), 0, "{asked:?}");
    }

    pub(super) async fn message(&self, launched: &Launched, n: u32) -> Present {
        self.store.load(vec![MessageKey { batch: launched.batch, n }]).await.unwrap()[0].present
    }

    pub(super) async fn waived(&self, launched: &Launched) -> i64 {
        self.store.tallies(launched.batch).await.unwrap().total(Count::Waived)
    }
}
