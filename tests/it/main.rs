//! Tests of the whole, in one binary.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod architecture;
mod cli;
mod decide;
mod full_load;
mod interrupt;
mod kill;
mod kill_commands;
mod pipeline;
mod sources;
mod support;
mod talk;
