//! One message in a call.

use super::{Desk, Refusal, reading};
use crate::access::Caller;
use crate::domain::MessageId;
use crate::wire::rules::{self, Arriving};
use crate::wire::{MessageAnswer, StatusBody};

impl Desk {
    /// Accepts one message of the chat-apps API or of the SMS API, which have the same path. It is on disk when this returns
    /// its answer.
    pub async fn send(&self, caller: &Caller, sub_account: &str, body: &[u8]) -> Result<Answer, Refusal> {
        let arriving = rules::message(body).map_err(|error| Refusal::Unreadable(error.to_string()))?;
        self.take(caller, sub_account, &arriving).await
    }

    /// Accepts one LINE notification.
    pub async fn notify(&self, caller: &Caller, sub_account: &str, body: &[u8]) -> Result<Answer, Refusal> {
        let arriving = rules::notification(body).map_err(|error| Refusal::Unreadable(error.to_string()))?;
        self.take(caller, sub_account, &arriving).await
    }

    async fn take(&self, caller: &Caller, sub_account: &str, arriving: &Arriving<'_>) -> Result<Answer, Refusal> {
        let from = self.from(caller, sub_account)?;
        let message = reading::read(from, arriving, self.stores.clock.now())?;
        let id = self.acceptor.store(message).await.ok_or(Refusal::Stopping)??;
        Ok(self.answer(arriving, Ok(id)))
    }
}
