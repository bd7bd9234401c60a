//! The one writer: groups whatever waits into one commit.
//!
//! SQLite has one write lock. Verbs wait in a queue; the writer takes the first, then whatever else has come
//! meanwhile, runs each inside a savepoint of one transaction and commits once. Every verb is answered after that
//! commit. While one group is being written to disk the next one gathers, so nothing waits on purpose.
//!
//! Other processes (a command beside a server) write too. SQLite lets them try again and again at growing intervals,
//! which a busy server would win for ever, so there is a turn: whoever is not the server holds the turn file's lock
//! while it writes, and the server looks before each group and waits for as long as it is held.

use std::fs::{File, TryLockError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Fault;
use crate::clock::Clock;
use crate::domain::Span;
use crate::store::{Error, Result};

/// Verbs in one commit. More would not make a commit cheaper, only longer.
const GROUP_MAX: usize = 64;
/// A group takes no further verb once it has lasted this long, so that none lasts much longer than 50 ms.
const GROUP_LONGEST: Span = Span::from_millis(15);
/// Verbs that may wait. Callers wait in turn beyond it, which is the back-pressure on import and dispatch.
const QUEUE: usize = 256;
/// How long the server stands back for one command's write. A command that was stopped in the middle of its turn
/// must not stop the server for good.
const PATIENCE: Span = Span::from_millis(2_000);

/// A verb that waits to be run, with whoever waits for its answer.
trait Job: Send {
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, bool>;
    fn answer(self: Box<Self>, committed: std::result::Result<(), String>);
}

struct Task<T, W> {
    verb: &'static str,
    work: Option<W>,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, W> Job for Task<T, W>
where
    T: Send,
    W: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, std::result::Result<T, Fault>> + Send,
{
    fn run<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, bool> {
        Box::pin(async move {
            let Some(work) = self.work.take() else { return false };
            let result = work(connection).await.map_err(|fault| fault.during(self.verb));
            let worked = result.is_ok();
            self.result = Some(result);
            worked
        })
    }

    fn answer(self: Box<Self>, committed: std::result::Result<(), String>) {
        let answer = match (self.result, committed) {
            (Some(Err(error)), _) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Ok(_)), Err(reason)) => Err(Error::Commit { reason }),
            (None, Ok(())) => Err(Error::Closed { verb: self.verb }),
            (None, Err(reason)) => Err(Error::Commit { reason }),
        };
        // Whoever asked may have gone; the work is done all the same.
        let _ = self.reply.send(answer);
    }
}

#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    hosting: Arc<AtomicBool>,
    task: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(connection: SqliteConnection, turn: Option<File>, clock: Arc<dyn Clock>) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let hosting = Arc::new(AtomicBool::new(false));
        let turn = turn.map(|file| Turn { file, hosting: Arc::clone(&hosting), clock: Arc::clone(&clock) });
        let task = tokio::spawn(Loop { connection, jobs, turn, clock }.run());
        Self { queue, hosting, task: std::sync::Mutex::new(Some(task)) }
    }

    /// From now on this process is the server, which gives way to others.
    pub(super) fn host(&self) {
        self.hosting.store(true, Ordering::Relaxed);
    }

    /// Runs `work` in the next group; answers after its commit.
    pub(super) async fn run<T, W>(&self, verb: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, std::result::Result<T, Fault>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let task = Task { verb, work: Some(work), result: None, reply };
        self.queue.send(Box::new(task)).await.map_err(|_| Error::Closed { verb })?;
        answer.await.map_err(|_| Error::Closed { verb })?
    }

    /// Ends the writer after what it has begun.
    pub(super) async fn close(&self) {
        let task = self.task.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(task) = task {
            let (reply, answer) = oneshot::channel();
            // A job that does nothing marks the end of the queue; the loop stops behind it.
            if self.queue.send(Box::new(End { reply })).await.is_ok() {
                let _ = answer.await;
            }
            task.abort();
        }
    }
}

struct End {
    reply: oneshot::Sender<()>,
}

impl Job for End {
    fn run<'c>(&'c mut self, _: &'c mut SqliteConnection) -> BoxFuture<'c, bool> {
        Box::pin(std::future::ready(true))
    }

    fn answer(self: Box<Self>, _: std::result::Result<(), String>) {
        let _ = self.reply.send(());
    }
}

struct Loop {
    connection: SqliteConnection,
    jobs: mpsc::Receiver<Box<dyn Job>>,
    turn: Option<Turn>,
    clock: Arc<dyn Clock>,
}

impl Loop {
    async fn run(mut self) {
        while let Some(first) = self.jobs.recv().await {
            if let Some(turn) = &self.turn {
                turn.take().await;
            }
            let mut group = Vec::new();
            let committed = self.write(first, &mut group).await.map_err(|error| error.to_string());
            if let Some(turn) = &self.turn {
                turn.give();
            }
            for job in group {
                job.answer(committed.clone());
            }
        }
        // A connection that closes cleanly folds its log into the file; one that does not is as safe.
        let _ = self.connection.close().await;
    }

    /// Runs `first` and whatever waits behind it, and commits. Whoever was taken is in `group`, whatever happens.
    async fn write(
        &mut self,
        first: Box<dyn Job>,
        group: &mut Vec<Box<dyn Job>>,
    ) -> std::result::Result<(), sqlx::Error> {
        group.push(first);
        let connection = &mut self.connection;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
        let begun = self.clock.now();
        let mut ran = 0;
        while ran < group.len() {
            sqlx::query("SAVEPOINT verb").execute(&mut *connection).await?;
            let worked = match group.get_mut(ran) {
                Some(job) => job.run(&mut *connection).await,
                None => false,
            };
            let end = if worked { "RELEASE verb" } else { "ROLLBACK TO verb" };
            if let Err(error) = sqlx::query(end).execute(&mut *connection).await {
                // A full disk or a failed read may have ended the transaction by itself; nothing of it happened.
                let _ = sqlx::query("ROLLBACK").execute(&mut *connection).await;
                return Err(error);
            }
            ran += 1;
            if group.len() < GROUP_MAX && self.clock.now().since(begun) < GROUP_LONGEST {
                group.extend(self.jobs.try_recv().ok());
            }
        }
        if let Err(error) = sqlx::query("COMMIT").execute(&mut *connection).await {
            let _ = sqlx::query("ROLLBACK").execute(&mut *connection).await;
            return Err(error);
        }
        Ok(())
    }
}

/// Whose turn it is to write.
struct Turn {
    file: File,
    hosting: Arc<AtomicBool>,
    clock: Arc<dyn Clock>,
}

impl Turn {
    async fn take(&self) {
        let since = self.clock.now();
        loop {
            let taken = if self.hosting.load(Ordering::Relaxed) {
                // Only a look: the server does not keep the turn, or no command would ever get it.
                self.file.try_lock_shared().map(|()| self.give())
            } else {
                self.file.try_lock()
            };
            match taken {
                Err(TryLockError::WouldBlock) if self.clock.now().since(since) < PATIENCE => {
                    self.clock.sleep(Span::from_millis(1)).await;
                }
                // Without a turn SQLite's own lock still keeps order, only less fairly.
                Ok(()) | Err(_) => return,
            }
        }
    }

    fn give(&self) {
        let _ = self.file.unlock();
    }
}
