//! The recipients of a campaign, one message with its story, and the messages to a number.

use askama::Template;
use serde::{Deserialize, Serialize};

use super::campaigns::campaign_path;
use super::frame::Frame;
use super::preview::{button_name, class, language, media_name, values_alone};
use super::show::Plain;
use crate::base::clock::format_time_exactly;
use crate::base::domain::text::list;
use crate::base::domain::{Channel, Country, Msisdn, Outcome, Reasons, StepIndex, Timestamp};
use crate::campaigns::report::{CodeFilter, CodeResult, MessageView, StepFact};
use crate::campaigns::story::{FactLine, Story};
use crate::rules::template::preview::{Bubble, BubbleHeader, Run};

/// The recipients of a campaign.
#[derive(Debug, Template)]
#[template(path = "recipients.html")]
pub struct RecipientsPage {
    pub frame: Frame,
    pub campaign: String,
    pub campaign_id: String,
    pub rows: Vec<MessageView>,
    pub filter: RecipientFilter,
    /// Whom of them the campaign can be sent to again.
    pub repeatable: Option<Repeatable>,
    pub looked_at: Option<LookedAt>,
    /// The steps of the campaign, each with its channel.
    pub steps: Vec<(StepIndex, Channel)>,
    /// Whether it is not the first page.
    pub is_later: bool,
    /// The address of the first page of the same list.
    pub first: String,
    pub next: Option<String>,
}

/// How far the messages that are listed are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Standing {
    /// Without an outcome.
    Open,
    /// Without an outcome, and to be submitted next.
    ToSubmit,
    /// Refused alone, and waiting for an operator.
    SetAside,
    /// Submitted: receipts may still come.
    Awaiting,
    /// With any outcome but `reached`.
    Missed,
    With(Outcome),
}

impl Standing {
    /// Those that a list offers.
    fn all() -> impl Iterator<Item = Self> {
        let outcomes = Outcome::ALL.iter().copied().map(Self::With);
        [Self::Missed, Self::Open, Self::ToSubmit, Self::SetAside, Self::Awaiting].into_iter().chain(outcomes)
    }

    /// Its word in an address.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::ToSubmit => "to_submit",
            Self::SetAside => "set_aside",
            Self::Awaiting => "awaiting",
            Self::Missed => "missed",
            Self::With(outcome) => outcome.as_str(),
        }
    }
}

impl From<Standing> for String {
    fn from(standing: Standing) -> Self {
        standing.as_str().to_owned()
    }
}

impl TryFrom<String> for Standing {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        Self::all().find(|standing| standing.as_str() == word).ok_or("unknown state")
    }
}

/// Which recipients are listed.
#[derive(Debug, Default)]
pub struct RecipientFilter {
    /// A number, or the client id of a recipient.
    pub whom: Option<String>,
    pub standing: Option<Standing>,
    /// The step at which a message is or ended, or at which the fact or the code is true of it.
    pub step: Option<StepIndex>,
    pub fact: Option<StepFact>,
    pub country: Option<Country>,
    /// The step of a code is that of the list.
    pub code: Option<CodeFilter>,
}

impl RecipientFilter {
    const fn is_set(&self) -> bool {
        self.whom.is_some() || self.standing.is_some() || self.has_more()
    }

    /// Whether one of the rarer fields is set.
    const fn has_more(&self) -> bool {
        self.step.is_some() || self.fact.is_some() || self.country.is_some() || self.code.is_some()
    }

    /// The outcomes whose recipients are listed, if these are all recipients with them: `None` stands for every outcome but
    /// `reached`. A repetition is for whole outcomes.
    pub fn whole_outcomes(&self) -> Option<Option<Outcome>> {
        match self.standing? {
            _ if self.whom.is_some() || self.has_more() => None,
            Standing::Missed => Some(None),
            Standing::With(outcome) if outcome != Outcome::Reached => Some(Some(outcome)),
            Standing::Open | Standing::ToSubmit | Standing::SetAside | Standing::Awaiting | Standing::With(_) => None,
        }
    }
}

/// The recipients of a list who can be sent to again.
#[derive(Debug)]
pub struct Repeatable {
    /// `None` for all who were surely not reached.
    pub outcome: Option<Outcome>,
    pub recipients: i64,
    /// Further recipients of the list, who may have the message.
    pub may_have_it: i64,
}

/// Whether a message of a list has an id from the file. Most files have none.
pub(super) fn have_ids(rows: &[MessageView]) -> bool {
    rows.iter().any(|row| row.client_message_id.is_some())
}

/// How much of a list a page has looked at, where few or no recipients matched.
#[derive(Debug)]
pub struct LookedAt {
    pub looked: u32,
    pub all: u32,
}

impl RecipientsPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The address of the whole list as a file.
    fn file_path(&self) -> String {
        let query = self.first.split_once('?').map_or("", |(_, query)| query);
        format!("{}/recipients.csv?{query}", campaign_path(&self.campaign_id))
    }

    /// The address at which the listed recipients are sent to again, and the button that leads there.
    fn repetition(&self) -> Option<(String, String)> {
        let repeatable = self.repeatable.as_ref().filter(|_| self.frame.may_manage());
        let Repeatable { outcome, recipients, .. } = repeatable.filter(|it| it.recipients > 0)?;
        let query = outcome.map(|outcome| format!("?outcome={outcome}")).unwrap_or_default();
        let text = self.frame.texts().on_messages.send_again_to(*recipients, *outcome);
        Some((format!("{}/again{query}", self.path()), text))
    }

    /// What to know about further recipients of the list.
    fn may_have_it(&self) -> Option<String> {
        let number = self.repeatable.as_ref().map(|it| it.may_have_it).filter(|number| *number > 0)?;
        Some(self.frame.texts().on_messages.may_have_it(number))
    }

    fn looked_at(&self) -> Option<String> {
        let LookedAt { looked, all } = *self.looked_at.as_ref()?;
        Some(self.frame.texts().on_messages.looked_at(looked, all))
    }

    fn path(&self) -> String {
        campaign_path(&self.campaign_id)
    }

    /// The states and outcomes that the list can be filtered by: word, text, and whether it is chosen.
    fn standings(&self) -> Vec<(&'static str, &'static str, bool)> {
        let t = self.frame.texts();
        let text = |standing| match standing {
            Standing::Open => t.on_messages.open,
            Standing::ToSubmit => t.to_submit,
            Standing::SetAside => t.on_messages.state_name("set_aside"),
            Standing::Awaiting => t.awaiting,
            Standing::Missed => t.on_messages.missed,
            Standing::With(outcome) => t.outcome_name(outcome),
        };
        let choice = |standing: Standing| (standing.as_str(), text(standing), self.filter.standing == Some(standing));
        Standing::all().map(choice).collect()
    }

    /// The code that the list is filtered by.
    fn code(&self) -> String {
        match self.filter.code.map(|by| by.reasons) {
            Some(Reasons::Of(code)) => code.to_string(),
            Some(Reasons::WithoutCode) => NO_CODE.to_owned(),
            Some(Reasons::All) | None => String::new(),
        }
    }

    fn has_result(&self, result: &CodeResult) -> bool {
        self.filter.code.and_then(|by| by.result).as_ref() == Some(result)
    }

    fn is_at(&self, step: &StepIndex) -> bool {
        self.filter.step.as_ref() == Some(step)
    }

    fn has_fact(&self, fact: &StepFact) -> bool {
        self.filter.fact.as_ref() == Some(fact)
    }
}

/// The word for reasons without a code.
pub const NO_CODE: &str = "none";

/// One message, with what happened to it.
#[derive(Debug, Template)]
#[template(path = "message.html")]
pub struct MessagePage<'a> {
    pub frame: Frame,
    pub story: &'a Story,
    pub sent: SentMessage<'a>,
    pub campaign: String,
    pub campaign_id: String,
    /// Whether the campaign can be sent again.
    pub may_repeat: bool,
}

/// What a recipient was sent.
#[derive(Debug)]
pub enum SentMessage<'a> {
    Kept {
        steps: Vec<SentStep<'a>>,
        /// Columns of the recipient with their values.
        values: &'a [(String, String)],
    },
    /// The recipient was erased.
    Erased,
    /// The recipient's row is not stored.
    Missing,
}

/// The message of one step.
#[derive(Debug)]
pub struct SentStep<'a> {
    pub step: StepIndex,
    pub channel: Channel,
    /// `None` if it is still to be submitted.
    pub sent_at: Option<Timestamp>,
    pub template: Option<&'a str>,
    /// `None` if its text cannot be made.
    pub bubble: Option<&'a Bubble>,
}

impl SentStep<'_> {
    fn length(&self) -> String {
        self.bubble.map(|bubble| bubble.measures().to_string()).unwrap_or_default()
    }
}

impl MessagePage<'_> {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn path(&self) -> String {
        campaign_path(&self.campaign_id)
    }

    /// The address at which the campaign is sent again to this recipient alone.
    fn repetition(&self) -> Option<String> {
        let may = self.may_repeat && self.frame.may_manage();
        repetition_of_one(&self.path(), &self.story.id, self.story.brief.outcome).filter(|_| may)
    }

    /// Whether it waits for an operator, because it alone is refused.
    fn is_set_aside(&self) -> bool {
        self.story.brief.state == "set_aside"
    }

    /// How the message ended, or where it is, in a sentence.
    fn answer(&self) -> &'static str {
        let own = self.frame.texts().on_messages;
        let brief = &self.story.brief;
        match brief.outcome {
            Some(outcome) => own.ended(outcome, brief.skipped),
            None => own.going_on(brief.state),
        }
    }

    /// What an operator can do: for each step that failed for a known reason, or for the outcome alone.
    fn advice(&self) -> Vec<(Vec<Channel>, String)> {
        let brief = &self.story.brief;
        let Some(outcome) = brief.outcome else { return Vec::new() };
        let mut found: Vec<(Vec<Channel>, String)> = Vec::new();
        if outcome == Outcome::Undelivered {
            for step in &brief.steps {
                let (channel, Some(reason)) = (step.brief.channel, step.reason) else { continue };
                let text = format!("{}.", reason.what_to_do);
                match found.iter_mut().find(|(_, known)| *known == text) {
                    Some((channels, _)) if channels.contains(&channel) => {}
                    Some((channels, _)) => channels.push(channel),
                    None => found.push((vec![channel], text)),
                }
            }
        }
        if found.is_empty() {
            let advice = self.frame.texts().on_messages.advice(outcome, brief.skipped);
            found.extend(advice.map(|text| (Vec::new(), text.to_owned())));
        }
        found
    }

    /// A sentence of the story without the provider's ids, which are among the facts.
    fn without_ids(&self, text: &str) -> String {
        let umids = self.story.brief.umids.iter();
        umids.fold(text.to_owned(), |text, umid| text.replace(&format!(" as {umid}"), ""))
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

/// The address at which a campaign is sent again to one of its recipients; `None` for a recipient who was reached or may
/// still be.
pub fn repetition_of_one(campaign: &str, message: &str, outcome: Option<Outcome>) -> Option<String> {
    outcome.filter(|outcome| *outcome != Outcome::Reached)?;
    Some(format!("{campaign}/again?message={message}"))
}

/// The messages that a search has found.
#[derive(Debug, Template)]
#[template(path = "found.html")]
pub struct FoundPage {
    pub frame: Frame,
    pub whom: String,
    /// The numbers that it may be.
    pub numbers: Vec<Msisdn>,
    pub rows: Vec<MessageView>,
    pub next: Option<String>,
}

impl FoundPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// The channels that an advice is about, before it.
fn about_channels(channels: &[Channel]) -> String {
    let names: Vec<&str> = channels.iter().map(|channel| channel.as_str()).collect();
    if names.is_empty() { String::new() } else { format!("{}: ", list(&names)) }
}

#[cfg(test)]
#[path = "messages_tests.rs"]
mod tests;
