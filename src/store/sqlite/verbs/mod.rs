//! Implements the verbs: each runs the statements of its module.

mod audiences;
mod batches;
mod catalogue;
mod consent;
mod deliveries;
mod dispatch;
mod events;
mod figures;
mod health;
mod keys;
mod lanes;
mod messages;
mod nodes;
mod queries;
mod receipts;
mod replies;
mod requests;
mod retention;
mod sessions;
mod shared_reports;
mod sketches;
mod tiers;
mod uploads;

use super::Sqlite;
use crate::store::{Signals, Store};

#[async_trait::async_trait]
impl Store for Sqlite {
    fn signals(&self) -> &Signals {
        &self.signals
    }

    async fn close(&self) {
        self.shut().await;
    }

    async fn ended(&self) {
        self.writer.ended().await;
    }
}
