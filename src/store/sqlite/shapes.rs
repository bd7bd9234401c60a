//! Writing many decisions in few statements.
//!
//! What is decided in one group is mostly decided alike: a thousand messages accepted in the same moment differ in
//! nothing but their numbers. Changes of one shape are one update of a list of numbers, which costs a fraction of
//! handing over a dozen values for each row; what differs for each row (when it first left, when it is due) mostly
//! does not change, and is then left out of the shape.

use std::collections::HashMap;
use std::fmt::Write as _;

use sqlx::SqliteConnection;

use super::Work;
use super::rows::{json_list, state};
use crate::domain::{BatchId, LaneId, SkipReason, State, StepIndex, Timestamp, Umid};
use crate::store::{Attempt, Change, Verdict};

/// A column that a change leaves as it is, or sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum To {
    Same,
    Value(Option<i64>),
}

impl To {
    fn of(before: Option<Timestamp>, after: Option<Timestamp>) -> Self {
        if before == after { Self::Same } else { Self::Value(after.map(Timestamp::millis)) }
    }

    const fn is_same(self) -> bool {
        matches!(self, Self::Same)
    }

    const fn value(self) -> Option<i64> {
        match self {
            Self::Same => None,
            Self::Value(value) => value,
        }
    }
}

/// What changes have in common that are written together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Shape {
    batch: BatchId,
    version: u32,
    state: i64,
    step: StepIndex,
    lane: LaneId,
    /// When the present step was queued: kept for as long as the message stands at it.
    not_before: To,
    at: To,
    due: To,
    outcome: Option<u8>,
    skipped: Option<u8>,
    first_left: To,
    accepted: To,
    tries: u8,
    marks: i64,
}

/// A state's times as they lie in the columns: `not_before`, `at` and `due`.
fn times(state: &State) -> [Option<Timestamp>; 3] {
    match *state {
        State::Queued { not_before, gives_up } => [Some(not_before), None, gives_up],
        State::Sending { intent, not_before, gives_up } => [Some(not_before), Some(intent), gives_up],
        State::Awaiting { due } => [None, None, Some(due)],
        State::Done { at, .. } => [None, Some(at), None],
    }
}

impl Shape {
    fn of(change: &Change) -> Self {
        let (before, after) = (&change.before, &change.after);
        let ([_, at_before, due_before], [not_before, at, due]) = (times(&before.state), times(&after.state));
        let (state, outcome, skipped) = match after.state {
            State::Queued { .. } => (state::QUEUED, None, None),
            State::Sending { .. } => (state::SENDING, None, None),
            State::Awaiting { .. } => (state::AWAITING, None, None),
            State::Done { outcome, skipped, .. } => (state::DONE, Some(outcome.code()), skipped.map(SkipReason::code)),
        };
        Self {
            batch: change.key.batch,
            version: change.version,
            state,
            step: after.step,
            lane: change.lane,
            not_before: not_before.map_or(To::Same, |at| To::Value(Some(at.millis()))),
            at: To::of(at_before, at),
            due: To::of(due_before, due),
            outcome,
            skipped,
            first_left: To::of(before.first_left, after.first_left),
            accepted: To::of(before.accepted, after.accepted),
            tries: after.tries,
            marks: after.marks.bits(),
        }
    }
}

pub(super) const WRITE: &str = "UPDATE message SET version = version + 1, state = ?4, step = ?5, lane = ?6,
            not_before = iif(?7, not_before, ?8), at = iif(?9, at, ?10), due = iif(?11, due, ?12),
            outcome = ?13, skipped = ?14, first_left = iif(?15, first_left, ?16), accepted = iif(?17, accepted, ?18),
            tries = ?19, marks = ?20
     WHERE batch = ?1 AND n IN (SELECT value FROM json_each(?3)) AND version = ?2";

/// Writes changes to the rows whose version they were made on; returns how many those were.
pub(super) async fn write_messages(connection: &mut SqliteConnection, changes: &[&Change]) -> Work<u64> {
    let mut shapes: HashMap<Shape, Vec<i64>> = HashMap::new();
    for change in changes {
        shapes.entry(Shape::of(change)).or_default().push(i64::from(change.key.n));
    }
    let mut shapes: Vec<_> = shapes.into_iter().collect();
    // A message that changes twice in one call does so in order.
    shapes.sort_unstable_by_key(|(shape, _)| (shape.version, shape.batch, shape.step));
    let mut written = 0;
    for (shape, mut numbers) in shapes {
        numbers.sort_unstable();
        written += sqlx::query(WRITE)
            .bind(shape.batch.0)
            .bind(shape.version)
            .bind(json_list(numbers))
            .bind(shape.state)
            .bind(shape.step.get())
            .bind(shape.lane.0)
            .bind(shape.not_before.is_same())
            .bind(shape.not_before.value())
            .bind(shape.at.is_same())
            .bind(shape.at.value())
            .bind(shape.due.is_same())
            .bind(shape.due.value())
            .bind(shape.outcome)
            .bind(shape.skipped)
            .bind(shape.first_left.is_same())
            .bind(shape.first_left.value())
            .bind(shape.accepted.is_same())
            .bind(shape.accepted.value())
            .bind(shape.tries)
            .bind(shape.marks)
            .execute(&mut *connection)
            .await?
            .rows_affected();
    }
    Ok(written)
}

/// What attempts have in common that are written together.
#[derive(Debug, PartialEq, Eq, Hash)]
struct AttemptShape<'a> {
    batch: BatchId,
    step: StepIndex,
    lane: LaneId,
    queued: Timestamp,
    intent: Option<Timestamp>,
    answered: Timestamp,
    verdict: i64,
    tries: u8,
    code: Option<u32>,
    detail: Option<&'a str>,
    /// Nobody knows whether it happened: an unknown umid may adopt it by its number.
    adoptable: bool,
}

/// The rows come as an object of hexadecimal umids by message number, since JSON carries no bytes.
pub(super) const WRITE_ATTEMPTS: &str =
    "INSERT INTO attempt (batch, n, step, lane, queued, intent, answered, verdict, tries, code, detail, umid, adoptable)
     SELECT ?1, CAST(key AS INTEGER), ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, unhex(nullif(value, '')),
            iif(?12, (SELECT msisdn FROM message WHERE batch = ?1 AND n = CAST(key AS INTEGER)), NULL)
     FROM json_each(?2) WHERE true
     ON CONFLICT DO UPDATE SET lane = excluded.lane, queued = excluded.queued, intent = excluded.intent,
            answered = excluded.answered, verdict = excluded.verdict, tries = excluded.tries, code = excluded.code,
            detail = excluded.detail, umid = coalesce(excluded.umid, umid), adoptable = excluded.adoptable";

pub(super) async fn write_attempts(connection: &mut SqliteConnection, facts: &[(&Change, &Attempt)]) -> Work<()> {
    let mut shapes: HashMap<AttemptShape<'_>, Vec<(u32, Option<&Umid>)>> = HashMap::new();
    for (change, fact) in facts {
        let shape = AttemptShape {
            batch: change.key.batch,
            step: fact.step,
            lane: fact.lane,
            queued: fact.queued,
            intent: fact.intent,
            answered: fact.answered,
            verdict: fact.verdict as i64,
            tries: fact.tries,
            code: fact.code,
            detail: fact.detail.as_deref(),
            adoptable: fact.verdict == Verdict::Unknown && change.after.marks.unknown(fact.step),
        };
        shapes.entry(shape).or_default().push((change.key.n, fact.umid.as_ref()));
    }
    for (shape, mut rows) in shapes {
        rows.sort_unstable_by_key(|(n, _)| *n);
        sqlx::query(WRITE_ATTEMPTS)
            .bind(shape.batch.0)
            .bind(umids_by_number(&rows))
            .bind(shape.step.get())
            .bind(shape.lane.0)
            .bind(shape.queued.millis())
            .bind(shape.intent.map(Timestamp::millis))
            .bind(shape.answered.millis())
            .bind(shape.verdict)
            .bind(shape.tries)
            .bind(shape.code)
            .bind(shape.detail)
            .bind(shape.adoptable)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

fn umids_by_number(rows: &[(u32, Option<&Umid>)]) -> String {
    let mut text = String::with_capacity(rows.len() * 48);
    for (place, (n, umid)) in rows.iter().enumerate() {
        let _ = write!(text, "{}\"{n}\":\"", if place == 0 { "{" } else { "," });
        push_hex(&mut text, &umid.map(Umid::to_bytes).unwrap_or_default());
        text.push('"');
    }
    text.push('}');
    text
}

pub(super) fn push_hex(text: &mut String, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 0xf)]));
    }
}
