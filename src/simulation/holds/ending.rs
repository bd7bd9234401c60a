//! Whether a step, or a message, may have ended as it did.

use super::{Campaign, Holds};
use crate::domain::{
    AfterGap, Channel, Content, Ending, Fault, Loaded, OnTierSpent, Outcome, Present, SkipReason, Span, State, Status,
    StepIndex, Timestamp,
};
use crate::simulation::blame::No;
use crate::simulation::net::{Missed, Truth};

/// How much later than promised a repeat may come.
const MARGIN: Span = Span::from_secs(2);

impl Holds {
    /// Whether a step may have ended so at this time.
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
                let is_free = rules.channel == Channel::WhatsApp && matches!(rules.content, Content::Text { .. });
                assert!(is_free, "only free text on WhatsApp needs a window: {}", about());
            }
            Ending::MissingVariable => {
                let wants_name = matches!(&rules.content, Content::Text { text, .. } if text.contains("{{name}}"));
                assert!(wants_name, "nothing is missing: {}", about());
            }
            Ending::Deadline => {
                let accepted = before.present.accepted.unwrap_or(now);
                let due = accepted + rules.fallback_after.unwrap_or(Span::ZERO);
                assert!(now >= due, "fell back early: {}", about());
                // Whatever the row says, it was never accepted before it was claimed.
                let claimed = campaign.claimed_at.get(&(after.key.n, step)).copied().unwrap_or(now);
                assert!(now >= claimed + rules.fallback_after.unwrap_or(Span::ZERO), "fell back too soon: {}", about());
                // A repeat that takes longer than its margin is the way's fault, and no longer ours.
                let to_come = |missed: &Missed| !missed.late && missed.again.is_none_or(|again| now < again + MARGIN);
                // What came before the answer that it belongs to was missed before we knew that it had been accepted.
                // Before it counted as unknown it was being sent, and what it came to may have been missed until then.
                let unknown_since = campaign.unknown_since.get(&(after.key.n, step)).copied();
                let then = accepted..=due.max(unknown_since.unwrap_or(due));
                let good = |missed: &&Missed| then.contains(&missed.tried) && missed.status >= rules.success;
                // A copy without an answer has no id to ask by: a route that resends accepts that.
                let copies = truth.accepted.len();
                let known = |missed: &&Missed| missed.again.is_some() || missed.copy == copies;
                // That the line was cut is known by what the requests of that time have come to.
                let seen = |missed: &&Missed| self.net.was_missing(&missed.cut, now);
                let hidden = truth.missed.iter().filter(good).filter(known).filter(seen).any(to_come);
                let told = truth.told.is_some_and(|status| status >= rules.success);
                // Where its time is up nothing goes out instead, and news that come late count all the same.
                let expired = after.present.outcome() == Some(Outcome::Expired);
                let waits = plan.after_gap != AfterGap::FallBack && !expired;
                assert!(!(waits && hidden && !told), "fell back because we were deaf: {}", about());
            }
            Ending::Undelivered => {
                // A cancelled message is not sent again: whatever the fault, it did not arrive.
                let is_senders = |no: &No| matches!(no.fault(&rules.content), Fault::Sender(_));
                let theirs = |no: &No| after.present.marks.cut() || !is_senders(no);
                assert!(truth.failed.iter().any(theirs), "fell back for a fault of the sender's: {}", about());
            }
            Ending::Rejected => {
                let theirs = |no: &No| matches!(no.fault(&rules.content), Fault::Recipient | Fault::Person);
                assert!(truth.refused.iter().any(theirs), "fell back for a refusal of the sender's: {}", about());
            }
            Ending::CouldNotLeave => {
                let impatient = rules.leave_within.is_some() || rules.on_tier_spent == OnTierSpent::FallBack;
                assert!(impatient, "gave up waiting without being told to: {}", about());
                assert!(!before.present.marks.handed_over(step), "it did leave: {}", about());
            }
        }
    }

    /// Whether a message may have ended so at this time.
    pub(super) fn check_outcome(&self, campaign: &Campaign, before: &Loaded, after: &Loaded, now: Timestamp) {
        let plan = &campaign.plan;
        let about = || format!("{:?}: {:?} to {:?}", after.key, before.present, after.present);
        let Present { state: State::Done { outcome, skipped, .. }, marks, .. } = after.present else { return };
        let truths = || plan.places().map(|(step, rules)| (rules, self.net.truth(campaign.attempt(after, step))));
        let heard = |wanted: fn(&Truth) -> bool| truths().any(|(_, truth)| wanted(&truth));
        match outcome {
            Outcome::Reached => {
                let arrived = truths().any(|(rules, truth)| {
                    let taken = rules.success == Status::Accepted && !truth.accepted.is_empty();
                    taken || truth.best.is_some_and(|best| best >= rules.success)
                });
                assert!(arrived, "the provider never said that it arrived: {}", about());
            }
            Outcome::Undelivered => {
                let no = heard(|truth| !truth.failed.is_empty() || !truth.refused.is_empty());
                assert!(no, "the provider never said no: {}", about());
            }
            Outcome::Silent | Outcome::Unknown => {
                let last = marks.last_handed_over().unwrap_or_else(|| panic!("nothing had left: {}", about()));
                let window = plan.step(last).unwrap().receipt_window;
                let accepted = before.present.accepted.unwrap_or(now);
                assert!(now >= accepted + window, "its window is still open: {}", about());
                assert_eq!(outcome == Outcome::Unknown, marks.unknown(last), "known or not: {}", about());
            }
            Outcome::Expired => {
                // What a receipt tells of before its answer counts from when it was claimed.
                let claimed = match before.present.state {
                    State::Sending { intent, .. } if marks.handed_over(before.present.step) => Some(intent),
                    _ => None,
                };
                let first = before.present.first_left.or(claimed);
                let ttl = plan.ttl.zip(first).is_some_and(|(ttl, first)| first + ttl <= now);
                let end = first.is_none() && campaign.plans().any(|plan| plan.end.is_some_and(|end| end <= now));
                let waited = marks.ending(after.present.step) == Ending::CouldNotLeave;
                assert!(ttl || end || waited, "its time was not up: {}", about());
            }
            Outcome::Cancelled => {
                assert!(campaign.cancelled, "nobody has cancelled this campaign: {}", about());
                assert!(marks.last_handed_over().is_none(), "it had left: {}", about());
            }
            Outcome::Skipped => match skipped {
                Some(SkipReason::OptedOut) => {
                    let said = self.unwilling.ever(after.msisdn)
                        || heard(|truth| truth.failed.iter().any(|no| no.is_a_wish()));
                    assert!(said, "the person has not said so: {}", about());
                }
                Some(SkipReason::NoStep | SkipReason::Excluded) | None => panic!("skipped too late: {}", about()),
                Some(SkipReason::OutsideWindow | SkipReason::MissingVariable) => {}
            },
        }
    }
}
