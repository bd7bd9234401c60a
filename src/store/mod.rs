//! Stores everything on disk, through verbs that are one transaction each.
//!
//! In: sets of rows, and changes with the version that they were decided on.
//! Out: sets of rows, and the changes that came too late.
//! Promises: what a verb acknowledged survives `kill -9` and a power cut. A change applies only to the version that it
//! was decided on. Counters move in the transaction of the change. No verb works message by message, or holds its write
//! transaction much longer than 50 ms. No write transaction stays open while the store waits for anything else.
//! May not: decide. The engine decides about messages, through the book; the planner decides what is sent next. Other
//! rooms know only the traits of the verbs, and take the one that they need; [`open`] alone chooses the database.

mod access;
mod addresses;
mod batch;
mod catalogue;
#[cfg(test)]
mod contract;
mod cursor;
mod error;
mod fact;
mod figures;
mod flow;
mod health;
mod inbound;
mod lanes;
mod lease;
mod limits;
mod model;
mod outgoing;
mod requests;
mod restore;
mod shared_report;
mod sieve;
mod signal;
mod sketch;
mod sqlite;
mod uploads;
mod verbs;
mod walk;

pub use access::{
    ApiKey, AuditActor, AuditEntry, AuditFilter, AuditRequest, AuditWho, KeyLimits, LastUse, OperatorAccount,
    PasswordHash, ScopesSet, SecretDigest, Session, SetupToken,
};
pub use addresses::Addresses;
pub use batch::{
    Amendment, Batch, BatchFilter, BatchPage, Call, ClientIds, Edition, Joined, Joining, NewBatch, NewCall, Over,
    OwnTimes, PieceOfMessages, Start,
};
pub use catalogue::{
    FetchedTemplates, StoredTemplate, TemplateLimit, TemplatePlace, TemplateRequest, TemplateRequestKind,
};
pub use cursor::Cursor;
pub use error::{DiskTrouble, Error};
pub use fact::{Attempt, Change, Nameless, NamingLane, Observed, Receipt, Stray, StrayCount, StrayKind, Verdict};
pub use figures::BatchFigures;
pub use flow::{Flow, FlowCount, FlowPlace};
pub use health::{LOW_SPACE, SchemaVersion, WriterFigures, free_space};
pub use inbound::{Alias, Inbound, InboundOf, OptIn, OptOut, ReplyCount, Sender, Wish};
pub use lanes::{
    AccountEvent, BucketOf, HeldBy, Hold, LaneStandstill, LaneState, NotedBucket, Override, ProviderReport, Release,
    ReleasedBy, Trouble,
};
#[cfg(test)]
pub(crate) use lease::started;
pub use lease::{Epoch, Holder, Latest, Lease, NodeStart, Started};
pub use limits::{Recall, ReportedBy, StepHeldBy, StepHold};
pub use model::{
    Along, Audience, AudiencePart, Beat, Claim, Claimed, ClaimedSet, Direction, FoundAttempt, HighestStatus, KeptGap,
    Key, KnownAs, LinkState, NewAudience, Node, Query, QueryState, Question, QueueTimes, RejectedRow, RejectionReason,
    StoredLane, TierSlot, TierUse, TurnedAway, Unwritable,
};
pub use outgoing::{
    AfterTrial, AlertKey, CallIds, Delivery, DeliveryState, EventRow, FanOut, Feed, FeedRow, FeedState, NewDelivery,
    NewSubscription, ObservedMessage, ObservedRecipient, OpenAlert, Receiver, ReceiverHealth, ReceiverKind, Replay,
    SigningSecret, Subscription, SubscriptionChange, SubscriptionId, Trial, Tried, WebhookCounts, WebhookFormat,
};
pub use requests::{Begun, NewRequest, RequestKey, StoredAnswer};
pub use restore::{Restore, UnknownSlots};
pub use shared_report::{Repetitions, SharedReport};
pub use sieve::{FoundRecipient, RecipientPlace, Whom};
pub use signal::{Hints, Signal, Signals};
pub use sketch::Sketch;
pub use sqlite::Sqlite;
#[cfg(test)]
pub(crate) use sqlite::tests::run_sql;
pub use uploads::UploadedFile;
pub use verbs::{
    Audiences, Batches, Catalogues, Consent, Deliveries, Dispatch, Events, Figures, Health, Kept, Keys, Lanes,
    Messages, Nodes, Queries, Receipts, Replies, Requests, Retention, Sessions, SharedReports, Sketches, Store, Tiers,
    Uploads, WebhookGroup,
};
pub use walk::{CodedFacts, Copied, Frame, MessageFacts, RecipientRow, Scope, Twin, Walk};

use std::sync::Arc;

use crate::base::clock::Clock;

pub type Result<T> = std::result::Result<T, Error>;

/// Opens the database at a URL, and updates its schema.
pub async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(Sqlite::open(url, clock).await?))
}

/// Opens a database in memory, and runs a statement in it that makes some later writes fail.
#[cfg(test)]
pub async fn open_with(statement: &'static str, clock: Arc<dyn Clock>) -> Arc<dyn Store> {
    Arc::new(Sqlite::open_with(statement, clock).await)
}
