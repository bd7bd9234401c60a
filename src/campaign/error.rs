//! What is wrong with a campaign: all of it at once, each with its place.

use std::fmt;
use std::path::PathBuf;

use crate::domain::StepIndex;

/// One thing to put right. The sentence says what is wrong and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub step: Option<StepIndex>,
    /// The key as it stands in the file, such as `fallback_after` or `template, body 2`.
    pub key: String,
    pub sentence: String,
}

impl Problem {
    pub(super) fn new(step: Option<StepIndex>, key: impl Into<String>, sentence: impl fmt::Display) -> Self {
        Self { step, key: key.into(), sentence: sentence.to_string() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(step) = self.step {
            write!(f, "step {step}, ")?;
        }
        write!(f, "{}: {}", self.key, self.sentence)
    }
}

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
