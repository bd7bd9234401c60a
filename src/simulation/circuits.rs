//! How many requests a lane may have in flight, and when none: rule 7 written a second time, from the provider's side.
//!
//! Three of the last ten ends without an answer open a lane's circuit. Then nothing is begun until the provider itself
//! has answered a harmless read. After that, one message alone tests whether messages are taken. Each answer then
//! allows one more request in flight. A single end without an answer halves the number.

use std::collections::VecDeque;

use crate::base::domain::{Span, Timestamp};
use crate::provider::client::{Broken, RawAnswer};

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
    /// A read was answered; one message may be tried.
    Proven,
    Trial,
}

#[derive(Debug)]
struct Circuit {
    connections: u32,
    most: u32,
    in_flight: u32,
    ends: VecDeque<bool>,
    state: State,
    /// How often it has opened. A request that was begun before the last opening has no effect on it.
    openings: u32,
}

#[derive(Debug)]
pub(super) struct Circuits(Vec<Circuit>);

impl Circuits {
    /// Creates the circuits of a server that starts. The server may know more of the time before, and then it is
    /// stricter.
    pub(super) fn new(connections: &[u32]) -> Self {
        let circuit = |connections: &u32| Circuit {
            connections: *connections,
            most: *connections,
            in_flight: 0,
            ends: VecDeque::new(),
            state: State::Closed,
            openings: 0,
        };
        Self(connections.iter().map(circuit).collect())
    }

    /// Begins a request of this many messages. Returns the number of openings, which its end has to name.
    pub(super) fn begin(&mut self, lane: usize, messages: usize) -> u32 {
        let circuit = &mut self.0[lane];
        match circuit.state {
            State::Open { .. } => panic!("begun although the provider does not answer lane {lane}"),
            State::Proven => {
                assert_eq!(messages, 1, "the first request of lane {lane} after an outage is one message alone");
                circuit.state = State::Trial;
            }
            State::Trial => panic!("begun before the trial message of lane {lane} was answered"),
            State::Closed => {
                let (most, in_flight) = (circuit.most, circuit.in_flight);
                assert!(in_flight < most, "{} requests of lane {lane} in flight; the limit is {most}", in_flight + 1);
            }
        }
        circuit.in_flight += 1;
        circuit.openings
    }

    /// Checks that the circuit has not opened since the request was begun.
    pub(super) fn check_unopened(&self, lane: usize, begun: u32) {
        assert_eq!(
            self.0[lane].openings, begun,
            "sent on lane {lane}, whose circuit opened after the request was begun"
        );
    }

    /// Takes a read by which the lane finds out whether the provider answers.
    pub(super) fn take_read(&mut self, lane: usize, now: Timestamp, is_proven: bool) {
        let circuit = &mut self.0[lane];
        match circuit.state {
            State::Open { until } => {
                assert!(until <= now, "lane {lane} did not wait for as long as the provider asked");
            }
            // The lane continues from what the process before it knew.
            State::Closed => circuit.open(now),
            State::Proven | State::Trial => panic!("lane {lane} reads although a read was answered"),
        }
        if is_proven {
            circuit.state = State::Proven;
        }
    }

    /// Takes the end of a request, which its lane knows.
    pub(super) fn take_end(&mut self, lane: usize, begun: u32, answer: &Result<RawAnswer, Broken>, now: Timestamp) {
        let circuit = &mut self.0[lane];
        circuit.in_flight -= 1;
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

/// Classifies an end. A refusal is an answer. A success is one only if it names a message or a reason.
fn end_of(answer: &Result<RawAnswer, Broken>) -> End {
    let RawAnswer { status, retry_after, body } = match answer {
        Err(Broken::Withdrawn) => return End::NeverSent,
        Err(Broken::NotOffered { .. } | Broken::Sent { .. }) => return End::Unanswered { rest: None },
        Ok(answer) => answer,
    };
    match status {
        408 | 500.. => End::Unanswered { rest: *retry_after },
        300..=499 => End::Answered,
        _ if names_result(body) => End::Answered,
        _ => End::Unanswered { rest: None },
    }
}

fn names_result(body: &[u8]) -> bool {
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(body) else { return false };
    let of_one = |entry: &serde_json::Value| {
        entry["umid"].as_str().is_some_and(|umid| !umid.is_empty()) || !entry["status"]["errorCode"].is_null()
    };
    body["messages"].as_array().map_or_else(|| of_one(&body), |entries| entries.iter().any(of_one))
}
