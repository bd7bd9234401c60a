//! Describes holds: what is held, why, since when, and what to do.

use serde::Serialize;

use crate::base::domain::text::{about, plural};
use crate::base::domain::{Category, Timestamp};
use crate::campaigns::campaign::what_is_held;
use crate::campaigns::report::QueuedMessages;
use crate::rules::wire::codes::remedies::{self, Remedy};
use crate::store::{HeldBy, Hold};

/// A hold.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct HoldView {
    pub lane: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Set if it is only on templates of this category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    pub by_operator: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u32>,
    pub reason: String,
    pub since: String,
    /// Messages that wait for it to be released.
    pub waiting: i64,
    pub what_to_do: String,
}

impl HoldView {
    pub fn new(hold: &Hold, waiting: &QueuedMessages) -> Self {
        Self {
            lane: hold.lane.clone(),
            template: (!hold.template.is_empty()).then(|| hold.template.clone()),
            language: (!hold.language.is_empty()).then(|| hold.language.clone()),
            category: (hold.by == HeldBy::Quality).then_some(Category::Marketing),
            by_operator: hold.by == HeldBy::Operator,
            code: hold.code,
            reason: hold.reason(),
            since: hold.since.rfc3339(),
            waiting: waiting.held_by(hold),
            what_to_do: what_to_do(hold),
        }
    }
}

/// What is held, since when, why, and how many messages wait: `lane sms: paused 9 s ago by ann (moving)`.
pub fn sentence_since(hold: &Hold, waiting: i64, now: Timestamp) -> String {
    let (what, ago, waiting) = (what_is_held(hold), about(now.since(hold.since)), wait_for_it(waiting));
    match hold.origin.by_operator() {
        Some(by) => format!("{what}: {} {ago} ago {by}{waiting}", hold.verb()),
        None => {
            let code = hold.code.map(|code| format!(" (code {code})")).unwrap_or_default();
            format!("{what}: held {ago} ago: {}{code}{waiting}", hold.reason())
        }
    }
}

/// `; 1,200 messages waiting`; empty if none is.
pub fn wait_for_it(waiting: i64) -> String {
    match waiting {
        ..=0 => String::new(),
        waiting => format!("; {} waiting", plural(waiting, "message", "messages")),
    }
}

/// The command that releases a hold. For a hold by the provider, also what to fix first.
pub fn what_to_do(hold: &Hold) -> String {
    let resume = hold.resume_command();
    let code = hold.code.map_or(0, i64::from);
    let remedy: Remedy = match hold.by {
        HeldBy::Operator => return format!("to resume: {resume}"),
        HeldBy::Event => {
            return format!(
                "it resumes automatically once the provider reports that it may be used again; to try now: {resume}"
            );
        }
        HeldBy::Quality => {
            return format!("it resumes automatically once the quality is good again; to resume now: {resume}");
        }
        HeldBy::Answer => remedies::of_answer(code),
        HeldBy::Receipt => remedies::of_receipt(code),
    };
    format!("{}, then: {resume}", remedy.sentence())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{Channel, Content, Count, Plan, Step, StepIndex, Tallies};
    use crate::base::events::Origin;
    use crate::campaigns::campaign::held;

    fn hold(by: HeldBy, code: Option<u32>, origin: Origin) -> Hold {
        let (lane, template) = ("sms".to_owned(), String::new());
        let language = String::new();
        Hold { lane, template, language, by, code, origin, since: Timestamp::default() }
    }

    #[test]
    fn a_hold_names_its_reason_once_and_the_command_to_release_it() {
        let paused = hold(HeldBy::Operator, None, Origin::operator("ann", Some("moving")));
        assert_eq!(held(&paused), "lane sms is paused by ann: moving");
        assert_eq!(what_to_do(&paused), "to resume: volley lane resume sms");
        let unknown = hold(HeldBy::Answer, Some(1_005), Origin::provider("invalid source"));
        assert_eq!(held(&unknown), "lane sms is held: invalid source (code 1005)");
        assert!(what_to_do(&unknown).starts_with("register the sender with the provider"));
        let waits = |waiting| sentence_since(&paused, waiting, Timestamp::from_millis(9_000));
        let sentence = "lane sms: paused 9 s ago by ann (moving)";
        assert_eq!(
            [0, 1, 1_200].map(waits),
            [
                sentence.to_owned(),
                format!("{sentence}; 1 message waiting"),
                format!("{sentence}; 1,200 messages waiting")
            ]
        );
    }

    #[test]
    fn the_remedy_of_a_code_depends_on_answer_or_receipt() {
        let answered = what_to_do(&hold(HeldBy::Answer, Some(1_007), Origin::provider("no")));
        let received = what_to_do(&hold(HeldBy::Receipt, Some(1_007), Origin::provider("no")));
        assert!(answered.contains("create the template") && received.contains("unlocked"), "{answered} {received}");
        assert!(
            what_to_do(&hold(HeldBy::Receipt, Some(42), Origin::provider("no credit")))
                .contains("top up the account's credit")
        );
    }

    #[test]
    fn a_refused_key_is_fixed_in_the_configuration() {
        for code in [401, 1_200] {
            let advice = what_to_do(&hold(HeldBy::Answer, Some(code), Origin::provider("no")));
            let parts =
                ["api_key", "api_key_file", "VOLLEY_PROVIDER_API_KEY", "restart `volley serve`", "lane resume sms"];
            assert!(parts.iter().all(|part| advice.contains(part)), "{advice}");
        }
    }

    fn step(name: &str, category: &str) -> Step {
        let text = format!(r#"{{"template": {{"name": "{name}", "language": "en", "category": "{category}"}}}}"#);
        let content: Content = serde_json::from_str(&text).unwrap();
        Step { content, ..Step::of_text(Channel::WhatsApp, "wa", "Hi") }
    }

    #[test]
    fn a_hold_counts_the_messages_that_wait_for_it() {
        let plan = Plan::of_steps(vec![
            step("promo", "MARKETING"),
            step("code", "UTILITY"),
            Step::of_text(Channel::Sms, "sms", "Hi"),
        ]);
        let mut tallies = Tallies::default();
        for (index, count) in [(0, 5), (1, 3), (2, 2)] {
            tallies.add(StepIndex::new(index).unwrap(), Count::Queued, count);
        }
        let waiting = QueuedMessages::of(&plan, &tallies);
        let on = |template: &str, by| Hold {
            lane: "wa".to_owned(),
            template: template.to_owned(),
            ..hold(by, None, Origin::SERVER)
        };
        assert_eq!(waiting.on_lane("wa"), 8);
        assert_eq!(waiting.held_by(&on("", HeldBy::Operator)), 8);
        assert_eq!(waiting.held_by(&on("promo", HeldBy::Event)), 5);
        assert_eq!(waiting.held_by(&on("", HeldBy::Quality)), 5);
        assert_eq!(waiting.held_by(&on("other", HeldBy::Event)), 0);
    }
}
