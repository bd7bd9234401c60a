//! Whom messages go to, and who wants none. It knows nothing of campaigns.

// Opt-outs: which recipients, from which source and since when.
pub mod optout;

// File to recipients: sniff, decode, read, validate, deduplicate, count, reject.
pub mod audience;

// Recipient files that clients upload, and their imports.
pub mod uploads;
