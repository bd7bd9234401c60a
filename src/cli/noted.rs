//! Describes whether the running servers have put a decision into effect.

use super::words::span;
use crate::campaign::Noted;
use crate::clock::format_time;

/// Says in a few words whether the decision is in effect.
pub(super) fn sentence(noted: Noted) -> String {
    match noted {
        Noted::NoServer => "no server is running".to_owned(),
        Noted::Silent { since } => format!(
            "no server has been seen since {}; if one is only suspended, it may send briefly when it resumes",
            format_time(since, None)
        ),
        Noted::ByAll { after } => format!("in effect after {}", span(after)),
        Noted::NotYet => "saved, but not confirmed by a server within 1 s".to_owned(),
    }
}

/// Whether every running server has confirmed the decision, for JSON; `None` if none is running.
pub(super) const fn by_all(noted: Noted) -> Option<bool> {
    match noted {
        Noted::NoServer | Noted::Silent { .. } => None,
        Noted::ByAll { .. } => Some(true),
        Noted::NotYet => Some(false),
    }
}
