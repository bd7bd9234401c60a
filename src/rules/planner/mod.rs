//! Decides which queued messages a claim sends.
//!
//! In: the queues of a lane that may hold due messages, the rules of their steps, and pages of the due messages.
//! Out: the messages to take, the messages to ask the engine about, and when to look at each queue again.
//! Promises: no I/O, no clock, no chance: the same question has the same answer. Each message of a page gets a verdict,
//! or waits for the next round or claim. A message that cannot be sent now blocks no other message that a claim reads.
//! Only a reached limit or budget, of a step or of its campaign, ends its queue's part in the claim.
//! May not: read or write. The store reads the pages and marks exactly the taken messages `sending`.
//!
//! [`Order`] chooses the queues of one claim. [`Planner`] visits these queues in rounds. Each round shares the rest of
//! the claim's limit evenly among the queues, asks for a page of each, and judges it. The next round shares what a
//! queue did not use among the others. A page is in the order of its queue: the message that may be sent earliest
//! first, then by number.
//!
//! ```text
//!  Order::choose ──► Planner::new
//!                    Planner::begin ◄── states of the batches, use of their limits
//!              ┌───► Planner::next_pages ── none ──► Planner::end ──► taken: marked `sending`
//!              │       │ a page of each queue                         referred: the claimer asks the engine
//!              └──── Planner::judge ◄── pages, holders of slots       rests: when to look again
//! ```
//!
//! Decided elsewhere: the rate is in the claim's limit; pauses and holds of lanes and steps are in [`Ready::may_send`].
//! The state of a batch is read again in the claim ([`BatchAtClaim`]).

mod hours;
mod limits;
mod order;
mod rest;
mod round;
#[cfg(test)]
mod tests;
mod tier;
mod walk;

pub use hours::Timing;
pub use limits::{Cap, Capped, Price, Reached, Used};
pub use order::{ChosenQueues, Order, Ready};
pub use rest::Rest;
pub use round::{BatchAtClaim, PageRequest, PlannedClaim, Planner, Terms};
pub use tier::{ImpatientQueue, Pass, Slots, TierStanding};
pub use walk::{Candidate, Referral, ReferralReason, TakenMessage};
