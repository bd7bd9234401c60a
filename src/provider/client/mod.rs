//! Sends attempts and reports honestly what happened.
//!
//! In: rendered bodies of one message or many, each with a [`Gate`]; the umid of a message to query. Out: for each
//! message one [`SendAnswer`], and for each query one [`DetailsAnswer`]. To each observer: whether the provider itself has
//! answered ([`Reach`]). The templates of a channel ([`TemplatesClient`]), and the contacts of an account
//! ([`ContactsClient`]). Requests of other programs, sent on as they are ([`Relayed`]).
//!
//! An answer is one of:
//! - accepted;
//! - refused, with the fault;
//! - not offered or withdrawn: the provider cannot have received the message;
//! - unknown: the provider may have processed it.
//!
//! Promises:
//! - Each request names exactly one channel, without `fallbackAfter` and `fallbackText`.
//! - The gate of a request is asked when a live connection takes it.
//! - This room never sends a request twice, never follows a redirect and never retries.
//! - `wire::codes` gives the meaning of an answer; it is never guessed.
//!
//! May not: decide about messages, wait for rate tokens, or use the store.

mod access;
mod account;
mod answer;
mod connect;
mod connection;
mod contacts;
mod details;
mod fetch;
mod files;
mod http_client;
mod offer;
mod reach;
mod relay;
mod unconnected;

pub use access::Access;
pub use answer::{BatchAnswers, Refusal, SendAnswer, batch_answers, single_answer};
pub use connect::Resolve;
pub use contacts::{Added, ContactsClient, ContactsError};
pub use details::{DetailsAnswer, details_answer};
pub use fetch::{Looked, Unseen, look_at};
pub use files::{FileToUpload, NotUploaded};
pub use http_client::{
    BATCH_CLOSE, BATCH_OPEN, Broken, Client, Endpoint, Http, RawAnswer, TemplatesClient, TemplatesError, Transport,
    Unusable, install_tls,
};
pub use offer::{Gate, Open};
pub use reach::{Observed, Observer, Reach};
pub use relay::Relayed;
pub use unconnected::{AddressOf, Stage, Unconnected, Why};
