//! `volley campaign start`, `pause`, `resume` and `cancel`.

use anyhow::{Context, bail};
use serde::Serialize;

use super::{find, id_of, name_of};
use crate::campaign::{self, Certificate, Counts, Decided, Released};
use crate::cli::words::{count, of};
use crate::cli::{Exit, Ground, noted, out, used_up};
use crate::domain::{BatchState, Count};

#[derive(Debug, Clone, Copy)]
pub(super) enum Decision {
    Start,
    Pause,
    Resume,
    Cancel,
}

impl Decision {
    /// Whether a campaign in this state is what the decision would make of it.
    const fn is_so(self, state: BatchState) -> bool {
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
    /// Steps that stay held, because a limit of theirs is used up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    used_up: Vec<u8>,
}

pub(super) async fn run(
    ground: &Ground,
    decision: Decision,
    name: &str,
    reason: Option<&str>,
    json: bool,
) -> anyhow::Result<Exit> {
    let store = ground.existing_store().await?;
    let batch = find(store.as_ref(), name).await?;
    let name = name_of(&batch);
    let (clock, by) = (ground.clock.as_ref(), &ground.by_because(reason));
    // Of what goes on, the first have been claimed before it is known that all have noted it.
    let waited = store.tallies(batch.id).await?;
    let decided = match decision {
        Decision::Start => campaign::start(store.as_ref(), clock, &batch, by).await?,
        Decision::Pause => campaign::pause(store.as_ref(), clock, &batch, by).await?,
        Decision::Resume => campaign::resume(store.as_ref(), clock, &batch, by).await?,
        Decision::Cancel => campaign::cancel(store.as_ref(), clock, &batch, by).await?,
    };
    // Whoever lets it go on means all of it.
    let goes_on = match decided {
        Decided::Holds(_) => true,
        Decided::Refused(state) => decision.is_so(state),
        Decided::UsedUp(_) => false,
    };
    let (released, kept) = match decision {
        Decision::Resume if goes_on => {
            let Released { noted, used_up } = campaign::release_steps(store.as_ref(), clock, &batch, None, by).await?;
            (noted, used_up)
        }
        Decision::Start | Decision::Pause | Decision::Resume | Decision::Cancel => (None, Vec::new()),
    };
    let (obeyed, already) = match (decided, released) {
        (Decided::Holds(_), Some(obeyed)) | (Decided::Holds(obeyed), None) => (obeyed, false),
        (Decided::Refused(state), Some(obeyed)) if decision.is_so(state) => (obeyed, false),
        (Decided::Refused(_), None) if let [kept, ..] = &kept[..] => {
            bail!("nothing of \"{name}\" was resumed: {}", used_up::sentence(kept, &name))
        }
        // Who gives a command twice has what was wanted.
        (Decided::Refused(state), None) if decision.is_so(state) => {
            (campaign::noted(store.as_ref(), clock, store.seq().await?).await?, true)
        }
        (Decided::UsedUp(used_up), _) => bail!("\"{name}\" cannot be resumed: {}", used_up::sentence(&used_up, &name)),
        (Decided::Refused(state), _) => bail!("\"{name}\" cannot be {}: {}", decision.participle(), why_not(state)),
    };
    let state = store.batch(batch.id).await?.map_or(batch.state, |batch| batch.state);
    let counts = Counts::of(state, &store.tallies(batch.id).await?);
    let certificate = match decision {
        Decision::Cancel if !already => {
            let certificate = campaign::certify(store.as_ref(), clock, &batch, obeyed).await;
            Some(certificate.with_context(|| {
                format!("\"{name}\" is cancelled, but where every message stood then could not be written down")
            })?)
        }
        Decision::Start | Decision::Pause | Decision::Resume | Decision::Cancel => None,
    };
    store.close().await;
    if json {
        let shown = Shown {
            id: id_of(&batch).to_string(),
            name: &name,
            state,
            counts,
            certificate,
            noted: noted::by_all(obeyed),
            used_up: kept.iter().filter_map(|kept| Some(kept.step?.get() + 1)).collect(),
        };
        out::json(&shown)?;
        return Ok(Exit::Done);
    }
    let is_told = certificate.is_some_and(|certificate| certificate.stopped_after_ms.is_some());
    let obeyed = if is_told { String::new() } else { format!(" ({})", noted::sentence(obeyed)) };
    let effect = match decision {
        Decision::Pause => format!("{} wait", of(counts.queued, "message", "messages")),
        Decision::Start | Decision::Resume if state == BatchState::Scheduled => "it waits for its time".to_owned(),
        Decision::Start | Decision::Resume => {
            let kept = kept.iter().filter_map(|kept| Some(waited.get(kept.step?, Count::Queued)));
            let to_hand_over = waited.total(Count::Queued) - kept.sum::<i64>();
            format!("{} to hand over", of(to_hand_over, "message", "messages"))
        }
        Decision::Cancel => match certificate {
            Some(certificate) => certificate.to_string(),
            None => format!("{} may still bring receipts", count(counts.to_come(state))),
        },
    };
    let already = if already { " already" } else { "" };
    out::data(format_args!("\"{name}\" is {}{already}: {effect}{obeyed}", decision.participle()))?;
    for kept in &kept {
        out::talk(used_up::sentence(kept, &name));
    }
    Ok(Exit::Done)
}

pub(super) fn why_not(state: BatchState) -> String {
    match state {
        BatchState::Finished => "nothing is left to hand over, only last receipts may still come".to_owned(),
        BatchState::Settled => "every message has its outcome".to_owned(),
        BatchState::Cancelling | BatchState::Cancelled => "it has been cancelled".to_owned(),
        BatchState::Draft => "it is a draft; let it begin with `volley campaign start`".to_owned(),
        BatchState::Launching | BatchState::Scheduled | BatchState::Running | BatchState::Paused => {
            format!("it is {state}")
        }
    }
}
