//! The rate at which the product's own statements claim and record, without sending.

use std::sync::Arc;

use super::Load;
use super::product::{LANE, config, launch};
use crate::base::clock::{Chance, Clock};
use crate::base::domain::{BatchState, Queue, State, StepIndex, Umid};
use crate::base::events::Origin;
use crate::bench::stock::scratch;
use crate::bench::{Begun, Error, Run};
use crate::campaigns::campaign::Launcher;
use crate::rules::engine::{Answer, Event, Ruling};
use crate::sending::book::Book;
use crate::store::{Attempt, Claim, Verdict};

/// Messages in one claim and in one record.
const SET: u32 = 1_000;

/// Claims and records `load` without sending anything.
pub async fn database(load: &Load, clock: Arc<dyn Clock>, chance: &Chance) -> Result<Run, Error> {
    let (_folder, store) = scratch(&clock).await?;
    let config = config(load, "http://127.0.0.1:9")?;
    let launcher =
        Launcher { store: store.as_ref(), clock: clock.as_ref(), chance, config: &config, by: Origin::SERVER };
    let batch = launch(load.messages, LANE, &launcher).await?;
    let entry = Book::new(Arc::clone(&store)).get(batch).await?.ok_or("the batch is not stored")?;
    if entry.state() != BatchState::Running {
        return Err("the batch is not running".into());
    }
    let lane =
        entry.pool(StepIndex::FIRST).and_then(|(_, lanes)| lanes.first().copied()).ok_or("the route has no lane")?;
    let queue = Queue { batch, step: StepIndex::FIRST, lane };
    let begun = Begun::now(clock.as_ref());
    let mut done = 0_u64;
    loop {
        let claim = Claim::of(lane, vec![queue], SET, clock.now());
        let set = store.claim(claim).await?;
        if set.messages.is_empty() {
            break;
        }
        let now = clock.now();
        let changes = set.messages.iter().filter_map(|claimed| {
            let message = &claimed.message;
            let event = Event::Answered { step: StepIndex::FIRST, answer: Answer::Accepted };
            let change = entry.decide(message, event, now)?;
            let State::Sending { intent, not_before, .. } = message.present.state else { return None };
            let fact = Attempt {
                step: StepIndex::FIRST,
                lane,
                queued: not_before,
                intent: Some(intent),
                answered: now,
                verdict: Verdict::Accepted,
                tries: 0,
                code: None,
                detail: None,
                umid: Some(umid(chance, message.key.n)),
                ruling: Ruling::default(),
            };
            Some(change.told_by(fact))
        });
        let changes: Vec<_> = changes.collect();
        done += u64::try_from(changes.len())?;
        store.record(changes).await?;
    }
    let run = Run::since(begun, done, clock.as_ref());
    store.close().await;
    Ok(run)
}

/// Returns an umid like the provider's: random at the beginning, the time at the end.
pub(super) fn umid(chance: &Chance, n: u32) -> Umid {
    let time = 0xb46d_0000_0000 + u64::from(n / 10);
    let uuid = uuid::Uuid::from_u64_pair(chance.bits(), (chance.bits() << 48) | time);
    Umid::new(&uuid.to_string())
}
