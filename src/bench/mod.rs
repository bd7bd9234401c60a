//! Measures what is promised, each against a limit measured in the same run, with the durable path on.
//!
//! In: how much of what, how many runs, over how many connections. Out: figures.
//! Promises: every run is a process of its own and meets whatever it talks to in another, so that memory is the run's
//! alone and nobody borrows the other's time; limit and product take turns, and what is quoted is the median of their
//! ratios.
//! May not: leave out the durable part, or keep anything when it is done.

pub mod cancel;
pub mod dispatch;
pub mod engine;
mod figures;
pub mod import;
pub mod pace;
pub mod receipts;
mod sink;
mod stock;
pub mod timers;

pub use figures::{Begun, Figures, Held, Run, Target};
pub use sink::{SinkProcess, arrival_line, run_sink};
pub use stock::{Laid, Stock, fill};

pub type Error = Box<dyn std::error::Error + Send + Sync>;
