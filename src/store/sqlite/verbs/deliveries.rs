//! Implements [`Deliveries`].

use super::super::{Sqlite, deliveries, outbox, subscriptions};
use crate::base::domain::Timestamp;
use crate::base::events::Origin;
use crate::store::{
    AlertKey, Cursor, Deliveries, Delivery, EventRow, FanOut, FeedRow, FeedState, Inbound, NewDelivery,
    NewSubscription, ObservedMessage, OpenAlert, Receiver, ReceiverHealth, ReceiverKind, Replay, Result, Subscription,
    SubscriptionChange, SubscriptionId, Tried, WebhookCounts,
};

#[async_trait::async_trait]
impl Deliveries for Sqlite {
    async fn create_subscription(
        &self,
        new: NewSubscription,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Option<Subscription>> {
        self.write("create a subscription", move |c| Box::pin(subscriptions::create(c, new, origin, now))).await
    }

    async fn subscriptions(&self) -> Result<Vec<Subscription>> {
        self.read("list subscriptions", move |c| Box::pin(subscriptions::all(c))).await
    }

    async fn change_subscription(
        &self,
        id: SubscriptionId,
        change: SubscriptionChange,
        origin: Origin,
        now: Timestamp,
    ) -> Result<bool> {
        let is_removal = change == SubscriptionChange::Remove;
        let changed = self
            .write("change a subscription", move |c| Box::pin(subscriptions::change(c, id, change, origin, now)))
            .await?;
        if changed && is_removal {
            while self
                .write("give up deliveries", move |c| Box::pin(deliveries::give_up(c, Receiver::Subscription(id))))
                .await?
                > 0
            {}
        }
        Ok(changed)
    }

    async fn observes_messages(&self) -> Result<bool> {
        self.read("find observers of messages", move |c| Box::pin(subscriptions::observes_messages(c))).await
    }

    async fn feeds(&self) -> Result<Vec<FeedState>> {
        self.poll("read the positions of feeds", move |c| Box::pin(outbox::feeds(c))).await
    }

    async fn events_after(&self, after: Cursor, limit: u32) -> Result<Vec<EventRow>> {
        self.read("read new events", move |c| Box::pin(outbox::events(c, after, limit))).await
    }

    async fn inbound_after(&self, after: Cursor, limit: u32) -> Result<Vec<FeedRow<Inbound>>> {
        self.read("read new inbound messages", move |c| Box::pin(outbox::replies(c, after, limit))).await
    }

    async fn observed_after(&self, after: Cursor, limit: u32) -> Result<Vec<FeedRow<ObservedMessage>>> {
        self.read("read changes of observed messages", move |c| Box::pin(outbox::messages(c, after, limit))).await
    }

    async fn fan_out(&self, fan_out: FanOut) -> Result<bool> {
        self.write("store deliveries", move |c| Box::pin(outbox::fan_out(c, fan_out))).await
    }

    async fn add_deliveries(&self, deliveries: Vec<NewDelivery>, now: Timestamp) -> Result<Vec<i64>> {
        self.write("store deliveries", move |c| Box::pin(deliveries::add_few(c, deliveries, now))).await
    }

    async fn waiting_receivers(
        &self,
        kind: ReceiverKind,
        after: Option<Receiver>,
        limit: u32,
    ) -> Result<Vec<(Receiver, Timestamp)>> {
        self.poll("find receivers of deliveries", move |c| Box::pin(deliveries::receivers(c, kind, after, limit))).await
    }

    async fn due_deliveries(&self, receiver: Receiver, now: Timestamp, limit: u32) -> Result<Vec<Delivery>> {
        self.read("find due deliveries", move |c| Box::pin(deliveries::due(c, receiver, now, limit))).await
    }

    async fn record_tries(&self, tries: Vec<Tried>) -> Result<()> {
        let mut counts = WebhookCounts::default();
        counts.add(&tries);
        self.write("record deliveries", move |c| Box::pin(deliveries::record(c, tries))).await?;
        self.webhooks.lock().merge(counts);
        Ok(())
    }

    async fn receiver_health(&self, receivers: Vec<Receiver>) -> Result<Vec<ReceiverHealth>> {
        self.read("read the health of receivers", move |c| Box::pin(deliveries::health(c, receivers))).await
    }

    async fn deliveries(&self, receiver: Receiver, before: Option<i64>, limit: u32) -> Result<Vec<Delivery>> {
        const LOG: &str = deliveries::LOG;
        self.read("list deliveries", move |c| Box::pin(deliveries::list(c, LOG, receiver, before, limit))).await
    }

    async fn failed_deliveries(&self, receiver: Receiver, before: Option<i64>, limit: u32) -> Result<Vec<Delivery>> {
        const FAILED: &str = deliveries::FAILED;
        self.read("list failed deliveries", move |c| Box::pin(deliveries::list(c, FAILED, receiver, before, limit)))
            .await
    }

    async fn delivery(&self, id: i64) -> Result<Option<Delivery>> {
        self.read("read a delivery", move |c| Box::pin(deliveries::one(c, id))).await
    }

    async fn replay(&self, receiver: Receiver, what: Replay, now: Timestamp) -> Result<u64> {
        let (mut count, mut after) = (0, 0);
        loop {
            let of = receiver.clone();
            let piece =
                self.write("repeat deliveries", move |c| Box::pin(deliveries::replay(c, of, what, after, now))).await?;
            count += piece.count;
            let Some(last) = piece.last else { return Ok(count) };
            after = last;
        }
    }

    async fn forget_deliveries(&self, before: Timestamp) -> Result<()> {
        while self.write("delete old deliveries", move |c| Box::pin(deliveries::forget(c, before))).await? > 0 {}
        Ok(())
    }

    async fn open_alerts(&self) -> Result<Vec<OpenAlert>> {
        self.read("list alerts", move |c| Box::pin(deliveries::alerts(c))).await
    }

    async fn end_alerts(&self, ended: Vec<(AlertKey, NewDelivery)>, before: Timestamp, now: Timestamp) -> Result<()> {
        self.write("end alerts", move |c| Box::pin(deliveries::end_alerts(c, ended, before, now))).await
    }
}
