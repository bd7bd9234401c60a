//! A node whose components run one step at a time, as the caller says.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};

use super::components::Components;
use super::{NodeParts, StartError};
use crate::base::config;
use crate::provider::client::Transport;
use crate::sending::book::Book;
use crate::sending::dispatch;
use crate::sending::receipts::NotStored;
use crate::store::Result;

pub(crate) struct ByHand {
    components: Components,
    sending: dispatch::ByHand,
}

impl ByHand {
    pub(crate) async fn start(
        parts: NodeParts,
        transport: impl Fn(&config::Lane) -> std::result::Result<Box<dyn Transport>, StartError>,
    ) -> std::result::Result<Self, StartError> {
        let components = Components::open(parts, transport).await?;
        let sending = dispatch::ByHand::new(components.lanes.clone(), &components.store);
        Ok(Self { components, sending })
    }

    pub(crate) fn lanes(&self) -> Vec<dispatch::LaneStatus> {
        self.components.lanes.iter().map(|lane| lane.status()).collect()
    }

    pub(crate) async fn claim(&mut self, lane: usize, anyway: bool) -> Result<()> {
        self.renew().await;
        self.sending.claim(lane, anyway).await
    }

    pub(crate) async fn next(&mut self, lane: usize) -> Option<BoxFuture<'static, ()>> {
        self.renew().await;
        self.sending.next(lane).await
    }

    /// Claims before any background work runs, like a process that was suspended until now.
    pub(crate) async fn claim_at_once(&mut self, lane: usize) -> Result<()> {
        self.sending.claim(lane, true).await
    }

    pub(crate) async fn next_at_once(&mut self, lane: usize) -> Option<BoxFuture<'static, ()>> {
        self.sending.next(lane).await
    }

    pub(crate) async fn record(&mut self) -> Result<()> {
        let now = self.components.clock.now();
        self.sending.record(now).await
    }

    /// Stores and applies webhooks that arrive together.
    pub(crate) async fn take(&mut self, bodies: &[&[u8]]) -> Vec<std::result::Result<(), NotStored>> {
        let (intake, report) = (self.components.intake.clone(), Arc::clone(&self.components.report));
        let taking = join_all(bodies.iter().map(|body| intake.take(Bytes::copy_from_slice(body))));
        let applying = async {
            // After all of them are in the queue.
            tokio::task::yield_now().await;
            self.components.applier.take_waiting(&move |listening| report(listening)).await;
        };
        futures_util::join!(taking, applying).0
    }

    pub(crate) async fn retry_strays(&mut self) -> Result<()> {
        self.components.applier.retry_strays().await.map(|_| ())
    }

    pub(crate) async fn fire(&mut self) -> Result<()> {
        let now = self.components.clock.now();
        self.components.timers.look_anyway();
        self.components.timers.run_once(now).await.map(|_| ())
    }

    /// Asks the provider at most one question for each subaccount.
    pub(crate) async fn ask(&mut self) -> Result<()> {
        let Components { askers, applier, report, .. } = &mut self.components;
        for asker in askers {
            let asking = asker.run_once();
            tokio::pin!(asking);
            loop {
                tokio::select! {
                    biased;
                    asked = &mut asking => break asked.map(|_| ())?,
                    // The answer goes through the same intake as every receipt.
                    waiting = applier.next_waiting() => applier.take_these(waiting, &|listening| report(listening)).await,
                }
            }
        }
        Ok(())
    }

    pub(crate) async fn keep_house(&mut self) -> Result<()> {
        let now = self.components.clock.now();
        self.components.housekeeper.run_once(now).await?;
        self.components.pruner.run_once(now).await.map(|_| ())
    }

    pub(crate) async fn watch(&mut self) {
        self.components.watch.look().await;
    }

    /// Checks whether another server has taken over.
    pub(crate) async fn look_for_successor(&self) {
        self.components.keeper.look().await;
    }

    /// Completes a start that was suspended after it took the lease: settles the messages in flight of earlier servers.
    pub(crate) async fn go_on_starting(&self) -> Result<()> {
        let book = Book::new(Arc::clone(&self.components.store));
        book.refresh().await?;
        let (epoch, now) = (self.components.tenure.epoch(), self.components.clock.now());
        let in_flight = dispatch::in_flight(self.components.store.as_ref(), epoch).await?;
        dispatch::recover(self.components.store.as_ref(), &book, &in_flight, now).await
    }

    /// Renews the lease if that is due, as a running server does in the background.
    pub(crate) async fn renew(&self) {
        self.components.keeper.renew_if_late().await;
    }
}
