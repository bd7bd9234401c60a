//! After a crash: the messages that the dead process had claimed.

use crate::base::domain::{Loaded, Present, State, Timestamp};
use crate::rules::engine::{Answer, Event, Ruling};
use crate::sending::book::Book;
use crate::store::{Attempt, Change, Dispatch, Epoch, Result, Verdict};

/// Moves a deadline that passed before the gap of the crash to `now`.
///
/// A slow provider may have accepted the request just before the crash, long after the claim. Its receipts then fell
/// into the gap, so an earlier deadline proves nothing.
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

/// Loads the messages that an earlier epoch claimed and did not record. The lanes' limits bound their number.
pub async fn in_flight(store: &dyn Dispatch, epoch: Epoch) -> Result<Vec<Loaded>> {
    let mut all: Vec<Loaded> = Vec::new();
    loop {
        let page = store.in_flight(epoch, all.last().map(|message| message.key), PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// Counts every message that an earlier epoch claimed and did not record as submitted at its intent time, with an
/// unknown result (rule 7).
///
/// The caller does this before the first claim of this epoch. A server of an earlier epoch that is still alive may
/// record its submissions meanwhile: the first record counts.
pub async fn recover(store: &dyn Dispatch, book: &Book, in_flight: &[Loaded], now: Timestamp) -> Result<()> {
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
                detail: Some("the server stopped while the message was being submitted".to_owned()),
                umid: None,
                ruling: Ruling::default(),
            };
            changes.push(change.told_by(fact));
        }
        store.record(changes).await?;
    }
    Ok(())
}
