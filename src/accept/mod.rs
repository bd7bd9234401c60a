//! The 8x8 API for the programs that used the provider: their requests become messages of ours.
//!
//! In: bodies of requests as the provider documents them, with the subaccount and the key of the caller.
//! Out: answers as the provider documents them, or the code of a refusal ([`Refusal`]).
//! Promises: an accepted message is on disk; a request is refused for the reasons and with the codes of the provider; single
//! messages share batches, and each call with many messages is batches of its own, so that all decisions about campaigns
//! work on both. Volley alone decides fallbacks: the caller's `channels` become steps.
//! May not: know HTTP, or send anything.

mod acceptor;
mod details;
mod many;
mod outline;
mod reading;
mod single;
mod slots;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use self::acceptor::{Acceptor, Stores};
use self::details::{Known, first_of};
pub use self::acceptor::NotStored;
use crate::access::Caller;
use crate::campaign::{CampaignDecision, DecisionError, LaunchError, carry_out};
use crate::clock::{Chance, Clock};
use crate::config::Config;
use crate::domain::{CampaignId, MessageId, Plan, Span, Timestamp};
use crate::store::{self, Batch, Call, Store};
use crate::wire::{Cancelled, Details};

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// With this code of the provider.
    #[error("code {0}")]
    Code(i64),
    /// The body is not what the provider documents.
    #[error("Invalid parameter: {0}")]
    Unreadable(String),
    /// Too many queries; the next one after this time.
    #[error("Quota exceeded")]
    Throttled(Span),
    #[error(transparent)]
    NotStored(#[from] NotStored),
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error(transparent)]
    Decision(#[from] DecisionError),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the server stops; send the request again")]
    Stopping,
}

impl From<i64> for Refusal {
    fn from(code: i64) -> Self {
        Self::Code(code)
    }
}

/// The subaccount is not ours, or not for this key.
const UNKNOWN_SUB_ACCOUNT: i64 = 1_001;
/// No such message or batch.
const UNKNOWN_ID: i64 = 4_018;

/// The provider answers one query about a message a second for each subaccount.
const QUERY_EACH: Span = Span::from_secs(1);

/// Accepts requests of the 8x8 API.
#[derive(Debug)]
pub struct Desk {
    stores: Stores,
    acceptor: Acceptor,
    /// When each subaccount last asked about a message.
    queried: Mutex<HashMap<String, Timestamp>>,
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
        Self { stores, acceptor, queried: Mutex::default() }
    }

    /// Who calls, if the subaccount is ours and the key may use it.
    fn from<'a>(&'a self, caller: &'a Caller, sub_account: &'a str) -> Result<outline::From<'a>, Refusal> {
        let from = outline::From { config: &self.stores.config, sub_account, lanes: caller.lanes.as_deref() };
        if from.is_known() && caller.may_use(sub_account) { Ok(from) } else { Err(UNKNOWN_SUB_ACCOUNT.into()) }
    }

    /// Cancels what a call with many messages has not sent yet, and answers how many messages that are.
    pub async fn cancel_batch(&self, caller: &Caller, sub_account: &str, batch: &str) -> Result<Cancelled, Refusal> {
        self.from(caller, sub_account)?;
        let Stores { store, clock, .. } = &self.stores;
        let id: CampaignId = batch.parse().map_err(|_| Refusal::from(UNKNOWN_ID))?;
        let (first, _) = self.batch(id, sub_account).await?;
        let call = store.call_of(first.id).await?.ok_or(Refusal::from(UNKNOWN_ID))?;
        let mut count = 0;
        for batch in &call.batches {
            let Some(batch) = store.batch(*batch).await? else { continue };
            match carry_out(store.as_ref(), clock.as_ref(), &batch, CampaignDecision::Cancel, &caller.origin(None)).await {
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
        self.from(caller, sub_account)?;
        self.query(sub_account)?;
        let Stores { store, config, .. } = &self.stores;
        let id: MessageId = umid.parse().map_err(|_| Refusal::from(UNKNOWN_ID))?;
        let of_batch = CampaignId { batch: id.key.batch, tag: id.tag };
        let (batch, plan) = self.batch(of_batch, sub_account).await?;
        let facts = store.message_facts(id.key).await?.ok_or(Refusal::from(UNKNOWN_ID))?;
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
            Some(last) if now.since(*last) < QUERY_EACH => Err(Refusal::Throttled(QUERY_EACH)),
            _ => {
                queried.insert(sub_account.to_owned(), now);
                Ok(())
            }
        }
    }

    /// A batch of API calls with its plan, if it is one of this subaccount.
    async fn batch(&self, id: CampaignId, sub_account: &str) -> Result<(Batch, Plan), Refusal> {
        let store = &self.stores.store;
        let batch = store.batch(id.batch).await?.filter(|batch| batch.tag == id.tag);
        let batch = batch.ok_or(Refusal::from(UNKNOWN_ID))?;
        let plan = store.plan(batch.id).await?;
        let is_of = |plan: &Plan| plan.api.as_ref().is_some_and(|api| api.sub_account == sub_account);
        Ok((batch, plan.filter(is_of).ok_or(Refusal::from(UNKNOWN_ID))?))
    }

    async fn call_id(&self, call: &Call) -> Result<Option<String>, Refusal> {
        let Some(first) = first_of(call) else { return Ok(None) };
        let batch = self.stores.store.batch(first).await?;
        Ok(batch.map(|batch| batch.public_id().uuid().to_string()))
    }
}
