//! Previews of a campaign: the messages of some recipients, and how many recipients' messages break a limit.

mod first;
mod pass;
mod sent;
mod values;

use std::borrow::Cow;

use serde::Serialize;

pub use first::{FirstMessage, first_messages};
pub(super) use pass::{OnLooked, PreviewPass};
pub use sent::{SentText, SentTexts, sent_texts};
pub use values::{Sample, ValuesError};

use crate::base::domain::{AddressFields, AddressKey, Content, Country, Msisdn, Names, Recipient, Step};
use crate::rules::template;
use crate::rules::template::preview::{ApprovedTemplate, BoundMessage, Broken, Bubble, Measures};

/// What a preview shows and checks.
#[derive(Debug, Clone)]
pub struct PreviewRequest {
    /// The recipients to show. If empty, the first, the shortest, the longest and a random message are shown.
    pub to: Vec<Msisdn>,
    /// Chooses the random recipient: the same one for the same seed and recipients.
    pub seed: u64,
    /// The most parts of an SMS.
    pub sms_parts_max: usize,
}

/// The previews of a campaign's steps.
#[derive(Debug, Clone, Serialize)]
pub struct Previews {
    pub seed: u64,
    /// Recipients whose messages were looked at.
    pub recipients: u64,
    pub steps: Vec<StepPreview>,
    /// The numbers of the request that no recipient has.
    #[serde(skip)]
    pub unknown: Vec<Msisdn>,
}

#[derive(Debug, Clone, Serialize)]
pub struct StepPreview {
    /// From 1.
    pub step: u8,
    /// Recipients that the step applies to.
    pub recipients: u64,
    /// Those whose message breaks a limit.
    pub breaking: u64,
    /// The limits, those of most recipients first.
    pub broken: Vec<BrokenLimit>,
    pub shown: Vec<MessagePreview>,
}

/// A limit that messages of a step break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrokenLimit {
    #[serde(flatten)]
    pub broken: Broken,
    pub recipients: u64,
    /// The first few of them.
    pub first_msisdns: Vec<Msisdn>,
}

/// Why a message is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    Requested,
    First,
    Shortest,
    Longest,
    Random,
}

impl Choice {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::First => "first",
            Self::Shortest => "shortest",
            Self::Longest => "longest",
            Self::Random => "random",
        }
    }
}

/// The message of one recipient.
#[derive(Debug, Clone, Serialize)]
pub struct MessagePreview {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chosen_as: Vec<Choice>,
    /// `None` for values without a recipient.
    #[serde(flatten)]
    pub to: Option<AddressFields>,
    /// The lane that sends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    pub bubble: Bubble,
    #[serde(flatten)]
    pub measures: Measures,
    pub broken: Vec<Broken>,
}

impl MessagePreview {
    fn new(chosen_as: Vec<Choice>, bubble: Bubble, sms_parts_max: usize) -> Self {
        let (measures, broken) = (bubble.measures(), bubble.broken(sms_parts_max).into_iter().collect());
        Self { chosen_as, to: None, lane: None, bubble, measures, broken }
    }

    /// The message of a step with these values, without a recipient.
    fn of_values(step: &Step, bound: &BoundMessage, values: &[String], sms_parts_max: usize) -> Self {
        // Without a recipient, the sender is that of most countries.
        let bubble = Bubble { sender: usual_sender(step).map(str::to_owned), ..bound.fill(values) };
        Self::new(Vec::new(), bubble, sms_parts_max)
    }

    fn of_recipient(
        step: &Step,
        bound: &BoundMessage,
        recipient: &Recipient,
        chosen_as: Vec<Choice>,
        request: &PreviewRequest,
    ) -> Self {
        let lane = lane(step, recipient.number().map(AddressKey::from), recipient.country).map(str::to_owned);
        let message = Self::new(chosen_as, fill_for(step, bound, recipient), request.sms_parts_max);
        Self { to: Some(recipient.address.clone().into()), lane, ..message }
    }
}

/// The message of a step that one recipient would read, with the text of its template if that is known. Fails if a name
/// is unknown.
pub fn message(
    step: &Step,
    names: Names<'_>,
    approved: Option<&ApprovedTemplate>,
    recipient: &Recipient,
) -> Result<Bubble, template::Error> {
    let bound = BoundMessage::new(step, names, approved)?;
    Ok(fill_for(step, &bound, recipient))
}

fn fill_for(step: &Step, bound: &BoundMessage, recipient: &Recipient) -> Bubble {
    let fields = recipient.fields.unpack().unwrap_or_default();
    fill(step, bound, recipient.number().map(AddressKey::from), recipient.country, &fields)
}

fn fill(
    step: &Step,
    bound: &BoundMessage,
    address: Option<AddressKey>,
    country: Country,
    fields: &[Cow<'_, str>],
) -> Bubble {
    let sender = lane(step, address, country).and_then(|lane| step.source(lane, country));
    Bubble { sender: sender.map(str::to_owned), ..bound.fill(fields) }
}

/// The lane that sends a step to a recipient.
fn lane(step: &Step, address: Option<AddressKey>, country: Country) -> Option<&str> {
    let index = step.lanes.lane_index(address?, country);
    step.lanes.members().get(index).map(|member| member.lane.as_str())
}

/// The sender of an SMS to most countries: that of the step, else that of its first lane.
fn usual_sender(step: &Step) -> Option<&str> {
    let Content::Text { source, .. } = &step.content else { return None };
    source.others.as_deref().or_else(|| step.lanes.members().first()?.source.as_deref())
}

#[cfg(test)]
mod tests;
