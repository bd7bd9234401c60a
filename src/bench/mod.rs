//! Benchmarks of the promised figures, each against a limit measured in the same run, with durable writes.
//!
//! - In: the work of a run, the number of runs, the number of connections.
//! - Out: figures.
//! - Promises: every run is a process of its own, and its counterpart is another process. So memory is the run's alone,
//!   and neither uses the other's processor time. Limit and product take turns, and the reported ratio is the median of
//!   their ratios.
//! - May not: omit the durable writes, or leave anything on disk when it is done.

pub mod api;
pub mod browse;
pub mod cancel;
pub mod dispatch;
pub mod engine;
mod figures;
mod http;
pub mod import;
mod journal;
pub mod pace;
pub mod receipts;
mod served;
mod sink;
mod stock;
pub mod timers;

pub use figures::{Begun, Figures, Held, Run, Target};
pub use sink::{SinkProcess, arrival_line, run_sink};
pub use stock::{Laid, Stock, fill};

pub type Error = Box<dyn std::error::Error + Send + Sync>;
