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
fn what(hold: &Hold) -> String {
    match hold.template.as_str() {
        "" => format!("lane {}", hold.lane),
        template => format!("template {template} on lane {}", hold.lane),
    }
}

/// `lane sms is paused by ann`; `lane sms is held: ` and what the provider said, with its code.
pub(super) fn sentence(hold: &Hold) -> String {
    let code = hold.code.map(|code| format!(" (code {code})")).unwrap_or_default();
    // What a person decided says itself that it holds.
    let is = if hold.by_person { "is" } else { "is held:" };
    format!("{} {is} {}{code}", what(hold), hold.reason)
}

/// The same, with since when.
pub(super) fn sentence_since(hold: &Hold, now: Timestamp) -> String {
    format!("{}, {} ago", sentence(hold), words::about(now.since(hold.since)))
}

/// What has to be put right where a key was refused. A server reads its keys when it starts.
const KEY: &str = "put the right key into api_key_file or api_key under [provider] or on the lane, or into \
                   VOLLEY_PROVIDER_API_KEY, and start `volley serve` anew";

/// What was refused, as far as its code says that it stands in our configuration.
const fn of_ours(code: u32) -> Option<&'static str> {
    match code {
        401 | 403 | 1200 | 1201 => Some(KEY),
        1001 => Some("put the right sub_account under [provider] or on the lane, and start `volley serve` anew"),
        _ => None,
    }
}

/// The command that lifts it, and what has to be put right first where no person put it there.
pub(super) fn what_to_do(hold: &Hold) -> String {
    let resume = match hold.template.as_str() {
        "" => format!("volley lane resume {}", words::shell(&hold.lane)),
        template => {
            format!("volley template resume {} --lane {}", words::shell(template), words::shell(&hold.lane))
        }
    };
    if hold.by_person {
        return format!("to go on: {resume}");
    }
    match (hold.code.and_then(of_ours), hold.template.is_empty()) {
        (Some(ours), _) => format!("{ours}, then: {resume}"),
        (None, true) => format!("put right at the provider what it says, then: {resume}"),
        (None, false) => format!("look at the template at the provider, then: {resume}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(by_person: bool, code: Option<u32>, reason: &str) -> Hold {
        let (lane, template) = ("sms".to_owned(), String::new());
        Hold { lane, template, by_person, code, reason: reason.to_owned(), since: Timestamp::default() }
    }

    #[test]
    fn a_hold_is_told_once_and_with_what_lifts_it() {
        let paused = hold(true, None, "paused by ann: moving");
        assert_eq!(sentence(&paused), "lane sms is paused by ann: moving");
        assert_eq!(what_to_do(&paused), "to go on: volley lane resume sms");
        let locked = hold(false, Some(1_005), "invalid source");
        assert_eq!(sentence(&locked), "lane sms is held: invalid source (code 1005)");
        assert!(what_to_do(&locked).starts_with("put right at the provider"));
    }

    #[test]
    fn a_refused_key_is_put_right_here_and_not_at_the_provider() {
        for code in [401, 1_200] {
            let advice = what_to_do(&hold(false, Some(code), "no"));
            let parts =
                ["api_key", "api_key_file", "VOLLEY_PROVIDER_API_KEY", "start `volley serve` anew", "lane resume sms"];
            assert!(parts.iter().all(|part| advice.contains(part)), "{advice}");
        }
    }
}
