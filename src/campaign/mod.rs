//! Campaigns: from what a person writes to what is launched.
//!
//! In: a campaign file or the same JSON ([`Draft`]), the configuration's lanes, the names of an audience's columns, and
//! what time it is. Out: when it may leave ([`schedule`]), the plan that a batch is launched with ([`plan`]), and what
//! is allowed but probably not meant ([`lint`]).
//! Promises: no key is ignored; all problems are told at once, each with its step, its key and what to do; a plan that
//! comes out of here holds every rule of the route, so that nobody behind has to look again.
//! May not, in these files: read a clock, open a store or a socket, or any file but the campaign's.

mod content;
mod error;
mod file;
mod lint;
mod route;
mod table;
mod time;

pub use error::{FileError, Problem, lines};
pub use file::{Draft, DraftStep};
pub use lint::{Facts, Lint, Warning, lint};
pub use route::plan;
pub use time::{Instant, Schedule, instant, schedule};

#[cfg(test)]
mod tests;
