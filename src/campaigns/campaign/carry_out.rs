//! Carries out a decision of an operator to its end: also the steps that a resume releases, and the certificate of a
//! cancel.

use super::certificate::certify;
use super::decisions::{Decided, Released, cancel, pause, refuse, release_steps, resume, start};
use super::noted::{Noted, noted};
use super::second_operator::NeedsApproval;
use super::used_up::UsedUp;
use crate::base::clock::{Clock, format_time};
use crate::base::config::Config;
use crate::base::domain::{BatchState, StepIndex, Tallies, Timestamp};
use crate::base::events::{Certificate, Origin};
use crate::campaigns::report::Counts;
use crate::store::{self, Batch, Store};

/// A decision of an operator about a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CampaignDecision {
    Start,
    /// Not to start a draft that waits for an approval.
    Refuse,
    Pause,
    Resume,
    Cancel,
}

/// Who decides.
#[derive(Debug, Clone)]
pub struct DecidedBy {
    pub origin: Origin,
    /// Whether an operator has signed in. A key and a command can have any name, so they approve nothing.
    pub is_signed_in: bool,
    /// Whether they confirm to send a restored campaign, although it may have been sent since the backup.
    pub confirms_restored: bool,
}

/// A decision that was carried out.
#[derive(Debug)]
pub struct CarriedOut {
    pub state: BatchState,
    /// The counters before the decision: a server may claim messages before all servers have confirmed it.
    pub before: Tallies,
    pub counts: Counts,
    /// The state of the messages when a cancel took effect.
    pub certificate: Option<Certificate>,
    pub noted: Noted,
    /// The held steps that were released as well.
    pub released_steps: Vec<StepIndex>,
    /// Limits that are used up, so that their steps stay held.
    pub used_up: Vec<UsedUp>,
    /// Whether the campaign was in this state before.
    pub already: bool,
}

/// Why a decision was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum DecisionError {
    #[error("nothing of \"{name}\" was resumed: {}", used_up.sentence(name))]
    StepsUsedUp { name: String, used_up: UsedUp },

    #[error("\"{name}\" cannot be resumed: {}", used_up.sentence(name))]
    UsedUp { name: String, used_up: UsedUp },

    #[error("\"{name}\" cannot be {}: {}", decision.participle(), decision.why_not(*state))]
    Refused { name: String, decision: CampaignDecision, state: BatchState },

    #[error("\"{name}\" cannot be started by {by}: {}", needs.what())]
    NeedsAnother { name: String, by: String, needs: Box<NeedsApproval> },

    #[error(
        "\"{name}\" cannot be started by a key or a command: {}; an operator who has signed in approves it on its page",
        needs.what()
    )]
    NotSignedIn { name: String, needs: Box<NeedsApproval> },

    #[error(
        "\"{name}\" is not {}: it is from a backup of {}, which does not know what was sent since; what was sent already \
         would be sent again, so this needs a confirmation (--confirm-restored, or \"confirm_restored\": true)",
        decision.participle(),
        format_time(*copied_at, None)
    )]
    Restored { name: String, decision: CampaignDecision, copied_at: Timestamp },

    #[error("\"{name}\" waits for no approval, so there is nothing to refuse; a draft can be changed or deleted")]
    NothingToRefuse { name: String },

    #[error("\"{name}\" is not refused: say what has to change")]
    NoReason { name: String },

    #[error("\"{name}\" was changed meanwhile and is not {}; look at it again, then decide", decision.participle())]
    Outdated { name: String, decision: CampaignDecision },

    #[error("\"{name}\" is cancelled, but the state of its messages at that time could not be recorded")]
    NotCertified {
        name: String,
        #[source]
        error: store::Error,
    },

    #[error(transparent)]
    Store(#[from] store::Error),
}

impl CampaignDecision {
    /// Whether the decision has already been carried out in this state.
    const fn is_done_in(self, state: BatchState) -> bool {
        match self {
            Self::Start => matches!(state, BatchState::Running | BatchState::Scheduled),
            Self::Refuse => matches!(state, BatchState::Draft),
            Self::Pause => matches!(state, BatchState::Paused),
            Self::Resume => matches!(state, BatchState::Running),
            Self::Cancel => state.is_cancelled(),
        }
    }

    /// Whether it makes a campaign in this state send.
    const fn begins_to_send(self, state: BatchState) -> bool {
        matches!((self, state), (Self::Start, BatchState::Draft) | (Self::Resume, BatchState::Paused))
    }

    /// Why it cannot be carried out in this state.
    fn why_not(self, state: BatchState) -> String {
        match (self, state) {
            (Self::Pause, BatchState::Draft) => "it is a draft; nothing is sent before it is started".to_owned(),
            _ => why_not(state),
        }
    }

    pub const fn participle(self) -> &'static str {
        match self {
            Self::Start => "started",
            Self::Refuse => "refused",
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::Cancel => "cancelled",
        }
    }
}

/// Carries out a decision. A repeated decision succeeds.
///
/// - A draft is started or refused as it is in `batch`: if it has another edition by now, it is not.
/// - A draft that needs an approval is started by another operator than its authors, who has signed in. No other draft can be
///   refused.
/// - A restored campaign is started and resumed only with a confirmation.
pub async fn carry_out(
    (store, config): (&dyn Store, &Config),
    clock: &dyn Clock,
    batch: &Batch,
    decision: CampaignDecision,
    DecidedBy { origin: by, is_signed_in, confirms_restored }: &DecidedBy,
) -> Result<CarriedOut, DecisionError> {
    let name = || batch.display_name();
    let needs = match decision {
        CampaignDecision::Start | CampaignDecision::Refuse => {
            NeedsApproval::of(store, config, batch).await?.map(Box::new)
        }
        CampaignDecision::Pause | CampaignDecision::Resume | CampaignDecision::Cancel => None,
    };
    let is_refused = needs.as_ref().is_some_and(|needs| needs.refused.as_ref() == Some(by));
    match (decision, needs) {
        (CampaignDecision::Start, Some(needs)) if !is_signed_in => {
            return Err(DecisionError::NotSignedIn { name: name(), needs });
        }
        (CampaignDecision::Start, Some(needs)) if !needs.may_be_given_by(by) => {
            let by = by.operator_name().unwrap_or("the server").to_owned();
            return Err(DecisionError::NeedsAnother { name: name(), by, needs });
        }
        (CampaignDecision::Refuse, _) if by.reason.is_none() => return Err(DecisionError::NoReason { name: name() }),
        (CampaignDecision::Refuse, None) if batch.state == BatchState::Draft => {
            return Err(DecisionError::NothingToRefuse { name: name() });
        }
        _ => {}
    }
    if let Some(copied_at) = batch.restored_from.filter(|_| decision.begins_to_send(batch.state) && !confirms_restored)
    {
        return Err(DecisionError::Restored { name: name(), decision, copied_at });
    }
    let before = store.tallies(batch.id).await?;
    let decided = match decision {
        CampaignDecision::Start => start(store, clock, batch, by).await?,
        CampaignDecision::Refuse if is_refused => Decided::Refused(batch.state),
        CampaignDecision::Refuse => refuse(store, clock, batch, by).await?,
        CampaignDecision::Pause => pause(store, clock, batch, by).await?,
        CampaignDecision::Resume => resume(store, clock, batch, by).await?,
        CampaignDecision::Cancel => cancel(store, clock, batch, by).await?,
    };
    // A resume also releases the held steps.
    let continues = match decided {
        Decided::Saved(_) => true,
        Decided::Refused(state) => decision.is_done_in(state),
        Decided::UsedUp(_) | Decided::Outdated => false,
    };
    let Released { noted: released, steps: released_steps, used_up } = match decision {
        CampaignDecision::Resume if continues => release_steps(store, clock, batch, StepIndex::all(), by).await?,
        _ => Released { noted: None, steps: Vec::new(), used_up: Vec::new() },
    };
    let (noted, already) = match (decided, released) {
        (Decided::Saved(_), Some(noted)) | (Decided::Saved(noted), None) => (noted, false),
        (Decided::Refused(state), Some(noted)) if decision.is_done_in(state) => (noted, false),
        (Decided::Refused(_), None) if let [kept, ..] = &used_up[..] => {
            return Err(DecisionError::StepsUsedUp { name: name(), used_up: kept.clone() });
        }
        (Decided::Refused(state), None) if decision.is_done_in(state) => {
            (noted(store, clock, store.seq().await?).await?, true)
        }
        (Decided::Outdated, _) => return Err(DecisionError::Outdated { name: name(), decision }),
        (Decided::UsedUp(used_up), _) => return Err(DecisionError::UsedUp { name: name(), used_up }),
        (Decided::Refused(state), _) => return Err(DecisionError::Refused { name: name(), decision, state }),
    };
    let state = store.batch(batch.id).await?.map_or(batch.state, |batch| batch.state);
    let counts = Counts::of(state, &store.tallies(batch.id).await?);
    let certificate = match decision {
        CampaignDecision::Cancel if !already => {
            let certificate = certify(store, clock, batch, noted).await;
            Some(certificate.map_err(|error| DecisionError::NotCertified { name: name(), error })?)
        }
        _ => None,
    };
    Ok(CarriedOut { state, before, counts, certificate, noted, released_steps, used_up, already })
}

/// Why a campaign in this state cannot be changed.
pub fn why_not(state: BatchState) -> String {
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
