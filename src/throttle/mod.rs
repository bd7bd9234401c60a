//! How many may leave now.
//!
//! In: rates, bursts and tiers from the configuration; what the provider answered; holds from the store. Out: leave to
//! send so many now, or until when to wait.
//! Promises: a lane and an account pass no more than rate and burst allow in any window, also after a restart, which
//! begins with empty buckets; a lane that was throttled goes on more slowly; a portfolio's people are counted over any
//! rolling day, also across restarts, and whoever nothing was handed over to does not count; a hold counts at once, and
//! until a person lifts it; a server that has not renewed its lease in time sends nothing; waiting consumes nothing.
//! May not: send, choose messages, or decide what becomes of them.

mod brake;
mod bucket;
mod circuit;
mod dials;
mod holds;
mod pairs;
#[cfg(test)]
mod properties;
mod standstill;
mod tenure;
mod tier;

pub use brake::{Brake, Complaint};
pub use bucket::{Again, Bucket, Pace, Reserved};
pub use circuit::{Circuit, End, Entry, Era, Permit, Read};
pub use dials::{in_file, is_over, turned};
pub use holds::Holds;
pub use pairs::Pairs;
pub use standstill::{Cause, Standstill};
pub use tenure::{LEASE, Tenure};
pub use tier::{LEAVES_WITHIN, Reservation, TierWindow};
