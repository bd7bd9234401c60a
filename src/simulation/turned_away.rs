//! Bare refusals, which name no code: rule 2 written a second time. They may come from a wrong address, a gateway or a
//! firewall. So nothing was processed, and no recipient is to blame. One other message tests the lane; if it is refused
//! alike, the lane begins nothing more until an operator resumes it. Where the lane has accepted a message before, twenty
//! messages of one batch are needed, and then only their step waits.

use std::collections::{HashMap, HashSet};

use crate::base::domain::{MessageKey, Timestamp};
use crate::provider::client::{Broken, RawAnswer};

/// Messages that a lane may have refused alike, one after the other, before it is held: the first one and the one that
/// tests the lane. A test restarts if its refused message ends meanwhile, by a cancel or its expiry.
const ALIKE_MAX: usize = 4;

/// The same of one batch, where the lane has worked.
const OF_ONE_BATCH_MAX: usize = 20 + ALIKE_MAX;

/// The lanes of one server.
#[derive(Debug, Default)]
pub(super) struct BareRefusals {
    /// Lanes that have accepted a message since the server started.
    worked: HashSet<usize>,
    refused: HashMap<usize, Refused>,
    /// When an operator resumed each lane. A refusal of a request that was begun before then does not hold it again.
    resumed: HashMap<usize, Timestamp>,
}

/// The messages of a lane that were refused since one was accepted, each by a request that was begun after the end of the
/// one before.
#[derive(Debug, Default)]
struct Refused {
    by_status: HashMap<u16, HashSet<MessageKey>>,
    ended: Timestamp,
}

impl BareRefusals {
    /// Creates the state of the next server. It knows nothing that was not recorded.
    pub(super) fn of_successor(&self) -> Self {
        Self { resumed: self.resumed.clone(), ..Self::default() }
    }

    /// Takes the end of a request with these messages, which its lane knows.
    pub(super) fn take_end(
        &mut self,
        lane: usize,
        (begun, now): (Timestamp, Timestamp),
        messages: &[MessageKey],
        answer: &Result<RawAnswer, Broken>,
    ) {
        let Ok(answer) = answer else { return };
        if accepts_any(answer) {
            self.refused.remove(&lane);
            self.worked.insert(lane);
        }
        let is_new = self.resumed.get(&lane).is_none_or(|at| *at < begun);
        let [message] = *messages else { return };
        if !is_new || !is_bare_refusal(answer) {
            return;
        }
        let refused = self.refused.entry(lane).or_default();
        let follows = refused.by_status.is_empty() || begun > refused.ended;
        refused.ended = now;
        if follows {
            let alike = refused.by_status.entry(answer.status).or_default();
            alike.insert(message);
            let of_batch = alike.iter().filter(|other| other.batch == message.batch).count();
            let (found, most) =
                if self.worked.contains(&lane) { (of_batch, OF_ONE_BATCH_MAX) } else { (alike.len(), ALIKE_MAX) };
            assert!(found <= most, "lane {lane} goes on after {found} refusals alike");
        }
    }

    pub(super) fn resume(&mut self, lane: usize, now: Timestamp) {
        self.refused.remove(&lane);
        self.resumed.insert(lane, now);
    }
}

/// Whether an answer accepts at least one message.
fn accepts_any(answer: &RawAnswer) -> bool {
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(&answer.body) else { return false };
    let accepts = |message: &serde_json::Value| {
        message["umid"].as_str().is_some_and(|umid| !umid.is_empty()) && message["status"]["errorCode"].is_null()
    };
    answer.status == 200 && (accepts(&body) || body["messages"].as_array().is_some_and(|all| all.iter().any(accepts)))
}

/// Whether an answer is a 3xx or 4xx without a code. 408 proves nothing, and 429 only asks the sender to wait.
fn is_bare_refusal(answer: &RawAnswer) -> bool {
    let names_a_code = || {
        let body: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
        body.is_some_and(|body| body["code"].is_number())
    };
    (300..500).contains(&answer.status) && ![408, 429].contains(&answer.status) && !names_a_code()
}
