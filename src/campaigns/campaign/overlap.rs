//! A step that falls back while the provider may still deliver its message, so that a recipient may get two messages.

use std::fmt;

use crate::base::config::{NamedKey, Sentence};
use crate::base::domain::{Content, OnOverlap, Span};

/// How far past a TTL `on_overlap = "wait"` moves a deadline, so that the provider's own report of the expiry comes
/// first.
const MARGIN: Span = Span::from_secs(30);
/// The longest TTL for which `on_overlap = "wait"` delays a fallback. After a longer wait it would no longer be a
/// fallback.
const LONGEST: Span = Span::from_secs(86_400);

/// The time by which the provider's own report of the expiry has come as well.
pub(super) fn past(ttl: Span) -> Span {
    Span::from_millis(ttl.millis() + MARGIN.millis())
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Overlap {
    is_template: bool,
    ttl: Span,
    fallback_after: Span,
}

/// What becomes of an overlap.
pub(super) enum Resolved {
    /// The step falls back at its deadline nevertheless.
    Kept,
    /// The step falls back later: after the time, with a sentence about the change.
    Moved(Span, Sentence),
    /// The route is refused, with the reason.
    Refused(String),
}

impl Overlap {
    /// The overlap of a step with this content, whose text has this `ttl`; `None` if there is none.
    pub(super) fn of(content: &Content, ttl: Option<Span>, fallback_after: Span) -> Option<Self> {
        let ttl = content.delivers_for(ttl)?;
        let is_template = matches!(content, Content::Template(_));
        (fallback_after <= ttl).then_some(Self { is_template, ttl, fallback_after })
    }

    /// Decides as `on_overlap` requires.
    pub(super) fn resolve(self, on_overlap: OnOverlap) -> Resolved {
        let Self { ttl, fallback_after, .. } = self;
        let (what, key) = (self.what(), self.key());
        match on_overlap {
            OnOverlap::Warn => Resolved::Kept,
            OnOverlap::Refuse => {
                Resolved::Refused(format!("{self}; set a shorter {key} or write on_overlap = \"warn\""))
            }
            OnOverlap::Wait if ttl > LONGEST => Resolved::Refused(format!(
                "on_overlap = \"wait\" would wait {ttl}, until the provider stops delivering {what}, which is more than \
                 a day; set a shorter {key} or write on_overlap = \"warn\""
            )),
            OnOverlap::Wait => {
                let moved = past(ttl);
                let sentence = format!(
                    "falls back after {moved} instead of {fallback_after}, once the provider has stopped delivering \
                     {what}"
                );
                Resolved::Moved(moved, Sentence::new(sentence).for_files(" (on_overlap = \"wait\")"))
            }
        }
    }

    /// What the operator may do about an overlap that is allowed.
    pub(super) fn warning(self) -> Sentence {
        let sentence = Sentence::new(self.to_string());
        let sentence = match self.is_template {
            // A template is delivered for longer than any step waits, so another deadline hardly helps.
            true => sentence
                .for_files("; shorten the template's TTL at the provider and write it as ")
                .for_pages("; to prevent that, shorten ")
                .key_without_field(NamedKey::OfStep("template.ttl"), "the template's TTL at the provider"),
            false => sentence.for_files("; set a shorter ttl").for_pages("; let it fall back later"),
        };
        sentence.for_files(", or set on_overlap = \"wait\"")
    }

    const fn what(self) -> &'static str {
        if self.is_template { "the template" } else { "it" }
    }

    const fn key(self) -> &'static str {
        if self.is_template { "template.ttl (as set at the provider; by default 30d)" } else { "ttl" }
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ttl, fallback_after, .. } = self;
        write!(
            f,
            "the provider may deliver {} for {ttl}, but the step falls back after {fallback_after}, so a recipient may \
             get both",
            self.what()
        )
    }
}
