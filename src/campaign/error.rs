//! What is wrong with a campaign: all of it at once, each with its place.

use std::path::PathBuf;

use crate::config::Problem;

/// Why a campaign file is no campaign.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("the campaign file {} cannot be read; check that it is there and that you may read it", path.display())]
    Read { path: PathBuf, source: std::io::Error },

    #[error("{file}, line {line}, is neither TOML nor JSON that can be read: {message}")]
    Syntax { file: String, line: usize, message: String },

    /// One line for each problem, all naming the file.
    #[error("{}", lines(file, problems))]
    Problems { file: String, problems: Vec<Problem> },
}

/// The problems of a campaign under the name of its file, as people read them.
pub fn lines(file: &str, problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{file}, {problem}")).collect::<Vec<_>>().join("\n")
}
