//! Events: what happened, to what, when, who did it and why. Typed, so that rooms select by fields and not by words.
//!
//! In: facts from the rooms that decide or notice something.
//! Out: an [`Event`] that the store keeps, and its sentence in English ([`Event::sentence`]).
//! Promises: every event reads back from the database as it was written; a kind that a later version no longer knows
//! is still listed, as [`EventKind::Other`].
//! May not: read a sentence back, or decide anything.

mod kind;
mod report;
mod subject;
mod view;
mod words;

use serde::{Deserialize, Serialize};

pub use kind::{Certificate, ChangedKey, EventKind};
pub use report::{AccountReport, LimitEffect, NumberState, TemplateEffect};
pub use subject::Subject;
pub use view::EventView;
pub use words::describe_doubt;

use crate::base::domain::{BatchState, Timestamp};

/// Something that operators can read later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub at: Timestamp,
    pub subject: Subject,
    pub origin: Origin,
    pub kind: EventKind,
}

impl Event {
    /// The move of a campaign from one state to another. `to` is the new state.
    pub fn moved(at: Timestamp, subject: Subject, origin: Origin, from: BatchState, to: BatchState) -> Self {
        let kind = match to {
            BatchState::Running | BatchState::Scheduled if from == BatchState::Paused => EventKind::Resumed,
            BatchState::Running if from == BatchState::Finished => EventKind::Reopened,
            BatchState::Running => EventKind::Started,
            BatchState::Scheduled => EventKind::Scheduled { starts_at: None },
            BatchState::Paused => EventKind::Paused,
            BatchState::Finished => EventKind::Finished,
            BatchState::Cancelling => EventKind::Cancelled,
            BatchState::Cancelled if from != BatchState::Cancelled => EventKind::CancelSwept,
            BatchState::Cancelled | BatchState::Settled => EventKind::Settled,
            BatchState::Launching | BatchState::Draft => EventKind::Drafted,
        };
        Self { at, subject, origin, kind }
    }

    /// An event that a server caused or noticed by itself.
    pub const fn by_server(at: Timestamp, subject: Subject, kind: EventKind) -> Self {
        Self { at, subject, origin: Origin::SERVER, kind }
    }

    /// Logs its sentence: as a warning if it is bad.
    pub fn log(&self) {
        if self.kind.is_bad() {
            tracing::warn!("{}", self.sentence());
        } else {
            tracing::info!("{}", self.sentence());
        }
    }
}

/// Who caused something, and the reason given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    #[serde(flatten)]
    pub by: Actor,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Who caused something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", content = "operator", rename_all = "snake_case")]
pub enum Actor {
    /// An operator, by name.
    Operator(String),
    /// The provider, in an answer, a receipt or an event of the account.
    Provider,
    /// A server, by a rule.
    Server,
}

impl Origin {
    /// A server, by itself and without a reason to give.
    pub const SERVER: Self = Self { by: Actor::Server, reason: None };

    pub fn operator(name: impl Into<String>, reason: Option<&str>) -> Self {
        Self { by: Actor::Operator(name.into()), reason: reason.map(str::to_owned) }
    }

    pub fn provider(reason: impl Into<String>) -> Self {
        Self { by: Actor::Provider, reason: Some(reason.into()) }
    }

    /// A rule of Volley's, with the facts that it applied to.
    pub fn rule(reason: impl Into<String>) -> Self {
        Self { by: Actor::Server, reason: Some(reason.into()) }
    }

    /// Who did what, if that was an operator, else the reason: `paused by Ann: wrong text`, `20 refusals in a row`.
    pub fn because(&self, what: &str) -> String {
        if self.is_operator() { self.after(what) } else { self.reason.clone().unwrap_or_default() }
    }

    /// What was done, with who did it or the reason: `paused by Ann: wrong text`, `paused: 20 refusals in a row`.
    pub fn done(&self, what: &str) -> String {
        match &self.reason {
            Some(reason) if !self.is_operator() && !reason.is_empty() => format!("{what}: {reason}"),
            _ if self.is_operator() => self.after(what),
            _ => what.to_owned(),
        }
    }

    /// Who did it, and why: `by Ann (wrong text)`; `None` if no operator did.
    pub fn by_operator(&self) -> Option<String> {
        let name = self.operator_name()?;
        let reason = self.reason.as_ref().map(|reason| format!(" ({reason})"));
        Some(format!("by {name}{}", reason.unwrap_or_default()))
    }

    /// Why something is held.
    pub fn hold_reason(&self) -> String {
        self.because("paused")
    }

    /// The name of the operator, if one did it.
    pub fn operator_name(&self) -> Option<&str> {
        if let Actor::Operator(name) = &self.by { Some(name) } else { None }
    }

    pub const fn is_operator(&self) -> bool {
        matches!(self.by, Actor::Operator(_))
    }
}

#[cfg(test)]
pub(crate) mod tests;
