//! The part of the contract that is about servers: the lease, contact with the provider, and the state of lanes.

use crate::base::domain::Timestamp;
use crate::store::{
    Beat, KeptGap, LaneState, Latest, Lease, LinkState, Node, NodeStart, Result, Started, TurnedAway, Unwritable,
};

/// What servers store about themselves, for one another and for commands.
#[async_trait::async_trait]
pub trait Nodes: Send + Sync + std::fmt::Debug {
    /// Reads the lease.
    async fn lease(&self) -> Result<Lease>;
    /// Reads the latest decision and the present epoch together.
    ///
    /// - Long reports never delay it, because a server calls it several times a second.
    /// - Fails with [`crate::store::Error::Replaced`] once the path of the database leads to another file, or to none.
    async fn latest(&self) -> Result<Latest>;
    /// Registers a server and begins its epoch.
    ///
    /// - Returns `None` and changes nothing if the lease is no longer as in `start.over`.
    async fn start_node(&self, start: NodeStart) -> Result<Option<Started>>;
    /// Renews the lease for its holder.
    ///
    /// - Fails with [`crate::store::Error::Superseded`] once another node has started.
    async fn renew(&self, node: i64, now: Timestamp) -> Result<()>;
    /// Records that a node lives, and renews its lease.
    ///
    /// - Records its watermark, what it turned away, and that it obeys the decisions up to `noted`.
    /// - Fails with [`crate::store::Error::Superseded`] once another node has started.
    async fn beat(&self, beat: Beat) -> Result<()>;
    /// Records that a node has stopped, and its final watermark; gives its lease back if it still holds it.
    async fn stop_node(&self, node: i64, listening_until: Timestamp) -> Result<()>;
    /// Counts what was turned away, for each reason since the last day without any.
    async fn turned_away(&self) -> Result<Vec<TurnedAway>>;
    /// Reads the state of lanes, as last reported by nodes that were seen since `since` and have not stopped.
    async fn lane_states(&self, since: Timestamp) -> Result<Vec<LaneState>>;
    /// Records a gap, and deletes the gaps that ended before `forget`.
    ///
    /// - In a gap no receipt could be committed, or proof of a provider address was missing.
    async fn keep_gap(&self, gap: KeptGap, forget: Timestamp) -> Result<()>;
    /// Lists the gaps, earliest first.
    async fn gaps(&self) -> Result<Vec<KeptGap>>;
    /// Reads what the last node recorded about each direction of each provider address.
    async fn links(&self) -> Result<Vec<LinkState>>;
    /// Lists the nodes that were seen since `since` and have not stopped.
    async fn nodes(&self, since: Timestamp) -> Result<Vec<Node>>;
    /// Returns why the running server could not write at its latest try, if that was since `since`.
    async fn unwritable(&self, since: Timestamp) -> Result<Option<Unwritable>>;
}
