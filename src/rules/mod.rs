//! What is decided without a clock, I/O or async.

// The fallback state machine: no clock, no I/O, no async.
pub mod engine;

// Which queued messages a claim sends, and why.
pub mod planner;

// Parse, validate, bind columns, render.
pub mod template;

// The 8x8 JSON shapes, defined once.
pub mod wire;

// When a campaign will be submitted, and what it costs.
pub mod forecast;
