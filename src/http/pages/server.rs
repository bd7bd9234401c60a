//! The health of the server, and its settings.

use askama::Template;

use super::frame::Frame;
use super::show::{capital, visible};
use super::texts::ENGLISH;
use crate::base::domain::Timestamp;
use crate::campaigns::status::{FindingView, Health};

/// What is checked, worst first.
#[derive(Debug, Template)]
#[template(path = "doctor.html")]
pub struct DoctorPage<'a> {
    pub frame: Frame,
    /// What prevents Volley from sending, and what may: each with the time of its check, if that was not now.
    troubles: Vec<(&'a FindingView, Option<Timestamp>)>,
    /// What is as it should be.
    passed: Vec<(&'a FindingView, Option<Timestamp>)>,
    /// When the provider was asked last, and who asked.
    asked: Option<(Timestamp, String)>,
    /// The running servers, with their last heartbeat.
    servers: Vec<(i64, Timestamp)>,
}

impl<'a> DoctorPage<'a> {
    pub fn new(
        frame: Frame,
        findings: Vec<(&'a FindingView, Option<Timestamp>)>,
        asked: Option<(Timestamp, String)>,
        servers: Vec<(i64, Timestamp)>,
    ) -> Self {
        let (mut troubles, passed): (Vec<_>, Vec<_>) =
            findings.into_iter().partition(|(finding, _)| finding.health != Health::Ok);
        troubles.sort_by_key(|(finding, _)| finding.health != Health::Failed);
        Self { frame, troubles, passed, asked, servers }
    }

    const fn frame(&self) -> &Frame {
        &self.frame
    }

    /// How many findings there are of each kind: class, number and label.
    fn counts(&self) -> [(&'static str, i64, &'static str); 3] {
        let failed = self.troubles.iter().filter(|(finding, _)| finding.health == Health::Failed).count();
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        [
            ("cancelled", count(failed), ENGLISH.server.failed),
            ("paused", count(self.troubles.len() - failed), ENGLISH.server.warnings),
            ("over", count(self.passed.len()), ENGLISH.server.passed),
        ]
    }

    /// The text of a finding. A name or an address at its beginning stays as it is.
    fn sentence(finding: &FindingView) -> String {
        let text = visible(&finding.text);
        let first = text.split_whitespace().next().unwrap_or_default();
        if first.chars().all(char::is_alphabetic) { capital(text) } else { text }
    }

    /// The class and the label of a finding's badge.
    fn badge(finding: &FindingView) -> (&'static str, &'static str) {
        match finding.health {
            Health::Ok => ("over", ENGLISH.server.ok),
            Health::Warning => ("paused", ENGLISH.server.warning),
            Health::Failed => ("cancelled", ENGLISH.server.prevents),
        }
    }
}

/// The settings in effect, section by section.
#[derive(Debug, Template)]
#[template(path = "settings.html")]
pub struct SettingsPage {
    pub frame: Frame,
    /// The file that was read, if there was one.
    pub file: Option<String>,
    /// What differs from the configuration while the server runs.
    pub changes: Vec<SettingChange>,
    pub sections: Vec<SettingSection>,
    /// What the settings were searched for.
    pub find: String,
    /// Whether only those are shown that differ from the default.
    pub set: bool,
    pub is_later: bool,
    pub first: String,
    pub next: Option<String>,
}

/// A setting that was changed while the server runs.
#[derive(Debug)]
pub struct SettingChange {
    /// `rate of lane promo-sg`.
    pub what: String,
    pub value: String,
    pub in_file: String,
    /// Who set it, and why.
    pub why: String,
    pub since: Timestamp,
}

/// A section of the configuration.
#[derive(Debug)]
pub struct SettingSection {
    pub title: String,
    pub rows: Vec<SettingRow>,
}

#[derive(Debug)]
pub struct SettingRow {
    pub key: &'static str,
    pub value: Option<String>,
    pub is_secret: bool,
    /// The file or the variable that sets it; `None` for the default.
    pub source: Option<String>,
    /// The line of the file.
    pub line: Option<u32>,
    /// Its present value, if that was changed while the server runs.
    pub now: Option<String>,
}

impl SettingsPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    const fn is_filtered(&self) -> bool {
        !self.find.is_empty() || self.set
    }
}
