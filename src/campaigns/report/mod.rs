//! Reports what became of a campaign: its figures, its messages and its recipients.
//!
//! In: a batch in the store.
//! Out: figures from the counters ([`Report`], [`Show`]), by country and code ([`breakdown`]), a row for each recipient
//! ([`export`]), the messages of a number ([`lookup`]), with what it wrote ([`history_of`]), and their results ([`results_of`]), and how many messages wait for
//! a hold or a removed lane ([`QueuedMessages`], [`Stranded`]).
//! Promises: figures of the counters cost the same for any size. A breakdown and an export read one copy, as of one
//! instant. An export is complete, or not there.
//! May not: change anything.

mod breakdown;
mod brief;
mod codes;
mod copied;
mod course;
mod export;
mod figures;
mod history;
mod lookup;
mod messages;
mod reading;
mod results;
mod search;
mod sheets;
mod step_facts;
mod steps;
mod stranded;
mod view;
mod waiting;

pub use breakdown::{Breakdown, CodeReport, CountryReport, breakdown};
pub use brief::{StepBrief, StepResult, steps_in_brief};
pub use codes::{CodeFilter, CodeResult, messages_with_code, retain_with_code};
pub use copied::CopyProgress;
pub(crate) use copied::copied;
pub use course::{CoursePoint, distance, line, superfluous};
pub use export::{ExportColumns, ExportRows, NoColumn, export};
pub(crate) use figures::UNKNOWN_SHOWN;
pub use figures::{Counts, Outcomes, RateNow, ReplyReport, Report, Show, Unknown, as_counted};
pub use history::{History, HistoryCounts, HistoryCursor, HistoryEntry, history_of};
pub use lookup::{Pages, lookup, lookup_everywhere, message_by_id, messages_from, messages_to_within, numbers_of};
pub(crate) use lookup::{Positions, messages_everywhere, positions};
pub use messages::{MessageView, MessageViews};
pub(crate) use reading::{failure, report_of};
pub use results::{MessageResult, results_at, results_in, results_of};
pub use search::{
    FoundMessages, MessageCursor, MessageFilter, RecipientCursor, StateName, messages_in_all, messages_to,
};
pub use sheets::{Sheets, WriteError, csv_text};
pub use step_facts::StepFact;
pub use steps::{Entered, FellBack, NotSubmitted, StepCourse, StepReport};
pub use stranded::Stranded;
pub use view::{BatchView, ReportView};
pub use waiting::QueuedMessages;
