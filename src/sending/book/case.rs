//! Collects the decisions about one message, from when it is read until they are stored.

use crate::base::domain::{Loaded, Plan, Present, Progress, Status, StepIndex, Timestamp};
use crate::rules::engine::{
    Cause, Decision, Event, Made, Note, Ruling, Standing, advance, is_more_than_a_time, progress,
};
use crate::store::Observed;

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
    /// The time of the latest decision.
    decided_at: Timestamp,
    /// What the provider reported meanwhile, for observers.
    reports: Vec<StepReport>,
}

/// A report of the provider about a step, as observers are told of it.
#[derive(Debug, Clone)]
pub struct StepReport {
    pub step: StepIndex,
    /// When it happened.
    pub at: Timestamp,
    /// The status that it reports, unless it is a failure.
    pub status: Option<Status>,
    /// The code of a failure.
    pub code: Option<u32>,
    pub detail: Option<String>,
}

impl Case {
    pub(super) fn new(message: Loaded, standing: Standing) -> Self {
        let now = message.present;
        let (decided_at, reports) = (Timestamp::default(), Vec::new());
        Self { message, now, standing, moves: 0, ruling: Ruling::default(), notes: Vec::new(), decided_at, reports }
    }

    /// What the engine decides about an event; changes nothing.
    pub fn decide(&self, plan: &Plan, event: Event, at: Timestamp) -> Decision {
        advance(plan, self.standing, &self.now, event, at)
    }

    /// Applies a decision of this time that a fact will record.
    pub fn apply(&mut self, decision: &Decision, at: Timestamp) -> Ruling {
        self.decided_at = at;
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
        let ruling = self.apply(&decision, at);
        if let Some(cause) = Cause::of(&event).filter(|_| is_more_than_a_time(&before, &self.now)) {
            self.notes.push(Note { at, cause, ruling });
        }
        decision
    }

    pub fn has_moved(&self) -> bool {
        self.now != self.message.present
    }

    /// Keeps a report for the observers of the message.
    pub fn add_report(&mut self, report: StepReport) {
        self.reports.push(report);
    }

    /// What its observers are told about the decisions so far, in order.
    pub(super) fn observed(&self) -> Vec<Observed> {
        progress(&self.message.present, &self.now).map(|progress| self.observation(progress)).collect()
    }

    fn observation(&self, progress: Progress) -> Observed {
        let of_step = |report: &&StepReport| Some(report.step) == progress.step();
        let reports = self.reports.iter().filter(of_step);
        let report = match progress {
            // A later status implies it, but its own report has its time.
            Progress::Reached { status, .. } => {
                reports.filter(|report| report.status >= Some(status)).min_by_key(|report| report.at)
            }
            Progress::Failed { .. } => reports.rev().find(|report| report.code.is_some()),
            Progress::Ended { .. } => None,
        };
        Observed {
            progress,
            at: report.map_or(self.decided_at, |report| report.at.min(self.decided_at)),
            code: report.and_then(|report| report.code),
            detail: report.and_then(|report| report.detail.clone()),
            message: None,
        }
    }
}
