//! The commands of audiences: import, append, show, export, delete.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::cli::{Ran, ran, volley};

fn run(folder: &Path, args: &[&str]) -> Ran {
    ran(volley(folder, args))
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// An installation with one lane.
fn with_lane(folder: &Path) {
    let lane = "[[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nrate = \"1/s\"\n";
    write(folder, "volley.toml", &format!("[provider]\nsub_account = \"acme\"\napi_key = \"k\"\n{lane}"));
}

/// A campaign that begins long after the test.
fn later(name: &str, audience: &str) -> String {
    let step = "at = \"2030-01-01T00:00:00Z\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";
    format!("name = \"{name}\"\naudience = {audience}\n{step}")
}

/// The campaign that was launched, with how many messages it has.
fn messages(folder: &Path, campaign: &str) -> u64 {
    run(folder, &["campaign", "report", campaign, "--json"]).ended(0).json()["audience"].as_u64().unwrap()
}

#[test]
fn corrected_rejects_are_added_and_earlier_campaigns_do_not_see_them() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    write(folder, "people.csv", "Mobile,Name\n+6581234567,Ann\n+658123,Bob\n+6581234569,Eve\n");
    let import = ["audience", "import", "people.csv", "--name", "people", "--json"];
    assert_eq!(run(folder, &import).ended(0).json()["added"], 2);
    run(folder, &["audience", "check", "people.csv", "--rejects", "rejects.csv"]).ended(0);
    assert_eq!(read(folder, "rejects.csv"), "Mobile,Name,line,reason\n+658123,Bob,3,too short\n");

    let campaign = |name: &str| {
        format!(
            "name = \"{name}\"\naudience = \"people\"\nat = \"2030-01-01T00:00:00Z\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi {{{{Name}}}}\"\n"
        )
    };
    with_lane(folder);
    write(folder, "before.toml", &campaign("before"));
    run(folder, &["campaign", "launch", "before.toml", "--json"]).ended(0);

    write(folder, "rejects.csv", &read(folder, "rejects.csv").replace("+658123", "+6581234568"));
    let append = ["audience", "import", "rejects.csv", "--append", "people", "--json"];
    assert_eq!(run(folder, &append).ended(0).json()["added"], 1);
    // The same command again finds nothing new, and reports that the file is known.
    let again = run(folder, &append).ended(0).json();
    assert_eq!((&again["added"], &again["same_as"]), (&Value::from(0), &Value::from("people")));

    write(folder, "after.toml", &campaign("after"));
    run(folder, &["campaign", "launch", "after.toml", "--json"]).ended(0);
    assert_eq!((messages(folder, "before"), messages(folder, "after")), (2, 3));
    let shown = run(folder, &["audience", "show", "people", "--json"]).ended(0).json();
    let sources: Vec<_> = shown["parts"].as_array().unwrap().iter().map(|part| part["source"].clone()).collect();
    assert_eq!((&shown["recipients"], sources), (&Value::from(3), vec!["people.csv".into(), "rejects.csv".into()]));

    run(folder, &["audience", "export", "people", "all.csv"]).ended(0);
    let all = "msisdn,country,Mobile,Name\n+6581234567,SG,+6581234567,Ann\n+6581234569,SG,+6581234569,Eve\n\
               +6581234568,SG,+6581234568,Bob\n";
    assert_eq!(read(folder, "all.csv"), all);
    let sample = run(folder, &["audience", "sample", "people", "--recipients", "2", "--json"]).ended(0).stdout;
    let people: Vec<Value> = sample.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(people.iter().map(|person| &person["fields"]["Name"]).collect::<Vec<_>>(), ["Ann", "Eve"]);
    run(folder, &["audience", "delete", "people"]).ended(1).says(&["people", "before"]);
}

#[test]
fn corrected_rejects_are_read_with_the_columns_of_their_file() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    // The file has columns of the same names as those that Volley adds.
    let rows = "Ann;0171 2345670;7;late\nBob;12;8;\nCy;;9;\nDi;0171 2345673;9;x;y\nEve;n/a;9;\n";
    write(folder, "people.csv", &format!("Name;Handy;line;reason\n{rows}"));
    let check = |file: &str| {
        let outputs = ["--country", "DE", "--accepted", "good.csv", "--rejects", "bad.csv", "--json"];
        let summary = run(folder, &[&["audience", "check", file][..], &outputs].concat()).ended(0).json();
        let header = |name: &str| read(folder, name).lines().next().unwrap().to_owned();
        (summary["valid"].as_u64().unwrap(), header("good.csv"), header("bad.csv"))
    };
    let (valid, good, bad) = check("people.csv");
    assert_eq!((valid, bad.as_str()), (1, "Name,Handy,line,reason,line,reason"));

    // Three of four rows are corrected, and the rejects of the rejects have the same columns.
    let mended = read(folder, "bad.csv").replace(",12,", ",01712345671,").replace("Cy,,", "Cy,01712345672,");
    write(folder, "mended.csv", &mended);
    assert_eq!(check("mended.csv"), (3, good.clone(), bad.clone()));
    assert!(read(folder, "good.csv").contains(",Bob,01712345671,8,\n"), "{}", read(folder, "good.csv"));
    write(folder, "mended.csv", &read(folder, "bad.csv").replace("n/a", "01712345674"));
    assert_eq!(check("mended.csv"), (1, good, bad));
}

#[test]
fn other_columns_are_added_only_with_a_mapping() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    write(folder, "people.csv", "Mobile,Name\n+6581234567,Ann\n");
    write(folder, "others.csv", "Vorname;Handy\nBob;+6581234568\n");
    run(folder, &["audience", "import", "people.csv", "--name", "people"]).ended(0);
    let append = ["audience", "import", "others.csv", "--append", "people"];
    run(folder, &append).ended(1).says(&["others.csv", "people", "lacks: Vorname;", "--map"]);
    // The number columns match, whatever their names.
    let mapped = [&append[..], &["--map", "Name=Vorname", "--json"]].concat();
    assert_eq!(run(folder, &mapped).ended(0).json()["added"], 1);
    let sample = run(folder, &["audience", "sample", "people", "--json"]).ended(0).stdout;
    assert!(sample.contains("\"Name\":\"Bob\"") && sample.contains("\"Mobile\":\"+6581234568\""), "{sample}");
    write(folder, "german.csv", "Handy,Vorname\n+6581234570,Cy\n");
    write(folder, "english.csv", "FirstName,Mobile\nDi,+6581234571\n");
    run(folder, &["audience", "import", "german.csv", "--name", "german"]).ended(0);
    run(folder, &["audience", "import", "english.csv", "--append", "german"]).ended(0);
    let sample = run(folder, &["audience", "sample", "german", "--json"]).ended(0).stdout;
    assert!(sample.contains("\"Vorname\":\"Di\""), "{sample}");
    run(folder, &["audience", "import", "others.csv", "--append", "peple"]).ended(1).says(&["peple", "\"people\""]);
}

#[test]
fn an_exported_file_and_a_bare_list_are_added_to_an_audience() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    write(
        folder,
        "people.csv",
        "Home Tel,Contact Tel,Name\n61234567,81234567,Ann\n61234568,81234560,Bob\n61234569,8123,Eve\n",
    );
    let import = |more: &[&str]| {
        let all = [&["audience", "import"], more, &["--country", "SG", "--json"]].concat();
        run(folder, &all).ended(0).json()["added"].as_u64().unwrap()
    };
    assert_eq!(import(&["people.csv", "--name", "people", "--map", "number=Contact Tel"]), 2);
    // Corrected rejects have their number in the audience's column.
    write(folder, "rejects.csv", "Home Tel,Contact Tel,Name,line,reason\n61234569,81234569,Eve,4,too short\n");
    assert_eq!(import(&["rejects.csv", "--append", "people"]), 1);
    write(folder, "list.txt", "81234561\n81234562\n");
    assert_eq!(import(&["list.txt", "--append", "people"]), 2);
    run(folder, &["audience", "export", "people", "all.csv"]).ended(0);
    let all = read(folder, "all.csv");
    assert!(
        all.contains("+6581234569,SG,61234569,81234569,Eve\n") && all.contains("+6581234561,SG,,81234561,\n"),
        "{all}"
    );
    write(folder, "all.csv", &all.replace("81234567", "81234577"));
    assert_eq!(import(&["all.csv", "--append", "people"]), 1);
}

#[test]
fn a_report_counts_the_rows_that_the_launch_left_out() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    write(folder, "people.csv", "Mobile\n+6581234567\n+658123\n+6581234569\n+6581234567\n+6581234570\n");
    write(folder, "more.csv", "Mobile\n+6581234570\n+6581234571\n");
    with_lane(folder);
    let counts = std::cell::Cell::new((0, 0));
    let launch = |name: &str, audience: &str| {
        write(folder, "campaign.toml", &later(name, audience));
        let launched = run(folder, &["campaign", "launch", "campaign.toml", "--json"]).ended(0).json();
        counts.set((launched["rejected_rows"].as_u64().unwrap(), launched["opted_out"].as_u64().unwrap()));
        run(folder, &["campaign", "report", name, "--json"]).ended(0).json()["left_out"].clone()
    };
    run(folder, &["opt-out", "add", "+6581234569"]).ended(0);
    let of_file = launch("of a file", "\"people.csv\"");
    assert_eq!(of_file, serde_json::json!({ "duplicate": 1, "opted out": 1, "too short": 1 }));
    assert_eq!(counts.get(), (2, 1), "a recipient who opted out is no rejected row");
    run(folder, &["audience", "import", "more.csv", "--name", "more"]).ended(0);
    assert_eq!(launch("of an audience", "\"more\""), Value::Null);
    let of_both = launch("of both", "[\"people.csv\", \"more\"]");
    assert_eq!(of_both["duplicate across sources"], 1, "{of_both}");
    let said = run(folder, &["campaign", "report", "of a file"]).ended(0).stdout;
    assert!(said.contains("3 rows left out: 1 duplicate, 1 opted out and 1 too short"), "{said}");
}

/// An installation with one lane, and a scheduled campaign of the audience "people".
fn with_campaign(folder: &Path, people: &str) {
    write(folder, "people.csv", people);
    with_lane(folder);
    write(folder, "later.toml", &later("later", "\"people\""));
    run(folder, &["audience", "import", "people.csv", "--name", "people"]).ended(0);
}

#[test]
fn a_recipient_opted_out_before_the_launch_is_explained_so() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    with_campaign(folder, "Mobile\n+6581234567\n+6581234568\n+6581234569\n");
    run(folder, &["opt-out", "add", "+6581234568"]).ended(0);
    let plan = run(folder, &["campaign", "plan", "later.toml", "--json"]).ended(0).json();
    assert_eq!((&plan["recipients"], &plan["opted_out"]), (&Value::from(2), &Value::from(1)), "{plan}");
    let told = run(folder, &["campaign", "plan", "later.toml"]).ended(0).stdout;
    assert!(told.contains("2 recipients from people") && !told.contains("+6581234568"), "{told}");
    run(folder, &["campaign", "launch", "later.toml"]).ended(0);
    let audit = run(folder, &["audit", "later", "--json"]).ended(0).json();
    assert_eq!((&audit["proven"], &audit["messages"]), (&Value::from(true), &Value::from(3)), "{audit}");
    let told = run(folder, &["message", "explain", "later", "+6581234568"]).ended(0).stdout;
    assert!(told.contains("Not sent: the recipient has opted out ("), "{told}");
    assert!(!told.contains("Waiting") && !told.contains("do not end"), "{told}");
}

#[test]
fn standard_input_is_read_packed_and_unpacked() {
    let place = tempfile::tempdir().unwrap();
    let text = "Mobile;Name\n+6581234567;Ann\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    for (bytes, packed) in [(text.as_bytes().to_vec(), "[]"), (gzip.finish().unwrap(), "[\"gzip\"]")] {
        let mut command = volley(place.path(), &["audience", "check", "-", "--json"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&bytes).unwrap();
        let done = child.wait_with_output().unwrap();
        let summary: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!((&summary["valid"], summary["packed"].to_string().as_str()), (&Value::from(1), packed));
    }
    let mut nothing = volley(place.path(), &["audience", "check", "-"]);
    nothing.stdin(Stdio::null());
    ran(nothing).ended(1).says(&["standard input is empty"]);
}

#[test]
fn a_truncated_spreadsheet_fails_with_one_sentence() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    for name in ["recipients.xls", "recipients.xlsb", "recipients.ods", "recipients.xlsx"] {
        let whole = std::fs::read(samples.join(name)).unwrap();
        for tenth in 1..10 {
            std::fs::write(folder.join(name), &whole[..whole.len() * tenth / 10]).unwrap();
            let ran = run(folder, &["audience", "check", name]).ended(1);
            let said = ran.stderr.trim_end();
            assert!(
                said.starts_with("volley: ") && said.contains(name) && said.lines().count() == 1,
                "{tenth}: {said}"
            );
        }
    }
}

#[test]
fn opt_outs_are_read_from_a_file_of_any_format() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    write(folder, "out.csv", "Kunde;Wohin;Fax\n1;81234567;61234567;will nicht\n2;81234568;;\n3;nie;;\n");
    let add = ["opt-out", "add", "--file", "out.csv", "--country", "SG"];
    let added = run(folder, &add).ended(1);
    assert!(added.stdout.starts_with("2 numbers opted out"), "{}", added.stdout);
    assert!(added.stderr.contains("column \"Wohin\"") && added.stderr.contains("line 4, \"nie\""), "{}", added.stderr);
    let fax = run(folder, &[&add[..], &["--map", "number=Fax", "--json"]].concat()).ended(1).json();
    assert_eq!((&fax["changed"], &fax["invalid"]), (&Value::from(1), &Value::from(2)));
}

#[test]
fn every_number_of_a_listed_row_is_opted_out() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    let listed = "Mobile,Name\n+6581234567 / +6581234568,#N/A\n+6561234567,Bob\n#N/A,Cy\n";
    write(folder, "out.csv", listed);
    let added = run(folder, &["opt-out", "add", "--file", "out.csv"]).ended(1);
    assert!(added.stdout.starts_with("3 numbers opted out"), "{}", added.stdout);
    assert!(added.stderr.contains("several numbers (line 2); each valid one was used."), "{}", added.stderr);
    assert!(!added.stderr.contains("--lines") && !added.stderr.contains("formula"), "{}", added.stderr);
    let shown = run(folder, &["opt-out", "show", "+6581234568"]).ended(0).stdout;
    assert!(shown.contains("opted out since") && shown.contains("operator: "), "{shown}");
    // As recipients, only the first number of a row counts, and no message shows what the number column contains.
    let checked = run(folder, &["audience", "check", "out.csv", "--json"]).ended(0).stdout;
    assert!(checked.contains("1 cell contains the text of a formula error"), "{checked}");
}

#[test]
fn an_option_that_does_not_fit_the_file_is_wrong_usage() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/recipients.xlsx");
    std::fs::copy(book, folder.join("book.xlsx")).unwrap();
    run(folder, &["audience", "check", "book.xlsx", "--encoding", "UTF-8"]).ended(2).says(&["neither an encoding"]);
    run(folder, &["audience", "check", "book.xlsx", "--delimiter", ";"]).ended(2).says(&["nor a delimiter"]);
    run(folder, &["audience", "check", "book.xlsx", "--rejects", "r.xlsx"]).ended(2).says(&["ends in .csv"]);
}

#[test]
fn an_erased_number_is_in_no_sample_of_its_audience() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    write(folder, "people.csv", "Mobile,Name\n+6581234567,Ann\n+6581234568,Bob\n");
    run(folder, &["audience", "import", "people.csv", "--name", "people", "--json"]).ended(0);
    let show = || run(folder, &["audience", "show", "people", "--json"]).ended(0);
    assert!(show().stdout.contains("6581234567"));
    run(folder, &["purge", "--recipient", "+6581234567", "--yes"]).ended(0);
    let shown = show();
    assert!(!shown.stdout.contains("6581234567") && !shown.stdout.contains("Ann"), "{}", shown.stdout);
    let summary = &shown.json()["parts"][0]["summary"];
    assert_eq!(
        (&summary["fields"][0]["name"], &summary["valid"]),
        (&"Mobile".into(), &2.into()),
        "what else it says stays"
    );
}
