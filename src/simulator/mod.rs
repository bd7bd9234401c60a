//! A provider to practise on: a pure model of it under a thin skin of HTTP and webhooks.
//!
//! In: requests in the provider's wire format, a `Profile` of who is reached how well and how fast, `Faults` that
//! are switched on and off, a seed, and the time. Out: answers, webhooks, and everything that it has seen.
//! Promises: `Model` has no clock, no socket and no thread, so the same calls at the same times give the same answers
//! and webhooks; what becomes of a message depends on the seed, the person and the channel, not on the order in which
//! requests happen to arrive; a million messages fit into a few hundred megabytes. `Sink`
//! keeps nothing but counts, so that a benchmark measures the sender and not us.
//! May not: read Volley's database, or know anything about Volley that the wire does not say.

mod faults;
mod model;
mod post;
mod profile;
mod reach;
mod server;
mod sink;
mod umid;

pub use faults::{Faults, InvalidFaults, Window, explain_faults};
pub use model::{Answer, Call, ChannelSeen, MessageSeen, Method, Model, Reply, Seen, StepSeen, Webhook};
pub use post::{REPEATS, WebhookTarget};
pub use profile::{InvalidProfile, Profile, RouteStep};
pub use reach::{Answers, Delivery, Latency};
pub use server::{Journal, Options, ServeError, serve};
pub use sink::{Arrival, Sink, SinkCount, SinkError, SinkOptions};
