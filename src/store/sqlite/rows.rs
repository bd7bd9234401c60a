//! Sets into statements, and rows into values.

use std::fmt::Write as _;

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Row, Sqlite, SqliteConnection};

use super::{Error, Work};
use crate::domain::{
    BatchId, LaneId, Marks, MessageKey, Msisdn, Outcome, Present, SkipReason, State, StepIndex, Timestamp,
};
use crate::store::Loaded;

pub(super) type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Rows of one statement. SQLite's limit is 32,766 values. Few sizes, so that each statement has been prepared before
/// and all of them stay prepared.
const CHUNKS: [usize; 5] = [512, 128, 32, 8, 1];

/// Runs `{before} VALUES (?, …), … {after}` over all rows, in as few statements as their number allows. Returns how
/// many rows were touched.
pub(super) async fn for_values<R>(
    connection: &mut SqliteConnection,
    before: &'static str,
    after: &'static str,
    columns: usize,
    rows: &[R],
    bind: impl for<'q> Fn(Bound<'q>, &R) -> Bound<'q>,
) -> Work<u64> {
    let mut touched = 0;
    let mut rest = rows;
    while !rest.is_empty() {
        let size = CHUNKS.into_iter().find(|size| *size <= rest.len()).unwrap_or(1);
        let (chunk, more) = rest.split_at(size);
        rest = more;
        // The text holds nothing but the caller's literals and question marks.
        let mut query = sqlx::query(AssertSqlSafe(values_statement(before, after, columns, chunk.len())));
        for row in chunk {
            query = bind(query, row);
        }
        touched += query.execute(&mut *connection).await?.rows_affected();
    }
    Ok(touched)
}

fn values_statement(before: &str, after: &str, columns: usize, rows: usize) -> String {
    let mut text = String::with_capacity(before.len() + after.len() + 16 + rows * (columns * 2 + 2));
    let _ = write!(text, "{before} VALUES ");
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..columns {
            text.push_str(if column == 0 { "?" } else { ",?" });
        }
        text.push(')');
    }
    let _ = write!(text, " {after}");
    text
}

/// Whole numbers as a JSON array, for `json_each`.
pub(super) fn json_list(numbers: impl IntoIterator<Item = i64>) -> String {
    let mut text = String::from("[");
    for (place, number) in numbers.into_iter().enumerate() {
        let _ = write!(text, "{}{number}", if place > 0 { "," } else { "" });
    }
    text.push(']');
    text
}

fn nonsense(what: &str, place: &str) -> Error {
    Error::Nonsense { what: what.to_owned(), place: place.to_owned() }
}

/// An integer that must fit a smaller type.
pub(super) fn small<T: TryFrom<i64>>(row: &SqliteRow, column: &'static str) -> Work<T> {
    let value: i64 = row.try_get(column)?;
    Ok(T::try_from(value).map_err(|_| nonsense(&value.to_string(), column))?)
}

pub(super) fn maybe_small<T: TryFrom<i64>>(row: &SqliteRow, column: &'static str) -> Work<Option<T>> {
    let value: Option<i64> = row.try_get(column)?;
    Ok(value.map(|value| T::try_from(value).map_err(|_| nonsense(&value.to_string(), column))).transpose()?)
}

pub(super) fn moment(row: &SqliteRow, column: &'static str) -> Work<Timestamp> {
    Ok(Timestamp::from_millis(row.try_get(column)?))
}

pub(super) fn maybe_moment(row: &SqliteRow, column: &'static str) -> Work<Option<Timestamp>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_millis))
}

pub(super) fn step(row: &SqliteRow, column: &'static str) -> Work<StepIndex> {
    let index: u8 = small(row, column)?;
    Ok(StepIndex::new(index).ok_or_else(|| nonsense(&index.to_string(), column))?)
}

pub(super) fn msisdn(row: &SqliteRow, column: &'static str) -> Work<Msisdn> {
    let digits: i64 = row.try_get(column)?;
    Ok(Msisdn::try_from(digits).map_err(|_| nonsense("a number that is none", column))?)
}

/// A value that a row keeps as the code of a word.
pub(super) fn word<T>(row: &SqliteRow, column: &'static str, from_code: impl Fn(u8) -> Option<T>) -> Work<T> {
    let code: u8 = small(row, column)?;
    Ok(from_code(code).ok_or_else(|| nonsense(&code.to_string(), column))?)
}

/// The columns that [`loaded`] reads.
macro_rules! message_columns {
    () => {
        "batch, n, msisdn, version, state, step, lane, not_before, at, due, outcome, skipped, first_left, accepted, \
         tries, marks"
    };
}
pub(super) use message_columns;

pub(super) mod state {
    pub(in super::super) const QUEUED: i64 = 0;
    pub(in super::super) const SENDING: i64 = 1;
    pub(in super::super) const AWAITING: i64 = 2;
    pub(in super::super) const DONE: i64 = 3;
}

/// A message out of its row.
pub(super) fn loaded(row: &SqliteRow) -> Work<Loaded> {
    let at = maybe_moment(row, "at")?;
    let due = maybe_moment(row, "due")?;
    let missing = |what: &str| nonsense(&format!("a message without {what}"), "message");
    let state = match row.try_get::<i64, _>("state")? {
        state::QUEUED => State::Queued { not_before: moment(row, "not_before")?, gives_up: due },
        state::SENDING => State::Sending {
            intent: at.ok_or_else(|| missing("its intent"))?,
            not_before: moment(row, "not_before")?,
            gives_up: due,
        },
        state::AWAITING => State::Awaiting { due: due.ok_or_else(|| missing("its due time"))? },
        state::DONE => State::Done {
            outcome: word(row, "outcome", Outcome::from_code)?,
            skipped: maybe_small::<u8>(row, "skipped")?.and_then(SkipReason::from_code),
            at: at.ok_or_else(|| missing("its end"))?,
        },
        other => return Err(nonsense(&format!("state {other}"), "message").into()),
    };
    Ok(Loaded {
        key: MessageKey { batch: BatchId(small(row, "batch")?), n: small(row, "n")? },
        msisdn: msisdn(row, "msisdn")?,
        version: small(row, "version")?,
        lane: LaneId(small(row, "lane")?),
        present: Present {
            state,
            step: step(row, "step")?,
            marks: Marks::from_bits(row.try_get("marks")?),
            first_left: maybe_moment(row, "first_left")?,
            accepted: maybe_moment(row, "accepted")?,
            tries: small(row, "tries")?,
        },
    })
}
