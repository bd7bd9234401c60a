//! File to recipients: sniff, decode, read, find the number column, validate, deduplicate, count, reject.
//!
//! In: a recipient file (CSV of any common shape, or a spreadsheet) or inline numbers; a default country; the opt-outs.
//! Out: recipients in the file's order and in chunks; every other row as a [`Reject`] with its line and [`Reason`]; a
//! [`Summary`].
//!
//! Promises:
//! - The content decides the format of a file; its name does not.
//! - `rows = valid + invalid + duplicates + opted_out`, and every row comes out exactly once, accepted or rejected.
//!   Rows with only blank cells are skipped and not counted, but they advance the line numbers.
//! - Memory is bounded by the chunk, not by the file. It holds a few blocks of rows and one integer per distinct number.
//!   (A spreadsheet's table of shared texts is read whole, because its cells point into it.)
//! - Among the sources of one campaign, the first that contains a number keeps it; later sources skip it.
//! - A field is the unchanged text of its cell; only the number, the country and the id are trimmed.
//! - Any bytes give a summary or an error, never a panic and never half an output file.
//!
//! May not: read a clock while it reads a file, block an async thread ([`read`] is blocking: call it from
//! `spawn_blocking`), or read the store while it reads a file (what the store knows is loaded before).

mod addresses;
mod align;
mod area;
mod background;
mod block;
mod calling_codes;
mod charset;
mod check;
mod collect;
mod columns;
mod country_names;
mod decode;
mod default_country;
mod delimiter;
mod demo;
mod error;
mod evidence;
mod exported;
mod filter;
mod findings;
mod header;
mod import;
mod known;
mod listed;
mod names;
mod note;
mod number;
mod open;
mod outputs;
mod pipeline;
mod read;
mod reason;
mod record;
mod rejected;
mod repeated_ids;
mod rows;
mod seen;
mod selection;
mod settings;
mod sheet;
mod sniff;
mod split;
mod summary;
mod survey;
mod table;
mod text;
mod view;
mod vocabulary;

#[cfg(test)]
mod csv_suites;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod heavy;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod samples;
mod source;
#[cfg(test)]
mod users;

pub use addresses::{addresses, each_address};
pub use check::Reject;
pub use columns::{Columns, Mapping};
pub use default_country::{DefaultCountry, UnknownCountry};
pub use demo::{MAX_DEMO_RECIPIENTS, write_demo};
pub use error::{BoxError, Error};
pub use filter::SourceFilter;
pub use import::{ImportError, Imported, Keep, OnProgress, STORING, import, only_addresses, survey};
pub use known::KnownRecipients;
pub use listed::{ListedNumbers, OptOutChangeView};
pub use note::ImportNote;
pub use number::{example as example_number, of_program as number_of_program};
pub use open::{Packed, is_stdin};
pub use outputs::{Outputs, folder_of, resolved};
pub use pipeline::{Halt, ReadingProgress, Sink};
pub use read::{Lines, Options, delimiter, encoding, read, read_numbers};
pub use reason::{Readings, Reason};
pub use record::{Corrected, ImportRecord, UnreadableRecord, imported_before};
pub use rejected::{
    CorrectedRows, ListedReject, REJECTS_MAX, RejectTable, RejectedPlace, Rejection, file_of, rejected_row,
    rejected_rows, whole_summary,
};
pub use rows::{AudienceRows, sample};
pub use seen::SeenRecipients;
pub use selection::{BoundSelection, Evidence, Misread, Selection, SelectionError};
pub use settings::{FileSettings, InvalidSetting};
pub use sheet::{SheetChoice, hush_stumbling_readers};
pub use source::{Source, UploadedSource};
pub use summary::{ColumnMeaning, Example, Field, Summary};
pub use survey::{Observer, OddCells, RecipientObserver, Survey};
pub use view::{AudienceView, CheckView, ImportView, NoteView, PartView, RecipientView, RemovedView, SummaryView};
