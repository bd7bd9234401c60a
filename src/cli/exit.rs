//! How a command ends, for scripts.

use std::process::ExitCode;

/// The four ways; `Usage` is also what the parser of arguments ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    /// Done, but not for everybody: rejects or undelivered messages where `--strict` asks about them.
    Incomplete = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A value on the command line that only makes sense to refuse once more is known than the parser knows.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub String);

/// What becomes of a command that could not do what it was asked. Says why, on stderr.
pub(super) fn of_error(error: &anyhow::Error) -> Exit {
    // Whoever read our output has read enough: `volley … | head` is no failure.
    let hung_up = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    if hung_up.into_iter().any(|error| error.kind() == std::io::ErrorKind::BrokenPipe) {
        return Exit::Done;
    }
    for line in sentence(error).lines() {
        super::out::talk(format_args!("volley: {line}"));
    }
    if error.downcast_ref::<Usage>().is_some() { Exit::Usage } else { Exit::Failed }
}

/// The chain of causes as one sentence: `what: cause`. A cause that the text before it has told already stays out.
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
    fn a_cause_is_told_once() {
        let error = anyhow::anyhow!("no such file").context("cannot read a.csv: no such file").context("stopped");
        assert_eq!(sentence(&error), "stopped: cannot read a.csv: no such file");
        let error = anyhow::anyhow!("disk full").context("cannot write");
        assert_eq!(sentence(&error), "cannot write: disk full");
    }
}
