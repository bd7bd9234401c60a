//! A batch with every fact, page by page in the order of its messages: three statements a page, each along a key.

use std::collections::VecDeque;

use sha2::{Digest, Sha256};
use sqlx::{Row, SqliteConnection};
use tokio::sync::mpsc;

use super::Work;
use super::batches;
use super::editions;
use super::facts::{self, PART, bytes, nonsense};
use super::receipts::stray_counts;
use super::rows::{Line, lines, loaded, message_line, packed, small};
use crate::domain::{BatchId, Fields, MessageKey, Msisdn, Recipient, StepIndex, Umid};
use crate::store::{Frame, Page, Scope, Twin, Whole};

/// Messages in a page.
const PAGE: u32 = 2_000;
/// Twins that are named.
const TWINS: u32 = 100;
/// From when on nothing more may leave: a person's own word counts from when it came, which may be after it was said.
macro_rules! since {
    () => {
        "iif(o.source = 0, (SELECT max(i.received) FROM inbound i WHERE i.msisdn = o.msisdn AND i.keyword = 0), o.since)"
    };
}

macro_rules! whole_messages {
    ($more:literal) => {
        packed!(
            concat!(
                message_line!(),
                " || ' ' || ifnull(",
                since!(),
                ", '') || ' ' || ifnull(r.msisdn, '') || char(31) || ",
                $more
            ),
            "message LEFT JOIN recipient r ON r.audience = message.audience AND r.n = message.recipient
             LEFT JOIN opt_out o ON o.msisdn = message.msisdn
             WHERE message.batch = ?1 AND message.n > ?2 ORDER BY message.n LIMIT ?3"
        )
    };
}

pub(super) const MESSAGES: &str = whole_messages!("ifnull(r.country, '')");
/// The client's own id may be any text, so it travels as JSON.
pub(super) const PEOPLE: &str = whole_messages!(
    "ifnull(r.country, '') || char(31) || json_array(r.client_message_id) || char(31) || ifnull(r.fields, '[]')"
);

const PLANS: &str = "SELECT digest, body FROM plan
     WHERE digest IN (SELECT plan FROM batch WHERE id = ?1 UNION SELECT plan FROM edition WHERE batch = ?1)";

pub(super) const TWINS_OF: &str = "SELECT hex(umid) AS umid, batch, n, step FROM attempt INDEXED BY attempt_umid
     WHERE umid IN (SELECT umid FROM attempt INDEXED BY attempt_umid WHERE umid IS NOT NULL
                    GROUP BY umid HAVING count(DISTINCT concat_ws(' ', batch, n, step)) > 1 AND max(batch = ?1))
     ORDER BY attempt.umid, batch, n, step LIMIT ?2";

/// Walks over it for as long as somebody takes what comes.
pub(super) async fn walk(
    connection: &mut SqliteConnection,
    batch: BatchId,
    scope: Scope,
    pages: &mpsc::Sender<Page>,
) -> Work<()> {
    let Some(frame) = frame(connection, batch).await? else { return Ok(()) };
    if pages.send(Page::Batch(Box::new(frame))).await.is_err() {
        return Ok(());
    }
    let mut after = -1;
    loop {
        let page = page(connection, batch, after, scope).await?;
        let Some(last) = page.last() else { break };
        after = i64::from(last.message.key.n);
        if pages.send(Page::Messages(page)).await.is_err() {
            return Ok(());
        }
    }
    if scope == Scope::FactsAndTwins {
        let twins = twins(connection, batch).await?;
        // Whoever has gone has seen enough.
        let _ = pages.send(Page::Twins(twins)).await;
    }
    Ok(())
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

async fn page(connection: &mut SqliteConnection, batch: BatchId, after: i64, scope: Scope) -> Work<Vec<Whole>> {
    let people = scope == Scope::People;
    let query = sqlx::query(if people { PEOPLE } else { MESSAGES }).bind(batch.0).bind(after).bind(PAGE);
    let text = lines(connection, query).await?;
    let mut page = text.lines().map(|line| whole(line, people)).collect::<Work<Vec<_>>>()?;
    // Nothing promises that lines are joined in the order of their rows.
    page.sort_unstable_by_key(|whole| whole.message.key);
    let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(page) };
    let (first, last) = (first.message.key.n, last.message.key.n);
    let of = |statement: &'static str| sqlx::query(statement).bind(batch.0).bind(first).bind(last);
    let attempts = facts::attempts_in(connection, of(facts::ATTEMPTS)).await?;
    let receipts = facts::receipts_in(connection, of(facts::RECEIPTS), batch).await?;
    let (mut attempts, mut receipts) = (VecDeque::from(attempts), VecDeque::from(receipts));
    for whole in &mut page {
        let n = whole.message.key.n;
        // What belongs to no message is passed by.
        while let Some((of, attempt)) = attempts.pop_front_if(|(of, _)| *of <= n) {
            whole.attempts.extend((of == n).then_some(attempt));
        }
        while let Some(receipt) = receipts.pop_front_if(|receipt| receipt.key.n <= n) {
            whole.receipts.extend((receipt.key.n == n).then_some(receipt));
        }
    }
    Ok(page)
}

fn whole(line: &str, people: bool) -> Work<Whole> {
    let mut parts = line.splitn(4, PART);
    let mut numbers = Line::of(parts.next().unwrap_or_default());
    let message = loaded(&mut numbers)?;
    let opted_out = numbers.moment("since")?;
    let number = numbers
        .maybe::<u64>("number")?
        .map(|number| Msisdn::try_from(number).map_err(|_| nonsense("recipient.msisdn")));
    let number = number.transpose()?;
    let country = match parts.next().unwrap_or_default() {
        "" => None,
        code => Some(code.parse().map_err(|_| nonsense("recipient.country"))?),
    };
    let mut recipient = None;
    if let (true, Some(country)) = (people, country) {
        let ids: Vec<Option<Box<str>>> =
            serde_json::from_str(parts.next().unwrap_or("[]")).map_err(|_| nonsense("recipient.client_message_id"))?;
        recipient = Some(Recipient {
            msisdn: message.msisdn,
            country,
            client_message_id: ids.into_iter().next().flatten(),
            fields: Fields::from_packed(parts.next().unwrap_or("[]").to_owned()),
        });
    }
    Ok(Whole { message, country, number, recipient, opted_out, attempts: Vec::new(), receipts: Vec::new() })
}

async fn twins(connection: &mut SqliteConnection, batch: BatchId) -> Work<Vec<Twin>> {
    let rows = sqlx::query(TWINS_OF).bind(batch.0).bind(TWINS).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            let umid: String = row.try_get("umid")?;
            let step: u8 = small(row, "step")?;
            Ok(Twin {
                umid: bytes(&umid).and_then(|umid| Umid::from_bytes(&umid)).ok_or_else(|| nonsense("attempt.umid"))?,
                key: MessageKey { batch: BatchId(small(row, "batch")?), n: small(row, "n")? },
                step: StepIndex::new(step).ok_or_else(|| nonsense("attempt.step"))?,
            })
        })
        .collect()
}
