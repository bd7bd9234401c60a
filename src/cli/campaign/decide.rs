//! `volley campaign start`, `pause`, `resume` and `cancel`: carry out decisions of an operator.

use anyhow::{Context, bail};
use serde::Serialize;

use super::find;
use crate::campaign::{self, Decided, Released};
use crate::cli::words::plural;
use crate::cli::{CommandContext, Exit, out};
use crate::domain::{BatchState, Count};
use crate::events::Certificate;
use crate::report::Counts;

#[derive(Debug, Clone, Copy)]
pub(super) enum Decision {
    Start,
    Pause,
    Resume,
    Cancel,
}

impl Decision {
    /// Whether the decision has already been carried out in this state.
    const fn is_done_in(self, state: BatchState) -> bool {
        match self {
            Self::Start => matches!(state, BatchState::Running | BatchState::Scheduled),
            Self::Pause => matches!(state, BatchState::Paused),
            Self::Resume => matches!(state, BatchState::Running),
            Self::Cancel => state.is_cancelled(),
        }
    }

    const fn participle(self) -> &'static str {
        match self {
            Self::Start => "started",
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Cancel => "cancelled",
        }
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    id: String,
    name: &'a str,
    state: BatchState,
    counts: Counts,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<Certificate>,
    noted: Option<bool>,
    /// Steps that stay held because one of their limits is used up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    used_up: Vec<u8>,
}

pub(super) async fn run(
    context: &CommandContext,
    decision: Decision,
    name: &str,
    reason: Option<&str>,
    json: bool,
) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let batch = find(store.as_ref(), name).await?;
    let name = batch.display_name();
    let (clock, by) = (context.clock.as_ref(), &context.origin(reason));
    // Counted before the decision: a server may claim messages before all servers have confirmed it.
    let before = store.tallies(batch.id).await?;
    let decided = match decision {
        Decision::Start => campaign::start(store.as_ref(), clock, &batch, by).await?,
        Decision::Pause => campaign::pause(store.as_ref(), clock, &batch, by).await?,
        Decision::Resume => campaign::resume(store.as_ref(), clock, &batch, by).await?,
        Decision::Cancel => campaign::cancel(store.as_ref(), clock, &batch, by).await?,
    };
    // A resume also releases the held steps.
    let continues = match decided {
        Decided::Holds(_) => true,
        Decided::Refused(state) => decision.is_done_in(state),
        Decided::UsedUp(_) => false,
    };
    let (released, kept) = match decision {
        Decision::Resume if continues => {
            let Released { noted, used_up } = campaign::release_steps(store.as_ref(), clock, &batch, None, by).await?;
            (noted, used_up)
        }
        Decision::Start | Decision::Pause | Decision::Resume | Decision::Cancel => (None, Vec::new()),
    };
    let (obeyed, already) = match (decided, released) {
        (Decided::Holds(_), Some(obeyed)) | (Decided::Holds(obeyed), None) => (obeyed, false),
        (Decided::Refused(state), Some(obeyed)) if decision.is_done_in(state) => (obeyed, false),
        (Decided::Refused(_), None) if let [kept, ..] = &kept[..] => {
            bail!("nothing of \"{name}\" was resumed: {}", kept.sentence(&name))
        }
        // A repeated command succeeds.
        (Decided::Refused(state), None) if decision.is_done_in(state) => {
            (campaign::noted(store.as_ref(), clock, store.seq().await?).await?, true)
        }
        (Decided::UsedUp(used_up), _) => bail!("\"{name}\" cannot be resumed: {}", used_up.sentence(&name)),
        (Decided::Refused(state), _) => bail!("\"{name}\" cannot be {}: {}", decision.participle(), why_not(state)),
    };
    let state = store.batch(batch.id).await?.map_or(batch.state, |batch| batch.state);
    let counts = Counts::of(state, &store.tallies(batch.id).await?);
    let certificate = match decision {
        Decision::Cancel if !already => {
            let certificate = campaign::certify(store.as_ref(), clock, &batch, obeyed).await;
            Some(certificate.with_context(|| {
                format!("\"{name}\" is cancelled, but the state of its messages at that time could not be recorded")
            })?)
        }
        Decision::Start | Decision::Pause | Decision::Resume | Decision::Cancel => None,
    };
    store.close().await;
    if json {
        let shown = Shown {
            id: batch.public_id().to_string(),
            name: &name,
            state,
            counts,
            certificate,
            noted: obeyed.by_all(),
            used_up: kept.iter().filter_map(|kept| Some(kept.step?.get() + 1)).collect(),
        };
        out::json(&shown)?;
        return Ok(Exit::Done);
    }
    let has_stop_time = certificate.is_some_and(|certificate| certificate.stopped_after_ms.is_some());
    let obeyed = if has_stop_time { String::new() } else { format!(" ({})", obeyed.sentence()) };
    let effect = match decision {
        Decision::Pause => format!("{} wait", plural(counts.queued, "message", "messages")),
        Decision::Start | Decision::Resume if state == BatchState::Scheduled => {
            "it waits for its start time".to_owned()
        }
        Decision::Start | Decision::Resume => {
            let kept = kept.iter().filter_map(|kept| Some(before.get(kept.step?, Count::Queued)));
            let to_submit = before.total(Count::Queued) - kept.sum::<i64>();
            format!("{} to submit", plural(to_submit, "message", "messages"))
        }
        Decision::Cancel => match certificate {
            Some(certificate) => certificate.to_string(),
            None => format!("receipts may still come for {}", plural(counts.to_come(state), "message", "messages")),
        },
    };
    let already = if already { " already" } else { "" };
    out::data(format_args!("\"{name}\" is {}{already}: {effect}{obeyed}", decision.participle()))?;
    if matches!(decision, Decision::Cancel) && batch.state == BatchState::Finished {
        let waiting = plural(counts.to_come(state), "message", "messages");
        out::data(format_args!(
            "Nothing was left to submit. Last receipts may still come for {waiting}; one that fails is not sent again."
        ))?;
    }
    for kept in &kept {
        out::talk(kept.sentence(&name));
    }
    Ok(Exit::Done)
}

pub(super) fn why_not(state: BatchState) -> String {
    match state {
        BatchState::Finished => "nothing is left to submit; only last receipts may still come".to_owned(),
        BatchState::Settled => "every message has its outcome".to_owned(),
        BatchState::Cancelling | BatchState::Cancelled => "it has been cancelled".to_owned(),
        BatchState::Draft => "it is a draft; start it with `volley campaign start`".to_owned(),
        BatchState::Launching | BatchState::Scheduled | BatchState::Running | BatchState::Paused => {
            format!("it is {state}")
        }
    }
}
