//! Sending, one action at a time: the caller chooses the order of what [`super::run`] does in its tasks.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::broadcast;

use super::claimer::Claimer;
use super::lane::RunningLane;
use super::recorder::{Group, Recorder};
use super::turnstile::Turnstile;
use super::worker::Worker;
use super::{Signal, pass_on};
use crate::base::domain::Timestamp;
use crate::store::{Result, Store};
use tokio_util::sync::CancellationToken;

#[derive(Debug)]
pub(crate) struct ByHand {
    lanes: Vec<Arc<RunningLane>>,
    claimers: Vec<Claimer>,
    workers: Vec<Arc<Worker>>,
    recorder: Recorder,
    /// Results that could not be recorded yet.
    group: Group,
    signals: broadcast::Receiver<Signal>,
}

impl ByHand {
    pub(crate) fn new(lanes: Vec<Arc<RunningLane>>, store: &Arc<dyn Store>) -> Self {
        let (recorder, settled) = Recorder::new(Arc::clone(store), lanes.clone());
        let signals = store.signals().subscribe();
        let (mut claimers, mut workers) = (Vec::new(), Vec::new());
        for lane in &lanes {
            let turnstile = Turnstile::new(Arc::clone(lane), settled.clone(), CancellationToken::new());
            let turnstile = Arc::new(turnstile);
            claimers.push(Claimer::new(Arc::clone(lane), Arc::clone(store), Arc::clone(&turnstile)));
            let (settled, store) = (settled.clone(), Arc::clone(store));
            workers.push(Arc::new(Worker { lane: Arc::clone(lane), turnstile, settled, store }));
        }
        Self { lanes, claimers, workers, recorder, group: Group::default(), signals }
    }

    /// Claims once, if there are messages and room. `anyway` also checks queues without a signal.
    pub(crate) async fn claim(&mut self, lane: usize, anyway: bool) -> Result<()> {
        while let Ok(signal) = self.signals.try_recv() {
            pass_on(&self.lanes, signal);
        }
        if anyway {
            self.lanes[lane].schedule_all();
        }
        self.claimers[lane].run_once().await.map(|_| ())
    }

    /// The submission of a lane's next request, if one may be sent now.
    pub(crate) async fn next(&self, lane: usize) -> Option<BoxFuture<'static, ()>> {
        let worker = Arc::clone(&self.workers[lane]);
        let request = worker.turnstile.next_now().await?;
        Some(async move { worker.submit(request).await }.boxed())
    }

    /// Records the answers so far.
    pub(crate) async fn record(&mut self, now: Timestamp) -> Result<()> {
        self.recorder.run_once(&mut self.group, now).await
    }
}
