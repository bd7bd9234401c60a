//! Links to the report of a campaign.

use super::{Batch, SecretDigest};
use crate::base::domain::{BatchId, Timestamp};

/// A link to the report of one campaign. Its secret opens the report until it expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedReport {
    pub secret: SecretDigest,
    pub batch: BatchId,
    /// The name of the operator.
    pub made_by: String,
    pub made_at: Timestamp,
    pub expires_at: Timestamp,
}

/// The campaigns that send a campaign again, and the one that it sends again itself.
#[derive(Debug, Clone, Default)]
pub struct Repetitions {
    pub origin: Option<Batch>,
    /// The latest first.
    pub later: Vec<Batch>,
}
