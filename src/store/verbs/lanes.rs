use crate::base::domain::{Channel, OverridableSetting, Timestamp};
use crate::base::events::Origin;
use crate::store::{Hold, NotedBucket, Override, ProviderReport, Result, StoredLane};

/// Lanes, the holds on them and on templates, overrides of settings, and what the provider reports.
#[async_trait::async_trait]
pub trait Lanes: Send + Sync + std::fmt::Debug {
    /// Reads all lanes with their ids; gives an id to each new name among `lanes`.
    ///
    /// - Writes nothing if all of them are known.
    async fn lanes(&self, lanes: Vec<(String, Channel)>) -> Result<Vec<StoredLane>>;
    /// Lists the holds on lanes and templates.
    async fn holds(&self) -> Result<Vec<Hold>>;
    /// Holds a lane or a template, because of an operator or of the result of a request that began at `begun`.
    ///
    /// - Returns the number of the decision.
    /// - Adds no hold if an operator released the same lane or template after `begun`: the request does not know what was
    ///   corrected since.
    async fn hold(&self, hold: Hold, begun: Timestamp) -> Result<u64>;
    /// Releases a lane (`template` empty) or a template in every language; returns how many holds there were.
    async fn release(&self, lane: String, template: String, now: Timestamp, by: Origin) -> Result<u32>;
    /// Lists the settings that were changed while a server ran.
    async fn overrides(&self) -> Result<Vec<Override>>;
    /// Changes a setting.
    ///
    /// - Returns the number of the decision.
    /// - Returns `None` and changes only the events if a later change applies, or an operator's of a rate.
    async fn set_override(&self, overridden: Override, now: Timestamp) -> Result<Option<u64>>;
    /// Resets a setting to the value in the file.
    ///
    /// - Returns the number of the decision, or `None` if the file's value applied already.
    async fn end_override(
        &self,
        setting: OverridableSetting,
        name: String,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Option<u64>>;
    /// Reads the recorded state of token buckets.
    async fn buckets(&self) -> Result<Vec<NotedBucket>>;
    /// Reads the last report of the provider about each lane, portfolio and template.
    async fn provider_reports(&self) -> Result<Vec<ProviderReport>>;
}
