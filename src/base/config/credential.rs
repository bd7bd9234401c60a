//! Credentials: secrets that a server can replace while it runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Secret;
use super::file_mode::{Writable, writable};

/// The most secrets of one file: the old one and the new one.
const VALID_MAX: usize = 2;
/// The largest file of secrets, in bytes.
const FILE_MAX: u64 = 64 << 10;

/// An API key, or what proves a webhook.
///
/// All clones share the valid secrets: a server that reads the file again replaces them for every user.
#[derive(Debug, Clone)]
pub struct Credential {
    valid: Arc<ArcSwap<Valid>>,
    /// None if it is written in the configuration, which is read only at the start.
    file: Option<Arc<SecretFile>>,
}

/// The secrets that are valid now, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Valid(Vec<Secret>);

/// A file with a credential.
#[derive(Debug)]
pub struct SecretFile {
    /// The key that names it, such as `api_key_file`.
    pub key: &'static str,
    path: PathBuf,
    form: Form,
}

/// What a credential may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One secret that is sent as a header: printable characters without spaces.
    Header,
    /// What others prove themselves with: while it is rotated, the old secret and the new one are valid.
    Proof,
}

/// Why a file holds no valid credential.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    #[error("the file {} cannot be read; check its path and permissions: {error}", path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    /// A pipe would block a server that reads it again.
    #[error("the file {} is not a regular file of at most 64 KiB; write the secret into a text file", path.display())]
    NoTextFile { path: PathBuf },
    #[error(transparent)]
    WritableByOthers(Writable),
    #[error("the file {} is empty; write the secret into it", path.display())]
    Empty { path: PathBuf },
    #[error("invalid key; it must be one line of letters, digits and signs without spaces")]
    Characters,
    /// A comment would count as a secret that others can guess.
    #[error("the file {} has a line that begins with #; a file of secrets has no comments", path.display())]
    Comment { path: PathBuf },
    #[error("the file {} has {lines} lines; write one secret per line, at most two (the old and the new one)", path.display())]
    TooMany { path: PathBuf, lines: usize },
}

impl Credential {
    /// A credential that stays the same while the server runs.
    pub fn fixed(secret: Secret) -> Self {
        Self { valid: Arc::new(ArcSwap::from_pointee(Valid(vec![secret]))), file: None }
    }

    pub(super) fn in_file(file: SecretFile) -> Result<Self, Invalid> {
        let valid = file.read()?;
        Ok(Self { valid: Arc::new(ArcSwap::from_pointee(valid)), file: Some(Arc::new(file)) })
    }

    /// The secrets that are valid now. The pointer changes only if they do.
    pub fn valid(&self) -> Arc<Valid> {
        self.valid.load_full()
    }

    /// Whether `seen`, from [`Self::valid`], is still valid.
    pub fn is_still(&self, seen: &Arc<Valid>) -> bool {
        Arc::ptr_eq(&self.valid.load(), seen)
    }

    /// The file, if it can be read again.
    pub fn file(&self) -> Option<&SecretFile> {
        self.file.as_deref()
    }

    /// Reads the file, and uses what it holds at once. Returns how many secrets are valid now, if they are new.
    pub fn reread(&self) -> Result<Option<u32>, Invalid> {
        let Some(valid) = self.file().map(SecretFile::read).transpose()? else { return Ok(None) };
        Ok((*self.valid() != valid).then(|| self.replace(valid)))
    }

    /// Replaces the secrets for everyone who shares them. Returns how many are valid now.
    pub fn replace(&self, valid: Valid) -> u32 {
        let secrets = u32::try_from(valid.count()).unwrap_or(u32::MAX);
        self.valid.store(Arc::new(valid));
        secrets
    }

    /// Whether the two share their secrets.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.valid, &other.valid)
    }
}

impl Valid {
    pub fn iter(&self) -> impl Iterator<Item = &Secret> {
        self.0.iter()
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// Reads a file with one key, for a command that sends it.
pub fn key_in(path: &Path) -> Result<Secret, Invalid> {
    let valid = SecretFile::new("key_file", path.to_owned(), Form::Header).read()?;
    valid.0.into_iter().next().ok_or_else(|| Invalid::Empty { path: path.to_owned() })
}

impl SecretFile {
    pub(super) fn new(key: &'static str, path: PathBuf, form: Form) -> Self {
        Self { key, path, form }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the secrets of the file: one per line, without blank lines and surrounding spaces.
    pub fn read(&self) -> Result<Valid, Invalid> {
        let path = || self.path.clone();
        let unreadable = |error| Invalid::Unreadable { path: path(), error };
        let file = std::fs::metadata(&self.path).map_err(unreadable)?;
        if !file.is_file() || file.len() > FILE_MAX {
            return Err(Invalid::NoTextFile { path: path() });
        }
        if let Some(writable) = writable(&self.path).map_err(unreadable)? {
            return Err(Invalid::WritableByOthers(writable));
        }
        let text = std::fs::read_to_string(&self.path).map_err(unreadable)?;
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim).filter(|line| !line.is_empty());
        let secrets: Vec<Secret> = lines.map(Secret::new).collect();
        match (self.form, secrets.as_slice()) {
            (_, []) => Err(Invalid::Empty { path: path() }),
            (Form::Header, [key]) if key.is_header_value() => Ok(Valid(secrets)),
            (Form::Header, _) => Err(Invalid::Characters),
            (Form::Proof, many) if many.len() > VALID_MAX => Err(Invalid::TooMany { path: path(), lines: many.len() }),
            (Form::Proof, many) if many.iter().any(|secret| secret.expose().starts_with('#')) => {
                Err(Invalid::Comment { path: path() })
            }
            (Form::Proof, _) => Ok(Valid(secrets)),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_that_others_can_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("8x8.key");
        write(&path, "hunter2\n").unwrap();
        for (mode, is_refused) in
            [(0o600, false), (0o400, false), (0o644, false), (0o620, true), (0o602, true), (0o666, true)]
        {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            for form in [Form::Header, Form::Proof] {
                let read = SecretFile::new("api_key_file", path.clone(), form).read();
                let refused = matches!(read, Err(Invalid::WritableByOthers { .. }));
                assert!(refused == is_refused && read.is_ok() != is_refused, "{mode:o}");
            }
            assert_eq!(key_in(&path).is_err(), is_refused, "{mode:o}");
        }
        let sentence = Invalid::WritableByOthers(Writable::File("8x8.key".into())).to_string();
        assert!(sentence.ends_with("end that: chmod go-w 8x8.key"), "{sentence}");
    }

    #[test]
    fn a_file_that_every_user_can_replace_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("8x8.key");
        write(&path, "hunter2\n").unwrap();
        set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        for (mode, is_refused) in [(0o755, false), (0o775, false), (0o1777, false), (0o757, true), (0o777, true)] {
            set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
            let read = SecretFile::new("api_key_file", path.clone(), Form::Proof).read();
            assert_eq!(read.is_err(), is_refused, "{mode:o}");
            if let Err(error) = read {
                let folder = folder.path().display();
                assert!(error.to_string().contains(&format!("in the folder {folder},")), "{error}");
            }
        }
    }
}
