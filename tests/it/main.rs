//! Tests of the whole, in one binary.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod answers;
mod architecture;
mod asking;
mod audiences;
mod audit;
mod backup;
mod benches;
mod campaigns;
mod circuit;
mod cli;
mod deaf;
mod decide;
mod documents;
mod doubt;
mod epochs;
mod explain;
mod full_load;
mod gaps;
mod holds;
mod hostile;
mod interrupt;
mod kill;
mod kill_commands;
mod lanes;
mod language;
mod look_back;
mod mishaps;
mod network;
mod partitions;
mod parts;
mod pipeline;
mod readers;
mod refusals;
mod rotation;
mod route_commands;
mod routes;
mod sources;
mod status_matrix;
mod stories;
mod storms;
mod support;
mod talk;
