//! Tells what happened to a message, and checks what is recorded.
//!
//! In: a batch in the store, with the facts and rulings of its messages.
//! Out: a message's history in sentences ([`explain`]), and whether each claim about a campaign holds ([`audit`]).
//! Promises: nothing is guessed. Each sentence names a recorded ruling, and each ruling is checked against the engine and
//! the facts, one step at a time.
//! May not: change anything.

mod audit;
mod brief;
mod claims;
mod decisions;
mod endings;
mod explain;
mod hand_overs;
mod replay;
mod unsent;
mod words;

pub use audit::{Audit, AuditClaim, AuditExample, Strays, audit};
pub use brief::{Brief, ExplainedStep, FailureReason};
pub use explain::{FactLine, Line, Story, explain};
