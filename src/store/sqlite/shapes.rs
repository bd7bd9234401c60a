//! Writes many decisions in few statements.
//!
//! Most decisions of a group are alike: a thousand messages accepted at the same time differ only in their numbers.
//! Changes of the same shape become one update of a list of numbers, which costs a fraction of binding a dozen values for
//! each row. Values that differ by row, such as the due time, mostly do not change and are then not part of the shape.

use std::hash::Hash;

use hashbrown::HashMap;

use super::numbers::{Numbers, OverNumbers, in_run, over_numbers};
use super::rows::state;
use super::script::Script;
use crate::base::domain::{BatchId, LaneId, SkipReason, State, StepIndex, Timestamp, Umid};
use crate::rules::engine::Note;
use crate::store::{Attempt, Change, Verdict};

/// What a change does to a column: leaves it as it is, or sets it.
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

/// The values that changes of one statement have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Shape {
    batch: BatchId,
    version: u32,
    state: i64,
    step: StepIndex,
    lane: LaneId,
    /// When the present step was queued. It stays until the step changes.
    not_before: To,
    at: To,
    due: To,
    outcome: Option<u8>,
    skipped: Option<u8>,
    first_submitted_at: To,
    accepted: To,
    tries: u16,
    refused: u8,
    marks: i64,
    notes: Option<Box<[u8]>>,
}

/// Groups items by shape. Most items have the shape of the one before, which needs no lookup.
pub(super) fn alike<S: Hash + Eq + Clone, T>(all: impl Iterator<Item = (S, T)>) -> Vec<(S, Vec<T>)> {
    let mut groups: Vec<(S, Vec<T>)> = Vec::new();
    let mut indices: HashMap<S, usize> = HashMap::new();
    let mut latest = 0;
    for (shape, one) in all {
        if groups.get(latest).is_none_or(|(known, _)| *known != shape) {
            latest = *indices.entry(shape.clone()).or_insert_with(|| {
                groups.push((shape, Vec::new()));
                groups.len() - 1
            });
        }
        if let Some((_, group)) = groups.get_mut(latest) {
            group.push(one);
        }
    }
    groups
}

/// The times of a state by column: `not_before`, `at` and `due`.
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
            first_submitted_at: To::of(before.first_submitted_at, after.first_submitted_at),
            accepted: To::of(before.accepted, after.accepted),
            tries: after.tries,
            refused: after.refused.code(),
            marks: after.marks.bits(),
            notes: (!change.notes.is_empty()).then(|| change.notes.iter().flat_map(Note::bytes).collect()),
        }
    }
}

pub(super) const WRITE: OverNumbers = over_numbers!(
    "UPDATE message SET version = version + 1, state = ?5, step = ?6, lane = ?7,
            not_before = iif(?8, not_before, ?9), at = iif(?10, at, ?11), due = iif(?12, due, ?13),
            outcome = ?14, skipped = ?15, first_submitted_at = iif(?16, first_submitted_at, ?17), accepted = iif(?18, accepted, ?19),
            tries = ?20, refused = ?21, marks = ?22,
            notes = iif(?23 IS NULL, notes, CAST(coalesce(notes, x'') || ?23 AS BLOB))
     WHERE",
    "AND version = ?4"
);

/// Writes changes to the rows whose version they were decided on. The statements report how many rows that were.
pub(super) fn write_messages(script: &mut Script, changes: &[&Change]) {
    let mut shapes = alike(changes.iter().map(|change| (Shape::of(change), change.key.n)));
    // Two changes of one message in one call are written in order.
    shapes.sort_unstable_by_key(|(shape, _)| (shape.version, shape.batch, shape.step));
    for (shape, mut numbers) in shapes {
        numbers.sort_unstable();
        Numbers::of(&numbers)
            .statement(script, &WRITE, shape.batch)
            .bind(shape.version)
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
            .bind(shape.first_submitted_at.is_same())
            .bind(shape.first_submitted_at.value())
            .bind(shape.accepted.is_same())
            .bind(shape.accepted.value())
            .bind(shape.tries)
            .bind(shape.refused)
            .bind(shape.marks)
            .bind(shape.notes.map(Vec::from));
    }
}

/// The values that attempts of one statement have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct AttemptShape<'a> {
    batch: BatchId,
    step: StepIndex,
    lane: LaneId,
    queued: Timestamp,
    intent: Option<Timestamp>,
    answered: Timestamp,
    verdict: i64,
    tries: u16,
    code: Option<u32>,
    detail: Option<&'a str>,
    /// Whether the attempt is unknown, so that a receipt with an unknown umid may adopt it by its number.
    adoptable: bool,
    /// A umid that is not a UUID and so does not fit a slot.
    odd_umid: Option<Vec<u8>>,
    ruling: i64,
}

/// A stored umid that is a UUID.
type Slot = [u8; 16];

/// Keeps the column of an attempt that the next epoch has recorded as unknown: a late answer to the same claim adds only
/// the umid.
macro_rules! unless_unknown {
    ($column:literal) => {
        concat!($column, " = iif(verdict = 2 AND intent IS excluded.intent, ", $column, ", excluded.", $column, ")")
    };
}

/// Builds an insert of many attempts; `$from` supplies their numbers. Umids are in slots of 16 bytes, in the order of the
/// numbers; a slot of zeros means none.
macro_rules! insert_attempts {
    ($n:literal, $slot:literal, $address:literal, $from:expr) => {
        concat!(
            "INSERT INTO attempt
                 (batch, n, step, lane, queued, intent, answered, verdict, tries, code, detail, umid, adoptable,
                  ruling)
             SELECT ?1, ",
            $n,
            ", ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, coalesce(?5, nullif(substr(?4, ",
            $slot,
            " * 16 + 1, 16), zeroblob(16))), iif(?15, ",
            $address,
            ", NULL), ?16 FROM ",
            $from,
            " ON CONFLICT DO UPDATE SET lane = excluded.lane, queued = excluded.queued, intent = excluded.intent,
                  answered = CASE WHEN intent IS NOT excluded.intent THEN excluded.answered
                                  WHEN verdict = 2 THEN answered
                                  WHEN verdict = excluded.verdict THEN answered
                                  ELSE excluded.answered END, ",
            unless_unknown!("verdict"),
            ", ",
            unless_unknown!("code"),
            ", ",
            unless_unknown!("detail"),
            ", ",
            unless_unknown!("adoptable"),
            ", umid = coalesce(excluded.umid, umid), ruling = iif(intent IS excluded.intent, ruling, excluded.ruling)"
        )
    };
}

pub(super) const WRITE_ATTEMPTS: OverNumbers = OverNumbers {
    run: insert_attempts!("n", "(n - ?2)", "address", concat!("message WHERE ", in_run!())),
    list: insert_attempts!(
        "value",
        "key",
        "(SELECT address FROM message WHERE batch = ?1 AND n = value)",
        "json_each(?3) WHERE true"
    ),
};

pub(super) fn write_attempts(script: &mut Script, facts: &[(&Change, &Attempt)]) {
    let shapes = alike(facts.iter().map(|(change, fact)| {
        let umid = fact.umid.as_ref().map(Umid::to_bytes);
        let slot = umid.as_ref().and_then(|umid| Slot::try_from(umid.as_slice()).ok());
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
            odd_umid: umid.filter(|_| slot.is_none()),
            ruling: fact.ruling.bits(),
        };
        (shape, (change.key.n, slot))
    }));
    for (shape, mut rows) in shapes {
        rows.sort_unstable_by_key(|(n, _)| *n);
        let numbers = Numbers::of(&rows.iter().map(|(n, _)| *n).collect::<Vec<_>>());
        let umids = in_slots(&numbers, &rows);
        numbers
            .statement(script, &WRITE_ATTEMPTS, shape.batch)
            .bind(umids)
            .bind(shape.odd_umid)
            .bind(shape.step.get())
            .bind(shape.lane.0)
            .bind(shape.queued.millis())
            .bind(shape.intent.map(Timestamp::millis))
            .bind(shape.answered.millis())
            .bind(shape.verdict)
            .bind(shape.tries)
            .bind(shape.code)
            .bind(shape.detail.map(str::to_owned))
            .bind(shape.adoptable)
            .bind(shape.ruling);
    }
}

fn in_slots(numbers: &Numbers, rows: &[(u32, Option<Slot>)]) -> Vec<u8> {
    let mut umids = Vec::with_capacity(rows.len() * size_of::<Slot>());
    for (index, (n, umid)) in rows.iter().enumerate() {
        umids.resize(numbers.slot(index, *n) * size_of::<Slot>(), 0);
        umids.extend_from_slice(&umid.unwrap_or_default());
    }
    umids
}
