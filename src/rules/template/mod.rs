//! Checks contents against the rules of their channel, binds variables to columns, renders, and counts SMS segments.
//!
//! In: a [`Content`](crate::base::domain::Content) with variables, the names of an audience's columns and of a campaign's
//! values, a recipient's fields.
//!
//! Out:
//! - [`check`]: the errors of a content.
//! - [`mark`]: a content with markers, whose JSON is written once.
//! - [`Pattern`]: renders that JSON for one recipient after another.
//! - [`preview`]: the message of a recipient as its handset shows it, and the limits that it breaks.
//! - [`segments`]: the segments of an SMS.
//!
//! Promises:
//! - Variables are parsed once, at launch.
//! - Rendering appends to a buffer, allocates nothing for a variable, and yields valid JSON. On a missing value it leaves
//!   the buffer unchanged. A cell that is empty, or that a filter cannot read, is a missing value.
//! - A value stays text: it never adds a variable, a component or JSON.
//! - Values are not encoded for addresses, so a cell may hold a path as well as a word.
//!
//! May not: know the provider's JSON; use any room but `domain`; do I/O.

mod bound;
mod check;
mod constant;
mod count;
mod error;
mod filter;
mod lack;
mod literals;
mod mark;
mod parts;
mod pattern;
mod plain;
pub mod preview;
mod recipient_text;
mod sink;
mod sms;
mod text;
mod values;

pub use check::{Sending, check, is_fetchable};
pub use constant::{constant_text, fill_constants};
pub use count::{CountedText, TextCount};
pub use error::{ContentProblem, Error, InvalidPattern, Missing};
pub use filter::FilterProblem;
pub use lack::{Lack, LackCause};
pub use literals::literals;
pub use mark::{ATTEMPT_MARK, MSISDN_MARK, MarkedContent, USER_MARK, Variable, Variables, expiry_mark, mark};
pub use parts::{BilledParts, PartsOf, PlainText, Widening};
pub use pattern::{Pattern, SubmissionTimes, To};
pub use plain::{as_sent, plain_marked};
pub use recipient_text::RecipientText;
pub use sms::{Alphabet, PARTS_MAX, Segments, beyond_gsm7, segments};
pub use values::check_values;
