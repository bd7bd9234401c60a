//! Defines the lease: which server may send, and how one server succeeds another.

use crate::base::domain::Timestamp;

/// A count of the servers that have held the lease. A claim belongs to the epoch that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

/// The process of a server, as the operating system knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The scope of `pid`: this boot of the machine, and its process namespace. Empty if the operating system does not
    /// tell.
    pub machine: String,
    pub pid: u32,
    /// When the process started, in the operating system's own unit. Needed because process ids are reused.
    pub started: u64,
}

/// The lease. There is one for now; several nodes will have one for each portfolio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub epoch: Epoch,
    /// When it was last renewed, by the holder's clock.
    pub renewed: Timestamp,
    /// The holder, and since when; `None` if the last holder has given it back.
    pub held: Option<(Holder, Timestamp)>,
}

/// The values that a running server reads several times a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latest {
    /// The number of the latest decision.
    pub seq: u64,
    /// The epoch that may send.
    pub epoch: Epoch,
}

/// A server that is about to start.
#[derive(Debug, Clone)]
pub struct NodeStart {
    pub now: Timestamp,
    pub holder: Holder,
    /// The lease as it was when it was found to be free. It is taken only if it is unchanged.
    pub over: Lease,
}

/// A server that has started, and holds the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    pub node: i64,
    pub epoch: Epoch,
    /// The previous watermark: until when receipts could be committed.
    pub listened_until: Option<Timestamp>,
}

/// Starts a server for a test, whatever the state of the lease.
#[cfg(test)]
pub(crate) async fn started(store: &dyn super::Store, now: Timestamp) -> Started {
    let holder = Holder { machine: "a test".to_owned(), pid: 7, started: 1 };
    let over = store.lease().await.unwrap();
    store.start_node(NodeStart { now, holder, over }).await.unwrap().unwrap()
}
