//! Exit codes, and how errors are printed.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use serde::Serialize;

use super::usage;
use crate::base::config::{self, Problem};
use crate::campaigns::campaign::{FileError, LaunchError};

/// The exit code of a command. The argument parser also exits with `Usage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    /// Done, but with rejected rows or undelivered messages (`--strict`).
    Incomplete = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A wrong command line that the argument parser cannot detect.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub String);

/// Options that stand for keys of a campaign file, with values that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{undone}{}", problems.iter().map(of_option).collect::<Vec<_>>().join("\n"))]
pub(super) struct WrongOptions {
    /// Says what was not done, where that is not obvious.
    pub undone: &'static str,
    pub problems: Vec<Problem>,
}

fn of_option(problem: &Problem) -> String {
    format!("--{}: {}", problem.key.replace('_', "-"), problem.sentence)
}

/// Prints the error on stderr, and with `json` also as an object on stdout. Returns the exit code for it.
pub(super) fn of_error(error: &anyhow::Error, json: bool) -> Exit {
    // The reader of our output closed the pipe: `volley … | head` is not a failure.
    let io_errors = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    if io_errors.into_iter().any(|error| error.kind() == std::io::ErrorKind::BrokenPipe) {
        return Exit::Done;
    }
    let message = sentence(error);
    for line in message.lines() {
        super::out::talk(format_args!("volley: {line}"));
    }
    let is_usage = error.is::<Usage>() || error.is::<WrongOptions>();
    let exit = if is_usage { Exit::Usage } else { Exit::Failed };
    if json {
        print_json(&message, exit, problems(error));
    }
    exit
}

/// Prints an error of the argument parser as any other, or the help that was asked for. Exits.
pub(super) fn of_parser(error: &clap::Error, words: &[OsString]) -> ! {
    let Some(sentence) = usage::sentence(error, words) else { error.exit() };
    let json = words.iter().any(|word| word == "--json");
    // Without a command, its help says more than a sentence.
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand && !json {
        error.exit();
    }
    std::process::exit(of_error(&Usage(sentence).into(), json) as i32)
}

/// An error, for JSON.
#[derive(Serialize)]
struct ErrorView<'a> {
    message: &'a str,
    exit: u8,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<ProblemView<'a>>,
}

/// One of several problems of a campaign or a route.
#[derive(Serialize)]
struct ProblemView<'a> {
    /// The route in the configuration that has the problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    step: Option<u8>,
    key: &'a str,
    sentence: &'a str,
}

fn print_json(message: &str, exit: Exit, problems: &[Problem]) {
    let problems = problems.iter().map(|problem| ProblemView {
        route: problem.route.as_deref(),
        step: problem.step.map(|step| step.get() + 1),
        key: &problem.key,
        sentence: &problem.sentence,
    });
    let error = ErrorView { message, exit: exit as u8, problems: problems.collect() };
    // Without a reader of stdout the object is lost; the exit code says the same.
    let _ = super::out::json(&serde_json::json!({ "error": error }));
}

/// The problems that an error lists, where it has several.
fn problems(error: &anyhow::Error) -> &[Problem] {
    for cause in error.chain() {
        if let Some(WrongOptions { problems, .. }) = cause.downcast_ref() {
            return problems;
        }
        if let Some(FileError::Problems { problems, .. }) = cause.downcast_ref() {
            return problems;
        }
        if let Some(LaunchError::Problems(problems)) = cause.downcast_ref() {
            return problems;
        }
        if let Some(config::Error::Routes { problems, .. }) = cause.downcast_ref() {
            return problems;
        }
    }
    &[]
}

/// Joins the chain of causes into one sentence: `what: cause`. Skips a cause that the text already contains.
fn sentence(error: &anyhow::Error) -> String {
    let mut whole = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if whole.contains(text.as_str()) {
            continue;
        }
        if !whole.is_empty() {
            whole.push_str(": ");
        }
        whole.push_str(&text);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_cause_is_printed_once() {
        let error = anyhow::anyhow!("no such file").context("cannot read a.csv: no such file").context("stopped");
        assert_eq!(sentence(&error), "stopped: cannot read a.csv: no such file");
        let error = anyhow::anyhow!("disk full").context("cannot write");
        assert_eq!(sentence(&error), "cannot write: disk full");
    }
}
