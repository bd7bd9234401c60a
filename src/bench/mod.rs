//! Measures what is promised, each against a limit measured in the same run, with the durable path on.
//!
//! In: how many messages, how many runs, over how many connections. Out: figures.
//! Promises: every run is a process of its own and sends to a sink that is another, so that memory is the run's alone
//! and nobody borrows the other's time; limit and product take turns, and what is quoted is the median of their ratios.
//! May not: leave out the durable part, or keep anything when it is done.

mod database;
mod figures;
mod limit;
mod product;
mod sink;

pub use database::database;
pub use figures::{Begun, Figures, Run};
pub use limit::limit;
pub use product::product;
pub use sink::{SinkProcess, run_sink};

use std::num::NonZeroU32;

/// What one run is to do.
#[derive(Debug, Clone)]
pub struct Load {
    pub messages: u32,
    pub connections: NonZeroU32,
    /// Messages in one request; one for single posts.
    pub batch: NonZeroU32,
    /// Receipts that come back for each message.
    pub receipts: usize,
}

pub type Error = Box<dyn std::error::Error + Send + Sync>;
