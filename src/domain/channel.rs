//! Channels, and what each of them can say about a message.

use super::Span;
use super::word::words;

words! {
    /// A way to reach a person, spelled as the provider's requests spell it.
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
    /// How far an attempt has come, in the order in which it gets there.
    Status, "status" {
        Accepted = 1, "Accepted";
        Sent = 2, "Sent";
        Delivered = 3, "Delivered";
        Read = 4, "Read";
    }
}

impl Channel {
    /// The most that the channel ever reports about a message.
    pub const fn best_status(self) -> Status {
        match self {
            Self::WhatsApp | Self::Viber | Self::Rcs => Status::Read,
            Self::Sms | Self::ZaloNotification | Self::LineNotification => Status::Delivered,
            Self::Line => Status::Sent,
        }
    }

    /// What counts as success unless a step says otherwise: Delivered, or the most the channel reports.
    pub fn default_success(self) -> Status {
        self.best_status().min(Status::Delivered)
    }

    /// Whether the channel tells the handset from the operator, so that "delivered to operator" is only Sent.
    pub const fn knows_the_handset(self) -> bool {
        match self {
            Self::WhatsApp | Self::Viber | Self::Rcs => true,
            Self::Sms | Self::Line | Self::ZaloNotification | Self::LineNotification => false,
        }
    }

    /// How long receipts are worth waiting for after acceptance. WhatsApp's is that of its template, else 30 days.
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
