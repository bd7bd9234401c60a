//! The turnstile: lets out one request's worth at a time, when everything says that it may go.
//!
//! Only a worker that is free to send comes here, so a token is taken for a request that leaves at once, and a slow
//! provider never makes a burst of saved-up grants.

use std::num::NonZeroU32;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::job::{Job, Settled};
use super::lane::Lane;

#[derive(Debug)]
pub(super) struct Turnstile {
    lane: Arc<Lane>,
    jobs: mpsc::Receiver<Job>,
    /// One that was taken and did not fit the request.
    next: Option<Job>,
    settled: mpsc::Sender<Settled>,
    stop: CancellationToken,
}

impl Turnstile {
    pub(super) fn new(
        lane: Arc<Lane>,
        settled: mpsc::Sender<Settled>,
        stop: CancellationToken,
    ) -> (mpsc::Sender<Job>, Self) {
        // The claimer's bound is the real one; the channel only has to hold what that allows.
        let capacity = usize::try_from(lane.room()).unwrap_or(usize::MAX).max(1);
        let (sender, jobs) = mpsc::channel(capacity);
        (sender, Self { lane, jobs, next: None, settled, stop })
    }

    /// The messages of the next request. Nothing once the claimer has ended and everything is out.
    pub(super) async fn next(&mut self) -> Option<Vec<Job>> {
        loop {
            let first = match self.next.take() {
                Some(job) => job,
                None => self.jobs.recv().await?,
            };
            let mut request = vec![first];
            self.gather(&mut request);
            self.ask_for_more(request.len());
            self.keep_those_that_may(&mut request).await;
            let Some(count) = u32::try_from(request.len()).ok().and_then(NonZeroU32::new) else { continue };
            tokio::select! {
                () = self.lane.pace.take(count) => {}
                () = self.stop.cancelled() => {}
            }
            // A slow lane waits long for its tokens; meanwhile somebody may have stopped it.
            self.keep_those_that_may(&mut request).await;
            if !request.is_empty() {
                return Some(request);
            }
        }
    }

    /// Tells the claimer when what waits here has become little enough for another claim.
    fn ask_for_more(&self, taken: usize) {
        let enough = usize::try_from(self.lane.claim_size()).unwrap_or(usize::MAX);
        let left = self.jobs.len();
        if left <= enough && left + taken > enough {
            self.lane.queues.nudge();
        }
    }

    /// Adds what else is there and fits the same request.
    fn gather(&mut self, request: &mut Vec<Job>) {
        let size = usize::try_from(self.lane.request_size().get()).unwrap_or(1);
        if request.first().is_some_and(Job::goes_alone) {
            return;
        }
        while request.len() < size {
            match self.jobs.try_recv() {
                Ok(job) if job.goes_alone() => {
                    self.next = Some(job);
                    return;
                }
                Ok(job) => request.push(job),
                Err(_) => return,
            }
        }
    }

    /// Hands back what may not leave: paused, cancelled, held, braked, or the node is stopping.
    async fn keep_those_that_may(&self, request: &mut Vec<Job>) {
        let blocked = self.stop.is_cancelled() || self.lane.blocked(self.lane.clock.now()).is_some();
        let stays = |job: &Job| blocked || !self.lane.may_leave(&job.entry, job.step());
        if !request.iter().any(stays) {
            return;
        }
        let (back, kept): (Vec<Job>, Vec<Job>) = std::mem::take(request).into_iter().partition(stays);
        *request = kept;
        for job in back {
            // The recorder outlives the turnstile.
            let _ = self.settled.send(job.hand_back(&self.lane)).await;
        }
    }
}
