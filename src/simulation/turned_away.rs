//! Refusals that say no more than that: rule 2 a second time. What answers so may be a wrong address or a gateway, so nothing
//! was processed, no recipient is to blame, and the lane begins nothing more until a person lets it go on.

use std::collections::HashMap;

use crate::domain::Timestamp;
use crate::provider::{Broken, RawAnswer};

/// The lanes of one server.
#[derive(Debug, Default)]
pub(super) struct TurnedAway {
    /// Those that wait for a person, and the answer for which they do.
    waits: HashMap<usize, u16>,
    /// When a person let each go on. What was begun before is answered for already.
    let_go_on: HashMap<usize, Timestamp>,
}

impl TurnedAway {
    /// Of the server that begins after this one. Of what was not written down it knows nothing.
    pub(super) fn of_successor(&self) -> Self {
        Self { waits: HashMap::new(), let_go_on: self.let_go_on.clone() }
    }

    /// A request is begun.
    pub(super) fn sets_out(&self, lane: usize) {
        let waits_for = self.waits.get(&lane);
        assert_eq!(waits_for, None, "begun on lane {lane}, which was answered so and waits for a person");
    }

    /// A request has ended, and its lane knows.
    pub(super) fn ended(&mut self, lane: usize, begun: Timestamp, answer: &Result<RawAnswer, Broken>) {
        let Ok(answer) = answer else { return };
        let is_new = self.let_go_on.get(&lane).is_none_or(|at| *at < begun);
        if is_new && is_bare_refusal(answer) {
            self.waits.insert(lane, answer.status);
        }
    }

    pub(super) fn lets_go_on(&mut self, lane: usize, now: Timestamp) {
        self.waits.remove(&lane);
        self.let_go_on.insert(lane, now);
    }
}

/// Every 3xx and 4xx that names no code. 408 proves nothing, and 429 asks for patience alone.
fn is_bare_refusal(answer: &RawAnswer) -> bool {
    let names_a_code = || {
        let body: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
        body.is_some_and(|body| body["code"].is_number())
    };
    (300..500).contains(&answer.status) && ![408, 429].contains(&answer.status) && !names_a_code()
}
