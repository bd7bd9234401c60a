//! Reads which attempts the provider is to be asked about, and records what was asked.

use sqlx::{Row, SqliteConnection};

use super::Work;
use super::rows::{
    Bound, all_loaded, for_values, json_list, json_of, lines, maybe_small, maybe_timestamp, message_line, packed,
    small, timestamp,
};
use crate::base::domain::{BatchId, Loaded, MessageKey, StepIndex, Timestamp, Umid};
use crate::store::{HighestStatus, Query, QueryState, Question};

/// Due messages whose present step was submitted, is not unknown, and has no better receipt than accepted, or than sent.
pub(super) const SILENT: &str = packed!(
    message_line!(),
    "message INDEXED BY message_due
     WHERE batch = ?1 AND due > ?2 AND due <= ?3 AND due IS NOT NULL AND state IN (0, 2) AND state = 2
     AND marks >> (step * 8) & 31 IN (?5, ?6) AND step IN (SELECT value FROM json_each(?7)) ORDER BY due, n LIMIT ?4"
);

pub(super) async fn silent(
    connection: &mut SqliteConnection,
    batch: BatchId,
    steps: Vec<StepIndex>,
    reported: HighestStatus,
    (from, until): (Timestamp, Timestamp),
    limit: u32,
) -> Work<Vec<Loaded>> {
    let [first, last] = match reported {
        HighestStatus::Nothing => [8, 9],
        HighestStatus::Sent => [10, 10],
    };
    let query = sqlx::query(SILENT).bind(batch.0).bind(from.millis()).bind(until.millis()).bind(limit);
    let query = query.bind(first).bind(last).bind(json_list(steps.iter().map(|step| i64::from(step.get()))));
    all_loaded(&lines(connection, query).await?)
}

/// The provider is asked about the latest submitted try.
pub(super) const QUESTIONS: &str =
    "SELECT wanted.value ->> 0 AS batch, wanted.value ->> 1 AS n, wanted.value ->> 2 AS step,
            (SELECT umid FROM attempt WHERE attempt.batch = wanted.value ->> 0 AND attempt.n = wanted.value ->> 1
             AND attempt.step = wanted.value ->> 2 AND verdict IN (0, 2) ORDER BY attempt.tries DESC LIMIT 1) AS umid,
            question.tries, question.at, question.again, question.is_answered
     FROM json_each(?1) wanted
     LEFT JOIN question ON question.batch = wanted.value ->> 0 AND question.n = wanted.value ->> 1
          AND question.step = wanted.value ->> 2
     ORDER BY wanted.key";

pub(super) async fn questions(
    connection: &mut SqliteConnection,
    about: &[(MessageKey, StepIndex)],
) -> Work<Vec<Question>> {
    let list: Vec<(u32, u32, u8)> = about.iter().map(|(key, step)| (key.batch.0, key.n, step.get())).collect();
    let rows = sqlx::query(QUESTIONS).bind(json_of(&list, "asked")?).fetch_all(connection).await?;
    about
        .iter()
        .zip(&rows)
        .map(|(&(key, step), row)| {
            let asked = match (maybe_small(row, "tries")?, maybe_timestamp(row, "at")?, maybe_timestamp(row, "again")?)
            {
                (Some(tries), Some(at), Some(again)) => {
                    Some(Query { key, step, tries, at, again, is_answered: small::<u8>(row, "is_answered")? != 0 })
                }
                _ => None,
            };
            let umid = row.try_get::<Option<Vec<u8>>, _>("umid")?.and_then(|bytes| Umid::from_bytes(&bytes));
            Ok(Question { key, step, umid, asked })
        })
        .collect()
}

pub(super) async fn record_queries(connection: &mut SqliteConnection, asked: &[Query], state: QueryState) -> Work<()> {
    for_values(
        connection,
        "INSERT INTO question (batch, n, step, tries, at, again, is_answered)",
        "ON CONFLICT (batch, n, step) DO UPDATE SET tries = excluded.tries, at = excluded.at, again = excluded.again,
             is_answered = excluded.is_answered",
        7,
        asked,
        |query: Bound<'_>, asked| {
            query
                .bind(asked.key.batch.0)
                .bind(asked.key.n)
                .bind(asked.step.get())
                .bind(asked.tries)
                .bind(asked.at.millis())
                .bind(asked.again.millis())
                .bind(asked.is_answered)
        },
    )
    .await?;
    sqlx::query(
        "INSERT INTO asking (sub_account, at, trouble) VALUES (?1, ?2, ?3)
         ON CONFLICT (sub_account) DO UPDATE SET at = excluded.at, trouble = excluded.trouble",
    )
    .bind(state.sub_account)
    .bind(state.at.millis())
    .bind(state.trouble)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn query_states(connection: &mut SqliteConnection) -> Work<Vec<QueryState>> {
    let rows =
        sqlx::query("SELECT sub_account, at, trouble FROM asking ORDER BY sub_account").fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(QueryState {
                sub_account: row.try_get("sub_account")?,
                at: timestamp(row, "at")?,
                trouble: row.try_get("trouble")?,
            })
        })
        .collect()
}
