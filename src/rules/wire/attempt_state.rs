//! The states of an attempt as the provider reports them.

use crate::base::domain::Status;

/// The latest state of an attempt, which receipts and details report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptState {
    Queued,
    Sent,
    Undelivered,
    Delivered,
    Read,
}

impl AttemptState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Undelivered => "undelivered",
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }

    /// The word beside the state, if it has one.
    pub const fn detail(self) -> Option<&'static str> {
        match self {
            Self::Delivered => Some("delivered_to_recipient"),
            Self::Undelivered => Some("rejected_by_operator"),
            Self::Queued | Self::Sent | Self::Read => None,
        }
    }

    pub const fn status(self) -> Option<Status> {
        match self {
            Self::Queued => Some(Status::Accepted),
            Self::Sent => Some(Status::Sent),
            Self::Undelivered => None,
            Self::Delivered => Some(Status::Delivered),
            Self::Read => Some(Status::Read),
        }
    }
}
