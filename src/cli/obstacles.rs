//! What keeps a campaign from moving although it may: the same for everything that shows a campaign.

use serde::Serialize;

use super::words::about;
use super::{holds, stranded};
use crate::campaign::Stranded;
use crate::domain::Timestamp;
use crate::store::Hold;

const NO_SERVER: &str = "no server is running on this database";
const START: &str = "start `volley serve`";

#[derive(Debug, Clone)]
pub(super) enum Obstacle {
    /// A lane of it, or one of its templates, may not send.
    Held(Hold),
    /// A lane of it is not configured any more.
    Gone(Stranded),
    NoServer,
    /// The server turns the provider's receipts away, so what became of messages is not known.
    Deaf {
        since: Timestamp,
    },
}

const DEAF: &str = "the provider's receipts are turned away, because their proof is not what was agreed on";
const AGREE: &str = "tell the provider what webhook_authorization or webhook_secret_file says, or put there what the \
                     provider was told, and start the server again";

/// An obstacle, for JSON.
#[derive(Debug, Serialize)]
pub(super) struct ObstacleShown {
    kind: &'static str,
    what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    what_to_do: String,
}

impl Obstacle {
    pub(super) fn what(&self) -> String {
        match self {
            Self::Held(hold) => holds::sentence(hold),
            Self::Gone(gone) => stranded::what(gone),
            Self::NoServer => NO_SERVER.to_owned(),
            Self::Deaf { .. } => DEAF.to_owned(),
        }
    }

    /// The same, with since when.
    pub(super) fn what_since(&self, now: Timestamp) -> String {
        match self {
            Self::Held(hold) => format!("{}, {} ago", self.what(), about(now.since(hold.since))),
            Self::Deaf { since } => format!("{}, since {}", self.what(), about(now.since(*since))),
            Self::Gone(_) | Self::NoServer => self.what(),
        }
    }

    pub(super) fn what_to_do(&self, campaign: &str) -> String {
        match self {
            Self::Held(hold) => holds::what_to_do(hold),
            Self::Gone(gone) => stranded::what_to_do(gone, campaign),
            Self::NoServer => START.to_owned(),
            Self::Deaf { .. } => AGREE.to_owned(),
        }
    }

    /// All of it in one sentence.
    pub(super) fn sentence(&self, campaign: &str) -> String {
        format!("{}; {}", self.what(), self.what_to_do(campaign))
    }

    pub(super) fn shown(&self, campaign: &str) -> ObstacleShown {
        let (kind, since) = match self {
            Self::Held(hold) => ("held", Some(hold.since.rfc3339())),
            Self::Gone(_) => ("lane gone", None),
            Self::NoServer => ("no server", None),
            Self::Deaf { since } => ("receipts turned away", Some(since.rfc3339())),
        };
        ObstacleShown { kind, what: self.what(), since, what_to_do: self.what_to_do(campaign) }
    }
}
