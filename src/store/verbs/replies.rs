use crate::base::domain::{AddressKey, BatchId, Msisdn, StepIndex, Timestamp};
use crate::store::{Cursor, Inbound, InboundOf, ReplyCount, Result, Sender};

/// Messages from recipients, and the windows that they open.
#[async_trait::async_trait]
pub trait Replies: Send + Sync + std::fmt::Debug {
    /// Lists messages from recipients after `after`, in order of arrival.
    async fn inbound(&self, of: InboundOf, after: Cursor, limit: u32) -> Result<Vec<(Cursor, Inbound)>>;
    /// Lists messages from recipients before `before`, or from the latest on: the latest arrival first.
    async fn inbound_before(&self, of: InboundOf, before: Option<Cursor>, limit: u32)
    -> Result<Vec<(Cursor, Inbound)>>;
    /// Counts the messages of a batch that have a reply, by the step that was replied to.
    async fn replied(&self, batch: BatchId) -> Result<Vec<(StepIndex, u32)>>;
    /// Counts the replies to a batch by step, kind and choice: for each step the most frequent first, at most `limit` rows.
    async fn reply_counts(&self, batch: BatchId, limit: u32) -> Result<Vec<ReplyCount>>;
    /// Lists the messages whose opt-outs are to be confirmed to their writers: for each opt-out its first message, if it
    /// names the number or the number was known.
    async fn due_confirmations(&self, limit: u32) -> Result<Vec<(Cursor, Inbound)>>;
    /// Forgets that confirmations are due.
    async fn forget_confirmations(&self, of: Vec<Cursor>) -> Result<()>;
    /// Reads a message that may be an opt-out, if no operator has decided yet.
    async fn possible_stop(&self, umid: String) -> Result<Option<Inbound>>;
    /// Notes that an operator has decided about it. Returns whether it was undecided.
    async fn decide_possible_stop(&self, umid: String) -> Result<bool>;
    /// Returns those of the recipients who have a 24-hour window open with a sender, each with its end.
    async fn open_windows(
        &self,
        recipients: Vec<AddressKey>,
        sender: Sender,
        now: Timestamp,
    ) -> Result<Vec<(AddressKey, Timestamp)>>;
    /// The recipients whose window is known to be closed: they wrote nothing to the sender for as long as a window can last,
    /// though others did, before that time and within it, and nothing was lost meanwhile.
    async fn closed_windows(
        &self,
        recipients: Vec<AddressKey>,
        sender: Sender,
        now: Timestamp,
    ) -> Result<Vec<AddressKey>>;
    /// Lists all recipients with an open window, in order of the number, after `after`.
    async fn window_holders(
        &self,
        sender: Sender,
        now: Timestamp,
        after: Option<Msisdn>,
        limit: u32,
    ) -> Result<Vec<Msisdn>>;
}
