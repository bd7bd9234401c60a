//! The part of the contract that is about servers: who sends, what it has heard of its provider, and how its lanes go.

use super::{Beat, KeptGap, LaneState, Latest, Lease, LinkState, Node, NodeStart, Result, Started, Turned, Unwritable};
use crate::domain::Timestamp;

/// What servers keep about themselves, for one another and for commands.
#[async_trait::async_trait]
pub trait Nodes: Send + Sync + std::fmt::Debug {
    /// The lease as it stands.
    async fn lease(&self) -> Result<Lease>;
    /// The latest decision and the present epoch, in one look.
    async fn latest(&self) -> Result<Latest>;
    /// Registers a server and begins its epoch, in one transaction. Nothing happens, and nothing is returned, where the
    /// lease stands no longer as it stood in `start.over`.
    async fn start_node(&self, start: NodeStart) -> Result<Option<Started>>;
    /// Renews the lease of its holder. Fails with [`super::Error::Superseded`] once another node has started.
    async fn renew(&self, node: i64, now: Timestamp) -> Result<()>;
    /// Says that the node lives, up to when it has listened, what it has turned away, and that it has noted the
    /// decisions up to `noted`; renews its lease. Fails with [`super::Error::Superseded`] once another node has started.
    async fn beat(&self, beat: Beat) -> Result<()>;
    /// The node's last word: it has listened up to then. Gives its lease back, if it holds it still.
    async fn stop_node(&self, node: i64, listening_until: Timestamp) -> Result<()>;
    /// What was turned away, for each reason since the last day without any.
    async fn turned_away(&self) -> Result<Vec<Turned>>;
    /// How lanes go, as nodes seen since `since` that have not stopped said last.
    async fn lane_states(&self, since: Timestamp) -> Result<Vec<LaneState>>;
    /// Keeps a time in which no receipt could be committed or proof of an address was missing, and forgets those that ended before `forget`.
    async fn keep_gap(&self, gap: KeptGap, forget: Timestamp) -> Result<()>;
    /// The times in which no receipt could be committed or proof of an address was missing, earliest first.
    async fn gaps(&self) -> Result<Vec<KeptGap>>;
    /// What is known of each direction of each provider address, as the last node has said it.
    async fn links(&self) -> Result<Vec<LinkState>>;
    /// Nodes seen since `since` that have not stopped.
    async fn nodes(&self, since: Timestamp) -> Result<Vec<Node>>;
    /// Whether the running server could not write at its latest try, and that was since `since`.
    async fn unwritable(&self, since: Timestamp) -> Result<Option<Unwritable>>;
}
