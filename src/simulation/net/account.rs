//! What goes wrong on the line, and what the provider truly knows.

use std::collections::HashSet;

use crate::domain::{Status, Timestamp};
use crate::simulation::blame::No;

/// How often what goes wrong. Shares of requests, or of webhooks.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::simulation) struct Trouble {
    /// The connection is refused: nothing leaves.
    pub(in crate::simulation) refused: f64,
    /// The connection takes its time to come about.
    pub(in crate::simulation) slow_connection: f64,
    /// What was sent takes its time to get to the provider.
    pub(in crate::simulation) slow_way: f64,
    /// It breaks before the provider has read the request.
    pub(in crate::simulation) cut_before: f64,
    /// It breaks after the provider has carried the request out.
    pub(in crate::simulation) cut_after: f64,
    /// Something on the way answers that it goes elsewhere or nowhere: the provider never has it.
    pub(in crate::simulation) turned_away: f64,
    /// The provider carries it out, and what comes back proves nothing.
    pub(in crate::simulation) broken_answer: f64,
    /// The answer to a batch does not name one of its messages.
    pub(in crate::simulation) batch_forgets: f64,
    /// The webhook never sets out.
    pub(in crate::simulation) webhook_lost: f64,
    pub(in crate::simulation) webhook_twice: f64,
    pub(in crate::simulation) webhook_late: f64,
    /// It carries no id of ours.
    pub(in crate::simulation) webhook_nameless: f64,
}

/// What the provider truly knows of one attempt.
#[derive(Debug, Clone, Default)]
pub(in crate::simulation) struct Truth {
    /// When it took the attempt, each time.
    pub(in crate::simulation) accepted: Vec<Timestamp>,
    /// Its refusals.
    pub(in crate::simulation) refused: Vec<No>,
    /// Its bad news.
    pub(in crate::simulation) failed: Vec<No>,
    /// The copies that these were about, by the order in which it took them.
    pub(in crate::simulation) failed_copies: HashSet<usize>,
    /// The best that it has ever reported, whether that reached us or not.
    pub(in crate::simulation) best: Option<Status>,
    /// The best status of which we have acknowledged a webhook.
    pub(in crate::simulation) told: Option<Status>,
    /// Good news that found us deaf.
    pub(in crate::simulation) missed: Vec<Missed>,
}

/// Good news that could not be taken when the provider tried first.
#[derive(Debug, Clone)]
pub(in crate::simulation) struct Missed {
    pub(super) hook: u64,
    /// Of which of the attempt's copies, by the order in which the provider took them: one where all went well.
    pub(in crate::simulation) copy: usize,
    pub(in crate::simulation) tried: Timestamp,
    pub(in crate::simulation) status: Status,
    /// When the provider tries again; nothing where it has given up.
    pub(in crate::simulation) again: Option<Timestamp>,
    /// It was longer on its way than the provider takes, so nobody can rely on when it comes.
    pub(in crate::simulation) late: bool,
    /// When it was tried although the line was cut.
    pub(in crate::simulation) cut: Vec<Timestamp>,
}
