//! Recipients on LINE, who are addressed by an id of their row: no person gets a message twice, and no test reaches them.

use std::io::Write;

use crate::cli::{installation, run};

const ANN: &str = "Ua12b345678c1de0fg1a1234567891011";
const BOB: &str = "Ub12b345678c1de0fg1a1234567891011";
const OWN: &str = "Uc12b345678c1de0fg1a1234567891011";

/// An installation with a lane on LINE and a campaign to `people.csv`, whose rows have these ids.
fn line_installation(ids: &[&str]) -> tempfile::TempDir {
    let folder = installation();
    let at = folder.path();
    let mut config = std::fs::OpenOptions::new().append(true).open(at.join("volley.toml")).unwrap();
    config.write_all(b"\n[[lane]]\nname = \"line\"\nchannel = \"LINE\"\n").unwrap();
    let rows: Vec<String> = (1..).zip(ids).map(|(n, id): (u32, _)| format!("+659100000{n},{id}\n")).collect();
    std::fs::write(at.join("people.csv"), format!("Mobile,LineId\n{}", rows.concat())).unwrap();
    let campaign = |source: &str| {
        format!(
            "audience = \"{source}\"\n[[step]]\nchannel = \"LINE\"\nline_user_id = \"{{{{LineId}}}}\"\ntext = \"Hi\"\n"
        )
    };
    std::fs::write(at.join("file.toml"), campaign("people.csv")).unwrap();
    std::fs::write(at.join("imported.toml"), campaign("people")).unwrap();
    folder
}

#[test]
fn two_rows_with_one_id_are_refused_before_anything_is_sent() {
    let folder = line_installation(&[ANN, BOB, ANN]);
    let at = folder.path();
    run(at, &["audience", "import", "people.csv", "--name", "people"]).ended(0);
    for file in ["file.toml", "imported.toml"] {
        for command in [&["plan"][..], &["launch", "--unchecked"]] {
            let refused = run(at, &[&["campaign"], command, &[file]].concat()).ended(1);
            refused.says(&[
                "step 1, line_user_id",
                "1 of 3 recipients",
                &format!("+6591000003 ({ANN})"),
                "remove these",
            ]);
        }
    }
    let listed = run(at, &["message", "list", "--to", "+6591000003"]);
    assert!(!listed.stdout.contains("msg_"), "{}", listed.stdout);
    // A recipient without an id gets the next step, and shares nothing.
    let folder = line_installation(&[ANN, "", ""]);
    run(folder.path(), &["campaign", "plan", "file.toml"]).ended(0);
}

#[test]
fn a_test_goes_to_the_testers_id_alone() {
    let folder = line_installation(&[ANN, BOB]);
    let at = folder.path();
    let test =
        |what: &str, more: &[&str]| run(at, &[&["campaign", "test", what, "--to", "+6598765432"], more].concat());
    run(at, &["campaign", "launch", "file.toml", "--name", "promo", "--draft", "--unchecked"]).ended(0);
    for what in ["file.toml", "promo"] {
        let refused = test(what, &[]).ended(1);
        refused.says(&["step 1, line_user_id", "a test does not use the ids of the recipients", "--with LineId=ID"]);
        test(what, &["--with", "Nobody=x"]).ended(1).says(&["--with Nobody", "LineId"]);
        let launched = test(what, &["--with", &format!("lineid={OWN}"), "--json"]).ended(0).json();
        let name = launched["name"].as_str().unwrap();
        let exported = run(at, &["campaign", "export", name, "-", "--columns", "number,LineId"]).ended(0).stdout;
        assert_eq!(exported.lines().skip(1).collect::<Vec<_>>(), [format!("+6598765432,{OWN}")], "{exported}");
    }
}
