//! Sending a campaign again: to some of its recipients, or as the begin of another campaign.

use askama::Template;

use super::campaigns::campaign_path;
use super::frame::Frame;
use crate::base::domain::{AddressFields, Outcome};

/// An outcome whose recipients can be sent to again.
#[derive(Debug)]
pub struct AgainOutcome {
    pub outcome: Outcome,
    pub recipients: i64,
    pub is_chosen: bool,
}

impl AgainOutcome {
    /// The name of its field.
    pub fn field(&self) -> String {
        format!("outcome-{}", self.outcome)
    }
}

/// The only recipient whom a campaign is sent to again.
#[derive(Debug)]
pub struct AgainRecipient {
    pub address: AddressFields,
    /// The message of the first campaign to it.
    pub message: String,
    pub outcome: Outcome,
}

/// The question before a campaign is sent again to some of its recipients.
#[derive(Debug, Template)]
#[template(path = "again.html")]
pub struct AgainPage {
    pub frame: Frame,
    pub campaign: String,
    pub campaign_id: String,
    pub name: String,
    /// What is wrong with the name.
    pub name_problem: Option<String>,
    /// What else is wrong.
    pub problems: Vec<String>,
    /// The only recipient; `None` if all with some outcomes are sent to.
    pub only: Option<AgainRecipient>,
    pub outcomes: Vec<AgainOutcome>,
    /// The recipients among them whom an earlier retry has reached, and whether they are sent to.
    pub reached_before: u64,
    pub include_reached: bool,
    /// Who is not sent to, with the reason, one sentence each.
    pub left_out: Vec<String>,
    /// The steps: number, channel and lanes.
    pub steps: Vec<(usize, String, String)>,
    /// What differs from the first campaign.
    pub differences: Vec<&'static str>,
}

impl AgainPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn path(&self) -> String {
        campaign_path(&self.campaign_id)
    }

    /// The recipients with a chosen outcome.
    fn chosen(&self) -> i64 {
        self.outcomes.iter().filter(|row| row.is_chosen).map(|row| row.recipients).sum()
    }
}

/// The question before a campaign is written again, to be changed.
#[derive(Debug, Template)]
#[template(path = "use_again.html")]
pub struct UseAgainPage {
    pub frame: Frame,
    pub campaign: String,
    pub campaign_id: String,
    /// What is taken over, and what is not: one sentence each.
    pub kept: Vec<String>,
    pub lost: Vec<String>,
}

impl UseAgainPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn path(&self) -> String {
        campaign_path(&self.campaign_id)
    }
}
