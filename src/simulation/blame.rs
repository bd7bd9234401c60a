//! Whose fault each code is that storms meet: written from the provider's documents and rule 2, and not taken from the
//! tables that it checks.

use crate::domain::{Content, Fault, SenderPart};

/// What the provider said when it did not take a message, or when one did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum No {
    Answer { status: u16, code: Option<i64> },
    Receipt { code: Option<i64> },
}

impl No {
    /// Whose fault it is, of a step that sends this.
    pub(super) fn fault(self, content: &Content) -> Fault {
        match self {
            Self::Answer { status: 401 | 403, .. } => Fault::Sender(SenderPart::Lane),
            Self::Answer { status: 429, .. } => Fault::Passing,
            Self::Answer { code: Some(code), .. } => match code {
                // "Invalid MSISDN": another number may be a good one.
                3_003 => Fault::Recipient,
                // "Text is missing": a text without variables is missing for every recipient.
                3_005 if is_alike(content) => Fault::Sender(SenderPart::Step),
                3_005 => Fault::Recipient,
                // "Invalid expiry" is our request's, and alike for all.
                1_006 => Fault::Sender(SenderPart::Lane),
                3_038 => Fault::Sender(SenderPart::Template),
                code => panic!("the documents were not asked about the answer {code}"),
            },
            Self::Receipt { code: Some(code) } => match code {
                // Absent, an app that is too old, expired on the way.
                46 | 9 | 36 => Fault::Recipient,
                // Too many to this recipient in a short time, the rate limit of the app.
                11 | 1_002 => Fault::Passing,
                42 => Fault::Sender(SenderPart::Lane),
                1_035 => Fault::Sender(SenderPart::Template),
                1_051 => Fault::Person,
                // "Invalid content": a text without variables is invalid for every recipient.
                2_015 if is_alike(content) => Fault::Sender(SenderPart::Step),
                2_015 => Fault::Recipient,
                code => panic!("the documents were not asked about the receipt {code}"),
            },
            no @ (Self::Answer { code: None, .. } | Self::Receipt { code: None }) => panic!("{no:?} names no code"),
        }
    }

    /// Whether it says that the recipient wants no more.
    pub(super) fn is_a_wish(self) -> bool {
        self == Self::Receipt { code: Some(1_051) }
    }
}

/// Whether the text of a step is the same for every recipient.
fn is_alike(content: &Content) -> bool {
    match content {
        Content::Text { text, .. } => !text.contains("{{"),
        // A template of the storms has its one text in its body.
        Content::Template(template) => !template.body.iter().any(|text| text.contains("{{")),
    }
}
