use crate::base::domain::{
    Address, AddressKey, BatchId, ChannelUser, Loaded, Msisdn, OptOutOf, Timestamp, WishSubject,
};
use crate::store::{Addresses, Alias, Cursor, OptIn, OptOut, Result, Wish};

/// Opt-outs and opt-ins.
///
/// Each counts for every address that is known to be the recipient's: other spellings of the number, the numbers and ids
/// that channels use, and the numbers of an id. An opt-out counts for those too that become known later.
#[async_trait::async_trait]
pub trait Consent: Send + Sync + std::fmt::Debug {
    /// Records opt-outs; returns how many of these addresses had not opted out before.
    ///
    /// - An opt-out changes nothing if the recipient has opted in by a later message.
    async fn opt_out(&self, opt_outs: Vec<OptOut>) -> Result<u32>;
    /// Records opt-ins; returns how many of these addresses are opted in again.
    ///
    /// - A recipient's opt-in ends neither an operator's opt-out nor a later one, and under an id it counts for that id
    ///   alone.
    /// - An operator's opt-in ends every opt-out.
    /// - An opt-in ends no opt-out that its subject does not cover.
    async fn opt_in(&self, opt_ins: Vec<OptIn>) -> Result<u32>;
    /// Returns those of the recipients who have opted out of this, or of more, from every sender.
    async fn opted_out(&self, recipients: Vec<Msisdn>, of: OptOutOf) -> Result<Vec<Msisdn>>;
    /// Lists the numbers that have opted out of this, or of more, from every sender: in order, after `after`.
    async fn opted_out_numbers(&self, after: Option<Msisdn>, limit: u32, of: OptOutOf) -> Result<Vec<Msisdn>>;
    /// Lists the ids under which recipients have opted out of this, or of more, from every sender. They are few.
    async fn opted_out_users(&self, of: OptOutOf) -> Result<Vec<ChannelUser>>;
    /// Lists the opt-outs after `after`: those of numbers in order of the number, then those of ids in order of arrival.
    async fn opt_outs(&self, after: Cursor, limit: u32) -> Result<Vec<(Cursor, OptOut)>>;
    /// Reads the next `limit` opt-outs of everything that the provider has reported. Returns those whose recipients asked for
    /// none themselves, and where the next ones begin; `None` after the last. The provider reports opt-outs of marketing, but
    /// until version 27 of the schema each was stored as one of everything.
    ///
    /// - Leaves out a recipient who has asked for an opt-out too, under whichever address.
    async fn reported_opt_outs(&self, after: Cursor, limit: u32) -> Result<(Vec<OptOut>, Option<Cursor>)>;
    /// Replaces these opt-outs by opt-outs of `to`, with the same times and sources. `how` says who decided it. Returns how
    /// many it has replaced, and where the next ones begin.
    async fn narrow_opt_outs(
        &self,
        piece: (Cursor, u32),
        to: WishSubject,
        at: Timestamp,
        how: String,
    ) -> Result<(u32, Option<Cursor>)>;
    /// Reads the opt-outs of an address, the widest first.
    async fn opt_outs_of(&self, address: Address) -> Result<Vec<OptOut>>;
    /// Reads the opt-out of an address from everything, if there is one.
    async fn opt_out_of(&self, address: Address) -> Result<Option<OptOut>> {
        Ok(self.opt_outs_of(address).await?.into_iter().find(|opt_out| opt_out.of.is_everything()))
    }
    /// Lists every opt-out and opt-in of an address, in the order in which they were recorded.
    async fn wishes(&self, address: Address) -> Result<Vec<Wish>>;
    /// Reads the ids that have these keys.
    async fn channel_users(&self, keys: Vec<AddressKey>) -> Result<Addresses>;
    /// Lists the other addresses that are known to be the same recipient's: numbers in order, then ids.
    async fn other_addresses(&self, address: Address) -> Result<Vec<Address>>;
    /// Stores which numbers channel users have; returns the numbers that this opts out, because their user has opted out.
    async fn learn_users(&self, aliases: Vec<Alias>) -> Result<Vec<Msisdn>>;
    /// Lists the numbers by which a channel calls the recipient of another number, each with that number.
    async fn numbers_called_by_others(&self) -> Result<Vec<(Msisdn, Msisdn)>>;
    /// Lists made-up numbers that an earlier version had for ids, and that had opted out: it may have given them to the
    /// provider.
    async fn stand_ins(&self) -> Result<Vec<Msisdn>>;
    /// Reads the position of the latest opt-out of all recipients; the start if there is none.
    async fn last_stop(&self) -> Result<Cursor>;
    /// Lists opt-outs after `after`, in the order in which they were recorded.
    async fn stops(&self, after: Cursor, limit: u32) -> Result<Vec<(Cursor, AddressKey)>>;
    /// Lists claimed messages to recipients who have opted out of anything, among `span` messages from number `from` on.
    async fn claimed_despite_opt_outs(&self, batch: BatchId, from: u32, span: u32) -> Result<Vec<Loaded>>;
    /// Lists messages without an outcome to recipients who have opted out of this, or of more, from every sender.
    ///
    /// - Searches `span` messages from number `from` on.
    /// - Omits messages that are already marked as opted out.
    /// - Also returns the number to continue from, or `None` at the end of the batch.
    async fn opted_out_messages(
        &self,
        batch: BatchId,
        of: OptOutOf,
        from: u32,
        span: u32,
    ) -> Result<(Vec<Loaded>, Option<u32>)>;
}
