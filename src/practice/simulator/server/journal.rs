//! A journal of accepted messages that outlives the process: a line for each message, written before its answer.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use crate::practice::simulator::Model;

/// A file that is only appended to, also by the next simulator that opens it.
#[derive(Debug, Clone)]
pub struct Journal(Arc<File>);

impl Journal {
    /// Opens the file. It removes an unfinished last line: the process was killed before it answered that message.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::options().create(true).read(true).append(true).open(path)?;
        let whole = end_of_last_line(&mut file)?;
        if whole < file.metadata()?.len() {
            file.set_len(whole)?;
        }
        Ok(Self(Arc::new(file)))
    }

    /// Appends the messages from `first` on, each as `/simulator/messages` prints it.
    pub(super) fn note(&self, model: &Model, first: u32) {
        let mut lines = Vec::new();
        for message in (first..model.message_count()).filter_map(|n| model.message(n)) {
            // Plain structs cannot fail to serialize into memory.
            let _ = serde_json::to_writer(&mut lines, &message);
            lines.push(b'\n');
        }
        if let Err(error) = self.0.as_ref().write_all(&lines) {
            tracing::error!(%error, "the journal cannot be written; it is incomplete");
        }
    }
}

/// Searches from the end, because the file may be long.
fn end_of_last_line(file: &mut File) -> io::Result<u64> {
    const PIECE: u64 = 4_096;
    let mut end = file.metadata()?.len();
    while end > 0 {
        let from = end.saturating_sub(PIECE);
        let mut piece = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        (&mut *file).take(end - from).read_to_end(&mut piece)?;
        if let Some(last) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(from + last as u64 + 1);
        }
        end = from;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_line_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let long = format!("{{\"{}", "x".repeat(10_000));
        for (before, after) in [("", ""), ("a\nb\n", "a\nb\n"), ("a\nb", "a\n"), ("b", ""), (&long, "")] {
            std::fs::write(&path, before).unwrap();
            let journal = Journal::open(&path).unwrap();
            journal.0.as_ref().write_all(b"c\n").unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{after}c\n"));
        }
    }
}
