//! One thread reads, a few look at rows, the caller's own puts them together in the file's order.
//!
//! Blocks go round the checkers in turn and are collected in the same turn, so order needs no sorting. Every channel
//! is bounded and each side ends when the other hangs up: the reader when nobody wants more, the collector when there
//! is no more. A thread that panics hangs up as well, and its panic becomes an [`Error::Internal`].

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use super::block::Rows;
use super::check::{CheckedRows, Reject, Rules, check};
use super::columns::Columns;
use super::error::BoxError;
use super::table::Form;
use super::{Error, Summary, number};
use crate::domain::Recipient;

/// Receives what is read, in the order of the file.
pub trait Sink {
    /// Comes once, before everything else.
    fn columns(&mut self, columns: &Columns) -> Result<(), Halt> {
        let _ = columns;
        Ok(())
    }

    /// A few thousand at a time, never none.
    fn accepted(&mut self, recipients: Vec<Recipient>) -> Result<(), Halt>;

    /// As they come along, never none.
    fn rejected(&mut self, rejects: &[Reject]) -> Result<(), Halt> {
        let _ = rejects;
        Ok(())
    }

    /// Threads that are busy with what it is given, and need a processor as much as those that read.
    fn threads(&self) -> usize {
        0
    }

    /// After every block of rows.
    fn progress(&mut self, progress: Progress) -> Result<(), Halt> {
        let _ = progress;
        Ok(())
    }
}

/// How far the reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub bytes_done: u64,
    pub bytes_total: u64,
    pub rows: u64,
}

/// Why a sink wants no more.
#[derive(Debug)]
pub enum Halt {
    /// Somebody asked to stop.
    Stop,
    /// What was given could not be kept.
    Failed(BoxError),
}

impl<E: Into<BoxError>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// What is known once the header has been read.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) columns: Columns,
    pub(super) form: Form,
}

struct Job {
    columns: Arc<Columns>,
    may_be_damaged: bool,
    rows: Rows,
    bytes_done: u64,
}

pub(super) struct Done {
    pub(super) checked: CheckedRows,
    pub(super) bytes_done: u64,
}

/// Where the reading thread puts what it reads. Answers false once nobody wants more.
pub(super) struct Feed {
    opened: SyncSender<(Arc<Columns>, Form)>,
    columns: Option<Arc<Columns>>,
    may_be_damaged: bool,
    jobs: Vec<SyncSender<Job>>,
    turn: usize,
}

impl Feed {
    pub(super) fn open(&mut self, opened: Opened) -> bool {
        let columns = Arc::new(opened.columns);
        self.columns = Some(Arc::clone(&columns));
        self.may_be_damaged = opened.form.may_be_damaged;
        self.opened.send((columns, opened.form)).is_ok()
    }

    pub(super) fn rows(&mut self, rows: Rows, bytes_done: u64) -> bool {
        let Some(columns) = self.columns.clone() else { return false };
        let lane = self.turn % self.jobs.len();
        self.turn += 1;
        let may_be_damaged = self.may_be_damaged;
        self.jobs[lane].send(Job { columns, may_be_damaged, rows, bytes_done }).is_ok()
    }
}

/// What the collecting side reads from.
pub(super) struct Collected {
    pub(super) columns: Arc<Columns>,
    pub(super) form: Form,
    done: Vec<Receiver<Done>>,
    turn: usize,
}

impl Iterator for Collected {
    type Item = Done;

    fn next(&mut self) -> Option<Done> {
        let lane = self.turn % self.done.len();
        self.turn += 1;
        self.done[lane].recv().ok()
    }
}

/// Blocks waiting at each checker, and checked ones behind it.
const WAITING: usize = 2;
/// Checking costs far more than reading; beyond this many threads reading is what one waits for.
const CHECKERS_MAX: usize = 6;

/// Runs `read` on its own thread, checks what it feeds, and hands the results to `collect`. Ends when all threads have.
/// Whoever stores what comes out, `busy` threads, is waited for at the end: its processors are not fought over.
pub(super) fn run(
    file: &Path,
    rules: Rules,
    busy: usize,
    read: impl FnOnce(&mut Feed) -> Result<(), Error> + Send,
    collect: impl FnOnce(Collected) -> Result<Summary, Error>,
) -> Result<Summary, Error> {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    let checkers = processors.saturating_sub(busy).clamp(1, CHECKERS_MAX);
    std::thread::scope(|scope| {
        let (opened_sender, opened) = sync_channel(1);
        let mut feed = Feed { opened: opened_sender, columns: None, may_be_damaged: false, jobs: Vec::new(), turn: 0 };
        let mut done = Vec::new();
        let mut threads = Vec::new();
        for _ in 0..checkers {
            let (job_sender, jobs) = sync_channel::<Job>(WAITING);
            let (done_sender, done_receiver) = sync_channel(WAITING);
            feed.jobs.push(job_sender);
            done.push(done_receiver);
            threads.push(spawn(scope, file, "audience check", move || {
                number::warm_up();
                for Job { columns, may_be_damaged, rows, bytes_done } in jobs {
                    let mut checked = check(&rows, &columns, rules);
                    if may_be_damaged {
                        checked.seen.damaged = rows.text().matches('\u{fffd}').count() as u64;
                    }
                    if done_sender.send(Done { checked, bytes_done }).is_err() {
                        break;
                    }
                }
            })?);
        }
        let reader = spawn(scope, file, "audience read", move || read(&mut feed))?;
        // The senders have moved into the threads, so this ends at the latest when they do.
        let collected = match opened.recv() {
            Ok((columns, form)) => Some(collect(Collected { columns, form, done, turn: 0 })),
            Err(_) => {
                drop(done);
                None
            }
        };
        let internal = || Error::Internal { file: file.to_owned() };
        let read = reader.join().unwrap_or_else(|_| Err(internal()));
        // All are joined, so that no panic is left to the scope, which would pass it on.
        let broken = threads.into_iter().map(ScopedJoinHandle::join).filter(Result::is_err).count() > 0;
        match collected {
            Some(Err(error)) => Err(error),
            _ if broken => Err(internal()),
            collected => read.and_then(|()| collected.unwrap_or_else(|| Err(internal()))),
        }
    })
}

/// A thread that cannot be started is an error like any other; one that was started before it ends by itself, since its
/// channel is dropped here.
fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    file: &Path,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, Error> {
    let thread = Builder::new().name(name.to_owned()).spawn_scoped(scope, work);
    thread.map_err(|source| Error::Read { file: file.to_owned(), source })
}
