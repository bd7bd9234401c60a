//! Tests that every state of a message is read from its row as the engine decided it.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::base::domain::{Ending, Marks, Outcome, Refused, SkipReason};

for_every_store!(every_state_is_read_as_it_was_written_and_is_counted);

const PRESENTS: u32 = 400;

async fn every_state_is_read_as_it_was_written_and_is_counted(desk: Desk) {
    let batch = desk.batch_of(PRESENTS).await;
    // One call for all states, so that each is stored together with hundreds of others.
    let mut runner = TestRunner::new(Config::default());
    for round in 0..3 {
        let presents = proptest::collection::vec(present(), PRESENTS as usize).new_tree(&mut runner).unwrap().current();
        let before = desk.all(batch, PRESENTS).await;
        let changes = before.iter().zip(&presents).map(|(message, after)| change(message, *after)).collect();
        assert!(desk.record(changes).await.unwrap().is_empty());
        for (message, wanted) in desk.all(batch, PRESENTS).await.iter().zip(&presents) {
            assert_eq!((message.present, message.version), (*wanted, round + 1), "{:?}", message.key);
        }
        desk.counters_equal_rows(batch, PRESENTS).await;
    }
}

fn moment() -> impl Strategy<Value = Timestamp> {
    prop_oneof![0..4_000_000_000_000_i64, Just(i64::MAX)].prop_map(Timestamp::from_millis)
}

fn state() -> impl Strategy<Value = State> {
    let outcome = prop::sample::select(Outcome::ALL);
    let skipped = prop::option::of(prop::sample::select(SkipReason::ALL));
    prop_oneof![
        (moment(), prop::option::of(moment()))
            .prop_map(|(not_before, gives_up)| State::Queued { not_before, gives_up }),
        (moment(), moment(), prop::option::of(moment())).prop_map(|(intent, not_before, gives_up)| State::Sending {
            intent,
            not_before,
            gives_up
        }),
        moment().prop_map(|due| State::Awaiting { due }),
        (outcome, skipped, moment()).prop_map(|(outcome, skipped, at)| State::Done { outcome, skipped, at }),
    ]
}

fn marks() -> impl Strategy<Value = Marks> {
    const ENDINGS: [Ending; 8] = [
        Ending::Open,
        Ending::Success,
        Ending::Deadline,
        Ending::Undelivered,
        Ending::Rejected,
        Ending::CouldNotLeave,
        Ending::OutsideWindow,
        Ending::MissingVariable,
    ];
    let status = prop::option::of(prop::sample::select(Status::ALL));
    let one = (status, any::<bool>(), any::<bool>(), prop::sample::select(&ENDINGS[..]));
    (proptest::collection::vec(one, usize::from(STEPS)), any::<[bool; 4]>()).prop_map(|(steps, flags)| {
        let mut marks = Marks::default();
        for (index, (status, handed_over, unknown, ending)) in StepIndex::all().zip(steps) {
            marks = status.map_or(marks, |status| marks.with_status(index, status));
            marks = if handed_over { marks.with_handed_over(index) } else { marks };
            marks = marks.with_unknown(index, unknown).with_ending(index, ending);
        }
        let [twice, late, cut, waived] = flags;
        marks = if twice { marks.with_delivered_twice() } else { marks };
        marks = if late { marks.with_late() } else { marks };
        marks = if cut { marks.with_cut() } else { marks };
        marks.with_waived(waived)
    })
}

fn present() -> impl Strategy<Value = Present> {
    let times = (prop::option::of(moment()), prop::option::of(moment()));
    let given_back = (any::<u16>(), prop::sample::select(Refused::ALL));
    (state(), 0..STEPS, marks(), times, given_back).prop_map(
        |(state, index, marks, (first_submitted_at, accepted), (tries, refused))| Present {
            state,
            step: step(index),
            marks,
            first_submitted_at,
            accepted,
            tries,
            refused,
            // It never changes; a join sets it.
            expires: None,
        },
    )
}
