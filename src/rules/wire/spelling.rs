//! The provider's spellings of a channel.

use crate::base::domain::Channel;

/// Reads a channel in any of the provider's spellings: `WhatsApp` in requests, `whatsapp` in webhooks, `Zalo` in its schema.
pub fn channel(spelling: &str) -> Option<Channel> {
    match spelling.parse() {
        Ok(channel) => Some(channel),
        Err(_) if spelling.eq_ignore_ascii_case("zalo") => Some(Channel::ZaloNotification),
        Err(_) => None,
    }
}

/// The channel as webhooks spell it: some names in lower case.
pub const fn webhook_channel(channel: Channel) -> &'static str {
    match channel {
        Channel::WhatsApp => "whatsapp",
        Channel::Viber => "viber",
        Channel::Sms => "sms",
        Channel::Line => "line",
        Channel::Rcs | Channel::ZaloNotification | Channel::LineNotification => channel.as_str(),
    }
}

/// The channel as details spell it: "SMS, WhatsApp, RCS, Viber, Line, Facebook, WeChat, Zalo or Kakao".
pub const fn detail_channel(channel: Channel) -> &'static str {
    match channel {
        Channel::Line | Channel::LineNotification => "Line",
        Channel::ZaloNotification => "Zalo",
        Channel::Sms | Channel::WhatsApp | Channel::Rcs | Channel::Viber => channel.as_str(),
    }
}
