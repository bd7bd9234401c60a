//! A message in brief: what became of it at each step, with the reason that the provider gave.

use crate::base::domain::{Loaded, Outcome, Plan, SkipReason, Span, State, StepIndex, Umid};
use crate::campaigns::report::{StepBrief, StepResult, as_counted, failure, steps_in_brief};
use crate::rules::wire::codes::{self, advice::Reason};
use crate::store::{Attempt, Batch, Receipt, Verdict};

/// What a short answer about a message needs.
#[derive(Debug, Clone, Default)]
pub struct Brief {
    /// The state in one word, and the outcome. A cancel of the campaign counts at once.
    pub state: &'static str,
    pub outcome: Option<Outcome>,
    pub steps: Vec<ExplainedStep>,
    pub skipped: Option<SkipReason>,
    /// The provider's ids of its submissions, which sentences contain.
    pub umids: Vec<String>,
}

/// What became of a message at a step, and why.
#[derive(Debug, Clone)]
pub struct ExplainedStep {
    pub brief: StepBrief,
    /// How long the step waited for its success status.
    pub patience: Option<Span>,
    /// The reason that the provider gave for its failure.
    pub reason: Option<FailureReason>,
}

/// A reason of the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureReason {
    pub meaning: &'static str,
    /// `None` if the provider gave no code.
    pub code: Option<u32>,
    /// What an operator can do about it.
    pub what_to_do: &'static str,
}

impl Brief {
    pub(super) fn of(
        batch: &Batch,
        plan: &Plan,
        message: &Loaded,
        (attempts, receipts): (&[Attempt], &[Receipt]),
    ) -> Self {
        let present = as_counted(batch, &message.present);
        let skipped = match present.state {
            State::Done { skipped, .. } => skipped,
            State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } => None,
        };
        let explained = |brief: StepBrief| ExplainedStep {
            brief,
            patience: plan.step(brief.step).and_then(|step| step.fallback_after),
            reason: reason(&brief, attempts, receipts),
        };
        let umids = attempts.iter().filter_map(|attempt| attempt.umid.as_ref()).map(Umid::as_str).map(str::to_owned);
        Self {
            state: present.state_name(),
            outcome: present.outcome(),
            steps: steps_in_brief(plan, &present).into_iter().map(explained).collect(),
            skipped,
            umids: umids.collect(),
        }
    }
}

fn reason(brief: &StepBrief, attempts: &[Attempt], receipts: &[Receipt]) -> Option<FailureReason> {
    let step: StepIndex = brief.step;
    match brief.result {
        StepResult::Rejected => {
            let is_it = |attempt: &&Attempt| attempt.step == step && attempt.verdict == Verdict::Rejected;
            let code = attempts.iter().rev().find(is_it)?.code?;
            let number = Some(i64::from(code));
            let meaning = codes::of_answer(400, number).meaning;
            let what_to_do = Reason::of_answer(number).advice().what_to_do;
            Some(FailureReason { meaning, code: Some(code), what_to_do })
        }
        StepResult::Undelivered => {
            let of_step = receipts.iter().rev().filter(|receipt| receipt.step == step);
            let (entry, receipt) = of_step.filter_map(|receipt| Some((failure(receipt)?, receipt))).next()?;
            let code = Some(receipt.code).filter(|code| *code != 0);
            let what_to_do = Reason::of_receipt(code.map(i64::from)).advice().what_to_do;
            Some(FailureReason { meaning: entry.meaning, code, what_to_do })
        }
        _ => None,
    }
}
