//! `volley audit` refutes each change of a database outside the engine, by the claim that the change concerns.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, ConnectOptions, sqlite::SqliteConnectOptions};
use volley::base::clock::{Clock, ManualClock};
use volley::base::domain::{BatchId, Channel, MessageKey, Present, Span, State, StepIndex};
use volley::campaigns::campaign::Launched;
use volley::campaigns::report;
use volley::campaigns::story::{self, Audit};
use volley::store;

use crate::support::by_hand::{ByHand, is_awaiting};

const PEOPLE: u32 = 10;

fn route() -> String {
    let numbers: Vec<String> = (0..PEOPLE).map(|person| format!("\"+659100000{person}\"")).collect();
    format!(
        "name = \"audited\"\nnumbers = [{}]\nttl = \"1d\"\n\
         [[step]]\nchannel = \"Viber\"\nskip_when = [\"CN\"]\nfallback_after = \"15m\"\nreceipt_window = \"12h\"\n\
         text = \"Hello\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n",
        numbers.join(", ")
    )
}

const fn is_on_sms(present: &Present) -> bool {
    present.step.get() == 1 && matches!(present.state, State::Awaiting { .. })
}

/// A campaign whose first four recipients are reached on Viber, the third only by SMS. The others fall back; one is
/// delivered twice, one is not reached, and some are open.
pub(crate) async fn campaign(world: &ByHand) -> Launched {
    let launched = world.launch(&route()).await;
    let key = |n| MessageKey { batch: launched.batch, n };
    for n in 0..PEOPLE {
        world.until(key(n), "handed over", is_awaiting).await;
    }
    let post_receipt = async |n, step, state, code| {
        let channel = if step == 0 { Channel::Viber } else { Channel::Sms };
        world.post_receipt(&launched, (key(n), step), channel, state, code).await.unwrap();
    };
    for (n, state, code) in
        [(0, "delivered", None), (1, "read", None), (2, "undelivered", Some(2_008)), (3, "sent", None)]
    {
        post_receipt(n, 0, state, code).await;
    }
    post_receipt(3, 0, "delivered", None).await;
    world.advance_to(world.clock.now() + Span::from_secs(900)).await;
    for n in [2, 4, 5, 6, 7, 8, 9] {
        world.until(key(n), "fallen back", is_on_sms).await;
    }
    post_receipt(4, 1, "delivered", None).await;
    post_receipt(5, 1, "undelivered", Some(46)).await;
    post_receipt(6, 0, "delivered", None).await;
    post_receipt(6, 1, "delivered", None).await;
    launched
}

async fn audit_of(file: &Path, batch: BatchId) -> Audit {
    let clock = Arc::new(ManualClock::at(volley::base::domain::Timestamp::from_millis(1_900_000_000_000)));
    let store = store::open(&format!("sqlite://{}", file.display()), clock as Arc<dyn Clock>).await.unwrap();
    let audit = story::audit(store.as_ref(), batch, |_, _| {}).await.unwrap().unwrap();
    store.close().await;
    audit
}

fn refuted(audit: &Audit) -> BTreeSet<&'static str> {
    assert_eq!(audit.proven, audit.claims.iter().all(story::AuditClaim::holds));
    audit.claims.iter().filter(|claim| !claim.holds()).map(|claim| claim.claim).collect()
}

/// A change outside the engine, and the claim that must refute it.
const TAMPERED: &[(&str, &str)] = &[
    // Submitted again, on a step that was never queued.
    (
        "INSERT INTO attempt SELECT batch, n, 1, lane, queued, intent, answered, verdict, tries, code, detail, NULL, NULL, \
         ruling FROM attempt WHERE batch = 1 AND n = 0 AND step = 0",
        "hand_overs",
    ),
    ("DELETE FROM attempt WHERE batch = 1 AND n = 7 AND step = 0", "hand_overs"),
    ("UPDATE attempt SET intent = answered + 1 WHERE batch = 1 AND n = 0", "order"),
    (
        "UPDATE attempt SET umid = (SELECT umid FROM attempt WHERE batch = 1 AND n = 0 AND step = 0) \
         WHERE batch = 1 AND n = 1 AND step = 0",
        "umids",
    ),
    ("UPDATE message SET outcome = 2 WHERE batch = 1 AND n = 0", "outcomes"),
    ("UPDATE message SET outcome = 2 WHERE batch = 1 AND n = 0", "rules"),
    ("UPDATE message SET outcome = 1 WHERE batch = 1 AND n = 5", "outcomes"),
    ("UPDATE message SET skipped = 1 WHERE batch = 1 AND n = 0", "outcomes"),
    ("DELETE FROM receipt WHERE batch = 1 AND n = 0", "rules"),
    ("UPDATE receipt SET state = 'undelivered' WHERE batch = 1 AND n = 1", "rules"),
    (
        "INSERT INTO receipt (batch, n, step, stamp, state, detail, code, received, tries, ruling)
         SELECT batch, 9, 1, stamp, state, detail, code, received, tries, ruling FROM receipt WHERE n = 4",
        "rules",
    ),
    // Twice, without a recorded reason.
    (
        "INSERT INTO attempt SELECT batch, n, step, lane, queued, intent + 1000, answered + 1000, verdict, 1, code, detail, \
         NULL, NULL, ruling FROM attempt WHERE batch = 1 AND n = 0 AND step = 0",
        "hand_overs",
    ),
    ("UPDATE message SET notes = NULL WHERE batch = 1 AND n = 7", "rules"),
    ("UPDATE attempt SET ruling = ruling + 1 WHERE batch = 1 AND n = 0", "rules"),
    ("UPDATE receipt SET ruling = ruling + 1 WHERE batch = 1 AND n = 0", "rules"),
    ("UPDATE message SET address = address + 1 WHERE batch = 1 AND n = 0", "numbers"),
    ("UPDATE attempt SET verdict = 1 WHERE batch = 1 AND n = 0 AND step = 0", "rules"),
    ("UPDATE message SET marks = marks | (1 << 57) WHERE batch = 1 AND n = 0", "rules"),
    ("UPDATE message SET accepted = accepted + 3600000 WHERE batch = 1 AND n = 7", "rules"),
    ("UPDATE message SET first_submitted_at = first_submitted_at - 3600000 WHERE batch = 1 AND n = 7", "rules"),
    ("UPDATE message SET step = 0 WHERE batch = 1 AND n = 7", "rules"),
    ("UPDATE message SET due = accepted WHERE batch = 1 AND n = 7", "rules"),
    (
        "UPDATE message SET state = 3, outcome = 3, at = accepted + 1000, due = NULL WHERE batch = 1 AND n = 7",
        "deadlines",
    ),
    // The SMS was sent before the deadline of the step before it.
    (
        "UPDATE attempt SET queued = queued - 600000, intent = intent - 600000, answered = answered - 600000 \
         WHERE batch = 1 AND n = 7 AND step = 1",
        "deadlines",
    ),
    (
        "UPDATE attempt SET queued = queued - 600000, intent = intent - 600000, answered = answered - 600000 \
         WHERE batch = 1 AND n = 7 AND step = 1",
        "rules",
    ),
    // And two days after the first of them.
    (
        "UPDATE attempt SET intent = intent + 172800000, answered = answered + 172800000 \
         WHERE batch = 1 AND n = 7 AND step = 1",
        "in_time",
    ),
    ("UPDATE batch SET cancelled_at = created_at - 60000, state = 6 WHERE id = 1", "in_time"),
    (
        "INSERT INTO opt_out (address, since, source, words) SELECT address, first_submitted_at - 60000, 2, 'STOP' FROM message \
         WHERE batch = 1 AND n = 0",
        "in_time",
    ),
    ("UPDATE batch SET created_at = created_at + 60000 WHERE id = 1", "in_time"),
    ("UPDATE recipient SET country = 'CN' WHERE audience = 1 AND n = 0", "conditions"),
    (
        "UPDATE plan SET body = replace(body, 'Hello', 'Hallo') WHERE digest = (SELECT plan FROM batch WHERE id = 1)",
        "plan",
    ),
    ("UPDATE batch SET plan = (SELECT plan FROM batch WHERE id = 2) WHERE id = 1", "rules"),
    ("UPDATE tally SET n = n + 1 WHERE batch = 1 AND step = 0 AND count = 6", "counters"),
    ("UPDATE tally SET n = n + 1 WHERE batch = 1 AND step = 0 AND count = 6", "report"),
    ("DELETE FROM tally WHERE batch = 1 AND count = 28", "counters"),
    ("UPDATE tally SET n = n + 1 WHERE batch = 1 AND step = 1 AND count = 37", "totals"),
    ("DELETE FROM message WHERE batch = 1 AND n = 9", "totals"),
    ("DELETE FROM message WHERE batch = 1 AND n = 9", "counters"),
    ("UPDATE batch SET messages = messages + 1 WHERE id = 1", "totals"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_change_outside_the_engine_is_refuted_by_the_claim_it_concerns() {
    let world = ByHand::start("").await;
    let launched = campaign(&world).await;
    let other = "name = \"other\"\nnumbers = [\"+6592000000\"]\n[[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n";
    let other = world.launch(other).await;
    world.until(MessageKey { batch: other.batch, n: 0 }, "handed over", is_awaiting).await;
    assert_eq!((launched.batch, other.batch), (BatchId(1), BatchId(2)));
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.db");
    world.copy_to(&whole).await;
    world.stop().await;

    let audit = audit_of(&whole, launched.batch).await;
    assert_eq!(refuted(&audit), BTreeSet::new(), "{:#?}", audit.claims);
    assert_eq!((audit.messages, audit.attempt_count), (10, 17));
    let looked_at = audit.claims.iter().all(|claim| claim.checked > 0);
    assert!(looked_at, "a claim that looks at nothing: {:#?}", audit.claims);

    // A database of a version that did not count which messages entered a step.
    let old = folder.path().join("old.db");
    std::fs::copy(&whole, &old).unwrap();
    let mut connection = SqliteConnectOptions::new().filename(&old).connect().await.unwrap();
    sqlx::query("DELETE FROM tally WHERE count >= 36").execute(&mut connection).await.unwrap();
    drop(connection);
    let audit = audit_of(&old, launched.batch).await;
    assert_eq!(refuted(&audit), BTreeSet::new(), "{:#?}", audit.claims);

    for (index, (sql, claim)) in TAMPERED.iter().enumerate() {
        let copy = folder.path().join(format!("{index}.db"));
        std::fs::copy(&whole, &copy).unwrap();
        let mut connection = SqliteConnectOptions::new().filename(&copy).connect().await.unwrap();
        let done = sqlx::query(AssertSqlSafe(*sql)).execute(&mut connection).await.unwrap();
        assert!(done.rows_affected() > 0, "{sql} changes nothing");
        drop(connection);
        let audit = audit_of(&copy, launched.batch).await;
        let refuted = refuted(&audit);
        assert!(refuted.contains(claim), "{sql}\nis not refuted by {claim}, but by {refuted:?}");
        let found = audit.claims.iter().find(|found| found.claim == *claim).unwrap();
        assert!(!found.examples.is_empty(), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_attempts_are_listed_and_refute_nothing() {
    use crate::support::by_hand::ProviderAnswer;
    let world = ByHand::start("").await;
    world.set_answer(ProviderAnswer::Nothing);
    let launched = world.launch(&route()).await;
    let key = MessageKey { batch: launched.batch, n: 3 };
    world.until(key, "unknown", |present| present.marks.unknown(StepIndex::FIRST)).await;
    let audit = story::audit(world.store.as_ref(), launched.batch, |_, _| {}).await.unwrap().unwrap();
    assert_eq!(refuted(&audit), BTreeSet::new(), "{:#?}", audit.claims);
    let report = report::Report::read(world.store.as_ref(), &world.batch(&launched).await).await.unwrap();
    assert!(audit.unknown_count > 0);
    assert!(audit.unknown.iter().any(|unknown| unknown.step == 1 && unknown.message.starts_with("msg_")));
    assert_eq!(i64::try_from(audit.unknown_count), Ok(report.unknown_count));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_are_counted_and_each_try_is_a_fact() {
    let world = ByHand::start("").await;
    let launched = world.launch(&route()).await;
    let key = MessageKey { batch: launched.batch, n: 3 };
    world.until(key, "handed over", is_awaiting).await;
    world.post_receipt(&launched, (key, 0), Channel::Viber, "undelivered", Some(50)).await.unwrap();
    world.advance_to(world.clock.now() + Span::from_secs(10)).await;
    world.until(key, "tried again", |present| present.tries > 0 && is_awaiting(present)).await;
    let audit = story::audit(world.store.as_ref(), launched.batch, |_, _| {}).await.unwrap().unwrap();
    assert_eq!((audit.retried, refuted(&audit)), (1, BTreeSet::new()), "{:#?}", audit.claims);
    world.stop().await;
}
