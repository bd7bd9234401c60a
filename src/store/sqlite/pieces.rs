//! The messages of a batch before it is published: created, counted and removed in pieces.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::audiences::REMOVED_AT_ONCE;
use super::batches::gone;
use super::messages::{Moves, count_in};
use super::rows::{decoded, json_list, step};
use super::script::Script;
use super::{Work, outbox};
use crate::base::domain::{
    AddressKey, BatchId, Count, Country, LaneId, Marks, OptOutOf, Outcome, Present, SkipReason, State, StepIndex,
    Tallies, Timestamp,
};
use crate::store::{PieceOfMessages, Start};

/// Creates the messages of one piece of an audience. Returns how many.
///
/// - A recipient who is excluded, has opted out, lacks a value, or to whom no step applies also gets a message, with the outcome
///   skipped: totals add up to the audience. A confirmation of the opt-out itself is not skipped.
/// - A recipient who is left out gets none and leaves a gap in the numbering.
pub(super) async fn spread(connection: &mut SqliteConnection, spread: PieceOfMessages) -> Work<u32> {
    let mut script = Script::default();
    count_piece(&mut script, &spread);
    let before = tallies_of(&script.rows(connection).await?, -1)?;
    create(connection, spread, before, false).await
}

/// The same for recipients who have no messages yet: they have just been stored. If the batch is observed, its observers
/// are told who of them is skipped.
pub(super) async fn spread_new(
    connection: &mut SqliteConnection,
    spread: PieceOfMessages,
    is_observed: bool,
) -> Work<u32> {
    create(connection, spread, Tallies::default(), is_observed).await
}

fn piece(spread: &PieceOfMessages) -> Piece {
    (spread.batch, spread.base.saturating_add(spread.from), spread.base.saturating_add(spread.until))
}

/// Creates messages. `before` are the counters of those that were there before, negative.
async fn create(
    connection: &mut SqliteConnection,
    spread: PieceOfMessages,
    before: Tallies,
    is_observed: bool,
) -> Work<u32> {
    // Each row looks up the start of its country; countries without one of their own use the default start. `LIMIT -1`
    // limits nothing: it keeps SQLite from computing the skip reason again for each column that uses it.
    let mut script = Script::default();
    script.statement(
        "WITH start (country, step, marks, lane, lanes, places, not_before, due, skipped) AS MATERIALIZED
            (SELECT value->>0, value->>1, value->>2, iif(length(value->>4) = 1, value->>'$[3][0]', NULL), value->>3,
                    value->>4, value->>5, value->>6, value->>7
             FROM json_each(?6))
         INSERT INTO message
            (batch, n, audience, recipient, address, country, state, step, lane, not_before, due, at, outcome, skipped,
             marks)
         SELECT ?1, ?5 + r.n, r.audience, r.n, r.address, r.country, iif(skip IS NULL, 0, 3), r.step,
                coalesce(r.lane, r.lanes->>(unicode(substr(r.places, abs(r.address) % length(r.places) + 1, 1)) - 65)),
                r.not_before + later,
                iif(skip IS NULL, r.due + later, NULL), iif(skip IS NULL, NULL, ?8),
                iif(skip IS NULL, NULL, ?10), skip, r.marks
         FROM (SELECT recipient.*, start.step, start.lane, start.lanes, start.places, start.not_before, start.due, start.marks,
                      (?5 + n) * ?7 / ?14 AS later,
                      CASE WHEN n IN (SELECT value FROM json_each(?9)) THEN ?12
                           WHEN EXISTS (SELECT 1 FROM opt_out o WHERE o.address = recipient.address AND o.purpose <= ?18
                                        AND o.channel = -1) THEN ?11
                           WHEN n IN (SELECT value FROM json_each(?16)) THEN ?17
                           ELSE start.skipped END AS skip
               FROM recipient JOIN start ON start.country =
                    CASE WHEN recipient.address < 0 AND '-' IN (SELECT country FROM start)
                         THEN iif('-' || recipient.country IN (SELECT country FROM start), '-' || recipient.country, '-')
                         ELSE iif(recipient.country IN (SELECT country FROM start), recipient.country, '') END
               WHERE audience = ?2 AND n >= ?3 AND n < ?4
                 AND n NOT IN (SELECT value FROM json_each(?13)) AND recipient.address <> ?15 LIMIT -1) r
         WHERE true ON CONFLICT DO NOTHING",
    );
    script
        .bind(spread.batch.0)
        .bind(spread.audience.0)
        .bind(spread.from)
        .bind(spread.until)
        .bind(spread.base)
        .bind(starts(&spread))
        .bind(spread.over.map_or(0, |over| over.span.millis()))
        .bind(spread.now.millis())
        .bind(json_list(spread.excluded.iter().copied().map(i64::from)))
        .bind(Outcome::Skipped.code())
        .bind(SkipReason::OptedOut.code())
        .bind(SkipReason::Excluded.code())
        .bind(json_list(spread.left_out.iter().copied().map(i64::from)))
        .bind(spread.over.map_or(1, |over| over.messages.max(1)))
        .bind(AddressKey::ERASED.get())
        .bind(json_list(spread.lacking.iter().copied().map(i64::from)))
        .bind(SkipReason::MissingVariable.code())
        .bind(spread.heeds.map(OptOutOf::code));
    count_piece(&mut script, &spread);
    let mut created = tallies_of(&script.rows(connection).await?, 1)?;
    created.merge(&before);
    let all = created.total(Count::Queued) + created.done();
    let mut script = Script::default();
    script.statement("UPDATE batch SET messages = messages + ?2, touched_at = ?3 WHERE id = ?1 AND touched_at >= 0");
    script.bind(spread.batch.0).bind(all).bind(spread.now.millis());
    count_in(&mut script, &Moves::from([(spread.batch, created)]));
    if is_observed {
        let (batch, from, until) = piece(&spread);
        outbox::write_skipped(&mut script, batch, (from, until));
    }
    let touched = script.run(connection).await?;
    if touched.first() == Some(&0) {
        return Err(gone(spread.batch).into());
    }
    Ok(u32::try_from(all).unwrap_or(u32::MAX))
}

/// The starts of messages as JSON: a line for each country that starts differently, and one without a name for all
/// others. Those of recipients without a number have a minus before the name.
fn starts(spread: &PieceOfMessages) -> String {
    let line = |country: &str, start: &Start| {
        let skipped = start.skipped.map(SkipReason::code);
        let gives_up = start.gives_up.map(Timestamp::millis);
        let not_before = start.not_before.millis();
        let (step, marks, (lanes, slots)) = (start.step.get(), start.marks.bits(), lettered(&start.lanes));
        serde_json::json!([country, step, marks, lanes, slots, not_before, gives_up, skipped])
    };
    let others = std::iter::once(line("", &spread.start));
    let named = spread.elsewhere.iter().map(|(country, start)| line(country.as_str(), start));
    let users = spread.users.iter().map(|(country, start)| {
        let country = country.as_ref().map_or("", Country::as_str);
        line(&format!("-{country}"), start)
    });
    serde_json::Value::from_iter(others.chain(named).chain(users)).to_string()
}

/// Encodes the slots of a pool: the distinct lanes, and for each slot a letter that names its lane. Each row looks up
/// its slot, so the text is kept short.
fn lettered(slots: &[LaneId]) -> (Vec<u32>, String) {
    let mut lanes = Vec::new();
    let letter = |lane: &LaneId| {
        let at = lanes.iter().position(|known| *known == lane.0).unwrap_or_else(|| {
            lanes.push(lane.0);
            lanes.len() - 1
        });
        // No pool has more lanes than there are characters from `A` on.
        char::from(b'A' + u8::try_from(at).unwrap_or_default())
    };
    let letters = slots.iter().map(letter).collect();
    (lanes, letters)
}

/// A batch, and the first number of a piece and the one behind it.
type Piece = (BatchId, u32, u32);

/// Counts one piece of a batch.
///
/// - `spread` subtracts the counters before its insert from those after it. Counting along the key is much cheaper than
///   reading every row.
/// - Until the batch is published, its messages do not change, so a few columns determine the counters.
/// - Messages with the start `most` are counted separately: grouping 5,000 rows took a quarter of a launch.
fn count_piece(script: &mut Script, spread: &PieceOfMessages) {
    let ((batch, from, until), most) = (piece(spread), &spread.start);
    script.statement(
        "SELECT ?4 AS step, ?5 AS marks, NULL AS skipped, count(*) AS n FROM message
         WHERE batch = ?1 AND n >= ?2 AND n < ?3 AND skipped IS NULL AND step = ?4 AND marks = ?5
         UNION ALL
         SELECT step, marks, skipped, count(*) AS n FROM message
         WHERE batch = ?1 AND n >= ?2 AND n < ?3 AND NOT (skipped IS NULL AND step = ?4 AND marks = ?5)
         GROUP BY step, marks, skipped",
    );
    script.bind(batch.0).bind(from).bind(until).bind(most.step.get()).bind(most.marks.bits());
}

/// Reads the counters of a piece, multiplied by `times`.
fn tallies_of(rows: &[SqliteRow], times: i64) -> Work<Tallies> {
    let mut tallies = Tallies::default();
    for row in rows {
        let queued = Present::queued(Timestamp::default(), None);
        let state = match row.try_get::<Option<u8>, _>("skipped")? {
            None => queued.state,
            Some(_) => State::Done {
                outcome: Outcome::Skipped,
                skipped: Some(decoded(row, "skipped", SkipReason::from_code)?),
                at: Timestamp::default(),
            },
        };
        let marks = Marks::from_bits(row.try_get("marks")?);
        let present = Present { state, step: step(row, "step")?, marks, ..queued };
        tallies.weigh(usize::from(StepIndex::COUNT_MAX), &present, times * row.try_get::<i64, _>("n")?);
    }
    Ok(tallies)
}

/// Removes one piece of a batch that was never published. Returns whether the batch is gone.
pub(super) async fn remove(connection: &mut SqliteConnection, batch: BatchId) -> Work<bool> {
    let removed =
        sqlx::query("DELETE FROM message WHERE batch = ?1 AND n IN (SELECT n FROM message WHERE batch = ?1 LIMIT ?2)")
            .bind(batch.0)
            .bind(REMOVED_AT_ONCE)
            .execute(&mut *connection)
            .await?
            .rows_affected();
    if removed >= u64::from(REMOVED_AT_ONCE) {
        return Ok(false);
    }
    sqlx::query("DELETE FROM tally WHERE batch = ?1").bind(batch.0).execute(&mut *connection).await?;
    let unuse = "DELETE FROM audience_use WHERE (audience, batch) IN
         (SELECT used.value, batch.id FROM batch, json_each(batch.audience_ids) used WHERE batch.id = ?1 AND state = 0)";
    sqlx::query(unuse).bind(batch.0).execute(&mut *connection).await?;
    sqlx::query("DELETE FROM batch WHERE id = ?1 AND state = 0").bind(batch.0).execute(connection).await?;
    Ok(true)
}
