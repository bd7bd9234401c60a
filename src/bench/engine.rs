//! Decisions a second. They show that the engine never limits a campaign.

use std::hint::black_box;

use super::{Begun, Run};
use crate::base::clock::Clock;
use crate::base::domain::{Channel, Marks, Plan, Present, Span, Status, Step, StepIndex, Timestamp};
use crate::rules::engine::{Answer, AttemptReport, Event, Silence, Standing, advance, begin};

const START: Timestamp = Timestamp::from_millis(1_000_000_000_000);
const FIRST: StepIndex = StepIndex::FIRST;
const DUE: Event = Event::Due { silence: Silence::Trusted };

/// How long each life is repeated.
const LASTS: Span = Span::from_secs(1);
/// Lives between two looks at the clock.
const AT_ONCE: u64 = 10_000;

/// A message and its events, each with its seconds after the start.
#[derive(Debug)]
pub struct MessageLife {
    pub name: &'static str,
    begins: Present,
    events: Vec<(i64, Event)>,
}

/// Returns the lives that messages have by the million.
pub fn lives() -> Vec<MessageLife> {
    let steps: Vec<StepIndex> = StepIndex::all().take(3).collect();
    let (second, third) = (steps[1], steps[2]);
    let begins = begin(&plan(), Marks::default(), START, None);
    let clean = vec![
        (0, Event::Claimed),
        (1, answered(FIRST)),
        (2, reached(FIRST, Status::Sent)),
        (3, reached(FIRST, Status::Delivered)),
    ];
    let fallbacks = vec![
        (0, Event::Claimed),
        (0, answered(FIRST)),
        (900, DUE),
        (900, Event::Claimed),
        (900, answered(second)),
        (1_500, DUE),
        (1_500, Event::Claimed),
        (1_500, answered(third)),
        (1_510, reached(third, Status::Delivered)),
        (2_000, reached(FIRST, Status::Delivered)),
    ];
    let done = [(0, Event::Claimed), (1, answered(FIRST)), (2, reached(FIRST, Status::Delivered))];
    vec![
        MessageLife { name: "clean delivery", begins, events: clean },
        MessageLife {
            name: "deadline passes, fallback is queued",
            begins,
            events: vec![(0, Event::Claimed), (1, answered(FIRST)), (901, DUE)],
        },
        MessageLife { name: "fallback through three steps", begins, events: fallbacks },
        MessageLife {
            name: "repeated receipt",
            begins: live(&plan(), begins, &done),
            events: vec![(3, reached(FIRST, Status::Delivered))],
        },
    ]
}

/// Repeats one of them for a second, on this thread, and counts the decisions.
pub fn decide(life: &MessageLife, clock: &dyn Clock) -> Run {
    let plan = plan();
    let begun = Begun::now(clock);
    let until = clock.now() + LASTS;
    let mut lived = 0_u64;
    while clock.now() < until {
        for _ in 0..AT_ONCE {
            black_box(live(&plan, black_box(life.begins), &life.events));
        }
        lived += AT_ONCE;
    }
    let events = u64::try_from(life.events.len()).unwrap_or(u64::MAX);
    Run::since(begun, lived.saturating_mul(events), clock)
}

fn plan() -> Plan {
    let step = |channel: Channel, fallback_after: Option<i64>| Step {
        fallback_after: fallback_after.map(Span::from_secs),
        ..Step::of_text(channel, channel.as_str(), "Hi")
    };
    Plan {
        ttl: Some(Span::from_secs(86_400)),
        ..Plan::of_steps(vec![
            step(Channel::WhatsApp, Some(900)),
            step(Channel::Viber, Some(600)),
            step(Channel::Sms, None),
        ])
    }
}

/// Returns the message after its events.
fn live(plan: &Plan, mut message: Present, events: &[(i64, Event)]) -> Present {
    for (secs, event) in events {
        let now = START + Span::from_secs(*secs);
        let decision = advance(black_box(plan), Standing::Live, black_box(&message), black_box(*event), now);
        if let Some(next) = decision.next() {
            message = *next;
        }
    }
    message
}

fn answered(step: StepIndex) -> Event {
    Event::Answered { step, answer: Answer::Accepted }
}

fn reached(step: StepIndex, status: Status) -> Event {
    Event::Receipt { step, report: AttemptReport::Reached(status) }
}
