//! The way to the provider, and what it says of files and templates. It knows nothing of sending.

// Submits an attempt to the provider and reports what happened.
pub mod client;

// The files that messages show.
pub mod media;

// The provider's templates: what is known of them, and their rules.
pub mod catalogue;
