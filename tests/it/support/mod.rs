//! What the tests that run Volley as people do have in common: processes, a practice provider, and waiting.

mod process;
mod provider;
mod wait;
mod world;

pub(crate) use process::Process;
pub(crate) use provider::{Arrived, Seen};
pub(crate) use wait::{clock, until};
pub(crate) use world::{Shape, World, number};

/// Held by tests that want the machine's whole attention, so that none of them measures another.
pub(crate) static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
