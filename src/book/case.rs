//! Collects the decisions about one message, from when it is read until they are stored.

use crate::domain::{Loaded, Plan, Present, Timestamp};
use crate::engine::{Cause, Decision, Event, Made, Note, Ruling, Standing, advance, is_more_than_a_time};

/// A message, and the decisions about it since it was read.
#[derive(Debug, Clone)]
pub struct Case {
    pub message: Loaded,
    /// Its state after all decisions so far.
    pub now: Present,
    pub(super) standing: Standing,
    moves: u8,
    pub(super) ruling: Ruling,
    pub(super) notes: Vec<Note>,
}

impl Case {
    pub(super) fn new(message: Loaded, standing: Standing) -> Self {
        let now = message.present;
        Self { message, now, standing, moves: 0, ruling: Ruling::default(), notes: Vec::new() }
    }

    /// What the engine decides about an event; changes nothing.
    pub fn decide(&self, plan: &Plan, event: Event, at: Timestamp) -> Decision {
        advance(plan, self.standing, &self.now, event, at)
    }

    /// Applies a decision that a fact will record.
    pub fn apply(&mut self, decision: &Decision) -> Ruling {
        let ruling = self.rule(Made::of(decision));
        if let Decision::Moved { next, .. } = decision {
            self.moves = self.moves.saturating_add(1);
            self.now = *next;
        }
        ruling
    }

    /// Sets the ruling of an event that moves nothing.
    pub fn rule(&mut self, made: Made) -> Ruling {
        self.ruling = self.behind(made);
        self.ruling
    }

    /// The ruling of an event that comes after all decisions so far and moves nothing.
    pub fn behind(&self, made: Made) -> Ruling {
        Ruling::on(self.message.version, self.moves, &self.now, self.standing, made)
    }

    /// The latest ruling.
    pub const fn ruling(&self) -> Ruling {
        self.ruling
    }

    /// Applies the engine's decision about an event that no fact records, and notes it.
    pub fn apply_event(&mut self, plan: &Plan, event: Event, at: Timestamp) -> Decision {
        let (before, decision) = (self.now, self.decide(plan, event, at));
        let ruling = self.apply(&decision);
        if let Some(cause) = Cause::of(&event).filter(|_| is_more_than_a_time(&before, &self.now)) {
            self.notes.push(Note { at, cause, ruling });
        }
        decision
    }

    pub fn has_moved(&self) -> bool {
        self.now != self.message.present
    }
}
