//! Receipts, and what people write: verify, store, apply.
//!
//! In: the raw bodies of webhooks with their proofs. Out: facts on disk, messages moved on and wishes obeyed, acknowledged
//! after the commit; how many were turned away, and whether receipts of ours were among them.
//! Promises: whatever is authentic is kept, also what is for somebody else, of an unknown type or not readable; the
//! same receipt twice, late or out of order changes nothing twice; one that overtakes its send's answer is applied
//! all the same, at once or when that answer is on disk; nothing is acknowledged that is not on disk.
//! May not: know HTTP beyond the two headers that prove a body, or decide about a message (the engine does).

mod answers;
mod applier;
mod business;
mod door;
mod incoming;
mod intake;
mod naming;
mod outcome;
mod proof;
mod strays;
mod tell;
#[cfg(test)]
mod tests;
mod told;
mod tries;
mod working;

pub use applier::{Applier, Listening, Of};
pub use door::Door;
pub use intake::{Failed, Intake};
pub use proof::{FromHeaders, Proofs, Unproven};
pub use tell::{Heard, PlaceNews, Tell, TooFast};
pub use told::News;
