//! The part of the contract that is about webhooks: receipts, messages from recipients, and account events.

use std::collections::BTreeSet;

use crate::base::domain::{AddressKey, MessageKey, OptOutOf, Timestamp};
use crate::store::{
    AccountEvent, Alias, Change, Cursor, FoundAttempt, Inbound, Key, NamingLane, NotedBucket, OptOut, Receipt, Result,
    Stray, StrayCount, StrayKind,
};

/// Webhooks that arrived together, and the decisions about them.
#[derive(Debug, Clone, Default)]
pub struct WebhookGroup {
    pub receipts: Vec<Receipt>,
    /// The decisions that follow from the receipts.
    pub changes: Vec<Change>,
    pub strays: Vec<Stray>,
    /// The ids that channels use for recipients.
    pub aliases: Vec<Alias>,
    pub opt_outs: Vec<OptOut>,
    /// Messages from recipients.
    pub written: Vec<Inbound>,
    /// What a "stop" among them opts out of.
    pub stops: OptOutOf,
    /// Whether a confirmation becomes due for each recipient whom one of these messages opts out.
    pub confirms: bool,
    /// The ids of those messages that may be opt-outs.
    pub possible_stops: BTreeSet<String>,
    /// Lanes whose receipts turned out to carry our ids.
    pub naming: Vec<NamingLane>,
    /// The buckets from which ended submissions took their tokens.
    pub buckets: Vec<NotedBucket>,
}

/// The result of [`Receipts::take`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Messages that have another version by now, or do not exist; their changes were not applied.
    pub stale: Vec<MessageKey>,
    /// Recipients whose address is known only now, and who had opted out.
    pub named: Vec<AddressKey>,
    /// Names that the provider reported for these recipients, but that belong to others. They were not learned.
    pub taken_names: Vec<Alias>,
    /// For each message from a recipient, its writer's known addresses. If it is an opt-out, it applies to all of them.
    pub writers: Vec<Vec<AddressKey>>,
    /// Whether a message may be an opt-out, and no other one waits for a decision.
    pub is_first_possible_stop: bool,
}

/// What receipts, and the other webhooks of the provider, ask of a store.
#[async_trait::async_trait]
pub trait Receipts: Send + Sync + std::fmt::Debug {
    /// Finds attempts by keys, in the order of the keys.
    ///
    /// - A number finds an attempt only if exactly one attempt to it on that channel is unknown. The key must exclude
    ///   neither the attempt's intent time nor its lane.
    async fn find(&self, keys: Vec<Key>) -> Result<Vec<Option<FoundAttempt>>>;
    /// Lists the lanes whose receipts carry our ids, each as it was known to the provider then.
    async fn naming_lanes(&self) -> Result<Vec<NamingLane>>;
    /// Stores webhooks that arrived together, and applies the decisions about them, in one transaction.
    ///
    /// - Returns the changes that came too late. Their receipts are not stored: the caller decides again and retries.
    /// - A message from a recipient is stored once, and its opt-out or opt-in is applied once. A repeat changes nothing,
    ///   unless only now its attempt, and so perhaps its writer, is known.
    /// - A new alias assigns earlier messages to their writer, and applies the writer's last opt-out or opt-in.
    async fn take(&self, taken: WebhookGroup) -> Result<Kept>;
    /// Lists strays of a kind in order of arrival.
    ///
    /// - `after` is the arrival time and the id of the last stray of the previous page.
    /// - Its cost depends on what it returns, not on the number of other strays.
    async fn strays(
        &self,
        kind: StrayKind,
        since: Timestamp,
        after: Cursor,
        limit: u32,
    ) -> Result<Vec<(Cursor, Stray)>>;
    /// Deletes these strays.
    async fn forget_strays(&self, strays: Vec<Cursor>) -> Result<()>;
    /// Deletes, in pieces, the strays that arrived before `before`: their attempts are no longer looked for.
    async fn forget_old_strays(&self, before: Timestamp) -> Result<()>;
    /// Counts the strays of each kind.
    async fn stray_counts(&self) -> Result<Vec<StrayCount>>;

    /// Stores account events and applies them, each once; returns how many were new.
    async fn take_business(&self, events: Vec<AccountEvent>) -> Result<u32>;
}
