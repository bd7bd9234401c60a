//! The one writer: groups whatever waits into one commit.
//!
//! SQLite has one write lock. Verbs wait in a queue; the writer takes the first, then whatever else has come
//! meanwhile, runs each inside a savepoint of one transaction and commits once. Every verb is answered after that
//! commit. While one group is being written to disk the next one gathers, so nothing waits on purpose.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Fault;
use super::serving::Serving;
use super::turn::Turn;
use crate::clock::Clock;
use crate::domain::Span;
use crate::store::error::Failure;
use crate::store::{Error, Result};

/// Verbs in one commit. More would not make a commit cheaper, only longer.
const GROUP_MAX: usize = 64;
/// A group takes no further verb once it has lasted this long, so that none lasts much longer than 50 ms.
const GROUP_LONGEST: Span = Span::from_millis(15);
/// Whatever takes so long keeps everybody else from writing: that is worth a line in the log.
const SLOW: Span = Span::from_secs(1);
/// Verbs that may wait. Callers wait in turn beyond it, which is the back-pressure on import and dispatch.
const QUEUE: usize = 256;

/// A verb that waits to be run, with whoever waits for its answer.
trait Job: Send {
    /// Runs the verb; says whether its work is to be kept.
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, bool>;
    /// What the database said where the verb failed by it.
    fn failure(&self) -> Option<Failure>;
    fn only_looks(&self) -> bool;
    fn verb(&self) -> &'static str;
    fn answer(self: Box<Self>, committed: std::result::Result<(), &Failure>);
}

struct Task<T, W> {
    verb: &'static str,
    work: Option<W>,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
    wanted: Wanted,
}

/// What becomes of a verb whose caller has gone before its turn came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// It is done all the same.
    Always,
    /// It is left undone, because it only hands something to its caller.
    ByCaller,
    /// The same, and it only looks: alone on the one connection to a database in memory, it needs no transaction.
    ToLook,
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
            // Whoever went away while it ran takes nothing either.
            let worked = result.is_ok() && (self.wanted == Wanted::Always || !self.reply.is_closed());
            self.result = Some(result);
            worked
        })
    }

    fn failure(&self) -> Option<Failure> {
        self.result.as_ref().and_then(|result| result.as_ref().err()).and_then(Failure::behind)
    }

    fn only_looks(&self) -> bool {
        self.wanted == Wanted::ToLook
    }

    fn verb(&self) -> &'static str {
        self.verb
    }

    fn answer(self: Box<Self>, committed: std::result::Result<(), &Failure>) {
        let answer = match (self.result, committed) {
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(Error::Closed { verb: self.verb }),
            (Some(Ok(_)) | None, Err(failure)) => Err(failure.told_to(self.verb)),
        };
        // Whoever asked may have gone; what was asked for is done or not done all the same.
        let _ = self.reply.send(answer);
    }
}

type Queue = mpsc::Sender<Box<dyn Job>>;

#[derive(Debug)]
pub(super) struct Writer {
    /// Nothing once the writer is closed.
    queue: Mutex<Option<Queue>>,
    task: Mutex<Option<JoinHandle<()>>>,
    /// Cancelled when the task ends, however it ends.
    ended: CancellationToken,
}

impl Writer {
    pub(super) fn start(
        connection: SqliteConnection,
        turn: Option<Turn>,
        serving: Arc<Serving>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let ended = CancellationToken::new();
        let at_the_end = ended.clone().drop_guard();
        let task = tokio::spawn(async move {
            let _at_the_end = at_the_end;
            Loop { connection, jobs, turn, serving, clock }.run().await;
        });
        Self { queue: Mutex::new(Some(queue)), task: Mutex::new(Some(task)), ended }
    }

    /// Runs `work` in the next group; answers after its commit.
    pub(super) async fn run<T, W>(&self, verb: &'static str, wanted: Wanted, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, std::result::Result<T, Fault>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let task = Task { verb, work: Some(work), result: None, reply, wanted };
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        queue.ok_or(Error::Closed { verb })?.send(Box::new(task)).await.map_err(|_| Error::Closed { verb })?;
        answer.await.map_err(|_| Error::Closed { verb })?
    }

    /// Ends once the writer has: it was closed, or a verb has panicked.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Ends the writer after everything that was asked before.
    pub(super) async fn close(&self) {
        // Without a sender the loop comes to the end of its queue, and then to its own.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let _ = task.await;
        }
    }
}

struct Loop {
    connection: SqliteConnection,
    jobs: mpsc::Receiver<Box<dyn Job>>,
    turn: Option<Turn>,
    serving: Arc<Serving>,
    clock: Arc<dyn Clock>,
}

impl Loop {
    async fn run(mut self) {
        let mut group = Vec::new();
        while let Some(mut first) = self.jobs.recv().await {
            if first.only_looks() {
                first.run(&mut self.connection).await;
                first.answer(Ok(()));
                continue;
            }
            group.push(first);
            if let Some(turn) = &mut self.turn {
                turn.take().await;
            }
            let committed = self.write(&mut group).await;
            if let Some(turn) = &mut self.turn {
                turn.give();
            }
            self.leave_word(&committed, &group);
            for job in group.drain(..) {
                job.answer(committed.as_ref().copied());
            }
        }
        // A connection that closes cleanly folds its log into the file; one that does not is as safe.
        let _ = self.connection.close().await;
    }

    /// Where the disk has failed a server, other commands have to be able to see it.
    fn leave_word(&self, committed: &std::result::Result<(), Failure>, group: &[Box<dyn Job>]) {
        let trouble = match committed {
            Err(failure) => failure.of_the_disk(),
            Ok(()) => group.iter().find_map(|job| job.failure()?.of_the_disk()),
        };
        if let Some(trouble) = trouble {
            self.serving.cannot_write(self.clock.now(), trouble);
        }
    }

    /// Writes one group: what is in it, and whatever waits behind. Whoever was taken is in `group`, whatever happens.
    async fn write(&mut self, group: &mut Vec<Box<dyn Job>>) -> std::result::Result<(), Failure> {
        let asked = self.clock.now();
        let begun = self.sql("BEGIN IMMEDIATE").await;
        let waited = self.clock.now().since(asked);
        if let Some(turn) = &mut self.turn {
            turn.begun();
        }
        // Where it waited in vain, the error says so.
        begun?;
        self.notice("wait for another process", waited);
        let committed = self.run_all(group).await;
        if committed.is_err() {
            // A full disk or a failed read may have ended the transaction by itself; then there is nothing to undo.
            // Where it has not, the next group could not begin inside it.
            let _ = self.sql("ROLLBACK").await;
        }
        committed
    }

    /// Runs verb after verb, and commits. The first needs no savepoint: undoing it is beginning anew.
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
            // What stands between two verbs goes to the database in one piece.
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
            tracing::warn!(what, %took, "the database was slow, or the machine stood still; nothing else was written meanwhile");
        }
    }

    async fn sql(&mut self, text: &'static str) -> std::result::Result<(), Failure> {
        match sqlx::query(text).execute(&mut self.connection).await {
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::of(&error)),
        }
    }
}
