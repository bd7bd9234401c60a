//! Resolves the path of a database file: one file has one path, by whichever name it is opened.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::store::{Error, Result};

/// Symbolic links that are followed; a longer chain is treated as broken.
const LINKS_MAX: u32 = 40;

/// Returns the file's own path, with all symbolic links resolved, even if the file does not exist yet.
///
/// - The files beside the database are named after this path, so every process has to use the same one.
/// - Fails for a file with several hard links: its names are equal, but SQLite's log lies beside only the one that was
///   opened.
pub(super) fn true_path(named: &Path) -> Result<PathBuf> {
    let path = resolved(named);
    match links(&path) {
        links @ 2.. => Err(Error::HardLinked { place: named.display().to_string(), links }),
        _ => Ok(path),
    }
}

/// Resolves all symbolic links. If that fails, returns the path as it is: opening it reports the problem.
fn resolved(named: &Path) -> PathBuf {
    let mut path = named.to_owned();
    for _ in 0..LINKS_MAX {
        match path.canonicalize() {
            Ok(path) => return path,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(_) => return path,
        }
        // The file does not exist yet, or this is a link to such a file.
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

/// Creates a missing file so that only its owner can read it: it will hold every number. SQLite gives its log the same
/// permissions. Whatever prevents it also prevents the opening, which reports it.
pub(super) fn create_private(path: &Path) {
    drop(private().create_new(true).open(path));
}

/// Opens a file beside the database for locks, and gives it the permissions of the database: a user who may write the
/// one can then take the locks of the other. Only the owner can change them; for others, they are right already.
pub(super) fn open_beside(database: &Path, suffix: &str) -> io::Result<File> {
    let file = private().create(true).truncate(false).open(beside(database, suffix))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |metadata: std::fs::Metadata| metadata.permissions().mode() & 0o666;
        if let (Ok(theirs), Ok(own)) = (std::fs::metadata(database).map(mode), file.metadata().map(mode))
            && theirs != own
        {
            drop(file.set_permissions(std::fs::Permissions::from_mode(theirs)));
        }
    }
    Ok(file)
}

/// Writes files that only their owner can read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// The path of a file beside the database: its path with `suffix` appended.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
