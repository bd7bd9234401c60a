//! Implements [`Consent`]: each verb runs the statements of its module.

use super::super::{Sqlite, opt_outs};
use crate::domain::{BatchId, Loaded, Msisdn};
use crate::store::{Consent, Cursor, OptIn, OptOut, OptOutRecord, Result};

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
