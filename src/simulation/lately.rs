//! How often a WhatsApp sender writes to each recipient: 45 messages at once and one more every six seconds. A server
//! that has just started cannot know of earlier messages, so it sends one at first, unless it is the first on its database.

use std::collections::HashMap;

use crate::base::domain::{Msisdn, Span, Timestamp};

const INTERVAL: Span = Span::from_secs(6);
const AT_ONCE: i64 = 45;

#[derive(Debug)]
pub(super) struct RecipientRate {
    /// `None` for the first server, which has nothing to know.
    started: Option<Timestamp>,
    begun: HashMap<(usize, Msisdn), Vec<Timestamp>>,
}

impl RecipientRate {
    /// The first server on a database.
    pub(super) fn of_the_first() -> Self {
        Self { started: None, begun: HashMap::new() }
    }

    /// A server that started then, after another one.
    pub(super) fn since(started: Timestamp) -> Self {
        Self { started: Some(started), begun: HashMap::new() }
    }

    /// Checks a request to a recipient that is begun now.
    pub(super) fn begin(&mut self, lane: usize, to: Msisdn, now: Timestamp) {
        let begun = self.begun.entry((lane, to)).or_default();
        begun.push(now);
        let more = |since: Timestamp| now.since(since).millis() / INTERVAL.millis();
        let all = i64::try_from(begun.len()).unwrap();
        let most = self.started.map(|started| 1 + more(started));
        assert!(
            most.is_none_or(|most| all <= most),
            "lane {lane} has begun {all} messages to one recipient since its server started; the limit is {most:?}"
        );
        for (index, since) in (0_i64..).zip(begun.iter()) {
            assert!(all - index <= AT_ONCE + more(*since), "lane {lane} exceeds the rate to one recipient");
        }
    }

    /// Takes back a request that was not sent after all.
    pub(super) fn take_back(&mut self, lane: usize, to: Msisdn, begun_at: Timestamp) {
        let Some(begun) = self.begun.get_mut(&(lane, to)) else { return };
        if let Some(index) = begun.iter().rposition(|at| *at == begun_at) {
            begun.remove(index);
        }
    }
}
