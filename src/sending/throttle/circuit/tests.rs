use futures_util::FutureExt;

use super::*;

const BROKEN: End<'static> = End::Unanswered { reason: "HTTP status 503", retry_after: None };

fn second(second: i64) -> Timestamp {
    Timestamp::from_millis(second * 1_000)
}

fn chance() -> Chance {
    Chance::seeded(7)
}

/// All permits that the circuit gives now.
fn permits(circuit: &Circuit, now: Timestamp) -> Vec<Permit> {
    let permit = || match circuit.enter(now) {
        Admission::Go(permit) => Some(permit),
        Admission::Full | Admission::Rest(_) | Admission::Read(_) => None,
    };
    std::iter::from_fn(permit).collect()
}

fn one(circuit: &Circuit, now: Timestamp) -> Permit {
    let Admission::Go(permit) = circuit.enter(now) else { panic!("{circuit:?}") };
    permit
}

fn end(circuit: &Circuit, end: End<'_>, now: Timestamp) {
    one(circuit, now).ended(end, now, &chance());
}

fn opened(circuit: &Circuit, now: Timestamp) {
    for _ in 0..3 {
        end(circuit, BROKEN, now);
    }
    assert!(circuit.rests_until(now).is_some());
}

fn read(circuit: &Circuit, now: Timestamp) -> Read {
    let Admission::Read(read) = circuit.enter(now) else { panic!("{circuit:?}") };
    read
}

#[test]
fn a_lone_unanswered_request_halves_the_limit_which_grows_again() {
    let circuit = Circuit::new(64);
    assert_eq!(permits(&circuit, second(0)).len(), 64);
    end(&circuit, BROKEN, second(0));
    assert_eq!(permits(&circuit, second(0)).len(), 32);
    for _ in 0..5 {
        end(&circuit, End::Good, second(0));
    }
    end(&circuit, End::Answered, second(0));
    assert_eq!(permits(&circuit, second(0)).len(), 37, "only good answers let it grow");
    for _ in 0..100 {
        end(&circuit, End::Good, second(0));
    }
    assert_eq!(permits(&circuit, second(0)).len(), 64);
}

#[test]
fn one_unanswered_request_in_a_hundred_does_not_open_it() {
    let circuit = Circuit::new(64);
    for request in 0..2_000 {
        end(&circuit, if request % 100 == 0 { BROKEN } else { End::Good }, second(0));
    }
    assert!(circuit.standstill().is_none());
}

#[test]
fn three_unanswered_of_the_last_ten_open_it_and_two_do_not() {
    for (between, opens) in [(3, true), (4, false)] {
        let circuit = Circuit::new(64);
        for _ in 0..3 {
            end(&circuit, BROKEN, second(0));
            if circuit.rests_until(second(0)).is_none() {
                (0..between).for_each(|_| end(&circuit, End::Answered, second(0)));
            }
        }
        assert_eq!(circuit.rests_until(second(0)).is_some(), opens, "{between} answers between");
    }
}

#[test]
fn an_open_circuit_sends_nothing_and_ignores_ends_of_earlier_requests() {
    let circuit = Circuit::new(8);
    let mut under_way = permits(&circuit, second(0));
    for _ in 0..3 {
        under_way.pop().unwrap().ended(BROKEN, second(0), &chance());
    }
    let Admission::Rest(until) = circuit.enter(second(0)) else { panic!("{circuit:?}") };
    assert_eq!(circuit.standstill().unwrap().in_flight, 5);
    under_way.pop().unwrap().ended(End::Good, second(0), &chance());
    for permit in under_way {
        permit.ended(BROKEN, second(0), &chance());
    }
    assert_eq!(circuit.rests_until(second(0)), Some(until), "late ends neither close it nor extend its rest");
}

#[test]
fn a_read_then_one_message_then_slow_start_close_it() {
    let circuit = Circuit::new(8);
    opened(&circuit, second(0));
    let first = read(&circuit, second(1));
    assert!(matches!(circuit.enter(second(1)), Admission::Full), "one read at a time");
    first.answered();
    let trial = one(&circuit, second(1));
    assert!(trial.is_trial() && matches!(circuit.enter(second(1)), Admission::Full));
    drop(trial);
    assert!(circuit.changed().now_or_never().is_some(), "the waiting caller is notified");
    end(&circuit, End::Good, second(1));
    assert!(circuit.standstill().is_none());
    let mut round = permits(&circuit, second(1));
    for expected in [2, 4, 8, 8] {
        assert_eq!(round.len(), expected);
        for permit in round {
            assert!(!permit.is_trial());
            permit.ended(End::Good, second(1), &chance());
        }
        round = permits(&circuit, second(1));
    }
}

#[test]
fn backoff_survives_a_read_that_succeeds() {
    let circuit = Circuit::new(8);
    opened(&circuit, second(0));
    let mut now = second(1);
    let mut rests = Vec::new();
    for _ in 0..12 {
        read(&circuit, now).answered();
        end(&circuit, BROKEN, now);
        let until = circuit.rests_until(now).unwrap();
        rests.push(until.since(now).millis());
        now = until;
    }
    assert!(rests[0] >= 250 && rests[11] >= 30_000, "{rests:?}");
    read(&circuit, now).failed("connection refused", now, &chance());
    assert!(circuit.rests_until(now).unwrap().since(now).millis() >= 30_000);
    now = circuit.rests_until(now).unwrap();
    read(&circuit, now).answered();
    end(&circuit, End::Answered, now);
    opened(&circuit, now);
    let until = circuit.rests_until(now).unwrap();
    assert!(until.since(now).millis() >= 30_000, "a refusal closes it and does not reset the backoff");
    now = until;
    read(&circuit, now).answered();
    end(&circuit, End::Good, now);
    opened(&circuit, now);
    assert!(circuit.rests_until(now).unwrap().since(now).millis() <= 250, "a good answer resets the backoff");
}

#[test]
fn the_next_caller_repeats_a_dropped_read_and_any_answer_ends_the_trial() {
    let circuit = Circuit::new(8);
    opened(&circuit, second(0));
    drop(read(&circuit, second(1)));
    read(&circuit, second(1)).answered();
    end(&circuit, End::Answered, second(1));
    assert!(circuit.standstill().is_none());
    assert_eq!(permits(&circuit, second(1)).len(), 1);
}

#[test]
fn the_circuit_rests_as_long_as_the_provider_asks() {
    let circuit = Circuit::new(1);
    let week = Span::from_secs(7 * 86_400);
    for _ in 0..3 {
        end(&circuit, End::Unanswered { reason: "503", retry_after: Some(week) }, second(0));
    }
    assert_eq!(circuit.rests_until(second(0)), Some(second(0) + week));
}

#[test]
fn a_process_resumes_an_outage_of_its_predecessor() {
    let circuit = Circuit::new(8);
    let standstill = Standstill {
        cause: StandstillCause::Outage,
        reason: "HTTP status 503".to_owned(),
        since: second(0),
        until: second(60),
        in_flight: 4,
    };
    circuit.go_on_from(standstill.clone(), second(1));
    assert_eq!((circuit.rests_until(second(1)), circuit.standstill()), (Some(second(60)), Some(standstill.clone())));
    read(&circuit, second(60)).failed("connection refused", second(60), &chance());
    assert!(
        circuit.rests_until(second(60)).unwrap().since(second(60)).millis() >= 30_000,
        "it rests as long as before"
    );
    let next = Circuit::new(8);
    next.go_on_from(standstill, second(900));
    assert!(next.standstill().is_none(), "an old outage no longer counts");
}
