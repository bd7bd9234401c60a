//! Limits that let nothing more leave, as people read of them.

use super::words::shell;
use crate::campaign::{Stop, UsedUp};

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

/// Raised first: what goes on before that stops again at once.
pub(super) fn what_to_do(UsedUp { step, by }: &UsedUp, campaign: &str) -> String {
    let campaign = shell(campaign);
    let step = step.map(|step| format!(" --step {step}")).unwrap_or_default();
    let raise = match by {
        Stop::Budget => "--budget",
        Stop::MaxMessages | Stop::End => "--max-messages",
    };
    format!("volley campaign set {campaign}{step} {raise} MORE, then: volley campaign resume {campaign}{step}")
}

/// Both in one.
pub(super) fn sentence(used_up: &UsedUp, campaign: &str) -> String {
    format!("{}; to go on: {}", what(used_up), what_to_do(used_up, campaign))
}
