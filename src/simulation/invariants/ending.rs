//! Checks that a step or message ended for a permitted reason.

use super::{Campaign, Invariants};
use crate::base::domain::{
    AfterGap, Channel, Content, Ending, Fault, Loaded, OnTierSpent, Outcome, Present, Purpose, SkipReason, Span, State,
    Status, StepIndex, Timestamp,
};
use crate::simulation::blame::No;
use crate::simulation::net::{Missed, Truth};
use crate::simulation::scene::number_of;

/// How much later than scheduled a repeated webhook may arrive.
const MARGIN: Span = Span::from_secs(2);

impl Invariants {
    /// Checks that a step may have this ending at this time.
    pub(super) fn check_ending(
        &self,
        campaign: &Campaign,
        before: &Loaded,
        after: &Loaded,
        step: StepIndex,
        now: Timestamp,
    ) {
        let plan = &campaign.plan;
        let truth = self.net.truth(campaign.attempt(after, step));
        let rules = plan.step(step).unwrap();
        let about =
            || format!("step {step} of {:?}: {:?} to {:?}, {truth:?}", after.key, before.present, after.present);
        match after.present.marks.ending(step) {
            Ending::Open | Ending::Success => {}
            Ending::OutsideWindow => {
                let is_template = matches!(rules.content, Content::Template(_));
                assert!(
                    rules.channel == Channel::WhatsApp && !is_template,
                    "only WhatsApp text outside a template needs a window: {}",
                    about()
                );
                // Three days of replies without a gap would tell that a window is closed, and no storm lasts so long.
                assert!(plan.api.is_none(), "for callers the provider decides: {}", about());
            }
            Ending::MissingVariable => {
                let wants_name = serde_json::to_string(&rules.content).unwrap().contains("{{name}}");
                assert!(wants_name, "no variable is missing: {}", about());
            }
            Ending::OptedOut => {
                let is_marketing = plan.purpose(rules) == Purpose::Marketing;
                let has_opted_out = self.opt_outs.ever_opted_out(number_of(after));
                assert!(is_marketing && has_opted_out, "nobody has opted out of such a step: {}", about());
                assert!(!before.present.marks.handed_over(step), "it was submitted: {}", about());
            }
            Ending::Deadline => {
                let accepted = before.present.accepted.unwrap_or(now);
                let due = accepted + rules.fallback_after.unwrap_or(Span::ZERO);
                assert!(now >= due, "fell back early: {}", about());
                // Whatever the row contains, the provider cannot have accepted it before it was claimed.
                let claimed = campaign.claimed_at.get(&(after.key.n, step)).copied().unwrap_or(now);
                assert!(now >= claimed + rules.fallback_after.unwrap_or(Span::ZERO), "fell back too soon: {}", about());
                // A repeat that is later than its margin is a fault of the network, not ours.
                let to_come = |missed: &Missed| !missed.late && missed.again.is_none_or(|again| now < again + MARGIN);
                // A receipt that precedes the answer to its request was missed before the acceptance was known. An
                // attempt was still being sent until it counted as unknown, so its receipts may have been missed up to
                // then.
                let unknown_since = campaign.unknown_since.get(&(after.key.n, step)).copied();
                let then = accepted..=due.max(unknown_since.unwrap_or(due));
                let good = |missed: &&Missed| then.contains(&missed.tried) && missed.status >= rules.success;
                // A copy without an answer has no id to ask by; a route with `resend` accepts that.
                let copies = truth.accepted.len();
                let known = |missed: &&Missed| missed.again.is_some() || missed.copy == copies;
                // The node can know of a cut by the results of the requests it made at that time.
                let seen = |missed: &&Missed| self.net.may_have_missed(&missed.cut, now);
                let hidden = truth.missed.iter().filter(good).filter(known).filter(seen).any(to_come);
                let is_acknowledged = truth.acknowledged.is_some_and(|status| status >= rules.success);
                // An expired message causes no fallback, and a late receipt still counts.
                let expired = after.present.outcome() == Some(Outcome::Expired);
                let waits = plan.after_gap != AfterGap::FallBack && !expired;
                assert!(
                    !(waits && hidden && !is_acknowledged),
                    "fell back because receipts could not get through: {}",
                    about()
                );
            }
            Ending::Undelivered => {
                // A cancelled message is not sent again: whatever the cause, it did not arrive.
                let is_senders = |no: &No| matches!(no.fault(&rules.content), Fault::Sender(_));
                let theirs = |no: &No| after.present.marks.cut() || !is_senders(no);
                assert!(truth.failed.iter().any(theirs), "fell back for a fault of the sender: {}", about());
            }
            Ending::Rejected => {
                let of_recipient = |no: &No| matches!(no.fault(&rules.content), Fault::Recipient | Fault::OptedOut);
                let theirs = |no: &No| no.is_own_expiry(after.present.expires) || of_recipient(no);
                assert!(
                    truth.refused.iter().any(theirs),
                    "fell back for a refusal that is the sender's fault: {}",
                    about()
                );
            }
            Ending::CouldNotLeave => {
                let impatient = rules.leave_within.is_some() || rules.on_tier_spent == OnTierSpent::FallBack;
                assert!(impatient, "gave up waiting, which its route does not allow: {}", about());
                assert!(!before.present.marks.handed_over(step), "it was submitted: {}", about());
            }
        }
    }

    /// Checks that a message may have this outcome at this time.
    pub(super) fn check_outcome(&self, campaign: &Campaign, before: &Loaded, after: &Loaded, now: Timestamp) {
        let plan = &campaign.plan;
        let about = || format!("{:?}: {:?} to {:?}", after.key, before.present, after.present);
        let Present { state: State::Done { outcome, skipped, .. }, marks, .. } = after.present else { return };
        let truths =
            || plan.indexed_steps().map(|(step, rules)| (rules, self.net.truth(campaign.attempt(after, step))));
        let any_truth = |wanted: fn(&Truth) -> bool| truths().any(|(_, truth)| wanted(&truth));
        match outcome {
            Outcome::Reached => {
                let arrived = truths().any(|(rules, truth)| {
                    let is_accepted = rules.success == Status::Accepted && !truth.accepted.is_empty();
                    is_accepted || truth.best.is_some_and(|best| best >= rules.success)
                });
                assert!(arrived, "the provider never reported success: {}", about());
            }
            Outcome::Undelivered => {
                let has_failed = any_truth(|truth| !truth.failed.is_empty() || !truth.refused.is_empty());
                assert!(has_failed, "the provider never reported a failure: {}", about());
            }
            Outcome::Silent | Outcome::Unknown => {
                let last = marks.last_handed_over().unwrap_or_else(|| panic!("nothing was submitted: {}", about()));
                let window = plan.step(last).unwrap().receipt_window;
                let accepted = before.present.accepted.unwrap_or(now);
                assert!(now >= accepted + window, "its window is still open: {}", about());
                assert_eq!(
                    outcome == Outcome::Unknown,
                    marks.unknown(last),
                    "unknown does not match its mark: {}",
                    about()
                );
            }
            Outcome::Expired => {
                // If a receipt precedes the answer, the first submission counts from the claim.
                let claimed = match before.present.state {
                    State::Sending { intent, .. } if marks.handed_over(before.present.step) => Some(intent),
                    _ => None,
                };
                let first = before.present.first_submitted_at.or(claimed);
                let ttl = plan.ttl.zip(first).is_some_and(|(ttl, first)| first + ttl <= now);
                let end = first.is_none() && campaign.plans().any(|plan| plan.end.is_some_and(|end| end <= now));
                let waited = marks.ending(after.present.step) == Ending::CouldNotLeave;
                let own = after.present.expires.is_some_and(|expires| expires <= now);
                assert!(ttl || end || own || waited, "its time was not up: {}", about());
            }
            Outcome::Cancelled => {
                assert!(campaign.cancelled, "no operator cancelled this campaign: {}", about());
                assert!(marks.last_handed_over().is_none(), "it was submitted: {}", about());
            }
            Outcome::Skipped => match skipped {
                Some(SkipReason::OptedOut) => {
                    assert!(
                        self.opt_outs.ever_opted_out(number_of(after)),
                        "the recipient has not opted out: {}",
                        about()
                    );
                }
                Some(SkipReason::NoStep | SkipReason::Excluded) | None => {
                    panic!("skipped for a reason that applies only at launch: {}", about())
                }
                Some(SkipReason::OutsideWindow | SkipReason::MissingVariable) => {}
            },
        }
    }
}
