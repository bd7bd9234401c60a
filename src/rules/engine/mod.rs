//! The fallback state machine: `(plan, standing, present, event, now) -> decision`.
//!
//! In: the plan of a batch, whether the batch is cancelled, the present of one message, an event, and its time.
//! Out: the next present and the rule that decided it, or the reason why nothing changes.
//! Promises: the engine alone decides the changes of a message's state; the same input always gives the same decision;
//! it neither allocates nor fails; a repeated, late or out-of-order event is a valid input.
//! May not: read a clock, do I/O, be async, or use any room but `domain`.
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
mod progress;
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

pub use event::{Answer, AttemptReport, CallOff, Decision, Event, Ignored, Rule, Silence, StepObstacle};
pub use gap::{Gap, KnownGaps, REPEATED_FOR};
pub use machine::{Standing, advance, begin};
pub use news::{OnRecord, counts};
pub use progress::progress;
pub use ruling::{Cause, Made, Met, Note, Ruling, Worth, is_more_than_a_time};
