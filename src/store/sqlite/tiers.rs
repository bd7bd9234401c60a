//! Tiers: whom a portfolio has handed something over to, and who may be next.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures_util::TryStreamExt;
use serde_json::json;
use sqlx::{Row, SqliteConnection};

use super::Work;
use super::messages::number;
use super::rows::{Bound, for_values, json_list, lines, maybe_moment, moment, msisdn, packed, small};
use crate::domain::{BatchId, LaneId, Msisdn, Span, Timestamp};
use crate::store::{Claimed, Pass, Queue, TierPlace, TierUse};

/// Those of the people who hold a place.
pub(super) const HOLDERS: &str =
    packed!("msisdn", "tier_place WHERE portfolio = ?1 AND at > ?2 AND msisdn IN (SELECT value FROM json_each(?3))");

/// What a place was before is what it is again.
pub(super) const RESTORE: &str = "UPDATE tier_place SET at = before
     WHERE portfolio = ?1 AND at = ?2 AND before IS NOT NULL AND msisdn IN (SELECT value FROM json_each(?3))";

pub(super) const FREE: &str = "DELETE FROM tier_place
     WHERE portfolio = ?1 AND at = ?2 AND before IS NULL AND msisdn IN (SELECT value FROM json_each(?3))";

/// A place that is taken once more keeps the two latest times: claims of two lanes may be made in another order than their
/// times, and one of them may have taken the place for two messages.
macro_rules! latest_two {
    () => {
        "ON CONFLICT DO UPDATE SET at = max(at, excluded.at),
     before = max(coalesce(before, min(at, excluded.at)), min(at, excluded.at))"
    };
}

/// A place by its key.
pub(super) type Place = (String, i64);

/// In front of all places.
pub(super) const START: Place = (String::new(), 0);

/// Places that are looked at in one transaction.
const PIECE: i64 = 5_000;

/// The last place of a piece. Walks along the key: no index tells how old places are, since every claim would pay for it.
pub(super) const PIECE_END: &str = "SELECT portfolio, msisdn FROM tier_place WHERE (portfolio, msisdn) > (?1, ?2)
     ORDER BY portfolio, msisdn LIMIT 1 OFFSET ?3";

pub(super) const FORGET: &str =
    "DELETE FROM tier_place WHERE (portfolio, msisdn) > (?1, ?2) AND (portfolio, msisdn) <= (?3, ?4) AND at <= ?5";

pub(super) const FORGET_REST: &str = "DELETE FROM tier_place WHERE (portfolio, msisdn) > (?1, ?2) AND at <= ?3";

/// A window that closes sooner than this may be closed by the time at which the message leaves.
const CLOSES_TOO_SOON: Span = Span::from_secs(60);

/// Lets people of one claim in, as far as its places go.
pub(super) struct Gate {
    tier: TierUse,
    /// Those who take a place that they had not.
    newcomers: HashSet<Msisdn>,
}

impl Gate {
    pub(super) fn new(tier: TierUse) -> Self {
        Self { tier, newcomers: HashSet::new() }
    }

    /// Leaves so many in a queue who have a place or get one, and returns who gets none. Who opted out is sent nothing, and
    /// so needs none. Whoever is neither left nor returned has their turn with the next claim.
    pub(super) async fn pass(
        &mut self,
        connection: &mut SqliteConnection,
        queue: &mut Vec<Claimed>,
        most: usize,
        now: Timestamp,
    ) -> Work<Vec<Claimed>> {
        self.look_for_windows(connection, queue, now).await?;
        let counts = |claimed: &&Claimed| claimed.pass == Pass::Place;
        let people = || queue.iter().filter(counts).map(|claimed| claimed.message.msisdn);
        let free = usize::try_from(self.tier.places).unwrap_or(usize::MAX).saturating_sub(self.newcomers.len());
        // Who holds a place already counts twice by this, until the claim is over. Where that sent somebody on to another
        // step for want of a place, it would be a lie.
        if self.tier.impatient.is_empty() && people().count() <= free {
            self.newcomers.extend(people());
            return Ok(Vec::new());
        }
        let query = sqlx::query(HOLDERS)
            .bind(self.tier.portfolio.clone())
            .bind(self.tier.since.millis())
            .bind(json_list(people().map(number)));
        let lines = lines(connection, query).await?;
        let holders: HashSet<&str> = lines.lines().collect();
        let mut kept_out = Vec::new();
        for claimed in std::mem::take(queue) {
            let person = claimed.message.msisdn;
            let needs_none = claimed.pass != Pass::Place || holders.contains(number(person).to_string().as_str());
            // Whose turn comes with the next claim has a place kept by this.
            if !needs_none && !self.lets_in(person) {
                kept_out.push(claimed);
            } else if queue.len() < most {
                queue.push(claimed);
            }
        }
        Ok(kept_out)
    }

    /// Whether who is kept out of this queue goes on to another step rather than wait for a place; and then, how many steps
    /// the route has.
    pub(super) fn goes_on(&self, queue: &Queue) -> Option<usize> {
        self.tier.impatient.iter().find(|impatient| impatient.queue == *queue).map(|impatient| impatient.steps)
    }

    /// Who has written to us lately may be written to without a place.
    async fn look_for_windows(
        &self,
        connection: &mut SqliteConnection,
        queue: &mut [Claimed],
        now: Timestamp,
    ) -> Work<()> {
        let people: Vec<Msisdn> = queue.iter().map(|claimed| claimed.message.msisdn).collect();
        let open = super::inbound::windows(connection, &people, &self.tier.sender, now + CLOSES_TOO_SOON).await?;
        let open: BTreeMap<Msisdn, Timestamp> = open.into_iter().collect();
        for claimed in queue.iter_mut().filter(|claimed| !claimed.opted_out) {
            let window = open.get(&claimed.message.msisdn);
            claimed.pass = window.map_or(Pass::Place, |until| Pass::Window(*until));
        }
        Ok(())
    }

    fn lets_in(&mut self, person: Msisdn) -> bool {
        let full = u32::try_from(self.newcomers.len()).is_ok_and(|newcomers| newcomers >= self.tier.places);
        self.newcomers.contains(&person) || !full && self.newcomers.insert(person)
    }

    /// Writes down the places of those who were let in.
    pub(super) async fn close(
        self,
        connection: &mut SqliteConnection,
        claimed: &[Claimed],
        now: Timestamp,
    ) -> Work<()> {
        let with_place = claimed.iter().filter(|claimed| claimed.pass == Pass::Place);
        let people: Vec<_> = with_place.map(|claimed| (claimed.message.msisdn, now)).collect();
        take(connection, &self.tier.portfolio, &people).await
    }
}

pub(super) async fn take(
    connection: &mut SqliteConnection,
    portfolio: &str,
    people: &[(Msisdn, Timestamp)],
) -> Work<()> {
    for_values(
        connection,
        "INSERT INTO tier_place (portfolio, msisdn, at)",
        latest_two!(),
        3,
        people,
        |query: Bound<'_>, (person, at)| query.bind(portfolio.to_owned()).bind(number(*person)).bind(at.millis()),
    )
    .await?;
    Ok(())
}

/// The portfolios whose people are counted, with the lanes on which they are.
pub(super) async fn counted(connection: &mut SqliteConnection) -> Work<BTreeSet<(String, LaneId)>> {
    let rows = sqlx::query("SELECT portfolio, lane FROM counted").fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("portfolio")?, LaneId(small(row, "lane")?)))).collect()
}

pub(super) async fn set_counted(
    connection: &mut SqliteConnection,
    pairs: &BTreeSet<(String, LaneId)>,
    are_counted: bool,
) -> Work<()> {
    let text = if are_counted {
        "INSERT INTO counted (portfolio, lane) SELECT value ->> 0, value ->> 1 FROM json_each(?1) WHERE true
         ON CONFLICT DO NOTHING"
    } else {
        "DELETE FROM counted WHERE (portfolio, lane) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))"
    };
    sqlx::query(text).bind(as_json(pairs)).execute(connection).await?;
    Ok(())
}

fn as_json(pairs: &BTreeSet<(String, LaneId)>) -> String {
    json!(pairs.iter().map(|(portfolio, lane)| (portfolio, lane.0)).collect::<Vec<_>>()).to_string()
}

/// Batches that may have handed something over since then, with their highest number.
pub(super) async fn to_count(connection: &mut SqliteConnection, since: Timestamp) -> Work<Vec<(BatchId, u32)>> {
    let rows = sqlx::query(
        "SELECT batch.id, (SELECT max(n) FROM message WHERE batch = batch.id) AS last FROM batch
         WHERE started_at IS NOT NULL AND coalesce(settled_at, ?1 + 1) > ?1 AND last IS NOT NULL ORDER BY id",
    )
    .bind(since.millis())
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((BatchId(small(row, "id")?), small(row, "last")?))).collect()
}

/// Messages whose hand-overs are counted in one transaction.
pub(super) const COUNTED_AT_ONCE: u32 = 5_000;

/// A stretch of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) batch: BatchId,
    pub(super) from: u32,
    pub(super) until: u32,
    pub(super) since: Timestamp,
}

/// Whoever was handed something over, or is about to be. Row by row: whoever was twice keeps both times.
pub(super) const COUNT: &str = concat!(
    "WITH owner (portfolio, lane) AS (SELECT value ->> 0, value ->> 1 FROM json_each(?5))
     INSERT INTO tier_place (portfolio, msisdn, at)
     SELECT portfolio, msisdn, at FROM (
         SELECT a.lane, m.msisdn, a.intent AS at FROM attempt a JOIN message m ON m.batch = a.batch AND m.n = a.n
         WHERE a.batch = ?1 AND a.n >= ?2 AND a.n < ?3 AND a.intent > ?4 AND a.verdict IN (0, 2)
         UNION ALL
         SELECT lane, msisdn, at FROM message WHERE batch = ?1 AND n >= ?2 AND n < ?3 AND state = 1) AS begun
     JOIN owner ON owner.lane = begun.lane WHERE true ",
    latest_two!()
);

pub(super) async fn count(
    connection: &mut SqliteConnection,
    pairs: &BTreeSet<(String, LaneId)>,
    piece: Piece,
) -> Work<()> {
    sqlx::query(COUNT)
        .bind(piece.batch.0)
        .bind(piece.from)
        .bind(piece.until)
        .bind(piece.since.millis())
        .bind(as_json(pairs))
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) const PLACES: &str = "SELECT portfolio, msisdn, at, before FROM tier_place
     WHERE portfolio IN (SELECT value FROM json_each(?1)) AND at > ?2 ORDER BY at";

pub(super) async fn places(
    connection: &mut SqliteConnection,
    portfolios: &[String],
    since: Timestamp,
) -> Work<BTreeMap<String, Vec<TierPlace>>> {
    let query = sqlx::query(PLACES).bind(json!(portfolios).to_string()).bind(since.millis());
    let mut rows = query.fetch(connection);
    let mut places = BTreeMap::<String, Vec<TierPlace>>::new();
    while let Some(row) = rows.try_next().await? {
        let place = TierPlace {
            person: msisdn(&row, "msisdn")?,
            at: moment(&row, "at")?,
            before: maybe_moment(&row, "before")?,
        };
        let portfolio: &str = row.try_get("portfolio")?;
        match places.get_mut(portfolio) {
            Some(places) => places.push(place),
            None => drop(places.insert(portfolio.to_owned(), vec![place])),
        }
    }
    Ok(places)
}

pub(super) async fn used(connection: &mut SqliteConnection, since: Timestamp) -> Work<BTreeMap<String, u32>> {
    let rows = sqlx::query("SELECT portfolio, count(*) AS people FROM tier_place WHERE at > ?1 GROUP BY portfolio")
        .bind(since.millis())
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok((row.try_get("portfolio")?, small(row, "people")?))).collect()
}

/// Forgets those of one piece that were taken at `before` or earlier. Returns where the next piece begins.
pub(super) async fn forget(
    connection: &mut SqliteConnection,
    (portfolio, person): Place,
    before: Timestamp,
) -> Work<Option<Place>> {
    let end = sqlx::query(PIECE_END).bind(&portfolio).bind(person).bind(PIECE - 1);
    let Some(end) = end.fetch_optional(&mut *connection).await? else {
        let rest = sqlx::query(FORGET_REST).bind(portfolio).bind(person).bind(before.millis());
        rest.execute(connection).await?;
        return Ok(None);
    };
    let end: Place = (end.try_get("portfolio")?, end.try_get("msisdn")?);
    let piece = sqlx::query(FORGET).bind(portfolio).bind(person).bind(&end.0).bind(end.1).bind(before.millis());
    piece.execute(connection).await?;
    Ok(Some(end))
}

pub(super) async fn give_back(
    connection: &mut SqliteConnection,
    portfolio: &str,
    people: Vec<(Msisdn, Timestamp)>,
) -> Work<()> {
    // Whole claims come back together: few times, many people.
    let mut by_time: BTreeMap<Timestamp, Vec<i64>> = BTreeMap::new();
    for (person, at) in people {
        by_time.entry(at).or_default().push(number(person));
    }
    for (at, people) in by_time {
        let people = json_list(people);
        // A place that is restored has a time before, and is none that the second statement means.
        for statement in [RESTORE, FREE] {
            let query = sqlx::query(statement).bind(portfolio).bind(at.millis()).bind(&people);
            query.execute(&mut *connection).await?;
        }
    }
    Ok(())
}
