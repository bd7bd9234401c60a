//! Which attempt a receipt without our id may adopt: only one that is unambiguous, and none on a lane whose receipts
//! carry our ids.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::incoming::Incoming;
use super::working::Working;
use crate::base::config::Lane;
use crate::base::domain::{Span, State, StepIndex, Timestamp};
use crate::store::{self, FoundAttempt, NamingLane, Receipts};

/// Time in which a request that has ended is recorded, unless the disk fails.
const RECORDED_WITHIN: Span = Span::from_secs(5);

/// What may be found by its number alone.
#[derive(Debug)]
pub(super) struct Adoption {
    /// Lanes whose receipts carry our ids.
    naming: Arc<BTreeSet<String>>,
    identities: Arc<Identities>,
    /// Receipts that arrived until then may adopt: every request that was in flight at that time is recorded by now. A
    /// later receipt may be about a request whose answer it has overtaken.
    pub(super) arrived_by: Timestamp,
}

impl Adoption {
    /// An adoption without exceptions, for a look that adopts nothing.
    pub(super) fn unlimited() -> Self {
        Self { naming: Arc::default(), identities: Arc::default(), arrived_by: Timestamp::MAX }
    }

    /// The lanes whose attempts a receipt without our id cannot be about, if it names this subaccount (or none).
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

/// The subaccount and the base URL of each lane.
type Identities = BTreeMap<String, (String, String)>;

/// The lanes whose receipts carry our ids. A lane joins at its first such receipt, and leaves when its subaccount or base
/// URL changes.
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

    pub(super) async fn adoption(&self, store: &dyn Receipts, now: Timestamp) -> store::Result<Adoption> {
        let (naming, identities) = (self.known(store).await?, Arc::clone(&self.identities));
        Ok(Adoption { naming, identities, arrived_by: now - self.settled_within })
    }

    pub(super) async fn known(&self, store: &dyn Receipts) -> store::Result<Arc<BTreeSet<String>>> {
        let known = self.loaded(store).await?.lock();
        Ok(Arc::clone(&known))
    }

    async fn loaded(&self, store: &dyn Receipts) -> store::Result<&Mutex<Arc<BTreeSet<String>>>> {
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

    /// The lane that joins because this receipt carries our id.
    pub(super) fn lane_to_add(
        &self,
        known: &BTreeSet<String>,
        incoming: &Incoming,
        found: &FoundAttempt,
        message: &Working,
    ) -> Option<String> {
        if incoming.attempt != Some(message.entry.attempt(found.message.key, found.step)) {
            return None;
        }
        let lane = lane_that_sent(message, found.step).filter(|lane| !known.contains(*lane))?;
        let (sub_account, _) = self.identities.get(lane)?;
        incoming.was_posted_by(sub_account).then(|| lane.to_owned())
    }

    /// The rows to store for lanes whose receipts carry our ids.
    pub(super) fn rows_for(&self, lanes: &BTreeSet<String>, now: Timestamp) -> Vec<NamingLane> {
        let kept = lanes.iter().filter_map(|lane| {
            let (sub_account, base_url) = self.identities.get(lane)?.clone();
            Some(NamingLane { lane: lane.clone(), sub_account, base_url, since: now })
        });
        kept.collect()
    }

    /// Adds lanes whose rows are on disk.
    pub(super) async fn add(&self, lanes: BTreeSet<String>, store: &dyn Receipts) -> store::Result<()> {
        if !lanes.is_empty() {
            let mut known = self.loaded(store).await?.lock();
            Arc::make_mut(&mut known).extend(lanes);
        }
        Ok(())
    }
}

/// The lane that sent a step, if that is certain. A message that is queued again may have been sent by another lane of
/// the pool.
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
