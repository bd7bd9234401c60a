//! Channels, and what each of them reports about a message.

use super::Span;
use super::word::words;

words! {
    /// A way to reach a recipient, spelled as in the provider's requests.
    Channel, "channel" {
        WhatsApp = 0, "WhatsApp";
        Viber = 1, "Viber";
        Sms = 2, "SMS";
        Rcs = 3, "RCS";
        Line = 4, "LINE";
        ZaloNotification = 5, "ZaloNotification";
        LineNotification = 6, "LineNotification";
    }
}

words! {
    /// How far an attempt has come, in the order in which an attempt passes these statuses.
    Status, "status" {
        Accepted = 1, "Accepted";
        Sent = 2, "Sent";
        Delivered = 3, "Delivered";
        Read = 4, "Read";
    }
}

impl Channel {
    /// The highest status that the channel ever reports.
    pub const fn best_status(self) -> Status {
        match self {
            Self::WhatsApp | Self::Viber | Self::Rcs => Status::Read,
            Self::Sms | Self::ZaloNotification | Self::LineNotification => Status::Delivered,
            Self::Line => Status::Sent,
        }
    }

    /// The default success status of a step: Delivered, or the highest status that the channel reports.
    pub fn default_success(self) -> Status {
        self.best_status().min(Status::Delivered)
    }

    /// Whether the channel distinguishes the handset from the operator. If it does, "delivered to operator" is only
    /// Sent.
    pub const fn knows_the_handset(self) -> bool {
        match self {
            Self::WhatsApp | Self::Viber | Self::Rcs => true,
            Self::Sms | Self::Line | Self::ZaloNotification | Self::LineNotification => false,
        }
    }

    /// The default receipt window, from acceptance. A WhatsApp template uses its own TTL, else 30 days.
    pub const fn receipt_window(self) -> Span {
        match self {
            Self::Sms => Span::from_secs(48 * 3_600),
            Self::WhatsApp => Span::from_secs(30 * 86_400),
            Self::Viber | Self::Rcs | Self::Line | Self::ZaloNotification | Self::LineNotification => {
                Span::from_secs(7 * 86_400)
            }
        }
    }
}
