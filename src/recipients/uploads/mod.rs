//! Recipient files that clients upload: on disk, resumable, and imported in the background.
//!
//! In: the parts of a file, and how it is to be imported. Out: how much of it is on disk, the progress of its import, and
//! its result.
//!
//! Promises:
//! - What is acknowledged is on disk. A broken upload keeps what has arrived, also after a crash.
//! - An accepted import is carried out exactly once, also after a crash. After two crashes during it, it has failed.
//! - A file is removed once it is imported, or a day after its last use. Only its owner can read it, and its name on disk
//!   is not chosen by a client.
//! - Number and size of all files are bounded, and so is the memory that they take.
//!
//! May not: decide what an import accepts (the room `audience` does), or know HTTP.

mod beside;
mod error;
mod folder;
mod id;
mod import;
mod receive;
mod record;
#[cfg(test)]
mod tests;
mod view;

pub use beside::StoredUploads;
pub use error::{ImportRefused, ReceiveError, UploadError};
pub use folder::UploadFolder;
pub use id::UploadId;
pub use import::Imports;
pub use record::ImportTarget;
pub use view::{ImportProgressView, ImportState, UploadView};

use crate::base::domain::Span;

/// How long a file is kept after its last use, and the result of its import.
pub const KEPT: Span = Span::from_secs(86_400);
