//! The fallback machine: `(plan, standing, present, event, now) -> decision`.
//!
//! In: what a batch was launched with, whether it was called off, one message as it stands, what happened, and when.
//! Out: the message as it stands next and the rule that says so, or why nothing changes.
//! Promises: it alone draws the arrows of a message's life; the same input gives the same decision for ever; it
//! neither allocates nor fails; an event that comes twice, late or out of order is an ordinary input.
//! May not: read a clock, do I/O, be async, or know any room but `domain`.
//!
//! ```text
//!            claimed              accepted, unknown              met, failed last, closed
//!   queued ───────────► sending ───────────────────► awaiting ───────────────────────────► done
//!     ▲  ▲                 │ refused, throttled,         │ failed, deadline
//!     │  └─────────────────┘ handed back                 │
//!     └──────────────── the next step ◄──────────────────┘
//! ```

mod event;
mod gap;
mod machine;
mod news;
mod ruling;
mod times;
mod ways;

#[cfg(test)]
pub(crate) mod met;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod story;
#[cfg(test)]
mod table;

pub use event::{Answer, CallOff, Decision, Event, Ignored, Obstacle, Report, Rule, Silence};
pub use gap::{Gap, Gaps, REPEATED_FOR};
pub use machine::{Standing, advance, begin};
pub use news::{OnRecord, counts};
pub use ruling::{Cause, Made, Met, Note, Ruling, Worth, is_more_than_a_time};
