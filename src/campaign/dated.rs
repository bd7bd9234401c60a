//! What is on disk about a message, in the order in which it most likely happened.

use super::words;
use crate::domain::{Fault, Plan, Present, Span, State, StepIndex, Timestamp};
use crate::engine::{Answer, Obstacle, Report};
use crate::store::{Attempt, Batch, Edition, Receipt, Verdict};
use crate::wire::codes;

/// How long a writer may wait for its turn: facts of one message may be that much out of order.
pub(super) const TURN: Span = Span::from_secs(15);
/// A receipt that came before its hand-over was on disk is tried again for a minute after.
pub(super) const STRAY: Span = Span::from_secs(75);

/// What is on disk about one message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life<'a> {
    pub(super) batch: &'a Batch,
    pub(super) plan: &'a Plan,
    /// What the plan was before.
    pub(super) editions: &'a [Edition],
    pub(super) row: &'a Present,
    pub(super) attempts: &'a [Attempt],
    pub(super) receipts: &'a [Receipt],
}

impl<'a> Life<'a> {
    /// The plans that it was decided by, each with when it began to hold. Of what can be changed only the end decides
    /// anything about a message.
    pub(super) fn plans(&self) -> Vec<(Timestamp, &'a Plan)> {
        let begins = std::iter::once(Timestamp::default()).chain(self.editions.iter().map(|edition| edition.until));
        let plans = self.editions.iter().map(|edition| &edition.plan).chain(std::iter::once(self.plan));
        let mut plans: Vec<_> = begins.zip(plans).collect();
        plans.dedup_by_key(|(_, plan)| plan.end);
        plans
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Fact<'a> {
    /// A step was claimed to leave, after so many tries.
    Left(StepIndex, u16),
    Answered(&'a Attempt),
    Receipt(&'a Receipt),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Dated<'a> {
    pub(super) at: Timestamp,
    /// Until when it may have taken effect.
    pub(super) until: Timestamp,
    pub(super) fact: Fact<'a>,
}

/// What is known, in the order in which it most likely happened.
pub(super) fn facts<'a>(life: &Life<'a>) -> Vec<Dated<'a>> {
    let mut facts = Vec::with_capacity(life.attempts.len() * 2 + life.receipts.len() + 1);
    let mut add = |at: Timestamp, until: Timestamp, fact| facts.push(Dated { at, until, fact });
    let told: Vec<Timestamp> = life.attempts.iter().map(|attempt| told(life, attempt)).collect();
    for (attempt, told) in life.attempts.iter().zip(&told) {
        if let Some(at) = attempt.intent {
            add(at, at + TURN, Fact::Left(attempt.step, attempt.tries));
        }
        add(attempt.answered, *told, Fact::Answered(attempt));
    }
    for receipt in life.receipts {
        let at = receipt.received;
        let of_step = life.attempts.iter().zip(&told).filter(|(attempt, _)| attempt.step == receipt.step);
        let until = match of_step.map(|(_, told)| *told).max() {
            // What was answered, and written down, long before a receipt came keeps it waiting for its turn alone.
            Some(told) if told < at => at + TURN,
            Some(told) => told + STRAY,
            // Of whom no hand-over is on disk, an answer was waited for in vain.
            None => at + STRAY,
        };
        add(at, until, Fact::Receipt(receipt));
    }
    if let State::Sending { intent, .. } = life.row.state {
        add(intent, intent + TURN, Fact::Left(life.row.step, life.row.tries));
    }
    facts.sort_by_key(|dated| {
        let order = match dated.fact {
            Fact::Left(..) => 0,
            Fact::Answered(_) => 1,
            Fact::Receipt(_) => 2,
        };
        (dated.at, order)
    });
    facts
}

/// Until when an answer may have been written down. While the disk is away answers wait for it, and what the provider
/// repeats may be written down before them. In which order matters where it is bad, or where one try followed another.
fn told(life: &Life<'_>, attempt: &Attempt) -> Timestamp {
    let rules = life.plan.step(attempt.step);
    let is_bad = |receipt: &&Receipt| matches!(words::report(receipt, rules), Some(Report::Failed { .. }));
    let of_step = life.receipts.iter().filter(|receipt| receipt.step == attempt.step);
    let of_step = of_step.filter(|receipt| attempt.tries > 0 || is_bad(receipt));
    let repeated = of_step.map(|receipt| receipt.received).max().filter(|_| attempt.verdict.was_begun());
    repeated.map_or(attempt.answered, |at| at.max(attempt.answered)) + TURN
}

/// What a kept attempt says to the engine.
pub(super) fn answer(attempt: &Attempt) -> Answer {
    match attempt.verdict {
        Verdict::Accepted => Answer::Accepted,
        Verdict::Unknown => Answer::Unknown,
        Verdict::Rejected => {
            let fault = match codes::of_answer(400, attempt.code.map(i64::from)).fault {
                person @ Fault::Person => person,
                Fault::Recipient | Fault::Sender(_) | Fault::Passing => Fault::Recipient,
            };
            Answer::Refused { fault, again: attempt.answered }
        }
        Verdict::MissingVariable => Answer::CannotLeave(Obstacle::MissingVariable),
        Verdict::OutsideWindow => Answer::CannotLeave(Obstacle::OutsideWindow),
        Verdict::CouldNotLeave | Verdict::TierSpent => Answer::CannotLeave(Obstacle::CouldNotLeave),
    }
}
