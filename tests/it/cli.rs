//! The commands as a shell runs them: exit codes, data on stdout, messages on stderr.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use clap::CommandFactory;
use serde_json::Value;
use volley::cli::Cli;

/// `volley` in a folder, with nothing in the environment that could configure it.
pub(crate) fn volley(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_volley"));
    command.current_dir(folder).args(args).env_clear().env("USER", "ann").stdin(Stdio::null());
    command
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

/// What a command printed, and how it ended.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }

    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// It failed with one line that contains all of these; with `--json`, stdout has the error too.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) {
        assert!(self.stdout.is_empty() || self.json()["error"]["message"].is_string(), "{}", self.stdout);
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        assert!(self.stderr.starts_with("volley: "), "{}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is missing in {}", self.stderr);
        }
    }
}

pub(crate) fn ran(mut command: Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().unwrap();
    Ran {
        code: status.code().unwrap_or(-1),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

pub(crate) fn run(folder: &Path, args: &[&str]) -> Ran {
    ran(volley(folder, args))
}

/// A folder with the samples, and a configuration whose provider does not listen.
pub(crate) fn installation() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["recipients.csv", "promo.toml"] {
        std::fs::copy(samples().join(name), folder.path().join(name)).unwrap();
    }
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = format!(
        r#"
        [server]
        listen = "127.0.0.1:0"
        [provider]
        base_url = "http://{unused}"
        sub_account = "acme"
        api_key = "hunter2"
        [[lane]]
        name = "promo-sg"
        channel = "WhatsApp"
        number = "+6531234567"
        [[lane]]
        name = "viber"
        channel = "Viber"
        [[lane]]
        name = "sms"
        channel = "SMS"
        "#
    );
    std::fs::write(folder.path().join("volley.toml"), config).unwrap();
    folder
}

#[test]
fn every_command_has_help() {
    fn explain(command: &clap::Command, path: &[&str]) {
        let help = run(Path::new("."), &[path, &["--help"]].concat()).ended(0);
        assert!(help.stdout.contains("Usage:"), "{path:?}");
        assert_eq!(help.stderr, "");
        assert!(path.is_empty() || command.get_about().is_some(), "{path:?} says nothing about itself");
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help" && !inner.is_hide_set()) {
            explain(inner, &[path, &[inner.get_name()]].concat());
        }
    }
    explain(&Cli::command(), &[]);
}

#[test]
fn wrong_usage_exits_with_2_and_a_failure_with_1() {
    let folder = installation();
    let at = folder.path();
    assert_eq!(run(at, &[]).code, 2);
    assert_eq!(run(at, &["lunch"]).code, 2);
    assert_eq!(run(at, &["audience", "check", "recipients.csv", "--country", "Singapore"]).code, 2);
    let past = ["campaign", "launch", "promo.toml", "--at", "2001-01-01T00:00Z", "--unchecked"];
    run(at, &past).ended(2).says(&["--at", "2001", "later"]);
    run(at, &["audience", "check", "nobody.csv"]).ended(1).says(&["nobody.csv", "check that it exists"]);
    run(at, &["campaign", "plan", "nothing.toml"]).ended(1).says(&["nothing.toml"]);
    run(at, &["campaign", "show", "x"]).ended(1).says(&["does not exist yet", "volley serve"]);
    run(at, &["lane", "pause", "promo-gs"]).ended(1).says(&["promo-gs", "did you mean \"promo-sg\"?"]);
}

#[test]
fn a_misspelled_key_of_the_configuration_is_refused_with_its_name() {
    let folder = installation();
    std::fs::write(folder.path().join("wrong.toml"), "[server]\nlisen = \"127.0.0.1:1\"\n").unwrap();
    run(folder.path(), &["--config", "wrong.toml", "config", "check"]).ended(1).says(&["wrong.toml", "\"listen\""]);
    run(folder.path(), &["config", "check", "--config", "gone.toml"]).ended(1).says(&["gone.toml"]);
}

#[test]
fn a_check_counts_every_row_once() {
    let check = ["audience", "check", "recipients-messy.csv", "--country", "DE", "--json"];
    let summary = run(&samples(), &check).ended(0).json();
    let count = |key: &str| summary[key].as_u64().unwrap();
    assert_eq!(count("rows"), count("valid") + count("invalid") + count("duplicates") + count("opted_out"));
    let sum = |key: &str| summary[key].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("countries"), sum("reasons")), (count("valid"), count("rows") - count("valid")));
    assert_eq!(summary["number_column"], "Telefon");

    assert_eq!(run(&samples(), &[&check[..], &["--strict"]].concat()).code, 3);
    let people = run(&samples(), &check[..5]).ended(0);
    assert!(people.stdout.contains("Rejected, and what to do"), "{}", people.stdout);
    assert_eq!(people.stderr, "");
}

#[test]
fn accepted_and_rejected_rows_are_written_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = samples().join("recipients-messy.csv");
    let args = ["audience", "check", file.to_str().unwrap(), "--accepted", "a.csv", "--rejects", "r.csv", "--json"];
    let summary = run(folder.path(), &args).ended(0).json();
    let rows = |name: &str| csv::Reader::from_path(folder.path().join(name)).unwrap().records().count() as u64;
    let valid = summary["valid"].as_u64().unwrap();
    assert_eq!((rows("a.csv"), rows("r.csv")), (valid, summary["rows"].as_u64().unwrap() - valid));
}

#[test]
fn a_plan_shows_what_would_be_sent_and_keeps_nothing() {
    let folder = installation();
    let plan = run(folder.path(), &["campaign", "plan", "promo.toml", "--json"]).ended(0).json();
    assert_eq!((&plan["ok"], &plan["recipients"]), (&Value::Bool(true), &Value::from(50)));
    assert_eq!(plan["bottleneck"], "the rate of lane promo-sg");
    assert!(plan["left_by"].is_string(), "{plan}");
    let steps = plan["steps"].as_array().unwrap();
    let channels: Vec<_> = steps.iter().map(|step| step["channel"].as_str().unwrap()).collect();
    assert_eq!(channels, ["WhatsApp", "Viber", "SMS"]);
    assert!(steps.iter().all(|step| step["previews"].as_array().unwrap().len() == 3));
    let warned: Vec<_> = plan["warnings"].as_array().unwrap().iter().map(|warning| &warning["code"]).collect();
    assert!(warned.contains(&&Value::from("overlap")), "{warned:?}");

    let shown = run(folder.path(), &["campaign", "plan", "promo.toml"]).ended(0);
    assert!(shown.stdout.contains("Hi Wei Ling, your code is SPRING001."), "{}", shown.stdout);
    assert!(!folder.path().join("volley.db").exists());
}

#[test]
fn all_problems_of_a_campaign_file_are_reported_at_once() {
    let folder = installation();
    let text = "audience = \"recipients.csv\"\nsubject = \"x\"\n[[step]]\nchannel = \"Pigeon\"\ntext = \"Hi\"\n";
    std::fs::write(folder.path().join("wrong.toml"), text).unwrap();
    let told = run(folder.path(), &["campaign", "plan", "wrong.toml"]).ended(1);
    assert_eq!(told.stderr.lines().count(), 2, "{}", told.stderr);
    assert!(told.stderr.lines().all(|line| line.starts_with("volley: wrong.toml, ")), "{}", told.stderr);
    let json = run(folder.path(), &["campaign", "plan", "wrong.toml", "--json"]).ended(1).json();
    assert_eq!((&json["error"]["exit"], json["error"]["problems"].as_array().unwrap().len()), (&Value::from(1), 2));
}

#[test]
fn with_json_a_failed_command_also_prints_its_error_as_an_object() {
    let folder = installation();
    let at = folder.path();
    std::fs::write(at.join("wrong.toml"), "audience = \"recipients.csv\"\nsubject = \"x\"\n").unwrap();
    let past = ["campaign", "launch", "promo.toml", "--at", "2001-01-01T00:00Z", "--unchecked"];
    for (args, exit, part) in [
        (&["campaign", "show", "x"][..], 1, "does not exist yet"),
        (&["audience", "check", "nobody.csv"], 1, "nobody.csv"),
        (&["campaign", "launch", "wrong.toml"], 1, "subject"),
        (&["--config", "gone.toml", "lane", "list"], 1, "gone.toml"),
        (&past, 2, "--at"),
        // The argument parser refuses these.
        (&["lane", "list", "--such"], 2, "--such"),
        (&["campaign", "show"], 2, "CAMPAIGN is missing"),
        (&["message", "list", "x", "--state", "sent"], 2, "--state: \"sent\" is unknown"),
    ] {
        let failed = run(at, &[args, &["--json"]].concat()).ended(exit);
        let error = failed.json()["error"].clone();
        let message = error["message"].as_str().unwrap();
        assert_eq!(error["exit"], exit, "{error}");
        assert!(message.contains(part) && failed.stderr.contains(part), "{error}");
        assert_eq!(run(at, args).ended(exit).stdout, "");
    }
    assert_eq!(run(at, &["lane", "list", "--help", "--json"]).ended(0).stdout.find("{\"error"), None);
}

#[test]
fn no_secret_is_shown() {
    let folder = installation();
    for args in [&["config", "show"][..], &["config", "show", "--json"], &["config", "check"], &["doctor"]] {
        let mut command = volley(folder.path(), args);
        command.env("VOLLEY_PROVIDER_WEBHOOK_AUTHORIZATION", "Bearer sesame");
        let ran = ran(command);
        let printed = ran.stdout + &ran.stderr;
        assert!(!printed.contains("hunter2") && !printed.contains("sesame"), "{printed}");
        assert!(args[1..].iter().all(|arg| *arg != "show") || printed.contains("***"), "{printed}");
    }
}

#[test]
fn a_launch_without_a_reachable_provider_needs_unchecked() {
    let folder = installation();
    let at = folder.path();
    run(at, &["campaign", "launch", "promo.toml"]).ended(1).says(&["cannot be reached", "--unchecked"]);
    assert!(!at.join("volley.db").exists());

    let launch = ["campaign", "launch", "promo.toml", "--unchecked", "--json"];
    let launched = run(at, &launch).ended(0);
    assert!(launched.stderr.contains("[overlap]"), "{}", launched.stderr);
    let launched = launched.json();
    assert_eq!((&launched["state"], &launched["messages"]), (&Value::from("running"), &Value::from(50)));
    run(at, &["campaign", "launch", "promo.toml", "--unchecked"])
        .ended(1)
        .says(&["campaign \"November promo\" already exists", "--name"]);

    let id = launched["id"].as_str().unwrap();
    let shown = run(at, &["campaign", "show", id, "--json"]).ended(0).json();
    assert_eq!((&shown["id"], &shown["name"]), (&launched["id"], &launched["name"]));
    assert_eq!(shown["counts"]["queued"], 50);
    let listed = run(at, &["campaign", "list", "--json"]).ended(0).json();
    assert_eq!(listed[0]["messages"], 50);
    run(at, &["campaign", "show", "november promo"]).ended(1).says(&["did you mean \"November promo\"?"]);

    let decided = |what: &str| run(at, &["campaign", what, "November promo", "--json"]);
    assert_eq!(decided("pause").ended(0).json()["state"], "paused");
    // A repeated command succeeds.
    assert_eq!(decided("pause").ended(0).json()["state"], "paused");
    assert_eq!(decided("resume").ended(0).json()["state"], "running");
    assert_eq!(decided("cancel").ended(0).json()["state"], "cancelling");
    let report = decided("report").ended(0).json();
    assert_eq!((&report["outcomes"]["cancelled"], &report["open"]), (&Value::from(50), &Value::from(0)));
    assert!(run(at, &["campaign", "report", id]).ended(0).stdout.contains("cancelled by ann"));
}

#[test]
fn a_draft_is_tested_and_started_and_its_steps_are_paused() {
    let folder = installation();
    let at = folder.path();
    std::fs::copy(samples().join("prices.csv"), at.join("prices.csv")).unwrap();
    let config = std::fs::read_to_string(at.join("volley.toml")).unwrap();
    std::fs::write(at.join("volley.toml"), format!("{config}\n[prices]\nfile = \"prices.csv\"\n")).unwrap();
    let plan = run(at, &["campaign", "plan", "promo.toml", "--json"]).ended(0).json();
    assert_eq!(plan["cost"]["currency"], "EUR");

    let draft = run(at, &["campaign", "launch", "promo.toml", "--draft", "--json"]).ended(0).json();
    assert_eq!((&draft["state"], &draft["messages"]), (&Value::from("draft"), &Value::from(50)));
    let name = "November promo";
    run(at, &["campaign", "pause", name]).ended(1).says(&["it is a draft; nothing is sent before it is started"]);
    let test = ["campaign", "test", name, "--to", "+6591234567,+6598765432", "--step", "3", "--json"];
    let tried = run(at, &test).ended(0).json();
    assert_eq!((&tried["name"], &tried["messages"]), (&Value::from("November promo (test)"), &Value::from(2)));
    let list = |args: &[&str]| run(at, &[&["campaign", "list"], args].concat()).ended(0);
    assert_eq!(list(&["--json"]).json().as_array().unwrap().len(), 1, "test sends are left out");
    assert!(list(&[]).stderr.contains("1 test send is not listed; to list all: volley campaign list --all"));
    assert_eq!(list(&["--all", "--json"]).json()[1]["test"], true);
    let calendar = run(at, &["campaign", "calendar", "--json"]).ended(0).json();
    assert_eq!(calendar.as_array().unwrap().len(), 1, "{calendar}");
    assert_eq!(run(at, &["campaign", "show", "latest", "--json"]).ended(0).json()["name"], name);
    run(at, &["campaign", "test", "promo.toml", "--to", "12"])
        .ended(1)
        .says(&["1 of 1 numbers cannot be used. \"12\": "]);
    assert_eq!(run(at, &["campaign", "start", name, "--json"]).ended(0).json()["state"], "running");

    let held = run(at, &["campaign", "pause", name, "--step", "3", "--json"]).ended(0).json();
    assert_eq!((&held["held"], &held["step"]), (&Value::Bool(true), &Value::from(3)));
    run(at, &["campaign", "pause", name, "--step", "4"]).ended(2).says(&["has no step 4; it has 3 steps"]);
    let none = run(at, &["campaign", "pause", name, "--step", "0"]).ended(2);
    assert!(none.stderr.contains("invalid step \"0\"; write its number"), "{}", none.stderr);
    let shown = run(at, &["campaign", "show", name, "--json"]).ended(0).json();
    let kinds: Vec<_> = shown["obstacles"].as_array().unwrap().iter().map(|found| found["kind"].clone()).collect();
    assert!(kinds.contains(&Value::from("step held")), "{shown}");
    for key in ["left_by", "bottleneck", "finished_by", "settled_by"] {
        assert!(shown[key].is_string(), "{key}: {shown}");
    }
    assert!(shown["settled_by"].as_str() > shown["finished_by"].as_str(), "{shown}");
    let said = run(at, &["campaign", "show", name]).ended(0).stdout;
    assert!(said.contains("step 3, SMS, is paused by ann") && said.contains("--step 3"), "{said}");
    // Resuming the campaign resumes its steps.
    run(at, &["campaign", "resume", name]).ended(0);
    assert!(!run(at, &["campaign", "show", name]).ended(0).stdout.contains("is paused"));
    let report = run(at, &["campaign", "report", name, "--json"]).ended(0).json();
    assert_eq!((&report["currency"], &report["steps"][2]["spent"]), (&Value::from("EUR"), &Value::from("0.00")));
}

#[test]
fn a_campaign_is_changed_after_its_launch() {
    let folder = installation();
    let at = folder.path();
    run(at, &["campaign", "launch", "promo.toml", "--unchecked"]).ended(0);
    let set = |flags: &[&str]| run(at, &[&["campaign", "set", "November promo"], flags].concat());
    let said = set(&["--end", "2099-12-02T18:00Z", "--quiet-hours", "22:00-07:00", "--quiet-hours", "12:00-13:00"]);
    let said = said.ended(0).stdout;
    for line in ["is changed", "2099-12-02", "22:00-07:00, 12:00-13:00", "steps 1–3", "none"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let changed = set(&["--step", "3", "--max-messages", "20", "--json"]).ended(0).json();
    let key = serde_json::json!({ "step": 3, "key": "max_messages", "before": "none", "after": "20" });
    assert_eq!((&changed["changes"], &changed["state"]), (&Value::from(vec![key]), &Value::from("running")));
    assert!(set(&["--step", "3", "--max-messages", "20"]).ended(0).stdout.contains("already has these settings"));
    assert!(run(at, &["events"]).ended(0).stdout.contains("changed by ann: step 3: max_messages: 20 instead of none"));
    let calendar = run(at, &["campaign", "calendar", "--json"]).ended(0).json();
    assert_eq!(calendar[0]["end"], "2099-12-02T18:00:00.000Z");

    set(&[]).ended(2).says(&["nothing to change", "volley lane set"]);
    set(&["--end", "2020-01-01T00:00Z"])
        .ended(2)
        .says(&["volley: nothing was changed: --end: \"2020-01-01T00:00Z\" is not after now"]);
    let wrong = set(&["--at", "tomorrow", "--quiet-hours", "9", "--json"]).ended(2);
    assert!(wrong.stderr.contains("--at: \"tomorrow\" is not a time"), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("--quiet-hours: \"9\" is not a time range"), "{}", wrong.stderr);
    assert_eq!(wrong.json()["error"]["problems"][1]["key"], "quiet_hours");
    assert!(set(&["--at", "2099-02-30T10:00"]).ended(2).stderr.contains("there is no day 2099-02-30"));
    set(&["--step", "9", "--max-messages", "1"]).ended(2).says(&["has no step 9; it has 3 steps"]);
    set(&["--step", "3", "--end", "none"]).ended(2).says(&["applies to the whole campaign; leave out the step"]);
    run(at, &["campaign", "cancel", "November promo"]).ended(0);
    set(&["--max-messages", "none"]).ended(1).says(&["cannot be changed", "it has been cancelled"]);
}

#[test]
fn lanes_and_templates_are_held_and_released() {
    let folder = installation();
    let at = folder.path();
    let holds = || run(at, &["lane", "list", "--json"]).ended(0).json()[0]["holds"].clone();
    run(at, &["lane", "pause", "promo-sg", "--reason", "moving"]).ended(0);
    assert_eq!(holds()[0]["reason"], "paused by ann: moving");
    assert_eq!(holds()[0]["what_to_do"], "to resume: volley lane resume promo-sg");
    assert!(run(at, &["lane", "list"]).ended(0).stdout.contains("volley lane resume promo-sg"));
    run(at, &["lane", "resume", "promo-sg"]).ended(0);
    assert_eq!(holds(), Value::Array(Vec::new()));

    run(at, &["campaign", "launch", "promo.toml", "--draft"]).ended(0);
    run(at, &["template", "hold", "promo", "--lane", "viber"]).ended(1).says(&["only WhatsApp lanes have templates"]);
    run(at, &["template", "hold", "promo", "--reason", "wrong picture"]).ended(0);
    let again = run(at, &["template", "hold", "promo", "--reason", "another"]).ended(0).stdout;
    assert_eq!(again, "Template promo was already on hold on promo-sg (by ann); the reason is unchanged.\n");
    let templates = run(at, &["template", "list", "--json"]).ended(0).json();
    assert_eq!(templates[0]["holds"][0]["template"], "promo");
    run(at, &["template", "resume", "promo"]).ended(0);
    assert_eq!(run(at, &["template", "list", "--json"]).ended(0).json(), Value::Array(Vec::new()));
}

#[test]
#[cfg(unix)]
fn a_campaign_on_a_removed_lane_is_reported_with_its_remedy() {
    let folder = installation();
    let at = folder.path();
    run(at, &["campaign", "launch", "promo.toml", "--unchecked"]).ended(0);
    let show = ["campaign", "show", "November promo"];
    assert_eq!(run(at, &[&show[..], &["--json"]].concat()).ended(0).json()["stranded"], Value::Null);
    let config = std::fs::read_to_string(at.join("volley.toml")).unwrap();
    // The first lane is renamed, and the last one removed.
    let (config, _) = config.split_once("[[lane]]\n        name = \"sms\"").unwrap();
    std::fs::write(at.join("volley.toml"), config.replace("promo-sg", "promo")).unwrap();

    let stranded = run(at, &[&show[..], &["--json"]].concat()).ended(0).json()["stranded"].clone();
    assert_eq!(stranded[0], serde_json::json!({ "lane": "promo-sg", "channel": "WhatsApp", "queued": 50 }));
    assert_eq!((&stranded[1]["lane"], &stranded[1]["queued"]), (&Value::from("sms"), &Value::from(0)));
    let (mut server, _) = serve(at, &[]);
    let told = |text: &str| {
        for part in
            ["50 messages wait for lane promo-sg", "add lane promo-sg", "volley campaign cancel 'November promo'"]
        {
            assert!(text.contains(part), "{part:?} is missing in {text}");
        }
    };
    told(&run(at, &show).ended(0).stdout);
    told(&run(at, &["doctor"]).stdout);
    interrupt(&server);
    assert_eq!(server.wait().unwrap().code(), Some(0));
    let mut said = String::new();
    server.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    told(&said);

    run(at, &["campaign", "cancel", "November promo"]).ended(0);
    assert_eq!(run(at, &[&show[..], &["--json"]].concat()).ended(0).json()["stranded"], Value::Null);
}

#[test]
fn an_imported_audience_is_found_by_its_name() {
    let folder = installation();
    let at = folder.path();
    let import = ["audience", "import", "recipients.csv", "--name", "members", "--json"];
    assert_eq!(run(at, &import).ended(0).json()["valid"], 50);
    run(at, &import).ended(1).says(&["an audience \"members\" exists", "--append members"]);
    assert_eq!(run(at, &["audience", "list", "--json"]).ended(0).json()[0]["recipients"], 50);
    assert_eq!(run(at, &["audience", "show", "members", "--json"]).ended(0).json()["parts"][0]["summary"]["valid"], 50);
    run(at, &["audience", "delete", "member"]).ended(1).says(&["did you mean \"members\"?"]);
    run(at, &["audience", "delete", "members"]).ended(0);
    assert_eq!(run(at, &["audience", "list", "--json"]).ended(0).json(), Value::Array(Vec::new()));
}

#[test]
fn plan_and_launch_count_duplicates_across_sources() {
    let folder = installation();
    let at = folder.path();
    let text = std::fs::read_to_string(at.join("promo.toml")).unwrap();
    let twice = text.replace("\"recipients.csv\"", "[\"recipients.csv\", \"recipients.csv\"]");
    assert_ne!(twice, text);
    std::fs::write(at.join("promo.toml"), twice).unwrap();
    let plan = run(at, &["campaign", "plan", "promo.toml", "--json"]).ended(0).json();
    assert_eq!((&plan["recipients"], &plan["duplicates_across"]), (&Value::from(50), &Value::from(50)));
    let shown = run(at, &["campaign", "plan", "promo.toml"]).ended(0);
    assert!(shown.stdout.contains("50 duplicates across sources"), "{}", shown.stdout);
    let launch = ["campaign", "launch", "promo.toml", "--unchecked"];
    let launched = run(at, &launch).ended(0);
    assert!(
        launched.stdout.contains("50 messages, 50 rows left out (50 duplicates across sources)"),
        "{}",
        launched.stdout
    );
    let again = run(at, &[&launch[..], &["--name", "again", "--strict", "--json"]].concat()).ended(3).json();
    assert_eq!((&again["messages"], &again["duplicates_across"]), (&Value::from(50), &Value::from(50)));
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let mut child =
        volley(&samples(), &["audience", "check", "recipients.csv"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// A server, and the first line that it printed.
pub(crate) fn serve(folder: &Path, args: &[&str]) -> (Child, Value) {
    let mut command = volley(folder, &[&["serve", "--json"], args].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

/// As a service manager asks a server to stop.
#[cfg(unix)]
pub(crate) fn interrupt(server: &Child) {
    let killed = Command::new("/bin/sh").args(["-c", &format!("kill -TERM {}", server.id())]).status().unwrap();
    assert!(killed.success());
}

#[test]
#[cfg(unix)]
fn a_second_server_is_refused_and_the_first_stops_in_good_order() {
    let folder = installation();
    let at = folder.path();
    let (mut server, listening) = serve(at, &[]);
    let address = listening["listen"].as_str().unwrap().trim_start_matches("http://").to_owned();
    run(at, &["serve"]).ended(1).says(&["another volley serve is running"]);
    // The port is taken as well, but another port would not help.
    run(at, &["serve", "--listen", &address]).ended(1).says(&["another volley serve is running"]);
    let other = installation();
    run(other.path(), &["serve", "--listen", &address]).ended(1).says(&[&address, "the port is in use"]);
    let doctor = run(at, &["doctor"]);
    assert!(doctor.stdout.contains("running, last seen"), "{}", doctor.stdout);

    interrupt(&server);
    assert_eq!(server.wait().unwrap().code(), Some(0));
    let mut told = String::new();
    server.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(told.ends_with("Stopped.\n"), "{told}");
}

#[test]
fn a_server_without_lanes_runs_until_it_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, listening) = serve(folder.path(), &["--listen", "127.0.0.1:0"]);
    assert_eq!(listening["lanes"], serde_json::json!([]));
    let doctor = run(folder.path(), &["doctor"]);
    assert!(doctor.stdout.contains("running, last seen"), "{}", doctor.stdout);
    interrupt(&server);
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

#[test]
fn the_figures_of_a_demonstration_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let demo = run(folder.path(), &["demo", "--recipients", "200", "--data", "kept", "--json"]).ended(0);
    super::documents::json::check(&demo.stdout);
    let report = demo.json();
    assert_eq!((&report["audience"], &report["open"]), (&Value::from(200), &Value::from(0)));
    let outcomes: i64 = report["outcomes"].as_object().unwrap().values().map(|n| n.as_i64().unwrap()).sum();
    assert_eq!(outcomes, 200);
    let kept = folder.path().join("kept");
    let watched = run(&kept, &["campaign", "watch", "latest", "--json"]).ended(0).stdout;
    super::documents::json::check(&watched);
    super::command_output::look_back(&kept, &report);
    let steps = report["steps"].as_array().unwrap();
    let reached: i64 = steps.iter().map(|step| step["reached"].as_i64().unwrap()).sum();
    assert_eq!(Value::from(reached), report["outcomes"]["reached"]);
    let saved: i64 = steps[1..].iter().map(|step| step["reached"].as_i64().unwrap()).sum();
    assert!(saved > 0);
    assert_eq!(Value::from(saved), report["saved_by_fallback"]);
    for lane in report["lanes"].as_array().unwrap() {
        let most = lane["allowed_per_s"].as_f64().unwrap() + lane["burst"].as_f64().unwrap();
        assert!(lane["peak_per_s"].as_f64().unwrap() <= most, "{lane}");
    }
}
