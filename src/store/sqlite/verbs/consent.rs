//! Implements [`Consent`]: each verb runs the statements of its module.

use super::super::{Sqlite, addresses, aliases, opt_outs};
use crate::base::domain::{
    Address, AddressKey, BatchId, ChannelUser, Loaded, Msisdn, OptOutOf, Timestamp, WishSubject,
};
use crate::store::{Addresses, Alias, Consent, Cursor, OptIn, OptOut, Result, Wish};

#[async_trait::async_trait]
impl Consent for Sqlite {
    async fn opt_out(&self, opt_outs: Vec<OptOut>) -> Result<u32> {
        self.write("record opt-outs", move |c| Box::pin(async move { opt_outs::opt_out(c, &opt_outs).await })).await
    }

    async fn opt_in(&self, opt_ins: Vec<OptIn>) -> Result<u32> {
        self.write("remove opt-outs", move |c| Box::pin(async move { opt_outs::opt_in(c, &opt_ins).await })).await
    }

    async fn opted_out(&self, recipients: Vec<Msisdn>, of: OptOutOf) -> Result<Vec<Msisdn>> {
        let verb = "look up opt-outs";
        self.read(verb, move |c| Box::pin(async move { opt_outs::opted_out(c, &recipients, of).await })).await
    }

    async fn opted_out_numbers(&self, after: Option<Msisdn>, limit: u32, of: OptOutOf) -> Result<Vec<Msisdn>> {
        self.read("list opted-out numbers", move |c| Box::pin(opt_outs::numbers(c, after, limit, of))).await
    }

    async fn opted_out_users(&self, of: OptOutOf) -> Result<Vec<ChannelUser>> {
        self.read("list opted-out ids", move |c| Box::pin(opt_outs::users(c, of))).await
    }

    async fn opt_outs(&self, after: Cursor, limit: u32) -> Result<Vec<(Cursor, OptOut)>> {
        self.read("list opt-outs", move |c| Box::pin(opt_outs::list(c, after, limit))).await
    }

    async fn reported_opt_outs(&self, after: Cursor, limit: u32) -> Result<(Vec<OptOut>, Option<Cursor>)> {
        self.read("list reported opt-outs", move |c| Box::pin(opt_outs::reported(c, after, limit))).await
    }

    async fn narrow_opt_outs(
        &self,
        piece: (Cursor, u32),
        to: WishSubject,
        at: Timestamp,
        how: String,
    ) -> Result<(u32, Option<Cursor>)> {
        let verb = "narrow opt-outs";
        self.write(verb, move |c| Box::pin(async move { opt_outs::narrow(c, piece, &to, at, &how).await })).await
    }

    async fn opt_outs_of(&self, address: Address) -> Result<Vec<OptOut>> {
        self.read("read the opt-outs of an address", move |c| Box::pin(async move { opt_outs::of(c, &address).await }))
            .await
    }

    async fn wishes(&self, address: Address) -> Result<Vec<Wish>> {
        let verb = "read the opt-out history";
        self.read(verb, move |c| Box::pin(async move { opt_outs::history(c, &address).await })).await
    }

    async fn channel_users(&self, keys: Vec<AddressKey>) -> Result<Addresses> {
        let verb = "read ids of recipients";
        self.read(verb, move |c| Box::pin(addresses::users(c, keys.into_iter()))).await
    }

    async fn other_addresses(&self, address: Address) -> Result<Vec<Address>> {
        let verb = "read the addresses of a recipient";
        let linked =
            self.read(verb, move |c| Box::pin(async move { aliases::linked(c, &[address], |_| true).await })).await?;
        Ok(linked.into_iter().map(|(_, address)| address).collect())
    }

    async fn learn_users(&self, aliases: Vec<Alias>) -> Result<Vec<Msisdn>> {
        self.write("store channel users", move |c| Box::pin(aliases::learn(c, aliases))).await
    }

    async fn numbers_called_by_others(&self) -> Result<Vec<(Msisdn, Msisdn)>> {
        self.read("list spellings of numbers", |c| Box::pin(aliases::numbers(c))).await
    }

    async fn stand_ins(&self) -> Result<Vec<Msisdn>> {
        self.read("list made-up numbers", |c| Box::pin(opt_outs::stand_ins(c))).await
    }

    async fn last_stop(&self) -> Result<Cursor> {
        self.read("read new opt-outs", move |c| Box::pin(opt_outs::last_stop(c))).await
    }

    async fn stops(&self, after: Cursor, limit: u32) -> Result<Vec<(Cursor, AddressKey)>> {
        self.read("read new opt-outs", move |c| Box::pin(opt_outs::stops(c, after, limit))).await
    }

    async fn claimed_despite_opt_outs(&self, batch: BatchId, from: u32, span: u32) -> Result<Vec<Loaded>> {
        let verb = "find claimed messages to opted-out recipients";
        self.read(verb, move |c| Box::pin(opt_outs::claimed(c, batch, from, span))).await
    }

    async fn opted_out_messages(
        &self,
        batch: BatchId,
        of: OptOutOf,
        from: u32,
        span: u32,
    ) -> Result<(Vec<Loaded>, Option<u32>)> {
        let verb = "find messages to opted-out recipients";
        self.read(verb, move |c| Box::pin(opt_outs::opted_out_messages(c, batch, of, from, span))).await
    }
}
