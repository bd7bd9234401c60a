//! Makes writing fair between the processes that share a database file.
//!
//! SQLite retries a taken lock at growing intervals, so a process that writes without a pause starves the others: a busy
//! server starves a command, and an import starves the server. Two more files, each with a lock, order the processes:
//!
//! - A command holds the *turn* while it writes. The server does not hold it: it checks the turn before each group, and
//!   waits while a command holds it.
//! - The server holds the *wait* from that check until its group has begun. A command that has already written takes
//!   the turn again only once it finds the wait free.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::paths::open_beside;
use crate::base::clock::Clock;
use crate::base::domain::Span;

/// The longest wait for another process. A process that is stopped while it holds a lock must not block the others for
/// good.
const WAIT_MAX: Span = Span::from_millis(2_000);
/// How often a waiting process checks the locks.
const CHECK_EVERY: Span = Span::from_millis(1);

/// One process's view of the two locks.
#[derive(Debug)]
pub(super) struct FairLock {
    turn: File,
    wait: File,
    is_server: Arc<AtomicBool>,
    clock: Arc<dyn Clock>,
    /// Whether to wait at all. False after a wait reached [`WAIT_MAX`] and until a lock is free again, because otherwise
    /// each group would wait that long.
    may_wait: bool,
    /// Whether this server holds the wait.
    waiting: bool,
    /// Whether this command has written before, so that the server may be waiting.
    had_turn: bool,
}

impl FairLock {
    pub(super) fn open(path: &Path, is_server: Arc<AtomicBool>, clock: Arc<dyn Clock>) -> io::Result<Self> {
        Ok(Self {
            turn: open_beside(path, "-turn")?,
            wait: open_beside(path, "-wait")?,
            is_server,
            clock,
            may_wait: true,
            waiting: false,
            had_turn: false,
        })
    }

    /// Waits until this process may write, at most [`WAIT_MAX`].
    pub(super) async fn acquire(&mut self) {
        let since = self.clock.now();
        loop {
            let free = if self.is_server.load(Ordering::Relaxed) {
                self.waiting = self.waiting || self.wait.try_lock().is_ok();
                self.is_turn_free()
            } else {
                (!self.had_turn || self.is_wait_free()) && is_free(&self.turn.try_lock())
            };
            if free {
                self.may_wait = true;
                return;
            }
            if !self.may_wait || self.clock.now().since(since) >= WAIT_MAX {
                // Without the turn, SQLite's own lock still orders the writes, only less fairly.
                self.may_wait = false;
                return;
            }
            self.clock.sleep(CHECK_EVERY).await;
        }
    }

    /// Whether no command holds the turn. The server does not keep it: otherwise no command would ever get it.
    fn is_turn_free(&self) -> bool {
        let free = is_free(&self.turn.try_lock_shared());
        let _ = self.turn.unlock();
        free
    }

    /// Whether no server is waiting.
    fn is_wait_free(&self) -> bool {
        let free = is_free(&self.wait.try_lock_shared());
        let _ = self.wait.unlock();
        free
    }

    /// Releases the wait, once the server's group has begun or has failed to begin.
    pub(super) fn stop_waiting(&mut self) {
        if std::mem::take(&mut self.waiting) {
            let _ = self.wait.unlock();
        }
    }

    /// Releases the turn.
    pub(super) fn release(&mut self) {
        self.had_turn = true;
        let _ = self.turn.unlock();
    }
}

/// Whether no other process holds the lock. On a file system without locks, every lock counts as free.
fn is_free(attempt: &Result<(), TryLockError>) -> bool {
    !matches!(attempt, Err(TryLockError::WouldBlock))
}
