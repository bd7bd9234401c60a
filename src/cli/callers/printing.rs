//! What a command prints that runs for a caller of the API.

use std::io;

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use crate::cli::out::To;
use crate::http::api::{Output, Printed, Stream, Terminal};

tokio::task_local! {
    static CALLER: Printer;
}

/// Prints for a caller.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Printer {
    terminal: Terminal,
    printed: Sender<Printed>,
}

/// Runs a command whose output goes to a caller.
pub(super) async fn printing_for<T>(
    terminal: Terminal,
    printed: Sender<Printed>,
    command: impl Future<Output = T>,
) -> T {
    CALLER.scope(Printer { terminal, printed }, command).await
}

/// The caller that the running command prints for; `None` for a command of this process.
pub(in crate::cli) fn printer() -> Option<Printer> {
    CALLER.try_with(Clone::clone).ok()
}

impl Printer {
    pub(in crate::cli) fn output(&self, to: To) -> Output {
        match to {
            To::Stdout => self.terminal.stdout,
            To::Stderr => self.terminal.stderr,
        }
    }

    pub(in crate::cli) fn width(&self) -> usize {
        usize::from(self.terminal.columns).max(1)
    }

    pub(in crate::cli) fn text(&self, to: To, text: String) -> io::Result<()> {
        self.print(Printed::Text { stream: stream(to), text })
    }

    pub(in crate::cli) fn view(&self, to: To, lines: &[String]) {
        // A caller that is gone misses the view too.
        let _ = self.print(Printed::View { stream: stream(to), lines: lines.to_vec() });
    }

    pub(in crate::cli) fn clear(&self) {
        let _ = self.print(Printed::Clear {});
    }

    /// A caller that is gone is a closed pipe, as for a command of this process.
    fn print(&self, printed: Printed) -> io::Result<()> {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        match self.printed.try_send(printed) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(_)) => Err(gone()),
            // The caller reads slowly: the command waits for it, and the other tasks of this thread do not.
            Err(TrySendError::Full(printed)) => {
                tokio::task::block_in_place(|| self.printed.blocking_send(printed)).map_err(|_| gone())
            }
        }
    }
}

const fn stream(to: To) -> Stream {
    match to {
        To::Stdout => Stream::Stdout,
        To::Stderr => Stream::Stderr,
    }
}
