//! Runs all verbs that write, in groups of one commit each.
//!
//! SQLite has one write lock, so one task writes and verbs queue for it. The writer takes the first queued verb and those
//! that arrive meanwhile, and runs each in a savepoint of one transaction. It commits once, and only then answers each
//! verb. It never waits for a group to fill: the next group gathers while this one is written to disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Fault;
use super::fair_lock::FairLock;
use super::serve_file::ServeFile;
use crate::base::clock::Clock;
use crate::base::domain::{Histogram, Span, Timestamp};
use crate::store::error::Failure;
use crate::store::{Error, Result, WriterFigures};

/// Verbs in one commit. More make a commit no cheaper, only longer.
const GROUP_MAX: usize = 64;
/// A group takes no further verb after this time, so no group lasts much longer than 50 ms.
const GROUP_LONGEST: Span = Span::from_millis(15);
/// A step that takes this long blocks all other writes and is logged.
const SLOW: Span = Span::from_secs(1);
/// Verbs that may be queued. Beyond that, callers wait to enqueue: this is the back-pressure on import and dispatch.
const QUEUE: usize = 256;

/// Bounds of the sizes of groups, and of the milliseconds that a group takes.
const GROUP_SIZES: &[u64] = &[1, 2, 4, 8, 16, 32, GROUP_MAX as u64];
const COMMIT_MS: &[u64] = &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];
/// In place of a time: nothing is being written.
const NOTHING: i64 = i64::MIN;

/// What the writer does, for those who do not wait for it.
#[derive(Debug)]
struct Progress {
    /// When the oldest verb was queued that is not on disk yet, in milliseconds.
    oldest: AtomicI64,
    group_sizes: Histogram,
    commit_ms: Histogram,
    failed: AtomicU64,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            oldest: AtomicI64::new(NOTHING),
            group_sizes: Histogram::new(GROUP_SIZES),
            commit_ms: Histogram::new(COMMIT_MS),
            failed: AtomicU64::new(0),
        }
    }
}

/// A queued verb with the channel for its result.
trait Job: Send {
    /// Runs the verb. Returns whether its work is to be kept.
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, bool>;
    /// The database's error, if the verb failed because of one.
    fn failure(&self) -> Option<Failure>;
    fn is_read_only(&self) -> bool;
    fn verb(&self) -> &'static str;
    /// When its caller asked for it.
    fn asked(&self) -> Timestamp;
    fn answer(self: Box<Self>, committed: std::result::Result<(), &Failure>);
}

struct Task<T, W> {
    verb: &'static str,
    work: Option<W>,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
    wanted: Wanted,
    asked: Timestamp,
}

/// When a queued verb is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Even if its caller is gone.
    Always,
    /// Only if its caller still waits, because its result matters to the caller alone.
    ByCaller,
    /// Only if its caller still waits, and without a transaction, because it only reads. For a database in memory, whose
    /// one connection also reads.
    ReadOnly,
}

impl<T, W> Job for Task<T, W>
where
    T: Send,
    W: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, std::result::Result<T, Fault>> + Send,
{
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, bool> {
        Box::pin(async move {
            if self.wanted != Wanted::Always && self.reply.is_closed() {
                return false;
            }
            let Some(work) = self.work.take() else { return false };
            let result = work(connection).await.map_err(|fault| fault.during(self.verb));
            // A caller that went away while the verb ran does not take its result either.
            let worked = result.is_ok() && (self.wanted == Wanted::Always || !self.reply.is_closed());
            self.result = Some(result);
            worked
        })
    }

    fn failure(&self) -> Option<Failure> {
        self.result.as_ref().and_then(|result| result.as_ref().err()).and_then(Failure::behind)
    }

    fn is_read_only(&self) -> bool {
        self.wanted == Wanted::ReadOnly
    }

    fn verb(&self) -> &'static str {
        self.verb
    }

    fn asked(&self) -> Timestamp {
        self.asked
    }

    fn answer(self: Box<Self>, committed: std::result::Result<(), &Failure>) {
        let answer = match (self.result, committed) {
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(Error::Closed { verb: self.verb }),
            (Some(Ok(_)) | None, Err(failure)) => Err(failure.told_to(self.verb)),
        };
        // The caller may be gone; that does not change what was done.
        let _ = self.reply.send(answer);
    }
}

type Queue = mpsc::Sender<Box<dyn Job>>;

#[derive(Debug)]
pub(super) struct Writer {
    /// `None` once the writer is closed.
    queue: Mutex<Option<Queue>>,
    task: Mutex<Option<JoinHandle<()>>>,
    /// Cancelled when the task ends, however it ends.
    ended: CancellationToken,
    progress: Arc<Progress>,
    clock: Arc<dyn Clock>,
}

impl Writer {
    pub(super) fn start(
        connection: SqliteConnection,
        lock: Option<FairLock>,
        serve_file: Arc<ServeFile>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let ended = CancellationToken::new();
        let at_the_end = ended.clone().drop_guard();
        let progress = Arc::<Progress>::default();
        let (for_loop, loop_clock) = (Arc::clone(&progress), Arc::clone(&clock));
        let task = tokio::spawn(async move {
            let _at_the_end = at_the_end;
            WriterLoop { connection, jobs, lock, serve_file, clock: loop_clock, progress: for_loop }.run().await;
        });
        Self { queue: Mutex::new(Some(queue)), task: Mutex::new(Some(task)), ended, progress, clock }
    }

    /// Runs `work` in the next group; returns after its commit.
    pub(super) async fn run<T, W>(&self, verb: &'static str, wanted: Wanted, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, std::result::Result<T, Fault>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let task = Task { verb, work: Some(work), result: None, reply, wanted, asked: self.clock.now() };
        let queue = self.queue.lock().clone();
        queue.ok_or(Error::Closed { verb })?.send(Box::new(task)).await.map_err(|_| Error::Closed { verb })?;
        answer.await.map_err(|_| Error::Closed { verb })?
    }

    pub(super) fn figures(&self) -> WriterFigures {
        let Progress { oldest, group_sizes, commit_ms, failed } = self.progress.as_ref();
        let oldest = Some(oldest.load(Ordering::Relaxed)).filter(|oldest| *oldest != NOTHING);
        let queue = self.queue.lock();
        WriterFigures {
            oldest: oldest.map(Timestamp::from_millis),
            queued: queue.as_ref().map_or(0, |queue| (queue.max_capacity() - queue.capacity()) as u64),
            group_sizes: group_sizes.figures(),
            commit_ms: commit_ms.figures(),
            failed: failed.load(Ordering::Relaxed),
        }
    }

    /// Waits until the writer has ended: it was closed, or a verb has panicked.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Ends the writer after all verbs that are already queued.
    pub(super) async fn close(&self) {
        // Without a sender, the loop ends once its queue is empty.
        self.queue.lock().take();
        let task = self.task.lock().take();
        if let Some(task) = task {
            let _ = task.await;
        }
    }
}

struct WriterLoop {
    connection: SqliteConnection,
    jobs: mpsc::Receiver<Box<dyn Job>>,
    lock: Option<FairLock>,
    serve_file: Arc<ServeFile>,
    clock: Arc<dyn Clock>,
    progress: Arc<Progress>,
}

impl WriterLoop {
    async fn run(mut self) {
        let mut group = Vec::new();
        while let Some(mut first) = self.jobs.recv().await {
            if first.is_read_only() {
                first.run(&mut self.connection).await;
                first.answer(Ok(()));
                continue;
            }
            // Verbs are written in the order of the queue, so all others were asked for later.
            self.progress.oldest.store(first.asked().millis(), Ordering::Relaxed);
            group.push(first);
            let begun = self.clock.now();
            if let Some(lock) = &mut self.lock {
                lock.acquire().await;
            }
            let committed = self.write(&mut group).await;
            if let Some(lock) = &mut self.lock {
                lock.release();
            }
            self.note(&committed, group.len(), begun);
            self.report_disk_trouble(&committed, &group);
            for job in group.drain(..) {
                job.answer(committed.as_ref().copied());
            }
        }
        // A clean close moves the log into the file. An unclean one loses nothing.
        let _ = self.connection.close().await;
    }

    /// Notes what became of a group.
    fn note(&self, committed: &std::result::Result<(), Failure>, verbs: usize, begun: Timestamp) {
        let Progress { oldest, group_sizes, commit_ms, failed } = self.progress.as_ref();
        oldest.store(NOTHING, Ordering::Relaxed);
        match committed {
            Ok(()) => {
                group_sizes.add(verbs as u64);
                commit_ms.add(self.clock.now().since(begun).millis().unsigned_abs());
            }
            Err(_) => _ = failed.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Reports a failure of the disk, so that other processes see why the server writes nothing.
    fn report_disk_trouble(&self, committed: &std::result::Result<(), Failure>, group: &[Box<dyn Job>]) {
        let trouble = match committed {
            Err(failure) => failure.of_the_disk(),
            Ok(()) => group.iter().find_map(|job| job.failure()?.of_the_disk()),
        };
        if let Some(trouble) = trouble {
            self.serve_file.report(self.clock.now(), trouble);
        }
    }

    /// Writes one group: the verbs in `group`, and queued ones, which it adds. `group` holds all of them even on an error.
    async fn write(&mut self, group: &mut Vec<Box<dyn Job>>) -> std::result::Result<(), Failure> {
        let asked = self.clock.now();
        let begun = self.sql("BEGIN IMMEDIATE").await;
        let waited = self.clock.now().since(asked);
        if let Some(lock) = &mut self.lock {
            lock.stop_waiting();
        }
        // A wait that failed is reported by its error, not by `notice`.
        begun?;
        self.notice("wait for another process", waited);
        let committed = self.run_all(group).await;
        if committed.is_err() {
            // The next group cannot begin inside this transaction. After a full disk or a failed read, SQLite may have
            // ended it already; then this rollback fails and changes nothing.
            let _ = self.sql("ROLLBACK").await;
        }
        committed
    }

    /// Runs one verb after the other and commits. The first needs no savepoint: undoing it restarts the transaction.
    async fn run_all(&mut self, group: &mut Vec<Box<dyn Job>>) -> std::result::Result<(), Failure> {
        let begun = self.clock.now();
        let (mut ran, mut last) = (0, begun);
        while let Some(job) = group.get_mut(ran) {
            let worked = job.run(&mut self.connection).await;
            let failure = job.failure();
            let since = std::mem::replace(&mut last, self.clock.now());
            self.notice(job.verb(), last.since(since));
            let is_first = ran == 0;
            if !worked {
                let undo = if is_first { "ROLLBACK; BEGIN IMMEDIATE" } else { "ROLLBACK TO verb" };
                self.sql(undo).await.map_err(|undone| failure.unwrap_or(undone))?;
            }
            ran += 1;
            if group.len() < GROUP_MAX && last.since(begun) < GROUP_LONGEST {
                group.extend(self.jobs.try_recv().ok());
            }
            // All statements between two verbs go to the database in one call.
            let next = match (is_first, ran < group.len()) {
                (true, true) => "SAVEPOINT verb",
                (true, false) => "COMMIT",
                (false, true) => "RELEASE verb; SAVEPOINT verb",
                (false, false) => "RELEASE verb; COMMIT",
            };
            self.sql(next).await?;
        }
        self.notice("commit", self.clock.now().since(last));
        Ok(())
    }

    fn notice(&self, what: &'static str, took: Span) {
        if took >= SLOW {
            tracing::warn!(what, %took, "the database or the machine was slow; nothing else was written meanwhile");
        }
    }

    async fn sql(&mut self, text: &'static str) -> std::result::Result<(), Failure> {
        match sqlx::query(text).execute(&mut self.connection).await {
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::of(&error)),
        }
    }
}
