//! Volley sends bulk messaging campaigns and makes sure that each message arrives.
//!
//! The rooms, in the order in which data meets them, which is also a good order to read them in.
//! Each says on its own page what comes in, what goes out, what it promises and what it may not do.

// Plain types that cannot hold nonsense.
pub mod domain;

// Now, sleep and chance: the only real ones.
pub mod clock;

// `volley.toml`, checked.
pub mod config;

// The fallback machine: no clock, no I/O, no async.
pub mod engine;

// Which queued messages a claim sends, and why.
pub mod planner;

// File to recipients: sniff, decode, read, validate, deduplicate, count, reject.
pub mod audience;

// Parse, validate, bind columns, render.
pub mod template;

// The 8x8 JSON shapes, once.
pub mod wire;

// What is on disk: whole verbs, one transaction each.
pub mod store;

// Who wants nothing more, from whom and since when.
pub mod optout;

// Hands an attempt over and says honestly what happened.
pub mod provider;

// How many may leave now.
pub mod throttle;

// Plan, launch, schedule, pause, resume, cancel, finish, report.
pub mod campaign;

// Claim, render, throttle, send, record.
pub mod dispatch;

// Verify, store, apply.
pub mod receipts;

// What is due now goes through the engine.
pub mod timers;

// Asks the provider what became of attempts of which we have not heard.
pub mod ask;

// What the server answers over HTTP.
pub mod api;

// One running server: the rooms started, watched and stopped in order.
pub mod node;

// A provider to practise on.
pub mod simulator;

// What is promised, measured against a limit in the same run.
pub mod bench;

// Commands, progress, tables.
pub mod cli;

// The whole of it under storm, one act at a time.
#[cfg(test)]
mod simulation;
