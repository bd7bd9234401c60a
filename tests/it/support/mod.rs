//! What the tests that run Volley as people do have in common: processes, a practice provider, and waiting.

mod process;
mod provider;
mod wait;
mod world;

pub(crate) use provider::{Arrived, Seen};
pub(crate) use wait::{clock, until};
pub(crate) use world::{Shape, World, number};
