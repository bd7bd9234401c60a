//! What to say: parse, validate against the channel's rules, bind columns, render, count SMS segments.
//!
//! In: a [`Content`](crate::domain::Content) with variables, the names of an audience's columns, a recipient's fields.
//! Out: problems as sentences ([`check`]); a marked content whose JSON the `provider` room writes once ([`mark`]); a
//! [`Pattern`] that renders it for one recipient after another; a [`preview`] for people; [`segments`] of an SMS.
//! Promises: variables are parsed once, at launch; rendering appends to a buffer, allocates nothing, yields sound
//! JSON, and on a missing value leaves the buffer as it was. An empty cell is a missing value. Values go out as they
//! are: nothing is encoded for addresses, so that a cell may hold a path as well as a word.
//! May not: know the provider's JSON; use any room but `domain` and `config`; do I/O.

mod check;
mod error;
mod mark;
mod parts;
mod pattern;
mod preview;
mod sms;
mod text;

pub use check::check;
pub use error::{Error, InvalidPattern, Missing, Place, Problem};
pub use mark::{ATTEMPT_MARK, MSISDN_MARK, Slot, Slots, expiry_mark, mark};
pub use parts::PartsOf;
pub use pattern::Pattern;
pub use preview::{Line, literals, preview};
pub use sms::{Alphabet, PARTS_MAX, Segments, beyond_gsm7, segments};
