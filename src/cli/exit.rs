//! Exit codes, and how errors are printed.

use std::process::ExitCode;

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

/// Prints the error on stderr and returns the exit code for it.
pub(super) fn of_error(error: &anyhow::Error) -> Exit {
    // The reader of our output closed the pipe: `volley … | head` is not a failure.
    let io_errors = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    if io_errors.into_iter().any(|error| error.kind() == std::io::ErrorKind::BrokenPipe) {
        return Exit::Done;
    }
    for line in sentence(error).lines() {
        super::out::talk(format_args!("volley: {line}"));
    }
    if error.downcast_ref::<Usage>().is_some() { Exit::Usage } else { Exit::Failed }
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
