//! Takes back fallbacks that silence has decided in a time that turns out to be in doubt.

use super::queues::Queues;
use super::recall::{latest_of, was_submitted};
use super::{Timers, waits_since};
use crate::base::domain::{Ending, Loaded, Present, State, StepIndex, Timestamp};
use crate::rules::engine::{Event, Silence};
use crate::sending::book::Entry;
use crate::store::{Attempt, Change, Result, Verdict};

impl Timers {
    /// Returns unclaimed fallbacks of a doubt to awaiting, where their deadlines are decided again.
    pub(super) async fn take_back(&self, now: Timestamp) -> Result<()> {
        let doubts = self.gaps.to_take_back(now);
        if doubts.is_empty() {
            return Ok(());
        }
        let taken_back = self.take_back_of_each(&doubts, now).await;
        if taken_back.is_err() {
            self.gaps.not_taken_back(doubts);
        }
        taken_back
    }

    async fn take_back_of_each(&self, doubts: &[(usize, Timestamp)], now: Timestamp) -> Result<()> {
        for entry in self.book.in_play().iter().filter(|entry| !entry.is_called_off()) {
            for (address, since) in doubts {
                self.take_back_of(entry, *address, *since, now).await?;
            }
        }
        Ok(())
    }

    async fn take_back_of(&self, entry: &Entry, address: usize, since: Timestamp, now: Timestamp) -> Result<()> {
        let is_of = |step: StepIndex| {
            let lanes = entry.pool(step).map(|(_, lanes)| lanes).unwrap_or_default();
            lanes.iter().any(|lane| self.gaps.address_of(*lane) == Some(address))
        };
        let Some(first) = StepIndex::all().take(entry.plan.steps.len()).find(|step| is_of(*step)) else {
            return Ok(());
        };
        // A deadline that fired in the doubt has queued the next step in it.
        let mut queues = Queues::following(entry, first, since);
        while let Some(page) = queues.next_page(self.store.as_ref()).await? {
            let changes = self.taken_back(entry, page, now).await?;
            if !changes.is_empty() {
                self.store.record(changes).await?;
            }
        }
        Ok(())
    }

    async fn taken_back(&self, entry: &Entry, mut page: Vec<Loaded>, now: Timestamp) -> Result<Vec<Change>> {
        page.retain(|message| fell_back_from(message).is_some());
        if page.is_empty() {
            return Ok(Vec::new());
        }
        let attempts = self.store.attempts(page.iter().map(|message| message.key).collect()).await?;
        let before = page.iter().zip(&attempts).map(|(message, attempts)| before_fallback(entry, message, attempts));
        let (page, before): (Vec<&Loaded>, Vec<Loaded>) =
            page.iter().zip(before).filter_map(|(message, before)| Some((message, before?))).unzip();
        let counted = self.counted_as_unknown(&before).await?;
        let silence = |message: &Loaded| self.silence(entry, message, counted.get(&message.key).copied(), now);
        let mut silences: Vec<Silence> = before.iter().map(silence).collect();
        self.apply_answers(entry, &before, &mut silences).await?;
        let changes = page.into_iter().zip(before).zip(silences).filter_map(|((message, before), silence)| {
            let event = Event::Doubted { silence, tries: before.present.tries };
            // Under the lane that has submitted it, also if that lane had taken over from another.
            Some(Change { lane: before.lane, ..entry.decide(message, event, now)? })
        });
        Ok(changes.collect())
    }
}

/// The step whose deadline has queued the present one.
fn fell_back_from(message: &Loaded) -> Option<StepIndex> {
    let Present { step, marks, .. } = message.present;
    marks.preceding(step).filter(|previous| marks.ending(*previous) == Ending::Deadline)
}

/// The message in the state of its deadline, by the try that was submitted.
fn before_fallback(entry: &Entry, message: &Loaded, attempts: &[Attempt]) -> Option<Loaded> {
    let step = fell_back_from(message)?;
    let submitted = latest_of(attempts, step)?;
    let before_it = |attempt: &&Attempt| attempt.step == step && attempt.tries < submitted.tries;
    // A second copy beside an unknown one: it is uncertain whose silence this is, so the fallback stays.
    if submitted.intent.is_none()
        || was_submitted(attempts, message.present.step)
        || attempts.iter().filter(before_it).any(|attempt| attempt.verdict == Verdict::Unknown)
    {
        return None;
    }
    let due = message.present.accepted? + entry.plan.step(step)?.fallback_after?;
    let marks = message.present.marks.with_ending(step, Ending::Open);
    let present = Present { step, marks, state: State::Awaiting { due }, tries: submitted.tries, ..message.present };
    let before = Loaded { lane: submitted.lane, present, ..*message };
    waits_since(entry, &before).is_some().then_some(before)
}
