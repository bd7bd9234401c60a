//! What must hold after everything that happens.

use std::collections::HashMap;
use std::sync::Arc;

use super::net::{Missed, Net, Posted};
use super::scene::LANES;
use crate::config::Config;
use crate::domain::{
    AfterGap, AttemptId, BatchId, BatchState, Ending, Fault, MessageKey, Msisdn, OnUnknown, Outcome, Plan, Span, State,
    Status, StepIndex, Tag, Tallies, Timestamp,
};
use crate::store::{Loaded, Store};

/// How much later than promised a repeat may come.
const MARGIN: Span = Span::from_secs(2);

/// What is known of a run, and what it was before the latest act.
#[derive(Debug)]
pub(super) struct Holds {
    store: Arc<dyn Store>,
    net: Arc<Net>,
    config: Arc<Config>,
    pub(super) batch: BatchId,
    tag: Tag,
    pub(super) plan: Plan,
    keys: Vec<MessageKey>,
    before: Vec<Loaded>,
    /// Where the batch stood when the node last said that it obeys.
    pub(super) noted: BatchState,
    pub(super) opted_out: HashMap<Msisdn, Timestamp>,
    /// Each change in words, where somebody wants to read them.
    pub(super) told: Option<Vec<String>>,
    left: [Vec<Timestamp>; 3],
}

impl Holds {
    pub(super) async fn new(store: Arc<dyn Store>, net: Arc<Net>, config: Arc<Config>, batch: BatchId) -> Self {
        let row = store.batch(batch).await.unwrap().unwrap();
        let plan = store.plan(batch).await.unwrap().unwrap();
        let keys: Vec<_> = (0..row.messages).map(|n| MessageKey { batch, n }).collect();
        let before = store.load(keys.clone()).await.unwrap();
        assert_eq!(before.len(), keys.len());
        Self {
            store,
            net,
            config,
            batch,
            tag: row.tag,
            plan,
            keys,
            before,
            noted: BatchState::Running,
            opted_out: HashMap::new(),
            told: None,
            left: [const { Vec::new() }; 3],
        }
    }

    fn attempt(&self, message: &Loaded, step: StepIndex) -> AttemptId {
        AttemptId { key: message.key, step, tag: self.tag }
    }

    /// Holds everything against what is on disk now. Returns how many messages changed.
    pub(super) async fn check(&mut self, now: Timestamp) -> usize {
        let after = self.store.load(self.keys.clone()).await.unwrap();
        assert_eq!(after.len(), self.keys.len(), "messages are missing");
        let mut counted = Tallies::default();
        let mut changed = 0;
        for (before, after) in self.before.iter().zip(&after) {
            counted.weigh(self.plan.steps.len(), &after.present, 1);
            if before.version == after.version {
                assert_eq!(before.present, after.present, "changed without a new version");
                continue;
            }
            changed += 1;
            if let Some(told) = &mut self.told {
                told.push(format!("    message {}: {:?}", after.key.n, after.present));
            }
            self.check_change(before, after, now);
        }
        for posted in self.net.posted() {
            let message = after.get(usize::try_from(posted.attempt.key.n).unwrap()).unwrap();
            self.check_post(&posted, message);
        }
        let kept = self.store.tallies(self.batch).await.unwrap();
        let entries = |tallies: &Tallies| tallies.entries().filter(|(_, _, n)| *n != 0).collect::<Vec<_>>();
        assert_eq!(entries(&kept), entries(&counted), "the counters have left the rows");
        self.before = after;
        changed
    }

    fn check_change(&self, before: &Loaded, after: &Loaded, now: Timestamp) {
        let (was, is) = (&before.present, &after.present);
        if let Some(ended) = was.outcome() {
            let stays = is.outcome() == Some(ended) || is.outcome() == Some(Outcome::Reached);
            assert!(stays, "an end became something else than reached: {was:?} to {is:?}");
        }
        let recalled = is.step < was.step && is.outcome() == Some(Outcome::Reached);
        assert!(is.step >= was.step || recalled, "a step came back: {was:?} to {is:?}");
        for step in StepIndex::all().take(self.plan.steps.len()) {
            // A fault of the sender's, said by receipt, undoes the hand-over: the message goes back to its queue.
            let undone = is.step == step && matches!(is.state, State::Queued { .. });
            let kept = !was.marks.handed_over(step) || is.marks.handed_over(step);
            assert!(kept || undone, "a hand-over was forgotten: {was:?} to {is:?}");
            if was.marks.ending(step) == is.marks.ending(step) {
                continue;
            }
            self.check_ending(before, after, step, now);
        }
    }

    /// Whether a step may have ended so at this time.
    fn check_ending(&self, before: &Loaded, after: &Loaded, step: StepIndex, now: Timestamp) {
        let truth = self.net.truth(self.attempt(after, step));
        let rules = self.plan.step(step).unwrap();
        let about =
            || format!("step {step} of {:?}: {:?} to {:?}, {truth:?}", after.key, before.present, after.present);
        match after.present.marks.ending(step) {
            Ending::Open | Ending::Success | Ending::OutsideWindow | Ending::MissingVariable => {}
            Ending::Deadline => {
                let accepted = before.present.accepted.unwrap_or(now);
                let due = accepted + rules.fallback_after.unwrap_or(Span::ZERO);
                assert!(now >= due, "fell back early: {}", about());
                // A repeat that takes longer than its margin is the way's fault, and no longer ours.
                let to_come = |missed: &Missed| missed.again.is_none_or(|again| now < again + MARGIN);
                let good = |missed: &&Missed| missed.tried <= due && missed.status >= rules.success;
                let hidden = truth.missed.iter().filter(good).any(to_come);
                let told = truth.told.is_some_and(|status| status >= rules.success);
                let waits = self.plan.after_gap != AfterGap::FallBack;
                assert!(!(waits && hidden && !told), "fell back because we were deaf: {}", about());
            }
            Ending::Undelivered => {
                // What was called off cannot go again: whoever's fault it was, it did not arrive.
                let theirs = |fault: &Fault| after.present.marks.cut() || !matches!(fault, Fault::Sender(_));
                assert!(truth.failed.iter().any(theirs), "fell back for a fault of the sender's: {}", about());
            }
            Ending::Rejected => {
                let theirs = |fault: &Fault| matches!(fault, Fault::Recipient | Fault::Person);
                assert!(truth.refused.iter().any(theirs), "fell back for a refusal of the sender's: {}", about());
            }
            Ending::CouldNotLeave => {
                assert!(rules.leave_within.is_some(), "gave up waiting without being told to: {}", about());
                assert!(!before.present.marks.handed_over(step), "it did leave: {}", about());
            }
        }
    }

    /// Whether a request may have left.
    fn check_post(&mut self, posted: &Posted, message: &Loaded) {
        let Posted { attempt, channel, at } = *posted;
        let about = || format!("{posted:?} of {:?}", message.present);
        let row = &message.present;
        let State::Sending { intent, gives_up, .. } = row.state else {
            panic!("sent what is not on disk as being sent: {}", about());
        };
        assert_eq!(row.step, attempt.step, "sent another step than the present one: {}", about());
        assert_eq!(self.plan.step(attempt.step).unwrap().channel, channel);
        assert!(gives_up.is_none_or(|gives_up| gives_up > at), "left after its time: {}", about());
        assert_eq!(self.noted, BatchState::Running, "left although the node had noted: {}", about());
        let stopped = self.opted_out.get(&message.msisdn).is_some_and(|since| *since < intent);
        assert!(!stopped, "left although the person had opted out before it was claimed: {}", about());

        let truth = self.net.truth(attempt);
        let most = if self.plan.on_unknown == OnUnknown::Resend { 2 } else { 1 };
        let in_passing = truth.failed.iter().filter(|fault| !matches!(fault, Fault::Recipient)).count();
        assert!(
            truth.accepted <= most + u32::try_from(in_passing).unwrap(),
            "the provider has taken it {} times: {}",
            truth.accepted,
            about()
        );
        let place = LANES.iter().position(|(_, known)| *known == channel).unwrap();
        let lane = self.config.lane(LANES[place].0).unwrap();
        let left = &mut self.left[place];
        left.push(at);
        for window in [Span::from_millis(1), Span::from_secs(1), Span::from_secs(10)] {
            let within = left.iter().rev().take_while(|left| **left + window > at).count();
            let most = lane.rate.within(window) + u64::from(lane.burst.get()) + 1;
            assert!(u64::try_from(within).unwrap() <= most, "{within} in {window} on {}: {}", lane.name, about());
        }
    }

    /// Once everything has come to rest.
    pub(super) async fn check_end(&mut self, now: Timestamp) {
        self.check(now).await;
        for message in &self.before {
            let outcome = message.present.outcome();
            let outcome = outcome.unwrap_or_else(|| panic!("no outcome: {message:?}"));
            let reached = self.plan.places().any(|(step, rules)| {
                let truth = self.net.truth(self.attempt(message, step));
                // Where acceptance is all that was asked for, bad news may have told of it first.
                let only_accepted = rules.success == Status::Accepted && message.present.marks.failed(step);
                truth.told.is_some_and(|status| status >= rules.success) && !only_accepted
            });
            // Who wants no more was suppressed, whatever an earlier step turns out to have done.
            if reached && outcome != Outcome::Skipped {
                assert_eq!(outcome, Outcome::Reached, "the provider said that it arrived: {message:?}");
            }
        }
        let batch = self.store.batch(self.batch).await.unwrap().unwrap();
        let tallies = self.store.tallies(self.batch).await.unwrap();
        assert_eq!(tallies.done(), i64::from(batch.messages), "totals are not the audience");
    }
}
