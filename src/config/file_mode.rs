//! Who may change a file with a secret.

use std::fs::Metadata;

/// Whether users other than its owner can write a file. Whoever can write a key decides who sends, and who proves webhooks.
#[cfg(unix)]
pub(super) fn others_write(file: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.permissions().mode() & 0o022 != 0
}

#[cfg(not(unix))]
pub(super) const fn others_write(_: &Metadata) -> bool {
    false
}
