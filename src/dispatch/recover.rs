//! After a crash: what the dead process had in its hands.

use std::collections::BTreeMap;

use crate::domain::{LaneId, Present, State, Timestamp};
use crate::engine::{Answer, Event, Standing, advance};
use crate::store::{Attempt, Book, Epoch, Result, Store, Verdict};

/// A provider that was slow to take it may have taken it just before the crash, however long before it was claimed: what
/// it said of that fell into the gap, so no time that was up before the gap means anything.
const fn not_due_before(present: Present, now: Timestamp) -> Present {
    match present.state {
        State::Awaiting { due } if due.millis() < now.millis() => {
            Present { state: State::Awaiting { due: now }, ..present }
        }
        _ => present,
    }
}

/// Messages settled in one transaction.
const PAGE: u32 = 2_000;

/// How many messages of each lane an earlier epoch has claimed and not recorded: they may have left at any time until now.
pub async fn in_flight(store: &dyn Store, epoch: Epoch) -> Result<BTreeMap<LaneId, u32>> {
    let (mut of_lanes, mut after) = (BTreeMap::new(), None);
    loop {
        let page = store.in_flight(epoch, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(of_lanes) };
        after = Some(last.key);
        for message in &page {
            *of_lanes.entry(message.lane).or_default() += 1;
        }
    }
}

/// Counts every message that an earlier epoch has claimed and not recorded as handed over at its intent, with nobody
/// knowing whether it was (rule 7). Called before anything is claimed in this one. A server of an earlier epoch that is
/// alive after all may record what it sent meanwhile: whatever is written first counts.
pub async fn recover(store: &dyn Store, book: &Book, epoch: Epoch, now: Timestamp) -> Result<()> {
    let mut after = None;
    loop {
        let in_flight = store.in_flight(epoch, after, PAGE).await?;
        let Some(last) = in_flight.last() else { return Ok(()) };
        after = Some(last.key);
        let mut changes = Vec::with_capacity(in_flight.len());
        for message in &in_flight {
            let State::Sending { intent, not_before, .. } = message.present.state else { continue };
            let Some(entry) = book.get(message.key.batch).await? else { continue };
            let step = message.present.step;
            let event = Event::Answered { step, answer: Answer::Unknown };
            let decision = advance(&entry.plan, Standing::of(entry.state()), &message.present, event, now);
            let Some(after) = decision.next().copied() else { continue };
            let after = not_due_before(after, now);
            let fact = Attempt {
                step,
                lane: message.lane,
                queued: not_before,
                intent: Some(intent),
                answered: now,
                verdict: Verdict::Unknown,
                tries: message.present.tries,
                code: None,
                detail: Some("the server died while it was being handed over".to_owned()),
                umid: None,
            };
            changes.push(entry.change(message, after, Some(fact)));
        }
        store.record(changes).await?;
    }
}
