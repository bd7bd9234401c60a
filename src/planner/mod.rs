//! Who leaves next, and why.
//!
//! In: the queues of a lane that are worth a look, with what binds them, and page by page whoever stands in front of
//! each. Out: who leaves, who moves on without leaving, and when each queue is worth a look again.
//! Promises: no I/O, no clock, no chance: the same question has the same answer. Everybody on a page gets a verdict or
//! has their turn with the next claim. Whoever may not leave now stands in nobody's way; only a limit is used in turn.
//! May not: read or write. Whoever asks it reads its pages and sets off exactly those whom it names.
//!
//! [`Order`] says which queues are next. [`Planner`] then goes through them, a round at a time: it shares out evenly
//! what may still leave, asks for a page of each queue, and judges it. What one queue leaves over, the next round shares
//! out among the others.

mod hours;
mod limits;
mod order;
mod rest;
mod round;
#[cfg(test)]
mod tests;
mod tier;

pub use hours::Timing;
pub use limits::{Cap, Capped, Price, Reached, Used};
pub use order::{Chosen, Order, Ready};
pub use rest::Rest;
pub use round::{Candidate, Course, Decided, Leaving, Look, Move, Planner, Turn, Why};
pub use tier::{Impatient, Pass, Places, TierClaim};
