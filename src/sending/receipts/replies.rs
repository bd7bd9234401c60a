//! Inbound messages: stored whole, and read for the message that they answer, an opt-out, and the button they chose.

use super::business::digest;
use super::incoming::Incoming;
use crate::base::domain::text::one_line;
use crate::base::domain::{Address, AttemptId, Channel, Keyword, Msisdn, Span, Timestamp, Umid, without_numbers};
use crate::recipients::optout::Words;
use crate::rules::wire::{self, ReplyContent};
use crate::store::{Alias, FoundAttempt, Inbound, Key};

/// How long WhatsApp accepts free text after a recipient's message.
const WINDOW: Span = Span::from_secs(24 * 3_600);
/// The same, if an advertisement led the recipient to write.
const WINDOW_OF_AN_AD: Span = Span::from_secs(72 * 3_600);
/// Characters of the message type that are stored in its own column.
const KIND_LONGEST: usize = 40;
/// Characters of the chosen button or list row that are stored in its own column.
const CHOICE_LONGEST: usize = 200;

/// An inbound message that waits for its group.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) inbound: Inbound,
    /// The number by which the channel knows the recipient.
    channel_number: Option<Msisdn>,
    reply_to: Option<ReplyTo>,
    window: Span,
    /// Whether it may be an opt-out, though it is no keyword.
    may_stop: bool,
}

/// A message that opts its recipient out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    /// The channel whose id it opts out, if it names one.
    pub(super) id_on: Option<Channel>,
}

/// What leads from a reply to the message that it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReplyTo {
    /// The provider's id: that of our message, or of an earlier message of the recipient. Its pages have both.
    Umid(String),
    /// Our own id, which a completed form returns as its token.
    Attempt(AttemptId),
}

impl ReplyTo {
    fn of(inbound: &wire::Inbound<'_>, content: &ReplyContent<'_>) -> Option<Self> {
        if let Some(umid) = inbound.reply_to_umid.as_deref().filter(|umid| !umid.is_empty()) {
            return Some(Self::Umid(umid.to_owned()));
        }
        let ReplyContent::Flow { answer, .. } = content else { return None };
        let token = answer.token.as_deref().filter(|token| token.starts_with(AttemptId::PREFIX))?;
        token.parse().ok().map(Self::Attempt)
    }

    /// The keys to find the attempt with, surest first.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key> + use<> {
        let keys = match self {
            Self::Umid(umid) => [Some(Key::Umid(Umid::new(umid))), Some(Key::Inbound(umid.clone()))],
            Self::Attempt(id) => [Some(Key::Attempt { id: *id, umid: None }), None],
        };
        keys.into_iter().flatten()
    }
}

impl Reply {
    pub(super) fn new(inbound: &wire::Inbound<'_>, raw: &str, words: &Words, now: Timestamp) -> Self {
        let own = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let kind: String = without_numbers(&inbound.kind()).chars().take(KIND_LONGEST).collect();
        let channel = inbound.known_channel();
        // A form is parsed here, so only once.
        let content = inbound.reply_content();
        let inbound_message = Inbound {
            // A repeated message without an id has the same text, so the digest serves as its id.
            umid: own(inbound.umid.as_deref()).unwrap_or_else(|| digest(raw)),
            received: now,
            written_at: inbound.at().map_or(now, |at| at.min(now)),
            sub_account: own(inbound.sub_account_id.as_deref()).unwrap_or_default(),
            channel,
            channel_id: own(inbound.recipient.as_ref().and_then(|us| us.channel_id.as_deref())).unwrap_or_default(),
            msisdn: inbound.msisdn(),
            called: inbound.user_id().map(str::to_owned),
            kind,
            choice: content.choice().map(|choice| one_line(&choice, CHOICE_LONGEST)),
            keyword: words.meaning(inbound.words(), channel),
            language: words.language(inbound.words(), channel),
            window: None,
            on: None,
            raw: raw.to_owned(),
        };
        let window = if inbound.is_from_an_ad() { WINDOW_OF_AN_AD } else { WINDOW };
        let channel_number = inbound.channel_number();
        let may_stop = inbound_message.keyword.is_none() && words.may_stop(inbound.words());
        Self { may_stop, inbound: inbound_message, channel_number, reply_to: ReplyTo::of(inbound, &content), window }
    }

    /// The id of a message that may be an opt-out, of somebody who can opt out.
    pub(super) fn possible_stop(&self) -> Option<String> {
        let is_known = self.inbound.msisdn.is_some() || self.inbound.address().is_some();
        (self.may_stop && is_known).then(|| self.inbound.umid.clone())
    }

    /// Whether nothing leads to its sender, so that even an opt-out has no effect.
    pub(super) const fn is_from_nobody(&self) -> bool {
        self.inbound.msisdn.is_none() && self.inbound.called.is_none() && self.reply_to.is_none()
    }

    /// Rebuilds a stored message that belongs to no attempt yet; `None` if it answers nothing.
    pub(super) fn from_stored(inbound: Inbound) -> Option<Self> {
        let events = wire::parse_events(inbound.raw.as_bytes());
        let Some(wire::WebhookEvent::Inbound { inbound: stored, .. }) = events.first() else { return None };
        let reply_to = ReplyTo::of(stored, &stored.reply_content())?;
        let window = if stored.is_from_an_ad() { WINDOW_OF_AN_AD } else { WINDOW };
        let channel_number = stored.channel_number();
        drop(events);
        Some(Self { inbound, channel_number, reply_to: Some(reply_to), window, may_stop: false })
    }

    /// The receipt that it implies: the message that it answers was read.
    pub(super) fn as_receipt(&self) -> Option<Incoming> {
        Some(Incoming::from_reply(self.reply_to.clone()?, &self.inbound))
    }

    /// An opt-out that was sent to a subaccount which is not ours; `None` if it is none. It opens no window to our numbers.
    pub(super) fn into_foreign_stop(self) -> Option<Self> {
        self.stop().is_some().then_some(Self { window: Span::ZERO, ..self })
    }

    /// Records the attempt that it answers. The recipient of that attempt wrote it, from whichever number or id; nothing
    /// says who that is if they were erased.
    pub(super) fn set_attempt(&mut self, found: &FoundAttempt, recipient: Option<Address>) {
        let Inbound { on, msisdn, called, channel, .. } = &mut self.inbound;
        *on = Some((found.message.key, found.step));
        match recipient {
            Some(Address::Number(recipient)) => {
                if let Some(other) = msisdn.replace(recipient).map(Msisdn::canonical)
                    && other != recipient.canonical()
                {
                    called.get_or_insert_with(|| other.to_string());
                }
            }
            // The webhook may not name its channel.
            Some(Address::User(user)) if channel.is_none_or(|on| on == user.channel) => {
                (*channel, *called) = (Some(user.channel), Some(user.id));
            }
            Some(Address::User(_)) | None => {}
        }
    }

    /// The message as it is stored. Its 24-hour window opens even if the sender is still unknown.
    pub(super) fn into_stored(self) -> Inbound {
        let Self { inbound, window, .. } = self;
        let opens = inbound.channel == Some(Channel::WhatsApp);
        Inbound { window: opens.then(|| inbound.written_at + window), ..inbound }
    }

    /// The names by which the channel knows the sender, if the message or the one that it answers tells the number too.
    pub(super) fn aliases(&self) -> impl Iterator<Item = Alias> + use<> {
        let Inbound { channel, called, msisdn, .. } = &self.inbound;
        let known = channel.zip(*msisdn);
        let id = known.zip(called.clone().filter(|_| self.inbound.user().is_some()));
        let id = id.map(|((channel, msisdn), called)| Alias { channel, called, msisdn });
        let number = known.zip(self.channel_number);
        let number = number.and_then(|((channel, msisdn), number)| Alias::of_number(channel, number, msisdn));
        id.into_iter().chain(number)
    }

    pub(super) fn stop(&self) -> Option<Stop> {
        let is_stop = self.inbound.keyword == Some(Keyword::Stop);
        is_stop.then(|| Stop { id_on: self.inbound.user().map(|user| user.channel) })
    }
}
