//! `where` of a campaign: which recipients it selects, from every kind of source.

use serde_json::json;

use crate::cli::{installation, run};

const STEP: &str = "[[step]]\nchannel = \"SMS\"\ntext = \"Hi {{Name|there}}\"\nsource = \"ACME\"\n";
const START: &str = "at = \"2099-01-01T09:00Z\"";

#[test]
fn only_selected_recipients_of_files_audiences_and_numbers_get_a_message() {
    let folder = installation();
    let at = folder.path();
    // 1 and 3 are selected; 2 has no consent, 4 no score, and the fifth row has no number either way.
    let members = "Mobile,Name,Consent,City,Score\n+6591000001,Ann,yes,Köln,10\n+6591000002,Bob,no,Bonn,12\n\
                   +6591000003,Cy,yes,Bonn,10.5\n+6591000004,Di,yes,Bonn,\noops,Ed,no,Bonn,99\n";
    std::fs::write(at.join("members.csv"), members).unwrap();
    let chosen = "where = 'Consent = \"yes\" and City in [\"Köln\", \"Bonn\"] and Score >= 10'";
    let campaign = |name: &str, sources: &str| {
        let text = format!("name = \"{name}\"\n{sources}\n{chosen}\n{START}\n{STEP}");
        std::fs::write(at.join("x.toml"), text).unwrap();
    };
    let counts = |plan: &serde_json::Value| {
        ["recipients", "not_selected", "invalid", "duplicates_across"].map(|key| plan[key].as_u64().unwrap())
    };
    run(at, &["audience", "import", "members.csv", "--name", "members"]).ended(0);
    for (name, sources, expected) in [
        ("file", "audience = \"members.csv\"", [2, 3, 0, 0]),
        ("imported", "audience = \"members\"", [2, 2, 0, 0]),
        // The number of Bob is not selected there, and has no consent here either.
        ("both", "audience = [\"members\", \"members.csv\"]\nnumbers = [\"+6591000002\"]", [2, 6, 0, 2]),
    ] {
        campaign(name, sources);
        let plan = run(at, &["campaign", "plan", "x.toml", "--json"]).ended(0).json();
        assert_eq!(counts(&plan), expected, "{name}: {plan}");
        assert_eq!(plan["countries"], json!({ "SG": 2 }), "{name}: {plan}");
        let launched = run(at, &["campaign", "launch", "x.toml", "--json"]).ended(0).json();
        assert_eq!((&launched["messages"], &launched["not_selected"]), (&json!(2), &json!(expected[1])), "{launched}");
        let listed = run(at, &["message", "list", name]).ended(0).stdout;
        assert!(listed.contains("+6591000001") && listed.contains("+6591000003"), "{listed}");
    }
    let plan = run(at, &["campaign", "plan", "x.toml"]).ended(0).stdout;
    assert!(plan.contains("6 not selected by `where`"), "{plan}");
}

#[test]
fn a_recipient_left_out_of_one_source_may_be_selected_from_another() {
    let folder = installation();
    let at = folder.path();
    std::fs::write(at.join("old.csv"), "Mobile,Name,Consent\n+6591000001,Ann,no\n").unwrap();
    std::fs::write(at.join("new.csv"), "Mobile,Name,Consent\n+6591000001,Ann,yes\n").unwrap();
    run(at, &["audience", "import", "old.csv", "--name", "old"]).ended(0);
    for first in ["old.csv", "old"] {
        let text = format!("audience = [\"{first}\", \"new.csv\"]\nwhere = 'Consent = \"yes\"'\n{START}\n{STEP}");
        std::fs::write(at.join("x.toml"), text).unwrap();
        let plan = run(at, &["campaign", "plan", "x.toml", "--json"]).ended(0).json();
        assert_eq!((&plan["recipients"], &plan["not_selected"]), (&json!(1), &json!(1)), "{first}: {plan}");
    }
}

#[test]
fn an_unknown_column_a_broken_condition_and_a_selection_of_nobody_are_refused() {
    let folder = installation();
    let at = folder.path();
    std::fs::write(at.join("members.csv"), "Mobile,Name,City\n+6591000001,Ann,Bonn\n").unwrap();
    run(at, &["audience", "import", "members.csv", "--name", "members"]).ended(0);
    for (condition, said) in [
        ("Cty = \"Bonn\"", "where: character 1: unknown column \"Cty\"; did you mean \"City\"?"),
        ("City = \"Bonn\" and", "where: character 18: a column name is missing at the end"),
        ("City = \"Köln\"", "audience: there is no recipient to send to: `where` selects none of 1 row"),
    ] {
        for source in ["members.csv", "members"] {
            let text = format!("audience = \"{source}\"\nwhere = '{condition}'\n{START}\n{STEP}");
            std::fs::write(at.join("x.toml"), text).unwrap();
            for command in ["plan", "launch"] {
                run(at, &["campaign", command, "x.toml"]).ended(1).says(&["x.toml", said]);
            }
        }
    }
    assert_eq!(run(at, &["campaign", "list", "--json"]).ended(0).json(), json!([]));
}
