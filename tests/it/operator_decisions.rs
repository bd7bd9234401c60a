//! Operators' decisions beside a running server: when the command answers, it reports whether the server applies
//! them.

use serde_json::{Value, json};

use crate::cli::{Ran, installation, interrupt, ran, run, serve, volley};

fn noted(ran: Ran) -> Value {
    let answer = ran.ended(0).json();
    assert!(answer.is_object(), "{answer}");
    answer["noted"].clone()
}

fn is_noted(ran: Ran) -> bool {
    match noted(ran) {
        Value::Bool(noted) => noted,
        other => panic!("{other}"),
    }
}

/// On a busy machine the second for which a command waits may be over too soon. Then the command is repeated, and a
/// server that never notes a decision fails the test.
fn until_noted(mut decide: impl FnMut() -> bool) {
    assert!((0..60).any(|_| decide()), "a server has noted nothing for as often as it was asked");
}

const DECISIONS: [&[&str]; 7] = [
    &["lane", "pause", "promo-sg"],
    &["lane", "resume", "promo-sg"],
    &["template", "hold", "promo"],
    &["template", "resume", "promo"],
    &["campaign", "pause", "November promo"],
    &["campaign", "resume", "November promo"],
    &["campaign", "cancel", "November promo"],
];

#[test]
#[cfg(unix)]
fn every_decision_waits_for_the_server_and_reports_whether_it_applies() {
    let folder = installation();
    let at = folder.path();
    run(at, &["campaign", "launch", "promo.toml", "--at", "2099-01-01T09:00+08:00"]).ended(0);
    for decision in &DECISIONS[..6] {
        assert_eq!(noted(run(at, &[decision, &["--json"][..]].concat())), Value::Null, "no server: {decision:?}");
    }
    let (mut server, _) = serve(at, &[]);
    for pair in DECISIONS[..6].chunks(2) {
        let both = |args: &[&str], is_noted: &dyn Fn(Ran) -> bool| {
            let noted = pair.iter().map(|decision| is_noted(run(at, &[decision, args].concat())));
            // One after the other, whatever the first printed.
            noted.fold(true, |all, noted| all & noted)
        };
        until_noted(|| both(&["--json"], &is_noted));
        until_noted(|| both(&[], &|ran| ran.ended(0).stdout.contains("in effect after ")));
    }
    // Only the first cancel changes anything.
    let cancelled = run(at, DECISIONS[6]).ended(0).stdout;
    assert!(cancelled.starts_with("\"November promo\" is cancelled"), "{cancelled}");
    assert!(
        cancelled.contains("; stopped after ") || cancelled.contains("not confirmed by a server within 1 s"),
        "{cancelled}"
    );
    interrupt(&server);
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

#[test]
fn a_decision_about_a_lane_or_template_is_printed_as_one_object() {
    let folder = installation();
    let at = folder.path();
    run(at, &["campaign", "launch", "promo.toml", "--draft"]).ended(0);
    let paused = run(at, &["lane", "pause", "promo-sg", "--reason", "moving", "--json"]).ended(0).json();
    assert_eq!((&paused["name"], &paused["holds"][0]["reason"]), (&json!("promo-sg"), &json!("paused by ann: moving")));
    let resumed = run(at, &["lane", "resume", "promo-sg", "--json"]).ended(0).json();
    assert_eq!((&resumed["released"], &resumed["holds"]), (&json!(1), &json!([])));
    let held = run(at, &["template", "hold", "promo", "--json"]).ended(0).json();
    assert_eq!(held, json!({ "template": "promo", "lanes": ["promo-sg"], "noted": null }));
    let resumed = run(at, &["template", "resume", "promo", "--json"]).ended(0).json();
    assert_eq!(resumed, json!({ "template": "promo", "lanes": ["promo-sg"], "released": 1, "noted": null }));

    run(at, &["audience", "import", "recipients.csv", "--name", "members"]).ended(0);
    let deleted = run(at, &["audience", "delete", "members", "--json"]).ended(0).json();
    assert_eq!(deleted, json!({ "name": "members", "recipients": 50 }));
}

#[test]
fn a_draft_is_refused_with_a_reason_and_its_start_shown_in_the_zone_that_was_asked_for() {
    let folder = installation();
    let at = folder.path();
    let config = std::fs::read_to_string(at.join("volley.toml")).unwrap();
    std::fs::write(at.join("volley.toml"), format!("{config}\n[campaigns]\napproval_above = 1\n")).unwrap();
    let launch = ["campaign", "launch", "promo.toml", "--name", "promo", "--at", "2099-01-15T09:00Z", "--json"];
    assert_eq!(run(at, &launch).ended(0).json()["state"], "draft");
    let by_eve = |args: &[&str]| {
        let mut command = volley(at, args);
        command.env("USER", "eve");
        ran(command)
    };
    by_eve(&["campaign", "refuse", "promo"]).ended(2);
    let refused = by_eve(&["campaign", "refuse", "promo", "--reason", "the price is wrong"]).ended(0).stdout;
    assert_eq!(refused, "\"promo\" is refused: change it, and another operator is asked again\n");
    let shown = run(at, &["campaign", "show", "promo"]).ended(0).stdout;
    assert!(shown.contains("refused by eve: \"the price is wrong\""), "{shown}");
    let events = run(at, &["events"]).ended(0).stdout;
    assert!(events.contains("refused by eve: the price is wrong"), "{events}");
    run(at, &["campaign", "set", "promo", "--max-messages", "9"]).ended(0);
    let again = run(at, &["campaign", "show", "promo"]).ended(0).stdout;
    assert!(again.contains("waits for another operator") && !again.contains("the price is wrong"), "{again}");
    for (zone, start) in [("Asia/Tokyo", "2099-01-15 18:00 +09 (Asia/Tokyo)"), ("UTC", "2099-01-15 09:00 UTC")] {
        let shown = run(at, &["campaign", "show", "promo", "--time-zone", zone]).ended(0).stdout;
        assert!(shown.contains(start), "{zone}: {shown}");
        let mut of_machine = volley(at, &["campaign", "show", "promo"]);
        of_machine.env("TZ", zone);
        let shown = ran(of_machine).ended(0).stdout;
        assert!(shown.contains(start), "TZ={zone}: {shown}");
    }
}
