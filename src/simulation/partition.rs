//! Partitions of an hour between server and provider, on a clock that only the test moves: of the way out, of the way
//! in, and of both.
//!
//! The oracle is the practice provider alone. A recipient whom Viber reached before the deadline gets nothing on
//! another channel. Each other recipient gets exactly one message there.

use std::collections::BTreeMap;

use super::small::{World, key_of, numbers};
use super::world::START;
use crate::base::clock::Clock;
use crate::base::domain::{Channel, MessageKey, Span, Timestamp};
use crate::campaigns::campaign::Launched;
use crate::practice::simulator::{MessageSeen, Model, Profile, REPEATS};
use crate::rules::engine::REPEATED_FOR;

/// Viber is slow: it delivers some messages at once, some after their deadline, some never.
const PROFILE: &str = r#"
[channel.Viber]
reject = 0.0
undelivered = 0.15
silent = 0.1
delivered = 0.65
sent_after = { median = "2s", spread = 2.0 }
delivered_after = { median = "150s", spread = 16.0 }
undelivered_after = { median = "150s", spread = 16.0 }
undelivered_codes = [2008]
[channel.SMS]
undelivered = 0.0
silent = 0.0
delivered = 1.0
"#;

/// Slightly less than the deadline: a webhook takes a moment to be posted and recorded.
const IN_TIME: Span = Span::from_secs(900 - 3);
/// The time that passes in one step of an hour's test.
const STEP: Span = Span::from_millis(1_020);

/// A webhook that was not acknowledged yet.
struct Waiting {
    event: Vec<u8>,
    at: Timestamp,
    tried: usize,
}

/// A server and a provider that posts webhooks, with ways between them that can be cut.
pub(super) struct Parted {
    pub(super) world: World,
    waiting: Vec<Waiting>,
    is_way_in_cut: bool,
    /// The time that passes in one step.
    step: Span,
}

impl Parted {
    pub(super) fn new(world: World) -> Self {
        Self { world, waiting: Vec::new(), is_way_in_cut: false, step: STEP }
    }

    pub(super) fn practice(seed: u64) -> Model {
        Model::new(Profile::from_toml(PROFILE).unwrap(), seed, START)
    }

    /// Cuts or mends the way of webhooks to the server.
    pub(super) fn cut_way_in(&mut self, is_cut: bool) {
        self.is_way_in_cut = is_cut;
    }

    /// Does everything that is due, and then lets some time pass.
    async fn step(&mut self) {
        self.world.node.fire().await.unwrap();
        self.world.node.watch().await;
        self.world.node.ask().await.unwrap();
        self.post_webhooks().await;
        self.world.node.retry_strays().await.unwrap();
        self.send().await;
        self.world.clock.advance(self.step);
    }

    pub(super) async fn pass(&mut self, span: Span) {
        let until = self.world.clock.now() + span;
        while self.world.clock.now() < until {
            self.step().await;
        }
    }

    /// Posts due webhooks. One that is not acknowledged is repeated after 1, 10, 30 and 90 s, and then dropped.
    async fn post_webhooks(&mut self) {
        let now = self.world.clock.now();
        let model = self.world.provider.model.as_ref().unwrap();
        let mut posted = model.lock().tick(now);
        posted.extend(self.world.provider.webhooks.lock().drain(..));
        self.waiting.extend(posted.into_iter().map(|webhook| Waiting { event: webhook.event, at: now, tried: 0 }));
        let (due, later): (Vec<Waiting>, Vec<Waiting>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|waiting| waiting.at <= now);
        self.waiting = later;
        if self.is_way_in_cut {
            let again = due.into_iter().filter_map(|Waiting { event, tried, .. }| {
                REPEATS.get(tried).map(|pause| Waiting { event, at: now + *pause, tried: tried + 1 })
            });
            self.waiting.extend(again);
            return;
        }
        let bodies: Vec<&[u8]> = due.iter().map(|waiting| waiting.event.as_slice()).collect();
        for taken in self.world.node.take(&bodies).await {
            taken.unwrap();
        }
    }

    async fn send(&mut self) {
        for lane in 0..2 {
            self.world.node.claim(lane, false).await.unwrap();
            while let Some(request) = self.world.node.next(lane).await {
                request.await;
            }
        }
        self.world.node.record().await.unwrap();
    }

    /// Returns every message that the provider took.
    pub(super) fn taken(&self) -> Vec<MessageSeen> {
        let model = self.world.provider.model.as_ref().unwrap().lock();
        (0..model.message_count()).filter_map(|n| model.message(n)).collect()
    }
}

/// What the provider knows of one recipient's messages.
#[derive(Debug, Default)]
struct Got {
    viber: Vec<MessageSeen>,
    sms: Vec<MessageSeen>,
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

impl Got {
    /// Returns how long after its acceptance Viber delivered it.
    fn delivered_after(&self) -> Option<Span> {
        let viber = &self.viber[0];
        viber.steps[0].delivered_at.as_deref().map(|delivered| at(delivered).since(at(&viber.accepted_at)))
    }
}

/// Returns how many needless SMS were sent.
fn judge(parted: &Parted, launched: &[&Launched], what: &str) -> usize {
    let mut got: BTreeMap<MessageKey, Got> = BTreeMap::new();
    for message in parted.taken() {
        let of = got.entry(key_of(message.client_message_id.as_deref().unwrap())).or_default();
        let list = if message.steps[0].channel == Channel::Viber { &mut of.viber } else { &mut of.sms };
        list.push(message);
    }
    let (mut needless, mut kinds) = (0, [0_u32; 3]);
    for launched in launched {
        for n in 0..launched.messages {
            let of = got.remove(&MessageKey { batch: launched.batch, n }).unwrap_or_default();
            assert_eq!(of.viber.len(), 1, "{what}: {n}: {of:?}");
            match of.delivered_after() {
                Some(after) if after < IN_TIME => {
                    kinds[0] += 1;
                    needless += of.sms.len();
                }
                // It came too late: the SMS may already have been sent, or not.
                Some(_) => {
                    kinds[1] += 1;
                    assert!(of.sms.len() <= 1, "{what}: {n}: {of:?}");
                }
                None => {
                    kinds[2] += 1;
                    assert_eq!(of.sms.len(), 1, "{what}: {n}: {of:?}");
                }
            }
        }
    }
    assert!(got.is_empty(), "{what}: {got:?}");
    assert!(kinds.iter().all(|count| *count > 0), "{what}: delivered, late and not at all: {kinds:?}");
    needless
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Out,
    In,
    Both,
}

/// Cuts for an hour, beginning this many seconds after the first campaign. A second campaign is launched meanwhile.
/// Returns how many needless SMS were sent.
async fn an_hour(cut: Cut, begins: u32, after_gap: &str, seed: u64) -> usize {
    let mut parted = Parted::new(World::beside(Some(Parted::practice(seed))).await);
    let first = parted.world.launch(80, &format!("name = \"first\"\nafter_gap = \"{after_gap}\"")).await;
    parted.pass(Span::from_secs(i64::from(begins))).await;
    let lanes = ["viber", "sms"];
    parted.world.set_cut(&lanes, cut != Cut::In);
    parted.cut_way_in(cut != Cut::Out);
    parted.pass(Span::from_secs(1_200)).await;
    let second = parted.world.launch(40, &format!("name = \"second\"\nafter_gap = \"{after_gap}\"")).await;
    parted.pass(Span::from_secs(2_400)).await;
    parted.world.set_cut(&lanes, false);
    parted.cut_way_in(false);
    parted.pass(Span::from_secs(2_400)).await;
    judge(&parted, &[&first, &second], &format!("{cut:?} from {begins} s on, seed {seed}"))
}

/// Cuts for an hour, beginning at these times and with these seeds; one of them, unless `VOLLEY_LONG` is set.
async fn needs_no_fallback(cut: Cut, cases: [(u32, u64); 2]) {
    let is_long = std::env::var_os("VOLLEY_LONG").is_some();
    let one = usize::from(cut == Cut::In);
    for (index, (begins, seed)) in cases.into_iter().enumerate().filter(|(index, _)| is_long || *index == one) {
        assert_eq!(an_hour(cut, begins, "ask", seed).await, 0, "case {index}, from {begins} s on");
    }
}

#[test]
fn server_and_practice_provider_agree_on_how_long_receipts_are_repeated() {
    let in_all: i64 = REPEATS.iter().map(|pause| pause.millis()).sum();
    assert_eq!(in_all, REPEATED_FOR.millis());
}

#[tokio::test]
async fn an_hour_without_a_way_out_causes_no_needless_fallback() {
    needs_no_fallback(Cut::Out, [(2, 1), (600, 2)]).await;
}

#[tokio::test]
async fn an_hour_without_a_way_in_causes_no_needless_fallback() {
    needs_no_fallback(Cut::In, [(2, 3), (600, 4)]).await;
}

#[tokio::test]
async fn an_hour_without_either_way_causes_no_needless_fallback() {
    needs_no_fallback(Cut::Both, [(2, 5), (600, 6)]).await;
}

/// Viber delivers to half of the recipients within seconds, and reports nothing of the others.
const HALF_SILENT: &str = r#"
[channel.Viber]
reject = 0.0
undelivered = 0.0
silent = 0.5
delivered = 0.5
sent_after = { median = "1s", spread = 1.5 }
delivered_after = { median = "2s", spread = 1.5 }
[channel.SMS]
undelivered = 0.0
silent = 0.0
delivered = 1.0
"#;

#[tokio::test]
async fn one_cut_request_in_ten_makes_no_fallback_late() {
    const RECIPIENTS: u32 = 400;
    const FALLBACK_AFTER: Span = Span::from_secs(20);
    const LATE: Span = Span::from_secs(3);
    let config = "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
        webhook_authorization = \"hook\"\n\
        [[lane]]\nname = \"viber\"\nchannel = \"Viber\"\nrate = \"40/s\"\nburst = 1\n\
        [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nrate = \"1000/s\"\nsource = \"ACME\"\n";
    let model = Model::new(Profile::from_toml(HALF_SILENT).unwrap(), 8, START);
    // Small steps: a failure lies between two answers, and not at the time of one.
    let mut parted = Parted { step: Span::from_millis(13), ..Parted::new(World::of(config, Some(model)).await) };
    *parted.world.provider.unsteady.lock() = Some(("viber".to_owned(), fastrand::Rng::with_seed(9)));
    let route = format!(
        "{}\n[[step]]\nchannel = \"Viber\"\nfallback_after = \"20s\"\ntext = \"Hello\"\n\
         [[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n",
        numbers(0..RECIPIENTS)
    );
    let launched = parted.world.launch_of(&route).await;
    parted.pass(Span::from_secs(60)).await;
    let (mut fallbacks, mut by_key) = (0, BTreeMap::<MessageKey, Got>::new());
    for message in parted.taken() {
        let of = by_key.entry(key_of(message.client_message_id.as_deref().unwrap())).or_default();
        let list = if message.steps[0].channel == Channel::Viber { &mut of.viber } else { &mut of.sms };
        list.push(message);
    }
    for n in 0..RECIPIENTS {
        let of = by_key.remove(&MessageKey { batch: launched.batch, n }).unwrap_or_default();
        assert_eq!(of.viber.len(), 1, "{n}: {of:?}");
        assert_eq!(of.sms.len(), usize::from(of.delivered_after().is_none()), "{n}: {of:?}");
        for sms in &of.sms {
            let late = at(&sms.accepted_at).since(at(&of.viber[0].accepted_at) + FALLBACK_AFTER);
            assert!(late <= LATE, "{n} fell back {late} late");
            fallbacks += 1;
        }
    }
    assert!(fallbacks > RECIPIENTS / 3, "{fallbacks}");
}

#[tokio::test]
async fn an_operator_who_chose_to_fall_back_after_gaps_sees_needless_fallbacks() {
    // This shows that the other tests could find needless fallbacks.
    assert!(an_hour(Cut::Both, 2, "fall_back", 7).await > 20);
}
