//! Messages that alone were refused without a known code: records the proof, and sets them aside at the second one (rule
//! 2).

use std::collections::BTreeSet;

use super::claimer::Claimer;
use crate::base::domain::{Count, Loaded, MessageId, MessageKey, Refused, State, StepIndex, Timestamp};
use crate::base::events::{Event, EventKind, Origin, Subject};
use crate::rules::engine;
use crate::sending::book::{Entry, hold_for_set_aside};
use crate::sending::throttle::Waiting;
use crate::store::{Change, Result, Verdict};

/// After so many set-aside messages of one step, the step is held.
const SET_ASIDE_MAX: i64 = 20;

/// A message, and the step at which it was refused.
type RefusedAt = (MessageKey, StepIndex);

impl Claimer {
    /// Records which messages alone were refused. What cannot be recorded yet waits for the next round.
    pub(super) async fn record_alone(&self, now: Timestamp) -> Result<()> {
        let test = &self.lane.test;
        let alone = test.take_alone();
        if alone.is_empty() {
            return Ok(());
        }
        let left = self.prove(&alone, now).await.inspect_err(|_| test.put_back(alone.clone()))?;
        test.put_back(left);
        Ok(())
    }

    /// Ends a test for which no other message is due.
    ///
    /// A message that was refused again is set aside: another one was accepted after its first refusal. For a message that
    /// is the last of its lane, an acceptance before its first refusal counts at its second one, so that it ends too. All
    /// others wait for another message, and are retried meanwhile.
    pub(super) async fn end_test_without_another(&self, now: Timestamp) -> Result<()> {
        let waiting = self.lane.test.waiting();
        let loaded = self.store.load(waiting.iter().map(|waiting| waiting.message).collect()).await?;
        let present_of = |waiting: &Waiting| {
            let message = loaded.iter().find(|message| message.key == waiting.message);
            message.filter(|message| message.present.step == waiting.step).map(|message| message.present)
        };
        let mut over = Vec::new();
        let mut proven = Vec::new();
        for one in waiting {
            match present_of(&one).map(|present| (present.state, present.refused)) {
                Some((State::Queued { .. }, refused))
                    if refused == Refused::Again || refused == Refused::Once && one.follows_acceptance =>
                {
                    proven.push((one.message, one.step));
                }
                // The answer is not recorded yet, or it waits for another message.
                Some((State::Sending { .. }, _) | (State::Queued { .. }, Refused::Once)) => {}
                _ => over.push(one.message),
            }
        }
        let left = self.prove(&proven, now).await?;
        over.extend(proven.into_iter().filter(|at| !left.contains(at)).map(|(key, _)| key));
        self.lane.test.forget(&over);
        Ok(())
    }

    /// Lets the engine decide that these messages alone were refused, and holds a step that has too many of them. Returns
    /// those that are in flight, or were changed meanwhile.
    async fn prove(&self, alone: &[RefusedAt], now: Timestamp) -> Result<Vec<RefusedAt>> {
        let loaded = self.store.load(alone.iter().map(|(key, _)| *key).collect()).await?;
        let step_of = |message: &Loaded| Some(alone.iter().find(|(key, _)| *key == message.key)?.1);
        let is_in_flight = |message: &&Loaded| matches!(message.present.state, State::Sending { .. });
        let in_flight = loaded.iter().filter(is_in_flight);
        let mut left: Vec<RefusedAt> = in_flight.filter_map(|message| Some((message.key, step_of(message)?))).collect();
        let decide = |message: &Loaded| {
            let event = engine::Event::RefusedAlone { step: step_of(message)? };
            self.lane.book.entry(message.key.batch)?.decide(message, event, now)
        };
        let changes: Vec<Change> = loaded.iter().filter_map(decide).collect();
        if changes.is_empty() {
            return Ok(left);
        }
        let set_aside = changes.iter().filter(|change| change.after.is_set_aside());
        let set_aside: Vec<RefusedAt> = set_aside.map(|change| (change.key, change.after.step)).collect();
        let stale = self.store.record(changes).await?;
        left.extend(alone.iter().filter(|(key, _)| stale.contains(key)));
        let mut steps = BTreeSet::new();
        for (key, step) in set_aside.into_iter().filter(|(key, _)| !stale.contains(key)) {
            let Some(entry) = self.lane.book.entry(key.batch) else { continue };
            self.report(&entry, key, now).await?;
            if steps.insert((key.batch, step)) {
                self.hold_if_many(&entry, step, now).await?;
            }
        }
        Ok(left)
    }

    /// Reports that a message is set aside.
    async fn report(&self, entry: &Entry, key: MessageKey, now: Timestamp) -> Result<()> {
        let attempts = self.store.attempts(vec![key]).await?.concat();
        let refused = attempts.into_iter().rfind(|attempt| attempt.verdict == Verdict::Refused);
        let reason = refused.and_then(|attempt| attempt.detail).unwrap_or_default();
        let message = MessageId { key, tag: entry.tag };
        let event = Event {
            at: now,
            subject: Subject::campaign(entry.id, entry.name.as_deref()),
            origin: Origin::provider(reason),
            kind: EventKind::MessageSetAside { message: message.to_string() },
        };
        tracing::warn!("{}", event.sentence());
        self.store.record_event(event).await
    }

    async fn hold_if_many(&self, entry: &Entry, step: StepIndex, now: Timestamp) -> Result<()> {
        let count = self.store.tallies(entry.id).await?.get(step, Count::SetAside);
        if count >= SET_ASIDE_MAX && !entry.is_held(step) {
            self.lane.book.hold_step(hold_for_set_aside((entry.id, step), count, now), now).await?;
        }
        Ok(())
    }
}
