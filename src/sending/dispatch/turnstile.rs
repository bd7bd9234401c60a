//! The turnstile: gives the messages of one request to a free worker, as soon as they may be sent.
//!
//! Tokens are reserved here and taken when a connection takes the request (see `pending`). So neither a slow provider
//! nor a slow connection causes a burst. While there are messages and tokens, workers pass without waiting. Otherwise
//! one worker waits for tokens, messages or the provider, and the others wait for that worker.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::job::{Job, Settled};
use super::lane::RunningLane;
use super::pending::PendingRequest;
use crate::base::domain::{Refused, Span, Timestamp};
use crate::sending::throttle::{Admission, Permit, Read, Reserved, RetryAt};

/// Interval at which the first worker in line checks for stops while it waits for the provider.
const STOP_CHECK: Span = Span::from_millis(250);

#[derive(Debug)]
pub(super) struct Turnstile {
    lane: Arc<RunningLane>,
    inner: Mutex<Inner>,
    line: tokio::sync::Mutex<()>,
    /// Whether the first worker in line waits for tokens or messages. Then no other worker passes it.
    has_waiter: AtomicBool,
    filled: Notify,
    settled: mpsc::Sender<Settled>,
    stop: CancellationToken,
    /// Where to request workers, until they are requested.
    workers: Mutex<Option<WorkerRequests>>,
}

/// Where a turnstile requests its workers, at its first message. Of many lanes, most are idle and need none.
pub(super) type WorkerRequests = mpsc::Sender<Arc<Turnstile>>;

#[derive(Debug, Default)]
struct Inner {
    ready: VecDeque<Job>,
    closed: bool,
}

/// The messages of one request that may be sent now.
pub(super) struct Request {
    pub(super) jobs: Vec<Job>,
    pub(super) tokens: Reserved,
    /// Permit of the lane's circuit, to which the end of the request is reported.
    pub(super) permit: Permit,
    pub(super) at: Timestamp,
}

/// The next action for a worker.
enum Next {
    Go(Request),
    /// Requeue messages that may not be sent now, until this time if it is known.
    Requeue(Vec<Job>, Option<Timestamp>),
    /// Wait until this time.
    Wait(RetryAt),
    /// Wait until a request of the lane has ended.
    Full,
    /// Read from the provider to find out whether it answers again.
    Read(Read),
    /// This server may not send now, or never again. The waiting messages belong to its epoch and are not requeued,
    /// because a successor may be settling them.
    Lapsed,
    Empty,
    Closed,
}

impl Turnstile {
    pub(super) fn new(lane: Arc<RunningLane>, settled: mpsc::Sender<Settled>, stop: CancellationToken) -> Self {
        Self {
            lane,
            inner: Mutex::default(),
            line: tokio::sync::Mutex::default(),
            has_waiter: AtomicBool::new(false),
            filled: Notify::new(),
            settled,
            stop,
            workers: Mutex::default(),
        }
    }

    #[must_use]
    pub(super) fn requesting_workers(self, workers: WorkerRequests) -> Self {
        Self { workers: Mutex::new(Some(workers)), ..self }
    }

    /// Adds claimed messages, in order.
    pub(super) fn fill(self: &Arc<Self>, jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        self.inner.lock().ready.extend(jobs);
        self.filled.notify_one();
        if let Some(workers) = self.workers.lock().take() {
            // The channel has room for each lane, and its receiver lives as long as its senders.
            let _ = workers.try_send(Arc::clone(self));
        }
    }

    pub(super) const fn lane(&self) -> &Arc<RunningLane> {
        &self.lane
    }

    /// A request that waits for a connection.
    pub(super) fn pending_request(&self, permit: &Permit, jobs: Vec<Job>, tokens: Reserved) -> Arc<PendingRequest> {
        PendingRequest::new(&self.lane, self.stop.clone(), permit.era(), jobs, tokens)
    }

    /// Closes the turnstile: no more messages will be added.
    pub(super) fn close(&self) {
        self.inner.lock().closed = true;
        self.filled.notify_one();
    }

    /// Number of claimed messages that wait here.
    pub(super) fn waiting(&self) -> u32 {
        u32::try_from(self.inner.lock().ready.len()).unwrap_or(u32::MAX)
    }

    /// Waits for the next request; `None` after the claimer has ended and all messages are gone.
    pub(super) async fn next(&self) -> Option<Request> {
        if !self.has_waiter.load(Ordering::Acquire)
            && let Next::Go(request) = self.next_action(false)
        {
            return Some(request);
        }
        let _first_in_line = self.line.lock().await;
        loop {
            match self.next_action(true) {
                Next::Go(request) => return Some(request),
                Next::Requeue(jobs, not_before) => self.requeue(jobs, not_before).await,
                Next::Wait(again) => {
                    self.wait_until(async {
                        tokio::select! {
                            () = self.sleep(again) => {}
                            () = self.stop.cancelled() => {}
                        }
                    })
                    .await;
                }
                Next::Full => {
                    self.wait_until(async {
                        tokio::select! {
                            () = self.lane.circuit.changed() => {}
                            // An operator may have stopped the waiting messages meanwhile.
                            () = self.lane.clock.sleep(STOP_CHECK) => {}
                            () = self.stop.cancelled() => {}
                        }
                    })
                    .await;
                }
                Next::Read(read) => self.wait_until(self.probe(read)).await,
                Next::Lapsed => {
                    self.wait_until(async {
                        tokio::select! {
                            () = self.lane.clock.sleep(STOP_CHECK) => {}
                            () = self.stop.cancelled() => {}
                        }
                    })
                    .await;
                }
                Next::Empty => self.wait_until(self.filled.notified()).await,
                Next::Closed => return None,
            }
        }
    }

    /// The next request, if one may be sent now.
    #[cfg(test)]
    pub(super) async fn next_now(&self) -> Option<Request> {
        loop {
            match self.next_action(true) {
                Next::Go(request) => return Some(request),
                Next::Requeue(jobs, not_before) => self.requeue(jobs, not_before).await,
                Next::Read(read) => self.lane.read(read).await,
                Next::Wait(_) | Next::Full | Next::Lapsed | Next::Empty | Next::Closed => return None,
            }
        }
    }

    /// Finds out whether the provider answers again. Messages that are stopped meanwhile are requeued at once.
    async fn probe(&self, read: Read) {
        let probe = self.lane.read(read);
        tokio::pin!(probe);
        loop {
            tokio::select! {
                () = &mut probe => return,
                () = self.stop.cancelled() => return,
                () = self.lane.clock.sleep(STOP_CHECK) => {}
            }
            let now = self.lane.clock.now();
            if self.has_lapsed(now) {
                return;
            }
            self.requeue(self.take_stopped(now), None).await;
        }
    }

    async fn requeue(&self, jobs: Vec<Job>, not_before: Option<Timestamp>) {
        if self.lane.tenure.has_ended() {
            // The next epoch counts them as unknown, so this server may not requeue them.
            return;
        }
        for job in jobs {
            // The recorder outlives the turnstile.
            let _ = self.settled.send(job.requeue(&self.lane, not_before)).await;
        }
    }

    async fn sleep(&self, again: RetryAt) {
        let clock = &self.lane.clock;
        if again.exactly { clock.sleep_exactly(again.at).await } else { clock.sleep_until(again.at.whole()).await }
    }

    async fn wait_until(&self, what: impl Future<Output = ()>) {
        self.has_waiter.store(true, Ordering::Release);
        what.await;
        self.has_waiter.store(false, Ordering::Release);
    }

    /// The next action now. Only the first worker in line takes out messages to requeue, because that may have to wait.
    fn next_action(&self, first_in_line: bool) -> Next {
        let lane = &self.lane;
        let now = lane.clock.now();
        if self.has_lapsed(now) {
            let inner = self.inner.lock();
            return if inner.ready.is_empty() && inner.closed { Next::Closed } else { Next::Lapsed };
        }
        if first_in_line {
            // Messages after them may still be sent.
            let back = self.take_stopped(now);
            if !back.is_empty() {
                return Next::Requeue(back, None);
            }
        }
        let mut inner = self.inner.lock();
        if inner.ready.is_empty() {
            return if inner.closed { Next::Closed } else { Next::Empty };
        }
        if self.is_stopped(&inner, now) {
            return Next::Requeue(Vec::new(), None);
        }
        let permit = match lane.circuit.enter(now) {
            Admission::Go(permit) => permit,
            Admission::Full => return Next::Full,
            Admission::Read(read) if first_in_line => return Next::Read(read),
            // The first worker in line makes the read, or finds that nothing may be sent.
            Admission::Read(_) | Admission::Rest(_) => return Next::Full,
        };
        let most = if permit.is_trial() { NonZeroU32::MIN } else { lane.request_size() };
        let (jobs, later) = self.gather(&mut inner, most, now);
        let Some(count) = u32::try_from(jobs.len()).ok().and_then(NonZeroU32::new) else {
            // The first recipient has reached its limit of messages; recipients after it have not.
            let back = inner.ready.pop_front_if(|_| first_in_line);
            return Next::Requeue(back.into_iter().collect(), later);
        };
        let tokens = match lane.pace.reserve(count, lane.backoff.portion(now)) {
            Ok(tokens) => tokens,
            Err(again) => {
                jobs.iter().for_each(|job| self.lane.return_pair_token(job.claimed.message.address));
                jobs.into_iter().rev().for_each(|job| inner.ready.push_front(job));
                return Next::Wait(again);
            }
        };
        self.wake_claimer(inner.ready.len(), jobs.len());
        Next::Go(Request { jobs, tokens, permit, at: now })
    }

    /// Whether another server may be sending. Then the waiting messages may not be requeued, except in an orderly stop.
    fn has_lapsed(&self, now: Timestamp) -> bool {
        !self.stop.is_cancelled() && !self.lane.tenure.is_current(now)
    }

    /// Whether the first message may not be sent: it is paused, cancelled, held or too late, or the lane may not send.
    fn is_stopped(&self, inner: &Inner, now: Timestamp) -> bool {
        let blocked = self.stop.is_cancelled() || self.lane.blocked(now).is_some();
        inner.ready.front().is_some_and(|job| blocked || !self.lane.may_send(job, now))
    }

    /// Takes out the first messages that may not be sent.
    fn take_stopped(&self, now: Timestamp) -> Vec<Job> {
        let mut inner = self.inner.lock();
        let mut stopped = Vec::new();
        while self.is_stopped(&inner, now) {
            stopped.extend(inner.ready.pop_front());
        }
        stopped
    }

    fn is_isolated(&self, job: &Job) -> bool {
        // A message that was refused without a known code would have its whole request refused again.
        let message = &job.claimed.message;
        message.present.refused != Refused::Never || self.lane.is_isolated(message.key)
    }

    /// Gathers the messages of one request; if there are none, also when the first of them may be sent.
    ///
    /// An isolated message is a request of its own.
    fn gather(&self, inner: &mut Inner, most: NonZeroU32, now: Timestamp) -> (Vec<Job>, Option<Timestamp>) {
        let size = usize::try_from(most.get()).unwrap_or(1);
        let mut request = Vec::with_capacity(size.min(inner.ready.len()));
        while request.len() < size {
            let is_first = request.is_empty();
            let fits = |job: &mut Job| is_first || (!self.is_isolated(job) && self.lane.may_send(job, now));
            let mut later = None;
            let mut may_receive_it = |job: &mut Job| match self.lane.take_pair_token(job.claimed.message.address) {
                Ok(()) => true,
                Err(at) => {
                    later = Some(at);
                    false
                }
            };
            let Some(job) = inner.ready.pop_front_if(|job| fits(job) && may_receive_it(job)) else {
                return (request, later);
            };
            let is_isolated = self.is_isolated(&job);
            request.push(job);
            if is_isolated {
                break;
            }
        }
        (request, None)
    }

    /// Wakes the claimer when few enough messages wait here for another claim.
    fn wake_claimer(&self, left: usize, taken: usize) {
        let enough = usize::try_from(self.lane.claim_size()).unwrap_or(usize::MAX);
        if left <= enough && left + taken > enough {
            self.lane.queues.wake();
        }
    }
}
