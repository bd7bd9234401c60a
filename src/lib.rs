//! Volley sends bulk messaging campaigns and makes sure that each message arrives.
//!
//! A district is a folder of rooms, and may use those above it here. The first page of each room says what comes in, what goes
//! out, what it promises and what it may not do.

// Plain types, time, what happened and the configuration. It knows nothing of the others.
pub mod base;

// What is decided without a clock, I/O or async.
pub mod rules;

// The database: each verb is one transaction.
pub mod store;

// The way to the provider, and what it says of files and templates. It knows nothing of sending.
pub mod provider;

// Whom messages go to, and who wants none. It knows nothing of campaigns.
pub mod recipients;

// From a claim to the last receipt. It knows nothing of HTTP, and of campaigns only what the store says.
pub mod sending;

// What operators plan, launch, decide and read. It knows nothing of HTTP.
pub mod campaigns;

// Everything that is asked over HTTP, and what is told to others over it.
pub mod http;

// One running server: starts, watches and stops the rooms in order.
pub mod node;

// The practice provider. It knows the types and the rules, and nothing of Volley itself.
pub mod practice;

// Benchmarks: measures each promise against a limit from the same run.
pub mod bench;

// Commands, progress, tables.
pub mod cli;

// The whole system under random faults, one act at a time.
#[cfg(test)]
mod simulation;
