//! Commands on another server: what they print, what they refuse, and that each change happens once.
#![cfg(unix)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::cli::{Ran, installation, interrupt, ran, run, serve, volley};

/// A server with a draft, and the keys of its callers.
struct There {
    folder: tempfile::TempDir,
    server: Child,
    url: String,
}

impl There {
    fn start() -> Self {
        let folder = installation();
        let at = folder.path();
        run(at, &["audience", "import", "recipients.csv", "--name", "members"]).ended(0);
        let draft = ["campaign", "launch", "promo.toml", "--draft", "--unchecked", "--name", "Promo"];
        run(at, &draft).ended(0);
        run(at, &["opt-out", "add", "+6581234599", "--reason", "asked"]).ended(0);
        let (server, listening) = serve(at, &[]);
        let url = listening["listen"].as_str().unwrap().to_owned();
        Self { folder, server, url }
    }

    fn at(&self) -> &Path {
        self.folder.path()
    }

    /// Makes a key with these scopes, and returns the file that holds it.
    fn key(&self, name: &str, more: &[&str]) -> PathBuf {
        let made = run(self.at(), &[&["key", "create", "--name", name], more].concat()).ended(0);
        let file = self.at().join(format!("{name}.key"));
        std::fs::write(&file, made.stdout).unwrap();
        only_for_its_owner(&file);
        file
    }

    fn here(&self, args: &[&str]) -> Ran {
        run(self.at(), args)
    }

    fn stop(mut self) {
        interrupt(&self.server);
        assert_eq!(self.server.wait().unwrap().code(), Some(0));
    }
}

fn only_for_its_owner(file: &Path) {
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Runs a command on a server, from a folder that has nothing.
fn there(url: &str, key: &Path, args: &[&str]) -> Ran {
    there_from(tempfile::tempdir().unwrap().path(), url, key, args)
}

/// The same, from a folder that has files.
fn there_from(folder: &Path, url: &str, key: &Path, args: &[&str]) -> Ran {
    run(folder, &[&["--server", url, "--key-file", key.to_str().unwrap()], args].concat())
}

/// What a command printed, without the time at which it looked.
fn comparable(ran: &Ran) -> (i32, String, String) {
    let strip = |line: &str| match serde_json::from_str::<Value>(line) {
        Ok(mut value) => {
            without_time(&mut value);
            value.to_string()
        }
        Err(_) => line.to_owned(),
    };
    let lines: Vec<String> = ran.stdout.lines().map(strip).collect();
    (ran.code, lines.join("\n"), ran.stderr.clone())
}

fn without_time(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for key in ["at", "left_by", "finished_by"] {
                members.remove(key);
            }
            members.values_mut().for_each(without_time);
        }
        Value::Array(values) => values.iter_mut().for_each(without_time),
        _ => {}
    }
}

#[test]
fn a_command_prints_there_what_it_prints_here() {
    let server = There::start();
    let key = server.key("laptop", &["--scope", "read,manage"]);
    for args in [
        &["campaign", "list"][..],
        &["campaign", "list", "--all", "--json"],
        &["campaign", "show", "Promo"],
        &["campaign", "show", "Promo", "--json"],
        &["campaign", "report", "Promo"],
        &["campaign", "report", "Promo", "--by", "both", "--json"],
        &["campaign", "report", "Promo", "--strict"],
        &["campaign", "calendar"],
        &["campaign", "calendar", "--json"],
        &["audience", "list"],
        &["audience", "show", "members", "--json"],
        &["audience", "sample", "members"],
        &["message", "list", "Promo"],
        &["message", "list", "--to", "+6581234510", "--json"],
        &["message", "show", "Promo", "+6581234510"],
        &["message", "explain", "--rules"],
        &["message", "strays"],
        &["lane", "list", "--json"],
        &["lane", "show", "promo-sg"],
        &["template", "list"],
        &["opt-out", "list"],
        &["opt-out", "show", "+6581234599", "--json"],
        &["reply", "list"],
        &["events", "--limit", "5"],
        &["events", "--limit", "5", "--json"],
        // Errors are the same, too.
        &["campaign", "show", "Prom"],
        &["campaign", "show", "Prom", "--json"],
        &["message", "show", "msg_1"],
        &["lane", "show", "promo-gs"],
        &["opt-out", "show", "12"],
        &["campaign", "resume", "Promo", "--step", "9"],
    ] {
        // The server works meanwhile: compare once nothing has changed between two looks from here.
        let looks = (0..100).find_map(|_| {
            let before = comparable(&server.here(args));
            let remote = comparable(&there(&server.url, &key, args));
            (before == comparable(&server.here(args))).then_some((before, remote))
        });
        let (before, remote) = looks.unwrap_or_else(|| panic!("{args:?} prints something else each time"));
        assert_eq!(remote, before, "{args:?}");
    }
    server.stop();
}

#[test]
fn a_change_is_made_there_in_the_name_of_the_key() {
    let server = There::start();
    let key = server.key("laptop", &["--scope", "read,manage"]);
    let on = |args: &[&str]| there(&server.url, &key, args);
    assert!(on(&["campaign", "rename", "Promo", "Spring"]).ended(0).stdout.contains("is renamed to \"Spring\""));
    let paused = on(&["lane", "pause", "promo-sg", "--reason", "too early", "--by", "bob", "--json"]).ended(0).json();
    assert_eq!(paused["holds"][0]["by_operator"], Value::from(true), "{paused}");
    let lane = server.here(&["lane", "show", "promo-sg"]).ended(0).stdout;
    assert!(lane.contains("bob (key laptop)") && lane.contains("too early"), "{lane}");
    on(&["lane", "resume", "promo-sg"]).ended(0);
    on(&["opt-out", "add", "+6581234510"]).ended(0);
    let opted_out = server.here(&["opt-out", "show", "+6581234510"]).ended(0).stdout;
    assert!(opted_out.contains("opted out since") && opted_out.contains("laptop"), "{opted_out}");
    assert!(on(&["campaign", "delete", "Spring"]).ended(0).stdout.contains("is deleted"));
    server.here(&["campaign", "show", "Spring"]).ended(1);
    server.stop();
}

#[test]
fn a_campaign_file_of_this_computer_is_launched_there() {
    let server = There::start();
    let key = server.key("laptop", &["--scope", "read,manage"]);
    let elsewhere = tempfile::tempdir().unwrap();
    let on = |args: &[&str]| there_from(elsewhere.path(), &server.url, &key, args);
    let text = std::fs::read_to_string(server.at().join("promo.toml")).unwrap();
    let recipients = "audience = \"recipients.csv\"";
    assert!(text.contains(recipients), "the sample has changed");
    let write = |name: &str, text: &str| std::fs::write(elsewhere.path().join(name), text).unwrap();
    write("file.toml", &text);
    write("recipients.csv", "msisdn\n+6591234567\n");
    on(&["campaign", "launch", "file.toml"])
        .ended(1)
        .says(&["file.toml", "\"recipients.csv\" is a file of this computer"]);
    write("members.toml", &text.replace(recipients, "audience = \"members\""));
    std::fs::copy(elsewhere.path().join("members.toml"), server.at().join("members.toml")).unwrap();

    let plan = ["campaign", "plan", "members.toml", "--offline", "--json"];
    assert_eq!(comparable(&on(&plan).ended(0)), comparable(&server.here(&plan)));
    write("wrong.toml", &text.replace("audience", "audiense"));
    on(&["campaign", "plan", "wrong.toml"]).ended(1).says(&["wrong.toml", "audiense"]);
    let launch = ["campaign", "launch", "members.toml", "--draft", "--unchecked", "--name", "Remote"];
    let launched = on(&launch).ended(0);
    assert!(launched.stdout.starts_with("\"Remote\" is a draft: 50 messages"), "{}", launched.stdout);
    on(&launch).ended(1).says(&["a draft named \"Remote\" exists"]);
    assert!(server.here(&["campaign", "list"]).stdout.contains("Remote"));

    // The words name a file of the server, and no campaign comes with them.
    let body = r#"{"words": ["campaign", "plan", "promo.toml"]}"#;
    let answer = post(&server.url, &std::fs::read_to_string(&key).unwrap(), body);
    assert!(answer.contains(r#"{"exit":1}"#) && !answer.contains("50 recipients"), "{answer}");
    server.stop();
}

#[test]
fn files_are_read_from_this_computer_and_written_to_it() {
    let server = There::start();
    let key = server.key("laptop", &["--scope", "read,manage"]);
    let elsewhere = tempfile::tempdir().unwrap();
    let on = |args: &[&str]| there_from(elsewhere.path(), &server.url, &key, args);
    let rows = "Mobile,FirstName\n+6591234567,Ann\n12,Bob\n+6598765432,Cleo\n";
    for folder in [elsewhere.path(), server.at()] {
        std::fs::write(folder.join("list.csv"), rows).unwrap();
    }
    let same = |name: &str| {
        let [far, near] =
            [elsewhere.path(), server.at()].map(|folder| std::fs::read_to_string(folder.join(name)).unwrap());
        assert_eq!(far, near, "{name}");
        far
    };

    let check = ["audience", "check", "list.csv", "--rejects", "bad.csv", "--json"];
    let counts = |ran: Ran| {
        let mut counts = ran.ended(0).json();
        counts.as_object_mut().unwrap().remove("seconds");
        counts
    };
    assert_eq!(counts(on(&check)), counts(server.here(&check)));
    assert!(same("bad.csv").contains("12,Bob"));
    for (outputs, named) in [
        (["--rejects", "./list.csv", "--accepted", "a.csv"], "./list.csv"),
        (["--accepted", "a.csv", "--rejects", "./a.csv"], "./a.csv"),
    ] {
        let args = [&["audience", "check", "list.csv"], &outputs[..]].concat();
        on(&args).ended(2).says(&[named, "is named twice"]);
    }
    on(&["audience", "check", "list.csv", "--rejects", "none/bad.csv"]).ended(1).says(&["cannot write none/bad.csv"]);
    on(&["audience", "check", "list.csv", "--rejects", "/dev/null"]).ended(0);
    assert!(!Path::new("/dev/null").is_file());
    let imported = on(&["audience", "import", "list.csv", "--name", "far"]).ended(0).stdout;
    assert!(imported.contains("Imported 2 recipients as \"far\""), "{imported}");
    let shown = server.here(&["audience", "show", "far"]).ended(0).stdout;
    assert!(shown.contains("list.csv"), "{shown}");

    for export in [&["campaign", "export", "Promo", "out.csv"][..], &["audience", "export", "far", "far.csv"]] {
        let (far, near) = (on(export).ended(0), server.here(export).ended(0));
        assert_eq!((far.stdout, far.stderr), (near.stdout, near.stderr), "{export:?}");
        same(export[3]);
    }
    on(&["reply", "export", "replies.xlsx"]).ended(0);
    assert!(std::fs::read(elsewhere.path().join("replies.xlsx")).unwrap().starts_with(b"PK"));
    let to_stdout = ["audience", "export", "far", "-"];
    assert_eq!(on(&to_stdout).ended(0).stdout, server.here(&to_stdout).ended(0).stdout);

    // It takes what it can read, and one entry has no country.
    on(&["opt-out", "add", "--file", "list.csv"]).ended(1);
    assert!(server.here(&["opt-out", "show", "+6598765432"]).ended(0).stdout.contains("from list.csv"));
    let text = std::fs::read_to_string(server.at().join("promo.toml")).unwrap();
    let members = text.replace("audience = \"recipients.csv\"", "audience = \"members\"");
    std::fs::write(elsewhere.path().join("members.toml"), members).unwrap();
    on(&["campaign", "plan", "members.toml", "--offline", "--html", "page.html"]).ended(0);
    assert!(std::fs::read_to_string(elsewhere.path().join("page.html")).unwrap().contains("<html"));
    // A failed command writes nothing, and no upload is left behind.
    on(&["campaign", "export", "Prom", "none.csv"]).ended(1);
    assert!(!elsewhere.path().join("none.csv").exists());
    let uploads = std::fs::read_dir(server.at().join("volley.db-uploads")).map_or(0, Iterator::count);
    assert_eq!(uploads, 0);
    server.stop();
}

/// Posts a command line, and returns the whole answer.
fn post(url: &str, key: &str, body: &str) -> String {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    let (key, length) = (key.trim(), body.len());
    let head = format!(
        "POST /v1/commands HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_change_whose_answer_is_lost_happens_once() {
    let server = There::start();
    let key = server.key("laptop", &["--scope", "read,manage"]);
    let (proxy, connections) = losing_the_first_answer(server.url.trim_start_matches("http://").to_owned());
    let file = server.at().join("again.toml");
    std::fs::write(
        &file,
        "name = \"Again\"\nnumbers = [\"+6591234567\"]\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\nsource = \"ACME\"\n",
    )
    .unwrap();
    // A second launch under the same name would be refused.
    let launched =
        there(&proxy, &key, &["campaign", "launch", file.to_str().unwrap(), "--draft", "--unchecked"]).ended(0);
    assert!(launched.stdout.contains("\"Again\" is a draft: 1 message"), "{}", launched.stdout);
    assert!(connections.load(Ordering::SeqCst) > 1);
    let names = server.here(&["campaign", "list", "--json"]).ended(0).json();
    let again = names.as_array().unwrap().iter().filter(|campaign| campaign["name"] == "Again").count();
    assert_eq!(again, 1, "{names}");
    server.stop();
}

/// A proxy to the server that closes its first connection when the answer comes. Returns its address, and the number of
/// connections so far.
fn losing_the_first_answer(server: String) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, connections) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&connections);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, mut server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
            let is_first = counted.fetch_add(1, Ordering::SeqCst) == 0;
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || {
                if is_first {
                    // The answer comes once the change is made.
                    let _ = server.read(&mut [0; 1]);
                    let _ = client.shutdown(Shutdown::Both);
                } else {
                    let _ = std::io::copy(&mut server, &mut client);
                }
            });
        }
    });
    (format!("http://{address}"), connections)
}

#[test]
fn a_refused_command_says_why() {
    let server = There::start();
    let at = server.at();
    let (reads, limited) =
        (server.key("reader", &["--scope", "read"]), server.key("limited", &["--scope", "read", "--lane", "sms"]));
    let on = |key: &Path, args: &[&str]| there(&server.url, key, args);
    on(&reads, &["campaign", "cancel", "Promo"]).ended(1).says(&["scope \"manage\""]);
    on(&limited, &["campaign", "list"]).ended(1).says(&["limited to some lanes or subaccounts"]);
    let wrong = at.join("wrong.key");
    std::fs::write(&wrong, "vk_0000000000000000_secret").unwrap();
    only_for_its_owner(&wrong);
    on(&wrong, &["campaign", "list"]).ended(1).says(&["API key"]);
    let file = at.join("recipients.csv");
    on(&reads, &["audience", "import", file.to_str().unwrap(), "--name", "x"]).ended(1).says(&["scope \"manage\""]);
    on(&reads, &["audience", "import", "missing.csv", "--name", "x"]).ended(1).says(&["cannot read missing.csv"]);
    for args in [&["bench", "engine"][..], &["serve"], &["backup", "x.db"], &["demo"]] {
        on(&reads, args).ended(2).says(&["--server", "about the computer"]);
    }
    on(&reads, &["key", "list"]).ended(2).says(&["--server", "/v1/keys"]);
    there("http://203.0.113.7", &reads, &["campaign", "list"]).ended(2).says(&["203.0.113.7", "without encryption"]);
    there("volley.example.com", &reads, &["campaign", "list"]).ended(2).says(&["--server", "https://"]);
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = there(&format!("http://{unused}"), &reads, &["campaign", "list", "--json"]).ended(1);
    assert_eq!(refused.json()["error"]["exit"], Value::from(1));
    refused.says(&["cannot connect to the server", "volley serve"]);

    run(at, &["--server", &server.url, "campaign", "list"]).ended(2).says(&["--key-file", "VOLLEY_KEY"]);
    run(at, &["--key-file", "reader.key", "campaign", "list"]).ended(2).says(&["--key-file", "--server"]);
    let mut by_environment = volley(at, &["campaign", "list"]);
    let key = std::fs::read_to_string(&reads).unwrap();
    by_environment.env("VOLLEY_SERVER", &server.url).env("VOLLEY_KEY", key.trim());
    assert!(ran(by_environment).ended(0).stdout.contains("Promo"));

    std::fs::copy(&reads, at.join("open.key")).unwrap();
    std::fs::set_permissions(at.join("open.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let warned = on(&at.join("open.key"), &["campaign", "list"]).ended(0);
    assert!(warned.stderr.contains("can be read by other users"), "{}", warned.stderr);
    server.stop();
}
