//! Where a database file truly lies: one file has one name, however it was named.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::store::{Error, Result};

/// Links that lead to one another further than this lead nowhere.
const LINKS_MAX: u32 = 40;

/// The file's own path, through every symbolic link, also where it is not there yet: the files that stand beside it are
/// named after it, and whoever comes by another name has to find the same ones.
///
/// Refuses a file with several hard links: none of its names is more its own than the others, and SQLite's log stands
/// beside the one that it was opened by.
pub(super) fn true_path(named: &Path) -> Result<PathBuf> {
    let path = resolved(named);
    match links(&path) {
        links @ 2.. => Err(Error::HardLinked { place: named.display().to_string(), links }),
        _ => Ok(path),
    }
}

/// Where it cannot be resolved the name is left as it is: opening it says what is wrong with it.
fn resolved(named: &Path) -> PathBuf {
    let mut path = named.to_owned();
    for _ in 0..LINKS_MAX {
        match path.canonicalize() {
            Ok(path) => return path,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(_) => return path,
        }
        // A file that is not there yet, or a link to one.
        let Some(name) = path.file_name().map(ToOwned::to_owned) else { return path };
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let Ok(folder) = parent.canonicalize() else { return path };
        match std::fs::read_link(folder.join(&name)) {
            Ok(target) => path = folder.join(target),
            Err(_) => return folder.join(name),
        }
    }
    path
}

#[cfg(unix)]
fn links(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).map_or(0, |metadata| if metadata.is_file() { metadata.nlink() } else { 0 })
}

#[cfg(not(unix))]
const fn links(_: &Path) -> u64 {
    0
}

/// A file that stands beside the database.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
