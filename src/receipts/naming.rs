//! What a receipt without our id may adopt: only what no other attempt could be meant by, and nothing on a lane whose
//! receipts carry our ids.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::incoming::Incoming;
use super::working::Working;
use crate::config::Lane;
use crate::domain::{Span, State, StepIndex, Timestamp};
use crate::store::{self, Found, NamingLane, Store};

/// A request that has ended is on disk so soon, unless the disk itself fails.
const RECORDED_WITHIN: Span = Span::from_secs(5);

/// What may be found by its number alone.
#[derive(Debug)]
pub(super) struct Adoption {
    /// Lanes whose receipts carry our ids.
    naming: Arc<BTreeSet<String>>,
    identities: Arc<Identities>,
    /// Receipts that came until then: each request that was under way when they came has ended and is recorded. Before that
    /// a receipt may be of one of them, whose answer it has overtaken.
    pub(super) came_by: Timestamp,
}

impl Adoption {
    /// Where nothing is found by its number.
    pub(super) fn at_any_time() -> Self {
        Self { naming: Arc::default(), identities: Arc::default(), came_by: Timestamp::MAX }
    }

    /// Lanes of whose attempts a receipt without our id cannot be that names this subaccount, or none.
    pub(super) fn except(&self, sub_account: Option<&str>) -> Arc<BTreeSet<String>> {
        let is_of_another =
            |(_, (its, _)): &(&String, &(String, String))| sub_account.is_some_and(|named| named != its);
        let mut of_others = self.identities.iter().filter(is_of_another).map(|(lane, _)| lane.clone()).peekable();
        if of_others.peek().is_none() {
            return Arc::clone(&self.naming);
        }
        Arc::new(of_others.chain(self.naming.iter().cloned()).collect())
    }
}

/// The subaccount and the address of each lane.
type Identities = BTreeMap<String, (String, String)>;

/// The lanes whose receipts carry our ids: since one did, until the lane's subaccount or address changes.
#[derive(Debug)]
pub(super) struct Naming {
    /// How long a receipt without our id waits before it may adopt.
    settled_within: Span,
    identities: Arc<Identities>,
    /// Read from the store once.
    known: OnceCell<Mutex<Arc<BTreeSet<String>>>>,
}

impl Naming {
    pub(super) fn of(lanes: &[Lane]) -> Self {
        let identity = |lane: &Lane| (lane.provider.sub_account.clone(), lane.provider.base_url.clone());
        let identities = Arc::new(lanes.iter().map(|lane| (lane.name.clone(), identity(lane))).collect());
        let longest = lanes.iter().map(|lane| lane.provider.timeout.millis()).max().unwrap_or_default();
        let settled_within = Span::from_millis(longest + RECORDED_WITHIN.millis());
        Self { settled_within, identities, known: OnceCell::new() }
    }

    pub(super) const fn settled_within(&self) -> Span {
        self.settled_within
    }

    pub(super) async fn adoption(&self, store: &dyn Store, now: Timestamp) -> store::Result<Adoption> {
        let (naming, identities) = (self.known(store).await?, Arc::clone(&self.identities));
        Ok(Adoption { naming, identities, came_by: now - self.settled_within })
    }

    pub(super) async fn known(&self, store: &dyn Store) -> store::Result<Arc<BTreeSet<String>>> {
        let known = self.loaded(store).await?.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(&known))
    }

    async fn loaded(&self, store: &dyn Store) -> store::Result<&Mutex<Arc<BTreeSet<String>>>> {
        let is_the_same = |lane: &NamingLane| {
            let identity = self.identities.get(&lane.lane);
            identity
                .is_some_and(|(sub_account, base_url)| (sub_account, base_url) == (&lane.sub_account, &lane.base_url))
        };
        let load = || async {
            let lanes = store.naming_lanes().await?.into_iter().filter(is_the_same).map(|lane| lane.lane);
            Ok(Mutex::new(Arc::new(lanes.collect())))
        };
        self.known.get_or_try_init(load).await
    }

    /// The lane of which only this receipt tells that its receipts carry our ids.
    pub(super) fn taught(
        &self,
        known: &BTreeSet<String>,
        incoming: &Incoming,
        found: &Found,
        message: &Working,
    ) -> Option<String> {
        if incoming.attempt != Some(message.entry.attempt(found.message.key, found.step)) {
            return None;
        }
        let lane = lane_that_sent(message, found.step).filter(|lane| !known.contains(*lane))?;
        let (sub_account, _) = self.identities.get(lane)?;
        incoming.was_posted_by(sub_account).then(|| lane.to_owned())
    }

    /// Receipts of these lanes carry our ids: what is to be kept of that.
    pub(super) fn to_keep(&self, lanes: &BTreeSet<String>, now: Timestamp) -> Vec<NamingLane> {
        let kept = lanes.iter().filter_map(|lane| {
            let (sub_account, base_url) = self.identities.get(lane)?.clone();
            Some(NamingLane { lane: lane.clone(), sub_account, base_url, since: now })
        });
        kept.collect()
    }

    /// That is on disk.
    pub(super) async fn learn(&self, lanes: BTreeSet<String>, store: &dyn Store) -> store::Result<()> {
        if !lanes.is_empty() {
            let mut known = self.loaded(store).await?.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::make_mut(&mut known).extend(lanes);
        }
        Ok(())
    }
}

/// The lane that sent a step, where that is certain: a message that is queued again may have been sent by a lane that
/// stood in for its own.
fn lane_that_sent(message: &Working, step: StepIndex) -> Option<&str> {
    let (pool, _) = message.entry.pool(step)?;
    if let [only] = pool.members() {
        return Some(&only.lane);
    }
    let present = &message.case.message.present;
    let has_it = present.step == step && !matches!(present.state, State::Queued { .. });
    let (_, member) = message.entry.member(step, message.case.message.lane).filter(|_| has_it)?;
    Some(&member.lane)
}
