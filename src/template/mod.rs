//! Checks contents against the rules of their channel, binds variables to columns, renders, and counts SMS segments.
//!
//! In: a [`Content`](crate::domain::Content) with variables, the names of an audience's columns, a recipient's fields.
//!
//! Out:
//! - [`check`]: the errors of a content.
//! - [`mark`]: a content with markers, whose JSON is written once.
//! - [`Pattern`]: renders that JSON for one recipient after another.
//! - [`preview`]: the message of a recipient for an operator to read.
//! - [`segments`]: the segments of an SMS.
//!
//! Promises:
//! - Variables are parsed once, at launch.
//! - Rendering appends to a buffer, allocates nothing, and yields valid JSON. On a missing value it leaves the buffer
//!   unchanged. An empty cell is a missing value.
//! - Values are not encoded for addresses, so a cell may hold a path as well as a word.
//!
//! May not: know the provider's JSON; use any room but `domain`; do I/O.

mod check;
mod error;
mod mark;
mod parts;
mod pattern;
mod preview;
mod sms;
mod text;

pub use check::check;
pub use error::{ContentProblem, Error, InvalidPattern, Missing};
pub use mark::{ATTEMPT_MARK, MSISDN_MARK, MarkedContent, Variable, Variables, expiry_mark, mark};
pub use parts::PartsOf;
pub use pattern::Pattern;
pub use preview::{PreviewLine, literals, preview};
pub use sms::{Alphabet, PARTS_MAX, Segments, beyond_gsm7, segments};
