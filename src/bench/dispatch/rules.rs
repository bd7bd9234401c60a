//! Every rule that a campaign can have, set so that it stops nothing: this shows what deciding costs.

use std::io::Write as _;

use tempfile::NamedTempFile;

use super::Load;
use crate::base::config::Config;
use crate::base::domain::{Tier, Timestamp};
use crate::bench::Error;

/// The price of each message, by country.
const PRICES: &str = "channel,country,category,price,currency\n\
                      WhatsApp,SG,MARKETING,0.0615,EUR\nWhatsApp,MY,MARKETING,0.0711,EUR\n";

const HOUR_MS: i64 = 3_600_000;

/// A tier with a slot for each recipient, quiet hours that are far, limits that are not reached, and a price list.
pub(super) struct Rules {
    recipients: u32,
    prices: NamedTempFile,
    of_campaign: String,
}

impl Rules {
    pub(super) fn new(load: &Load, now: Timestamp) -> Result<Self, Error> {
        let mut prices = tempfile::Builder::new().suffix(".csv").tempfile()?;
        prices.write_all(PRICES.as_bytes())?;
        // Both countries are eight hours ahead of UTC: their quiet hour is twelve hours from now.
        let quiet = (now.millis() / HOUR_MS + 8 + 12).rem_euclid(24);
        let of_campaign = format!(
            "quiet_hours = \"{quiet:02}:00-{:02}:00\"\nbudget = \"1000000 EUR\"\n\
             max_messages = {}\n",
            (quiet + 1).rem_euclid(24),
            load.messages
        );
        Ok(Self { recipients: load.messages, prices, of_campaign })
    }

    /// Sets a tier with a slot for each recipient; the provider's tiers end at 100,000.
    pub(super) fn configure(&self, config: &mut Config) {
        config.lanes.iter_mut().for_each(|lane| lane.tier = Tier::Recipients(self.recipients));
        config.prices = Some(self.prices.path().to_owned());
    }

    /// Returns the keys of the campaign file.
    pub(super) fn of_campaign(&self) -> &str {
        &self.of_campaign
    }
}
