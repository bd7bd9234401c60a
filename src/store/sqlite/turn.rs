//! Whose turn it is to write, where several processes share the file.
//!
//! SQLite lets whoever finds its lock taken try again at growing intervals, and whoever writes without a pause wins
//! that for ever: a busy server over a command, or an import over the server. So there are two files whose locks order
//! them. A command holds the *turn* while it writes; the server only looks at it before each group, and stands back
//! for as long as it is held. From that look until its group has begun the server holds the *wait*; a command that has
//! had its turn takes no other before it finds the wait free.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::place::beside;
use crate::clock::Clock;
use crate::domain::Span;

/// How long one stands back for another. A process that was stopped in the middle of its turn must not stop the
/// others for good.
const PATIENCE: Span = Span::from_millis(2_000);
/// How often whoever stands back looks again.
const GLANCE: Span = Span::from_millis(1);

#[derive(Debug)]
pub(super) struct Turn {
    turn: File,
    wait: File,
    hosting: Arc<AtomicBool>,
    clock: Arc<dyn Clock>,
    /// Gone while another holds what it holds for too long, so that each group does not wait for it anew.
    patient: bool,
    waiting: bool,
    /// This command has had its turn, and the server may be waiting for its own.
    had: bool,
}

impl Turn {
    pub(super) fn open(path: &Path, hosting: Arc<AtomicBool>, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let open = |suffix| File::options().create(true).truncate(false).write(true).open(beside(path, suffix));
        Ok(Self {
            turn: open("-turn")?,
            wait: open("-wait")?,
            hosting,
            clock,
            patient: true,
            waiting: false,
            had: false,
        })
    }

    /// Waits until this process may write.
    pub(super) async fn take(&mut self) {
        let since = self.clock.now();
        loop {
            let free = if self.hosting.load(Ordering::Relaxed) {
                self.waiting = self.waiting || self.wait.try_lock().is_ok();
                self.look()
            } else {
                (!self.had || self.is_unawaited()) && is_free(&self.turn.try_lock())
            };
            if free {
                self.patient = true;
                return;
            }
            if !self.patient || self.clock.now().since(since) >= PATIENCE {
                // Without a turn SQLite's own lock still keeps order, only less fairly.
                self.patient = false;
                return;
            }
            self.clock.sleep(GLANCE).await;
        }
    }

    /// The server does not keep the turn, or no command would ever get it.
    fn look(&self) -> bool {
        let free = is_free(&self.turn.try_lock_shared());
        let _ = self.turn.unlock();
        free
    }

    /// Whether no server waits just now.
    fn is_unawaited(&self) -> bool {
        let free = is_free(&self.wait.try_lock_shared());
        let _ = self.wait.unlock();
        free
    }

    /// Its group has begun, or could not: it no longer waits.
    pub(super) fn begun(&mut self) {
        if std::mem::take(&mut self.waiting) {
            let _ = self.wait.unlock();
        }
    }

    pub(super) fn give(&mut self) {
        self.had = true;
        let _ = self.turn.unlock();
    }
}

/// A file system without locks keeps nobody waiting.
fn is_free(taken: &Result<(), TryLockError>) -> bool {
    !matches!(taken, Err(TryLockError::WouldBlock))
}
