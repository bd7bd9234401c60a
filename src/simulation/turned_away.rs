//! Bare refusals, which name no code: rule 2 written a second time. They may come from a wrong address or a gateway. So
//! nothing was processed, no recipient is to blame, and the lane begins nothing more until an operator resumes it.

use std::collections::HashMap;

use crate::domain::Timestamp;
use crate::provider::{Broken, RawAnswer};

/// The lanes of one server.
#[derive(Debug, Default)]
pub(super) struct BareRefusals {
    /// Lanes that wait for an operator, each with the status of its bare refusal.
    held: HashMap<usize, u16>,
    /// When an operator resumed each lane. A refusal of a request that was begun before then does not hold it again.
    resumed: HashMap<usize, Timestamp>,
}

impl BareRefusals {
    /// Creates the state of the next server. It knows nothing that was not recorded.
    pub(super) fn of_successor(&self) -> Self {
        Self { held: HashMap::new(), resumed: self.resumed.clone() }
    }

    /// Checks a request that is begun.
    pub(super) fn check_begin(&self, lane: usize) {
        let status = self.held.get(&lane);
        assert_eq!(status, None, "begun on lane {lane}, which waits for an operator after this status");
    }

    /// Takes the end of a request, which its lane knows.
    pub(super) fn take_end(&mut self, lane: usize, begun: Timestamp, answer: &Result<RawAnswer, Broken>) {
        let Ok(answer) = answer else { return };
        let is_new = self.resumed.get(&lane).is_none_or(|at| *at < begun);
        if is_new && is_bare_refusal(answer) {
            self.held.insert(lane, answer.status);
        }
    }

    pub(super) fn resume(&mut self, lane: usize, now: Timestamp) {
        self.held.remove(&lane);
        self.resumed.insert(lane, now);
    }
}

/// Whether an answer is a 3xx or 4xx without a code. 408 proves nothing, and 429 only asks the sender to wait.
fn is_bare_refusal(answer: &RawAnswer) -> bool {
    let names_a_code = || {
        let body: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
        body.is_some_and(|body| body["code"].is_number())
    };
    (300..500).contains(&answer.status) && ![408, 429].contains(&answer.status) && !names_a_code()
}
