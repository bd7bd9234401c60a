//! Invariants that must be true once everything has come to rest.

use super::{Campaign, Invariants};
use crate::domain::{BatchState, Loaded, MessageId, OnUnknown, Outcome, Status, Timestamp};
use crate::engine::met;
use crate::story::audit;

impl Invariants {
    /// Checks the final state of every campaign.
    pub(in crate::simulation) async fn check_end(&mut self, now: Timestamp, log: &mut Option<Vec<String>>) {
        self.check(now, log).await;
        for campaign in &self.campaigns {
            for message in &campaign.before {
                self.check_message_at_end(campaign, message);
            }
            let batch = self.store.batch(campaign.batch).await.unwrap().unwrap();
            let tallies = self.store.tallies(campaign.batch).await.unwrap();
            assert_eq!(tallies.done(), i64::from(batch.messages), "the totals differ from the audience");
            let cancelled = batch.state == BatchState::Cancelled;
            assert_eq!(cancelled, campaign.cancelled, "a campaign ended {} without a matching decision", batch.state);
            self.check_audit(campaign).await;
        }
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

    fn check_message_at_end(&self, campaign: &Campaign, message: &Loaded) {
        let outcome = message.present.outcome();
        let outcome = outcome.unwrap_or_else(|| panic!("no outcome: {message:?}"));
        let reached = campaign.plan.indexed_steps().filter(|(step, rules)| {
            let truth = self.net.truth(campaign.attempt(message, *step));
            // Where acceptance counts as success, a failure receipt may have been the first proof of it.
            let has_failed = message.present.marks.failed(*step) || !truth.failed.is_empty();
            let only_accepted = rules.success == Status::Accepted && has_failed;
            truth.acknowledged.is_some_and(|status| status >= rules.success) && !only_accepted
        });
        let reached = reached.count();
        for (step, _) in campaign.plan.indexed_steps() {
            let truth = self.net.truth(campaign.attempt(message, step));
            // After a retry or resend, a status may belong to the earlier try while the last one is unknown.
            let was_retried = !truth.failed.is_empty() || campaign.plan.on_unknown == OnUnknown::Resend;
            let has_status = truth.acknowledged.is_some() && !was_retried;
            assert!(
                !has_status || !message.present.marks.unknown(step),
                "a status was acknowledged, and the step is still unknown: {message:?}"
            );
        }
        // An opt-out suppresses the message, even if an earlier step turns out to have reached its recipient.
        if reached > 0 && outcome != Outcome::Skipped {
            assert_eq!(outcome, Outcome::Reached, "the provider reported success: {message:?}");
            let twice = reached < 2 || message.present.marks.delivered_twice();
            assert!(twice, "the provider reported success on two steps: {message:?}");
        }
    }
}
