//! Counts equal refusals in a row, which show that the fault is the sender's although no code says so (rule 2).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::Mutex;

use crate::base::domain::{BatchId, RefusalSubject, StepIndex, Timestamp};
use crate::base::events::Origin;
use crate::store::{Recall, ReportedBy, StepHeldBy, StepHold};

/// This number of submissions of a step with the same refusal, and none accepted between them, is the sender's fault.
pub(super) const ALIKE: usize = 20;

/// The latest refusals of each step of a batch.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// The steps that have refusals in a row, a bit each. Most have none, and then an acceptance costs next to nothing.
    steps: AtomicU8,
    rows: Mutex<BTreeMap<(StepIndex, ReportedBy), Row>>,
}

#[derive(Debug)]
struct Row {
    code: u32,
    /// The refused messages, up to [`ALIKE`]. A set, because the provider may report one refusal several times.
    messages: BTreeSet<u32>,
    /// When the first of `messages` was refused.
    since: Timestamp,
    /// When the last of `messages` was refused.
    until: Timestamp,
}

impl Refusals {
    /// Counts a refusal of message `n` that is not about the recipient's number.
    ///
    /// Returns what to recall if it is the sender's fault: from the twentieth message on, until a submission is accepted.
    pub(super) fn refused(&self, step: StepIndex, by: ReportedBy, code: u32, n: u32, at: Timestamp) -> Option<Recall> {
        let mut rows = self.rows.lock();
        let new = || Row { code, messages: BTreeSet::new(), since: at, until: at };
        let row = rows.entry((step, by)).or_insert_with(new);
        if row.code != code {
            *row = new();
        }
        if row.messages.len() < ALIKE && row.messages.insert(n) {
            // Receipts arrive in any order.
            (row.since, row.until) = (row.since.min(at), row.until.max(at));
        }
        self.steps.fetch_or(step.bit(), Ordering::AcqRel);
        row.recall(by)
    }

    /// What to recall if refusals with this code are the sender's fault now.
    pub(super) fn recall_if_senders_fault(&self, step: StepIndex, by: ReportedBy, code: u32) -> Option<Recall> {
        if self.steps.load(Ordering::Acquire) & step.bit() == 0 {
            return None;
        }
        self.rows.lock().get(&(step, by)).filter(|row| row.code == code)?.recall(by)
    }

    /// Resets the row of a step, because a submission was accepted or delivered.
    pub(super) fn taken(&self, step: StepIndex, by: ReportedBy) {
        if self.steps.load(Ordering::Acquire) & step.bit() == 0 {
            return;
        }
        let mut rows = self.rows.lock();
        rows.remove(&(step, by));
        if !rows.keys().any(|(other, _)| *other == step) {
            self.steps.fetch_and(!step.bit(), Ordering::AcqRel);
        }
    }
}

impl Row {
    fn recall(&self, by: ReportedBy) -> Option<Recall> {
        let Self { code, since, until, .. } = *self;
        (self.messages.len() >= ALIKE).then_some(Recall { by, code, since, until })
    }
}

/// Builds the hold for refusals of what the step sends.
///
/// - Without a `recall`, one refusal suffices, because the refused part is the same for every recipient.
/// - With a `recall`, many messages were refused for the same reason; their fallbacks are recalled.
pub fn hold_for_refusal(
    (batch, step): (BatchId, StepIndex),
    subject: RefusalSubject,
    code: Option<u32>,
    detail: &str,
    recall: Option<Recall>,
    now: Timestamp,
) -> StepHold {
    let code = code.map(|code| format!(" (code {code})")).unwrap_or_default();
    let alike = match subject {
        RefusalSubject::Text => "its text, which is the same for every recipient",
        RefusalSubject::Media => "its media, which are the same for every recipient",
        RefusalSubject::Parameter => "its parameters, which are the same for every recipient",
        RefusalSubject::Expiry => "its `ttl`, which is the same for every recipient",
        RefusalSubject::Number
        | RefusalSubject::Operator
        | RefusalSubject::Template
        | RefusalSubject::Account
        | RefusalSubject::Unsaid => "its content",
    };
    let why = match recall {
        Some(_) => format!("the provider refused the last {ALIKE} messages alike: {detail}{code}"),
        None => format!("the provider refuses {alike}: {detail}{code}"),
    };
    StepHold { batch, step, by: StepHeldBy::Refusal, origin: Origin::rule(why), since: now, recall }
}

/// Builds the hold of a step whose messages are refused alike, without a known code, where the lane has sent others before.
pub fn hold_for_refusals_alike(
    (batch, step): (BatchId, StepIndex),
    count: usize,
    detail: &str,
    now: Timestamp,
) -> StepHold {
    let why =
        format!("the provider refused the last {count} messages alike, and none between them was accepted: {detail}");
    StepHold { batch, step, by: StepHeldBy::Refusal, origin: Origin::rule(why), since: now, recall: None }
}

/// Builds the hold of a step of which many messages are set aside: something that they have in common is refused.
pub fn hold_for_set_aside((batch, step): (BatchId, StepIndex), count: i64, now: Timestamp) -> StepHold {
    let why =
        format!("{count} of its messages are set aside, because the provider refuses them while it accepts others");
    StepHold { batch, step, by: StepHeldBy::Refusal, origin: Origin::rule(why), since: now, recall: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: StepIndex = StepIndex::FIRST;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    /// Refuses this many messages with this code, one per second; returns the last result.
    fn refuse(refusals: &Refusals, count: u32, code: u32) -> Option<Recall> {
        (0..count).map(|n| refusals.refused(STEP, ReportedBy::Answer, code, n, second(n.into()))).last().flatten()
    }

    #[test]
    fn twenty_equal_refusals_in_a_row_and_later_ones_are_the_senders_fault() {
        let refusals = Refusals::default();
        assert_eq!(refuse(&refusals, 19, 3_041), None);
        assert_eq!(refusals.refused(STEP, ReportedBy::Answer, 3_041, 18, second(19)), None, "the same message again");
        assert_eq!(refusals.recall_if_senders_fault(STEP, ReportedBy::Answer, 3_041), None);
        let recall = Some(Recall { by: ReportedBy::Answer, code: 3_041, since: second(0), until: second(20) });
        assert_eq!(refusals.refused(STEP, ReportedBy::Answer, 3_041, 19, second(20)), recall);
        assert_eq!(refusals.refused(STEP, ReportedBy::Answer, 3_041, 20, second(90)), recall);
        assert_eq!(refusals.recall_if_senders_fault(STEP, ReportedBy::Answer, 3_041), recall);
        assert_eq!(refusals.recall_if_senders_fault(STEP, ReportedBy::Answer, 3_043), None);
    }

    #[test]
    fn an_acceptance_or_another_code_begins_a_new_row() {
        let refusals = Refusals::default();
        refuse(&refusals, 19, 3_041);
        refusals.taken(STEP, ReportedBy::Answer);
        assert_eq!(refuse(&refusals, 19, 3_041), None);
        assert_eq!(refuse(&refusals, 1, 3_043), None);
        assert_eq!(refuse(&refusals, 19, 3_041), None);
    }

    #[test]
    fn receipts_and_answers_are_counted_apart_for_each_step() {
        let refusals = Refusals::default();
        refuse(&refusals, 19, 3_041);
        let other = StepIndex::new(1).unwrap();
        assert_eq!(refusals.refused(other, ReportedBy::Answer, 3_041, 19, second(20)), None);
        assert_eq!(refusals.refused(STEP, ReportedBy::Receipt, 3_041, 19, second(20)), None);
        refusals.taken(other, ReportedBy::Answer);
        refusals.taken(STEP, ReportedBy::Receipt);
        assert!(refusals.refused(STEP, ReportedBy::Answer, 3_041, 19, second(20)).is_some());
    }
}
