//! Command lines that the server runs for callers. The room `cli` runs them, because only that room prints.

use std::collections::HashMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::Sender;

use crate::base::domain::Scope;
use crate::campaigns::campaign::Draft;
use crate::recipients::audience::UploadedSource;

/// Runs command lines for callers of the API.
#[async_trait]
pub trait CommandLines: std::fmt::Debug + Send + Sync {
    /// What the command of these words needs. The error is a sentence: the words are wrong, or the command works only on the
    /// computer where it is typed.
    fn needs(&self, words: &[String]) -> Result<CommandNeeds, String>;

    /// Runs a command, and returns its exit code. A command that only reads ends once nothing reads what it prints.
    async fn run(&self, line: CommandLine, printed: Sender<Printed>) -> u8;
}

/// What a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandNeeds {
    /// The scope of its caller.
    pub scope: Scope,
    /// Whether it computes for long, and therefore waits for a turn.
    pub computes: bool,
}

/// A command line of a caller.
#[derive(Debug)]
pub struct CommandLine {
    /// The words after `volley`.
    pub words: Vec<String>,
    /// The campaign file that the words name.
    pub campaign: Option<Draft>,
    /// Other files that the words name, under these names.
    pub files: HashMap<String, UploadedSource>,
    pub terminal: Terminal,
    /// The name of the caller's key.
    pub caller: String,
}

/// Where the caller shows what a command prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Terminal {
    /// Its width.
    #[schema(minimum = 1, maximum = 1000)]
    pub columns: u16,
    pub stdout: Output,
    pub stderr: Output,
}

impl Default for Terminal {
    fn default() -> Self {
        Self { columns: 80, stdout: Output::default(), stderr: Output::default() }
    }
}

/// How one of the two streams is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Output {
    /// Whether it is a terminal, on which a view is redrawn in place.
    pub terminal: bool,
    /// Whether text has colours.
    pub colours: bool,
}

/// A stream of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    Stdout,
    Stderr,
}

/// What a command prints, piece by piece. The exit code is the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Printed {
    /// Text with its line ends.
    Text { stream: Stream, text: String },
    /// The lines of a view, which replace those of the view before.
    View { stream: Stream, lines: Vec<String> },
    /// Removes the view.
    Clear {},
    /// The next piece of a file that the words name, in Base64.
    File { name: String, bytes: String },
    /// The exit code: 0 done, 1 failed, 2 wrong usage, 3 finished with rejects or undelivered messages.
    Exit(u8),
}
