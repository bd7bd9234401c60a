//! Claim, render, throttle, send, record.
//!
//! In: queues in the store, lanes with their rates, the provider. Out: submissions, each recorded with its answer.
//!
//! Promises:
//! - Every claim is on disk before its request is sent.
//! - No request begins that an operator, a hold or the tier has stopped.
//! - The number of claimed messages that are not recorded yet is bounded, because a crash leaves them unknown.
//! - No transaction is open while the provider is called.
//! - A graceful stop finishes the requests in flight and requeues the other claimed messages.
//! - An invalid recipient never stops or repeats another message.
//! - A panic of one task stops all tasks, and is logged.
//!
//! May not: decide the next state of a message (the engine does) or the meaning of an answer (the provider room does).
//!
//! One lane is a claimer, a turnstile, and a worker for each connection:
//!
//! ```text
//! store ──claim──► claimer ──jobs──► turnstile ──one request's worth──► workers ──settled──► recorder ──► store
//!                     ▲               (rate, holds, pause)                 │ provider            │
//!                     └──────────────────────── room for more ─────────────┴─────────────────────┘
//! ```

#[cfg(test)]
mod by_hand;
mod claimer;
mod compiled;
mod compose;
mod crew;
mod fleet;
mod job;
mod lane;
mod latency;
mod pending;
mod queues;
mod recorder;
mod recover;
mod set_aside;
mod settle;
mod tariff;
#[cfg(test)]
mod tests;
mod turnstile;
mod under_way;
mod worker;

#[cfg(test)]
pub(crate) use by_hand::ByHand;
pub use compose::{For, Uncomposable, compose};
pub use crew::{Crew, Panicked};
pub use fleet::Fleet;
pub use lane::{LaneParts, LaneStatus, RunningLane, TierUsed};
pub use latency::LatencyHistogram;
pub use recover::{in_flight, recover};
pub use under_way::{Begun, RequestsInFlight};

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::store::{Signal, Store};
use claimer::Claimer;
use recorder::Recorder;
use turnstile::Turnstile;
use worker::Worker;

/// Runs every lane until `stop`.
///
/// Then it requeues the messages whose requests have not begun, finishes the other requests, and records all of them. A
/// panic of a task also stops everything, and is the error that this returns.
pub async fn run(
    lanes: Vec<Arc<RunningLane>>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> Result<(), Panicked> {
    let stop = stop.child_token();
    let mut crew = Crew::default();
    let (recorder, settled) = Recorder::new(Arc::clone(&store), lanes.clone());
    // The guard stops sending however the recorder ends: a result that cannot be recorded must not come about.
    let at_its_end = stop.clone().drop_guard();
    crew.spawn("the recorder", async move {
        let _at_its_end = at_its_end;
        recorder.run(clock).await;
    });
    // Each lane requests its workers once.
    let (call, mut calls) = mpsc::channel(lanes.len().max(1));
    for lane in &lanes {
        let name = &lane.config.name;
        let turnstile =
            Turnstile::new(Arc::clone(lane), settled.clone(), stop.clone()).requesting_workers(call.clone());
        let claimer = Claimer::new(Arc::clone(lane), Arc::clone(&store), Arc::new(turnstile));
        crew.spawn(format!("the claimer of lane {name}"), claimer.run(stop.clone()));
    }
    let listening = listen(lanes, store.signals().subscribe(), stop.clone());
    crew.spawn("the listener", async move {
        listening.await;
        // Until the stop, so that a server without lanes goes on.
        drop(call);
    });
    // The recorder ends when the last worker has dropped its sender, no lane can request workers, and all is on disk.
    let mut settled = Some(settled);
    let mut first = Ok(());
    loop {
        let ended = tokio::select! {
            turnstile = calls.recv(), if settled.is_some() => {
                match turnstile.zip(settled.as_ref()) {
                    Some((turnstile, settled)) => spawn_workers(&mut crew, &turnstile, settled, &store),
                    None => settled = None,
                }
                continue;
            }
            ended = crew.next() => ended,
        };
        let Some(ended) = ended else { break };
        if let Err(panicked) = ended {
            // The next start finds the messages of that task in flight. The other tasks end in order.
            tracing::error!(error = %panicked, "a task panicked; sending stops");
            stop.cancel();
            first = first.and(Err(panicked));
        }
    }
    first
}

/// Spawns a worker for each connection of a lane, at the lane's first message.
fn spawn_workers(
    crew: &mut Crew,
    turnstile: &Arc<Turnstile>,
    settled: &mpsc::Sender<job::Settled>,
    store: &Arc<dyn Store>,
) {
    let lane = turnstile.lane();
    for _ in 0..lane.connections() {
        let (lane, turnstile) = (Arc::clone(lane), Arc::clone(turnstile));
        let name = format!("a worker of lane {}", lane.config.name);
        let worker = Worker { lane, turnstile, settled: settled.clone(), store: store.clone() };
        crew.spawn(name, worker.run());
    }
}

/// Wakes the lanes whose queues have new messages.
async fn listen(
    lanes: Vec<Arc<RunningLane>>,
    mut signals: tokio::sync::broadcast::Receiver<Signal>,
    stop: CancellationToken,
) {
    use tokio::sync::broadcast::error::RecvError;
    loop {
        let signal = tokio::select! {
            () = stop.cancelled() => return,
            signal = signals.recv() => signal,
        };
        match signal {
            Ok(signal) => pass_on(&lanes, signal),
            Err(RecvError::Lagged(_)) => lanes.iter().for_each(|lane| lane.schedule_all()),
            Err(RecvError::Closed) => return,
        }
    }
}

fn pass_on(lanes: &[Arc<RunningLane>], signal: Signal) {
    if let Signal::Queued { queue, at } = signal {
        let own = lanes.iter().find(|lane| lane.id == queue.lane);
        if let Some(own) = own {
            own.queues.look(queue, at);
        }
        if own.is_none_or(|own| own.is_taken_over(&queue)) {
            lanes.iter().for_each(|lane| lane.schedule_taken_over(queue, at));
        }
    }
}
