//! Writes the accepted and the rejected rows as CSV files, without formulas.
//!
//! Each file is written next to its target and renamed when it is complete and on disk, so a target is either unchanged or
//! complete. Only their owner can read the temporary files, as lists of phone numbers require.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::Error;
use super::check::Reject;
use super::columns::Columns;
use super::pipeline::{Halt, Sink};
use crate::base::domain::{Fields, Recipient, formula};

/// Columns of accepted rows, before the file's own.
pub(super) const BEFORE: [&str; 2] = ["msisdn", "country"];
/// Columns of rejected rows, after the file's own.
pub(super) const AFTER: [&str; 2] = ["line", "reason"];

/// A sink that writes either file or both. If dropped without [`Outputs::finish`], it leaves no files.
#[derive(Debug, Default)]
pub struct Outputs {
    accepted: Option<Output>,
    rejects: Option<Output>,
}

impl Outputs {
    /// Creates the files; neither may be `input`. `accepted` gets `msisdn,country` and the file's own columns, `rejects` gets
    /// the file's own columns and `line,reason`.
    pub fn create(input: Option<&Path>, accepted: Option<&Path>, rejects: Option<&Path>) -> Result<Self, Error> {
        for output in accepted.into_iter().chain(rejects) {
            let ending = output.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            if ["xlsx", "xlsm", "xlsb", "xls", "ods", "gz", "zip"].contains(&ending.as_str()) {
                return Err(Error::OnlyCsv { file: output.to_owned() });
            }
            if input.is_some_and(|input| is_one_file(input, output)) {
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

    /// Syncs the files and renames them to their targets.
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
            rejects.row(header_of_rejects(columns.names()).iter().map(String::as_str))?;
        }
        Ok(())
    }

    fn accepted(&mut self, recipients: Vec<Recipient>) -> Result<(), Halt> {
        let Some(accepted) = &mut self.accepted else { return Ok(()) };
        for recipient in &recipients {
            let address = recipient.address.as_ref().map(ToString::to_string).unwrap_or_default();
            let fields = recipient.fields.unpack()?;
            let own = [address.as_str(), recipient.country.as_str()];
            accepted.row(own.into_iter().chain(fields.iter().map(AsRef::as_ref)))?;
        }
        Ok(())
    }

    fn rejected(&mut self, rejects: &[Reject]) -> Result<(), Halt> {
        let Some(file) = &mut self.rejects else { return Ok(()) };
        for reject in rejects {
            let (line, reason) = (reject.line.to_string(), reject.reason.in_file(reject.readings()));
            let cells = own_columns(&reject.fields, file.width)?;
            file.row(cells.iter().map(String::as_str).chain([line.as_str(), &reason]))?;
        }
        Ok(())
    }
}

/// The names of the columns of rejected rows.
pub(super) fn header_of_rejects(columns: &[String]) -> Vec<String> {
    columns.iter().map(String::as_str).chain(AFTER).map(str::to_owned).collect()
}

/// The cells of a rejected row as `width` columns. Extra cells are joined into the last column, so that no text is lost and
/// `line` and `reason` stay in their columns.
pub(super) fn own_columns(fields: &Fields, width: usize) -> Result<Vec<String>, crate::base::domain::InvalidFields> {
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
    csv: csv::Writer<Destination>,
    /// Number of the input file's own columns.
    width: usize,
}

#[derive(Debug)]
enum Destination {
    Temporary(NamedTempFile),
    /// A pipe or a terminal, which cannot be replaced by a rename.
    Direct(File),
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Temporary(file) => file.write(bytes),
            Self::Direct(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Temporary(file) => file.flush(),
            Self::Direct(file) => file.flush(),
        }
    }
}

impl Output {
    fn create(target: &Path) -> Result<Self, Error> {
        let is_special = target.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir());
        let destination = if is_special {
            File::options().write(true).open(target).map(Destination::Direct)
        } else {
            temporary(target)
        };
        let destination =
            destination.map_err(|source| Error::Write { file: target.to_owned(), source: source.into() })?;
        let csv = csv::WriterBuilder::new().buffer_capacity(BUFFER_BYTES).from_writer(destination);
        Ok(Self { target: target.to_owned(), csv, width: 0 })
    }

    fn row<'a>(&mut self, cells: impl Iterator<Item = &'a str>) -> Result<(), Halt> {
        self.csv
            .write_record(cells.map(|cell| formula::marked(cell).into_owned()))
            .map_err(|source| Halt::Failed(Error::Write { file: self.target.clone(), source: source.into() }.into()))
    }

    fn finish(self) -> Result<(), Error> {
        let Self { target, csv, .. } = self;
        let complete = || -> io::Result<()> {
            match csv.into_inner().map_err(csv::IntoInnerError::into_error)? {
                Destination::Temporary(file) => {
                    file.as_file().sync_all()?;
                    file.persist(&target)?;
                    Ok(())
                }
                Destination::Direct(mut file) => file.flush(),
            }
        };
        complete().map_err(|source| Error::Write { file: target.clone(), source: source.into() })
    }
}

/// Whether two paths are the same file, existing or not, after links and dots are resolved. Pipes and terminals never count:
/// several outputs may share one.
fn is_one_file(one: &Path, other: &Path) -> bool {
    let is_special = |path: &Path| path.metadata().is_ok_and(|found| !found.is_file());
    !is_special(one) && resolved(one).is_some_and(|one| resolved(other) == Some(one))
}

/// A path without links and dots. The file need not exist, but its folder has to.
pub fn resolved(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok().or_else(|| Some(folder_of(path).canonicalize().ok()?.join(path.file_name()?)))
}

/// The folder of a file.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn temporary(target: &Path) -> io::Result<Destination> {
    if target.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    NamedTempFile::new_in(folder_of(target)).map(Destination::Temporary)
}
