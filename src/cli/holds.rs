//! Holds as people read them: what is held, why, since when, and what to do.

use serde::Serialize;

use super::words;
use crate::domain::Timestamp;
use crate::store::Hold;

/// A hold, for JSON.
#[derive(Debug, Serialize)]
pub(super) struct HoldShown {
    pub(super) lane: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) template: Option<String>,
    pub(super) by_person: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<u32>,
    pub(super) reason: String,
    pub(super) since: String,
    pub(super) what_to_do: String,
}

impl HoldShown {
    pub(super) fn new(hold: &Hold) -> Self {
        Self {
            lane: hold.lane.clone(),
            template: (!hold.template.is_empty()).then(|| hold.template.clone()),
            by_person: hold.by_person,
            code: hold.code,
            reason: hold.reason.clone(),
            since: hold.since.rfc3339(),
            what_to_do: what_to_do(hold),
        }
    }
}

/// `lane sms` or `template promo on lane promo-sg`.
pub(super) fn what(hold: &Hold) -> String {
    match hold.template.as_str() {
        "" => format!("lane {}", hold.lane),
        template => format!("template {template} on lane {}", hold.lane),
    }
}

/// `paused by ann, 4 min ago`; what the provider said, with its code.
pub(super) fn why(hold: &Hold, now: Timestamp) -> String {
    let code = hold.code.map(|code| format!(" (code {code})")).unwrap_or_default();
    format!("{}{code}, {} ago", hold.reason, words::about(now.since(hold.since)))
}

/// The command that lifts it, and what has to be put right first where no person put it there.
pub(super) fn what_to_do(hold: &Hold) -> String {
    let resume = match hold.template.as_str() {
        "" => format!("volley lane resume {}", words::shell(&hold.lane)),
        template => {
            format!("volley template resume {} --lane {}", words::shell(template), words::shell(&hold.lane))
        }
    };
    match (hold.by_person, hold.template.is_empty()) {
        (true, _) => format!("to go on: {resume}"),
        (false, true) => format!("put right at the provider what it says, then: {resume}"),
        (false, false) => format!("look at the template at the provider, then: {resume}"),
    }
}
