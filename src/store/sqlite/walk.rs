//! Copies a batch with all its facts, page by page in message order, with a few statements per page along the keys.
//!
//! The copy holds the statements' texts as they are; they are parsed after the transaction has ended.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use futures_util::{TryStreamExt, stream};
use sha2::{Digest, Sha256};
use sqlx::{Row, SqliteConnection};
use tokio::sync::watch;

use super::batches;
use super::editions;
use super::facts::{self, PART, bytes, nonsense};
use super::receipts::stray_counts;
use super::rows::{Line, lines, loaded, message_line, packed, small, step};
use super::spool::{Parts, Spool};
use super::{Fault, Work};
use crate::base::domain::{AddressKey, BatchId, Fields, MessageKey, StepIndex, Umid};
use crate::rules::engine::Note;
use crate::store::{Copied, Frame, MessageFacts, RecipientRow, Result, Scope, Twin, Walk};

/// Messages in a page.
const PAGE: u32 = 2_000;
/// Pages that are parsed ahead of the reader.
const AHEAD: usize = 3;
/// Samples, and messages in each, from which the length of a larger batch's copy is estimated.
const SAMPLES: u32 = 8;
const SAMPLE: u32 = 250;
/// The most twins that are listed.
const TWINS: usize = 100;
/// The SQL expression for the time from which nothing may be sent, not even service: a recipient's own opt-out counts from its receipt,
/// which may be later than its time at the provider.
macro_rules! since {
    () => {
        "coalesce(CASE WHEN o.source <> 0 THEN NULL
                       WHEN o.address > 0 THEN (SELECT max(i.received) FROM inbound i WHERE i.msisdn = o.address AND i.keyword = 0)
                       ELSE (SELECT max(i.received) FROM channel_user u CROSS JOIN inbound i INDEXED BY inbound_called
                             ON i.called = u.called AND i.channel = u.channel WHERE u.id = -o.address AND i.keyword = 0) END,
                  o.since)"
    };
}

macro_rules! whole_messages {
    ($more:literal) => {
        packed!(
            concat!(
                message_line!(),
                " || ' ' || ifnull(",
                since!(),
                ", '') || ' ' || ifnull(r.address, '') || ' ' || ifnull(hex(message.notes), '') || char(31) || ",
                $more
            ),
            "message LEFT JOIN recipient r ON r.audience = message.audience AND r.n = message.recipient
             LEFT JOIN opt_out o ON o.address = message.address AND o.purpose = 0 AND o.channel = -1
             WHERE message.batch = ?1 AND message.n > ?2 ORDER BY message.n LIMIT ?3"
        )
    };
}

pub(super) const MESSAGES: &str = whole_messages!("ifnull(r.country, '')");
/// Messages with their recipients. The client's own id may be any text, so it is read as JSON.
pub(super) const WITH_RECIPIENTS: &str = whole_messages!(
    "ifnull(r.country, '') || char(31) || json_array(r.client_message_id) || char(31) || ifnull(r.fields, '[]')"
);

const PLANS: &str = "SELECT digest, body FROM plan
     WHERE digest IN (SELECT plan FROM batch WHERE id = ?1 UNION SELECT plan FROM edition WHERE batch = ?1)";

/// The attempts in a range of messages whose umid another attempt also has, each with that attempt.
pub(super) const TWINS_OF: &str = "SELECT hex(mine.umid) AS umid, mine.n AS my_n, mine.step AS my_step,
         other.batch AS batch, other.n AS n, other.step AS step
     FROM attempt mine CROSS JOIN attempt other INDEXED BY attempt_umid ON other.umid = mine.umid
     WHERE mine.batch = ?1 AND mine.n BETWEEN ?2 AND ?3 AND mine.umid IS NOT NULL
         AND (other.batch, other.n, other.step) <> (mine.batch, mine.n, mine.step) LIMIT ?4";

/// A copy of a batch as of one point in time.
#[derive(Debug)]
pub(super) struct Copy {
    frame: Frame,
    twins: Vec<Twin>,
    spool: Spool,
    scope: Scope,
}

/// The texts of one page.
pub(super) struct Texts {
    messages: String,
    attempts: String,
    receipts: String,
    /// The number of messages.
    count: u32,
    /// The numbers of the first and the last message.
    pub(super) range: (u32, u32),
}

impl Texts {
    pub(super) const fn bytes(&self) -> u64 {
        (self.messages.len() + self.attempts.len() + self.receipts.len()) as u64
    }
}

pub(super) async fn copy(
    connection: &mut SqliteConnection,
    batch: BatchId,
    scope: Scope,
    mut spool: Spool,
    copied: watch::Sender<Copied>,
) -> Work<Option<Copy>> {
    let Some(frame) = frame(connection, batch).await? else { return Ok(None) };
    let of = u64::from(frame.batch.messages);
    spool.expect(length(connection, batch, frame.batch.messages, scope).await?)?;
    let (mut after, mut messages, mut twins) = (-1, 0, BTreeMap::new());
    while let Some(texts) = texts(connection, batch, after, PAGE, scope).await? {
        for text in [&texts.messages, &texts.attempts, &texts.receipts] {
            spool.push(text).await?;
        }
        if scope == Scope::FactsAndTwins && twins.len() < TWINS {
            find_twins(connection, batch, texts.range, &mut twins).await?;
        }
        after = i64::from(texts.range.1);
        messages += u64::from(texts.count);
        copied.send_replace(Copied { messages, of });
    }
    let twins = twins.into_values().take(TWINS).collect();
    Ok(Some(Copy { frame, twins, spool, scope }))
}

/// Estimates the bytes of the copy of a batch with `all` messages, from samples of it.
pub(super) async fn length(connection: &mut SqliteConnection, batch: BatchId, all: u32, scope: Scope) -> Work<u64> {
    if all <= PAGE {
        return Ok(0);
    }
    let (mut bytes, mut messages) = (0, 0);
    for sample in 0..SAMPLES {
        let after = i64::from(all / SAMPLES * sample) - 1;
        let Some(texts) = texts(connection, batch, after, SAMPLE, scope).await? else { continue };
        bytes += texts.bytes();
        messages += u64::from(texts.count);
    }
    // One eighth more, because the samples may have missed the longest messages.
    Ok((bytes * u64::from(all)).div_ceil(messages.max(1)) / 8 * 9)
}

pub(super) async fn texts(
    connection: &mut SqliteConnection,
    batch: BatchId,
    after: i64,
    limit: u32,
    scope: Scope,
) -> Work<Option<Texts>> {
    let statement = if scope == Scope::FactsAndRecipients { WITH_RECIPIENTS } else { MESSAGES };
    let messages = lines(connection, sqlx::query(statement).bind(batch.0).bind(after).bind(limit)).await?;
    let (mut count, mut range) = (0, (u32::MAX, 0));
    for line in messages.lines() {
        let mut line = Line::of(line);
        line.text("batch")?;
        let n = line.small("n")?;
        // SQLite does not guarantee that lines are joined in the order of their rows.
        range = (range.0.min(n), range.1.max(n));
        count += 1;
    }
    if count == 0 {
        return Ok(None);
    }
    let of = |statement: &'static str| sqlx::query(statement).bind(batch.0).bind(range.0).bind(range.1);
    let attempts = lines(connection, of(facts::ATTEMPTS)).await?;
    let receipts = lines(connection, of(facts::RECEIPTS)).await?;
    Ok(Some(Texts { messages, attempts, receipts, count, range }))
}

impl Copy {
    /// Opens the copy for reading.
    pub(super) async fn opened(self) -> Result<Walk> {
        let Self { frame, twins, spool, scope } = self;
        let (batch, with_recipients) = (frame.batch.id, scope == Scope::FactsAndRecipients);
        let parts = spool.read().await.map_err(of_copy)?;
        let pages = stream::try_unfold(parts, |mut parts| async move {
            let page = page(&mut parts).await.map_err(of_copy)?;
            Ok(page.map(|page| (page, parts)))
        });
        let parsed = pages.map_ok(move |page| async move {
            let parsing = tokio::spawn(async move { wholes(&page, batch, with_recipients) });
            let parsed = parsing.await.map_err(|ended| sqlx::Error::Io(io::Error::other(ended)).into());
            parsed.flatten().map_err(of_copy)
        });
        Ok(Walk::new(frame, twins, parsed.try_buffered(AHEAD)))
    }
}

fn of_copy(fault: Fault) -> crate::store::Error {
    fault.during("read its copy of a batch")
}

async fn frame(connection: &mut SqliteConnection, id: BatchId) -> Work<Option<Frame>> {
    let Some(batch) = batches::by_id(connection, id).await? else { return Ok(None) };
    let Some(plan) = batches::plan(connection, id).await? else { return Ok(None) };
    let editions = editions::editions(connection, id).await?;
    let mut plan_is_whole = true;
    for row in sqlx::query(PLANS).bind(id.0).fetch_all(&mut *connection).await? {
        let (digest, body): (Vec<u8>, String) = (row.try_get("digest")?, row.try_get("body")?);
        plan_is_whole &= Sha256::digest(&body).as_slice() == digest;
    }
    let tallies = batches::tallies(connection, id).await?;
    let strays = stray_counts(connection).await?.into_iter().map(|stray| (stray.kind, stray.count)).collect();
    Ok(Some(Frame { batch, plan, editions, plan_is_whole, tallies, strays }))
}

/// Reads the texts of the next page: messages, attempts and receipts.
async fn page(parts: &mut Parts) -> Work<Option<[String; 3]>> {
    let Some(messages) = parts.next().await? else { return Ok(None) };
    let attempts = parts.next().await?.unwrap_or_default();
    let receipts = parts.next().await?.unwrap_or_default();
    Ok(Some([messages, attempts, receipts]))
}

/// Reads one message with all its facts.
pub(super) async fn one(connection: &mut SqliteConnection, key: MessageKey) -> Work<Option<MessageFacts>> {
    let Some(texts) = texts(connection, key.batch, i64::from(key.n) - 1, 1, Scope::FactsAndRecipients).await? else {
        return Ok(None);
    };
    let page = wholes(&[texts.messages, texts.attempts, texts.receipts], key.batch, true)?;
    Ok(page.into_iter().find(|whole| whole.message.key == key))
}

/// Parses a page: returns its messages, each with its facts.
fn wholes(
    [messages, attempts, receipts]: &[String; 3],
    batch: BatchId,
    with_recipients: bool,
) -> Work<Vec<MessageFacts>> {
    let mut page = messages.lines().map(|line| whole(line, with_recipients)).collect::<Work<Vec<_>>>()?;
    page.sort_unstable_by_key(|whole| whole.message.key);
    let mut attempts = VecDeque::from(facts::attempts_of(attempts)?);
    let mut receipts = VecDeque::from(facts::receipts_of(receipts, batch)?);
    for whole in &mut page {
        let n = whole.message.key.n;
        // Facts without a message are skipped.
        while let Some((of, attempt)) = attempts.pop_front_if(|(of, _)| *of <= n) {
            whole.attempts.extend((of == n).then_some(attempt));
        }
        while let Some(receipt) = receipts.pop_front_if(|receipt| receipt.key.n <= n) {
            whole.receipts.extend((receipt.key.n == n).then_some(receipt));
        }
    }
    Ok(page)
}

fn whole(line: &str, with_recipient: bool) -> Work<MessageFacts> {
    let mut parts = line.splitn(4, PART);
    let mut numbers = Line::of(parts.next().unwrap_or_default());
    let message = loaded(&mut numbers)?;
    let opted_out = numbers.timestamp("since")?;
    let recipient_address = numbers.maybe::<AddressKey>("recipient.address")?;
    let notes = numbers.rest().and_then(bytes).and_then(|notes| Note::all_of(&notes));
    let notes = notes.ok_or_else(|| nonsense("message.notes"))?;
    let country = match parts.next().unwrap_or_default() {
        "" => None,
        code => Some(code.parse().map_err(|_| nonsense("recipient.country"))?),
    };
    let mut recipient = None;
    if with_recipient && country.is_some() {
        let ids: Vec<Option<Box<str>>> =
            serde_json::from_str(parts.next().unwrap_or("[]")).map_err(|_| nonsense("recipient.client_message_id"))?;
        recipient = Some(RecipientRow {
            client_message_id: ids.into_iter().next().flatten(),
            fields: Fields::from_packed(parts.next().unwrap_or("[]").to_owned()),
        });
    }
    Ok(MessageFacts {
        message,
        country,
        recipient_address,
        recipient,
        opted_out,
        notes,
        attempts: Vec::new(),
        receipts: Vec::new(),
    })
}

/// Adds both attempts of each pair of twins, in the order of their umids.
async fn find_twins(
    connection: &mut SqliteConnection,
    batch: BatchId,
    (first, last): (u32, u32),
    twins: &mut BTreeMap<(String, MessageKey, StepIndex), Twin>,
) -> Work<()> {
    let query = sqlx::query(TWINS_OF).bind(batch.0).bind(first).bind(last).bind(TWINS as i64);
    for row in &query.fetch_all(connection).await? {
        let hex: String = row.try_get("umid")?;
        let umid = bytes(&hex).and_then(|umid| Umid::from_bytes(&umid)).ok_or_else(|| nonsense("attempt.umid"))?;
        let mine = (MessageKey { batch, n: small(row, "my_n")? }, step(row, "my_step")?);
        let other = (MessageKey { batch: BatchId(small(row, "batch")?), n: small(row, "n")? }, step(row, "step")?);
        for (key, step) in [mine, other] {
            twins.insert((hex.clone(), key, step), Twin { umid: umid.clone(), key, step });
        }
    }
    Ok(())
}
