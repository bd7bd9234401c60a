//! Carries requests out that compute for long, such as plans, on threads of their own.
//!
//! - The threads that send, take webhooks and cancel never wait for them. On Linux, these threads also have a lower priority.
//! - A few run at a time, and fewer of one caller; the others wait for their turn. Requests that only read have their own
//!   turns, so that they delay no launch.
//! - Which operations compute is said where they are added to the routes: by `Rule::computes` in `native`, and by
//!   [`on_own_thread`] in `web`.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::Builder;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::Shared;
use super::native::{Answer, Call, Kind, Problem, panicked};
use crate::base::domain::{Scope, Span};

/// Requests of one caller that wait for a turn.
const WAITING_MAX: usize = 8;
/// When to repeat a request that found too many others.
const LATER: Span = Span::from_secs(5);
/// How much lower the priority of a thread is.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Bounds the computations of callers.
#[derive(Debug)]
pub(super) struct Computing {
    reads: Turns,
    changes: Turns,
}

impl Default for Computing {
    fn default() -> Self {
        Self { reads: Turns::new(2, 1), changes: Turns::new(8, 4) }
    }
}

/// The turns of one kind of computation.
#[derive(Debug)]
struct Turns {
    all: Arc<Semaphore>,
    each: usize,
    /// Those of each caller that computes or waits.
    of_callers: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// A computation that waits for its turn.
#[derive(Debug)]
pub(super) struct Queued {
    all: Arc<Semaphore>,
    own: Arc<Semaphore>,
}

/// The turn of a computation. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _own: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Computing {
    /// Takes a place in the queue of a caller.
    pub(super) fn queue(&self, scope: Scope, caller: &str) -> Answer<Queued> {
        let turns = if scope == Scope::Read { &self.reads } else { &self.changes };
        turns.queue(caller)
    }
}

impl Turns {
    fn new(all: usize, each: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), each, of_callers: Mutex::default() }
    }

    fn queue(&self, caller: &str) -> Answer<Queued> {
        let mut of_callers = self.of_callers.lock();
        // Each computation holds its caller's turns.
        of_callers.retain(|_, own| Arc::strong_count(own) > 1);
        let own = of_callers.entry(caller.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(self.each)));
        if Arc::strong_count(own) > self.each + WAITING_MAX {
            let sentence =
                format!("{WAITING_MAX} plans and other long computations of yours wait already; repeat this one later");
            return Err(Problem::new(Kind::Busy, sentence).retry_after(LATER));
        }
        Ok(Queued { all: Arc::clone(&self.all), own: Arc::clone(own) })
    }
}

impl Queued {
    /// Waits for the turn. Among the callers, the one that waited longest is next.
    pub(super) async fn turn(self) -> Answer<Turn> {
        // The semaphores are never closed.
        let closed = |error| Problem::failed(&error);
        let own = self.own.acquire_owned().await.map_err(closed)?;
        let of_all = self.all.acquire_owned().await.map_err(closed)?;
        Ok(Turn { _own: own, _of_all: of_all })
    }
}

/// Carries a request of a page out on a thread of its own.
pub(super) async fn on_own_thread(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let only_reads = [Method::GET, Method::HEAD].contains(request.method());
    let scope = if only_reads { Scope::Read } else { Scope::Manage };
    carry_out(&shared, scope, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

/// Carries an admitted request out on a thread of its own, once it is its caller's turn.
pub(super) async fn carry_out(shared: &Shared, scope: Scope, request: Request, next: Next) -> Answer<Response> {
    let caller = request.extensions().get::<Call>().map(|call| call.caller.id.clone()).unwrap_or_default();
    let turn = shared.0.computing.queue(scope, &caller)?.turn().await?;
    computed(turn, move || next.run(request)).await
}

/// Computes on a thread of its own, which may wait for tasks of the runtime.
async fn computed<T, F>(turn: Turn, work: impl FnOnce() -> F + Send + 'static) -> Answer<T>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let (done, result) = oneshot::channel();
    let (runtime, span) = (Handle::current(), tracing::Span::current());
    let thread = move || {
        let (_turn, _span) = (turn, span.entered());
        lower_priority();
        // Without a caller, nothing reads the result.
        let _ = done.send(runtime.block_on(async { work().await }));
    };
    Builder::new().name("computation".to_owned()).spawn(thread).map_err(|error| Problem::failed(&error))?;
    result.await.map_err(|_| panicked())
}

/// Lets threads that send run first.
fn lower_priority() {
    // On Linux this is about the calling thread. Where it is not permitted, the computation runs like the others.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICE);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;

    fn queue(computing: &Computing, caller: &str) -> Queued {
        computing.queue(Scope::Read, caller).unwrap()
    }

    #[tokio::test]
    async fn a_caller_has_one_turn_and_leaves_the_other_to_others() {
        let computing = Computing::default();
        let first = queue(&computing, "a").turn().await.unwrap();
        let mut second = in_a_task(queue(&computing, "a"));
        assert!(second.try_recv().is_err(), "one caller computes once at a time");
        let other = queue(&computing, "b").turn().await.unwrap();
        let mut third = in_a_task(queue(&computing, "c"));
        assert!(third.try_recv().is_err(), "two compute at a time");
        // A change has turns of its own.
        computing.queue(Scope::Manage, "a").unwrap().turn().await.unwrap();
        drop(other);
        third.recv().await.unwrap();
        drop(first);
        second.recv().await.unwrap();
    }

    /// Waits for a turn in a task, and returns the receiver of it.
    fn in_a_task(queued: Queued) -> mpsc::Receiver<Turn> {
        let (got, turn) = mpsc::channel(1);
        tokio::spawn(async move { got.send(queued.turn().await.unwrap()).await });
        turn
    }

    #[tokio::test]
    async fn a_caller_with_too_many_waiting_is_told_to_come_later() {
        let computing = Computing::default();
        let queued: Vec<Queued> = (0..=WAITING_MAX).map(|_| queue(&computing, "a")).collect();
        let refused = computing.queue(Scope::Read, "a").unwrap_err();
        assert_eq!(refused.kind, Kind::Busy);
        queue(&computing, "b");
        drop(queued);
        queue(&computing, "a");
        assert_eq!(computing.reads.of_callers.lock().len(), 1, "who computes nothing is forgotten");
    }

    /// The runtime of this test has one thread, so nothing else would run during a computation on it.
    #[tokio::test]
    async fn other_tasks_run_during_a_computation() {
        let turn = queue(&Computing::default(), "a").turn().await.unwrap();
        let (ask, asked) = std::sync::mpsc::channel::<()>();
        let computed = tokio::spawn(computed(turn, move || async move {
            // Ends only once the other task has run.
            asked.recv_timeout(Duration::from_secs(60)).is_ok()
        }));
        tokio::spawn(async move { ask.send(()) }).await.unwrap().unwrap();
        assert!(computed.await.unwrap().unwrap());
    }

    #[tokio::test]
    async fn a_panic_of_a_computation_is_an_answer() {
        let turn = queue(&Computing::default(), "a").turn().await.unwrap();
        let failed = computed(turn, || async { panic!("as in a bug") }).await;
        assert_eq!(failed.map(|(): ()| ()).unwrap_err().kind, Kind::Failed);
    }
}
