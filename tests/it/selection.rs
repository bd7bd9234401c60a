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
fn numbers_and_dates_are_read_as_the_whole_column_writes_them() {
    let folder = installation();
    let at = folder.path();
    // The number with a point in the first row is one of thousands, as the commas below tell.
    let row = |n: u32| format!("+65910{n:05};Ann;{},{:02};{:02}.11.2026\n", n % 200, n % 100, 1 + n % 30);
    let mut rows: String = (1..200).map(row).collect();
    rows.insert_str(0, "Mobile;Name;Bonus €;Letzter Einkauf\n+6591000000;Bob;1.020,00;2026-11-30\n");
    std::fs::write(at.join("members.csv"), &rows).unwrap();
    std::fs::write(at.join("odd.csv"), format!("{rows}+6592000000;Cy;n/a;gestern\n")).unwrap();
    let expected = |at_least: u32| 1 + (1..200).filter(|n| n % 200 >= at_least).count();
    let second_half = 1 + (1..200).filter(|n| 1 + n % 30 >= 15).count();
    for name in ["members", "odd"] {
        run(at, &["audience", "import", &format!("{name}.csv"), "--name", name]).ended(0);
    }
    let plan = |source: &str, condition: &str| {
        let text = format!("audience = \"{source}\"\nwhere = '{condition}'\n{START}\n{STEP}");
        std::fs::write(at.join("x.toml"), text).unwrap();
        run(at, &["campaign", "plan", "x.toml", "--json"])
    };
    for source in ["members.csv", "members", "odd.csv", "odd"] {
        let by_bonus = plan(source, "{{Bonus €}} >= 20").ended(0).json();
        assert_eq!(by_bonus["recipients"], json!(expected(20)), "{source}: {by_bonus}");
        let by_day = plan(source, "{{Letzter Einkauf}} >= 15.11.2026").ended(0).json();
        assert_eq!(by_day["recipients"], json!(second_half), "{source}: {by_day}");
        let said = [&by_bonus, &by_day].map(|plan| {
            let warnings = plan["warnings"].as_array().unwrap().iter();
            let misread = warnings.filter(|warning| warning["code"] == "misread_cells");
            misread.map(|warning| warning["sentence"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        });
        let odd = [
            "where: 1 of 201 values of Bonus € is not a number, such as \"n/a\"; no comparison with a number holds for them",
            "where: 1 of 201 values of Letzter Einkauf is not a date, such as \"gestern\"; no comparison with a date holds for \
             them",
        ];
        assert!(if source.starts_with("odd") {
            said == odd.map(|one| vec![one.to_owned()])
        } else {
            said == [[""; 0]; 2]
        });
    }
    // With two notations, none can be certain. That is said, above all if nobody is selected.
    std::fs::write(at.join("mixed.csv"), "Mobile;Name;Bonus\n+6591000001;Ann;20,50\n+6591000002;Bob;10.50\n").unwrap();
    plan("mixed.csv", "Bonus >= 20").ended(1).says(&[
        "`where` selects none of 2 rows; 1 of 2 values of Bonus is not a number, such as \"20,50\"",
        "write all numbers of the column in one way",
    ]);
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
