//! The API key that a command sends. It is never an argument, because others can list the arguments of a process.

use std::path::Path;

use crate::base::config::{Secret, key_in};
use crate::cli::config::warn;
use crate::cli::exit::Usage;

/// The variable with the key.
const KEY: &str = "VOLLEY_KEY";

/// Reads the key from a file, else from the environment.
pub(super) fn read(file: Option<&Path>) -> anyhow::Result<Secret> {
    if let Some(file) = file {
        let key = key_in(file).map_err(|error| Usage(format!("--key-file: {error}")))?;
        warn(others_read(file).map(|()| {
            let file = file.display();
            format!("the key file {file} can be read by other users of this computer; to end that: chmod 600 {file}")
        }));
        return Ok(key);
    }
    let named = std::env::var(KEY).ok().map(|key| key.trim().to_owned()).filter(|key| !key.is_empty());
    let Some(key) = named else {
        let sentence =
            format!("--server needs an API key of `volley key create`; name its file with --key-file, or set {KEY}");
        return Err(Usage(sentence).into());
    };
    Ok(Secret::new(key))
}

/// Whether users other than the owner can read a file.
#[cfg(unix)]
fn others_read(file: &Path) -> Option<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(file).ok()?.permissions().mode();
    (mode & 0o077 != 0).then_some(())
}

#[cfg(not(unix))]
const fn others_read(_: &Path) -> Option<()> {
    None
}
