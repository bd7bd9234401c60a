//! The lease: which server may send, and how one follows another.

use crate::domain::Timestamp;

/// Counts the servers that have held the lease, one after the other. A claim belongs to the epoch that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

/// The process of a server, as the operating system knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Where `pid` means something: this start of the machine and its namespace of processes. Empty where the operating
    /// system does not say.
    pub machine: String,
    pub pid: u32,
    /// When the process started, in the operating system's own count: an id is given to another process later.
    pub started: u64,
}

/// The lease as it stands. There is one for now; many nodes will have one for each portfolio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub epoch: Epoch,
    /// The holder's own time of its last renewal.
    pub renewed: Timestamp,
    /// Who holds it, and since when; nothing where the last holder has given it back.
    pub held: Option<(Holder, Timestamp)>,
}

/// What a running server looks for all the time.
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
    /// The lease as it was when it was found to be free: taken only if it still stands so.
    pub over: Lease,
}

/// A server that has started, and holds the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    pub node: i64,
    pub epoch: Epoch,
    /// The previous watermark of when receipts could last be committed.
    pub listened_until: Option<Timestamp>,
}

/// Starts a server of no process in particular, whoever holds the lease.
#[cfg(test)]
pub(crate) async fn started(store: &dyn super::Store, now: Timestamp) -> Started {
    let holder = Holder { machine: "a test".to_owned(), pid: 7, started: 1 };
    let over = store.lease().await.unwrap();
    store.start_node(NodeStart { now, holder, over }).await.unwrap().unwrap()
}
