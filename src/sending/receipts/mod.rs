//! Receipts and inbound messages: verify, store, apply.
//!
//! In: the raw bodies of webhooks with the headers that prove them. Out: facts on disk, advanced messages and recorded
//! opt-outs, acknowledged after the commit; the number of rejected webhooks, and whether they contain our receipts.
//! Promises: every authentic event is stored, also if it is for another subaccount, of an unknown type or unreadable; a
//! repeated, late or out-of-order receipt changes nothing twice; a receipt that overtakes the answer to its request is
//! applied at once or when that answer is on disk; nothing is acknowledged before it is on disk.
//! May not: know HTTP beyond the two headers that prove a body, or decide about a message (the engine does).

mod applier;
mod business;
mod callbacks;
mod content;
mod decide;
mod details;
mod export;
mod finding;
mod guard;
mod incoming;
mod intake;
mod listed;
mod naming;
mod outcome;
mod proof;
mod replies;
mod strays;
#[cfg(test)]
mod tests;
mod tries;
mod verifier;
mod view;
mod working;

pub use applier::{Applier, ApplierOptions, Listening};
pub use callbacks::{Callback, SlotChange, Throttled, WebhookArrived};
pub use content::{
    ButtonView, CallPermissionView, ContentData, ContentView, FlowView, LocationView, MediaView, OrderItemView,
    OrderView, RowView,
};
pub use details::News;
pub use export::ReplyExport;
pub use guard::Known;
pub use intake::{Intake, NotStored};
pub use listed::ListedStatus;
pub use proof::{FromHeaders, Proofs, Unproven};
pub use verifier::Verifier;
pub use view::{ReplyView, ReplyViews, StrayView};
