//! Errors about a campaign: all problems at once, each with its location.

use std::path::PathBuf;

use crate::base::config::Problem;
use crate::base::domain::text::shell;

/// Why a campaign file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot read the campaign file {}; check that it exists and that you may read it", path.display())]
    Read { path: PathBuf, source: std::io::Error },

    #[error(
        "{} is a recipient file, not a campaign file; write a campaign file (TOML or JSON) with \
         audience = [\"{}\"], or check the recipients with `volley audience check`",
        path.display(),
        path.display()
    )]
    Recipients { path: PathBuf },

    #[error(
        "{} is a campaign file, not a recipient file; to check the campaign: volley campaign plan {}",
        path.display(),
        shell(&path.display().to_string())
    )]
    Campaign { path: PathBuf },

    #[error("{file}, line {line}: {message}")]
    Syntax { file: String, line: usize, message: String },

    /// One line for each problem; every line names the file.
    #[error("{}", lines(file, problems))]
    Problems { file: String, problems: Vec<Problem> },
}

/// Formats the problems of a campaign, one line each, with the name of its file.
pub fn lines(file: &str, problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{file}, {problem}")).collect::<Vec<_>>().join("\n")
}
