use crate::domain::{BatchId, ChannelUser, Loaded, Msisdn};
use crate::store::{Alias, Cursor, OptIn, OptOut, OptOutRecord, Result, UserOptIn, UserOptOut};

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
    /// Opts channel users out, and every number that is known with them; returns how many ids had not opted out before.
    ///
    /// - The rules are those of numbers. A number that becomes known with the id later is opted out then.
    async fn opt_out_users(&self, opt_outs: Vec<UserOptOut>) -> Result<u32>;
    /// Opts channel users in again, and every number that is known with them; returns how many ids are opted in again.
    async fn opt_in_users(&self, opt_ins: Vec<UserOptIn>) -> Result<u32>;
    /// Lists the channel users who have opted out, in order, after `after`.
    async fn user_opt_outs(&self, after: Option<ChannelUser>, limit: u32) -> Result<Vec<UserOptOut>>;
    /// Reads the opt-out of a channel user, if there is one.
    async fn opt_out_of_user(&self, user: ChannelUser) -> Result<Option<UserOptOut>>;
    /// Lists every opt-out and opt-in of a channel user in the order in which they were recorded.
    async fn user_wishes(&self, user: ChannelUser) -> Result<Vec<OptOutRecord>>;
    /// Lists the numbers that are known with a channel user.
    async fn numbers_of_user(&self, user: ChannelUser) -> Result<Vec<Msisdn>>;
    /// Lists the channel users that are known with a number, in order.
    async fn users_of_number(&self, number: Msisdn) -> Result<Vec<ChannelUser>>;
    /// Stores which numbers channel users have; returns the numbers that this opts out, because their user has opted out.
    async fn learn_users(&self, aliases: Vec<Alias>) -> Result<Vec<Msisdn>>;
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
