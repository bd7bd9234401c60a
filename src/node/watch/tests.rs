use std::collections::BTreeMap;

use super::super::build::Built;
use super::confirmations::BEGUN_WAITS;
use super::pulse::BEAT;
use super::*;
use crate::base::clock::{Chance, ManualClock};
use crate::base::config::Config;
use crate::base::events::Origin;
use crate::campaigns::campaign::{Draft, Launcher};
use crate::provider::client::{Broken, Client, Endpoint, Gate, RawAnswer, Transport};
use crate::sending::dispatch;
use crate::sending::receipts::Proofs;
use crate::sending::throttle::{Bucket, Pace, Tenure};
use crate::store::{self, HeldBy, Hold};

#[derive(Debug)]
struct Unreachable;

#[async_trait::async_trait]
impl Transport for Unreachable {
    async fn post(&self, _: Endpoint, _: Vec<u8>, _: Arc<dyn Gate>) -> std::result::Result<RawAnswer, Broken> {
        Err(Broken::NotOffered { why: "unreachable".to_owned() })
    }

    async fn details(&self, _: &crate::base::domain::Umid) -> std::result::Result<RawAnswer, Broken> {
        Err(Broken::NotOffered { why: "unreachable".to_owned() })
    }
}

fn paused(lane: &str, since: Timestamp) -> Hold {
    Hold::by_operator(lane, "", Origin::operator("Ann", None), since)
}

fn config() -> Config {
    let text = "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
                [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nrate = \"10/s\"\nsource = \"ACME\"\n";
    let path = std::path::Path::new("volley.toml");
    let none = std::iter::empty::<(&str, String)>();
    Config::read(Some((path, text)), std::iter::empty(), none).unwrap().config
}

/// A watch over one lane, with a clock that only the test advances.
async fn watch() -> (Watch, Arc<RunningLane>, Arc<ManualClock>) {
    let manual = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
    let clock = Arc::clone(&manual) as Arc<dyn Clock>;
    let store = store::open("sqlite::memory:", Arc::clone(&clock)).await.unwrap();
    let whole = config();
    let config = whole.lane("sms").unwrap().clone();
    let id = store.lanes(vec![("sms".to_owned(), config.channel)]).await.unwrap()[0].id;
    let (book, holds) = (Arc::new(Book::new(Arc::clone(&store))), Arc::new(Holds::default()));
    let lane = RunningLane::new(dispatch::LaneParts {
        id,
        client: Client::new(Box::new(Unreachable)),
        pace: Pace::new(Arc::new(Bucket::new(config.rate, config.burst, Arc::clone(&clock))), None),
        config,
        pairs: None,
        tier: None,
        holds: Arc::clone(&holds),
        tenure: Arc::new(Tenure::unending()),
        fleet: Arc::default(),
        book: Arc::clone(&book),
        clock: Arc::clone(&clock),
        chance: Arc::new(Chance::seeded(1)),
    });
    let store::Started { node, epoch, .. } = store::started(store.as_ref(), clock.now()).await;
    let ((_, missed), (_, slot_changes)) = (mpsc::channel(1), mpsc::channel(1));
    let decided = Arc::default();
    let gaps = Arc::new(Gaps::new(clock.now(), crate::sending::timers::Addresses::default()));
    let proofs = Proofs::new(&whole.provider);
    let (verifier_store, verifier_chance) = (Arc::clone(&store), Arc::new(Chance::seeded(1)));
    let verifier =
        Arc::new(Verifier::new(proofs, verifier_store, Arc::clone(&clock), verifier_chance, Arc::new(|_| {})));
    let lanes = vec![Arc::clone(&lane)];
    let built = Built { lanes: lanes.clone(), accounts: BTreeMap::new(), tiers: BTreeMap::new() };
    let overrides = Overrides::new(Arc::new(whole), built, Vec::new());
    let tenure = Arc::new(Tenure::new(epoch, clock.now()));
    let watch = Watch::new(WatchParts {
        node,
        store,
        tenure,
        book,
        holds,
        overrides,
        lanes,
        gaps,
        verifier,
        missed,
        slot_changes,
        decided,
        clock,
    });
    (watch, lane, manual)
}

async fn noted(watch: &Watch) -> u64 {
    watch.parts.store.nodes(Timestamp::from_millis(0)).await.unwrap()[0].noted
}

#[tokio::test]
async fn a_decision_is_applied_while_an_earlier_one_awaits_its_requests() {
    let (mut watch, lane, _) = watch().await;
    let begun = lane.begin();
    let first = watch.parts.store.hold(paused("sms", watch.parts.clock.now()), watch.parts.clock.now()).await.unwrap();
    watch.run_once().await.unwrap();
    assert!(watch.parts.holds.on_lane("sms").is_some());
    let second =
        watch.parts.store.hold(paused("viber", watch.parts.clock.now()), watch.parts.clock.now()).await.unwrap();
    watch.run_once().await.unwrap();
    assert!(watch.parts.holds.on_lane("viber").is_some(), "applied while the first is still unconfirmed");
    assert!(noted(&watch).await < first);
    // A request that begins now delays no decision.
    let _later = lane.begin();
    drop(begun);
    watch.run_once().await.unwrap();
    assert_eq!(noted(&watch).await, second);
}

#[tokio::test]
async fn deadlines_of_a_pause_fire_as_soon_as_the_campaign_resumes() {
    let (mut watch, _, clock) = watch().await;
    let (store, clock) = (Arc::clone(&watch.parts.store), clock as Arc<dyn Clock>);
    let text = "name = \"a\"\nnumbers = [\"+6590000001\"]\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";
    let (chance, config) = (Chance::seeded(1), config());
    let launcher =
        Launcher { store: store.as_ref(), clock: clock.as_ref(), chance: &chance, config: &config, by: Origin::SERVER };
    let batch = launcher.launch(&Draft::parse("a.toml", text).unwrap(), |_| None).await.unwrap().0.batch;
    let shift = |from, to| store.move_batch(batch, vec![from], to, None, clock.now());
    shift(BatchState::Running, BatchState::Paused).await.unwrap();
    watch.run_once().await.unwrap();
    let mut hints = store.signals().subscribe();
    shift(BatchState::Paused, BatchState::Running).await.unwrap();
    watch.run_once().await.unwrap();
    let hints: Vec<_> = std::iter::from_fn(|| hints.try_recv().ok()).collect();
    assert!(hints.contains(&Signal::Due { batch, at: clock.now() }), "{hints:?}");
}

#[tokio::test]
async fn an_unanswered_request_delays_a_confirmation_only_for_a_while() {
    let (mut watch, lane, clock) = watch().await;
    let _begun = lane.begin();
    let seq = watch.parts.store.hold(paused("sms", clock.now()), clock.now()).await.unwrap();
    watch.run_once().await.unwrap();
    assert!(noted(&watch).await < seq);
    clock.advance(BEGUN_WAITS);
    watch.run_once().await.unwrap();
    assert_eq!(noted(&watch).await, seq);
}

#[tokio::test]
async fn a_clock_jump_forward_is_recorded_as_a_gap_with_lost_receipts() {
    let (mut watch, _, clock) = watch().await;
    watch.run_once().await.unwrap();
    let (fell_asleep, slept) = (clock.now(), Span::from_secs(3_600));
    clock.jump(slept.millis());
    clock.advance(BEAT);
    watch.run_once().await.unwrap();
    let gap = Gap { from: fell_asleep - slept, until: clock.now() };
    let store = Arc::clone(&watch.parts.store);
    let kept = async || store.gaps().await.unwrap().iter().map(store::KeptGap::span).collect::<Vec<_>>();
    assert_eq!(watch.parts.gaps.lost_everywhere(), [gap]);
    assert_eq!(kept().await, [(gap.from, gap.until)]);
    // If the wall clock is set back, no more time passed for the provider than here.
    clock.jump(-slept.millis());
    clock.advance(BEAT);
    watch.run_once().await.unwrap();
    let short = (clock.now() - BEAT, clock.now());
    assert_eq!(kept().await.last(), Some(&short));
    assert_eq!(watch.parts.gaps.lost_everywhere(), [gap]);
}

#[tokio::test]
async fn a_hold_from_an_answer_applies_at_once_and_is_stored_by_the_next_look() {
    let (mut watch, _, clock) = watch().await;
    watch.run_once().await.unwrap();
    let refused = Hold { by: HeldBy::Answer, ..paused("sms", clock.now()) };
    watch.parts.holds.put(refused.clone(), clock.now());
    watch.run_once().await.unwrap();
    assert_eq!(watch.parts.store.holds().await.unwrap(), [refused]);
    clock.advance(LOOK);
    let (lane, none) = ("sms".to_owned(), String::new());
    watch.parts.store.release(lane, none, clock.now(), Origin::operator("Ann", None)).await.unwrap();
    watch.run_once().await.unwrap();
    assert_eq!((watch.parts.holds.on_lane("sms"), watch.parts.store.holds().await.unwrap()), (None, Vec::new()));
}

#[tokio::test]
async fn a_beat_renews_the_lease_or_ends_the_tenure_of_a_superseded_server() {
    let (mut watch, _, clock) = watch().await;
    clock.advance(BEAT);
    watch.look().await;
    assert_eq!(watch.parts.tenure.renewed(), clock.now());
    assert_eq!(watch.parts.store.lease().await.unwrap().renewed, clock.now());
    store::started(watch.parts.store.as_ref(), clock.now()).await;
    clock.advance(BEAT);
    watch.look().await;
    assert!(watch.parts.tenure.has_ended());
}

#[tokio::test]
async fn only_a_look_that_writes_ends_a_failure_of_the_database() {
    let (mut watch, _, clock) = watch().await;
    clock.advance(BEAT);
    watch.look().await;
    watch.failure.begins();
    // No beat is due, and a full disk can be read all the time.
    clock.advance(Span::from_millis(1));
    watch.look().await;
    assert_eq!(watch.parts.store.lease().await.unwrap().renewed, clock.now());
    assert!(!watch.failure.lasts());
}
