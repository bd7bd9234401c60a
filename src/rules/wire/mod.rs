//! The 8x8 JSON shapes, shared by the client, the server API and the simulator.
//!
//! In: bodies of requests, answers and webhooks as the provider and its customers write them. Out: the same as types, with
//! the cause of each code and the meaning of each receipt; bodies, spelled as in the provider's schema; and whether the
//! provider takes a request ([`rules`]), with the words of its errors.
//! Promises: lenient in reading (numbers as text, text as numbers, any letter case, unknown words and keys), strict in
//! writing; webhook events borrow from the body, and an unreadable event loses no other; recipients' numbers and texts
//! never print through `Debug`.
//! May not: send or store anything; read the clock; use rooms other than `domain`, `config` and `clock`.

pub mod codes;
pub mod rules;

mod answer;
mod attempt_state;
mod business;
mod cards;
mod contacts;
mod content;
mod error;
mod event;
mod figure;
mod files;
mod inbound;
mod interactive;
mod loose;
mod mend;
mod notification;
mod preferences;
mod proof;
mod receipt;
mod reported_status;
#[cfg(test)]
pub(crate) mod samples;
mod send;
mod sms;
mod spelling;
mod templates;
mod text;
mod unsent;
mod webhooks;

pub use answer::{BatchAnswer, Cancelled, Detail, Details, MASKED, MessageAnswer, StatusBody, masked};
pub use attempt_state::AttemptState;
pub use business::{Business, BusinessDetails, BusinessMeta, DisableInfo, OtherInfo};
pub use cards::{
    CalendarEventAction, CardContent, CardMedia, Carousel, ContentInfo, DialAction, LatLong, OpenUrlAction, RichCard,
    SuggestedAction, SuggestedReply, Suggestion, ViewLocationAction,
};
pub use contacts::{ContactAddresses, ContactGroup, GroupId, NewContact, contact_groups};
pub use content::{Component, Content, FileDetails, LinkButton, Location, Parameter, Sms, Template, TemplateCard};
pub use error::{ErrorAnswer, ErrorBody};
pub use event::{Events, WebhookEvent, first_receipts, parse_events, raw_content};
pub use figure::Figure;
pub use files::{UploadAnswer, UploadedUrl};
pub use inbound::{
    CallPermission, CatalogOrder, FlowAnswer, FlowReply, Inbound, InboundContent, Interactive, OrderItem, Recipient,
    Referral, ReplyContent, SharedLocation, Tapped, inbound_event,
};
pub use interactive::{
    ActionButton, ActionParameters, ActionReply, ActionRow, ActionSection, FlowActionData, InteractiveMessage, Linked,
    MessageAction, MessageHeader, MessageText, ProductItem,
};
pub use mend::mended;
pub use notification::{
    Emphasis, ListEntry, NotificationAction, NotificationBatch, NotificationContent, NotificationRequest, SmsFallback,
};
pub use preferences::{Preference, Preferences};
pub use proof::{SIGNATURE_HEADER, same_secret, sign, signature_holds};
pub use receipt::{Price, Receipt, WhatsApp};
pub use reported_status::ReportedStatus;
pub use send::{BatchDefaults, BatchRequest, ChannelStep, SendRequest, User};
pub use sms::{SmsAnswer, SmsBatch, SmsBatchAnswer, SmsRequest, SmsStatus};
pub use spelling::{channel, detail_channel, webhook_channel};
pub use templates::{
    ButtonKind, HeaderFormat, ListedTemplate, NewTemplate, PartKind, TemplateButton, TemplateCardParts, TemplateList,
    TemplatePart, placeholders, template_parts,
};
pub use text::{Hidden, Text};
pub use unsent::unsent;
pub use webhooks::{ACCOUNT_EVENTS, WebhookScope, WebhookSetting};

use crate::base::domain::Timestamp;

/// Reads a time as the provider writes it: RFC 3339. Some samples lack the zone and mean UTC.
pub fn instant(text: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(text).or_else(|| Timestamp::parse_rfc3339(&format!("{text}Z")))
}
