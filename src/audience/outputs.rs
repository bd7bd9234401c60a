//! The accepted and the rejected rows as CSV files.
//!
//! Each is written beside its target and renamed once it is whole and on disk, so a target is either what it was
//! before or complete. The temporary files are readable by their owner alone, as lists of phone numbers should be.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::Error;
use super::check::Reject;
use super::columns::Columns;
use super::pipeline::{Halt, Sink};
use crate::domain::{Fields, Recipient};

/// What accepted ones have before their own columns.
pub(super) const BEFORE: [&str; 2] = ["msisdn", "country"];
/// What rejected rows have behind their own columns.
pub(super) const BEHIND: [&str; 2] = ["line", "reason"];

/// A sink for either file or both. Dropped without [`Outputs::finish`], it leaves nothing behind.
#[derive(Debug, Default)]
pub struct Outputs {
    accepted: Option<Output>,
    rejects: Option<Output>,
}

impl Outputs {
    /// `accepted` gets `msisdn,country` and the file's own columns; `rejects` the file's own columns and `line,reason`.
    /// Both are made from `input`, which is none of them.
    pub fn create(input: &Path, accepted: Option<&Path>, rejects: Option<&Path>) -> Result<Self, Error> {
        for output in accepted.into_iter().chain(rejects) {
            let ending = output.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            if ["xlsx", "xlsm", "xlsb", "xls", "ods", "gz", "zip"].contains(&ending.as_str()) {
                return Err(Error::OnlyCsv { file: output.to_owned() });
            }
            if is_one_file(input, output) {
                return Err(Error::OverInput { file: output.to_owned() });
            }
        }
        if let (Some(accepted), Some(rejects)) = (accepted, rejects)
            && is_one_file(accepted, rejects)
        {
            return Err(Error::OneOutput { file: accepted.to_owned() });
        }
        Ok(Self {
            accepted: accepted.map(Output::create).transpose()?,
            rejects: rejects.map(Output::create).transpose()?,
        })
    }

    /// Puts the files into their places.
    pub fn finish(self) -> Result<(), Error> {
        self.accepted.into_iter().chain(self.rejects).try_for_each(Output::finish)
    }
}

impl Sink for Outputs {
    fn columns(&mut self, columns: &Columns) -> Result<(), Halt> {
        let names = || columns.names().iter().map(String::as_str);
        if let Some(accepted) = &mut self.accepted {
            accepted.row(BEFORE.into_iter().chain(names()))?;
        }
        if let Some(rejects) = &mut self.rejects {
            rejects.width = columns.names().len();
            rejects.row(names().chain(BEHIND))?;
        }
        Ok(())
    }

    fn accepted(&mut self, recipients: Vec<Recipient>) -> Result<(), Halt> {
        let Some(accepted) = &mut self.accepted else { return Ok(()) };
        for recipient in &recipients {
            let msisdn = recipient.msisdn.to_string();
            let fields = recipient.fields.unpack()?;
            let own = [msisdn.as_str(), recipient.country.as_str()];
            accepted.row(own.into_iter().chain(fields.iter().map(AsRef::as_ref)))?;
        }
        Ok(())
    }

    fn rejected(&mut self, rejects: &[Reject]) -> Result<(), Halt> {
        let Some(file) = &mut self.rejects else { return Ok(()) };
        for Reject { line, reason, fields } in rejects {
            let line = line.to_string();
            let cells = own_columns(fields, file.width)?;
            file.row(cells.iter().map(String::as_str).chain([line.as_str(), reason.as_str()]))?;
        }
        Ok(())
    }
}

/// The cells of a rejected row as `width` columns. Where it has more, that is why it was rejected: what is too much
/// joins the last column, so that nothing is lost and `line` and `reason` keep their places.
fn own_columns(fields: &Fields, width: usize) -> Result<Vec<String>, crate::domain::InvalidFields> {
    let mut cells: Vec<String> = fields.unpack()?.into_iter().map(Into::into).collect();
    if cells.len() > width && width > 0 {
        let joined = cells[width - 1..].join(" ");
        cells.truncate(width - 1);
        cells.push(joined);
    }
    Ok(cells)
}

const BUFFER_BYTES: usize = 256 * 1024;

#[derive(Debug)]
struct Output {
    target: PathBuf,
    csv: csv::Writer<Place>,
    /// How many columns of its own the file has.
    width: usize,
}

#[derive(Debug)]
enum Place {
    Beside(NamedTempFile),
    /// A pipe or a terminal: nothing can be renamed over it, and there is no half file.
    Straight(File),
}

impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Beside(file) => file.write(bytes),
            Self::Straight(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Beside(file) => file.flush(),
            Self::Straight(file) => file.flush(),
        }
    }
}

impl Output {
    fn create(target: &Path) -> Result<Self, Error> {
        let is_special = target.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir());
        let place =
            if is_special { File::options().write(true).open(target).map(Place::Straight) } else { beside(target) };
        let place = place.map_err(|source| Error::Write { file: target.to_owned(), source: source.into() })?;
        let csv = csv::WriterBuilder::new().buffer_capacity(BUFFER_BYTES).from_writer(place);
        Ok(Self { target: target.to_owned(), csv, width: 0 })
    }

    fn row<'a>(&mut self, cells: impl Iterator<Item = &'a str>) -> Result<(), Halt> {
        self.csv
            .write_record(cells)
            .map_err(|source| Halt::Failed(Error::Write { file: self.target.clone(), source: source.into() }.into()))
    }

    fn finish(self) -> Result<(), Error> {
        let Self { target, csv, .. } = self;
        let keep = || -> io::Result<()> {
            match csv.into_inner().map_err(csv::IntoInnerError::into_error)? {
                Place::Beside(file) => {
                    file.as_file().sync_all()?;
                    file.persist(&target)?;
                    Ok(())
                }
                Place::Straight(mut file) => file.flush(),
            }
        };
        keep().map_err(|source| Error::Write { file: target.clone(), source: source.into() })
    }
}

/// Whether two paths lead to one file, whatever links and dots are on the way, and whether it is there yet or not. Pipes
/// and terminals take from anybody.
fn is_one_file(one: &Path, other: &Path) -> bool {
    let is_special = |path: &Path| path.metadata().is_ok_and(|found| !found.is_file());
    let place = |path: &Path| {
        path.canonicalize().ok().or_else(|| Some(folder_of(path).canonicalize().ok()?.join(path.file_name()?)))
    };
    !is_special(one) && place(one).is_some_and(|one| place(other) == Some(one))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beside(target: &Path) -> io::Result<Place> {
    if target.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    NamedTempFile::new_in(folder_of(target)).map(Place::Beside)
}
