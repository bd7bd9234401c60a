//! Invariants that must be true once everything has come to rest.

use super::{Campaign, Invariants};
use crate::base::domain::{BatchState, Loaded, MessageId, OnUnknown, Outcome, Status, Timestamp};
use crate::campaigns::story::audit;
use crate::rules::engine::met;

impl Invariants {
    /// Checks the final state of every campaign.
    pub(in crate::simulation) async fn check_end(&mut self, now: Timestamp, log: &mut Option<Vec<String>>) {
        self.check(now, log).await;
        for campaign in &self.campaigns {
            for message in &campaign.before {
                self.check_success_counted(campaign, message);
                self.check_no_stale_unknown(campaign, message);
            }
            let batch = self.store.batch(campaign.batch).await.unwrap().unwrap();
            let tallies = self.store.tallies(campaign.batch).await.unwrap();
            assert_eq!(tallies.done(), i64::from(batch.messages), "the totals differ from the audience");
            let cancelled = batch.state == BatchState::Cancelled;
            assert_eq!(
                cancelled, campaign.cancelled,
                "the campaign ended {}, but whether a cancel was decided is {}",
                batch.state, campaign.cancelled
            );
            self.check_audit(campaign).await;
        }
        self.check_nothing_reserved(now).await;
    }

    /// Checks that the audit refutes no claim.
    async fn check_audit(&self, campaign: &Campaign) {
        // The audit runs the engine over recorded facts. Those events did not happen in the storm, so they are not
        // counted.
        let met = met::take();
        let audit = audit(self.store.as_ref(), campaign.batch, |_, _| {}).await.unwrap().unwrap();
        met::put_back(met);
        let refuted: Vec<_> = audit.claims.iter().filter(|claim| !claim.holds()).collect();
        let mut facts = Vec::new();
        for named in refuted.iter().flat_map(|claim| &claim.examples).filter_map(|example| example.message.as_ref()) {
            let message = named.parse::<MessageId>().unwrap().key;
            let row = self.store.load(vec![message]).await.unwrap();
            let (attempts, receipts) = (self.store.attempts(vec![message]).await, self.store.receipts(message).await);
            facts.push((row, attempts.unwrap(), receipts.unwrap()));
        }
        assert!(refuted.is_empty(), "the audit refutes a correct run: {refuted:#?}\nof {facts:#?}");
    }

    /// Every acknowledged status is known.
    fn check_no_stale_unknown(&self, campaign: &Campaign, message: &Loaded) {
        for (step, _) in campaign.plan.indexed_steps() {
            let truth = self.net.truth(campaign.attempt(message, step));
            // After a retry or resend, a status may belong to the earlier try while the last one is unknown.
            let may_be_of_earlier_try = !truth.failed.is_empty() || campaign.plan.on_unknown == OnUnknown::Resend;
            let is_known = truth.acknowledged.is_some() && !may_be_of_earlier_try;
            assert!(
                !is_known || !message.present.marks.unknown(step),
                "a status was acknowledged, and the step is still unknown: {message:?}"
            );
        }
    }

    /// A message is reached if a step succeeded, and marked if two did.
    fn check_success_counted(&self, campaign: &Campaign, message: &Loaded) {
        let outcome = message.present.outcome();
        let outcome = outcome.unwrap_or_else(|| panic!("no outcome: {message:?}"));
        let reached = campaign.plan.indexed_steps().filter(|(step, rules)| {
            let truth = self.net.truth(campaign.attempt(message, *step));
            // If acceptance is the success status and a failure receipt came first, the step never counted as reached.
            let has_failed = message.present.marks.failed(*step) || !truth.failed.is_empty();
            let is_failed_acceptance = rules.success == Status::Accepted && has_failed;
            truth.acknowledged.is_some_and(|status| status >= rules.success) && !is_failed_acceptance
        });
        let reached = reached.count();
        // An opt-out suppresses the message, even if an earlier step turns out to have reached its recipient.
        if reached > 0 && outcome != Outcome::Skipped {
            let truths: Vec<_> = campaign
                .plan
                .indexed_steps()
                .map(|(step, _)| self.net.truth(campaign.attempt(message, step)))
                .collect();
            assert_eq!(
                outcome,
                Outcome::Reached,
                "a step succeeded, but the outcome is not reached: {message:?}, of which the provider knows {truths:?}"
            );
            let is_told = reached < 2 || message.present.marks.delivered_twice();
            assert!(is_told, "two steps succeeded, but the message is not marked as delivered twice: {message:?}");
        }
    }
}
