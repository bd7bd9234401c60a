//! What tests share.

pub(crate) mod world;
