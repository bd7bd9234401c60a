//! A request between its turnstile and the moment at which a connection takes it.
//!
//! A connection may take seconds to come about. So everything that may stop a request is looked at again when it is there,
//! and only then its tokens are taken: a slow resolver bunches nothing, and a cancel stops what still waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::job::Job;
use super::lane::Lane;
use super::under_way::Begun;
use crate::provider::Gate;
use crate::throttle::{Era, Reserved};

#[derive(Debug)]
pub(super) struct Departure {
    lane: Arc<Lane>,
    stop: CancellationToken,
    era: Era,
    waiting: Mutex<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    /// Nothing once the request has ended.
    jobs: Vec<Job>,
    /// Nothing once they are taken.
    tokens: Option<Reserved>,
    /// From the moment at which it is sent: whoever stops the lane waits for it.
    begun: Option<Begun>,
}

impl Departure {
    pub(super) fn new(
        lane: &Arc<Lane>,
        stop: CancellationToken,
        era: Era,
        jobs: Vec<Job>,
        tokens: Reserved,
    ) -> Arc<Self> {
        let waiting = Mutex::new(Waiting { jobs, tokens: Some(tokens), begun: None });
        Arc::new(Self { lane: Arc::clone(lane), stop, era, waiting })
    }

    /// Takes the messages back at the end of the request. It cannot be sent any more.
    pub(super) fn end(&self) -> Vec<Job> {
        let mut waiting = self.lock();
        (waiting.tokens, waiting.begun) = (None, None);
        std::mem::take(&mut waiting.jobs)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate for Departure {
    fn open(&self) -> bool {
        let (lane, mut waiting) = (&self.lane, self.lock());
        // Before the look at what stops it: whoever stops it afterwards waits for it.
        let begun = lane.begin();
        let now = lane.clock.now();
        let stays = |job: &Job| !lane.may_send(job, now);
        if waiting.jobs.is_empty() || self.stop.is_cancelled() || lane.blocked(now).is_some() {
            return false;
        }
        if !self.era.goes_on() || waiting.jobs.iter().any(stays) {
            return false;
        }
        let is_paid = waiting.tokens.take().is_some_and(|tokens| tokens.spend().is_ok());
        if is_paid {
            waiting.begun = Some(begun);
            lane.lets_out(u32::try_from(waiting.jobs.len()).unwrap_or(u32::MAX));
        }
        is_paid
    }
}
