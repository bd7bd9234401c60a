//! Campaigns that operators are writing.

use crate::base::domain::{SketchId, Timestamp};

/// A campaign before its launch, as far as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sketch {
    pub id: SketchId,
    /// JSON with the keys of a campaign file; some may still be missing.
    pub campaign: String,
    /// Changes with each change, so that of two who change the same version one is refused.
    pub version: u32,
    pub created_at: Timestamp,
    pub changed_at: Timestamp,
    /// The name of the operator.
    pub changed_by: String,
    /// The name under which a launch has begun. Whether it was completed, the campaign of this name tells.
    pub launch: Option<String>,
}
