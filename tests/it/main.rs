//! Tests of the whole, in one binary.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod cli;
mod pipeline;
mod support;
