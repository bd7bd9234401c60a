//! After a crash: what the dead process had in its hands.

use crate::domain::{Loaded, Present, State, Timestamp};
use crate::engine::{Answer, Event, Ruling};
use crate::store::{Attempt, Book, Change, Epoch, Result, Store, Verdict};

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

/// What an earlier epoch has claimed and not recorded: no more than lanes may have in their hands. To find it takes a walk.
pub async fn in_flight(store: &dyn Store, epoch: Epoch) -> Result<Vec<Loaded>> {
    let mut all: Vec<Loaded> = Vec::new();
    loop {
        let page = store.in_flight(epoch, all.last().map(|message| message.key), PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// Counts every message that an earlier epoch has claimed and not recorded as handed over at its intent, with nobody
/// knowing whether it was (rule 7). Called before anything is claimed in this one. A server of an earlier epoch that is
/// alive after all may record what it sent meanwhile: whatever is written first counts.
pub async fn recover(store: &dyn Store, book: &Book, in_flight: &[Loaded], now: Timestamp) -> Result<()> {
    for page in in_flight.chunks(PAGE as usize) {
        let mut changes = Vec::with_capacity(page.len());
        for message in page {
            let State::Sending { intent, not_before, .. } = message.present.state else { continue };
            let Some(entry) = book.get(message.key.batch).await? else { continue };
            let step = message.present.step;
            let event = Event::Answered { step, answer: Answer::Unknown };
            let Some(change) = entry.decide(message, event, now) else { continue };
            let change = Change { after: not_due_before(change.after, now), ..change };
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
                ruling: Ruling::default(),
            };
            changes.push(change.told_by(fact));
        }
        store.record(changes).await?;
    }
    Ok(())
}
