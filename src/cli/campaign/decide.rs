//! `volley campaign pause`, `resume` and `cancel`.

use anyhow::bail;

use super::{find, id_of, name_of};
use crate::campaign::{self, Counts, Decided};
use crate::cli::words::{count, of};
use crate::cli::{Exit, Ground, noted, out};
use crate::domain::BatchState;

#[derive(Debug, Clone, Copy)]
pub(super) enum Decision {
    Pause,
    Resume,
    Cancel,
}

impl Decision {
    /// Whether a campaign in this state is what the decision would make of it.
    const fn is_so(self, state: BatchState) -> bool {
        match self {
            Self::Pause => matches!(state, BatchState::Paused),
            Self::Resume => matches!(state, BatchState::Running),
            Self::Cancel => state.is_cancelled(),
        }
    }

    const fn participle(self) -> &'static str {
        match self {
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Cancel => "cancelled",
        }
    }
}

pub(super) async fn run(ground: &Ground, decision: Decision, name: &str, json: bool) -> anyhow::Result<Exit> {
    let store = ground.existing_store().await?;
    let batch = find(store.as_ref(), name).await?;
    let name = name_of(&batch);
    let (clock, by) = (ground.clock.as_ref(), ground.by.as_str());
    let decided = match decision {
        Decision::Pause => campaign::pause(store.as_ref(), clock, &batch, by).await?,
        Decision::Resume => campaign::resume(store.as_ref(), clock, &batch, by).await?,
        Decision::Cancel => campaign::cancel(store.as_ref(), clock, &batch, by).await?,
    };
    let (obeyed, already) = match decided {
        Decided::Holds(obeyed) => (obeyed, false),
        // Who gives a command twice has what was wanted.
        Decided::Refused(state) if decision.is_so(state) => {
            (campaign::noted(store.as_ref(), clock, store.seq().await?).await?, true)
        }
        Decided::Refused(state) => bail!("\"{name}\" cannot be {}: {}", decision.participle(), why_not(state)),
    };
    let state = store.batch(batch.id).await?.map_or(batch.state, |batch| batch.state);
    let counts = Counts::of(state, &store.tallies(batch.id).await?);
    store.close().await;
    if json {
        let id = id_of(&batch).to_string();
        let obeyed = noted::by_all(obeyed);
        out::json(&serde_json::json!({ "id": id, "name": name, "state": state, "counts": counts, "noted": obeyed }))?;
        return Ok(Exit::Done);
    }
    let obeyed = noted::sentence(obeyed);
    let effect = match decision {
        Decision::Pause => format!("{} wait", of(counts.queued, "message", "messages")),
        Decision::Resume if state == BatchState::Scheduled => "it waits for its time".to_owned(),
        Decision::Resume => format!("{} to hand over", of(counts.queued, "message", "messages")),
        Decision::Cancel => cancelled(counts),
    };
    let already = if already { " already" } else { "" };
    out::data(format_args!("\"{name}\" is {}{already}: {effect} ({obeyed})", decision.participle()))?;
    Ok(Exit::Done)
}

/// Where every message is after a cancel; the parts sum to all of them.
fn cancelled(counts: Counts) -> String {
    let ended = of(counts.done, "message has an outcome", "messages have an outcome");
    let left = counts.awaiting + counts.queued;
    let mut said = format!("{ended}, {} that left may still bring receipts", count(left));
    if counts.sending > 0 {
        said.push_str(&format!(", {} being handed over just then", of(counts.sending, "was", "were")));
    }
    said
}

fn why_not(state: BatchState) -> String {
    match state {
        BatchState::Finished => "nothing is left to hand over, only last receipts may still come".to_owned(),
        BatchState::Settled => "every message has its outcome".to_owned(),
        BatchState::Cancelling | BatchState::Cancelled => "it has been cancelled".to_owned(),
        BatchState::Launching
        | BatchState::Draft
        | BatchState::Scheduled
        | BatchState::Running
        | BatchState::Paused => format!("it is {state}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_cancel_every_message_is_somewhere() {
        let counts = Counts { queued: 2, sending: 1, awaiting: 17, done: 30 };
        assert_eq!(
            cancelled(counts),
            "30 messages have an outcome, 19 that left may still bring receipts, 1 was being handed over just then"
        );
        let state = BatchState::Cancelling;
        assert_eq!((counts.to_hand_over(state), counts.to_come(state) + counts.done), (0, 50));
    }
}
