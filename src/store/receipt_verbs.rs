//! The part of the contract that is about what the provider posts: receipts, what recipients write, and events of the
//! account.

use super::{
    Alias, BusinessEvent, Change, Found, Inbound, Key, NamingLane, OptOut, Receipt, Result, Stray, StrayCount,
    StrayKind,
};
use crate::domain::{MessageKey, Msisdn, Timestamp};

/// What came together, with what was decided about it.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    pub receipts: Vec<Receipt>,
    /// What was decided by them.
    pub changes: Vec<Change>,
    pub strays: Vec<Stray>,
    /// What channels call recipients.
    pub aliases: Vec<Alias>,
    pub opt_outs: Vec<OptOut>,
    /// What recipients wrote.
    pub written: Vec<Inbound>,
    /// Lanes whose receipts turned out to carry our ids.
    pub naming: Vec<NamingLane>,
}

/// What became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Messages whose changes came too late, or that are not there.
    pub stale: Vec<MessageKey>,
    /// Those whose number is known only now, and who had wished to be left alone.
    pub named: Vec<Msisdn>,
    /// For each text the numbers of whoever wrote it, as far as they are known: of them all wish to be left alone where
    /// one says so.
    pub writers: Vec<Vec<Msisdn>>,
}

/// What receipts, and whatever else the provider posts, ask of a store.
#[async_trait::async_trait]
pub trait Receipts: Send + Sync + std::fmt::Debug {
    /// The attempts that keys lead to, in the order of the keys. A number leads to an attempt where exactly one to it
    /// on that channel is unknown, and the key rules out neither its intent nor its lane.
    async fn find(&self, keys: Vec<Key>) -> Result<Vec<Option<Found>>>;
    /// Every lane of which that was kept, each with what it was to the provider then.
    async fn naming_lanes(&self) -> Result<Vec<NamingLane>>;
    /// Keeps what came together and applies what was decided about it, in one transaction.
    ///
    /// - Changes that came too late are returned, and the receipts behind them are not kept: they come again with what is
    ///   decided anew.
    /// - What somebody wrote is kept once, and what they wish in it is done. What was kept before changes nothing, unless
    ///   only now is known which attempt it is on, and by that perhaps who wrote it.
    /// - What was written before anybody knew its writer's number becomes theirs, and what they wished last is done.
    async fn take(&self, taken: Taken) -> Result<Kept>;
    /// Strays of a kind in order of arrival: those after `after` (when the last one of the page before came, and its
    /// id). Costs what it returns, however many others there are.
    async fn strays(&self, kind: StrayKind, after: Option<(Timestamp, i64)>, limit: u32) -> Result<Vec<(i64, Stray)>>;
    async fn forget_strays(&self, ids: Vec<i64>) -> Result<()>;
    /// Forgets, in pieces, those that came before `before`: nobody looks for what they belong to any more.
    async fn forget_old_strays(&self, before: Timestamp) -> Result<()>;
    /// How many there are of each kind.
    async fn stray_counts(&self) -> Result<Vec<StrayCount>>;

    /// Keeps events of the account, each once, with everything that comes of them. Returns how many were new.
    async fn take_business(&self, events: Vec<BusinessEvent>) -> Result<u32>;
}
