use crate::domain::{BatchId, Loaded, Msisdn};
use crate::store::{Cursor, OptIn, OptOut, OptOutRecord, Result};

/// Opt-outs and opt-ins.
#[async_trait::async_trait]
pub trait Consent: Send + Sync + std::fmt::Debug {
    /// Records opt-outs; returns how many recipients had not opted out before.
    ///
    /// - An opt-out changes nothing if the recipient has opted in by a later message.
    async fn opt_out(&self, opt_outs: Vec<OptOut>) -> Result<u32>;
    /// Records opt-ins; returns how many recipients are opted in again.
    ///
    /// - A recipient's opt-in ends neither an operator's opt-out nor a later one.
    /// - An operator's opt-in ends every opt-out.
    async fn opt_in(&self, opt_ins: Vec<OptIn>) -> Result<u32>;
    /// Returns those of the recipients who have opted out.
    async fn opted_out(&self, recipients: Vec<Msisdn>) -> Result<Vec<Msisdn>>;
    /// Lists the numbers that have opted out, in order, after `after`.
    async fn opt_outs(&self, after: Option<Msisdn>, limit: u32) -> Result<Vec<Msisdn>>;
    /// Lists the opt-outs with their sources, in order of the number, after `after`.
    async fn opt_out_list(&self, after: Option<Msisdn>, limit: u32) -> Result<Vec<OptOut>>;
    /// Lists every opt-out and opt-in of a recipient, in the order in which they were recorded.
    async fn wishes(&self, recipient: Msisdn) -> Result<Vec<OptOutRecord>>;
    /// Reads the position of the latest opt-out of all recipients; the start if there is none.
    async fn last_stop(&self) -> Result<Cursor>;
    /// Lists opt-outs after `after`, in the order in which they were recorded.
    async fn stops(&self, after: Cursor, limit: u32) -> Result<Vec<(Cursor, Msisdn)>>;
    /// Lists messages without an outcome to recipients who have opted out.
    ///
    /// - Searches `span` messages from number `from` on.
    /// - Omits messages that are already marked as opted out.
    /// - Also returns the number to continue from, or `None` at the end of the batch.
    async fn opted_out_messages(&self, batch: BatchId, from: u32, span: u32) -> Result<(Vec<Loaded>, Option<u32>)>;
}
