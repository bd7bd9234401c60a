//! What commands print: lookups by any id, obstacles, suggestions for misspelled names, times and zones.

#[cfg(unix)]
use std::io::{BufRead, BufReader};
use std::path::Path;
#[cfg(unix)]
use std::process::Stdio;

use serde_json::Value;
use volley::base::clock::{Clock, RealClock};
use volley::base::domain::{AttemptId, MessageId, StepIndex};

use super::cli::{Ran, installation, ran, run, volley};
#[cfg(unix)]
use super::cli::{interrupt, serve};

const NAME: &str = "November promo";

/// With the sample campaign launched, and no server to send it.
fn launched() -> tempfile::TempDir {
    let folder = installation();
    run(folder.path(), &["campaign", "launch", "promo.toml", "--unchecked"]).ended(0);
    folder
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_message_is_found_by_its_id_number_client_id_or_umid() {
    let folder = launched();
    let at = folder.path();
    let listed = lines(&run(at, &["message", "list", NAME, "--json"]).ended(0));
    assert_eq!(listed.len(), 50);
    assert_eq!((&listed[1]["state"], &listed[1]["channel"]), (&Value::from("queued"), &Value::from("WhatsApp")));
    assert_eq!(lines(&run(at, &["message", "list", NAME, "--state", "done", "--json"]).ended(0)).len(), 0);
    let people = run(at, &["message", "list", NAME]).ended(0).stdout;
    assert_eq!(people.lines().count(), 51);

    let id = listed[1]["id"].as_str().unwrap();
    let number = listed[1]["msisdn"].as_str().unwrap();
    let MessageId { key, tag } = id.parse().unwrap();
    let attempt = AttemptId { key, step: StepIndex::FIRST, tag }.to_string();
    for which in
        [&[id][..], &[&attempt], &[NAME, number], &[NAME, number.trim_start_matches('+')], &[NAME, "spring-0002"]]
    {
        let shown = run(at, &[&["message", "show", "--json"], which].concat()).ended(0).json();
        assert_eq!((&shown["id"], &shown["msisdn"]), (&listed[1]["id"], &listed[1]["msisdn"]), "{which:?}");
    }
    assert_eq!(listed[1]["client_message_id"], "spring-0002");
    assert!(people.lines().nth(2).unwrap().ends_with("  spring-0002"), "{people}");
    run(at, &["message", "show", NAME, "+6500000000"]).ended(1).says(&["no message to +6500000000", "message list"]);
    run(at, &["message", "show", NAME]).ended(2).says(&["is a campaign", "add a recipient"]);
    run(at, &["message", "explain", "what"]).ended(1).says(&["unknown message \"what\"", "message list"]);
}

#[test]
fn every_example_id_in_the_help_is_valid() {
    let folder = launched();
    for command in ["show", "explain"] {
        let help = run(folder.path(), &["message", command, "--help"]).ended(0).stdout;
        let error = run(folder.path(), &["message", command, "msg_1"]).ended(2).stderr;
        for text in [help, error] {
            let words = text.split_whitespace().filter(|word| word.starts_with("msg_"));
            let whole = words.filter(|word| word.len() == 36).collect::<Vec<_>>();
            assert!(!whole.is_empty(), "{text}");
            assert!(whole.iter().all(|word| word.parse::<MessageId>().is_ok()), "{whole:?}");
        }
    }
    assert_eq!(run(folder.path(), &["message", "explain", "--rules"]).ended(0).stdout.lines().count(), 10);
}

#[test]
fn a_command_does_not_overwrite_its_own_input() {
    let folder = installation();
    let at = folder.path();
    let before = std::fs::read(at.join("recipients.csv")).unwrap();
    let check = ["audience", "check", "recipients.csv"];
    for outputs in [&["--rejects", "recipients.csv"][..], &["--accepted", "./recipients.csv"]] {
        run(at, &[&check[..], outputs].concat()).ended(2).says(&["recipients.csv is the input file"]);
    }
    let twice = ["--accepted", "out.csv", "--rejects", "./out.csv"];
    run(at, &[&check[..], &twice].concat()).ended(2).says(&["out.csv", "both the accepted and the rejected"]);
    assert_eq!(std::fs::read(at.join("recipients.csv")).unwrap(), before);
    assert!(!at.join("out.csv").exists());
}

#[test]
fn obstacles_of_a_campaign_are_shown_wherever_it_is_shown() {
    let folder = launched();
    let at = folder.path();
    run(at, &["campaign", "pause", NAME]).ended(0);
    let paused = run(at, &["campaign", "show", NAME]).ended(0).stdout;
    assert!(paused.contains(&format!("to resume: volley campaign resume '{NAME}'")), "{paused}");
    let repeated = run(at, &["campaign", "pause", NAME]).ended(0).stdout;
    assert!(repeated.contains("is already paused: "), "{repeated}");
    run(at, &["campaign", "resume", NAME]).ended(0);
    run(at, &["lane", "pause", "viber", "--reason", "moving"]).ended(0);
    let again = run(at, &["lane", "pause", "viber"]).ended(0).stdout;
    assert!(again.contains("was already paused (by ann); the reason is unchanged"), "{again}");

    let shown = run(at, &["campaign", "show", NAME]).ended(0).stdout;
    for part in
        ["lane viber: paused ", "by ann (moving)", "volley lane resume viber", "no server is running", "volley serve"]
    {
        assert!(shown.contains(part), "{part:?} is missing in {shown}");
    }
    assert!(!shown.contains("resumed by"), "{shown}");
    let json = run(at, &["campaign", "show", NAME, "--json"]).ended(0).json();
    let kinds: Vec<&str> =
        json["obstacles"].as_array().unwrap().iter().map(|obstacle| obstacle["kind"].as_str().unwrap()).collect();
    assert_eq!((kinds, &json["server"]), (vec!["held", "no server"], &Value::Bool(false)));
    assert_eq!(run(at, &["campaign", "list", "--json"]).ended(0).json()[0]["obstacles"], json["obstacles"]);
}

#[test]
fn a_step_outside_its_send_hours_says_until_when_it_waits() {
    let folder = installation();
    let at = folder.path();
    run(at, &["campaign", "launch", "promo.toml", "--draft"]).ended(0);
    // A holiday for every recipient, whatever the time and the zone.
    let now = RealClock::new().now().millis() / 1_000;
    let day =
        |day: i64| chrono::DateTime::from_timestamp(now + day * 86_400, 0).unwrap().format("%Y-%m-%d").to_string();
    let holidays = [-1, 0, 1].map(day).join(",");
    let changed = run(at, &["campaign", "set", NAME, "--holidays", &holidays]).ended(0).stdout;
    assert!(changed.starts_with("\"November promo\" is changed\n"), "no server knows a draft: {changed}");
    let waits = "Step 1, WhatsApp, waits for the end of a holiday until ";
    let started = run(at, &["campaign", "start", NAME]).ended(0).stdout;
    assert!(started.contains(waits) && started.contains("; 50 messages waiting."), "{started}");
    run(at, &["campaign", "pause", NAME]).ended(0);
    assert!(run(at, &["campaign", "resume", NAME]).ended(0).stdout.contains(waits));
    let shown = run(at, &["campaign", "show", NAME, "--json"]).ended(0).stdout;
    super::documents::json::check(&shown);
    let closed = &serde_json::from_str::<Value>(&shown).unwrap()["closed_hours"][0];
    assert_eq!((&closed["step"], &closed["closed_by"]), (&Value::from(1), &Value::from("holidays")), "{shown}");
}

#[test]
fn a_campaign_file_is_not_read_as_recipients() {
    let folder = installation();
    for command in [&["audience", "check", "promo.toml"][..], &["audience", "import", "promo.toml", "--name", "a"]] {
        let refused = run(folder.path(), command).ended(1);
        refused.says(&["promo.toml is a campaign file, not a recipient file", "volley campaign plan promo.toml"]);
    }
    std::fs::write(folder.path().join("numbers.json"), "{\"numbers\": [\"+6581234567\"]}").unwrap();
    run(folder.path(), &["audience", "check", "numbers.json"]).ended(1).says(&["numbers.json is a campaign file"]);
}

#[test]
fn a_launch_without_a_server_says_that_nothing_is_sent() {
    let folder = installation();
    let launched = run(folder.path(), &["campaign", "launch", "promo.toml", "--unchecked"]).ended(0);
    assert!(launched.stdout.contains("is launched: 50 messages"), "{}", launched.stdout);
    let warning = "not sending: no server is running on this database; start `volley serve`";
    assert!(launched.stderr.contains(warning), "{}", launched.stderr);
}

#[test]
fn a_hold_of_an_unknown_template_is_refused_with_the_nearest_name() {
    let folder = launched();
    let at = folder.path();
    let hold = |name: &str| run(at, &["template", "hold", name]);
    hold("pormo").ended(1).says(&["unknown template \"pormo\"", "did you mean \"promo\"?"]);
    hold("nope").ended(1).says(&["unknown template \"nope\"", "volley template list"]);
    assert_eq!(run(at, &["template", "list", "--json"]).ended(0).json().as_array().unwrap().len(), 1);
    assert_eq!(hold("promo").ended(0).stderr, "");
    // A template of a route is known before a campaign uses it.
    let mut config = std::fs::read_to_string(at.join("volley.toml")).unwrap();
    config += "\n[[route]]\nname = \"codes\"\n[[route.step]]\nchannel = \"WhatsApp\"\n[route.step.template]\n\
               name = \"code\"\nlanguage = \"en\"\ncategory = \"AUTHENTICATION\"\n";
    std::fs::write(at.join("volley.toml"), config).unwrap();
    hold("code").ended(0);
}

#[test]
fn times_are_printed_in_the_zone_of_the_campaign() {
    let folder = installation();
    let at = folder.path();
    let text = std::fs::read_to_string(at.join("promo.toml")).unwrap();
    let text = format!("at = \"2199-12-01T09:00\"\ntime_zone = \"Asia/Singapore\"\n{text}");
    std::fs::write(at.join("promo.toml"), text).unwrap();
    let begins = "2199-12-01 09:00 +08 (Asia/Singapore)";
    let launched = run(at, &["campaign", "launch", "promo.toml", "--unchecked"]).ended(0).stdout;
    assert!(launched.contains(begins), "{launched}");
    for command in [&["list"][..], &["show", NAME], &["report", NAME]] {
        let said = run(at, &[&["campaign"], command].concat()).ended(0).stdout;
        assert!(said.contains(begins), "{begins:?} is missing in {said}");
    }
    let json = run(at, &["campaign", "show", NAME, "--json"]).ended(0).json();
    assert_eq!(json["starts_at"], "2199-12-01T01:00:00.000Z");
}

#[test]
fn a_plan_counts_the_recipients_it_leaves_out_and_why() {
    let folder = installation();
    let at = folder.path();
    let step = "[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\nsource = \"A\"\n";
    let plan = |name: &str, head: &str| {
        std::fs::write(at.join(name), format!("{head}\n{step}")).unwrap();
        run(at, &["campaign", "plan", name]).ended(0).stdout
    };
    let said = plan("numbers.toml", "numbers = [\"+6581234567\", \"call me\"]");
    assert!(said.contains("1 not a number") && said.contains("\"call me\""), "{said}");
    assert!(!said.contains("No problems found."), "{said}");
    std::fs::write(at.join("some.csv"), "Mobile\n+6581234567\n+65812\n").unwrap();
    let said = plan("file.toml", "audience = \"some.csv\"\ncountry = \"SG\"");
    assert!(said.contains("1 too short") && said.contains("volley audience check"), "{said}");
    assert!(plan("good.toml", "numbers = [\"+6581234567\"]").contains("No problems found."));
}

#[test]
fn an_audience_without_recipients_is_not_stored() {
    let folder = installation();
    let at = folder.path();
    std::fs::write(at.join("header.csv"), "Mobile,Name\n").unwrap();
    std::fs::write(at.join("wrong.csv"), "Mobile,Name\n12,Ann\n").unwrap();
    let import = |file: &str, name: &str| run(at, &["audience", "import", file, "--name", name]);
    import("header.csv", "nobody").ended(1).says(&["header.csv has no row"]);
    import("wrong.csv", "nobody").ended(1).says(&["wrong.csv has no valid recipients", "volley audience check"]);
    assert_eq!(import("recipients.csv", " ").code, 2);
    let kept = import("recipients.csv", "members").ended(0).stderr;
    assert!(kept.contains("Stored in the database") && kept.contains("volley.db"), "{kept}");
    assert_eq!(run(at, &["audience", "list", "--json"]).ended(0).json().as_array().unwrap().len(), 1);
}

#[test]
fn an_invalid_environment_variable_is_refused_like_a_key() {
    let folder = installation();
    let with = |variable: &str, value: &str| {
        let mut command = volley(folder.path(), &["lane", "list"]);
        command.env(variable, value);
        ran(command)
    };
    with("VOLLEY_FOO", "1").ended(1).says(&["unknown variable VOLLEY_FOO", "VOLLEY_LOG"]);
    with("VOLLEY_LOG", "nonsense").ended(1).says(&["VOLLEY_LOG", "\"nonsense\"", "debug"]);
    with("VOLLEY_LOG_FORMAT", "xml").ended(1).says(&["VOLLEY_LOG_FORMAT", "\"xml\"", "json"]);
    with("VOLLEY_LOG", "warn,volley::sending::dispatch=debug").ended(0);
    with("VOLLEY_SERVICE_HOST", "10.0.0.1").ended(0);

    run(folder.path(), &["serve", "--listen", "foo"]).ended(2).says(&["--listen", "\"foo\""]);
    let country = ["audience", "check", "recipients.csv", "--country", "XX"];
    run(folder.path(), &country).ended(2).says(&["unknown country \"XX\""]);
}

#[test]
#[cfg(unix)]
fn doctor_does_not_question_the_start_of_a_running_server() {
    let folder = installation();
    let at = folder.path();
    let config = std::fs::read_to_string(at.join("volley.toml")).unwrap();
    std::fs::write(at.join("volley.toml"), config.replace("api_key = \"hunter2\"", "")).unwrap();
    assert!(run(at, &["doctor"]).stdout.contains("`volley serve` would not start"));
    run(at, &["config", "check"]).ended(1).says(&["`volley serve` would not start", "lane"]);
    let checked = run(at, &["config", "check", "--json"]).ended(1).json();
    assert!(checked["error"]["message"].as_str().unwrap().contains("would not start"), "{checked}");

    let mut server = volley(at, &["serve", "--json"]);
    server.env("VOLLEY_PROVIDER_API_KEY", "hunter2").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = server.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let said = run(at, &["doctor"]).stdout;
    interrupt(&server);
    server.wait().unwrap();
    assert!(said.contains("running, last seen") && said.contains("with values that are missing here"), "{said}");
    assert!(!said.contains("would not start"), "{said}");
}

#[test]
#[cfg(unix)]
fn a_lane_without_a_report_yet_is_not_a_missing_server() {
    let folder = installation();
    let at = folder.path();
    let show = ["lane", "show", "late"];
    let (mut server, _) = serve(at, &[]);
    // The running server does not know this lane, and so never reports it.
    let config = std::fs::read_to_string(at.join("volley.toml")).unwrap();
    std::fs::write(at.join("volley.toml"), format!("{config}\n[[lane]]\nname = \"late\"\nchannel = \"RCS\"\n"))
        .unwrap();
    let said = run(at, &show).ended(0).stdout;
    let json = run(at, &[&show[..], &["--json"]].concat()).ended(0).json();
    interrupt(&server);
    server.wait().unwrap();
    assert!(said.contains("running, but it has reported nothing for this lane yet"), "{said}");
    assert_eq!((&json["server"], &json["now"]), (&Value::Bool(true), &Value::Null));
    let said = run(at, &show).ended(0).stdout;
    assert!(said.contains("not running, so nothing is sent"), "{said}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_killed_server_is_reported_at_once_with_what_to_do() {
    let folder = installation();
    let at = folder.path();
    let (mut server, _) = serve(at, &[]);
    server.kill().unwrap();
    server.wait().unwrap();
    let said = run(at, &["doctor"]).stdout;
    for part in ["the last server ended without stopping, last seen 2", " ago)", "start `volley serve`: it recovers"] {
        assert!(said.contains(part), "{part:?} is missing in {said}");
    }
    let lane = run(at, &["lane", "show", "sms"]).ended(0).stdout;
    assert!(lane.contains("not running, so nothing is sent"), "{lane}");
    // The next server continues, and stops in good order.
    let (mut server, _) = serve(at, &[]);
    interrupt(&server);
    server.wait().unwrap();
    assert!(!run(at, &["doctor"]).stdout.contains("ended without stopping"));
}

#[test]
fn the_samples_need_nothing_but_the_practice_provider() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let checked = run(&samples, &["config", "check", "--json"]).ended(0).json();
    assert_eq!((&checked["ok"], &checked["warnings"]), (&Value::Bool(true), &Value::Array(Vec::new())));
    let help = run(&samples, &["simulate", "--help"]).ended(0).stdout;
    assert!(help.contains("key_refused") && help.contains("silent_receipts"), "{help}");
}

/// Looks a finished campaign up by every command that reads it.
pub(super) fn look_back(at: &Path, report: &Value) {
    let name = report["name"].as_str().unwrap();
    let listed = run(at, &["message", "list", name, "--outcome", "reached", "--json"]).ended(0).stdout;
    let listed: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(Value::from(listed.len()), report["outcomes"]["reached"]);
    // By the provider's id of its attempt.
    let id = listed[0]["id"].as_str().unwrap();
    let shown = run(at, &["message", "show", id]).ended(0).stdout;
    let (_, umid) = shown.split_once("accepted it as ").unwrap();
    let umid = umid.split_whitespace().next().unwrap();
    assert_eq!(run(at, &["message", "explain", umid, "--json"]).ended(0).json()["id"], id);
    let watched = run(at, &["campaign", "watch", name, "--json"]).ended(0).json();
    assert_eq!(watched["reached"], report["outcomes"]["reached"]);
    for (watched, reported) in watched["steps"].as_array().unwrap().iter().zip(report["steps"].as_array().unwrap()) {
        for key in ["step", "channel", "handed_over", "delivered", "reached", "fell_back"] {
            assert_eq!(watched[key], reported[key], "{key}");
        }
    }
    let lanes: Vec<&str> =
        watched["lanes"].as_array().unwrap().iter().map(|lane| lane["lane"].as_str().unwrap()).collect();
    assert_eq!(lanes.len(), report["steps"].as_array().unwrap().len(), "{lanes:?}");
    assert!(chrono::DateTime::parse_from_rfc3339(watched["at"].as_str().unwrap()).is_ok(), "{watched}");
    let line = run(at, &["campaign", "watch", name]).ended(0).stdout;
    assert!(line.contains(&format!("{} reached", watched["reached"])), "{line}");
    run(at, &["campaign", "cancel", name]).ended(1).says(&["cannot be cancelled", "every message has its outcome"]);
}
