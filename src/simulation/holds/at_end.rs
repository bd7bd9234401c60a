//! What has to be true once everything has come to rest.

use super::{Campaign, Holds};
use crate::campaign::audit;
use crate::domain::{BatchState, Loaded, MessageId, OnUnknown, Outcome, Status, Timestamp};
use crate::engine::met;

impl Holds {
    /// Once everything has come to rest.
    pub(in crate::simulation) async fn check_end(&mut self, now: Timestamp, told: &mut Option<Vec<String>>) {
        self.check(now, told).await;
        for campaign in &self.campaigns {
            for message in &campaign.before {
                self.check_message_at_end(campaign, message);
            }
            let batch = self.store.batch(campaign.batch).await.unwrap().unwrap();
            let tallies = self.store.tallies(campaign.batch).await.unwrap();
            assert_eq!(tallies.done(), i64::from(batch.messages), "totals are not the audience");
            let cancelled = batch.state == BatchState::Cancelled;
            assert_eq!(cancelled, campaign.cancelled, "a campaign ended {} that nobody has", batch.state);
            self.check_audit(campaign).await;
        }
    }

    /// Nothing went wrong, whatever happened: so nothing is refuted.
    async fn check_audit(&self, campaign: &Campaign) {
        // What it tries on its way has not happened.
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
        assert!(refuted.is_empty(), "nothing went wrong, and the audit refutes it: {refuted:#?}\nof {facts:#?}");
    }

    fn check_message_at_end(&self, campaign: &Campaign, message: &Loaded) {
        let outcome = message.present.outcome();
        let outcome = outcome.unwrap_or_else(|| panic!("no outcome: {message:?}"));
        let reached = campaign.plan.places().filter(|(step, rules)| {
            let truth = self.net.truth(campaign.attempt(message, *step));
            // Where acceptance is all that was asked for, bad news may have told of it first.
            let has_failed = message.present.marks.failed(*step) || !truth.failed.is_empty();
            let only_accepted = rules.success == Status::Accepted && has_failed;
            truth.told.is_some_and(|status| status >= rules.success) && !only_accepted
        });
        let reached = reached.count();
        for (step, _) in campaign.plan.places() {
            let truth = self.net.truth(campaign.attempt(message, step));
            // Where it was tried again, what was said may be about the try before, and the last one unknown.
            let again = !truth.failed.is_empty() || campaign.plan.on_unknown == OnUnknown::Resend;
            let told = truth.told.is_some() && !again;
            assert!(!told || !message.present.marks.unknown(step), "said, and still unknown: {message:?}");
        }
        // Who wants no more was suppressed, whatever an earlier step turns out to have done.
        if reached > 0 && outcome != Outcome::Skipped {
            assert_eq!(outcome, Outcome::Reached, "the provider said that it arrived: {message:?}");
            let twice = reached < 2 || message.present.marks.delivered_twice();
            assert!(twice, "the provider said that it arrived twice: {message:?}");
        }
    }
}
