//! How many messages may be sent now.
//!
//! In: rates, bursts and tiers from the configuration; the provider's answers; holds from the store. Out: a permit to
//! send a number of messages now, or the time to retry.
//!
//! Promises:
//! - A lane and an account pass no more than rate and burst allow in any window, also after a restart, which begins
//!   with empty buckets.
//! - A lane that was throttled resumes more slowly.
//! - A portfolio's recipients are counted over any rolling day, also across restarts. A recipient to whom nothing was
//!   submitted does not count.
//! - A hold applies at once, until an operator releases it.
//! - A server that has not renewed its lease in time sends nothing.
//! - Waiting consumes nothing.
//!
//! May not: send, choose messages, or decide the state of a message.

mod backoff;
mod bucket;
mod circuit;
mod holds;
mod lane_test;
mod overrides;
mod pairs;
#[cfg(test)]
mod properties;
mod standstill;
mod tenure;
mod tier;

pub use backoff::{Backoff, Throttling};
pub use bucket::{Bucket, Pace, Reserved, RetryAt};
pub use circuit::{Admission, Circuit, End, Era, Permit, Read};
pub use holds::Holds;
pub use lane_test::{LaneTest, OF_ONE_BATCH, Refuted, TestPhase, UnclearRefusal, Waiting};
pub use overrides::{in_file, is_over, with_overrides};
pub use pairs::Pairs;
pub use standstill::{Standstill, StandstillCause};
pub use tenure::{LEASE, Tenure, TenureEnd};
pub use tier::{Reservation, SUBMITTED_WITHIN, TierWindow};
