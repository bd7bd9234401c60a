//! What templates call to show a value.
//!
//! A template passes a field by reference and a result by value, and a loop adds a reference. So these take any number of
//! references.

use super::texts::Texts;
use crate::base::domain::text;
use crate::base::domain::{BatchState, Keyword, OptOutSource, Outcome, Timestamp};
use crate::campaigns::report::StepFact;
use crate::recipients::audience::Reason;

/// A value behind any number of references.
pub trait Plain<T> {
    fn plain(&self) -> T;
}

macro_rules! plain {
    ($($type:ty),+) => {$(
        impl Plain<$type> for $type {
            fn plain(&self) -> $type {
                *self
            }
        }

        impl<P: Plain<$type> + ?Sized> Plain<$type> for &P {
            fn plain(&self) -> $type {
                P::plain(self)
            }
        }
    )+};
}

plain!(
    bool,
    i64,
    u64,
    usize,
    BatchState,
    Keyword,
    OptOutSource,
    Outcome,
    Reason,
    StepFact,
    Timestamp,
    super::writing::WritingPage
);

impl Plain<i64> for u8 {
    fn plain(&self) -> i64 {
        i64::from(*self)
    }
}

impl Plain<i64> for u32 {
    fn plain(&self) -> i64 {
        i64::from(*self)
    }
}

/// A number with thousands separators.
pub(super) fn grouped(number: impl Plain<i64>) -> String {
    text::grouped(number.plain())
}

/// The same for one without a sign.
pub(super) fn grouped_rows(number: impl Plain<u64>) -> String {
    text::grouped(number.plain())
}

/// A text of strangers, with its control characters shown as signs.
pub(super) fn visible(text: impl AsRef<str>) -> String {
    text::visible(text.as_ref()).into_owned()
}

/// A sentence with a capital letter.
pub(super) fn capital(sentence: impl AsRef<str>) -> String {
    text::capital(sentence.as_ref())
}

/// A text as a part of an address.
pub(super) fn percent_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

pub(super) fn list(names: &[String]) -> String {
    text::list(names)
}

/// The tabs of a campaign: the end of the address, the text and the name.
pub(super) fn campaign_tabs(texts: &Texts) -> [(&'static str, &'static str, &'static str); 6] {
    [
        ("", texts.overview, "overview"),
        ("/plan", texts.plan.tab, "plan"),
        ("/recipients", texts.recipients, "recipients"),
        ("/replies", texts.replies, "replies"),
        ("/report", texts.report, "report"),
        ("/events", texts.events, "events"),
    ]
}

/// The class of the badge of an outcome.
pub(super) fn outcome_class(outcome: impl Plain<Outcome>) -> &'static str {
    match outcome.plain() {
        Outcome::Reached => "reached",
        Outcome::Undelivered | Outcome::Silent | Outcome::Unknown => "missed",
        Outcome::Expired | Outcome::Cancelled | Outcome::Skipped => "unsent",
    }
}

/// The class of the badge of a word in a reply.
pub(super) fn keyword_class(keyword: impl Plain<Keyword>) -> &'static str {
    match keyword.plain() {
        Keyword::Stop => "cancelled",
        Keyword::Start => "reached",
    }
}

/// The class of the badge of a state: how much it needs attention.
pub(super) fn state_class(state: impl Plain<BatchState>) -> &'static str {
    match state.plain() {
        BatchState::Running => "running",
        BatchState::Finished | BatchState::Settled => "over",
        BatchState::Paused => "paused",
        BatchState::Draft | BatchState::Launching | BatchState::Scheduled => "before",
        BatchState::Cancelling | BatchState::Cancelled => "cancelled",
    }
}
