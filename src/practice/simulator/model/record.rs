//! The record of a message. It is small, because there may be millions.

use uuid::Uuid;

use super::recipient_key::RecipientKey;
use crate::base::domain::{AttemptId, Channel, MessagingApi, Span, Status, Timestamp};
use crate::rules::wire::AttemptState;
use crate::rules::wire::rules::{ContentType, NamedStep};

/// One accepted message.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) to: RecipientKey,
    pub(super) accepted: Timestamp,
    pub(super) client_id: ClientId,
    /// The message before it to the same recipient.
    pub(super) previous: Option<u32>,
    pub(super) batch: Option<u32>,
    /// Its present attempt; the attempts before it are in its chain.
    pub(super) attempt: Attempt,
    pub(super) sub_account: u16,
    /// Milliseconds from acceptance to the time it was scheduled for.
    schedule: u32,
    pub(super) step: u8,
    pub(super) doom: Doom,
    /// The channels that do not take a file of its.
    pub(super) refused_media: RefusedMedia,
    pub(super) content_type: ContentType,
    /// The API by which it was sent, whose receipts and details it has.
    pub(super) api: MessagingApi,
    cancelled: bool,
}

/// Why a message is undelivered regardless of its dice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doom {
    None,
    TemplatePaused,
    TemplateDisabled,
    /// The provider has no approved template of this name and language.
    TemplateMissing,
    ParameterCount,
    /// A value has another type than its place in the template.
    ParameterFormat,
    /// Meta delivers no marketing to numbers of the United States.
    UsMarketing,
    NoCredit,
}

/// The channels that do not take an uploaded file of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct RefusedMedia(u8);

impl RefusedMedia {
    pub(super) const fn add(&mut self, channel: Channel) {
        self.0 |= 1 << channel.code();
    }

    /// The code of a message on this channel, if the channel does not take its file.
    pub(super) const fn code(self, channel: Channel) -> Option<u16> {
        if self.0 & (1 << channel.code()) == 0 {
            return None;
        }
        Some(match channel {
            Channel::WhatsApp => 1_027,
            Channel::Viber => 2_015,
            _ => 2,
        })
    }
}

impl Doom {
    pub(super) const fn code(self, channel: Channel) -> Option<u16> {
        match (self, channel) {
            (Self::TemplatePaused, Channel::WhatsApp) => Some(1_035),
            (Self::TemplateDisabled, Channel::WhatsApp) => Some(1_036),
            (Self::TemplateMissing, Channel::WhatsApp) => Some(1_031),
            (Self::ParameterCount, Channel::WhatsApp) => Some(1_030),
            (Self::ParameterFormat, Channel::WhatsApp) => Some(1_034),
            (Self::UsMarketing, Channel::WhatsApp) => Some(1_024),
            (Self::NoCredit, _) => Some(42),
            (
                Self::None
                | Self::TemplatePaused
                | Self::TemplateDisabled
                | Self::TemplateMissing
                | Self::ParameterCount
                | Self::ParameterFormat
                | Self::UsMarketing,
                _,
            ) => None,
        }
    }
}

/// One message on one channel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    pub(super) channel: Channel,
    pub(super) fate: Fate,
    pub(super) state: AttemptState,
    /// The code of an undelivered attempt.
    pub(super) code: u16,
    /// How many messages the recipient was sent on this channel before. A second try has dice of its own.
    pub(super) nth: u8,
    /// Milliseconds from acceptance; `NEVER` if it has not happened.
    pub(super) sent: u32,
    pub(super) ended: u32,
    pub(super) read: u32,
}

pub(super) const NEVER: u32 = u32::MAX;

/// The result that the dice gave an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Undelivered,
    Silent,
    SentOnly,
    Delivered,
}

impl Attempt {
    pub(super) const fn on(channel: Channel) -> Self {
        Self {
            channel,
            fate: Fate::Silent,
            state: AttemptState::Queued,
            code: 0,
            nth: 0,
            sent: NEVER,
            ended: NEVER,
            read: NEVER,
        }
    }
}

impl Record {
    pub(super) fn new(to: RecipientKey, accepted: Timestamp, channel: Channel) -> Self {
        Self {
            to,
            accepted,
            client_id: ClientId::None,
            previous: None,
            batch: None,
            attempt: Attempt::on(channel),
            sub_account: 0,
            schedule: 0,
            step: 0,
            doom: Doom::None,
            refused_media: RefusedMedia::default(),
            api: MessagingApi::ChatApps,
            content_type: ContentType::Text,
            cancelled: false,
        }
    }

    pub(super) fn schedule(&mut self, at: Timestamp) {
        self.schedule = self.offset(at);
    }

    pub(super) fn scheduled_for(&self) -> Option<Timestamp> {
        (self.schedule > 0).then(|| self.at(self.schedule)).flatten()
    }

    pub(super) const fn is_cancelled(&self) -> bool {
        self.cancelled
    }

    pub(super) const fn cancel(&mut self) {
        self.cancelled = true;
    }

    /// Returns milliseconds from acceptance; up to 49 days, which is longer than any receipt takes.
    pub(super) fn offset(&self, at: Timestamp) -> u32 {
        u32::try_from(at.since(self.accepted).millis()).unwrap_or(NEVER - 1)
    }

    pub(super) fn at(&self, offset: u32) -> Option<Timestamp> {
        (offset != NEVER).then(|| self.accepted + Span::from_millis(i64::from(offset)))
    }
}

/// The client's id: Volley's own in sixteen bytes, others as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ClientId {
    None,
    Attempt([u8; 16]),
    Other(Box<str>),
}

impl ClientId {
    pub(super) fn of(text: Option<&str>) -> Self {
        let Some(text) = text else { return Self::None };
        let bare = text.strip_prefix(AttemptId::PREFIX).filter(|_| text.len() == AttemptId::LEN);
        let ours = bare.and_then(|bare| Uuid::try_parse(bare).ok()).map(|id| Self::Attempt(id.into_bytes()));
        // Only an id that prints exactly as it came is stored in short form: it has to be returned unchanged.
        ours.filter(|id| id.text().as_deref() == Some(text)).unwrap_or_else(|| Self::Other(text.into()))
    }

    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Attempt(bytes) => Some(format!("{}{}", AttemptId::PREFIX, Uuid::from_bytes(*bytes).simple())),
            Self::Other(text) => Some(text.to_string()),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) id: Uuid,
    pub(super) client_id: Option<Box<str>>,
    /// Its accepted messages have consecutive numbers.
    pub(super) first: u32,
    pub(super) len: u32,
}

/// A route that the provider follows by itself.
#[derive(Debug, Clone)]
pub(super) struct Chain {
    pub(super) steps: Vec<ChainStep>,
    /// The attempts of the steps before the present one.
    pub(super) before: Vec<Attempt>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ChainStep {
    pub(super) channel: Channel,
    pub(super) fallback_after: Option<Span>,
    pub(super) success: Status,
}

impl From<NamedStep<'_>> for ChainStep {
    fn from(step: NamedStep<'_>) -> Self {
        let NamedStep { channel, channel_id: _, fallback_after, success } = step;
        Self { channel, fallback_after, success }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_record_stays_small() {
        assert!(size_of::<Record>() <= 96, "{} bytes", size_of::<Record>());
    }

    proptest! {
        #[test]
        fn a_client_id_is_returned_unchanged(text in "(att_)?([0-9a-fA-F]{32}|.{0,40})") {
            prop_assert_eq!(ClientId::of(Some(&text)).text(), Some(text));
        }
    }
}
