//! Ids of callers under which a message is accepted once.

use std::collections::{BTreeMap, HashMap};

use sqlx::{Row, SqliteConnection};

use super::Work;
use super::rows::{json_of, small};
use crate::base::domain::{BatchId, MessageId, MessageKey, Tag, Timestamp};
use crate::store::{ClientIds, Joined, Joining};

/// Finds the messages that were accepted under the ids of a list: their positions in it, and themselves.
pub(super) const KNOWN: &str =
    "SELECT own.value ->> 0 AS position, known.batch AS batch, known.n AS n, batch.tag AS tag
     FROM json_each(?1) own
     CROSS JOIN api_client_id known ON known.sub_account = ?2 AND known.client_id = own.value ->> 1
     CROSS JOIN batch ON batch.id = known.batch
     WHERE known.accepted_at >= ?3";

/// Which messages of a join are new, and which are repeated.
#[derive(Debug, Default)]
pub(super) struct Sieved {
    /// Messages that were accepted before, by their positions.
    known: BTreeMap<u32, MessageId>,
    /// Positions that repeat an earlier one of the same join.
    within: BTreeMap<u32, u32>,
    /// The ids of the new messages, by their positions.
    new: Vec<(u32, String)>,
    sub_account: String,
}

/// Takes the messages out of a join that were accepted before under their ids.
pub(super) async fn sieve(connection: &mut SqliteConnection, joining: &mut Joining) -> Work<Sieved> {
    let (Some(ClientIds { of, since }), Some(calls)) = (joining.client_ids.take(), &joining.plan.api) else {
        return Ok(Sieved::default());
    };
    let mut sieved = Sieved { sub_account: calls.sub_account.clone(), ..Sieved::default() };
    sieved.known = find(connection, &calls.sub_account, &of, since).await?;
    let mut firsts = HashMap::new();
    for (position, id) in of {
        if sieved.known.contains_key(&position) {
            continue;
        }
        match firsts.get(&id) {
            Some(first) => drop(sieved.within.insert(position, *first)),
            None => {
                firsts.insert(id.clone(), position);
                sieved.new.push((position, id));
            }
        }
    }
    sieved.thin(joining);
    Ok(sieved)
}

async fn find(
    connection: &mut SqliteConnection,
    sub_account: &str,
    ids: &[(u32, String)],
    since: Timestamp,
) -> Work<BTreeMap<u32, MessageId>> {
    let query =
        sqlx::query(KNOWN).bind(json_of(&ids, "api_client_id.client_id")?).bind(sub_account).bind(since.millis());
    let found = |row: &sqlx::sqlite::SqliteRow| {
        let key = MessageKey { batch: BatchId(small(row, "batch")?), n: small(row, "n")? };
        let tag = Tag::from_random(row.try_get::<i64, _>("tag")?.cast_unsigned());
        Ok((small(row, "position")?, MessageId { key, tag }))
    };
    query.fetch_all(connection).await?.iter().map(found).collect()
}

impl Sieved {
    fn is_repeated(&self, position: u32) -> bool {
        self.known.contains_key(&position) || self.within.contains_key(&position)
    }

    /// Leaves what is new.
    fn thin(&self, joining: &mut Joining) {
        if self.known.is_empty() && self.within.is_empty() {
            return;
        }
        let mut places = Vec::with_capacity(joining.recipients.len());
        let mut place = 0;
        for position in (0_u32..).take(joining.recipients.len()) {
            places.push((!self.is_repeated(position)).then_some(place));
            place += u32::from(!self.is_repeated(position));
        }
        let mut is_new = places.iter().map(Option::is_some);
        joining.recipients.retain(|_| is_new.next().unwrap_or(true));
        joining.own_times.retain_mut(|own| match places.get(own.index as usize).copied().flatten() {
            Some(place) => {
                own.index = place;
                true
            }
            None => false,
        });
    }

    /// The batch of the messages, if all of them were accepted before.
    pub(super) fn is_all_known(&self, joining: &Joining) -> Option<Joined> {
        let first = self.known.values().next().filter(|_| joining.recipients.is_empty())?;
        let joined = Joined { batch: first.key.batch, tag: first.tag, first: 0, added: 0, repeated: Vec::new() };
        Some(self.with_repeated(&joined))
    }

    /// Notes the ids of the new messages, and adds the repeated ones to what has joined.
    pub(super) async fn note(self, connection: &mut SqliteConnection, joined: Joined, now: Timestamp) -> Work<Joined> {
        let joined = self.with_repeated(&joined);
        if self.new.is_empty() {
            return Ok(joined);
        }
        let rows: Vec<_> = self.new.iter().map(|(position, id)| (id, joined.message_id(*position).key.n)).collect();
        sqlx::query(
            "INSERT INTO api_client_id (sub_account, client_id, batch, n, accepted_at)
             SELECT ?2, own.value ->> 0, ?3, own.value ->> 1, ?4 FROM json_each(?1) own WHERE true
             ON CONFLICT (sub_account, client_id)
             DO UPDATE SET batch = excluded.batch, n = excluded.n, accepted_at = excluded.accepted_at",
        )
        .bind(json_of(&rows, "api_client_id.n")?)
        .bind(&self.sub_account)
        .bind(joined.batch.0)
        .bind(now.millis())
        .execute(connection)
        .await?;
        Ok(joined)
    }

    fn with_repeated(&self, joined: &Joined) -> Joined {
        let mut repeated = self.known.clone();
        for (at, first) in &self.within {
            let before = self.known.range(..first).count() + self.within.range(..first).count();
            let n = joined.first + first - u32::try_from(before).unwrap_or(*first);
            repeated.insert(*at, MessageId { key: MessageKey { batch: joined.batch, n }, tag: joined.tag });
        }
        Joined { repeated: repeated.into_iter().collect(), ..joined.clone() }
    }
}
