//! Who may change a file with a secret. Whoever can write a key decides who sends, and who proves webhooks.

use std::io;
use std::path::{Path, PathBuf};

/// Users other than the owner can write a file, or replace it, so a secret in it proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Writable {
    #[error(
        "the file {} can be written by users other than its owner, so it proves nothing; end that: chmod go-w {}",
        _0.display(), _0.display()
    )]
    File(PathBuf),
    #[error(
        "every user can replace files in the folder {}, so they prove nothing; end that: chmod o-w {}",
        _0.display(), _0.display()
    )]
    Folder(PathBuf),
}

/// Who else can change this file, if anybody can.
#[cfg(unix)]
pub(super) fn writable(path: &Path) -> io::Result<Option<Writable>> {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| std::fs::metadata(path).map(|found| found.permissions().mode());
    if mode(path)? & 0o022 != 0 {
        return Ok(Some(Writable::File(path.to_owned())));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    // In a folder with the sticky bit, such as /tmp, only its owner replaces a file. A group is often the owner's own.
    let is_open = mode(folder)? & 0o1002 == 0o002;
    Ok(is_open.then(|| Writable::Folder(folder.to_owned())))
}

#[cfg(not(unix))]
pub(super) const fn writable(_: &Path) -> io::Result<Option<Writable>> {
    Ok(None)
}
