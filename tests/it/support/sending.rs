//! A server in this process that sends over real sockets to a test's provider, and receives nothing but answers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use tempfile::TempDir;
use volley::base::clock::{Chance, Clock};
use volley::base::config::{self, Config};
use volley::base::domain::{AttemptId, MessageKey, Present, Span, State, StepIndex};
use volley::base::events::Origin;
use volley::campaigns::campaign::{Draft, Launched, Launcher};
use volley::node::{Node, NodeParts, Os, StartError};
use volley::provider::client::{Http, Resolve, Transport, install_tls};
use volley::store::{self, Attempt, Hold, Store, Verdict};

use super::fake_provider::{Deeds, FakeProvider};
use super::{numbers, wait};

/// Far longer than anything here takes, in real time.
const PATIENCE: Span = Span::from_secs(60);

/// A template on WhatsApp, then an SMS. No deadline passes while a test runs, so each SMS has another reason.
const STEPS: &str = r#"
[[step]]
channel = "WhatsApp"
fallback_after = "20h"
lane = "{wa}"
[step.template]
name = "promo"
language = "en"
category = "UTILITY"
ttl = "12h"
[[step]]
channel = "SMS"
lane = "{sms}"
text = "Hello"
"#;

pub(crate) struct Sending {
    pub(crate) store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    chance: Arc<Chance>,
    config: Arc<Config>,
    node: Node,
    _folder: TempDir,
}

/// A pair of lanes, one for each step, to a provider and a subaccount of their own.
pub(crate) struct Lanes {
    pub(crate) name: String,
    /// The provider's address.
    pub(crate) url: String,
    /// `5/s`, or with a burst: `5/s burst 4`.
    pub(crate) rate: &'static str,
}

/// The fate of one message.
pub(crate) struct Fate {
    n: u32,
    /// Our id of it on its first step.
    pub(crate) id: String,
    pub(crate) present: Present,
    pub(crate) attempts: Vec<Attempt>,
    /// How the provider handled it on each step.
    pub(crate) deeds: [Deeds; 2],
}

impl Fate {
    pub(crate) fn is_unknown(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.verdict == Verdict::Unknown)
    }

    /// Whether the server counts it as submitted.
    pub(crate) const fn is_submitted(&self) -> bool {
        matches!(self.present.state, State::Awaiting { .. } | State::Done { .. })
    }

    pub(crate) const fn is_sending(&self) -> bool {
        matches!(self.present.state, State::Sending { .. })
    }
}

impl std::fmt::Display for Fate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verdicts: Vec<_> = self.attempts.iter().map(|attempt| (attempt.step.get(), attempt.verdict)).collect();
        write!(
            f,
            "message {} ({}): {:?} on step {}, attempts {verdicts:?}",
            self.n, self.id, self.present.state, self.present.step
        )?;
        for (deeds, step) in self.deeds.iter().zip(["WhatsApp", "SMS"]) {
            write!(f, ", {step} read {} times, carried out {} times", deeds.reads.len(), deeds.carried_out)?;
        }
        Ok(())
    }
}

impl Sending {
    /// `provider` is added to `[provider]`.
    pub(crate) async fn start(provider: &str, lanes: &[Lanes]) -> Self {
        Self::start_over(provider, lanes, |lane| Ok(Box::new(Http::new(&lane.name, &lane.provider)?))).await
    }

    /// The same, where `resolver` resolves the providers' names.
    pub(crate) async fn start_resolving_by(provider: &str, lanes: &[Lanes], resolver: Arc<dyn Resolve>) -> Self {
        let transport = |lane: &config::Lane| -> Result<Box<dyn Transport>, StartError> {
            Ok(Box::new(Http::resolving_by(&lane.name, &lane.provider, Arc::clone(&resolver))?))
        };
        Self::start_over(provider, lanes, transport).await
    }

    async fn start_over(
        provider: &str,
        lanes: &[Lanes],
        transport: impl Fn(&config::Lane) -> Result<Box<dyn Transport>, StartError>,
    ) -> Self {
        install_tls();
        let (clock, chance, folder) = (wait::clock(), Arc::new(Chance::seeded(7)), tempfile::tempdir().unwrap());
        let mut text = format!(
            "[provider]\nbase_url = \"http://127.0.0.1:9\"\nsub_account = \"none\"\napi_key = \"test\"\n{provider}\n"
        );
        for Lanes { name, url, rate } in lanes {
            let (rate, burst) = rate.split_once(" burst ").unwrap_or((rate, ""));
            let burst = if burst.is_empty() { String::new() } else { format!("burst = {burst}") };
            for (channel, more) in [("WhatsApp", "tier = \"unlimited\""), ("SMS", "source = \"ACME\"")] {
                writeln!(
                    text,
                    "[[lane]]\nname = \"{channel}-{name}\"\nchannel = \"{channel}\"\nrate = \"{rate}\"\n\
                     base_url = \"{url}\"\nsub_account = \"sub-{name}\"\n{burst}\n{more}"
                )
                .unwrap();
            }
        }
        let path = folder.path().join("volley.toml");
        let none = std::iter::empty::<(&str, String)>();
        let config = Arc::new(Config::read(Some((&path, &text)), std::iter::empty(), none).unwrap().config);
        let url = format!("sqlite://{}", folder.path().join("volley.db").display());
        let store = store::open(&url, Arc::clone(&clock)).await.unwrap();
        let parts = NodeParts {
            config: Arc::clone(&config),
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            chance: Arc::clone(&chance),
            processes: Arc::new(Os),
        };
        let node = Node::start_over(parts, transport).await.unwrap();
        Self { store, clock, chance, config, node, _folder: folder }
    }

    /// Launches a campaign to so many recipients on a pair of lanes.
    pub(crate) async fn launch(&self, lanes: &str, recipients: std::ops::Range<u32>) -> Launched {
        // Two campaigns launched at one moment would get the same name.
        let name = format!("{lanes} from {}", recipients.start);
        let steps = STEPS.replace("{wa}", &format!("WhatsApp-{lanes}")).replace("{sms}", &format!("SMS-{lanes}"));
        let draft = Draft::parse("test.toml", &format!("name = \"{name}\"\n{}\n{steps}", numbers(recipients))).unwrap();
        let launcher = Launcher {
            store: self.store.as_ref(),
            clock: self.clock.as_ref(),
            chance: &self.chance,
            config: &self.config,
            by: Origin::SERVER,
        };
        launcher.launch(&draft, |_| None).await.unwrap().0
    }

    /// The fate of each message of a campaign, by our facts and by the provider's.
    pub(crate) async fn fates(&self, launched: &Launched, provider: &FakeProvider) -> Vec<Fate> {
        let keys: Vec<MessageKey> = (0..launched.messages).map(|n| MessageKey { batch: launched.batch, n }).collect();
        let loaded = self.store.load(keys.clone()).await.unwrap();
        let attempts = self.store.attempts(keys.clone()).await.unwrap();
        let deeds: BTreeMap<String, Deeds> = provider.by_id();
        let one = |(((key, loaded), attempts), n)| {
            let id = |step| AttemptId { key, step: StepIndex::new(step).unwrap(), tag: launched.id.tag }.to_string();
            let of_step = |step| deeds.get(&id(step)).cloned().unwrap_or_default();
            let loaded: volley::base::domain::Loaded = loaded;
            Fate { n, id: id(0), present: loaded.present, attempts, deeds: [of_step(0), of_step(1)] }
        };
        keys.into_iter().zip(loaded).zip(attempts).zip(0..).map(one).collect()
    }

    /// Waits until each message is submitted, and returns their fates.
    pub(crate) async fn submitted(&self, launched: &Launched, provider: &FakeProvider) -> Vec<Fate> {
        wait::until("every message is submitted", PATIENCE, || async {
            let fates = self.fates(launched, provider).await;
            let open: Vec<String> = fates.iter().filter(|one| !one.is_submitted()).map(Fate::to_string).collect();
            if open.is_empty() { Ok(fates) } else { Err(format!("{open:#?} {:?}", self.node.lanes())) }
        })
        .await
    }

    /// The hold on a lane, by its answers.
    pub(crate) async fn hold(&self, lane: &str) -> Option<Hold> {
        self.store.holds().await.unwrap().into_iter().find(|hold| hold.lane == lane)
    }

    pub(crate) async fn release(&self, lane: &str) {
        let now = self.clock.now();
        self.store.release(lane.to_owned(), String::new(), now, Origin::operator("a test", None)).await.unwrap();
    }

    pub(crate) async fn stop(self) {
        self.node.stop().await.unwrap();
        self.store.close().await;
    }
}
