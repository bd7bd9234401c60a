//! What people decide beside a running server: the command says whether it is obeyed by the time that it answers.

use serde_json::{Value, json};

use crate::cli::{Ran, installation, interrupt, run, serve};

fn noted(ran: Ran) -> Value {
    let answer = ran.ended(0).json();
    assert!(answer.is_object(), "{answer}");
    answer["noted"].clone()
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
fn every_decision_waits_for_the_server_and_says_whether_it_is_obeyed() {
    let folder = installation();
    let at = folder.path();
    run(at, &["campaign", "launch", "promo.toml", "--at", "2099-01-01T09:00+08:00"]).ended(0);
    for decision in &DECISIONS[..6] {
        assert_eq!(noted(run(at, &[decision, &["--json"][..]].concat())), Value::Null, "no server: {decision:?}");
    }
    let (mut server, _) = serve(at, &[]);
    for decision in &DECISIONS[..6] {
        // On a busy machine the second may be over before.
        assert!(noted(run(at, &[decision, &["--json"][..]].concat())).is_boolean(), "{decision:?}");
    }
    for decision in DECISIONS {
        let said = run(at, decision).ended(0).stdout;
        let waited = said.contains("every server has noted it after ") || said.contains("has not said within a second");
        assert!(waited, "{decision:?}: {said}");
    }
    interrupt(&server);
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

#[test]
fn a_decision_about_a_lane_or_template_is_told_as_one_object() {
    let folder = installation();
    let at = folder.path();
    let paused = run(at, &["lane", "pause", "promo-sg", "--reason", "moving", "--json"]).ended(0).json();
    assert_eq!((&paused["name"], &paused["holds"][0]["reason"]), (&json!("promo-sg"), &json!("paused by ann: moving")));
    let resumed = run(at, &["lane", "resume", "promo-sg", "--json"]).ended(0).json();
    assert_eq!((&resumed["lifted"], &resumed["holds"]), (&json!(1), &json!([])));
    let held = run(at, &["template", "hold", "promo", "--json"]).ended(0).json();
    assert_eq!(held, json!({ "template": "promo", "lanes": ["promo-sg"], "noted": null }));
    let resumed = run(at, &["template", "resume", "promo", "--json"]).ended(0).json();
    assert_eq!(resumed, json!({ "template": "promo", "lanes": ["promo-sg"], "lifted": 1, "noted": null }));

    run(at, &["audience", "import", "recipients.csv", "--name", "members"]).ended(0);
    let deleted = run(at, &["audience", "delete", "members", "--json"]).ended(0).json();
    assert_eq!(deleted, json!({ "name": "members", "recipients": 50 }));
}
