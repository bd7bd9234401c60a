//! Sends attempts and says honestly what happened.
//!
//! In: rendered bodies, one message or many, each with a [`Gate`]; a umid to ask about. Out: for each message one
//! [`Answer`]: accepted; refused, with whose fault that is; not offered or withdrawn, where the provider cannot have seen
//! it; unknown, where it may have processed it. For each question one [`Told`]. To each observer: whether the provider
//! itself has answered ([`Reach`]).
//! Promises: each request names exactly one channel, without `fallbackAfter` and `fallbackText`; its gate is asked when a
//! live connection takes it; nothing is ever sent twice in here, followed elsewhere or tried again; what an answer means
//! is read from `wire::codes`, never guessed.
//! May not: decide about messages, wait for a pace, or touch the store.

mod answer;
mod client;
mod connect;
mod connection;
mod details;
mod offer;
mod reach;

pub use answer::{Answer, BatchAnswers, Refusal, batch_answers, single_answer};
pub use client::{
    BATCH_CLOSE, BATCH_OPEN, Broken, Client, Endpoint, Http, RawAnswer, Transport, Unusable, install_tls,
};
pub use connect::Resolve;
pub use details::{Told, told};
pub use offer::{Gate, Open};
pub use reach::{Observed, Observer, Reach};
