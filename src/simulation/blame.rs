//! Which side each code in the storms blames. This is written from the provider's documents and rule 2, not from the
//! tables that it checks.

use crate::base::domain::{Content, Fault, SenderPart, Timestamp};

/// What the provider answered when it refused a message, or reported when one did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum No {
    Answer { status: u16, code: Option<i64> },
    Receipt { code: Option<i64> },
}

impl No {
    /// Whether it refuses an expiry that its caller set for one message.
    pub(super) fn is_own_expiry(self, expires: Option<Timestamp>) -> bool {
        expires.is_some() && matches!(self, Self::Answer { code: Some(1_006), .. })
    }

    /// Returns the fault, for a step with this content.
    pub(super) fn fault(self, content: &Content) -> Fault {
        match self {
            Self::Answer { status: 401 | 403, .. } => Fault::Sender(SenderPart::Lane),
            Self::Answer { status: 429, .. } => Fault::Temporary,
            Self::Answer { code: Some(code), .. } => match code {
                // "Invalid MSISDN": another number may be valid.
                3_003 => Fault::Recipient,
                // "Text is missing": a text without variables is missing for every recipient.
                3_005 if is_alike(content) => Fault::Sender(SenderPart::Step),
                3_005 => Fault::Recipient,
                // "Invalid expiry" is a fault of our request, the same for all recipients, unless the message has an expiry
                // of its own: see `is_own_expiry`.
                1_006 => Fault::Sender(SenderPart::Lane),
                3_038 => Fault::Sender(SenderPart::Template),
                code => panic!("no documented fault is known for the answer code {code}"),
            },
            Self::Receipt { code: Some(code) } => match code {
                // Absent, an app that is too old, expired on the way.
                46 | 9 | 36 => Fault::Recipient,
                // Free text to somebody who has not written for 24 hours.
                1_022 => Fault::Recipient,
                // Too many messages to this recipient in a short time; the rate limit of the app.
                11 | 1_002 => Fault::Temporary,
                42 => Fault::Sender(SenderPart::Lane),
                1_035 => Fault::Sender(SenderPart::Template),
                1_024 => Fault::RecipientLimit,
                1_051 => Fault::OptedOut,
                // "Invalid content": a text without variables is invalid for every recipient.
                2_015 if is_alike(content) => Fault::Sender(SenderPart::Step),
                2_015 => Fault::Recipient,
                code => panic!("no documented fault is known for the receipt code {code}"),
            },
            no @ (Self::Answer { code: None, .. } | Self::Receipt { code: None }) => panic!("{no:?} names no code"),
        }
    }

    /// Whether it reports that the recipient opted out.
    pub(super) fn is_a_wish(self) -> bool {
        self == Self::Receipt { code: Some(1_051) }
    }
}

/// Whether the content of a step is the same for every recipient. JSON without variables has no two braces in a row.
fn is_alike(content: &Content) -> bool {
    !serde_json::to_string(content).unwrap().contains("{{")
}
