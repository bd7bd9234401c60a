//! Decisions a second: the machine must never be what a campaign waits for. The promise is 5 million on one core.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

use volley::domain::{Channel, Marks, Plan, Present, Span, Status, Step, StepIndex, Timestamp};
use volley::engine::{Answer, Event, Report, Silence, Standing, advance, begin};

fn main() {
    divan::main();
}

const START: Timestamp = Timestamp::from_millis(1_000_000_000_000);

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

/// Lives a life of so many events, each at its second, and gives back how it stands at the end.
fn live(plan: &Plan, mut message: Present, life: &[(i64, Event)]) -> Present {
    for (secs, event) in life {
        let now = START + Span::from_secs(*secs);
        let decision = advance(black_box(plan), Standing::Live, black_box(&message), black_box(*event), now);
        if let Some(next) = decision.next() {
            message = *next;
        }
    }
    message
}

fn measure(bencher: Bencher<'_, '_>, life: &[(i64, Event)]) {
    let plan = plan();
    let message = begin(&plan, Marks::default(), START);
    bencher.counter(ItemsCount::new(life.len())).bench_local(|| live(&plan, message, life));
}

fn answered(step: StepIndex) -> Event {
    Event::Answered { step, answer: Answer::Accepted }
}

fn reached(step: StepIndex, status: Status) -> Event {
    Event::Receipt { step, report: Report::Reached(status) }
}

const DUE: Event = Event::Due { silence: Silence::Trusted };
const FIRST: StepIndex = StepIndex::FIRST;

/// Claimed, accepted, sent, delivered: done.
#[divan::bench]
fn a_clean_delivery(bencher: Bencher<'_, '_>) {
    let life = [
        (0, Event::Claimed),
        (1, answered(FIRST)),
        (2, reached(FIRST, Status::Sent)),
        (3, reached(FIRST, Status::Delivered)),
    ];
    measure(bencher, &life);
}

/// Claimed, accepted, silence until the deadline, and the next step waits to leave.
#[divan::bench]
fn a_deadline_that_gives_way(bencher: Bencher<'_, '_>) {
    measure(bencher, &[(0, Event::Claimed), (1, answered(FIRST)), (901, DUE)]);
}

/// Through all three channels, and a receipt of the first that comes too late.
#[divan::bench]
fn a_fallback_through_every_step(bencher: Bencher<'_, '_>) {
    let steps: Vec<StepIndex> = StepIndex::all().take(3).collect();
    let life = [
        (0, Event::Claimed),
        (0, answered(steps[0])),
        (900, DUE),
        (900, Event::Claimed),
        (900, answered(steps[1])),
        (1_500, DUE),
        (1_500, Event::Claimed),
        (1_500, answered(steps[2])),
        (1_510, reached(steps[2], Status::Delivered)),
        (2_000, reached(steps[0], Status::Delivered)),
    ];
    measure(bencher, &life);
}

/// What the provider repeats: everything a second time, on a message that has ended.
#[divan::bench]
fn a_repeated_receipt(bencher: Bencher<'_, '_>) {
    let plan = plan();
    let life = [(0, Event::Claimed), (1, answered(FIRST)), (2, reached(FIRST, Status::Delivered))];
    let done = live(&plan, begin(&plan, Marks::default(), START), &life);
    let again = [(3, reached(FIRST, Status::Delivered))];
    bencher.counter(ItemsCount::new(again.len())).bench_local(|| live(&plan, done, &again));
}
