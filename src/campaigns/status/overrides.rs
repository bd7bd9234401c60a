//! Describes settings of lanes that differ from the file: what, by whom, since when, and how to restore the file's value.

use serde::Serialize;

use crate::base::config::Lane;
use crate::base::domain::text::{about, shell};
use crate::base::domain::{OverridableSetting, Timestamp};
use crate::store::Override;

/// A setting that differs from the file.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OverrideView {
    pub setting: OverridableSetting,
    pub value: String,
    pub in_file: String,
    pub by_operator: bool,
    pub reason: String,
    pub since: String,
}

impl OverrideView {
    pub fn new(overridden: &Override) -> Self {
        Self {
            setting: overridden.setting,
            value: overridden.value.clone(),
            in_file: overridden.in_file.clone(),
            by_operator: overridden.origin.is_operator(),
            reason: overridden.origin.after("set"),
            since: overridden.since.rfc3339(),
        }
    }
}

/// Whether an override concerns this lane, its account or its portfolio.
pub fn concerns(overridden: &Override, lane: &Lane) -> bool {
    match overridden.setting {
        OverridableSetting::Rate | OverridableSetting::Burst => overridden.name == lane.name,
        OverridableSetting::AccountRate => overridden.name == lane.account,
        OverridableSetting::Tier => lane.tiered() == Some(&overridden.name),
    }
}

/// `the rate of lane promo-sg is 40/s (80/s in the file): set by ann: a gentle start, 3 min ago`.
pub fn sentence_since(overridden: &Override, now: Timestamp) -> String {
    let Override { setting, value, in_file, origin, since, .. } = overridden;
    format!(
        "the {} of {} is {value} ({in_file} in the file): {}, {} ago",
        setting.what(),
        overridden.subject(),
        origin.after("set"),
        about(now.since(*since))
    )
}

/// The command that restores the value of the file.
pub fn what_to_do(overridden: &Override, lane: &Lane) -> String {
    format!("to restore the value of the file: volley lane set {} --{} file", shell(&lane.name), overridden.setting)
}
