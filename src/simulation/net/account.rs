//! The trouble on the line, and what the provider truly knows.

use std::collections::HashSet;

use crate::base::domain::{Status, Timestamp};
use crate::simulation::blame::No;

/// How often each kind of trouble happens, as a share of the requests or webhooks.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::simulation) struct Trouble {
    /// The connection is refused: nothing is sent.
    pub(in crate::simulation) refused: f64,
    /// The connection takes time to open.
    pub(in crate::simulation) slow_connection: f64,
    /// A sent request takes time to reach the provider.
    pub(in crate::simulation) slow_way: f64,
    /// The connection breaks before the provider has read the request.
    pub(in crate::simulation) cut_before: f64,
    /// The connection breaks after the provider has processed the request.
    pub(in crate::simulation) cut_after: f64,
    /// A proxy redirects or refuses the request: the provider never gets it.
    pub(in crate::simulation) bare_refusal: f64,
    /// The provider processes the request, and the answer proves nothing.
    pub(in crate::simulation) broken_answer: f64,
    /// The answer to a batch omits one of its messages.
    pub(in crate::simulation) batch_forgets: f64,
    /// The webhook is never sent.
    pub(in crate::simulation) webhook_lost: f64,
    pub(in crate::simulation) webhook_twice: f64,
    pub(in crate::simulation) webhook_late: f64,
    /// The webhook carries no id of ours.
    pub(in crate::simulation) webhook_nameless: f64,
}

/// What the provider truly knows of one attempt.
#[derive(Debug, Clone, Default)]
pub(in crate::simulation) struct Truth {
    /// When it accepted the attempt, once for each copy.
    pub(in crate::simulation) accepted: Vec<Timestamp>,
    /// Its refusals.
    pub(in crate::simulation) refused: Vec<No>,
    /// Its failure receipts.
    pub(in crate::simulation) failed: Vec<No>,
    /// The copies that the failures were about, numbered in the order of acceptance.
    pub(in crate::simulation) failed_copies: HashSet<usize>,
    /// The best status that it has ever reported, whether or not the receipt reached us.
    pub(in crate::simulation) best: Option<Status>,
    /// The best status in a webhook that we acknowledged.
    pub(in crate::simulation) acknowledged: Option<Status>,
    /// Success receipts that could not reach us.
    pub(in crate::simulation) missed: Vec<Missed>,
}

/// A success receipt that did not reach us when the provider first sent it.
#[derive(Debug, Clone)]
pub(in crate::simulation) struct Missed {
    pub(super) hook: u64,
    /// The number of the attempt's copy, in the order of acceptance; one if nothing was resent.
    pub(in crate::simulation) copy: usize,
    pub(in crate::simulation) tried: Timestamp,
    pub(in crate::simulation) status: Status,
    /// When the provider sends it again; `None` once it has given up.
    pub(in crate::simulation) again: Option<Timestamp>,
    /// Its way took longer than the provider allows, so its arrival cannot be relied on.
    pub(in crate::simulation) late: bool,
    /// When it was sent although the line was cut.
    pub(in crate::simulation) cut: Vec<Timestamp>,
}
