//! The files of this computer that a command reads or writes on a server: uploaded before it runs, and stored after it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::NamedTempFile;

use crate::audience::is_stdin;
use crate::cli::exit::Usage;
use crate::cli::{SharedCommand, audience, campaign, out, reply, template};

impl SharedCommand {
    /// The file that the command reads, beside its campaign file.
    pub(super) fn file_to_read(&self) -> Option<&Path> {
        match self {
            Self::Audience(audience::Command::Check(args)) => Some(args.file()),
            Self::Audience(audience::Command::Import(args)) => Some(args.file()),
            Self::Template(template::Command::Check { file, .. }) => Some(file),
            Self::Template(template::Command::Push(args)) => Some(args.file()),
            Self::OptOut(command) => command.file(),
            _ => None,
        }
    }

    /// The files that the command writes.
    pub(super) fn files_to_write(&self) -> Vec<&Path> {
        match self {
            Self::Audience(audience::Command::Check(args)) => args.files_to_write().collect(),
            Self::Audience(audience::Command::Export { file, .. }) => vec![file],
            Self::Campaign(campaign::Command::Export(args)) => vec![args.file()],
            Self::Campaign(campaign::Command::Plan(args)) => args.page().into_iter().collect(),
            Self::Template(template::Command::Preview(args)) => args.page().into_iter().collect(),
            Self::Reply(reply::Command::Export(args)) => vec![args.file()],
            _ => Vec::new(),
        }
    }
}

/// A file to upload.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) name: String,
    pub(super) length: u64,
    file: File,
}

impl Upload {
    /// Opens a file, or takes all of the standard input into one.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let unreadable = || format!("cannot read {}", path.display());
        let (name, mut file) = if is_stdin(path) {
            let mut file = tempfile::tempfile()?;
            io::copy(&mut io::stdin().lock(), &mut file).context("cannot read the standard input")?;
            ("standard input".to_owned(), file)
        } else {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            (name, File::open(path).with_context(unreadable)?)
        };
        if file.metadata().with_context(unreadable)?.is_dir() {
            bail!("cannot read {}: it is a folder; name a file", path.display());
        }
        let length = file.seek(SeekFrom::End(0)).with_context(unreadable)?;
        Ok(Self { name, length, file })
    }

    /// Reads a part of the file.
    pub(super) fn part(&mut self, from: u64, most: u64) -> io::Result<Vec<u8>> {
        let mut part = Vec::new();
        self.file.seek(SeekFrom::Start(from))?;
        (&mut self.file).take(most).read_to_end(&mut part)?;
        Ok(part)
    }
}

/// The files that a command writes. Each is complete, or as it was.
#[derive(Debug)]
pub(super) struct Written {
    /// What the server has sent of each.
    files: Vec<(PathBuf, Option<NamedTempFile>)>,
}

impl Written {
    /// Only the files that the words name are written, whatever the server sends.
    pub(super) fn of(command: &SharedCommand) -> anyhow::Result<Self> {
        let files: Vec<PathBuf> = command.files_to_write().into_iter().map(Path::to_owned).collect();
        let resolved = |path: &Path| path.canonicalize().ok();
        if let Some(read) = command.file_to_read().and_then(resolved)
            && let Some(over) = files.iter().find(|file| resolved(file).as_ref() == Some(&read))
        {
            let sentence = format!("{} is the file that is read; choose another name for the output", over.display());
            return Err(Usage(sentence).into());
        }
        Ok(Self { files: files.into_iter().map(|path| (path, None)).collect() })
    }

    /// Adds a piece of a file.
    pub(super) fn add(&mut self, name: &str, bytes: &str) -> anyhow::Result<()> {
        let file = self.files.iter_mut().find(|(path, _)| path.display().to_string() == name);
        let Some((path, begun)) = file else {
            bail!("the server has sent a file that the command does not name: {name}")
        };
        let bytes = STANDARD.decode(bytes).context("the server has sent a file that cannot be read")?;
        if out::is_stdout(path) {
            return Ok(io::stdout().lock().write_all(&bytes)?);
        }
        let cannot = || format!("cannot write {}", path.display());
        let begun = match begun {
            Some(begun) => begun,
            None => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
                begun.insert(NamedTempFile::new_in(folder).with_context(cannot)?)
            }
        };
        begun.write_all(&bytes).with_context(cannot)
    }

    /// Puts the files in their places.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        for (path, begun) in self.files {
            let Some(begun) = begun else { continue };
            let cannot = || format!("cannot write {}", path.display());
            begun.as_file().sync_all().with_context(cannot)?;
            begun.persist(&path).with_context(cannot)?;
        }
        Ok(())
    }
}
