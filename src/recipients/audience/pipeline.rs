//! Runs an import on several threads: one reads, a few check rows, and the caller's thread collects them in file order.
//!
//! - Blocks go to the checkers in rotation and are collected in the same rotation, so no sorting is needed.
//! - Every channel is bounded, and each side ends when the other closes its end.
//! - A thread that panics closes its channels too; its panic becomes an [`Error::Internal`].

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use super::block::Rows;
use super::check::Reject;
use super::columns::Columns;
use super::error::BoxError;
use super::selection::{BoundSelection, Evidence};
use super::table::Form;
use super::{Error, number};
use crate::base::domain::Recipient;

/// Receives the rows that are read, in file order.
pub trait Sink {
    /// Called once, before all other methods.
    fn columns(&mut self, columns: &Columns) -> Result<(), Halt> {
        let _ = columns;
        Ok(())
    }

    /// Takes accepted recipients, a few thousand at a time, never zero.
    fn accepted(&mut self, recipients: Vec<Recipient>) -> Result<(), Halt>;

    /// Takes rejected rows as they are found, never zero.
    fn rejected(&mut self, rejects: &[Reject]) -> Result<(), Halt> {
        let _ = rejects;
        Ok(())
    }

    /// Number of busy threads behind the sink, which need processors too.
    fn threads(&self) -> usize {
        0
    }

    /// Called after every block of rows.
    fn progress(&mut self, progress: ReadingProgress) -> Result<(), Halt> {
        let _ = progress;
        Ok(())
    }
}

/// The progress of the reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadingProgress {
    pub bytes_done: u64,
    pub bytes_total: u64,
    pub rows: u64,
}

/// Why a sink ends the reading.
#[derive(Debug)]
pub enum Halt {
    /// The caller asked to stop.
    Stop,
    /// The sink failed.
    Failed(BoxError),
}

impl<E: Into<BoxError>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The columns and properties of a file, known after its header.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) columns: Columns,
    pub(super) selection: Option<BoundSelection>,
    pub(super) form: Form,
}

/// A block of rows, and what is known of their file.
pub(super) struct Job {
    pub(super) columns: Arc<Columns>,
    pub(super) selection: Option<Arc<BoundSelection>>,
    pub(super) may_be_damaged: bool,
    pub(super) rows: Rows,
    bytes_done: u64,
}

/// What the check of a block found.
pub(super) struct Done<T> {
    pub(super) checked: T,
    pub(super) bytes_done: u64,
}

/// The sending side of the reading thread. Its methods return false when no receiver is left.
pub(super) struct Feed {
    layout: SyncSender<(Arc<Columns>, Form)>,
    columns: Option<Arc<Columns>>,
    selection: Option<Arc<BoundSelection>>,
    /// What the cells tell about the columns that the selection compares.
    evidence: Evidence,
    may_be_damaged: bool,
    jobs: Vec<SyncSender<Job>>,
    next: usize,
}

impl Feed {
    /// Says how the compared columns are written; must come before the layout.
    pub(super) fn read_as(&mut self, evidence: Evidence) {
        self.evidence = evidence;
    }

    /// Sends the layout; must come before any rows.
    pub(super) fn start(&mut self, layout: Layout) -> bool {
        let columns = Arc::new(layout.columns);
        self.columns = Some(Arc::clone(&columns));
        self.selection = layout.selection.map(|selection| Arc::new(selection.reading(&self.evidence)));
        self.may_be_damaged = layout.form.may_be_damaged;
        self.layout.send((columns, layout.form)).is_ok()
    }

    /// Sends a block of rows to the next checker.
    pub(super) fn rows(&mut self, rows: Rows, bytes_done: u64) -> bool {
        let Some(columns) = self.columns.clone() else { return false };
        let checker = self.next % self.jobs.len();
        self.next += 1;
        let (selection, may_be_damaged) = (self.selection.clone(), self.may_be_damaged);
        self.jobs[checker].send(Job { columns, selection, may_be_damaged, rows, bytes_done }).is_ok()
    }
}

/// The receiving side: yields checked blocks in file order.
pub(super) struct Collected<T> {
    pub(super) columns: Arc<Columns>,
    pub(super) form: Form,
    done: Vec<Receiver<Done<T>>>,
    next: usize,
}

impl<T> Iterator for Collected<T> {
    type Item = Done<T>;

    fn next(&mut self) -> Option<Done<T>> {
        let checker = self.next % self.done.len();
        self.next += 1;
        self.done[checker].recv().ok()
    }
}

/// Blocks that may wait before each checker, and after it.
const WAITING: usize = 2;
/// Most checker threads. Checking costs far more than reading, but with more threads, reading is the bottleneck.
const CHECKERS_MAX: usize = 6;

/// Runs `read` on its own thread, checks its blocks of rows, and passes the results to `collect`. Returns when all threads
/// have ended.
///
/// `busy` is the number of threads that store the results. Their processors are left to them, because the import ends only
/// when they are done.
pub(super) fn run<T: Send, R>(
    file: &Path,
    busy: usize,
    read: impl FnOnce(&mut Feed) -> Result<(), Error> + Send,
    check: impl Fn(&Job) -> T + Sync,
    collect: impl FnOnce(Collected<T>) -> Result<R, Error>,
) -> Result<R, Error> {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    let checkers = processors.saturating_sub(busy).clamp(1, CHECKERS_MAX);
    std::thread::scope(|scope| {
        let (layout_sender, layout) = sync_channel(1);
        let mut feed = Feed {
            layout: layout_sender,
            columns: None,
            selection: None,
            evidence: Evidence::default(),
            may_be_damaged: false,
            jobs: Vec::new(),
            next: 0,
        };
        let mut done = Vec::new();
        let mut threads = Vec::new();
        let check = &check;
        for _ in 0..checkers {
            let (job_sender, jobs) = sync_channel::<Job>(WAITING);
            let (done_sender, done_receiver) = sync_channel(WAITING);
            feed.jobs.push(job_sender);
            done.push(done_receiver);
            threads.push(spawn(scope, file, "audience check", move || {
                number::warm_up();
                for job in jobs {
                    let done = Done { checked: check(&job), bytes_done: job.bytes_done };
                    if done_sender.send(done).is_err() {
                        break;
                    }
                }
            })?);
        }
        let reader = spawn(scope, file, "audience read", move || read(&mut feed))?;
        // The senders have moved into the threads, so this returns when those end, at the latest.
        let collected = match layout.recv() {
            Ok((columns, form)) => Some(collect(Collected { columns, form, done, next: 0 })),
            Err(_) => {
                drop(done);
                None
            }
        };
        let internal = || Error::Internal { file: file.to_owned() };
        let read = reader.join().unwrap_or_else(|_| Err(internal()));
        // Join all threads, because the scope would propagate the panic of an unjoined one.
        let broken = threads.into_iter().map(ScopedJoinHandle::join).filter(Result::is_err).count() > 0;
        match collected {
            Some(Err(error)) => Err(error),
            _ if broken => Err(internal()),
            collected => read.and_then(|()| collected.unwrap_or_else(|| Err(internal()))),
        }
    })
}

/// Starts a thread. If that fails, threads started earlier end on their own, because their channels are dropped.
fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    file: &Path,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, Error> {
    let thread = Builder::new().name(name.to_owned()).spawn_scoped(scope, work);
    thread.map_err(|source| Error::Read { file: file.to_owned(), source })
}
