//! From a claim to the last receipt. It knows nothing of HTTP, and of campaigns only what the store says.

// The batches in play, in memory.
pub mod book;

// How many messages may be sent now.
pub mod throttle;

// Verify, store, apply.
pub mod receipts;

// Claim, render, throttle, send, record.
pub mod dispatch;

// Passes due messages to the engine.
pub mod timers;

// Asks the provider for the status of attempts of which no receipt has come.
pub mod ask;
