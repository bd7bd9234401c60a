//! How many requests a lane may have under way, and when none: rule 7 a second time, from the provider's side.
//!
//! Three of the last ten ends without an answer open a lane's circuit: nothing is begun before the provider itself has
//! answered a harmless read. Then one message alone finds out whether messages are taken, and with each answer the lane may
//! have one request more under way. A lone end without an answer halves them.

use std::collections::VecDeque;

use crate::domain::{Span, Timestamp};
use crate::provider::{Broken, RawAnswer};

const LOOKED_AT: usize = 10;
const TOO_MANY: usize = 3;

/// How a request ended, as far as its lane can know.
#[derive(Debug, Clone, Copy)]
enum End {
    Answered,
    Unanswered { rest: Option<Span> },
    NeverSent,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed,
    /// No read before then.
    Open {
        until: Timestamp,
    },
    /// A read was answered: one message may try.
    Proven,
    Trial,
}

#[derive(Debug)]
struct Circuit {
    connections: u32,
    most: u32,
    under_way: u32,
    ends: VecDeque<bool>,
    state: State,
    /// What was begun before it opened changes nothing more.
    openings: u32,
}

#[derive(Debug)]
pub(super) struct Circuits(Vec<Circuit>);

impl Circuits {
    /// Of a server that begins. It may know more than this of the time before, and then it is stricter.
    pub(super) fn new(connections: &[u32]) -> Self {
        let circuit = |connections: &u32| Circuit {
            connections: *connections,
            most: *connections,
            under_way: 0,
            ends: VecDeque::new(),
            state: State::Closed,
            openings: 0,
        };
        Self(connections.iter().map(circuit).collect())
    }

    /// A request of so many messages is begun. Returns what its end has to name.
    pub(super) fn sets_out(&mut self, lane: usize, messages: usize) -> u32 {
        let circuit = &mut self.0[lane];
        match circuit.state {
            State::Open { .. } => panic!("begun although the provider does not answer lane {lane}"),
            State::Proven => {
                assert_eq!(messages, 1, "the first request of lane {lane} after an outage is one message alone");
                circuit.state = State::Trial;
            }
            State::Trial => panic!("begun before lane {lane} knew whether messages are taken again"),
            State::Closed => {
                let (most, under_way) = (circuit.most, circuit.under_way);
                assert!(under_way < most, "{} requests of lane {lane} under way, and {most} may be", under_way + 1);
            }
        }
        circuit.under_way += 1;
        circuit.openings
    }

    /// A connection takes a request that was begun in that opening: the circuit has not opened since.
    pub(super) fn leaves(&self, lane: usize, begun: u32) {
        assert_eq!(
            self.0[lane].openings, begun,
            "left on lane {lane}, of which the provider did not answer since it was begun"
        );
    }

    /// The lane has read something to find out whether the provider answers.
    pub(super) fn reads(&mut self, lane: usize, now: Timestamp, is_proven: bool) {
        let circuit = &mut self.0[lane];
        match circuit.state {
            State::Open { until } => assert!(until <= now, "lane {lane} did not wait for as long as it was asked to"),
            // It goes on from what the process before it knew.
            State::Closed => circuit.open(now),
            State::Proven | State::Trial => panic!("lane {lane} reads once more"),
        }
        if is_proven {
            circuit.state = State::Proven;
        }
    }

    /// A request has ended, and its lane knows.
    pub(super) fn ended(&mut self, lane: usize, begun: u32, answer: &Result<RawAnswer, Broken>, now: Timestamp) {
        let circuit = &mut self.0[lane];
        circuit.under_way -= 1;
        if circuit.openings != begun {
            return;
        }
        let is_trial = matches!(circuit.state, State::Trial);
        match end_of(answer) {
            End::NeverSent if is_trial => circuit.state = State::Proven,
            End::NeverSent => {}
            End::Answered => {
                if is_trial {
                    (circuit.state, circuit.most) = (State::Closed, 1);
                    circuit.ends.clear();
                }
                circuit.note(false);
                circuit.most = (circuit.most + 1).min(circuit.connections);
            }
            End::Unanswered { rest } => {
                circuit.note(true);
                circuit.most = (circuit.most / 2).max(1);
                if is_trial || circuit.ends.iter().filter(|is_unanswered| **is_unanswered).count() >= TOO_MANY {
                    circuit.open(rest.map_or(now, |rest| now + rest));
                }
            }
        }
    }
}

impl Circuit {
    fn open(&mut self, until: Timestamp) {
        self.ends.clear();
        self.openings += 1;
        self.state = State::Open { until };
    }

    fn note(&mut self, is_unanswered: bool) {
        self.ends.truncate(LOOKED_AT - 1);
        self.ends.push_front(is_unanswered);
    }
}

/// A refusal is an answer; a success is one if it names a message or says why not.
fn end_of(answer: &Result<RawAnswer, Broken>) -> End {
    let RawAnswer { status, retry_after, body } = match answer {
        Err(Broken::Withdrawn) => return End::NeverSent,
        Err(Broken::NotOffered { .. } | Broken::Sent { .. }) => return End::Unanswered { rest: None },
        Ok(answer) => answer,
    };
    match status {
        408 | 500.. => End::Unanswered { rest: *retry_after },
        300..=499 => End::Answered,
        _ if says_what_became(body) => End::Answered,
        _ => End::Unanswered { rest: None },
    }
}

fn says_what_became(body: &[u8]) -> bool {
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(body) else { return false };
    let of_one = |entry: &serde_json::Value| {
        entry["umid"].as_str().is_some_and(|umid| !umid.is_empty()) || !entry["status"]["errorCode"].is_null()
    };
    body["messages"].as_array().map_or_else(|| of_one(&body), |entries| entries.iter().any(of_one))
}
