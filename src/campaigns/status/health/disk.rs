//! Free space on the disk of the database.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{Findings, Health};
use crate::base::domain::size;
use crate::store::{LOW_SPACE, free_space};

/// Size of the test file: more than the server writes at once.
const TEST_BYTES: usize = 1024 * 1024;

#[derive(Debug)]
enum Space {
    /// The free bytes, if the file system reports them.
    Free(Option<u64>),
    /// The test file could not be written.
    Unwritable(io::Error),
}

/// Measures the free space beside the database, and writes an unnamed test file there, which disappears at once.
fn space_beside(database: &Path) -> Space {
    // Follow a symbolic link to the file itself.
    let database = database.canonicalize().unwrap_or_else(|_| database.to_owned());
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let test_file = tempfile::tempfile_in(folder).and_then(|mut file| file.write_all(&vec![0; TEST_BYTES]));
    match (test_file, free_space(folder).ok()) {
        (Err(error), _) => Space::Unwritable(error),
        // The file system may not report its free space, but it accepted the test file.
        (Ok(()), free) => Space::Free(free),
    }
}

impl Findings {
    /// Checks the free space for what a server writes, and that its folder is writable.
    pub async fn check_disk(&mut self, database: PathBuf) {
        let space = tokio::task::spawn_blocking(move || space_beside(&database)).await;
        match space.unwrap_or_else(|error| Space::Unwritable(io::Error::other(error))) {
            Space::Free(Some(bytes)) => self.add_free_space(bytes),
            Space::Free(None) => self.add_ok("disk", "the folder of the database is writable"),
            Space::Unwritable(error) => {
                let text = format!("the folder of the database is not writable: {error}");
                self.add("disk", Health::Failed, text, Some("free disk space, or make the folder writable"));
            }
        }
    }

    /// Reports the free space in the folder of the database.
    pub fn add_free_space(&mut self, bytes: u64) {
        if bytes >= LOW_SPACE {
            return self.add_ok("disk", format!("{} free in the folder of the database", size(bytes)));
        }
        let text = format!("only {} free in the folder of the database", size(bytes));
        let advice = "free disk space: a server that cannot write sends nothing";
        self.add("disk", Health::Warning, text, Some(advice));
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
