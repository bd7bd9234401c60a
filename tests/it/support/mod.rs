//! What tests share: a world within this process, an installation of processes that can be killed, and waiting.

pub(crate) mod by_hand;
pub(crate) mod fake_provider;
mod http1;
mod installation;
mod process;
mod provider;
pub(crate) mod proxy;
pub(crate) mod resolver;
pub(crate) mod scene;
pub(crate) mod sending;
mod wait;
pub(crate) mod world;

pub(crate) use installation::{Installation, Networks, Shape, free_address, number};
pub(crate) use process::Process;
pub(crate) use provider::{Arrived, Seen};
pub(crate) use wait::{clock, until};

/// So many recipients of Singapore, as a campaign file lists them.
pub(crate) fn numbers(recipients: std::ops::Range<u32>) -> String {
    let listed: Vec<String> = recipients.map(|n| format!("\"+659{:07}\"", 1_000_000 + n)).collect();
    format!("numbers = [{}]", listed.join(","))
}

/// Held by tests that measure the machine, so that none of them measures another.
pub(crate) static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
