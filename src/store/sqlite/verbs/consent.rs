//! Implements [`Consent`]: each verb runs the statements of its module.

use super::super::{Sqlite, aliases, opt_out_ids, opt_outs};
use crate::domain::{BatchId, ChannelUser, Loaded, Msisdn};
use crate::store::{Alias, Consent, Cursor, OptIn, OptOut, OptOutRecord, Result, UserOptIn, UserOptOut};

#[async_trait::async_trait]
impl Consent for Sqlite {
    async fn opt_out(&self, opt_outs: Vec<OptOut>) -> Result<u32> {
        self.write("record opt-outs", move |c| Box::pin(async move { opt_outs::opt_out(c, &opt_outs).await })).await
    }

    async fn opt_in(&self, opt_ins: Vec<OptIn>) -> Result<u32> {
        self.write("remove opt-outs", move |c| Box::pin(async move { opt_outs::opt_in(c, &opt_ins).await })).await
    }

    async fn opted_out(&self, recipients: Vec<Msisdn>) -> Result<Vec<Msisdn>> {
        self.read("look up opt-outs", move |c| Box::pin(async move { opt_outs::opted_out(c, &recipients).await })).await
    }

    async fn opt_outs(&self, after: Option<Msisdn>, limit: u32) -> Result<Vec<Msisdn>> {
        self.read("list opt-outs", move |c| Box::pin(opt_outs::opt_outs(c, after, limit))).await
    }

    async fn opt_out_list(&self, after: Option<Msisdn>, limit: u32) -> Result<Vec<OptOut>> {
        self.read("list opt-outs", move |c| Box::pin(opt_outs::list(c, after, limit))).await
    }

    async fn wishes(&self, recipient: Msisdn) -> Result<Vec<OptOutRecord>> {
        self.read("read the opt-out history", move |c| Box::pin(opt_outs::history(c, recipient))).await
    }

    async fn opt_out_users(&self, opt_outs: Vec<UserOptOut>) -> Result<u32> {
        let verb = "record opt-outs of channel users";
        self.write(verb, move |c| Box::pin(async move { opt_out_ids::opt_out_with_numbers(c, &opt_outs).await })).await
    }

    async fn opt_in_users(&self, opt_ins: Vec<UserOptIn>) -> Result<u32> {
        let verb = "remove opt-outs of channel users";
        self.write(verb, move |c| Box::pin(async move { opt_out_ids::opt_in_with_numbers(c, &opt_ins).await })).await
    }

    async fn user_opt_outs(&self, after: Option<ChannelUser>, limit: u32) -> Result<Vec<UserOptOut>> {
        let verb = "list opt-outs of channel users";
        self.read(verb, move |c| Box::pin(async move { opt_out_ids::list(c, after.as_ref(), limit).await })).await
    }

    async fn opt_out_of_user(&self, user: ChannelUser) -> Result<Option<UserOptOut>> {
        let verb = "read the opt-out of a channel user";
        self.read(verb, move |c| Box::pin(async move { opt_out_ids::of_user(c, &user).await })).await
    }

    async fn user_wishes(&self, user: ChannelUser) -> Result<Vec<OptOutRecord>> {
        let verb = "read the opt-out history of a channel user";
        self.read(verb, move |c| Box::pin(async move { opt_out_ids::history(c, &user).await })).await
    }

    async fn numbers_of_user(&self, user: ChannelUser) -> Result<Vec<Msisdn>> {
        let verb = "read the numbers of a channel user";
        self.read(verb, move |c| Box::pin(async move { opt_out_ids::numbers_of(c, &user).await })).await
    }

    async fn users_of_number(&self, number: Msisdn) -> Result<Vec<ChannelUser>> {
        self.read("read the channel users of a number", move |c| Box::pin(aliases::of_number(c, number))).await
    }

    async fn learn_users(&self, aliases: Vec<Alias>) -> Result<Vec<Msisdn>> {
        self.write("store channel users", move |c| Box::pin(aliases::learn(c, aliases))).await
    }

    async fn last_stop(&self) -> Result<Cursor> {
        self.read("read new opt-outs", move |c| Box::pin(opt_outs::last_stop(c))).await
    }

    async fn stops(&self, after: Cursor, limit: u32) -> Result<Vec<(Cursor, Msisdn)>> {
        self.read("read new opt-outs", move |c| Box::pin(opt_outs::stops(c, after, limit))).await
    }

    async fn opted_out_messages(&self, batch: BatchId, from: u32, span: u32) -> Result<(Vec<Loaded>, Option<u32>)> {
        let verb = "find messages to opted-out recipients";
        self.read(verb, move |c| Box::pin(opt_outs::opted_out_messages(c, batch, from, span))).await
    }
}
