//! Why an upload or its import was refused.

use std::io;

use super::UploadId;
use crate::base::domain::ByteSize;

#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    #[error("unknown upload {0}; an upload is removed once it is imported, or a day after its last use")]
    Unknown(UploadId),
    #[error("{0}")]
    Name(&'static str),
    #[error(
        "the file is larger than {most}, the limit of all uploads together (`server.uploads_max`); import it with `volley audience import`"
    )]
    TooLarge { most: ByteSize },
    #[error("too many uploads at once; delete one, or retry after an import has ended")]
    TooMany,
    #[error(
        "no room for another upload: all of them may have {most} together (`server.uploads_max`), and some disk space must stay free; delete one, or retry after an import has ended"
    )]
    NoRoom { most: ByteSize },
    #[error("upload {0} is being imported; wait for the end of its import")]
    Importing(UploadId),
    #[error("the file of an upload cannot be read or written")]
    Disk(#[from] io::Error),
}

/// Why a part of a file was not taken, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError<E> {
    #[error(transparent)]
    Upload(#[from] UploadError),
    #[error("the upload has {on_disk} bytes, so a part must begin there, not at {offset}")]
    WrongOffset { offset: u64, on_disk: u64 },
    #[error("the file has {length} bytes as declared, and the part goes beyond them")]
    TooLong { length: u64 },
    #[error("a later request continues the upload")]
    Superseded,
    /// The body ended early. What has arrived is on disk.
    #[error("the part ended before it was complete")]
    Body(E),
}

/// Why an import was not begun.
#[derive(Debug, thiserror::Error)]
pub enum ImportRefused {
    #[error(transparent)]
    Upload(#[from] UploadError),
    #[error("upload {0} was imported; upload the file again to import it again")]
    Imported(UploadId),
    #[error("upload {id} has {received} of {length} bytes; send the rest first")]
    Incomplete { id: UploadId, received: u64, length: u64 },
    #[error("upload {0} is in use: a part of it is being sent; wait for its end")]
    InUse(UploadId),
    #[error("an audience \"{0}\" exists; choose another name, or append to it")]
    NameTaken(String),
    #[error(
        "other corrected rows of \"{0}\" are being imported; wait for the end of that import, and look which rows are left"
    )]
    BeingCorrected(String),
    #[error("unknown audience \"{0}\"; see `volley audience list`")]
    UnknownAudience(String),
    #[error(transparent)]
    Store(#[from] crate::store::Error),
}
