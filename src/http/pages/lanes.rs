//! The lanes: their rates, tiers, holds and what keeps them from sending.

use askama::Template;

use super::figures::Portion;
use super::frame::Frame;
use super::show::percent_encoded;
use super::writing::{Field, FieldKind};
use crate::base::domain::text::rate;
use crate::campaigns::status::LaneView;

/// The address of what is done to a lane.
fn lane_path(name: &str) -> String {
    format!("/lanes/{}", percent_encoded(name))
}

/// All lanes.
#[derive(Debug, Template)]
#[template(path = "lanes.html")]
pub struct LanesPage<'a> {
    pub frame: Frame,
    pub lanes: Vec<LaneView<'a>>,
    /// A sentence about each lane that is slowed or stopped without a hold, by its name.
    pub slow: Vec<(String, String)>,
}

impl LanesPage<'_> {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn path(&self, lane: &LaneView<'_>) -> String {
        lane_path(lane.name)
    }

    /// A sentence about each setting that differs from the file.
    fn overrides(&self, lane: &LaneView<'_>) -> Vec<String> {
        lane.overrides.iter().map(|overridden| self.frame.texts().sending.overridden(overridden)).collect()
    }

    /// The present rate, with the allowed one.
    fn rate_now(&self, lane: &LaneView<'_>) -> String {
        match &lane.now {
            Some(now) => self.frame.texts().of_rate(&rate(now.rate_per_s), &rate(now.allowed_per_s)),
            None => lane.rate.clone(),
        }
    }

    /// The part of the tier that is used, if the tier counts recipients.
    fn tier(&self, lane: &LaneView<'_>) -> Option<(Portion, String)> {
        let tier = lane.tier.as_ref()?;
        let most: i64 = match tier.tier.strip_suffix('K') {
            Some(thousands) => thousands.parse::<i64>().ok()?.checked_mul(1_000)?,
            None => tier.tier.parse().ok()?,
        };
        let used = i64::from(tier.recipients_in_24h);
        Some((Portion::of(used, most), self.frame.texts().of(used, most)))
    }

    fn slowed(&self, lane: &LaneView<'_>) -> Option<&str> {
        self.slow.iter().find(|(name, _)| name == lane.name).map(|(_, sentence)| sentence.as_str())
    }

    /// Whether it is held as a whole, by an operator or otherwise, so that it can be resumed.
    fn is_held(&self, lane: &LaneView<'_>) -> bool {
        lane.holds.iter().any(|hold| hold.template.is_none())
    }
}

/// The settings of a lane that can be changed while it sends.
#[derive(Debug, Template)]
#[template(path = "lane_settings.html")]
pub struct LaneSettingsPage {
    pub frame: Frame,
    pub lane: String,
    /// The state of the settings that a change is decided on.
    pub tag: String,
    pub fields: Vec<Field>,
    pub reason: Field,
    pub problem: Option<&'static str>,
    /// Recipients whom the database does not know, of a portfolio with a tier.
    pub tier_used: Option<Field>,
}

impl LaneSettingsPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn path(&self) -> String {
        lane_path(&self.lane)
    }
}
