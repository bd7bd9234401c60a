//! Who leaves next, and why.
//!
//! In: the queues of a lane that may hold due messages, the rules of their steps, and pages of the due messages.
//! Out: the messages that leave, the messages that move without leaving, and when to look at each queue again.
//! Promises: no I/O, no clock, no chance: the same question has the same answer. Each message of a page gets a verdict,
//! or waits for the next claim. A message that may not leave now blocks no other message that a claim reads; only a limit
//! or a budget of a campaign blocks the rest of its queue.
//! May not: read or write. The store reads the pages and sets off exactly the messages that leave.
//!
//! [`Order`] chooses the queues of one claim. [`Planner`] walks along them in rounds. Each round shares the rest of the
//! claim's limit evenly among the queues, asks for a page of each, and judges it. The next round shares what a queue did
//! not use among the others. A page is in the order of its queue: the message that may go earliest first, then by number.
//!
//! Not here: the rate, which is in the claim's limit; pauses and holds, which are in [`Ready::may_leave`].

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
pub use round::{Candidate, Course, Decided, Leaving, Look, Move, MoveReason, Planner, Terms};
pub use tier::{FallbackQueue, Pass, Slots, TierStanding};
