//! Receipts: the provider's reports about accepted messages.

use serde::{Deserialize, Serialize};

use super::answer::StatusBody;
use super::loose;
use super::send::User;
use super::text::{Hidden, Text};
use super::{ReportedStatus, codes};
use crate::base::domain::{Channel, Charge, Money, Msisdn, Timestamp};

/// A receipt's payload. Only `umid` is always present. The client's ids are in the newer formats, if the send or its batch
/// had them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Receipt<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub umid: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub sub_account_id: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub user: Option<User<'a>>,
    /// The number, in receipts of the SMS API.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Hidden<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub client_message_id: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub client_batch_id: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "loose::nothing_is_default")]
    pub status: StatusBody<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whatsapp: Option<WhatsApp>,
    #[serde(borrow, deserialize_with = "loose::or_none", skip_serializing_if = "Option::is_none")]
    pub price: Option<Price<'a>>,
    /// The parts of an SMS.
    #[serde(deserialize_with = "loose::number", skip_serializing_if = "Option::is_none")]
    pub sms_count: Option<i64>,
}

/// WhatsApp's own details, in the newer formats.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WhatsApp {
    #[serde(deserialize_with = "loose::number", skip_serializing_if = "Option::is_none")]
    pub provider_error_code: Option<i64>,
    #[serde(deserialize_with = "loose::or_none", skip_serializing_if = "Option::is_none")]
    pub pricing_category: Option<String>,
}

/// The price of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Price<'a> {
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub total: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Text<'a>>,
}

/// A receipt as a webhook event.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReceiptEvent<'a> {
    #[serde(borrow, default)]
    pub(super) namespace: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) event_type: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) payload: Receipt<'a>,
}

/// Whether a text is one word that may be stored and shown, such as a currency.
fn is_word(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

pub(super) const EVENT_TYPE: &str = "outbound_message_status_changed";

impl<'a> ReceiptEvent<'a> {
    /// The receipt, if the event is one. The SMS API names no channel, because it has only one.
    pub(super) fn into_receipt(self) -> Option<Receipt<'a>> {
        if !self.event_type.eq_ignore_ascii_case(EVENT_TYPE) {
            return None;
        }
        let mut receipt = self.payload;
        if receipt.channel.is_none() && self.namespace.is_some_and(|namespace| namespace.eq_ignore_ascii_case("SMS")) {
            receipt.channel = Some(Text::from(Channel::Sms.as_str()));
        }
        Some(receipt)
    }
}

impl Receipt<'_> {
    pub fn known_channel(&self) -> Option<Channel> {
        self.channel.as_deref().and_then(super::channel)
    }

    pub fn msisdn(&self) -> Option<Msisdn> {
        let destination = || self.destination.as_ref().and_then(|text| text.parse().ok());
        self.user.as_ref().and_then(User::number).or_else(destination)
    }

    /// The number by which the channel knows the recipient.
    pub fn channel_number(&self) -> Option<Msisdn> {
        self.user.as_ref().and_then(|user| user.channel_number(self.known_channel()))
    }

    /// The recipient's channel user id, if that is not their number.
    pub fn user_id(&self) -> Option<&str> {
        self.user.as_ref()?.user_id()
    }

    /// When it happened, by the provider's clock.
    pub fn at(&self) -> Option<Timestamp> {
        self.status.at()
    }

    pub fn report(&self) -> ReportedStatus {
        match ReportedStatus::of(self.known_channel(), &self.status) {
            ReportedStatus::Negative { code } => {
                let underlying = self.whatsapp.as_ref().and_then(|whatsapp| whatsapp.provider_error_code);
                ReportedStatus::Negative { code: codes::most_specific(code, underlying) }
            }
            other => other,
        }
    }

    /// What the message cost, if anything is said about that. Words that are none are left out.
    pub fn charge(&self) -> Option<Charge> {
        let word = |text: &str| Some(text).filter(|text| is_word(text)).map(Box::from);
        let price = self.price.as_ref();
        let charge = Charge {
            price: price.and_then(|price| Money::nearest(price.total.as_deref()?)),
            currency: price.and_then(|price| word(price.currency.as_deref()?)),
            parts: self.sms_count.and_then(|count| u16::try_from(count).ok()).filter(|count| *count > 0),
            category: self.whatsapp.as_ref().and_then(|whatsapp| word(whatsapp.pricing_category.as_deref()?)),
        };
        (charge != Charge::default()).then_some(charge)
    }

    /// Appends the whole webhook event. A receipt without a channel is one of the SMS API.
    pub fn append_event(&self, body: &mut Vec<u8>) {
        let (namespace, description) = match self.channel {
            Some(_) => ("ChatApps", "ChatApps outbound message delivery receipt"),
            None => ("SMS", "SMS outbound message delivery receipt"),
        };
        let event = ReceiptEvent {
            namespace: Some(namespace.into()),
            event_type: EVENT_TYPE.into(),
            description: Some(description.into()),
            payload: self.clone(),
        };
        // Writing plain structs into memory cannot fail.
        let _ = serde_json::to_writer(body, &event);
    }
}
