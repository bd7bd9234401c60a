//! Records decisions: each change applies only to the version of the message that it was decided on.

use std::collections::HashMap;
use std::fmt::Write as _;

use sqlx::SqliteConnection;

use super::Work;
use super::free_use::charge_beyond;
use super::outbox;
use super::overrides::record_buckets;
use super::reads::load;
use super::receipts::{Learned, keep, learn};
use super::reservations::settle;
use super::script::Script;
use super::shapes::{write_attempts, write_messages};
use crate::base::domain::text::hex;
use crate::base::domain::{BatchId, MessageKey, StepIndex, Tallies};
use crate::store::{Attempt, Change, NotedBucket, Receipt, Verdict};

/// Changes of the counters of all batches that a group touches.
pub(super) type Moves = HashMap<BatchId, Tallies>;

/// Stores receipts and applies changes, each to the version that it was decided on. Returns the messages whose changes
/// came too late.
///
/// Receipts of those messages are not stored: they are not applied yet, and a crash now would leave receipts that were
/// never applied.
pub(super) async fn record(
    connection: &mut SqliteConnection,
    receipts: &[Receipt],
    changes: &[Change],
    buckets: &[NotedBucket],
) -> Work<Vec<MessageKey>> {
    let mut script = Script::default();
    if changes.is_empty() {
        record_buckets(&mut script, buckets);
        keep(&mut script, receipts);
        script.run(connection).await?;
        return Ok(Vec::new());
    }
    let all: Vec<&Change> = changes.iter().collect();
    script.statement("SAVEPOINT changes");
    keep(&mut script, receipts);
    let first = script.len();
    write_messages(&mut script, &all);
    let until = script.len();
    finish(&mut script, &all);
    record_buckets(&mut script, buckets);
    let changed = script.run(&mut *connection).await?;
    let written: u64 = changed.get(first..until).unwrap_or_default().iter().sum();
    if written == u64::try_from(all.len()).unwrap_or(u64::MAX) {
        // The savepoint ends with the verb's own, or with the commit.
        charge_beyond(connection, &all).await?;
        learn_resolved(connection, &all).await?;
        return Ok(Vec::new());
    }
    // Another change came first for some messages. This is rare, so only now it is determined for which.
    sqlx::query("ROLLBACK TO changes; RELEASE changes").execute(&mut *connection).await?;
    let (fresh, late) = sort_out(connection, all).await?;
    let mut script = Script::default();
    keep(&mut script, receipts.iter().filter(|receipt| !late.contains(&receipt.key)));
    write_messages(&mut script, &fresh);
    finish(&mut script, &fresh);
    record_buckets(&mut script, buckets);
    script.run(&mut *connection).await?;
    charge_beyond(connection, &fresh).await?;
    learn_resolved(connection, &fresh).await?;
    Ok(late)
}

/// Adds counters and facts, after the messages' rows.
fn finish(script: &mut Script, changes: &[&Change]) {
    let mut moves = Moves::new();
    for change in changes {
        let tallies = moves.entry(change.key.batch).or_default();
        tallies.moved(usize::from(change.steps), &change.before, &change.after);
    }
    count_in(script, &moves);
    settle(script, changes);
    outbox::write(script, changes);
    let facts: Vec<_> = changes.iter().filter_map(|change| change.fact.as_ref().map(|fact| (*change, fact))).collect();
    write_attempts(script, &facts);
    unname(script, &facts);
}

pub(super) const UNNAME: &str = "UPDATE attempt SET umid = NULL FROM json_each(?1) answered
     WHERE attempt.batch = answered.value ->> 0 AND attempt.n = answered.value ->> 1 AND attempt.step = answered.value ->> 2
         AND attempt.tries < answered.value ->> 3 AND attempt.umid = unhex(answered.value ->> 4)
         AND attempt.verdict = ?2";

/// Takes the provider's id of an answered try from the unknown tries before it. A receipt that was faster than the answer
/// was taken for one of them, if it had no id. Without an id again, that try finds its own receipts.
///
/// A try that was answered keeps its id: the provider may give two tries the same one.
fn unname(script: &mut Script, facts: &[(&Change, &Attempt)]) {
    let retried = facts.iter().filter(|(_, fact)| fact.tries > 0);
    let named = retried.filter_map(|(change, fact)| {
        let umid = hex(fact.umid.as_ref()?.to_bytes());
        Some((change.key.batch.0, change.key.n, fact.step.get(), fact.tries, umid))
    });
    let named: Vec<_> = named.collect();
    if !named.is_empty() {
        // Numbers and texts are always JSON.
        script.statement(UNNAME).bind(serde_json::to_string(&named).unwrap_or_default()).bind(Verdict::Unknown as i64);
    }
}

/// Clears the adoption marks of tries that these changes resolve.
async fn learn_resolved(connection: &mut SqliteConnection, changes: &[&Change]) -> Work<()> {
    learn(connection, &changes.iter().flat_map(|change| resolved(change)).collect::<Vec<_>>()).await
}

/// The unknown tries that no receipt can adopt any more after this change: their step is known now, or a later try of it
/// is unknown instead.
fn resolved(change: &Change) -> impl Iterator<Item = Learned> + '_ {
    let (before, after) = (change.before.marks, change.after.marks);
    StepIndex::all().filter(move |step| before.unknown(*step)).filter_map(move |step| {
        let last = match change.fact.as_ref().filter(|fact| fact.step == step && fact.verdict == Verdict::Unknown) {
            Some(fact) => fact.tries.checked_sub(1)?,
            None if after.unknown(step) => return None,
            None => u16::MAX,
        };
        Some(Learned { key: change.key, step, tries: [0, last], umid: None })
    })
}

/// Splits changes, in order, into those whose version is still current and the keys of those that come too late.
async fn sort_out<'a>(
    connection: &mut SqliteConnection,
    changes: Vec<&'a Change>,
) -> Work<(Vec<&'a Change>, Vec<MessageKey>)> {
    let current = load(connection, changes.iter().map(|change| change.key)).await?;
    let mut current: HashMap<MessageKey, u32> = current.into_iter().map(|found| (found.key, found.version)).collect();
    let (mut fresh, mut late) = (Vec::with_capacity(changes.len()), Vec::new());
    for change in changes {
        match current.get_mut(&change.key) {
            Some(version) if *version == change.version => {
                *version += 1;
                fresh.push(change);
            }
            Some(_) | None => late.push(change.key),
        }
    }
    Ok((fresh, late))
}

pub(super) fn number(msisdn: crate::base::domain::Msisdn) -> i64 {
    // A number has 15 digits at most.
    msisdn.get().cast_signed()
}

const COUNT: &str = "INSERT INTO tally (batch, step, count, n, writer)
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, 0 FROM json_each(?1) WHERE true
     ON CONFLICT DO UPDATE SET n = n + excluded.n";

/// Updates the counters, in the same transaction as the rows that they count.
pub(super) fn count_in(script: &mut Script, moves: &Moves) {
    let mut all = String::from("[");
    for (batch, tallies) in moves {
        for (step, count, by) in tallies.entries() {
            let comma = if all.len() > 1 { "," } else { "" };
            let _ = write!(all, "{comma}[{batch},{},{},{by}]", step.get(), count.code());
        }
    }
    if all.len() > 1 {
        all.push(']');
        script.statement(COUNT).bind(all);
    }
}
