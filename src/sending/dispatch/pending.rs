//! A request that has passed the turnstile and waits for a connection.
//!
//! Opening a connection may take seconds. So everything that may stop a request is checked again when the connection is
//! ready, and only then its tokens are taken. A slow resolver therefore causes no burst, and a cancel stops waiting
//! requests.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::job::Job;
use super::lane::RunningLane;
use super::under_way::Begun;
use crate::provider::client::Gate;
use crate::sending::throttle::{Era, Reserved};

#[derive(Debug)]
pub(super) struct PendingRequest {
    lane: Arc<RunningLane>,
    stop: CancellationToken,
    era: Era,
    waiting: Mutex<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    /// Empty after the request has ended.
    jobs: Vec<Job>,
    /// `None` after they were taken.
    tokens: Option<Reserved>,
    /// Set when the request is sent: a command that stops the lane waits for it.
    begun: Option<Begun>,
}

impl PendingRequest {
    pub(super) fn new(
        lane: &Arc<RunningLane>,
        stop: CancellationToken,
        era: Era,
        jobs: Vec<Job>,
        tokens: Reserved,
    ) -> Arc<Self> {
        let waiting = Mutex::new(Waiting { jobs, tokens: Some(tokens), begun: None });
        Arc::new(Self { lane: Arc::clone(lane), stop, era, waiting })
    }

    /// Ends the request and returns its messages. It cannot be sent after that.
    pub(super) fn end(&self) -> Vec<Job> {
        let mut waiting = self.waiting.lock();
        (waiting.tokens, waiting.begun) = (None, None);
        std::mem::take(&mut waiting.jobs)
    }
}

impl Gate for PendingRequest {
    fn open(&self) -> bool {
        let (lane, mut waiting) = (&self.lane, self.waiting.lock());
        // Counted before the checks: a command that stops the lane after them waits for this request.
        let begun = lane.begin();
        let now = lane.clock.now();
        let stays = |job: &Job| !lane.may_send(job, now);
        if waiting.jobs.is_empty() || self.stop.is_cancelled() || lane.blocked(now).is_some() {
            return false;
        }
        if !self.era.is_current() || waiting.jobs.iter().any(stays) {
            return false;
        }
        let is_paid = waiting.tokens.take().is_some_and(|tokens| tokens.spend().is_ok());
        if is_paid {
            waiting.begun = Some(begun);
            lane.count_submitted(u32::try_from(waiting.jobs.len()).unwrap_or(u32::MAX));
        }
        is_paid
    }
}
