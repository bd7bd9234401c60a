//! Many messages in a call.

use super::origin::Origin;
use super::outline::{Alike, add};
use super::{Desk, Refusal, reading};
use crate::base::domain::MessageId;
use crate::http::access::Caller;
use crate::rules::wire::ErrorAnswer;
use crate::rules::wire::rules::{self, ArrivingBatch, BatchSendAnswer};

/// Kinds of messages in one call. Each becomes a batch, with queues of its own, and all of them are one transaction.
const KINDS_MAX: usize = 100;
const TOO_MANY_KINDS: &str = "The messages of a call may differ in their recipients, texts and times, and otherwise be of 100 \
                              kinds at most. Send the others in further calls.";

impl Desk {
    /// Accepts the messages of a call, each by itself: a refused one does not keep the others. They are on disk when this
    /// returns the answer.
    pub async fn send_batch<'b>(
        &self,
        caller: &Caller,
        sub_account: &str,
        body: &'b [u8],
    ) -> Result<BatchSendAnswer<'b>, Refusal> {
        let origin = self.origin(caller, sub_account)?;
        self.accept_batch(origin, ArrivingBatch::messages(body)?).await
    }

    /// The same for LINE notifications.
    pub async fn notify_batch<'b>(
        &self,
        caller: &Caller,
        sub_account: &str,
        body: &'b [u8],
    ) -> Result<BatchSendAnswer<'b>, Refusal> {
        let origin = self.origin(caller, sub_account)?;
        self.accept_batch(origin, ArrivingBatch::notifications(body)?).await
    }

    async fn accept_batch<'b>(
        &self,
        origin: Origin<'_>,
        call: ArrivingBatch<'b>,
    ) -> Result<BatchSendAnswer<'b>, Refusal> {
        if let Some(code) = call.refusal() {
            return Err(ErrorAnswer::Refused(code).into());
        }
        let now = self.stores.clock.now();
        let purposes = self.purposes(origin.caller).await?;
        let read = call.messages.iter().map(|message| reading::read(&origin, message, &purposes, now));
        let (mut results, mut plans) = (Vec::with_capacity(call.messages.len()), Vec::<Alike<usize>>::new());
        for (at, read) in read.enumerate() {
            results.push(read.map(|outlined| {
                add(&mut plans, outlined, at);
                None
            }));
            if plans.len() > KINDS_MAX {
                return Err(ErrorAnswer::Invalid(TOO_MANY_KINDS.into()).into());
            }
        }
        let client_batch_id = call.client_batch_id.as_deref().map(str::to_owned);
        let batch_id = self.launch(client_batch_id, plans, &mut results).await?;
        let umid = |result: &Result<Option<MessageId>, rules::Refusal>| match result {
            Ok(Some(id)) => id.uuid().to_string(),
            // A refused message has an id that leads nowhere.
            Ok(None) | Err(_) => self.random_id(),
        };
        Ok(call.answer(batch_id, &results, umid, now))
    }

    /// Launches the messages, and enters their ids into the results. Returns the id of the call.
    async fn launch(
        &self,
        client_batch_id: Option<String>,
        plans: Vec<Alike<usize>>,
        results: &mut [Result<Option<MessageId>, rules::Refusal>],
    ) -> Result<String, Refusal> {
        if plans.is_empty() {
            return Ok(self.random_id());
        }
        let (parts, positions): (Vec<_>, Vec<_>) =
            plans.into_iter().map(|(plan, messages, positions)| ((plan, messages), positions)).unzip();
        let launched = self.stores.launcher().launch_call(client_batch_id, parts).await?;
        for (joined, positions) in launched.iter().zip(positions) {
            for (position, at) in (0..).zip(positions) {
                results[at] = Ok(Some(joined.message_id(position)));
            }
        }
        // Messages that were accepted before belong to an earlier call.
        let first = launched.iter().find(|joined| joined.added > 0).or(launched.first());
        let first = first.map(|joined| joined.batch_id().uuid().to_string());
        Ok(first.unwrap_or_else(|| self.random_id()))
    }
}
