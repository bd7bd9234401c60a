//! The machine takes no memory on the arrows that messages go along by the million. A program of its own, because the
//! counting allocator is the whole program's.

use volley::base::domain::{AfterGap, Channel, Marks, Plan, Present, Span, State, Status, Step, StepIndex, Timestamp};
use volley::rules::engine::{Answer, AttemptReport, Event, Silence, Standing, advance, begin};

const START: Timestamp = Timestamp::from_millis(1_000_000_000_000);
const FIRST: StepIndex = StepIndex::FIRST;
const DUE: Event = Event::Due { silence: Silence::Trusted };

fn plan() -> Plan {
    let step = |channel: Channel, fallback_after: Option<i64>| Step {
        fallback_after: fallback_after.map(Span::from_secs),
        ..Step::of_text(channel, channel.as_str(), "Hi")
    };
    Plan {
        ttl: Some(Span::from_secs(86_400)),
        after_gap: AfterGap::Wait,
        ..Plan::of_steps(vec![
            step(Channel::WhatsApp, Some(900)),
            step(Channel::Viber, Some(600)),
            step(Channel::Sms, None),
        ])
    }
}

fn answered(step: StepIndex, answer: Answer) -> Event {
    Event::Answered { step, answer }
}

fn reached(step: StepIndex, status: Status) -> Event {
    Event::Receipt { step, report: AttemptReport::Reached(status) }
}

#[test]
fn no_arrow_that_messages_go_along_takes_any_memory() {
    let second = FIRST.next().unwrap();
    let third = second.next().unwrap();
    let lives: [(&str, &[(i64, Event)]); 4] = [
        (
            "delivered and read",
            &[
                (0, Event::Claimed),
                (1, answered(FIRST, Answer::Accepted)),
                (2, reached(FIRST, Status::Sent)),
                (3, reached(FIRST, Status::Delivered)),
                (3, reached(FIRST, Status::Delivered)),
                (9, reached(FIRST, Status::Read)),
            ],
        ),
        (
            "through every step to a late truth",
            &[
                (0, Event::Claimed),
                (0, answered(FIRST, Answer::Accepted)),
                (900, DUE),
                (900, Event::Claimed),
                (900, answered(second, Answer::Accepted)),
                (1_500, DUE),
                (1_500, Event::Claimed),
                (1_500, answered(third, Answer::Accepted)),
                (1_510, reached(third, Status::Delivered)),
                (2_000, reached(FIRST, Status::Delivered)),
            ],
        ),
        (
            "recalled",
            &[
                (0, Event::Claimed),
                (0, answered(FIRST, Answer::Accepted)),
                (900, DUE),
                (901, reached(FIRST, Status::Delivered)),
            ],
        ),
        (
            "unknown until a receipt",
            &[(0, Event::Claimed), (0, answered(FIRST, Answer::Unknown)), (5, reached(FIRST, Status::Delivered))],
        ),
    ];
    let plan = plan();
    for (life, events) in lives {
        let mut message: Present = begin(&plan, Marks::default(), START, None);
        let taken = allocation_counter::measure(|| {
            for (secs, event) in events {
                let decision = advance(&plan, Standing::Live, &message, *event, START + Span::from_secs(*secs));
                message = decision.next().copied().unwrap_or(message);
            }
        });
        assert!(matches!(message.state, State::Done { .. }), "{life} ends at {message:?}");
        assert_eq!(taken.count_total, 0, "{life} takes memory");
    }
    // The counter sees an allocation, where the optimizer may not leave it out.
    assert_ne!(allocation_counter::measure(|| drop(std::hint::black_box(Box::new(7)))).count_total, 0);
}
