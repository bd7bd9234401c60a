//! How much room the disk of the database has.

use std::io::{self, Write as _};
use std::path::Path;

/// What is written on trial: more than the server writes at once.
const TRIAL_BYTES: usize = 1024 * 1024;
/// With less than this a campaign may fill the disk before somebody sees it.
const LITTLE_BYTES: u64 = 100 * 1024 * 1024;

#[derive(Debug)]
pub(super) enum Room {
    /// So many bytes, where the file system tells.
    Enough(Option<u64>),
    Little(u64),
    /// Nothing can be written there.
    Nothing(io::Error),
}

/// Writes a file on trial beside the database, which nobody sees and which is gone at once.
pub(super) fn room_beside(database: &Path) -> Room {
    // Where the file itself is, and not a link to it.
    let database = database.canonicalize().unwrap_or_else(|_| database.to_owned());
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let trial = tempfile::tempfile_in(folder).and_then(|mut file| file.write_all(&vec![0; TRIAL_BYTES]));
    match (trial, rustix::fs::statvfs(folder)) {
        (Err(error), _) => Room::Nothing(error),
        (Ok(()), Ok(found)) => match found.f_bavail.saturating_mul(found.f_frsize) {
            bytes if bytes < LITTLE_BYTES => Room::Little(bytes),
            bytes => Room::Enough(Some(bytes)),
        },
        // A file system that does not tell how much it has took what was written.
        (Ok(()), Err(_)) => Room::Enough(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_takes_a_file_has_room_and_keeps_nothing_of_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!matches!(room_beside(&folder.path().join("volley.db")), Room::Nothing(_)));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(matches!(room_beside(&folder.path().join("gone/volley.db")), Room::Nothing(_)));
    }
}
