//! The quality guard: slows a lane or holds its MARKETING steps while the provider reports falling quality, as `[quality]`
//! says, and undoes that when the quality is good again.
//!
//! Promises: an operator's decision stays. A rate that an operator has set is not lowered, one that they changed since is not
//! restored, and a hold that they released does not return until the provider reports again. A report that is older than the
//! last known one about the same number or template changes nothing.

use crate::base::config::{GuardAction, Lane};
use crate::base::domain::{OverridableSetting, Rate, Timestamp};
use crate::base::events::{Actor, Origin, Subject};
use crate::store::{AccountEvent, HeldBy, Hold, Override, ProviderReport, Release, ReleasedBy};

/// What is recorded about the quality of a number or a template.
pub(super) const QUALITY: &str = "quality";

/// A report about quality, and what the guard does about it on each lane that it concerns.
#[derive(Debug)]
pub(super) struct QualityChange {
    pub(super) lane: Lane,
    /// Empty for the lane's number.
    pub(super) template: String,
    pub(super) language: String,
    /// What `[quality]` says of it; `None` if that says nothing.
    pub(super) action: Option<GuardAction>,
    /// Whether it is a score. Without one a lane is not slow, but a hold stays: nothing says that the quality is better.
    pub(super) is_score: bool,
    pub(super) why: String,
}

/// What the store knows when an account event arrives.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    pub overrides: &'a [Override],
    pub holds: &'a [Hold],
    pub reports: &'a [ProviderReport],
}

impl<'a> Known<'a> {
    /// The override of a lane's rate, as long as the file has the same rate as then.
    fn rate_of(&self, lane: &str, in_file: &str) -> Option<&'a Override> {
        let is_it = |known: &&Override| {
            known.setting == OverridableSetting::Rate && known.name == lane && known.in_file == in_file
        };
        self.overrides.iter().find(is_it)
    }

    /// The guard's override of a lane's rate. Nothing else overrides a rate in the name of a server.
    pub(super) fn slowed(&self, lane: &str, in_file: &str) -> Option<&'a Override> {
        self.rate_of(lane, in_file).filter(|known| known.origin.by == Actor::Server)
    }

    /// Whether a later report about the same is known.
    fn is_outdated(&self, change: &QualityChange, at: Timestamp) -> bool {
        self.reports.iter().any(|known| known.what == QUALITY && change.is_about_it(known) && known.at > at)
    }

    /// Whether the last report about anything else still slows the lane.
    fn is_slowed_otherwise(&self, change: &QualityChange) -> bool {
        let lane = &change.lane;
        let is_on = |known: &&ProviderReport| known.about == Subject::lane(&lane.name) || known.applies_on(&lane.name);
        let others = self.reports.iter().filter(|known| known.what == QUALITY).filter(is_on);
        let mut others = others.filter(|known| !change.is_about_it(known));
        others.any(|known| {
            action(lane, &known.value) == Some(GuardAction::Slow)
                && known.template().is_none_or(|template| {
                    let latest = |what| self.latest(lane, template, what);
                    latest(QUALITY).is_some_and(|latest| latest.at <= known.at)
                        && !latest("status").is_some_and(|status| is_gone(&status.value))
                })
        })
    }

    /// The last report about a template on a lane.
    fn latest(&self, lane: &Lane, template: (&str, &str), what: &str) -> Option<&'a ProviderReport> {
        let is_it = |known: &&ProviderReport| {
            known.what == what && known.template() == Some(template) && known.applies_on(&lane.name)
        };
        self.reports.iter().filter(is_it).max_by_key(|known| known.at)
    }
}

/// Whether a template with this status is no longer sent, so its quality slows no lane.
pub(super) fn is_gone(status: &str) -> bool {
    matches!(status, "REJECTED" | "DISABLED" | "PENDING_DELETION" | "DELETED")
}

/// What `[quality]` says of a word of the provider's: a template's score, or a number's state.
pub(super) fn action(lane: &Lane, word: &str) -> Option<GuardAction> {
    match word {
        "YELLOW" => lane.quality.yellow,
        "RED" => lane.quality.red,
        "FLAGGED" => lane.quality.flagged,
        _ => None,
    }
}

impl QualityChange {
    /// Adds to the event what the guard does.
    pub(super) fn add_to(self, event: &mut AccountEvent, known: Known<'_>) {
        if known.is_outdated(&self, event.happened_at) {
            return;
        }
        if self.action == Some(GuardAction::Hold) {
            event.holds.push(self.hold(event.received));
        } else if self.is_score && known.holds.iter().any(|hold| self.is_hold(hold)) {
            let (lane, template, language) = (self.lane.name.clone(), self.template.clone(), self.language.clone());
            event.releases.push(Release { lane, template, language, because: ReleasedBy::Quality });
        }
        if self.action == Some(GuardAction::Slow) {
            event.overrides.extend(self.slower(event.happened_at, known));
        } else if !known.is_slowed_otherwise(&self) {
            self.restore(event, known);
        }
    }

    /// Whether a report is about the same number or template.
    fn is_about_it(&self, report: &ProviderReport) -> bool {
        match self.template.as_str() {
            "" => report.about == Subject::lane(&self.lane.name),
            name => report.template() == Some((name, &self.language)) && report.applies_on(&self.lane.name),
        }
    }

    fn is_hold(&self, hold: &Hold) -> bool {
        let about = (&hold.lane, &hold.template, &hold.language);
        hold.by == HeldBy::Quality && about == (&self.lane.name, &self.template, &self.language)
    }

    fn hold(&self, since: Timestamp) -> Hold {
        Hold {
            lane: self.lane.name.clone(),
            template: self.template.clone(),
            language: self.language.clone(),
            by: HeldBy::Quality,
            code: None,
            origin: Origin::rule(&self.why),
            since,
        }
    }

    /// Half of the rate in effect, unless the guard has halved it already. The store keeps an operator's rate.
    fn slower(&self, since: Timestamp, known: Known<'_>) -> Option<Override> {
        let in_file = self.lane.rate.to_string();
        if known.slowed(&self.lane.name, &in_file).is_some() {
            return None;
        }
        let in_effect = known.rate_of(&self.lane.name, &in_file).and_then(|known| known.value.parse::<Rate>().ok());
        let rate = in_effect.unwrap_or(self.lane.rate).halved();
        Some(Override {
            setting: OverridableSetting::Rate,
            name: self.lane.name.clone(),
            value: rate.to_string(),
            in_file,
            origin: Origin::rule(&self.why),
            since,
        })
    }

    /// Ends the guard's override, or replaces it by the provider's own, if the provider has raised the number's throughput.
    fn restore(&self, event: &mut AccountEvent, known: Known<'_>) {
        let Some(slowed) = known.slowed(&self.lane.name, &self.lane.rate.to_string()) else { return };
        let about = Subject::lane(&self.lane.name);
        let is_upgraded = known.reports.iter().any(|known| known.about == about && known.what == "throughput");
        match super::business::upgraded(&self.lane).filter(|_| is_upgraded) {
            Some(rate) => event.overrides.push(Override {
                value: rate.to_string(),
                origin: Origin::provider("the quality is good again, and the provider had reported THROUGHPUT_UPGRADE"),
                since: slowed.since.max(event.happened_at),
                ..slowed.clone()
            }),
            None => event.ended.push(slowed.clone()),
        }
    }
}
