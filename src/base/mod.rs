//! Plain types, time, what happened and the configuration. It knows nothing of the others.

// Plain types that cannot hold invalid values.
pub mod domain;

// Now, sleep and chance: the only real ones.
pub mod clock;

// What happened, to what, by whom: typed, and as English sentences.
pub mod events;

// `volley.toml`, validated.
pub mod config;
