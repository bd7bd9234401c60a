//! What people write, as far as it matters here: kept whole, and understood as far as it says something about a message
//! or about what the person wants.

use sha2::{Digest, Sha256};

use super::incoming::Incoming;
use crate::domain::{Channel, Keyword, Span, Timestamp, Umid, without_numbers};
use crate::optout::Words;
use crate::store::{Alias, Found, Inbound};
use crate::wire;

/// For how long WhatsApp takes free text after a person's message, and after one to which an advertisement led.
const WINDOW: Span = Span::from_secs(24 * 3_600);
const WINDOW_OF_AN_AD: Span = Span::from_secs(72 * 3_600);
/// The longest name of a kind of message that is kept apart from the message.
const KIND_LONGEST: usize = 40;

/// A message of a person's that waits for its group.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) inbound: Inbound,
    /// The message that it answers, as the provider calls that.
    reply_to: Option<String>,
    window: Span,
}

impl Answer {
    pub(super) fn new(inbound: &wire::Inbound<'_>, raw: &str, words: &Words, now: Timestamp) -> Self {
        let own = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        // Whoever sends a message without an id sends it again in the same words.
        let digest = || Sha256::digest(raw).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let kind: String = without_numbers(&inbound.kind()).chars().take(KIND_LONGEST).collect();
        let channel = inbound.known_channel();
        let inbound_message = Inbound {
            umid: own(inbound.umid.as_deref()).unwrap_or_else(digest),
            received: now,
            said: inbound.at().map_or(now, |at| at.min(now)),
            sub_account: own(inbound.sub_account_id.as_deref()).unwrap_or_default(),
            channel,
            channel_id: own(inbound.recipient.as_ref().and_then(|us| us.channel_id.as_deref())).unwrap_or_default(),
            msisdn: inbound.msisdn(),
            called: inbound.called().map(str::to_owned),
            kind,
            keyword: words.meaning(inbound.words(), channel),
            window: None,
            on: None,
            raw: raw.to_owned(),
        };
        let window = if inbound.is_from_an_ad() { WINDOW_OF_AN_AD } else { WINDOW };
        Self { inbound: inbound_message, reply_to: own(inbound.reply_to_umid.as_deref()), window }
    }

    /// A message that was kept and is on no message of ours, where it says that it answers something.
    pub(super) fn again(inbound: Inbound) -> Option<Self> {
        let events = wire::parse_events(inbound.raw.as_bytes());
        let Some(wire::Event::Inbound { inbound: told, .. }) = events.first() else { return None };
        let reply_to = told.reply_to_umid.as_deref().filter(|umid| !umid.is_empty())?.to_owned();
        let window = if told.is_from_an_ad() { WINDOW_OF_AN_AD } else { WINDOW };
        drop(events);
        Some(Self { inbound, reply_to: Some(reply_to), window })
    }

    /// What it says about the message that it answers: that it was read.
    pub(super) fn as_receipt(&self) -> Option<Incoming> {
        Some(Incoming::answer(self.reply_to.clone()?, &self.inbound))
    }

    /// Notes the attempt that it is on, and who wrote it where only that tells.
    pub(super) fn is_on(&mut self, found: &Found) {
        self.inbound.on = Some((found.message.key, found.step));
        self.inbound.msisdn = self.inbound.msisdn.or(Some(found.message.msisdn));
    }

    /// The message as it is kept. Its window is open also where nobody knows yet for whom.
    pub(super) fn into_kept(self) -> Inbound {
        let Self { inbound, window, .. } = self;
        let opens = inbound.channel == Some(Channel::WhatsApp);
        Inbound { window: opens.then(|| inbound.said + window), ..inbound }
    }

    /// What the channel calls whoever wrote it, where it tells who that is, or what it answers does.
    pub(super) fn alias(&self) -> Option<Alias> {
        let Inbound { channel, called, msisdn, .. } = &self.inbound;
        Some(Alias { channel: (*channel)?, called: called.clone()?, msisdn: (*msisdn)? })
    }

    pub(super) fn is_stop(&self) -> bool {
        self.inbound.keyword == Some(Keyword::Stop)
    }
}

/// The ways that lead from an answer to its attempt: some of the provider's pages mean our message by `replyToUmid`,
/// others an earlier one of the person's.
pub(super) fn ways(reply_to: &str) -> [crate::store::Key; 2] {
    [crate::store::Key::Umid(Umid::new(reply_to)), crate::store::Key::Inbound(reply_to.to_owned())]
}
