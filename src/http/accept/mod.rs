//! The 8x8 API for the programs that used the provider: their requests become messages of ours.
//!
//! In: bodies of requests as the provider documents them, with the subaccount and the key of the caller.
//! Out: answers as the provider documents them, or the code of a refusal ([`Refusal`]).
//! Promises: an accepted message is on disk; a request is refused for the reasons and with the codes of the provider; single
//! messages share batches, and each call with many messages is batches of its own, so that all decisions about campaigns
//! work on both. Volley alone decides fallbacks: the caller's `channels` become steps. Files and templates are the provider's:
//! requests for them are sent on.
//! May not: serve HTTP, or send a message.

mod acceptor;
mod details;
mod many;
mod origin;
mod outline;
mod purposes;
mod reading;
mod relay;
mod single;
mod slots;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use self::acceptor::NotStored;
use self::acceptor::{Acceptor, Stores};
use self::details::Known;
use self::origin::Origin;
use self::purposes::{KnownPurposes, Purposes};
use self::relay::Templates;
pub use self::relay::{Relay, TemplateChange};
use crate::base::clock::{Chance, Clock};
use crate::base::config::{Config, Lane};
use crate::base::domain::{CampaignId, MessageId, Plan, Span, Timestamp};
use crate::campaigns::campaign::{CampaignDecision, DecidedBy, DecisionError, LaunchError, carry_out, find_by_id};
use crate::http::access::{Caller, Denied};
use crate::rules::wire::{Cancelled, Details, ErrorAnswer, rules};
use crate::store::{self, Batch, Call, Store};

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// For a reason of the provider's, with its code and words.
    #[error("{}", .0.message())]
    Provider(ErrorAnswer<'static>),
    #[error(transparent)]
    NotStored(#[from] NotStored),
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error(transparent)]
    Decision(#[from] DecisionError),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("the server stops; send the request again")]
    Stopping,
    #[error("the provider cannot be reached: {0}")]
    Unreachable(String),
}

impl Refusal {
    /// Whether the same request may soon be accepted, and has changed nothing yet.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Stopping => true,
            Self::NotStored(not_stored) => is_passing(not_stored.why()),
            Self::Launch(error) => is_passing(error),
            Self::Decision(DecisionError::Store(error)) | Self::Store(error) => error.is_passing(),
            Self::Decision(_) | Self::Denied(_) | Self::Provider(_) | Self::Unreachable(_) => false,
        }
    }
}

const fn is_passing(error: &LaunchError) -> bool {
    matches!(error, LaunchError::Store(error) if error.is_passing())
}

impl From<ErrorAnswer<'static>> for Refusal {
    fn from(error: ErrorAnswer<'static>) -> Self {
        Self::Provider(error)
    }
}

impl From<rules::Refusal> for Refusal {
    fn from(refusal: rules::Refusal) -> Self {
        Self::Provider(ErrorAnswer::Refused(refusal.code))
    }
}

impl From<serde_json::Error> for Refusal {
    fn from(error: serde_json::Error) -> Self {
        Self::Provider(ErrorAnswer::unreadable(&error))
    }
}

/// The subaccount is not ours, or not for this key.
const NOT_OURS: ErrorAnswer<'static> = ErrorAnswer::Refused(1_001);

/// The provider answers one query about a message a second for each subaccount.
const QUERY_EACH: Span = Span::from_secs(1);

/// Accepts requests of the 8x8 API.
#[derive(Debug)]
pub struct Desk {
    stores: Stores,
    acceptor: Acceptor,
    /// When each subaccount last asked about a message.
    queried: Mutex<HashMap<String, Timestamp>>,
    templates: Templates,
    purposes: KnownPurposes,
}

impl Desk {
    /// Starts the task that stores single messages. It ends with `stop`, after the messages that it had taken.
    pub fn start(
        config: Arc<Config>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        chance: Arc<Chance>,
        stop: CancellationToken,
    ) -> Self {
        let stores = Stores { config, store, clock, chance };
        let acceptor = Acceptor::start(stores.clone(), stop);
        let (queried, templates, purposes) = (Mutex::default(), Templates::default(), KnownPurposes::default());
        Self { stores, acceptor, queried, templates, purposes }
    }

    /// Where a call comes from, if the subaccount is ours and the key may use it.
    fn origin<'a>(&'a self, caller: &'a Caller, sub_account: &'a str) -> Result<Origin<'a>, Refusal> {
        let origin = Origin { config: &self.stores.config, sub_account, caller };
        let may_use = may_use_sub_account(caller, &self.stores.config, sub_account);
        if origin.is_known() && may_use { Ok(origin) } else { Err(NOT_OURS.into()) }
    }

    /// What the templates are for, if the key of a call does not say it.
    async fn purposes(&self, caller: &Caller) -> store::Result<Arc<Purposes>> {
        match caller.purpose {
            Some(_) => Ok(Arc::default()),
            None => self.purposes.get(self.stores.store.as_ref(), self.stores.clock.now()).await,
        }
    }

    /// Cancels what a call with many messages has not sent yet, and answers how many messages that are.
    pub async fn cancel_batch(&self, caller: &Caller, sub_account: &str, batch: &str) -> Result<Cancelled, Refusal> {
        self.origin(caller, sub_account)?;
        let Stores { store, clock, config, .. } = &self.stores;
        let id: CampaignId = batch.parse().map_err(|_| ErrorAnswer::NotFound)?;
        let (first, _) = self.batch(caller, id, sub_account).await?.ok_or(ErrorAnswer::NotFound)?;
        // Single messages share batches, which have no id for callers.
        let call = store.call_of(first.id).await?.filter(|call| call.batches.first() == Some(&first.id));
        let call = call.ok_or(ErrorAnswer::NotFound)?;
        let mut count = 0;
        let by = DecidedBy { origin: caller.origin(None), is_signed_in: false, confirms_restored: false };
        for batch in &call.batches {
            let Some(batch) = store.batch(*batch).await? else { continue };
            match carry_out((store.as_ref(), config), clock.as_ref(), &batch, CampaignDecision::Cancel, &by).await {
                Ok(done) => count += done.certificate.map_or(0, |certificate| certificate.never_sent),
                // Everything was sent, or cancelled before: 0 is a normal answer.
                Err(DecisionError::Refused { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Cancelled { cancelled_count: Some(count) })
    }

    /// What became of a message: a record for each channel that was tried.
    pub async fn details(&self, caller: &Caller, sub_account: &str, umid: &str) -> Result<Details<'static>, Refusal> {
        self.origin(caller, sub_account)?;
        self.query(sub_account)?;
        let Stores { store, config, .. } = &self.stores;
        let id: MessageId = umid.parse().map_err(|_| ErrorAnswer::UnknownMessage)?;
        let of_batch = CampaignId { batch: id.key.batch, tag: id.tag };
        let (batch, plan) = self.batch(caller, of_batch, sub_account).await?.ok_or(ErrorAnswer::UnknownMessage)?;
        let facts = store.message_facts(id.key).await?.ok_or(ErrorAnswer::UnknownMessage)?;
        let call = store.call_of(batch.id).await?;
        let call_id = match &call {
            Some(call) => self.call_id(call).await?,
            None => None,
        };
        let lanes = store.lanes(Vec::new()).await?;
        Ok(Known { id, facts: &facts, plan: &plan, call: call.as_ref(), call_id, lanes: &lanes, config }.records())
    }

    fn query(&self, sub_account: &str) -> Result<(), Refusal> {
        let now = self.stores.clock.now();
        let mut queried = self.queried.lock();
        match queried.get(sub_account) {
            Some(last) if now.since(*last) < QUERY_EACH => Err(ErrorAnswer::Throttled { seconds: 1 }.into()),
            _ => {
                queried.insert(sub_account.to_owned(), now);
                Ok(())
            }
        }
    }

    /// A batch of calls with its plan, if it is one of this subaccount and the key may use its lanes.
    async fn batch(
        &self,
        caller: &Caller,
        id: CampaignId,
        sub_account: &str,
    ) -> Result<Option<(Batch, Plan)>, Refusal> {
        let Stores { store, config, .. } = &self.stores;
        let Some(batch) = find_by_id(store.as_ref(), id).await? else { return Ok(None) };
        let is_of = |plan: &Plan| {
            plan.api.as_ref().is_some_and(|api| api.sub_account == sub_account) && may_use_plan(caller, config, plan)
        };
        Ok(store.plan(batch.id).await?.filter(is_of).map(|plan| (batch, plan)))
    }

    /// The id of a call for its caller: that of its first batch.
    async fn call_id(&self, call: &Call) -> Result<Option<String>, Refusal> {
        let Some(first) = call.batches.first() else { return Ok(None) };
        let batch = self.stores.store.batch(*first).await?;
        Ok(batch.map(|batch| batch.public_id().uuid().to_string()))
    }

    /// An id that leads nowhere, as a refused message has one.
    fn random_id(&self) -> String {
        random_id(&self.stores.chance).to_string()
    }
}

/// Whether a key may use a plan: every lane of its steps, and the subaccount of its calls.
pub fn may_use_plan(caller: &Caller, config: &Config, plan: &Plan) -> bool {
    if !caller.is_limited() {
        return true;
    }
    // The subaccount of a lane that is no longer configured is not known.
    let is_own = |lane: &Lane| may_use_lane(caller, lane);
    plan.lanes().iter().all(|(name, _)| config.lane(name).is_some_and(is_own))
        && plan.api.as_ref().is_none_or(|calls| may_use_sub_account(caller, config, &calls.sub_account))
}

/// Whether a key may use a subaccount: a key that is limited to lanes, only those of its lanes.
fn may_use_sub_account(caller: &Caller, config: &Config, sub_account: &str) -> bool {
    let is_of = |lane: &Lane| lane.provider.sub_account == sub_account && may_use_lane(caller, lane);
    match caller.lanes {
        Some(_) => config.lanes.iter().any(is_of),
        None => caller.may_use(sub_account),
    }
}

/// Whether a key may use a lane, and what is queued on it.
pub fn may_use_lane(caller: &Caller, lane: &Lane) -> bool {
    caller.may_use_lane(&lane.name) && caller.may_use(&lane.provider.sub_account)
}

/// A random id.
pub fn random_id(chance: &Chance) -> Uuid {
    let bits = (u128::from(chance.bits()) << 64) | u128::from(chance.bits());
    uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
}
