//! Tests of the whole, in one binary.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod architecture;
mod asking;
mod audiences;
mod audit;
mod backup;
mod benches;
mod campaigns;
mod circuit;
mod cli;
mod command_output;
mod documents;
mod epochs;
mod explain;
mod full_load;
mod gaps;
mod history_commands;
mod holds;
mod hostile_requests;
mod interrupt;
mod kill;
mod kill_commands;
mod lanes;
mod language;
mod missing_values;
mod network;
mod operator_decisions;
mod partitions;
mod pipeline;
mod provider_reachability;
mod refusals;
mod replies;
mod report_breakdowns;
mod rotation;
mod route_commands;
mod routes;
mod selection;
mod slow_readers;
mod sources;
mod status_matrix;
mod stories;
mod storms;
mod support;
mod unwritable_database;
mod wrong_webhook_secret;
