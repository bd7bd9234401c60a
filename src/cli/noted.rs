//! Whether a decision is obeyed, as people and scripts read it.

use super::words::span;
use crate::campaign::{Noted, moment};

pub(super) fn sentence(noted: Noted) -> String {
    match noted {
        Noted::NobodyThere => "no server is running".to_owned(),
        Noted::Silent { since } => format!(
            "no server has been seen since {}; if one is only suspended, it may send briefly when it resumes",
            moment(since, None)
        ),
        Noted::ByAll { after } => format!("every server has noted it after {}", span(after)),
        Noted::NotYet => "saved, but not confirmed by a server within 1 s".to_owned(),
    }
}

/// For JSON: whether every running server has noted it; nothing where none is running.
pub(super) const fn by_all(noted: Noted) -> Option<bool> {
    match noted {
        Noted::NobodyThere | Noted::Silent { .. } => None,
        Noted::ByAll { .. } => Some(true),
        Noted::NotYet => Some(false),
    }
}
