//! Campaigns: from what a person writes to what is launched.
//!
//! In: a campaign file or the same JSON ([`Draft`]), the configuration's lanes, people, and what time it is.
//! Out: when it may leave ([`schedule`]), the plan that a batch is launched with ([`plan`]), what is allowed but probably
//! not meant ([`lint`]), and a batch in the store.
//! Promises: no key is ignored; all problems are told at once, each with its step, its key and what to do; a plan that
//! comes out of here holds every rule of the route, so that nobody behind has to look again.
//! And then its life: planned and launched ([`Launcher`]), paused, resumed and cancelled by people, begun, finished and
//! settled by itself ([`Housekeeper`]), reported on ([`Report`]) and explained ([`explain`]).
//! May not: send, or decide about a single message, which is the engine's alone.

mod content;
mod error;
mod excluded;
mod explain;
mod file;
mod launch;
mod life;
mod lint;
mod noted;
mod people;
mod report;
mod route;
mod stranded;
mod table;
mod time;
mod words;

pub use error::{FileError, Problem, lines};
pub use excluded::{Excluded, NotExcluded};
pub use explain::{FactLine, Line, Story, explain};
pub use file::{Draft, DraftStep};
pub use launch::{LaunchError, Launched, Launcher, Prepared};
pub use life::{Decided, Housekeeper, cancel, pause, resume};
pub use lint::{Facts, Lint, Warning, lint};
pub use noted::{Noted, noted};
pub use people::{People, PeopleError};
pub use report::{Counts, FellBack, Outcomes, RateNow, Report, Show, StepReport, Unknown};
pub use route::plan;
pub use stranded::Stranded;
pub use time::{Instant, Schedule, instant, schedule};

#[cfg(test)]
mod tests;
