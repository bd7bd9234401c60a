//! Submissions: a bare HTTP loop, the same behind gates, the floor of durability, the product's own statements alone,
//! and the product.

mod database;
mod floor;
mod limit;
mod product;
mod rules;

pub use database::database;
pub use floor::floor;
pub use limit::{gated, limit};
pub use product::product;
pub(super) use product::{LANE, config, lane, launch_on, provider, read, store_audience};

use std::num::NonZeroU32;

/// The work of one run.
#[derive(Debug, Clone)]
pub struct Load {
    pub messages: u32,
    pub connections: NonZeroU32,
    /// Messages in one request; one for single posts.
    pub batch: NonZeroU32,
    /// Receipts that the sink posts for each message.
    pub receipts: usize,
    /// Whether the campaign has every kind of rule: a tier, hours, limits, prices, two countries.
    pub with_rules: bool,
    /// How many look at the page of the campaign meanwhile.
    pub viewers: u32,
}
