//! Where recipients come from: a file, an upload, or plain numbers.

use std::path::{Path, PathBuf};

use super::open::{display_path, is_stdin};
use super::read::read_named;
use super::{Columns, Error, Options, Sink, SourceFilter, Summary, read, read_numbers};
use crate::base::domain::Address;

/// Where recipients come from.
#[derive(Debug, Clone)]
pub enum Source {
    File(PathBuf),
    Upload(UploadedSource),
    Numbers { numbers: Vec<String>, columns: Columns },
}

/// A file that a client has uploaded.
#[derive(Debug, Clone)]
pub struct UploadedSource {
    pub path: PathBuf,
    /// Its name, for operators.
    pub name: String,
    /// The id of the upload.
    pub id: String,
    /// Who imports it, if that is known.
    pub by: Option<String>,
}

/// The column name of plain numbers.
const NUMBER_COLUMN: &str = "Mobile";

impl Source {
    /// Plain numbers, without other columns.
    pub fn numbers(numbers: Vec<String>) -> Self {
        Self::numbers_beside(numbers, vec![NUMBER_COLUMN.to_owned()], NUMBER_COLUMN)
    }

    /// Numbers that join recipients with the given columns, one of which is the number column. They get the same columns, so
    /// they can receive the same messages.
    pub fn numbers_beside(numbers: Vec<String>, columns: Vec<String>, number_column: &str) -> Self {
        Self::Numbers { numbers, columns: Columns::of_numbers(columns, number_column) }
    }

    /// The name shown for the source.
    pub fn label(&self) -> String {
        match self {
            Self::File(path) => {
                let path = display_path(path);
                path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
            }
            Self::Upload(upload) => upload.name.clone(),
            Self::Numbers { numbers, .. } => format!("{} numbers", numbers.len()),
        }
    }

    /// The upload, if it is one.
    pub(super) const fn upload(&self) -> Option<&UploadedSource> {
        match self {
            Self::Upload(upload) => Some(upload),
            Self::File(_) | Self::Numbers { .. } => None,
        }
    }

    /// The file on this computer; `None` if it is none, or standard input.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path).filter(|path| !is_stdin(path)).map(PathBuf::as_path),
            Self::Upload(upload) => Some(&upload.path),
            Self::Numbers { .. } => None,
        }
    }

    /// Reads its rows. Blocking.
    pub fn read(&self, options: &Options, filter: &SourceFilter, sink: &mut dyn Sink) -> Result<Summary, Error> {
        let opted_out = |address: &Address| filter.is_opted_out(address);
        let mut seen = filter.seen();
        match self {
            Self::File(path) => read(path, options, &opted_out, &mut seen, sink),
            Self::Upload(upload) => {
                let shown = Path::new(&upload.name);
                read_named(&upload.path, shown, options, &opted_out, &mut seen, sink)
            }
            Self::Numbers { numbers, columns } => read_numbers(numbers, columns, options, &opted_out, &mut seen, sink),
        }
    }
}
