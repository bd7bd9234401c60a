//! The commands that read what has happened, over a database made by hand: their text, their JSON and their
//! refusals.

use std::path::Path;

use serde_json::{Value, json};
use sqlx::{ConnectOptions, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use volley::base::domain::{Channel, MessageKey};

use crate::audit::campaign;
use crate::cli::{Ran, installation, run};
use crate::support::by_hand::ByHand;

pub(crate) const NAME: &str = "audited";

/// Ten recipients of one campaign, with every fate of a message; one has written, one has opted out, and one receipt
/// belongs to no message.
pub(crate) async fn site() -> TempDir {
    let world = ByHand::start("").await;
    let launched = campaign(&world).await;
    world.write("in-1", Channel::Viber, "Thank you", |_| {}).await;
    world.write("in-2", Channel::Sms, "Stop", |event| event["user"]["msisdn"] = "+6591000007".into()).await;
    let nobodys = MessageKey { batch: launched.batch, n: 99 };
    world.post_receipt(&launched, (nobodys, 0), Channel::Viber, "delivered", None).await.unwrap();
    let folder = installation();
    world.copy_to(&folder.path().join("volley.db")).await;
    world.stop().await;
    folder
}

fn objects(ran: Ran) -> Vec<Value> {
    ran.ended(0).stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Whether words of a header end where the figures below them end.
fn stands_to_the_right(table: &[&str], header: &str) {
    let end = table[0].find(header).unwrap() + header.len();
    for row in &table[1..] {
        let cells = row.chars().take(end).collect::<String>();
        assert!(!cells.ends_with(' ') && row.chars().nth(end).is_none_or(|c| c == ' '), "{header:?} in {table:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_names_the_claims_that_fail_and_exits_accordingly() {
    let folder = site().await;
    let at = folder.path();
    let held = run(at, &["audit", NAME]).ended(0);
    let claims = held.stdout.lines().filter(|line| line.starts_with("  true     ")).count();
    assert!(claims >= 10 && held.stdout.contains("\nEvery statement is true.\n"), "{}", held.stdout);
    assert!(!held.stdout.contains("REFUTED"), "{}", held.stdout);
    assert!(held.stderr.starts_with("Checked 10 messages in "), "{}", held.stderr);
    let shown = run(at, &["audit", NAME, "--json"]).ended(0).json();
    assert_eq!((&shown["proven"], &shown["messages"], &shown["attempt_count"]), (&json!(true), &json!(10), &json!(17)));
    assert_eq!(shown["claims"].as_array().unwrap().len(), claims);

    let mut database = SqliteConnectOptions::new().filename(at.join("volley.db")).connect().await.unwrap();
    sqlx::query("UPDATE message SET outcome = 2 WHERE n = 0").execute(&mut database).await.unwrap();
    drop(database);
    let refuted = run(at, &["audit", NAME]).ended(1).stdout;
    assert!(refuted.contains("\n  REFUTED  ") && refuted.contains(" statements are refuted.\n"), "{refuted}");
    assert!(refuted.contains("             msg_"), "the message is named: {refuted}");
    let shown = run(at, &["audit", NAME, "--json"]).ended(1).json();
    assert_eq!(shown["proven"], json!(false));
    let claims = shown["claims"].as_array().unwrap();
    let refuted = claims.iter().find(|claim| claim["refuted"].as_u64() > Some(0)).unwrap();
    assert!(refuted["examples"][0]["message"].as_str().unwrap().starts_with("msg_"), "{refuted}");
    run(at, &["audit", "autumn"]).ended(1).says(&["autumn"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_by_country_and_code_adds_up_and_is_aligned() {
    let folder = site().await;
    let at = folder.path();
    let shown = run(at, &["campaign", "report", NAME, "--by", "country,code", "--json"]).ended(0).json();
    assert_eq!(shown["audience"], json!(10));
    let country = &shown["by_country"][0];
    assert_eq!((&country["country"], &country["audience"]), (&json!("SG"), &json!(10)), "{shown}");
    let ended: i64 = country["outcomes"].as_object().unwrap().values().map(|count| count.as_i64().unwrap()).sum();
    assert_eq!(ended + country["open"].as_i64().unwrap(), 10, "{country}");
    let codes = shown["by_code"].as_array().unwrap();
    let of = |code: u32| codes.iter().find(|row| row["code"] == json!(code)).unwrap();
    assert_eq!((&of(2_008)["channel"], &of(2_008)["messages"]), (&json!("Viber"), &json!(1)));
    assert_eq!((&of(46)["channel"], &of(46)["step"], &of(46)["ended"]), (&json!("SMS"), &json!(2), &json!(1)));

    let text = run(at, &["campaign", "report", NAME, "--by", "country,code"]).ended(0).stdout;
    let table = |first: &str| -> Vec<&str> {
        let begin = text.lines().position(|line| line.trim_start().starts_with(first)).unwrap();
        text.lines().skip(begin).take_while(|line| !line.is_empty()).collect()
    };
    let countries = table("country");
    assert_eq!(countries.len(), 2, "{text}");
    for header in ["recipients", "reached", "undelivered", "open"] {
        stands_to_the_right(&countries, header);
    }
    let codes = table("result");
    assert_eq!(codes.len(), 3, "{text}");
    for header in ["code", "messages", "ended the step"] {
        stands_to_the_right(&codes, header);
    }
    assert!(codes[1].contains("not on Viber"), "{text}");
    assert_eq!(run(at, &["campaign", "report", NAME, "--by", "both"]).ended(0).stdout, text);
    assert_eq!(run(at, &["campaign", "report", NAME, "--by", "moon"]).code, 2);
    assert!(!run(at, &["campaign", "report", NAME]).ended(0).stdout.contains("country"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_without_a_campaign_lists_its_messages_of_all_campaigns() {
    let folder = site().await;
    let at = folder.path();
    let number = "+6591000000";
    let draft = format!("name = \"spring\"\nnumbers = [\"{number}\"]\n[[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n");
    std::fs::write(at.join("spring.toml"), draft).unwrap();
    run(at, &["campaign", "launch", "spring.toml", "--draft"]).ended(0);
    let listed = run(at, &["message", "explain", number, "--json"]).ended(0).json();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert!(listed[0]["at"].as_str() <= listed[1]["at"].as_str(), "newest last: {listed:?}");
    let of = |name: &str| listed.iter().find(|result| result["campaign"] == name).unwrap();
    assert_eq!((&of(NAME)["outcome"], &of(NAME)["msisdn"]), (&json!("reached"), &json!(number)));
    assert_eq!((&of("spring")["state"], &of("spring")["channel"]), (&json!("queued"), &json!("SMS")));
    let shown = run(at, &["message", "explain", number]).ended(0);
    assert_eq!(shown.stdout.lines().count(), 3, "{}", shown.stdout);
    assert!(shown.stdout.contains("reached on ") && shown.stdout.contains("queued on SMS"), "{}", shown.stdout);
    let last = listed[1]["id"].as_str().unwrap();
    assert_eq!(shown.stderr, format!("To explain one of them: volley message explain {last}\n"));
    run(at, &["message", "explain", last]).ended(0);
    run(at, &["message", "show", "+6591999999"]).ended(1).says(&["no campaign has a message to +6591999999"]);
    run(at, &["message", "show", "+65"]).ended(2).says(&["\"+65\" is not an international phone number"]);
    let explain = |recipient| run(at, &["message", "explain", NAME, recipient]).ended(1);
    explain("+6591999999").says(&[
        "has no message to +6591999999",
        "its recipient files do not have this number",
        "message list",
    ]);
    explain("+65").says(&["\"+65\" is neither a phone number with its country code", "message list"]);
}

fn columns(csv: &str) -> Vec<&str> {
    csv.lines().next().unwrap().split(',').collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_complete_or_not_there() {
    let folder = site().await;
    let at = folder.path();
    let export = |to: &str| run(at, &["campaign", "export", NAME, to]);
    let wrote = export("out.csv").ended(0);
    assert_eq!((wrote.stdout.as_str(), wrote.stderr.as_str()), ("", "Wrote 10 rows of \"audited\" to out.csv.\n"));
    let csv = std::fs::read_to_string(at.join("out.csv")).unwrap();
    let header = columns(&csv);
    assert_eq!(header[..4], ["message", "ClientMessageId", "number", "country"]);
    for column in ["state", "outcome", "reason"] {
        assert!(header.contains(&column), "{header:?}");
    }
    assert_eq!(csv.lines().count(), 11);
    let rows: Vec<Vec<&str>> = csv.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let column = |name: &str| header.iter().position(|column| *column == name).unwrap();
    assert!(rows.iter().all(|row| row.len() == header.len() && row[column("country")] == "SG"), "{csv}");
    let outcomes: Vec<&str> = rows.iter().map(|row| row[column("outcome")]).collect();
    assert_eq!(outcomes[..6], ["reached", "reached", "", "reached", "reached", "undelivered"], "{csv}");
    // The reason of an undelivered one is the meaning of the code that ended its last step.
    let reason = rows[5][column("reason")];
    assert!(!reason.is_empty() && reason == rows[5][column("2 SMS meaning")], "{csv}");

    // Standard output has the same and nothing else, and an existing file is replaced as a whole.
    let piped = export("-").ended(0);
    assert_eq!((piped.stdout.as_str(), piped.stderr.as_str()), (csv.as_str(), ""));
    std::fs::write(at.join("out.csv"), "older and longer\n".repeat(1_000)).unwrap();
    export("out.csv").ended(0);
    assert_eq!(std::fs::read_to_string(at.join("out.csv")).unwrap(), csv);
    export("out.xlsx").ended(0);
    export("out.xlsx").ended(0);
    let refused = export("out.pdf");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("unsupported file type") && !at.join("out.pdf").exists(), "{}", refused.stderr);
    assert!(std::fs::read(at.join("out.xlsx")).unwrap().starts_with(b"PK"));

    let some = run(at, &["campaign", "export", NAME, "-", "--columns", "number,outcome"]).ended(0).stdout;
    assert_eq!(columns(&some), ["number", "outcome"]);
    run(at, &["campaign", "export", NAME, "-", "--columns", "numbr"]).ended(2).says(&["--columns", "numbr", "number"]);
    export("gone/out.csv").ended(1).says(&["gone/out.csv"]);
    std::fs::create_dir(at.join("taken.csv")).unwrap();
    export("taken.csv").ended(1).says(&["taken.csv"]);
    run(at, &["campaign", "export", "autumn", "new.csv"]).ended(1).says(&["autumn"]);
    assert!(!at.join("new.csv").exists());
    // No half-written file remains.
    let left: Vec<_> = std::fs::read_dir(at).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("tmp")), "{left:?}");
}

fn whole_lines(at: &Path, args: &[&str]) -> String {
    let ran = run(at, args).ended(0);
    assert!(ran.stdout.lines().all(|line| line == line.trim_end()), "{:?}", ran.stdout);
    ran.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_replies_are_listed_as_text_and_as_json() {
    let folder = site().await;
    let at = folder.path();
    run(at, &["lane", "pause", "viber", "--reason", "moving"]).ended(0);
    run(at, &["lane", "resume", "viber"]).ended(0);
    let events = objects(run(at, &["events", "--json"]));
    assert!(events.len() >= 2, "{events:?}");
    for key in ["at", "subject", "text"] {
        assert!(events.iter().all(|event| event[key].as_str().is_some_and(|text| !text.is_empty())), "{events:?}");
    }
    assert_eq!(whole_lines(at, &["events"]).lines().count(), events.len());
    assert_eq!(objects(run(at, &["events", "--limit", "1", "--json"])), events[events.len() - 1..]);

    let replies = objects(run(at, &["reply", "list", "--json"]));
    assert_eq!(replies.iter().map(|reply| &reply["keyword"]).collect::<Vec<_>>(), [&Value::Null, &json!("stop")]);
    let shown = whole_lines(at, &["reply", "list"]);
    assert!(shown.lines().count() == 3 && !shown.contains("Thank you") && !shown.contains("6591000007"), "{shown}");
    let unmasked = whole_lines(at, &["reply", "list", "--unmasked", "--from", "+6591000001"]);
    assert!(unmasked.contains("Thank you") && !unmasked.contains("Stop"), "{unmasked}");
    assert_eq!(run(at, &["reply", "list", "--from", "nobody"]).code, 2);

    let out = run(at, &["opt-out", "show", "+6591000007", "--json"]).ended(0).json();
    assert_eq!((&out["is_opted_out"], &out["by"], &out["replies"]), (&json!(true), &json!("recipient"), &json!(1)));
    let out = whole_lines(at, &["opt-out", "show", "91000007", "--country", "SG"]);
    assert!(out.starts_with("+6591000007  opted out since ") && out.contains("stop by message on SMS"), "{out}");
    assert!(out.contains("1 reply received; to list: volley reply list --from +6591000007"), "{out}");
    let may = whole_lines(at, &["opt-out", "show", "+6591000002"]);
    assert_eq!(may, "+6591000002  not opted out\n");
    run(at, &["opt-out", "show", "nonsense"]).ended(2).says(&["nonsense"]);

    let strays = run(at, &["message", "strays"]).ended(0);
    assert_eq!(strays.stderr, "1 receipt belongs to no known message.\n");
    assert_eq!(strays.stdout.lines().count(), 2, "{}", strays.stdout);
    let strays = objects(run(at, &["message", "strays", "--json"]));
    assert!(strays[0]["umid"].as_str().is_some_and(|umid| umid.starts_with("att_")), "{strays:?}");
    let none = run(at, &["message", "strays", "--limit", "0"]).ended(0);
    assert_eq!(none.stderr, "1 receipt belongs to no known message; the latest 0 are shown.\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_with_nothing_to_list_say_so() {
    let world = ByHand::start("").await;
    let folder = installation();
    world.copy_to(&folder.path().join("volley.db")).await;
    world.stop().await;
    for (args, says) in [
        (&["reply", "list"][..], "No replies.\n"),
        (&["message", "strays"], "Every receipt belongs to a known message.\n"),
        (&["opt-out", "list"], "No opt-outs.\n"),
    ] {
        let ran = run(folder.path(), args).ended(0);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", says));
        assert_eq!(run(folder.path(), &[args, &["--json"]].concat()).ended(0).stderr, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_keeps_the_report_and_removes_all_personal_data() {
    let folder = site().await;
    let at = folder.path();
    let purge = |arguments: &[&str]| run(at, &[&["purge"], arguments].concat());
    assert!(purge(&[]).ended(2).stderr.contains("volley purge --after 90d"));
    assert!(purge(&["--after", "90d"]).ended(0).stdout.starts_with("No campaign settled before"));
    // A message to them has no outcome yet.
    let told = purge(&["--recipient", "+6591000007"]).ended(0).stderr;
    assert!(told.contains("1 row in audiences. They cannot be erased yet"), "{told}");
    let open = purge(&["--recipient", "+6591000007", "--yes"]).ended(1);
    assert!(open.stderr.contains("have no outcome yet") && open.stderr.contains(NAME), "{}", open.stderr);

    let found = objects(run(at, &["message", "list", "--to", "+6591000000", "--json"]));
    assert_eq!((found.len(), &found[0]["campaign"]), (1, &json!(NAME)));
    let told = purge(&["--recipient", "+6591000000", "--json"]).ended(0).json();
    let expected = json!({"campaigns": [NAME], "messages": 1, "rows": 1, "open_campaigns": [], "removed": false});
    assert_eq!(told, expected);
    assert!(purge(&["--recipient", "91000000"]).ended(2).stderr.contains("country code"));
    let erased = purge(&["--recipient", "+6591000000", "--yes"]).ended(0);
    assert!(erased.stderr.contains("Erased 1 message and 1 row"), "{}", erased.stderr);
    assert_eq!(run(at, &["message", "list", "--to", "+6591000000"]).ended(0).stdout, "");
    let audit = run(at, &["audit", NAME, "--json"]).json();
    let refuted: Vec<_> = audit["claims"].as_array().unwrap().iter().filter(|claim| claim["refuted"] != 0).collect();
    assert!(refuted.is_empty(), "{refuted:#?}");

    let mut database = SqliteConnectOptions::new().filename(at.join("volley.db")).connect().await.unwrap();
    sqlx::query("UPDATE batch SET settled_at = 1, state = 7 WHERE id = 1").execute(&mut database).await.unwrap();
    sqlx::query("UPDATE inbound SET received = 1").execute(&mut database).await.unwrap();
    // The copy was made while its server ran.
    sqlx::query("UPDATE node SET stopped = 1").execute(&mut database).await.unwrap();
    drop(database);
    let report = run(at, &["campaign", "report", NAME]).ended(0).stdout;
    let told = purge(&["--after", "90d"]).ended(0);
    assert!(told.stdout.contains("1 campaign settled before") && told.stdout.contains(NAME), "{}", told.stdout);
    assert!(told.stderr.contains("Nothing was removed"), "{}", told.stderr);
    let done = purge(&["--after", "90d", "--yes"]).ended(0);
    assert!(done.stderr.contains("10 messages removed"), "{}", done.stderr);
    assert_eq!(purge(&["--after", "90d", "--json"]).ended(0).json()["campaigns"], json!([]));
    let after = run(at, &["campaign", "report", NAME]).ended(0).stdout;
    assert_eq!(after.lines().count(), report.lines().count(), "{report}\n{after}");
    assert!(run(at, &["audit", NAME]).ended(0).stdout.contains("Purged at"));
    assert!(run(at, &["message", "list", NAME]).ended(1).stderr.contains("was purged at"));
    assert!(run(at, &["campaign", "export", NAME, "-"]).ended(1).stderr.contains("its counts remain"));
    let refused = run(at, &["campaign", "retry", NAME, "--outcome", "silent"]).ended(1).stderr;
    assert!(refused.contains("have been purged") && !refused.contains("may get it twice"), "{refused}");

    assert!(purge(&["--compact"]).ended(0).stderr.contains("was rewritten"));
    for file in ["volley.db", "volley.db-wal"] {
        let bytes = std::fs::read(at.join(file)).unwrap_or_default();
        let texts = String::from_utf8_lossy(&bytes);
        for word in ["Thank you", "6591000000"] {
            assert!(!texts.contains(word), "{word} is left in {file}");
        }
    }
}

/// What `doctor` says about opt-outs: the texts, and what to do.
fn opt_out_findings(at: &Path) -> Vec<[String; 2]> {
    let found = run(at, &["doctor", "--json"]).json();
    let findings = found["findings"].as_array().unwrap().iter().filter(|finding| finding["what"] == "opt-outs");
    findings.map(|finding| ["text", "what_to_do"].map(|key| finding[key].as_str().unwrap().to_owned())).collect()
}

/// As databases of before have them: a number that stood for an id, and an opt-out of everything that the provider reported.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_version_left_is_named_and_narrowed() {
    let folder = installation();
    let at = folder.path();
    run(at, &["opt-out", "add", "+6591000001", "--reason", "asked by telephone"]).ended(0);
    assert_eq!(opt_out_findings(at), [] as [[String; 2]; 0]);

    let mut database = SqliteConnectOptions::new().filename(at.join("volley.db")).connect().await.unwrap();
    for statement in [
        "INSERT INTO stand_in (number) VALUES (999000000000007), (999000000000008)",
        "INSERT INTO opt_out (address, since, source, words) VALUES (6591000002, 1700000000000, 1, 'receipt with code 1051')",
        "INSERT INTO wish (address, at, wants, source, words) VALUES (6591000002, 1700000000000, 0, 1, 'receipt with code 1051')",
    ] {
        sqlx::query(statement).execute(&mut database).await.unwrap();
    }
    drop(database);
    let [[made_up, remove], [reported, narrow]] = &opt_out_findings(at)[..] else { panic!("two findings") };
    assert!(
        made_up.contains("2 made-up numbers") && made_up.contains("+999000000000007 and +999000000000008"),
        "{made_up}"
    );
    assert!(remove.contains("remove them there"), "{remove}");
    assert!(reported.contains("opted out of everything because the provider had reported"), "{reported}");
    assert!(narrow.contains("volley opt-out narrow --list"), "{narrow}");

    let listed = run(at, &["opt-out", "narrow", "--list"]).ended(0).stdout;
    assert!(listed.contains("+6591000002") && !listed.contains("+6591000001"), "{listed}");
    let narrowed = run(at, &["opt-out", "narrow", "--reason", "as reported", "--json"]).ended(0).json();
    assert_eq!(narrowed, json!({ "narrowed": 1 }));
    assert_eq!(opt_out_findings(at).len(), 1, "the made-up numbers stay named");
    let listed = run(at, &["opt-out", "list"]).ended(0).stdout;
    let of = |number: &str| listed.lines().find(|line| line.starts_with(number)).unwrap().to_owned();
    assert!(
        of("+6591000001").contains("everything") && of("+6591000002").contains("marketing on WhatsApp"),
        "{listed}"
    );
}
