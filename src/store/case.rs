//! A message while it is being decided about: what it was told, one thing after the other, and what the engine made of it.

use crate::domain::{Loaded, Plan, Present, Timestamp};
use crate::engine::{Cause, Decision, Event, Made, Note, Ruling, Standing, advance, is_more_than_a_time};

/// A message and what was decided about it since it was read.
#[derive(Debug, Clone)]
pub struct Case {
    pub message: Loaded,
    /// As it stands by now.
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

    /// What the engine would make of an event.
    pub fn ask(&self, plan: &Plan, event: Event, at: Timestamp) -> Decision {
        advance(plan, self.standing, &self.now, event, at)
    }

    /// Takes in a decision of which a fact will tell.
    pub fn take(&mut self, decision: &Decision) -> Ruling {
        let ruling = self.rule(Made::of(decision));
        if let Decision::Moved { next, .. } = decision {
            self.moves = self.moves.saturating_add(1);
            self.now = *next;
        }
        ruling
    }

    /// Says what was made of something that moves nothing.
    pub fn rule(&mut self, made: Made) -> Ruling {
        self.ruling = self.behind(made);
        self.ruling
    }

    /// Of something that comes behind all that was decided, and moves nothing.
    pub fn behind(&self, made: Made) -> Ruling {
        Ruling::on(self.message.version, self.moves, &self.now, self.standing, made)
    }

    /// What was decided last.
    pub const fn ruling(&self) -> Ruling {
        self.ruling
    }

    /// Lets the engine decide about something of which no fact tells, and notes it.
    pub fn tell(&mut self, plan: &Plan, event: Event, at: Timestamp) -> Decision {
        let (before, decision) = (self.now, self.ask(plan, event, at));
        let ruling = self.take(&decision);
        if let Some(cause) = Cause::of(&event).filter(|_| is_more_than_a_time(&before, &self.now)) {
            self.notes.push(Note { at, cause, ruling });
        }
        decision
    }

    pub fn has_moved(&self) -> bool {
        self.now != self.message.present
    }
}
