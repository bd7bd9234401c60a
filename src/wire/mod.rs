//! The 8x8 JSON shapes, once: the client, the server API and the simulator all speak them.
//!
//! In: bodies of requests, answers and webhooks as the provider and its customers write them. Out: the same as types,
//! with whose fault a code is and what a receipt's words mean; and bodies, spelled as the provider's schema spells them.
//! Promises: loose in (numbers as text, text as numbers, any letter case, unknown words and keys), strict out; what a
//! webhook says is borrowed from its body, and one event that cannot be read loses no other; numbers and texts of
//! people never print through `Debug`.
//! May not: send, store or decide anything; read the clock; use rooms other than `domain`, `config` and `clock`.

pub mod codes;

mod answer;
mod business;
mod event;
mod inbound;
mod loose;
mod proof;
mod receipt;
mod report;
mod send;
mod text;

pub use answer::{BatchAnswer, Cancelled, Detail, Details, ErrorBody, MessageAnswer, StatusBody};
pub use business::{Business, BusinessDetails, BusinessMeta, DisableInfo, OtherInfo};
pub use event::{Event, event_places, first_receipts, parse_events};
pub use inbound::{Inbound, InboundContent, Interactive, Recipient, Referral, Tapped};
pub use proof::{SIGNATURE_HEADER, same_secret, sign, signature_holds};
pub use receipt::{Receipt, WhatsApp};
pub use report::Report;
pub use send::{
    BatchDefaults, BatchRequest, ChannelStep, Component, Content, Parameter, SendRequest, Sms, Template, User,
};
pub use text::{Hidden, Text};

use crate::domain::{Channel, Timestamp};

/// A channel as the provider spells it anywhere: `WhatsApp` in requests, `whatsapp` in webhooks, `Zalo` in its schema.
pub fn channel(spelling: &str) -> Option<Channel> {
    match spelling.parse() {
        Ok(channel) => Some(channel),
        Err(_) if spelling.eq_ignore_ascii_case("zalo") => Some(Channel::ZaloNotification),
        Err(_) => None,
    }
}

/// An instant as the provider writes it: RFC 3339, of which some samples leave the zone away; they mean UTC.
pub fn instant(text: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(text).or_else(|| Timestamp::parse_rfc3339(&format!("{text}Z")))
}
