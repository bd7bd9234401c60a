//! Record: decisions, each applied to the version that it was made on.

use std::collections::HashMap;
use std::fmt::Write as _;

use sqlx::SqliteConnection;

use super::Work;
use super::overrides::note_buckets;
use super::limits::refund;
use super::reads::load;
use super::receipts::{Learned, keep, learn};
use super::script::Script;
use super::shapes::{write_attempts, write_messages};
use crate::domain::{BatchId, MessageKey, StepIndex, Tallies};
use crate::store::{Change, NotedBucket, Receipt, Verdict};

/// Counters of all batches that a group touches.
pub(super) type Moves = HashMap<BatchId, Tallies>;

/// Keeps receipts and applies changes, each to the version it was decided on; returns those that came too late. What their
/// receipts say has not happened to the message yet, so those are not kept: whoever died now would leave facts behind that
/// nothing came of.
pub(super) async fn record(
    connection: &mut SqliteConnection,
    receipts: &[Receipt],
    changes: &[Change],
    buckets: &[NotedBucket],
) -> Work<Vec<MessageKey>> {
    let mut script = Script::default();
    if changes.is_empty() {
        note_buckets(&mut script, buckets);
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
    note_buckets(&mut script, buckets);
    let changed = script.run(&mut *connection).await?;
    let written: u64 = changed.get(first..until).unwrap_or_default().iter().sum();
    if written == u64::try_from(all.len()).unwrap_or(u64::MAX) {
        // The savepoint goes with the one around it, or with the commit.
        settle(connection, &all).await?;
        return Ok(Vec::new());
    }
    // Somebody was faster with some of them. Which, is only asked now, because it is rare.
    sqlx::query("ROLLBACK TO changes; RELEASE changes").execute(&mut *connection).await?;
    let (fresh, late) = sort_out(connection, all).await?;
    let mut script = Script::default();
    keep(&mut script, receipts.iter().filter(|receipt| !late.contains(&receipt.key)));
    write_messages(&mut script, &fresh);
    finish(&mut script, &fresh);
    note_buckets(&mut script, buckets);
    script.run(&mut *connection).await?;
    settle(connection, &fresh).await?;
    Ok(late)
}

/// Counters and facts, behind the rows that they are about.
fn finish(script: &mut Script, changes: &[&Change]) {
    let mut moves = Moves::new();
    for change in changes {
        let tallies = moves.entry(change.key.batch).or_default();
        tallies.moved(usize::from(change.steps), &change.before, &change.after);
    }
    count_in(script, &moves);
    refund(script, changes);
    let facts: Vec<_> = changes.iter().filter_map(|change| change.fact.as_ref().map(|fact| (*change, fact))).collect();
    write_attempts(script, &facts);
}

async fn settle(connection: &mut SqliteConnection, changes: &[&Change]) -> Work<()> {
    learn(connection, &changes.iter().flat_map(|change| resolved(change)).collect::<Vec<_>>()).await
}

/// Tries of which, from this change on, nobody waits for news to adopt them: it is known of their step whether it was
/// handed over, or of the one that followed them it is not.
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

/// Which changes still meet the version that they were made on, one after the other, and which come too late.
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

pub(super) fn number(msisdn: crate::domain::Msisdn) -> i64 {
    // Fifteen digits at the most.
    msisdn.get().cast_signed()
}

const COUNT: &str = "INSERT INTO tally (batch, step, count, n, writer)
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, 0 FROM json_each(?1) WHERE true
     ON CONFLICT DO UPDATE SET n = n + excluded.n";

/// Moves the counters. They stand in the same transaction as the rows they count.
pub(super) async fn count(connection: &mut SqliteConnection, moves: &Moves) -> Work<()> {
    let mut script = Script::default();
    count_in(&mut script, moves);
    script.run(connection).await?;
    Ok(())
}

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
