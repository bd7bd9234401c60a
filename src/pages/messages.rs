//! The recipients of a campaign, one message with its story, and the messages to a number.

use askama::Template;

use super::campaigns::campaign_path;
use super::frame::Frame;
use super::show::Plain;
use crate::clock::format_time_exactly;
use crate::domain::{Channel, Outcome, StepIndex, Timestamp};
use crate::report::{MessageView, StateName, StepFact};
use crate::story::{FactLine, Story};

/// The recipients of a campaign.
#[derive(Debug, Template)]
#[template(path = "recipients.html")]
pub struct RecipientsPage {
    pub frame: Frame,
    pub campaign: String,
    pub campaign_id: String,
    pub rows: Vec<MessageView>,
    pub filter: RecipientFilter,
    /// Whether the campaign can be sent again to some of them.
    pub may_repeat: bool,
    /// The steps of the campaign, each with its channel.
    pub steps: Vec<(StepIndex, Channel)>,
    /// Whether it is not the first page.
    pub is_later: bool,
    /// The address of the first page of the same list.
    pub first: String,
    pub next: Option<String>,
}

/// Which recipients are listed.
#[derive(Debug, Default)]
pub struct RecipientFilter {
    /// A number, or the client id of a recipient.
    pub whom: Option<String>,
    pub state: Option<StateName>,
    pub outcome: Option<Outcome>,
    /// Every outcome but `reached`.
    pub is_missed: bool,
    /// Without an outcome so far.
    pub is_open: bool,
    /// The step at which a message is or ended, or at which the fact is true of it.
    pub step: Option<StepIndex>,
    pub fact: Option<StepFact>,
}

impl RecipientFilter {
    pub const fn is_set(&self) -> bool {
        let by_outcome = self.state.is_some() || self.outcome.is_some() || self.is_missed || self.is_open;
        by_outcome || self.whom.is_some() || self.step.is_some()
    }
}

impl RecipientFilter {
    /// The address at which these recipients are sent to again, after that of the campaign. A repetition is for whole
    /// outcomes: not for one number, for those without an outcome, for those who were reached, or for
    /// what became of them at a step.
    fn repetition(&self) -> Option<String> {
        let is_over = matches!(self.state, None | Some(StateName::Done));
        let is_one =
            self.whom.is_some() || self.step.is_some() || self.is_open || self.outcome == Some(Outcome::Reached);
        let outcome = self.outcome.map(|outcome| format!("?outcome={outcome}")).unwrap_or_default();
        (is_over && !is_one).then(|| format!("/again{outcome}"))
    }
}

impl RecipientsPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The address at which the listed recipients are sent to again.
    fn repetition(&self) -> Option<String> {
        let may = self.frame.may_manage() && self.may_repeat;
        self.filter.repetition().filter(|_| may).map(|query| format!("{}{query}", self.path()))
    }

    fn path(&self) -> String {
        campaign_path(&self.campaign_id)
    }

    fn is_chosen(&self, outcome: impl Plain<Outcome>) -> bool {
        self.filter.outcome == Some(outcome.plain())
    }

    fn is_at(&self, step: &StepIndex) -> bool {
        self.filter.step.as_ref() == Some(step)
    }

    fn has_fact(&self, fact: &StepFact) -> bool {
        self.filter.fact.as_ref() == Some(fact)
    }

    /// The word of the state that is listed.
    fn state_word(&self) -> &'static str {
        self.filter.state.map_or("", StateName::as_str)
    }
}

/// One message, with what happened to it.
#[derive(Debug, Template)]
#[template(path = "message.html")]
pub struct MessagePage<'a> {
    pub frame: Frame,
    pub story: &'a Story,
    pub campaign: String,
    pub campaign_id: String,
}

impl MessagePage<'_> {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn path(&self) -> String {
        campaign_path(&self.campaign_id)
    }

    /// Whether a line names one of the ten rules, by its number.
    fn has_number(&self, rule: &str) -> bool {
        rule.starts_with(|c: char| c.is_ascii_digit())
    }

    /// What is on disk, by kind.
    fn facts(&self) -> [(&'static str, &[FactLine]); 3] {
        let (t, story) = (self.frame.texts(), self.story);
        [(t.attempts, &story.attempts[..]), (t.receipts, &story.receipts[..]), (t.asked, &story.asked[..])]
    }

    fn exactly(&self, at: impl Plain<Timestamp>) -> String {
        format_time_exactly(at.plain(), self.frame.zone)
    }
}

/// The messages that a search has found.
#[derive(Debug, Template)]
#[template(path = "found.html")]
pub struct FoundPage {
    pub frame: Frame,
    pub whom: String,
    pub rows: Vec<MessageView>,
    pub next: Option<String>,
}

impl FoundPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }
}
