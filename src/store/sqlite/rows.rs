//! Binds sets to statements and reads values from rows.

use std::fmt::Write as _;

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Row, Sqlite, SqliteConnection};

use super::{Error, Work};
use crate::base::domain::{
    AddressKey, BatchId, Country, LaneId, Loaded, Marks, MessageKey, Msisdn, Outcome, Present, Refused, SkipReason,
    State, StepIndex, Timestamp,
};

pub(super) type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Rows of one statement; SQLite's limit is 32,766 values. With only a few sizes, each statement is prepared once and
/// stays in the cache.
const CHUNKS: [usize; 10] = [2_048, 512, 128, 64, 32, 16, 8, 4, 2, 1];

/// Runs `{before} VALUES (?, …), … {after}` over all rows, in few statements. Returns how many rows were affected.
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
        // The text consists of the caller's literals and question marks only.
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

/// Formats integers as a JSON array, for `json_each`.
pub(super) fn json_list(numbers: impl IntoIterator<Item = i64>) -> String {
    let mut text = String::from("[");
    for (index, number) in numbers.into_iter().enumerate() {
        let _ = write!(text, "{}{number}", if index > 0 { "," } else { "" });
    }
    text.push(']');
    text
}

/// Formats a set as JSON, for `json_each`.
pub(super) fn json_of<T: serde::Serialize + ?Sized>(set: &T, place: &str) -> Work<String> {
    Ok(serde_json::to_string(set).map_err(|error| nonsense(&error.to_string(), place))?)
}

fn nonsense(what: &str, place: &str) -> Error {
    Error::InvalidRow { what: what.to_owned(), place: place.to_owned() }
}

/// Reads an integer into a smaller type. Fails if it does not fit.
pub(super) fn small<T: TryFrom<i64>>(row: &SqliteRow, column: &'static str) -> Work<T> {
    let value: i64 = row.try_get(column)?;
    Ok(T::try_from(value).map_err(|_| nonsense(&value.to_string(), column))?)
}

pub(super) fn maybe_small<T: TryFrom<i64>>(row: &SqliteRow, column: &'static str) -> Work<Option<T>> {
    let value: Option<i64> = row.try_get(column)?;
    Ok(value.map(|value| T::try_from(value).map_err(|_| nonsense(&value.to_string(), column))).transpose()?)
}

pub(super) fn timestamp(row: &SqliteRow, column: &'static str) -> Work<Timestamp> {
    Ok(Timestamp::from_millis(row.try_get(column)?))
}

pub(super) fn maybe_timestamp(row: &SqliteRow, column: &'static str) -> Work<Option<Timestamp>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_millis))
}

pub(super) fn step(row: &SqliteRow, column: &'static str) -> Work<StepIndex> {
    let index: u8 = small(row, column)?;
    Ok(StepIndex::new(index).ok_or_else(|| nonsense(&index.to_string(), column))?)
}

pub(super) fn msisdn(row: &SqliteRow, column: &'static str) -> Work<Msisdn> {
    let digits: i64 = row.try_get(column)?;
    Ok(Msisdn::try_from(digits).map_err(|_| nonsense("an invalid number", column))?)
}

pub(super) fn address_key(row: &SqliteRow, column: &'static str) -> Work<AddressKey> {
    let key: i64 = row.try_get(column)?;
    Ok(AddressKey::try_from(key).map_err(|_| nonsense("an invalid address", column))?)
}

/// Reads a value that is stored as a code.
pub(super) fn decoded<T>(row: &SqliteRow, column: &'static str, from_code: impl Fn(u8) -> Option<T>) -> Work<T> {
    let code: u8 = small(row, column)?;
    Ok(from_code(code).ok_or_else(|| nonsense(&code.to_string(), column))?)
}

/// Reads a value that is stored as JSON.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(row: &SqliteRow, column: &'static str) -> Work<T> {
    let text: String = row.try_get(column)?;
    Ok(serde_json::from_str(&text).map_err(|_| nonsense(&text, column))?)
}

/// The same for a value that may be missing.
pub(super) fn maybe_json<T: serde::de::DeserializeOwned>(row: &SqliteRow, column: &'static str) -> Work<Option<T>> {
    let text: Option<String> = row.try_get(column)?;
    Ok(text.map(|text| serde_json::from_str(&text).map_err(|_| nonsense(&text, column))).transpose()?)
}

/// Writes a value as JSON. The types of the store have no value that JSON cannot hold.
pub(super) fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Builds a statement that returns many rows as one text, a line for each. `$line` is an expression; `$rows` follows
/// `FROM`.
///
/// The driver takes microseconds to return a row of a dozen values; a line costs a fraction of a microsecond.
macro_rules! packed {
    ($line:expr, $rows:expr) => {
        concat!("SELECT group_concat(line, char(10)) AS lines FROM (SELECT ", $line, " AS line FROM ", $rows, ")")
    };
}
pub(super) use packed;

/// The SQL expression for the canonical spelling of a number: see [`Msisdn::canonical`].
macro_rules! canonical_number {
    ($column:literal) => {
        concat!(
            "CASE WHEN ",
            $column,
            " BETWEEN 551100000000 AND 559999999999 AND ",
            $column,
            " / 10000000 % 10 >= 6 THEN ",
            $column,
            " / 100000000 * 1000000000 + 900000000 + ",
            $column,
            " % 100000000 WHEN ",
            $column,
            " BETWEEN 5212000000000 AND 5219999999999 THEN ",
            $column,
            " - 4690000000000 WHEN ",
            $column,
            " BETWEEN 541000000000 AND 543999999999 THEN ",
            $column,
            " + 4950000000000 ELSE ",
            $column,
            " END"
        )
    };
}
pub(super) use canonical_number;

/// Runs a statement made by [`packed!`] and returns its lines.
pub(super) async fn lines(connection: &mut SqliteConnection, query: Bound<'_>) -> Work<String> {
    let row = query.fetch_one(connection).await?;
    Ok(row.try_get::<Option<String>, _>("lines")?.unwrap_or_default())
}

/// The SQL expression for the line that [`loaded`] reads.
macro_rules! message_line {
    () => {
        "concat_ws(' ', message.batch, message.n, message.address, message.country, message.version, message.state, message.step,
                   message.lane, message.not_before, ifnull(message.at, ''), ifnull(message.due, ''),
                   ifnull(message.outcome, ''), ifnull(message.skipped, ''), ifnull(message.first_submitted_at, ''),
                   ifnull(message.accepted, ''), ifnull(message.expires, ''), message.tries, message.refused, message.marks)"
    };
}
pub(super) use message_line;

pub(super) mod state {
    pub(in super::super) const QUEUED: i64 = 0;
    pub(in super::super) const SENDING: i64 = 1;
    pub(in super::super) const AWAITING: i64 = 2;
    pub(in super::super) const DONE: i64 = 3;
}

/// Reads the values of one line, in order.
pub(super) struct Line<'a>(Option<&'a str>);

impl<'a> Line<'a> {
    pub(super) fn of(line: &'a str) -> Self {
        Self(Some(line))
    }

    /// The rest of the line after the values that were read; `None` at its end.
    pub(super) fn rest(&self) -> Option<&'a str> {
        self.0
    }

    pub(super) fn text(&mut self, column: &'static str) -> Work<&'a str> {
        let line = self.0.ok_or_else(|| nonsense("a missing value", column))?;
        let (text, rest) = line.split_once(' ').map_or((line, None), |(text, rest)| (text, Some(rest)));
        self.0 = rest;
        Ok(text)
    }

    pub(super) fn maybe<T: TryFrom<i64>>(&mut self, column: &'static str) -> Work<Option<T>> {
        let text = self.text(column)?;
        if text.is_empty() {
            return Ok(None);
        }
        let value = text.parse::<i64>().ok().and_then(|value| T::try_from(value).ok());
        Ok(Some(value.ok_or_else(|| nonsense(text, column))?))
    }

    pub(super) fn small<T: TryFrom<i64>>(&mut self, column: &'static str) -> Work<T> {
        Ok(self.maybe(column)?.ok_or_else(|| nonsense("a missing value", column))?)
    }

    pub(super) fn timestamp(&mut self, column: &'static str) -> Work<Option<Timestamp>> {
        Ok(self.maybe(column)?.map(Timestamp::from_millis))
    }

    pub(super) fn address(&mut self, column: &'static str) -> Work<AddressKey> {
        self.small(column)
    }

    pub(super) fn country(&mut self, column: &'static str) -> Work<Country> {
        let code = self.text(column)?;
        Ok(code.parse().map_err(|_| nonsense(code, column))?)
    }

    pub(super) fn step(&mut self, column: &'static str) -> Work<StepIndex> {
        let index: u8 = self.small(column)?;
        Ok(StepIndex::new(index).ok_or_else(|| nonsense(&index.to_string(), column))?)
    }
}

/// Reads a message from its line.
pub(super) fn loaded(line: &mut Line<'_>) -> Work<Loaded> {
    let missing = |what: &str| nonsense(&format!("a message without its {what}"), "message");
    let key = MessageKey { batch: BatchId(line.small("batch")?), n: line.small("n")? };
    let (address, country) = (line.address("address")?, line.country("country")?);
    let version = line.small("version")?;
    let state: i64 = line.small("state")?;
    let step = line.step("step")?;
    let lane = LaneId(line.small("lane")?);
    let not_before = line.timestamp("not_before")?.ok_or_else(|| missing("queue time"))?;
    let (at, due) = (line.timestamp("at")?, line.timestamp("due")?);
    let (outcome, skipped) = (line.maybe::<u8>("outcome")?, line.maybe::<u8>("skipped")?);
    let state = match state {
        state::QUEUED => State::Queued { not_before, gives_up: due },
        state::SENDING => State::Sending { intent: at.ok_or_else(|| missing("intent"))?, not_before, gives_up: due },
        state::AWAITING => State::Awaiting { due: due.ok_or_else(|| missing("due time"))? },
        state::DONE => State::Done {
            outcome: outcome.and_then(Outcome::from_code).ok_or_else(|| missing("outcome"))?,
            skipped: skipped.and_then(SkipReason::from_code),
            at: at.ok_or_else(|| missing("end"))?,
        },
        other => return Err(nonsense(&format!("state {other}"), "message").into()),
    };
    let (first_submitted_at, accepted) = (line.timestamp("first_submitted_at")?, line.timestamp("accepted")?);
    let expires = line.timestamp("expires")?;
    let tries = line.small("tries")?;
    let refused = refused(line)?;
    let marks = Marks::from_bits(line.small("marks")?);
    let present = Present { state, step, marks, first_submitted_at, accepted, tries, refused, expires };
    Ok(Loaded { key, address, country, version, lane, present })
}

/// Reads what refusals have shown about a message.
pub(super) fn refused(line: &mut Line<'_>) -> Work<Refused> {
    let code: u8 = line.small("refused")?;
    Ok(Refused::from_code(code).ok_or_else(|| nonsense(&code.to_string(), "refused"))?)
}

pub(super) fn all_loaded(lines: &str) -> Work<Vec<Loaded>> {
    lines.lines().map(|line| loaded(&mut Line::of(line))).collect()
}
