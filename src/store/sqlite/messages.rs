//! Claim and record: the hot path.

use std::collections::HashMap;
use std::fmt::Write as _;

use sqlx::SqliteConnection;

use super::Work;
use super::dials::note_buckets;
use super::hours::Doors;
use super::leases::is_present;
use super::limits::{Purse, give_back, leave_open};
use super::looks::load;
use super::numbers::{Numbers, OverNumbers, over_numbers};
use super::receipts::{Lesson, keep, learn};
use super::rows::{Line, json_list, lines, maybe_moment, moment, packed, small};
use super::script::Script;
use super::shapes::{write_attempts, write_messages};
use super::tiers::Gate;
use crate::domain::{
    BatchId, BatchState, Fields, LaneId, Marks, MessageKey, Money, Present, State, StepIndex, Tallies, Timestamp,
};
use crate::store::{
    Change, Claim, Claimed, ClaimedSet, Drained, Epoch, Error, Loaded, NotedBucket, Pass, Queue, Receipt, Verdict,
};

/// Counters of all batches that a group touches.
pub(super) type Moves = HashMap<BatchId, Tallies>;

/// Messages that one claim looks at, unless it may take more: what a full tier keeps back or what is over is looked at in
/// vain, and no transaction may last for long because of it.
const LOOKED_AT_MAX: usize = 4_000;
/// A queue costs as much as so many messages, however few there are in it.
const A_LOOK: usize = 20;

pub(super) async fn claim(connection: &mut SqliteConnection, claim: Claim) -> Work<ClaimedSet> {
    if !is_present(connection, claim.epoch).await? {
        return Err(Error::Superseded.into());
    }
    let mut set = ClaimedSet::default();
    let mut moves = Moves::new();
    let mut gate = claim.tier.map(Gate::new);
    let mut purse = Purse::default();
    let mut left = usize::try_from(claim.limit).unwrap_or(usize::MAX);
    let mut patience = left.max(LOOKED_AT_MAX);
    let queues = claim.queues.len();
    let running = running(&mut *connection, &claim.queues).await?;
    for (place, queue) in claim.queues.into_iter().enumerate() {
        let Queue { batch, step, lane: whose } = queue;
        if left == 0 || patience < left {
            break;
        }
        let Some(ends_at) = running.get(&batch).copied() else {
            set.stuck.push(queue);
            continue;
        };
        let is_over = |claimed: &Claimed| is_over(claimed, ends_at, claim.now);
        // Who comes behind has as much of what is left as this one, and of what this one leaves.
        let mut share = left.div_ceil(queues - place);
        let cap = claim.caps.get(&(batch, step));
        if let Some(cap) = cap {
            match purse.room(connection, queue, cap, &moves).await? {
                Ok(room) => share = share.min(room),
                Err(capped) => {
                    set.capped.push(capped);
                    continue;
                }
            }
        }
        let steps = gate.as_ref().and_then(|gate| gate.goes_on(&queue));
        // Whoever goes on to another step need not be claimed for it, so many of them go at once.
        let mut look_at = if steps.is_some() { patience } else { share };
        let mut found = look_at_queue(connection, queue, claim.lane, claim.now, look_at).await?;
        let mut doors = claim.hours.get(&(batch, step)).map(|timing| Doors::new(whose, timing, claim.now));
        let is_kept_in = |claimed: &Claimed| doors.as_ref().is_some_and(|doors| !doors.are_open_for(claimed));
        let further = patience.div_ceil(queues - place);
        if look_at < further
            && found.len() == look_at
            && found.iter().any(|claimed| is_over(claimed) || is_kept_in(claimed))
        {
            // Who has to stay in stands in front of others who need not.
            look_at = further;
            found = look_at_queue(connection, queue, claim.lane, claim.now, look_at).await?;
        }
        let seen = found.len();
        found.retain(|claimed| !is_over(claimed));
        let over = seen - found.len();
        patience = patience.saturating_sub(seen + A_LOOK);
        let mut out_of_turn = 0;
        if let Some(doors) = &mut doors {
            let before = set.out_of_hours.len();
            set.out_of_hours.extend(doors.keep_in(&mut found));
            out_of_turn = set.out_of_hours.len() - before;
        }
        if steps.is_none() {
            // Whose turn comes with the next claim stays as it is.
            found.truncate(share);
        }
        if let Some(gate) = &mut gate {
            let kept_out = gate.pass(connection, &mut found, share, claim.now).await?;
            if let Some(steps) = steps {
                let goes_on = |message: &Loaded| message.present.marks.following(step, steps).is_some();
                let kept_out = kept_out.into_iter().map(|claimed| unclaimed(claimed.message, whose));
                let before = set.without_place.len();
                set.without_place.extend(kept_out.filter(goes_on));
                out_of_turn += set.without_place.len() - before;
            }
        }
        if let Some(capped) = cap.and_then(|cap| purse.pay(queue, cap, &mut found, &moves)) {
            set.capped.push(capped);
            continue;
        }
        let mut script = Script::default();
        set_off(&mut script, batch, &found, claim.lane, claim.epoch, claim.now);
        script.run(&mut *connection).await?;
        if found.len() + out_of_turn + over == seen && seen < look_at {
            let next = next_in_queue(connection, queue, claim.now).await?;
            set.drained.push(Drained { queue, next });
        } else if found.is_empty() && out_of_turn == 0 {
            // Behind those who are over some may stand who need no place.
            let list = if over > 0 && seen == look_at { &mut set.stuck } else { &mut set.kept_back };
            list.push(queue);
        }
        // Who is kept back takes nothing away from the queues behind.
        left -= found.len();
        let tallies = moves.entry(batch).or_default();
        for claimed in &found {
            let after = &claimed.message.present;
            tallies.moved(usize::from(StepIndex::COUNT_MAX), &as_queued(after), after);
        }
        set.messages.extend(found);
    }
    leave_open(&mut set);
    count(connection, &moves).await?;
    purse.close(connection).await?;
    if let Some(gate) = gate {
        gate.close(connection, &set.messages, claim.now).await?;
    }
    Ok(set)
}

/// Batches that run, and when they end.
type Running = HashMap<BatchId, Option<Timestamp>>;

/// Read in the claim's own transaction: what a person has stopped cannot leave. And apart from its rows, because as a
/// condition on each of them it would go through all ten million of a batch that has just been cancelled.
pub(super) const RUNNING: &str =
    "SELECT id, ends_at FROM batch WHERE id IN (SELECT value FROM json_each(?1)) AND state = ?2";

async fn running(connection: &mut SqliteConnection, queues: &[Queue]) -> Work<Running> {
    let batches = json_list(queues.iter().map(|queue| queue.batch.0.into()));
    let query = sqlx::query(RUNNING).bind(batches).bind(BatchState::Running.code());
    let rows = query.fetch_all(connection).await?;
    rows.iter().map(|row| Ok((BatchId(small(row, "id")?), maybe_moment(row, "ends_at")?))).collect()
}

/// Whether it must not leave any more: its waiting is over, or it had never left when its batch ended. It is ended by
/// others; to go past it in the statement would mean to go past however many there are.
fn is_over(claimed: &Claimed, ends_at: Option<Timestamp>, now: Timestamp) -> bool {
    let is_past = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    let Present { state, first_left, .. } = claimed.message.present;
    let gives_up = if let State::Sending { gives_up, .. } = state { gives_up } else { None };
    is_past(gives_up) || first_left.is_none() && is_past(ends_at)
}

pub(super) const CLAIM: &str = packed!(
    "concat_ws(' ', m.n, m.msisdn, version, not_before, ifnull(due, ''), ifnull(first_left, ''), ifnull(accepted, ''),
               tries, marks, o.msisdn IS NOT NULL, m.country, r.fields)",
    "message m INDEXED BY message_queue
     LEFT JOIN recipient r ON r.audience = m.audience AND r.n = m.recipient
     LEFT JOIN opt_out o ON o.msisdn = m.msisdn
     WHERE lane = ?1 AND batch = ?2 AND step = ?3 AND state = 0 AND not_before <= ?5
     ORDER BY not_before, m.n LIMIT ?4"
);

/// Two statements, which nobody can come between: what leaves is read as one text, and then marked by its keys.
pub(super) const SET_OFF: OverNumbers =
    over_numbers!("UPDATE message SET state = 1, at = ?4, lane = ?5, epoch = ?6, version = version + 1 WHERE", "");

/// What stands first in a queue, as it will be once a lane has set it off.
async fn look_at_queue(
    connection: &mut SqliteConnection,
    queue: Queue,
    by: LaneId,
    now: Timestamp,
    limit: usize,
) -> Work<Vec<Claimed>> {
    let query = sqlx::query(CLAIM)
        .bind(queue.lane.0)
        .bind(queue.batch.0)
        .bind(queue.step.get())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(now.millis());
    let lines = lines(connection, query).await?;
    let claimed = |line| claimed(&mut Line::of(line), queue, by, now);
    let mut found = lines.lines().map(claimed).collect::<Work<Vec<_>>>()?;
    // Nothing promises that lines are joined in the order of their rows.
    found.sort_unstable_by_key(|claimed| (place(&claimed.message.present), claimed.message.key.n));
    Ok(found)
}

pub(super) const NEXT: &str = "SELECT not_before FROM message INDEXED BY message_queue
     WHERE lane = ?1 AND batch = ?2 AND step = ?3 AND state = 0 AND not_before > ?4 ORDER BY not_before LIMIT 1";

async fn next_in_queue(connection: &mut SqliteConnection, queue: Queue, now: Timestamp) -> Work<Option<Timestamp>> {
    let Queue { batch, step, lane } = queue;
    let query = sqlx::query(NEXT).bind(lane.0).bind(batch.0).bind(step.get()).bind(now.millis());
    query.fetch_optional(connection).await?.map(|row| moment(&row, "not_before")).transpose()
}

fn set_off(script: &mut Script, batch: BatchId, claimed: &[Claimed], by: LaneId, epoch: Epoch, now: Timestamp) {
    if claimed.is_empty() {
        return;
    }
    let mut numbers: Vec<u32> = claimed.iter().map(|claimed| claimed.message.key.n).collect();
    numbers.sort_unstable();
    let statement = Numbers::of(&numbers).statement(script, &SET_OFF, batch);
    statement.bind(now.millis()).bind(by.0).bind(epoch.0.cast_signed());
}

/// A message out of its queue, as it stands once a lane has set it off.
fn claimed(line: &mut Line<'_>, queue: Queue, lane: LaneId, now: Timestamp) -> Work<Claimed> {
    let Queue { batch, step, .. } = queue;
    let key = MessageKey { batch, n: line.small("n")? };
    let msisdn = line.msisdn("msisdn")?;
    let version: u32 = line.small("version")?;
    let not_before = Timestamp::from_millis(line.small("not_before")?);
    let state = State::Sending { intent: now, not_before, gives_up: line.moment("due")? };
    let (first_left, accepted) = (line.moment("first_left")?, line.moment("accepted")?);
    let (tries, marks) = (line.small("tries")?, Marks::from_bits(line.small("marks")?));
    let present = Present { state, step, marks, first_left, accepted, tries };
    let opted_out: u8 = line.small("opted_out")?;
    let country = line.country("country")?;
    let message = Loaded { key, msisdn, country, version: version + 1, lane, present };
    // Packed fields hold spaces, but no newline that is not escaped.
    Ok(Claimed {
        message,
        fields: Fields::from_packed(line.rest().unwrap_or("[]").to_owned()),
        opted_out: opted_out != 0,
        pass: Pass::Uncounted,
        cost: Money::ZERO,
    })
}

/// Where a claimed message stood in its queue.
pub(super) fn place(claimed: &Present) -> Option<Timestamp> {
    match claimed.state {
        State::Sending { not_before, .. } => Some(not_before),
        State::Queued { .. } | State::Awaiting { .. } | State::Done { .. } => None,
    }
}

/// What a claimed message was before the claim.
fn as_queued(after: &Present) -> Present {
    match after.state {
        State::Sending { not_before, gives_up, .. } => {
            Present { state: State::Queued { not_before, gives_up }, ..*after }
        }
        State::Queued { .. } | State::Awaiting { .. } | State::Done { .. } => *after,
    }
}

/// A message that was looked at in a lane's queue and is not claimed after all.
pub(super) fn unclaimed(message: Loaded, whose: LaneId) -> Loaded {
    Loaded { version: message.version - 1, lane: whose, present: as_queued(&message.present), ..message }
}

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
    give_back(script, changes);
    let facts: Vec<_> = changes.iter().filter_map(|change| change.fact.as_ref().map(|fact| (*change, fact))).collect();
    write_attempts(script, &facts);
}

async fn settle(connection: &mut SqliteConnection, changes: &[&Change]) -> Work<()> {
    learn(connection, &changes.iter().flat_map(|change| settled(change)).collect::<Vec<_>>()).await
}

/// Tries of which, from this change on, nobody waits for news to adopt them: it is known of their step whether it was
/// handed over, or of the one that followed them it is not.
fn settled(change: &Change) -> impl Iterator<Item = Lesson> + '_ {
    let (before, after) = (change.before.marks, change.after.marks);
    StepIndex::all().filter(move |step| before.unknown(*step)).filter_map(move |step| {
        let last = match change.fact.as_ref().filter(|fact| fact.step == step && fact.verdict == Verdict::Unknown) {
            Some(fact) => fact.tries.checked_sub(1)?,
            None if after.unknown(step) => return None,
            None => u16::MAX,
        };
        Some(Lesson { key: change.key, step, tries: [0, last], umid: None })
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

fn count_in(script: &mut Script, moves: &Moves) {
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
