//! The audit's claims about submissions: each was due, and a second one had a reason.

use super::claims::{Checks, Of};
use crate::base::domain::{Fault, OnUnknown, Step, StepIndex};
use crate::campaigns::report::failure;
use crate::rules::wire::codes;
use crate::store::{Attempt, MessageFacts, Receipt, Twin, Verdict};

/// Whether a receipt is about this try. A receipt without a try number is about every try of its step.
pub(super) fn is_of(receipt: &Receipt, attempt: &Attempt) -> bool {
    receipt.step == attempt.step && receipt.tries.is_none_or(|tries| tries == attempt.tries)
}

/// Whether a receipt with such a code reports that this try failed.
pub(super) fn failed(receipts: &[Receipt], attempt: &Attempt, such: impl Fn(&codes::Entry) -> bool) -> bool {
    receipts.iter().filter(|receipt| is_of(receipt, attempt)).filter_map(failure).any(such)
}

/// Whether the provider accepted a try and undid it because of the sender. Then the try counts as never submitted.
fn is_undone(receipts: &[Receipt], attempt: &Attempt) -> bool {
    failed(receipts, attempt, codes::Entry::may_be_senders)
}

/// Whether the provider refused a try for a reason that may be the sender's.
fn was_refused(attempt: &Attempt) -> bool {
    let code = attempt.code.map(i64::from);
    let is_senders = || codes::of_answer(400, code).may_be_senders();
    attempt.verdict == Verdict::Refused || attempt.verdict == Verdict::Rejected && is_senders()
}

impl Checks {
    pub(super) fn hand_overs(&mut self, whole: &MessageFacts) {
        for of in [Of::HandOvers, Of::Order, Of::Umids] {
            self.looks(of, whole.attempts.len() as u64);
        }
        let (key, row) = (whole.message.key, &whole.message.present);
        let tried_again = whole.attempts.iter().filter(|attempt| attempt.tries > 0 && attempt.verdict.was_begun());
        self.retried += tried_again.count() as u64;
        for (index, attempt) in whole.attempts.iter().enumerate() {
            let step = attempt.step;
            let earlier = whole.attempts[..index].iter();
            let earlier = earlier.filter(|earlier| earlier.step == step && earlier.verdict.was_begun());
            let later = whole.attempts[index + 1..].iter().filter(|later| later.step == step);
            let in_order = attempt.intent.is_none_or(|intent| attempt.queued <= intent && intent <= attempt.answered);
            let counts = || {
                row.marks.handed_over(step)
                    || [attempt].into_iter().chain(later).any(|attempt| is_undone(&whole.receipts, attempt))
            };
            if !in_order {
                let what = format!("step {step} was not queued, claimed and answered in this order");
                self.refute(Of::Order, Some(key), what);
            }
            let what = if self.frame.plan.step(step).is_none() {
                format!("there is an attempt of step {step}, but the route does not have this step")
            } else if attempt.verdict.was_begun() && attempt.intent.is_none() {
                format!("step {step} was submitted without a claim")
            } else if attempt.verdict.may_have_left() && !counts() {
                format!("step {step} was submitted, but the message does not record it")
            } else if attempt.verdict.was_begun() && !self.may_follow(whole, earlier.clone()) {
                format!("step {step} was submitted {} without a reason", times(earlier.count()))
            } else {
                continue;
            };
            self.refute(Of::HandOvers, Some(key), what);
        }
        for step in StepIndex::all().filter(|step| row.marks.handed_over(*step)) {
            let mut of_step = whole.attempts.iter().filter(|attempt| attempt.step == step);
            let begun = of_step.any(|attempt| attempt.verdict.was_begun());
            if !begun && !whole.receipts.iter().any(|receipt| receipt.step == step) {
                let what = format!("step {step} counts as submitted, but no fact shows it");
                self.refute(Of::HandOvers, Some(key), what);
            }
        }
    }

    /// Whether a step may be submitted again after these tries of it. Each of them must have failed temporarily, because
    /// of the sender, or by the recipient's limit where the step retries; or be unknown where the route resends. The
    /// route resends once.
    fn may_follow<'a>(&self, whole: &'a MessageFacts, earlier: impl Iterator<Item = &'a Attempt>) -> bool {
        let mut follows_unknown = false;
        earlier.into_iter().all(|attempt| {
            let retries_at_limit = self.frame.plan.step(attempt.step).is_some_and(Step::retries_at_limit);
            let is_retried = |code: &codes::Entry| {
                code.may_be_sent_again() && (code.fault != Fault::RecipientLimit || retries_at_limit)
            };
            let has_failed = was_refused(attempt) || failed(&whole.receipts, attempt, is_retried);
            let resent = attempt.verdict == Verdict::Unknown && self.frame.plan.on_unknown == OnUnknown::Resend;
            let may = has_failed || resent && !follows_unknown;
            follows_unknown = !has_failed;
            may
        })
    }

    /// Refutes the claim about provider ids for each id that several attempts have.
    pub(super) fn twins(&mut self, twins: &[Twin]) {
        for twin in twins.iter().filter(|twin| twin.key.batch == self.frame.batch.id).cloned().collect::<Vec<_>>() {
            let what =
                format!("step {} has the provider id {}, and so does another attempt", twin.step, twin.umid.as_str());
            self.refute(Of::Umids, Some(twin.key), what);
        }
    }
}

fn times(earlier: usize) -> String {
    match earlier {
        1 => "a second time".to_owned(),
        earlier => format!("{} times", earlier + 1),
    }
}
