use std::collections::BTreeMap;

use crate::base::domain::{AddressKey, LaneId, MessageKey, Timestamp};
use crate::base::events::Origin;
use crate::store::{Result, TierSlot, UnknownSlots};

/// The slots that recipients take in the tiers of portfolios.
#[async_trait::async_trait]
pub trait Tiers: Send + Sync + std::fmt::Debug {
    /// Stops counting the tier slots of all portfolios and lanes but these.
    async fn count_no_others(&self, portfolios: BTreeMap<String, Vec<LaneId>>) -> Result<()>;
    /// Counts the tier slots of portfolios on these lanes, in pieces, from `since` on.
    ///
    /// - Counts submissions of the past where slots were not counted: the portfolio was unlimited, or another's lane.
    /// - Counts some pieces from `from` on; returns where to continue, or `None` when all are counted.
    async fn count_tiers(
        &self,
        portfolios: BTreeMap<String, Vec<LaneId>>,
        since: Timestamp,
        from: Option<MessageKey>,
    ) -> Result<Option<MessageKey>>;
    /// Lists the slots in these portfolios that were taken after `since`, earliest first.
    async fn tier_slots(&self, portfolios: Vec<String>, since: Timestamp) -> Result<BTreeMap<String, Vec<TierSlot>>>;
    /// Counts the slots that were taken after `since`, also unknown ones, for each portfolio that has any.
    async fn tiers_used(&self, since: Timestamp) -> Result<BTreeMap<String, u32>>;
    /// Deletes, in pieces, the slots that were taken at `before` or earlier and no longer count.
    async fn forget_slots(&self, before: Timestamp) -> Result<()>;
    /// Notes slots of a portfolio whose recipients are not known, instead of those noted before. Returns the number of the
    /// decision.
    async fn note_unknown_slots(
        &self,
        portfolio: &str,
        slots: UnknownSlots,
        origin: Origin,
        now: Timestamp,
    ) -> Result<u64>;
    /// Lists the unknown slots that count after `since`, for each portfolio that has any.
    async fn unknown_slots(&self, since: Timestamp) -> Result<BTreeMap<String, UnknownSlots>>;
    /// Takes slots for recipients at these times, even if none is free.
    async fn take_slots(&self, portfolio: &str, recipients: Vec<(AddressKey, Timestamp)>) -> Result<()>;
}
