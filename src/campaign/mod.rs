//! Campaigns: plans, launches, controls and reports them.
//!
//! In: a campaign file or the same JSON ([`Draft`]), the configuration's lanes, the recipients, and the time. Out: when
//! a campaign may send ([`schedule`]), the plan of its batch ([`plan`]), warnings about input that is allowed but
//! probably not intended ([`lint`]), and a batch in the store. Promises: no key is ignored. All problems are reported
//! at once, each with its step, its key and what to do. A plan obeys every rule of the route, so later rooms do not
//! check it again. Later: a campaign is planned and launched ([`Launcher`]). Operators pause, resume and cancel it. The
//! housekeeper starts, finishes and settles it ([`Housekeeper`]). It is reported ([`Report`]), explained ([`explain`])
//! and audited ([`audit`]). May not: send messages, or decide about a single message, which only the engine does.

mod again;
mod amend;
mod audit;
mod beginnings;
mod breakdown;
mod certificate;
mod chosen;
mod claims;
mod copied;
mod cost;
mod decisions;
mod endings;
mod error;
mod excluded;
mod explain;
mod export;
mod file;
mod flagged;
mod forecast;
mod guards;
mod hand_overs;
mod held;
mod join;
mod launch;
mod left_out;
mod life;
mod lint;
mod lint_hours;
mod lint_pace;
mod lookup;
mod noted;
mod outlook;
mod passes;
mod prices;
mod recipients;
mod replay;
mod report;
mod retention;
mod route;
mod shares;
mod sheets;
mod stranded;
mod time;
mod trial;
mod unsent;
mod unwilling;
mod used_up;
mod waiting;
mod windows;
mod words;

pub use again::Repeat;
#[cfg(test)]
pub(crate) use amend::bring_forward;
pub use amend::{Amend, Amended};
pub use audit::{Audit, Claim, Example, Strays, audit};
pub use beginnings::Beginnings;
pub use breakdown::{Breakdown, CodeReport, CountryReport, breakdown};
pub use certificate::certify;
pub use chosen::{Chosen, DraftRoute};
pub use copied::Progress;
pub use cost::Cost;
pub use decisions::{Decided, Released, cancel, hold_step, pause, release_steps, resume, start};
pub use error::{FileError, lines};
pub use excluded::{Excluded, NotExcluded};
pub use explain::{FactLine, Line, Story, explain};
pub use export::{Columns, NoColumn, export};
pub use file::Draft;
pub use flagged::Flagged;
pub use forecast::{BookedDay, Booking, Bottleneck, Forecast, NotSent, Stop};
pub use held::held;
pub use launch::{LaunchError, Launched, Launcher, Prepared};
pub use left_out::LeftOut;
pub use life::Housekeeper;
pub use lint::{Facts, Lint, Warning, lint};
pub use lookup::{Pages, lookup, lookup_everywhere};
pub use noted::{Noted, noted};
pub use prices::{PriceError, PriceList};
pub use recipients::{Recipients, RecipientsError};
pub use report::{Counts, FellBack, Outcomes, RateNow, Report, Show, StepReport, Unknown, as_counted};
pub use retention::{Erasure, Overdue, overdue, purge};
pub use route::{check_routes, plan};
pub use shares::{Share, Shares};
pub use sheets::{Sheets, WriteError};
pub use stranded::Stranded;
pub use time::{Instant, Schedule, instant, schedule};
pub use trial::Trial;
pub use used_up::{UsedUp, used_up};
pub use waiting::Waiting;
pub use words::state as state_of;

#[cfg(test)]
mod tests;
