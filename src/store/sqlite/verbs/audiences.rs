//! Implements [`Audiences`]: each verb runs statements of `sqlite::audiences`.

use super::super::{Sqlite, audiences, places, rejected};
use crate::base::domain::{AddressKey, AudienceId, BatchId, Msisdn, Recipient, Timestamp};
use crate::store::{
    Audience, AudiencePart, Audiences, FoundRecipient, NewAudience, RecipientPlace, RejectedRow, Result, Whom,
};

#[async_trait::async_trait]
impl Audiences for Sqlite {
    async fn begin_audience(&self, new: NewAudience) -> Result<AudienceId> {
        self.write("begin an audience", move |c| Box::pin(audiences::begin(c, new))).await
    }

    async fn add_recipients(&self, audience: AudienceId, first: u32, recipients: Vec<Recipient>) -> Result<()> {
        let now = self.clock.now();
        self.write("add recipients", move |c| Box::pin(audiences::add(c, audience, first, recipients, now))).await
    }

    async fn add_rejected(&self, audience: AudienceId, first: u32, rows: Vec<RejectedRow>) -> Result<()> {
        let now = self.clock.now();
        self.write("add rejected rows", move |c| Box::pin(rejected::add(c, audience, first, rows, now))).await
    }

    async fn publish_audience(&self, audience: AudienceId, recipients: u32, summary: String) -> Result<()> {
        self.write("publish an audience", move |c| Box::pin(audiences::publish(c, audience, recipients, summary))).await
    }

    async fn remove_audience(&self, audience: AudienceId) -> Result<()> {
        for part in self.write("hide an audience", move |c| Box::pin(audiences::hide(c, audience))).await? {
            while !self.write("remove an audience", move |c| Box::pin(audiences::remove_piece(c, part))).await? {}
        }
        Ok(())
    }

    async fn sweep_unpublished(&self, before: Timestamp) -> Result<u32> {
        self.sweep(before).await
    }

    async fn audiences(&self) -> Result<Vec<Audience>> {
        self.read("list audiences", move |c| Box::pin(audiences::all(c))).await
    }

    async fn audience_page(&self, after: Option<String>, limit: u32) -> Result<Vec<Audience>> {
        self.read("list audiences", move |c| Box::pin(audiences::page(c, after, limit))).await
    }

    async fn latest_audiences(
        &self,
        name: Option<String>,
        before: Option<AudienceId>,
        limit: u32,
    ) -> Result<Vec<Audience>> {
        self.read("list audiences", move |c| Box::pin(audiences::latest(c, name, before, limit))).await
    }

    async fn remove_rejected(&self, audience: AudienceId, numbers: Vec<u32>) -> Result<()> {
        self.write("remove rejected rows", move |c| Box::pin(rejected::remove(c, audience, numbers))).await
    }

    async fn rejected_rows(
        &self,
        audience: AudienceId,
        reason: Option<String>,
        from: u32,
        limit: u32,
    ) -> Result<Vec<(u32, RejectedRow)>> {
        self.read("read rejected rows", move |c| Box::pin(rejected::read(c, audience, reason, from, limit))).await
    }

    async fn rejected_with(&self, id: String) -> Result<Vec<(AudienceId, u32)>> {
        self.read("find rejected rows", move |c| Box::pin(rejected::with_cell(c, id))).await
    }

    async fn count_rejected(&self, recipient: Msisdn) -> Result<usize> {
        self.read("count rejected rows", move |c| Box::pin(rejected::count(c, recipient))).await
    }

    async fn audience_named(&self, name: &str) -> Result<Option<Audience>> {
        let name = name.to_owned();
        self.read("find an audience", move |c| Box::pin(async move { audiences::named(c, &name).await })).await
    }

    async fn parts_of(&self, batch: BatchId) -> Result<Vec<AudiencePart>> {
        self.read("read the parts of an audience", move |c| Box::pin(audiences::parts_of(c, batch))).await
    }

    async fn recipients(&self, audience: AudienceId, from: u32, limit: u32) -> Result<Vec<Recipient>> {
        self.read("read recipients", move |c| Box::pin(audiences::recipients(c, audience, from, limit))).await
    }

    async fn address_keys(&self, audience: AudienceId, from: u32, limit: u32) -> Result<Vec<AddressKey>> {
        self.read("read addresses", move |c| Box::pin(audiences::keys(c, audience, from, limit))).await
    }

    async fn find_recipient(&self, whom: Whom, within: Option<Vec<AudienceId>>) -> Result<Vec<(AudienceId, u32)>> {
        self.read("find a recipient", move |c| Box::pin(async move { places::find_recipient(c, &whom, within).await }))
            .await
    }

    async fn find_recipient_from(&self, whom: Whom, from: Option<RecipientPlace>) -> Result<FoundRecipient> {
        self.read("find a recipient", move |c| {
            Box::pin(async move { places::find_recipient_from(c, &whom, from).await })
        })
        .await
    }
}
