//! The files of this computer that a command reads or writes on a server: uploaded before it runs, and stored after it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::NamedTempFile;

use crate::cli::exit::Usage;
use crate::cli::{SharedCommand, audience, campaign, out, reply, template};
use crate::recipients::audience::{folder_of, is_stdin, resolved};

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
pub(super) struct Written(Vec<Target>);

/// A file that the words name, and what the server has sent of it.
#[derive(Debug)]
struct Target {
    path: PathBuf,
    to: Destination,
    has_begun: bool,
}

#[derive(Debug)]
enum Destination {
    Stdout,
    /// A device or a pipe: no file can take its place.
    Special(File),
    Temporary(NamedTempFile),
}

impl Target {
    /// Opens the file for writing, before anything is asked of the server.
    fn open(path: &Path) -> anyhow::Result<Self> {
        let cannot = || format!("cannot write {}; check that its folder exists and may be written", path.display());
        let found = path.metadata().ok();
        let to = if out::is_stdout(path) {
            Destination::Stdout
        } else if found.as_ref().is_some_and(std::fs::Metadata::is_dir) {
            bail!("cannot write {}: it is a folder; name a file", path.display());
        } else if found.is_some_and(|found| !found.is_file()) {
            Destination::Special(File::options().write(true).open(path).with_context(cannot)?)
        } else {
            Destination::Temporary(NamedTempFile::new_in(folder_of(path)).with_context(cannot)?)
        };
        Ok(Self { path: path.to_owned(), to, has_begun: false })
    }
}

impl Written {
    /// Only the files that the words name are written, whatever the server sends.
    pub(super) fn of(command: &SharedCommand) -> anyhow::Result<Self> {
        let files = command.files_to_write();
        let mut known = Vec::from_iter(command.file_to_read().and_then(resolved));
        for file in &files {
            let Some(whole) = resolved(file) else { continue };
            if known.contains(&whole) {
                let sentence = format!("{} is named twice; choose another name for the output", file.display());
                return Err(Usage(sentence).into());
            }
            known.push(whole);
        }
        Ok(Self(files.into_iter().map(Target::open).collect::<anyhow::Result<_>>()?))
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a piece of a file.
    pub(super) fn add(&mut self, name: &str, bytes: &str) -> anyhow::Result<()> {
        let target = self.0.iter_mut().find(|target| target.path.display().to_string() == name);
        let Some(target) = target else { bail!("the server has sent a file that the command does not name: {name}") };
        let bytes = STANDARD.decode(bytes).context("the server has sent a file that cannot be read")?;
        target.has_begun = true;
        let written = match &mut target.to {
            Destination::Stdout => io::stdout().lock().write_all(&bytes),
            Destination::Special(file) => file.write_all(&bytes),
            Destination::Temporary(file) => file.write_all(&bytes),
        };
        written.with_context(|| format!("cannot write {}", target.path.display()))
    }

    /// Puts the files in their places.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        for Target { path, to, has_begun } in self.0 {
            if let Destination::Temporary(file) = to
                && has_begun
            {
                let cannot = || format!("cannot write {}", path.display());
                file.as_file().sync_all().with_context(cannot)?;
                file.persist(&path).with_context(cannot)?;
            }
        }
        Ok(())
    }
}
