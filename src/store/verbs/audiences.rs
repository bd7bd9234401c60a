use crate::base::domain::{AddressKey, AudienceId, BatchId, Msisdn, Recipient, Timestamp};
use crate::store::{Audience, AudiencePart, FoundRecipient, NewAudience, RecipientPlace, RejectedRow, Result, Whom};

/// Audiences. They are hidden while they are imported. Once published, they never change.
#[async_trait::async_trait]
pub trait Audiences: Send + Sync + std::fmt::Debug {
    /// Begins an audience, hidden until it is published.
    async fn begin_audience(&self, new: NewAudience) -> Result<AudienceId>;
    /// Adds recipients to a hidden audience; the first of them gets the number `first`.
    ///
    /// - Repeating a call after a crash changes nothing.
    /// - Fails with [`crate::store::Error::Gone`] if the audience was removed meanwhile.
    async fn add_recipients(&self, audience: AudienceId, first: u32, recipients: Vec<Recipient>) -> Result<()>;
    /// Adds rejected rows to a hidden audience; the first of them gets the number `first`.
    ///
    /// - Repeating a call after a crash changes nothing.
    /// - Fails with [`crate::store::Error::Gone`] if the audience was removed meanwhile.
    async fn add_rejected(&self, audience: AudienceId, first: u32, rows: Vec<RejectedRow>) -> Result<()>;
    /// Makes the audience visible.
    ///
    /// - Fails with [`crate::store::Error::NameTaken`] if another audience has its name.
    /// - Fails with [`crate::store::Error::Gone`] if the audience was removed meanwhile.
    async fn publish_audience(&self, audience: AudienceId, recipients: u32, summary: String) -> Result<()>;
    /// Removes an audience with all its parts, in pieces.
    ///
    /// - The audience is hidden at once; its recipients follow.
    /// - Fails with [`crate::store::Error::InUse`] if a batch uses one of its parts.
    async fn remove_audience(&self, audience: AudienceId) -> Result<()>;
    /// Removes unpublished audiences and batches that were last changed before `before`, in pieces.
    ///
    /// - Also removes audiences that were imported for a campaign that was never launched.
    /// - Returns how many audiences and batches it removed.
    async fn sweep_unpublished(&self, before: Timestamp) -> Result<u32>;
    /// Lists the audiences that have a name, in the order in which they were begun.
    async fn audiences(&self) -> Result<Vec<Audience>>;
    /// Lists the audiences that have a name, in order of the name, after the name `after`.
    async fn audience_page(&self, after: Option<String>, limit: u32) -> Result<Vec<Audience>>;
    /// Lists the audiences that have a name, latest first, before the audience `before`. With `name`, those whose name
    /// contains it; letters of ASCII match in both cases.
    async fn latest_audiences(
        &self,
        name: Option<String>,
        before: Option<AudienceId>,
        limit: u32,
    ) -> Result<Vec<Audience>>;
    /// Reads the rejected rows of a part of an audience with their numbers, in order, from number `from` on: all, or those
    /// of one reason. Returns fewer than `limit` if they are long: no row is added to those with 1 MiB.
    async fn rejected_rows(
        &self,
        audience: AudienceId,
        reason: Option<String>,
        from: u32,
        limit: u32,
    ) -> Result<Vec<(u32, RejectedRow)>>;
    /// Removes rejected rows of a part of an audience, by their numbers.
    async fn remove_rejected(&self, audience: AudienceId, numbers: Vec<u32>) -> Result<()>;
    /// Finds the rejected rows with a cell that is this id, in all audiences. It reads all of them.
    async fn rejected_with(&self, id: String) -> Result<Vec<(AudienceId, u32)>>;
    /// Counts the rejected rows with this number, in all audiences.
    async fn count_rejected(&self, recipient: Msisdn) -> Result<usize>;
    /// Finds a published audience by its name.
    async fn audience_named(&self, name: &str) -> Result<Option<Audience>>;
    /// Lists the audience parts of a batch, in the order of its messages.
    async fn parts_of(&self, batch: BatchId) -> Result<Vec<AudiencePart>>;
    /// Reads recipients in order, from number `from` on.
    async fn recipients(&self, audience: AudienceId, from: u32, limit: u32) -> Result<Vec<Recipient>>;
    /// Reads the addresses of these recipients alone, at a fraction of the cost.
    async fn address_keys(&self, audience: AudienceId, from: u32, limit: u32) -> Result<Vec<AddressKey>>;
    /// Finds a recipient's positions in these audiences, or in all.
    ///
    /// - Reads the filter of every piece, and then the few pieces that may contain the recipient.
    async fn find_recipient(&self, whom: Whom, within: Option<Vec<AudienceId>>) -> Result<Vec<(AudienceId, u32)>>;
    /// Finds a recipient's positions in all audiences, latest first, from the position `from` on.
    ///
    /// - The cost is bounded: it looks at a part of the filters and of the pieces, so it may find nothing although more
    ///   follows.
    async fn find_recipient_from(&self, whom: Whom, from: Option<RecipientPlace>) -> Result<FoundRecipient>;
}
