//! The store's contract: its verbs. `contract.rs` tests each promise against every database.
//!
//! Unless a verb says otherwise:
//!
//! - A verb is one transaction. A verb that works "in pieces" is several short ones, and may be repeated after a crash.
//! - What a verb wrote is on disk when it returns. A verb that fails has changed nothing, except for finished pieces.
//! - Every verb may fail for the database's reasons: it is locked, full, read-only or closed (see [`crate::store::Error`]).
//! - A read is cancel-safe. A write that is queued is completed, even if the caller stops waiting for the result.
//! - Pages are keyset pages: their cost depends on what they return, not on what comes before them.

mod audiences;
mod batches;
mod catalogue;
mod consent;
mod deliveries;
mod dispatch;
mod events;
mod figures;
mod health;
mod keys;
mod lanes;
mod messages;
mod nodes;
mod queries;
mod receipts;
mod replies;
mod requests;
mod retention;
mod sessions;
mod shared_reports;
mod sketches;
mod tiers;
mod uploads;

pub use audiences::Audiences;
pub use batches::Batches;
pub use catalogue::Catalogues;
pub use consent::Consent;
pub use deliveries::Deliveries;
pub use dispatch::Dispatch;
pub use events::Events;
pub use figures::Figures;
pub use health::Health;
pub use keys::Keys;
pub use lanes::Lanes;
pub use messages::Messages;
pub use nodes::Nodes;
pub use queries::Queries;
pub use receipts::{Kept, Receipts, WebhookGroup};
pub use replies::Replies;
pub use requests::Requests;
pub use retention::Retention;
pub use sessions::Sessions;
pub use shared_reports::SharedReports;
pub use sketches::Sketches;
pub use tiers::Tiers;
pub use uploads::Uploads;

/// Every verb, for rooms that need verbs of many kinds. A room that needs one kind takes that trait alone.
#[async_trait::async_trait]
pub trait Store:
    Audiences
    + Batches
    + Catalogues
    + Consent
    + Deliveries
    + Dispatch
    + Events
    + Figures
    + Keys
    + Health
    + Lanes
    + Messages
    + Nodes
    + Queries
    + Receipts
    + Replies
    + Requests
    + Retention
    + Sessions
    + SharedReports
    + Sketches
    + Tiers
    + Uploads
{
    /// Returns the hints about what this process has committed.
    fn signals(&self) -> &super::Signals;
    /// Closes the store after the verbs that were called before; later calls fail.
    async fn close(&self);
    /// Completes once nothing can be written any more: the store was closed, or its writer has panicked.
    ///
    /// - From then on every verb that writes fails with [`crate::store::Error::Closed`].
    async fn ended(&self);
}
