//! Claims messages in one transaction: the write-ahead of every submission.
//!
//! The planner decides which messages are claimed. This module reads the pages that it asks for, and writes what it
//! decides.

use std::collections::{BTreeSet, HashMap};

use sqlx::{Row, SqliteConnection};

use super::leases::is_current;
use super::limits::{spend, used};
use super::messages::{Moves, count_in};
use super::numbers::{Numbers, OverNumbers, over_numbers};
use super::rows::{Line, decoded, json_of, maybe_timestamp, packed, refused, small, timestamp};
use super::script::Script;
use super::{Work, addresses, tiers};
use crate::base::domain::{
    BatchId, BatchState, Fields, Heeds, LaneId, Loaded, Marks, MessageKey, OptOutOf, Present, Queue, State, StepIndex,
    Timestamp, Unwanted, WishSenders,
};
use crate::rules::planner::{BatchAtClaim, Candidate, PageRequest, Pass, Planner, TakenMessage, Terms, TierStanding};
use crate::store::{Addresses, Claim, Claimed, ClaimedSet, Epoch, Error, TierUse};

pub(super) async fn claim(connection: &mut SqliteConnection, claim: Claim) -> Work<ClaimedSet> {
    let Claim { lane, queues, limit, now, epoch, tier, editions, hours, caps, sender, heeds } = claim;
    if !is_current(connection, epoch).await? {
        return Err(Error::Superseded.into());
    }
    let slots = tier.as_ref().map(|tier| tier.slots.clone());
    let mut planner = Planner::new(Terms { queues, limit, now, hours, caps, slots });
    let Batches { at_claim, untouched } = batches_at_claim(connection, &planner, &editions).await?;
    let used = used(connection, planner.limited()).await?;
    planner.begin(&at_claim, used);
    loop {
        let requests = planner.next_pages();
        if requests.is_empty() {
            break;
        }
        let mut pages = pages(connection, &requests, (&sender, &heeds), now).await?;
        if let Some(tier) = &tier {
            let mut candidates: Vec<&mut Candidate> = pages.iter_mut().flatten().collect();
            let needs_holders = |candidates| planner.needs_holders(candidates);
            tiers::set_standings(connection, tier, &mut candidates, now, needs_holders).await?;
        }
        planner.judge(pages);
    }
    let next = next_turns(connection, planner.drained(), now).await?;
    let decided = planner.end(&next);
    let keys = decided.taken.iter().map(|taken| taken.candidate.message.address);
    let users = addresses::users(connection, keys).await?;
    let messages = decided.taken.into_iter().map(|taken| claimed(taken, &users, lane, now)).collect();
    let set = ClaimedSet { messages, referred: decided.referred, rests: decided.rests };
    mark_sending(connection, &set.messages, lane, epoch, now).await?;
    make_texts_final(connection, &untouched, &set.messages, now).await?;
    if let Some(TierUse { portfolio, .. }) = tier {
        let with_slot = set.messages.iter().filter(|claimed| claimed.pass == Pass::Slot);
        let recipients: Vec<_> = with_slot.map(|claimed| (claimed.message.address, now)).collect();
        tiers::take_slots(connection, &portfolio, &recipients).await?;
    }
    Ok(set)
}

/// The batches of a claim, read in its own transaction, so nothing of a stopped batch is claimed, and nothing under a plan that
/// has been changed.
///
/// Not a condition of [`PAGE`]: on a batch that was just cancelled, that would read all of its messages, up to ten
/// million.
pub(super) const BATCHES_AT_CLAIM: &str =
    "SELECT id, state, ends_at, edition, texts_final_at FROM batch WHERE id IN (SELECT value FROM json_each(?1))";

#[derive(Debug, Default)]
struct Batches {
    /// Those whose present plan the claim knows.
    at_claim: HashMap<BatchId, BatchAtClaim>,
    /// Those of which nothing has been claimed.
    untouched: BTreeSet<BatchId>,
}

async fn batches_at_claim(
    connection: &mut SqliteConnection,
    planner: &Planner,
    editions: &HashMap<BatchId, u32>,
) -> Work<Batches> {
    let batches: Vec<u32> = planner.batches().into_iter().map(|batch| batch.0).collect();
    let rows = sqlx::query(BATCHES_AT_CLAIM).bind(json_of(&batches, "batch.id")?).fetch_all(connection).await?;
    let mut found = Batches::default();
    for row in &rows {
        let (batch, edition) = (BatchId(small(row, "id")?), small::<u32>(row, "edition")?);
        let state = decoded(row, "state", BatchState::from_code)?;
        let at_claim = BatchAtClaim { state, last_first_submission_at: maybe_timestamp(row, "ends_at")? };
        if editions.get(&batch).is_none_or(|known| *known == edition) {
            found.at_claim.insert(batch, at_claim);
        }
        if maybe_timestamp(row, "texts_final_at")?.is_none() {
            found.untouched.insert(batch);
        }
    }
    Ok(found)
}

/// One page of a queue, without the messages that are set aside. A step has few of them, so they need no index of their own.
///
/// Most messages are unchanged since the launch, so the values that only a change sets are left out of their lines:
/// formatting a number costs more than reading it. A queued message with an expiry of its own is due at that time at the
/// latest.
///
/// Of the opt-outs that a message heeds, one of all senders may end the whole message; any other stops the step.
pub(super) const PAGE: &str = packed!(
    "concat_ws(' ', m.n, m.address, not_before, m.country,
               ifnull((SELECT max(iif(o.channel = -1 AND o.purpose <= ?8, 2, 1)) FROM opt_out o
                       WHERE o.address = m.address AND o.purpose <= ?9
                       AND (o.channel = -1 OR o.channel = ?10 AND o.sender IN ('', ?11))), ''),
               iif(version = 0 AND due IS NULL AND marks = 0, '',
                   concat_ws(' ', version, ifnull(due, ''), ifnull(first_submitted_at, ''), ifnull(accepted, ''),
                             ifnull(expires, ''), tries, refused, marks)),
               r.fields)",
    "message m INDEXED BY message_queue
     LEFT JOIN recipient r ON r.audience = m.audience AND r.n = m.recipient
     WHERE lane = ?1 AND batch = ?2 AND step = ?3 AND state = 0 AND not_before <= ?4 AND (not_before, m.n) > (?5, ?6)
       AND refused < 4
     ORDER BY not_before, m.n LIMIT ?7"
);

/// In the line of a message: the recipient has opted out of all that it can still be.
const OF_MESSAGE: u8 = 2;

/// Reads the next messages of each queue, a page for each request.
async fn pages(
    connection: &mut SqliteConnection,
    requests: &[PageRequest],
    (sender, heeds): (&WishSenders, &HashMap<(BatchId, StepIndex), Heeds>),
    now: Timestamp,
) -> Work<Vec<Vec<Candidate>>> {
    let heeds_of = |queue: &Queue| heeds.get(&(queue.batch, queue.step)).copied().unwrap_or_default();
    let mut script = Script::default();
    for PageRequest { queue, after, count } in requests {
        let (not_before, n) = after.map_or((i64::MIN, -1), |(at, n)| (at.millis(), i64::from(n)));
        let statement = script.statement(PAGE).bind(queue.lane.0).bind(queue.batch.0).bind(queue.step.get());
        let count = i64::try_from(*count).unwrap_or(i64::MAX);
        let Heeds { message, step } = heeds_of(queue);
        let statement = statement.bind(now.millis()).bind(not_before).bind(n).bind(count);
        let statement = statement.bind(message.unwrap_or(OptOutOf::Marketing).code()).bind(step.code());
        statement.bind(sender.channel.code()).bind(sender.sub_account.clone().unwrap_or_default());
    }
    let texts = script.texts(connection).await?;
    let page = |(request, text): (&PageRequest, String)| {
        let heeds = heeds_of(&request.queue);
        let lines = text.lines().map(|line| candidate(&mut Line::of(line), &request.queue, heeds));
        let mut page = lines.collect::<Work<Vec<_>>>()?;
        // SQLite does not guarantee that lines are joined in the order of their rows.
        page.sort_by_key(|candidate| (candidate.message.present.not_before(), candidate.message.key.n));
        Ok(page)
    };
    requests.iter().zip(texts).map(page).collect()
}

fn candidate(line: &mut Line<'_>, &Queue { batch, step, lane }: &Queue, heeds: Heeds) -> Work<Candidate> {
    let key = MessageKey { batch, n: line.small("n")? };
    let address = line.address("address")?;
    let not_before = Timestamp::from_millis(line.small("not_before")?);
    let country = line.country("country")?;
    let unwanted = match (line.maybe::<u8>("opted_out")?, heeds.message) {
        (Some(OF_MESSAGE), Some(_)) => Some(Unwanted::Message),
        (Some(_), Some(_)) => Some(Unwanted::Step),
        (Some(OF_MESSAGE), None) | (None, Some(_)) => None,
        (Some(_) | None, None) => Some(Unwanted::Confirmation),
    };
    let mut present = Present::queued(not_before, None);
    let mut version = 0;
    if let Some(changed) = line.maybe("version")? {
        version = changed;
        present.state = State::Queued { not_before, gives_up: line.timestamp("due")? };
        (present.first_submitted_at, present.accepted) =
            (line.timestamp("first_submitted_at")?, line.timestamp("accepted")?);
        present.expires = line.timestamp("expires")?;
        (present.tries, present.refused) = (line.small("tries")?, refused(line)?);
        present.marks = Marks::from_bits(line.small("marks")?);
    }
    present.step = step;
    let message = Loaded { key, address, country, version, lane, present };
    // Packed fields may contain spaces, but newlines are escaped.
    let fields = Fields::from_packed(line.rest().unwrap_or("[]").to_owned());
    Ok(Candidate { message, fields, unwanted, tier: TierStanding::New })
}

pub(super) const NEXT: &str = "SELECT q.key AS index_of, (SELECT not_before FROM message INDEXED BY message_queue
          WHERE lane = q.value ->> 0 AND batch = q.value ->> 1 AND step = q.value ->> 2 AND state = 0 AND not_before > ?2
          ORDER BY not_before LIMIT 1) AS next
     FROM json_each(?1) q";

/// Returns the earliest future time in each of these queues that has one.
async fn next_turns(
    connection: &mut SqliteConnection,
    queues: Vec<Queue>,
    now: Timestamp,
) -> Work<HashMap<Queue, Timestamp>> {
    if queues.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<_> = queues.iter().map(|queue| (queue.lane.0, queue.batch.0, queue.step.get())).collect();
    let query = sqlx::query(NEXT).bind(json_of(&keys, "message")?).bind(now.millis());
    let mut next = HashMap::with_capacity(queues.len());
    for row in query.fetch_all(connection).await? {
        let index: usize = small(&row, "index_of")?;
        if let (Some(queue), Some(_)) = (queues.get(index), row.try_get::<Option<i64>, _>("next")?) {
            next.insert(*queue, timestamp(&row, "next")?);
        }
    }
    Ok(next)
}

/// Turns a chosen candidate into a claimed message, which is `sending` on `lane`.
fn claimed(taken: TakenMessage, users: &Addresses, lane: LaneId, now: Timestamp) -> Claimed {
    let TakenMessage { candidate: Candidate { message, fields, unwanted, .. }, pass, fee } = taken;
    let state = match message.present.state {
        State::Queued { not_before, gives_up } => State::Sending { intent: now, not_before, gives_up },
        other => other,
    };
    let present = Present { state, ..message.present };
    let message = Loaded { version: message.version + 1, lane, present, ..message };
    let user = users.user(message.address).cloned().map(Box::new);
    Claimed { message, fields, user, unwanted, pass, fee }
}

pub(super) const MARK_SENDING: OverNumbers =
    over_numbers!("UPDATE message SET state = 1, at = ?4, lane = ?5, epoch = ?6, version = version + 1 WHERE", "");

async fn mark_sending(
    connection: &mut SqliteConnection,
    claimed: &[Claimed],
    by: LaneId,
    epoch: Epoch,
    now: Timestamp,
) -> Work<()> {
    let mut script = Script::default();
    let mut moves = Moves::new();
    let mut numbers: HashMap<BatchId, Vec<u32>> = HashMap::new();
    for Claimed { message, .. } in claimed {
        numbers.entry(message.key.batch).or_default().push(message.key.n);
        let tallies = moves.entry(message.key.batch).or_default();
        tallies.moved(usize::from(StepIndex::COUNT_MAX), &as_queued(&message.present), &message.present);
    }
    for (batch, mut numbers) in numbers {
        numbers.sort_unstable();
        let statement = Numbers::of(&numbers).statement(&mut script, &MARK_SENDING, batch);
        statement.bind(now.millis()).bind(by.0).bind(epoch.0.cast_signed());
    }
    count_in(&mut script, &moves);
    spend(&mut script, claimed, now);
    script.run(connection).await?;
    Ok(())
}

/// After the first claim of a batch, no text of it is corrected.
async fn make_texts_final(
    connection: &mut SqliteConnection,
    untouched: &BTreeSet<BatchId>,
    claimed: &[Claimed],
    now: Timestamp,
) -> Work<()> {
    let begun = claimed.iter().map(|claimed| claimed.message.key.batch).filter(|batch| untouched.contains(batch));
    for batch in begun.collect::<BTreeSet<_>>() {
        let statement = sqlx::query("UPDATE batch SET texts_final_at = ?2 WHERE id = ?1");
        statement.bind(batch.0).bind(now.millis()).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The state of a claimed message before the claim.
fn as_queued(after: &Present) -> Present {
    match after.state {
        State::Sending { not_before, gives_up, .. } => {
            Present { state: State::Queued { not_before, gives_up }, ..*after }
        }
        State::Queued { .. } | State::Awaiting { .. } | State::Done { .. } => *after,
    }
}
