//! The practice provider: a pure model of the provider, behind a thin layer of HTTP and webhooks.
//!
//! - In: requests in the provider's wire format, a `Profile` of how well and how fast it reaches recipients, `Faults`
//!   that are switched on and off, a seed, and the time.
//! - Out: answers, webhooks, and everything that it has seen.
//! - Promises: `Model` has no clock, no socket and no thread, so the same calls at the same times give the same answers
//!   and webhooks. The result of a message depends on the seed, the recipient and the channel, not on the order in
//!   which requests arrive. A million messages fit into a few hundred megabytes. `RunningSink` keeps only counts, so a
//!   benchmark measures the sender and not the sink.
//! - May not: read Volley's database, or know anything about Volley that is not on the wire.

mod faults;
mod model;
mod post;
mod profile;
mod reach;
mod server;
mod sink;
mod umid;

pub use faults::{Faults, InvalidFaults, Window, explain_faults};
pub use model::{
    Call, ChannelSeen, DelayedReply, InboundMessage, MessageSeen, Method, Model, Reply, SeenTotals, StepSeen,
    StoredFile, TemplatesProfile, Upload, Uploaded, Webhook, Writer, Written,
};
pub use post::{REPEATS, WebhookTarget};
pub use profile::{InvalidProfile, Profile, RouteStep};
pub use reach::{Answers, Delivery, Latency};
pub use server::{Journal, ServeError, SimulatorOptions, serve};
pub use sink::{Arrival, RunningSink, SinkCount, SinkError, SinkOptions};
