//! What each recipient gets from one WhatsApp sender: 45 messages at once and one more every six seconds, and of a server
//! that has just started, which cannot know of more, one at first.

use std::collections::HashMap;

use crate::domain::{Msisdn, Span, Timestamp};

const INTERVAL: Span = Span::from_secs(6);
const AT_ONCE: i64 = 45;

#[derive(Debug)]
pub(super) struct Lately {
    started: Timestamp,
    begun: HashMap<(usize, Msisdn), Vec<Timestamp>>,
}

impl Lately {
    /// Of a server that has started then.
    pub(super) fn since(started: Timestamp) -> Self {
        Self { started, begun: HashMap::new() }
    }

    /// A request sets out to a recipient.
    pub(super) fn sets_out(&mut self, lane: usize, to: Msisdn, now: Timestamp) {
        let begun = self.begun.entry((lane, to)).or_default();
        begun.push(now);
        let more = |since: Timestamp| now.since(since).millis() / INTERVAL.millis();
        let all = i64::try_from(begun.len()).unwrap();
        let most = 1 + more(self.started);
        assert!(
            all <= most,
            "lane {lane} has begun {all} messages to one recipient since it started, and {most} may be"
        );
        for (place, since) in (0_i64..).zip(begun.iter()) {
            assert!(all - place <= AT_ONCE + more(*since), "lane {lane} sends to one recipient again and again");
        }
    }

    /// It was not sent after all.
    pub(super) fn comes_back(&mut self, lane: usize, to: Msisdn, begun_at: Timestamp) {
        let Some(begun) = self.begun.get_mut(&(lane, to)) else { return };
        if let Some(place) = begun.iter().rposition(|at| *at == begun_at) {
            begun.remove(place);
        }
    }
}
