//! Free space on the disk of the database.

use std::io::{self, Write as _};
use std::path::Path;

use crate::store::{LOW_SPACE, free_space};

/// Size of the test file: more than the server writes at once.
const TEST_BYTES: usize = 1024 * 1024;

#[derive(Debug)]
pub(super) enum Space {
    /// The free bytes, if the file system reports them.
    Enough(Option<u64>),
    Low(u64),
    /// The test file could not be written.
    Unwritable(io::Error),
}

/// Measures the free space beside the database, and writes an unnamed test file there, which disappears at once.
pub(super) fn space_beside(database: &Path) -> Space {
    // Follow a symbolic link to the file itself.
    let database = database.canonicalize().unwrap_or_else(|_| database.to_owned());
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let test_file = tempfile::tempfile_in(folder).and_then(|mut file| file.write_all(&vec![0; TEST_BYTES]));
    match (test_file, free_space(folder).ok()) {
        (Err(error), _) => Space::Unwritable(error),
        (Ok(()), Some(bytes)) if bytes < LOW_SPACE => Space::Low(bytes),
        // The file system may not report its free space, but it accepted the test file.
        (Ok(()), free) => Space::Enough(free),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writable_folder_has_space_and_keeps_no_test_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!matches!(space_beside(&folder.path().join("volley.db")), Space::Unwritable(_)));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(matches!(space_beside(&folder.path().join("gone/volley.db")), Space::Unwritable(_)));
    }
}
