//! Account events about templates: status, quality, category, and advice about the category.

use super::Reading;
use crate::base::config::Lane;
use crate::base::domain::without_numbers;
use crate::base::events::{AccountReport, Origin, Subject, TemplateEffect};
use crate::rules::wire::instant;
use crate::sending::receipts::guard::{self, QUALITY};
use crate::store::{HeldBy, Hold, Release, ReleasedBy};

/// Statuses in which the provider accepts no message of a template, with the reason that the hold shows.
const HELD: [(&str, &str); 4] = [
    ("PAUSED", "the provider has paused it"),
    ("DISABLED", "the provider has disabled it for good"),
    ("REJECTED", "the provider has rejected it"),
    ("PENDING_DELETION", "it is being deleted at the provider"),
];

impl Reading<'_> {
    /// The template as a subject, with its name and language.
    fn template(&self) -> (Subject, String, String) {
        let details = &self.event.details;
        let name = details.template_name.as_deref().unwrap_or_default().to_owned();
        let language = details.template_language.as_deref().unwrap_or_default().to_owned();
        (Subject::template(&name, &language), name, language)
    }

    pub(super) fn read_template_status(&mut self) {
        let (about, name, language) = self.template();
        let meta = &self.event.details.meta;
        let status = meta.status.as_deref().unwrap_or_default().to_ascii_uppercase();
        let other = meta.other_info.as_ref();
        let title = other.and_then(|other| other.title.as_deref()).unwrap_or_default().to_ascii_uppercase();
        let description = other.and_then(|other| other.description.as_deref()).unwrap_or_default();
        let reason = meta.reason.as_deref().filter(|reason| !reason.eq_ignore_ascii_case("NONE")).unwrap_or_default();
        let disabled_at = meta.disable_info.as_ref().and_then(|info| info.disable_date.as_deref()).unwrap_or_default();
        let more: Vec<&str> =
            [title.as_str(), reason, description].into_iter().filter(|part| !part.is_empty()).collect();
        let details = without_numbers(&more.join(": "));
        if status == "REJECTED" {
            self.record_restriction(&about, "rejection", reason);
        }
        let report = |status: &str, effect| AccountReport::TemplateStatus {
            status: status.to_owned(),
            details: details.clone(),
            effect,
        };
        if name.is_empty() {
            // A hold without a template would hold the whole lane.
            return self.report(about, report(&status, TemplateEffect::Unnamed));
        }
        let may_be_sent = title == "UNPAUSE" || status == "APPROVED";
        let held = HELD.iter().find(|(word, _)| *word == status || *word == title).filter(|_| !may_be_sent);
        if held.is_some() || status == "FLAGGED" {
            self.record_restriction(&about, "status", &status);
            self.record_restriction(&about, "disable_date", disabled_at);
        } else {
            self.record_status(&about, "status", &status);
            self.record_status(&about, "disable_date", disabled_at);
        }
        if guard::is_gone(&status) && !may_be_sent {
            // A template that is no longer sent slows no lane.
            for lane in self.lanes.clone() {
                self.guard(lane, &about, (&name, &language), &status);
            }
        }
        if may_be_sent {
            self.report(about, report(&status, TemplateEffect::Released));
            let trusting = self.lanes.iter().filter(|lane| self.trusts(lane));
            let release = |lane: &&Lane| Release {
                lane: lane.name.clone(),
                template: name.clone(),
                language: language.clone(),
                because: ReleasedBy::Status,
            };
            self.kept.releases = trusting.map(release).collect();
        } else if let Some((word, means)) = held {
            self.report(about, report(word, TemplateEffect::Held));
            let more = if details.is_empty() { String::new() } else { format!(" ({details})") };
            let hold = |lane: &&Lane| Hold {
                lane: lane.name.clone(),
                template: name.clone(),
                language: language.clone(),
                by: HeldBy::Event,
                code: None,
                origin: Origin::provider(format!("{means}{more}")),
                since: self.kept.received,
            };
            self.kept.holds = self.lanes.iter().map(hold).collect();
        } else if status == "FLAGGED" {
            self.report(about, report(&status, TemplateEffect::AtRisk { disabled_at: instant(disabled_at) }));
        } else {
            self.report(about, report(&status, TemplateEffect::NothingChanges));
        }
    }

    pub(super) fn read_template_quality(&mut self) {
        let (about, name, language) = self.template();
        let meta = &self.event.details.meta;
        let before = meta.previous_quality_score.as_deref().unwrap_or("UNKNOWN").to_owned();
        let score = meta.new_quality_score.as_deref().map(str::to_ascii_uppercase);
        if let Some(score) = &score {
            self.record_status(&about, QUALITY, score);
            // Without a name the guard would hold the whole lane.
            let lanes = (!name.is_empty()).then(|| self.lanes.clone());
            for lane in lanes.into_iter().flatten() {
                self.guard(lane, &about, (&name, &language), score);
            }
        }
        let quality = score.unwrap_or_else(|| "UNKNOWN".to_owned());
        self.report(about, AccountReport::TemplateQuality { quality, before });
    }

    pub(super) fn read_template_category(&mut self) {
        let (about, ..) = self.template();
        let meta = &self.event.details.meta;
        let category = meta.new_category.as_deref().unwrap_or_default().to_owned();
        let before = meta.previous_category.as_deref().unwrap_or_default().to_owned();
        self.record_status(&about, "category", &category);
        self.report(about, AccountReport::TemplateCategory { category, before, campaigns: Vec::new() });
    }

    pub(super) fn read_template_advice(&mut self) {
        let (about, ..) = self.template();
        let meta = &self.event.details.meta;
        let correct = meta.correct_category.as_deref().unwrap_or_default().to_owned();
        let category = meta.category.as_deref().unwrap_or_default().to_owned();
        self.record_status(&about, "advised_category", &correct);
        self.report(about, AccountReport::TemplateAdvice { advised: correct, category });
    }
}
