//! Refusals in a row, by which a step tells that a fault is the sender's although no code says so (rule 2).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Recall, ToldBy};
use crate::domain::{StepIndex, Timestamp};

/// So many submissions of a step refused alike, with none taken between them, are the sender's fault.
pub(super) const ALIKE: usize = 20;

/// The latest refusals of each step of a batch.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// The steps that have a row of refusals, a bit each: most have none, and then an acceptance costs next to nothing.
    steps: AtomicU8,
    rows: Mutex<BTreeMap<(StepIndex, ToldBy), Row>>,
}

#[derive(Debug)]
struct Row {
    code: u32,
    /// The messages that were refused, as many as matter: the provider may say the same of one several times.
    messages: BTreeSet<u32>,
    since: Timestamp,
    /// When the last of them was refused that mattered.
    until: Timestamp,
}

impl Refusals {
    /// Counts a refusal of message `n` that is not about the recipient's number. Returns what to recall where it is the
    /// sender's fault: from the twentieth message on, until a submission is taken.
    pub(super) fn refused(&self, step: StepIndex, by: ToldBy, code: u32, n: u32, at: Timestamp) -> Option<Recall> {
        let mut rows = self.lock();
        let new = || Row { code, messages: BTreeSet::new(), since: at, until: at };
        let row = rows.entry((step, by)).or_insert_with(new);
        if row.code != code {
            *row = new();
        }
        if row.messages.len() < ALIKE && row.messages.insert(n) {
            // Receipts come in no order.
            (row.since, row.until) = (row.since.min(at), row.until.max(at));
        }
        self.steps.fetch_or(step.bit(), Ordering::AcqRel);
        row.recall(by)
    }

    /// What to recall, where refusals with this code are the sender's fault now.
    pub(super) fn are_senders(&self, step: StepIndex, by: ToldBy, code: u32) -> Option<Recall> {
        if self.steps.load(Ordering::Acquire) & step.bit() == 0 {
            return None;
        }
        self.lock().get(&(step, by)).filter(|row| row.code == code)?.recall(by)
    }

    /// A submission of the step was taken, or arrived.
    pub(super) fn taken(&self, step: StepIndex, by: ToldBy) {
        if self.steps.load(Ordering::Acquire) & step.bit() == 0 {
            return;
        }
        let mut rows = self.lock();
        rows.remove(&(step, by));
        if !rows.keys().any(|(other, _)| *other == step) {
            self.steps.fetch_and(!step.bit(), Ordering::AcqRel);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(StepIndex, ToldBy), Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Row {
    fn recall(&self, by: ToldBy) -> Option<Recall> {
        let Self { code, since, until, .. } = *self;
        (self.messages.len() >= ALIKE).then_some(Recall { by, code, since, until })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: StepIndex = StepIndex::FIRST;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    /// So many messages refused with this code, one a second; the last answer.
    fn refuse(refusals: &Refusals, count: u32, code: u32) -> Option<Recall> {
        (0..count).map(|n| refusals.refused(STEP, ToldBy::Answer, code, n, second(n.into()))).last().flatten()
    }

    #[test]
    fn twenty_alike_in_a_row_are_the_senders_and_so_is_each_that_follows() {
        let refusals = Refusals::default();
        assert_eq!(refuse(&refusals, 19, 3_041), None);
        assert_eq!(refusals.refused(STEP, ToldBy::Answer, 3_041, 18, second(19)), None, "the same message again");
        assert_eq!(refusals.are_senders(STEP, ToldBy::Answer, 3_041), None);
        let recall = Some(Recall { by: ToldBy::Answer, code: 3_041, since: second(0), until: second(20) });
        assert_eq!(refusals.refused(STEP, ToldBy::Answer, 3_041, 19, second(20)), recall);
        assert_eq!(refusals.refused(STEP, ToldBy::Answer, 3_041, 20, second(90)), recall);
        assert_eq!(refusals.are_senders(STEP, ToldBy::Answer, 3_041), recall);
        assert_eq!(refusals.are_senders(STEP, ToldBy::Answer, 3_043), None);
    }

    #[test]
    fn one_that_is_taken_and_one_with_another_code_begin_a_new_row() {
        let refusals = Refusals::default();
        refuse(&refusals, 19, 3_041);
        refusals.taken(STEP, ToldBy::Answer);
        assert_eq!(refuse(&refusals, 19, 3_041), None);
        assert_eq!(refuse(&refusals, 1, 3_043), None);
        assert_eq!(refuse(&refusals, 19, 3_041), None);
    }

    #[test]
    fn receipts_and_answers_and_steps_have_rows_of_their_own() {
        let refusals = Refusals::default();
        refuse(&refusals, 19, 3_041);
        let other = StepIndex::new(1).unwrap();
        assert_eq!(refusals.refused(other, ToldBy::Answer, 3_041, 19, second(20)), None);
        assert_eq!(refusals.refused(STEP, ToldBy::Receipt, 3_041, 19, second(20)), None);
        refusals.taken(other, ToldBy::Answer);
        refusals.taken(STEP, ToldBy::Receipt);
        assert!(refusals.refused(STEP, ToldBy::Answer, 3_041, 19, second(20)).is_some());
    }
}
