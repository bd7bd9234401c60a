//! WhatsApp's rule for marketing in the United States: nothing of it is delivered to numbers there.

use std::borrow::Cow;

use super::{Channel, Countries, Country, Step, UsMarketing};

impl Step {
    /// Leaves out the United States from a step of marketing on WhatsApp, unless it is to be sent there all the same.
    pub fn withhold_us_marketing(&mut self, wanted: UsMarketing) {
        if self.channel != Channel::WhatsApp {
            return;
        }
        let is_withheld = wanted == UsMarketing::FallBack && self.content.is_marketing();
        let rest = self.countries.without(Country::UNITED_STATES).filter(|_| is_withheld);
        self.us_marketing = (wanted == UsMarketing::Send || rest.is_some()).then_some(wanted);
        self.countries = rest.unwrap_or_else(|| std::mem::take(&mut self.countries));
    }

    /// Leaves out the United States no more. Returns what was wanted there.
    pub fn send_us_marketing_again(&mut self) -> UsMarketing {
        self.countries = self.chosen_countries().into_owned();
        self.us_marketing.take().unwrap_or(UsMarketing::FallBack)
    }

    /// Whether it leaves out the United States because Meta delivers nothing there.
    pub fn withholds_us_marketing(&self) -> bool {
        self.us_marketing == Some(UsMarketing::FallBack)
    }

    /// The countries that an operator chose for it.
    pub fn chosen_countries(&self) -> Cow<'_, Countries> {
        if self.withholds_us_marketing() {
            Cow::Owned(self.countries.with(Country::UNITED_STATES))
        } else {
            Cow::Borrowed(&self.countries)
        }
    }
}
