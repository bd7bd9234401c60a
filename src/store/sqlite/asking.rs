//! Reads which attempts the provider is to be asked about, and records what was asked.

use sqlx::{Row, SqliteConnection};

use super::Work;
use super::rows::{
    Bound, all_loaded, for_values, json_list, json_of, lines, maybe_small, maybe_timestamp, message_line, packed,
    small, timestamp,
};
use crate::domain::{BatchId, Loaded, MessageKey, StepIndex, Timestamp, Umid};
use crate::store::{Asked, Asking, Heard, Question};

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
    heard: Heard,
    (from, until): (Timestamp, Timestamp),
    limit: u32,
) -> Work<Vec<Loaded>> {
    let [first, last] = match heard {
        Heard::Nothing => [8, 9],
        Heard::Sent => [10, 10],
    };
    let query = sqlx::query(SILENT).bind(batch.0).bind(from.millis()).bind(until.millis()).bind(limit);
    let query = query.bind(first).bind(last).bind(json_list(steps.iter().map(|step| i64::from(step.get()))));
    all_loaded(&lines(connection, query).await?)
}

/// The provider is asked about the latest submitted try.
pub(super) const QUESTIONS: &str =
    "SELECT asked_for.value ->> 0 AS batch, asked_for.value ->> 1 AS n, asked_for.value ->> 2 AS step,
            (SELECT umid FROM attempt WHERE attempt.batch = asked_for.value ->> 0 AND attempt.n = asked_for.value ->> 1
             AND attempt.step = asked_for.value ->> 2 AND verdict IN (0, 2) ORDER BY attempt.tries DESC LIMIT 1) AS umid,
            asked.tries, asked.at, asked.again, asked.said
     FROM json_each(?1) asked_for
     LEFT JOIN asked ON asked.batch = asked_for.value ->> 0 AND asked.n = asked_for.value ->> 1
          AND asked.step = asked_for.value ->> 2
     ORDER BY asked_for.key";

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
                    Some(Asked { key, step, tries, at, again, said: small::<u8>(row, "said")? != 0 })
                }
                _ => None,
            };
            let umid = row.try_get::<Option<Vec<u8>>, _>("umid")?.and_then(|bytes| Umid::from_bytes(&bytes));
            Ok(Question { key, step, umid, asked })
        })
        .collect()
}

pub(super) async fn note_asked(connection: &mut SqliteConnection, asked: &[Asked], asking: Asking) -> Work<()> {
    for_values(
        connection,
        "INSERT INTO asked (batch, n, step, tries, at, again, said)",
        "ON CONFLICT (batch, n, step) DO UPDATE SET tries = excluded.tries, at = excluded.at, again = excluded.again,
             said = excluded.said",
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
                .bind(asked.said)
        },
    )
    .await?;
    sqlx::query(
        "INSERT INTO asking (sub_account, at, trouble) VALUES (?1, ?2, ?3)
         ON CONFLICT (sub_account) DO UPDATE SET at = excluded.at, trouble = excluded.trouble",
    )
    .bind(asking.sub_account)
    .bind(asking.at.millis())
    .bind(asking.trouble)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn asking(connection: &mut SqliteConnection) -> Work<Vec<Asking>> {
    let rows =
        sqlx::query("SELECT sub_account, at, trouble FROM asking ORDER BY sub_account").fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(Asking {
                sub_account: row.try_get("sub_account")?,
                at: timestamp(row, "at")?,
                trouble: row.try_get("trouble")?,
            })
        })
        .collect()
}
