//! One message in a call.

use super::origin::Origin;
use super::{Desk, Refusal, reading};
use crate::http::access::Caller;
use crate::rules::wire::rules::{Arriving, SendAnswer};

impl Desk {
    /// Accepts one message of the chat-apps API or of the SMS API, which have the same path. It is on disk when this returns
    /// its answer.
    pub async fn send<'b>(
        &self,
        caller: &Caller,
        sub_account: &str,
        body: &'b [u8],
    ) -> Result<SendAnswer<'b>, Refusal> {
        let origin = self.origin(caller, sub_account)?;
        self.accept(origin, Arriving::message(body)?).await
    }

    /// The same for a LINE notification.
    pub async fn notify<'b>(
        &self,
        caller: &Caller,
        sub_account: &str,
        body: &'b [u8],
    ) -> Result<SendAnswer<'b>, Refusal> {
        let origin = self.origin(caller, sub_account)?;
        self.accept(origin, Arriving::notification(body)?).await
    }

    async fn accept<'b>(&self, origin: Origin<'_>, message: Arriving<'b>) -> Result<SendAnswer<'b>, Refusal> {
        let now = self.stores.clock.now();
        let outlined = reading::read(&origin, &message, &*self.purposes(origin.caller).await?, now)?;
        let id = self.acceptor.store(outlined).await.ok_or(Refusal::Stopping)??;
        Ok(message.answer(id.uuid().to_string(), None, now))
    }
}
