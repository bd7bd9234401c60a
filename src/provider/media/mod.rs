//! The files that messages show: local ones, and those at a web address.
//!
//! In: the steps of a draft, whose media are web addresses or paths of local files. Out: the same steps with web addresses
//! alone, and what is wrong or doubtful about each file.
//! Promises: a local file is read whole, its format is told by its content, and its size is held against the channel's
//! limit; it is uploaded once for each subaccount, and again if the provider no longer hosts it. A web address is asked for
//! as the provider will fetch it, but never in a private network, unless the provider is there itself.
//! May not: decide about campaigns; change anything of a step but the addresses of its media.

mod address;
mod file;
mod format;
mod review;

pub use review::{At, Found, Note, Review};
