//! Describes limits that are used up, which stop further submissions.

use super::words::shell;
use crate::campaign::UsedUp;
use crate::forecast::Stop;

/// `max_messages of step 3 is used up`.
pub(super) fn what(UsedUp { step, by }: &UsedUp) -> String {
    let key = match by {
        Stop::Budget => "budget",
        Stop::MaxMessages | Stop::End => "max_messages",
    };
    match step {
        Some(step) => format!("{key} of step {step} is used up"),
        None => format!("{key} of the campaign is used up"),
    }
}

/// The commands that raise the limit and resume. The limit comes first: a campaign resumed below it stops at once.
pub(super) fn what_to_do(UsedUp { step, by }: &UsedUp, campaign: &str) -> String {
    let campaign = shell(campaign);
    let step = step.map(|step| format!(" --step {step}")).unwrap_or_default();
    let raise = match by {
        Stop::Budget => "--budget",
        Stop::MaxMessages | Stop::End => "--max-messages",
    };
    format!("volley campaign set {campaign}{step} {raise} MORE, then: volley campaign resume {campaign}{step}")
}

/// What is used up and what to do, in one sentence.
pub(super) fn sentence(used_up: &UsedUp, campaign: &str) -> String {
    format!("{}; to resume: {}", what(used_up), what_to_do(used_up, campaign))
}
