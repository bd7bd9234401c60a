//! A node whose rooms act one at a time, when they are told to.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};

use super::rooms::Rooms;
use super::{Parts, StartError};
use crate::config;
use crate::dispatch;
use crate::provider::Transport;
use crate::receipts::Failed;
use crate::store::{Book, Result};

pub(crate) struct ByHand {
    rooms: Rooms,
    sending: dispatch::ByHand,
}

impl ByHand {
    pub(crate) async fn start(
        parts: Parts,
        transport: impl Fn(&config::Lane) -> std::result::Result<Box<dyn Transport>, StartError>,
    ) -> std::result::Result<Self, StartError> {
        let rooms = Rooms::open(parts, transport).await?;
        let sending = dispatch::ByHand::new(rooms.lanes.clone(), &rooms.store);
        Ok(Self { rooms, sending })
    }

    pub(crate) fn lanes(&self) -> Vec<dispatch::LaneStatus> {
        self.rooms.lanes.iter().map(|lane| lane.status()).collect()
    }

    pub(crate) async fn claim(&mut self, lane: usize, anyway: bool) -> Result<()> {
        self.renew().await;
        self.sending.claim(lane, anyway).await
    }

    pub(crate) async fn next(&mut self, lane: usize) -> Option<BoxFuture<'static, ()>> {
        self.renew().await;
        self.sending.next(lane).await
    }

    /// The same, before anything has happened by itself: of a process that was stopped a moment ago.
    pub(crate) async fn claim_at_once(&mut self, lane: usize) -> Result<()> {
        self.sending.claim(lane, true).await
    }

    pub(crate) async fn next_at_once(&mut self, lane: usize) -> Option<BoxFuture<'static, ()>> {
        self.sending.next(lane).await
    }

    pub(crate) async fn record(&mut self) -> Result<()> {
        let now = self.rooms.clock.now();
        self.sending.record(now).await
    }

    /// Takes webhooks that come together.
    pub(crate) async fn take(&mut self, bodies: &[&[u8]]) -> Vec<std::result::Result<(), Failed>> {
        let (intake, tell) = (self.rooms.intake.clone(), Arc::clone(&self.rooms.tell));
        let taking = join_all(bodies.iter().map(|body| intake.take(Bytes::copy_from_slice(body))));
        let applying = async {
            // Once they are all in the queue.
            tokio::task::yield_now().await;
            self.rooms.applier.take_waiting(&move |told| tell(told)).await;
        };
        futures_util::join!(taking, applying).0
    }

    pub(crate) async fn retry_strays(&mut self) -> Result<()> {
        self.rooms.applier.retry_strays().await.map(|_| ())
    }

    pub(crate) async fn fire(&mut self) -> Result<()> {
        let now = self.rooms.clock.now();
        self.rooms.timers.look_anyway();
        self.rooms.timers.run_once(now).await.map(|_| ())
    }

    /// Asks the provider one question for each subaccount at most.
    pub(crate) async fn ask(&mut self) -> Result<()> {
        let Rooms { askers, applier, tell, .. } = &mut self.rooms;
        for asker in askers {
            let asking = asker.run_once();
            tokio::pin!(asking);
            loop {
                tokio::select! {
                    biased;
                    asked = &mut asking => break asked.map(|_| ())?,
                    // What it was told goes through the same door as every receipt.
                    waiting = applier.next_waiting() => applier.take_these(waiting, &|told| tell(told)).await,
                }
            }
        }
        Ok(())
    }

    pub(crate) async fn keep_house(&mut self) -> Result<()> {
        let now = self.rooms.clock.now();
        self.rooms.housekeeper.run_once(now).await?;
        self.rooms.pruner.run_once(now).await.map(|_| ())
    }

    pub(crate) async fn watch(&mut self) {
        self.rooms.watch.look().await;
    }

    /// Looks whether another server has taken over.
    pub(crate) async fn look_for_successor(&self) {
        self.rooms.keeper.look().await;
    }

    /// Does what its start had still to do where it was stopped after it had taken the lease: it settles what the servers
    /// before it had in their hands.
    pub(crate) async fn go_on_starting(&self) -> Result<()> {
        let book = Book::new(Arc::clone(&self.rooms.store));
        book.refresh().await?;
        let (epoch, now) = (self.rooms.tenure.epoch(), self.rooms.clock.now());
        let in_flight = dispatch::in_flight(self.rooms.store.as_ref(), epoch).await?;
        dispatch::recover(self.rooms.store.as_ref(), &book, &in_flight, now).await
    }

    /// Renews the lease where that is due: it happens by itself, whatever else the server does.
    pub(crate) async fn renew(&self) {
        self.rooms.keeper.renew_if_late().await;
    }
}
