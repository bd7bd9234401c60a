//! The windows in which WhatsApp accepts free-form content: a day after the recipient's last message, or three days after
//! one that an advertisement led to.

use hashbrown::HashMap;

use super::Model;
use super::recipient_key::RecipientKey;
use crate::base::domain::{Channel, Span, Timestamp};
use crate::rules::wire::{Inbound, WebhookEvent, parse_events};

const USUAL: Span = Span::from_secs(24 * 3_600);
const OF_AN_AD: Span = Span::from_secs(72 * 3_600);

/// The end of each recipient's window with a subaccount. Without a subaccount it is one with all of them.
#[derive(Debug, Default)]
pub(super) struct Windows(HashMap<(RecipientKey, Option<u16>), Timestamp>);

impl Windows {
    fn open(&mut self, recipient: RecipientKey, sub_account: Option<u16>, until: Timestamp) {
        let end = self.0.entry((recipient.canonical(), sub_account)).or_insert(until);
        *end = until.max(*end);
    }

    pub(super) fn is_open(&self, recipient: RecipientKey, sub_account: u16, at: Timestamp) -> bool {
        [Some(sub_account), None]
            .iter()
            .any(|sub_account| self.0.get(&(recipient.canonical(), *sub_account)).is_some_and(|until| at < *until))
    }
}

impl Model {
    /// Opens the window of every recipient who wrote one of these messages, which a test or an operator made by hand.
    pub fn take_inbound(&mut self, body: &[u8], now: Timestamp) {
        for event in parse_events(body) {
            if let WebhookEvent::Inbound { inbound, .. } = event {
                self.open_window(&inbound, now);
            }
        }
    }

    pub(super) fn open_window(&mut self, inbound: &Inbound<'_>, now: Timestamp) {
        if inbound.known_channel() != Some(Channel::WhatsApp) {
            return;
        }
        let by_id = || inbound.user_id().map(RecipientKey::of_user_id);
        let Some(recipient) = inbound.msisdn().map(RecipientKey::from).or_else(by_id) else { return };
        let named = inbound.sub_account_id.as_deref().filter(|name| !name.is_empty()).map(str::to_owned);
        let sub_account = named.map(|name| self.sub_account(&name));
        let span = if inbound.is_from_an_ad() { OF_AN_AD } else { USUAL };
        let written = inbound.at().map_or(now, |at| at.min(now));
        self.windows.open(recipient, sub_account, written + span);
    }
}
