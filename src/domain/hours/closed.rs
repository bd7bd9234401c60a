//! The rule that closes send hours at an instant.

use serde::Serialize;

use super::{Hours, Stretch, local};
use crate::domain::{Timestamp, Zone};

/// The rule that closes send hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClosedBy {
    /// The local time of the start has not come.
    Start,
    Holidays,
    SendWindow,
    QuietHours,
}

impl Hours {
    /// The rule that closes the hours at an instant, for a recipient in this zone; `None` if they are open.
    ///
    /// If several rules do, the first in the order of [`ClosedBy`].
    pub fn closed_by(&self, at: Timestamp, recipient_zone: Zone) -> Option<ClosedBy> {
        let contains = |stretch: &Stretch| stretch.contains(at, recipient_zone);
        if self.begins(recipient_zone).is_some_and(|begins| at < begins) {
            return Some(ClosedBy::Start);
        }
        if !self.holidays.is_empty() && self.holidays.contains(&local(at, recipient_zone).date()) {
            return Some(ClosedBy::Holidays);
        }
        if !self.windows.is_empty() && !self.windows.iter().any(contains) {
            return Some(ClosedBy::SendWindow);
        }
        self.quiet.iter().any(contains).then_some(ClosedBy::QuietHours)
    }
}
