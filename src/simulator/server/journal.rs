//! An account of what was accepted that outlives the process: a line in a file for each message, before its answer.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use crate::simulator::Model;

/// Only ever added to, also by the next simulator that is given the same file.
#[derive(Debug, Clone)]
pub struct Journal(Arc<File>);

impl Journal {
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(Arc::new(File::options().create(true).append(true).open(path)?)))
    }

    /// Writes down what was accepted from the `first` message on, each as `/simulator/messages` tells it.
    pub(super) fn note(&self, model: &Model, first: u32) {
        let mut lines = Vec::new();
        for message in (first..model.message_count()).filter_map(|n| model.message(n)) {
            // Writing plain structs into memory has nothing that could fail.
            let _ = serde_json::to_writer(&mut lines, &message);
            lines.push(b'\n');
        }
        if let Err(error) = self.0.as_ref().write_all(&lines) {
            tracing::error!(%error, "the journal cannot be written; what it says is not all that was accepted");
        }
    }
}
