//! File to recipients: sniff, decode, read, find the number column, validate, deduplicate, count, reject.
//!
//! In: a recipient file as people have it, CSV of any common shape or XLSX, or numbers written inline; a default
//! country; who has opted out. Out: recipients in the file's order and in chunks, every other row as a [`Reject`]
//! with its line and [`Reason`], and a [`Summary`].
//!
//! Promises:
//! - The content decides what a file is, never its name.
//! - `rows = valid + invalid + duplicates + opted_out`, and every row comes out exactly once, accepted or rejected.
//!   Rows in which every cell is blank are not rows: they are skipped, not counted, and still advance line numbers.
//! - Memory is bounded by the chunk, not by the file: beside a few blocks of rows it holds one integer per distinct
//!   number. (A spreadsheet's table of shared texts is read whole, since its cells point into it.)
//! - Of the sources of one campaign the first that names a number has it; what names it later leaves it out.
//! - A field is the text of its cell, untouched; only the number, the country and the id are read trimmed.
//! - Whatever the bytes are, the answer is a summary or a sentence, never a panic and never half an output file.
//!
//! May not: read a clock (the caller adds the seconds), block an async thread ([`read`] is blocking: call it from
//! `spawn_blocking`), or know who opted out other than by asking.

mod area;
mod beside;
mod block;
mod charset;
mod check;
mod codes;
mod collect;
mod columns;
mod country_names;
mod decode;
mod delimiter;
mod demo;
mod error;
mod evidence;
mod header;
mod import;
mod known;
mod names;
mod note;
mod number;
mod onto;
mod open;
mod outputs;
mod pipeline;
mod read;
mod reason;
mod repeats;
mod seen;
mod sheet;
mod sieve;
mod sniff;
mod split;
mod summary;
mod survey;
mod table;
mod text;
mod vocabulary;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod suites;

pub use check::Reject;
pub use columns::{Columns, Mapping};
pub use demo::{MAX_DEMO_RECIPIENTS, write_demo};
pub use error::{BoxError, Error};
pub use import::{
    ImportError, Imported, Keep, OnProgress, STORING, Source, each_number, import, numbers, survey, understood,
};
pub use known::{Known, Met};
pub use note::Note;
pub use number::example as example_number;
pub use open::{Packed, is_stdin};
pub use outputs::Outputs;
pub use pipeline::{Halt, Progress, Sink};
pub use read::{Lines, Options, delimiter, encoding, read, read_numbers};
pub use reason::Reason;
pub use sheet::{SheetChoice, hush_stumbling_readers};
pub use sieve::Sieve;
pub use summary::{Example, Field, Summary};
pub use survey::Survey;
