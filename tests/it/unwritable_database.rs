//! A database that cannot be written: each command fails with one sentence and leaves nothing half done.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use volley::base::domain::Span;

use crate::cli::{installation, run};
use crate::support::{ALONE, Installation, Shape, number, until};

/// More than fits into a small disk.
const PEOPLE: u64 = 40_000;
const PATIENCE: Span = Span::from_secs(60);
const LAUNCH: [&str; 5] = ["campaign", "launch", "promo.toml", "--unchecked", "--json"];

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_database_fails_commands_with_a_sentence() {
    let folder = installation();
    let at = folder.path().to_owned();
    run(&at, &["audience", "import", "recipients.csv", "--name", "members"]).ended(0);
    let mut other = SqliteConnectOptions::new().filename(at.join("volley.db")).connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let commands: [&[&str]; 4] = [
        &["audience", "import", "recipients.csv", "--name", "second"],
        &["audience", "delete", "members"],
        &LAUNCH,
        &["lane", "pause", "promo-sg"],
    ];
    // Each waits for the lock as long as it would for a busy server, so they wait together.
    let waiting = commands.map(|command| {
        let at = at.clone();
        tokio::task::spawn_blocking(move || run(&at, command))
    });
    for ran in waiting {
        ran.await
            .unwrap()
            .ended(1)
            .says(&["the database is locked by another process", "stop it, or use another file"]);
    }
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();

    assert_eq!(names(&run(&at, &["audience", "list", "--json"]).ended(0).json()), ["members"]);
    assert_eq!(run(&at, &["campaign", "list", "--json"]).ended(0).json(), json!([]));
    let lanes = run(&at, &["lane", "list", "--json"]).ended(0).json();
    assert!(lanes.as_array().unwrap().iter().all(|lane| lane["holds"] == json!([])), "{lanes}");
    for command in commands {
        run(&at, command).ended(0);
    }
}

/// Runs a script with a folder `disk` that has little room. Returns whether it is a disk of its own: without the right
/// to mount one, files there cannot grow, which the system reports in other words than a full disk.
fn on_a_small_disk(folder: &Path, script: &str) -> bool {
    let volley = env!("CARGO_BIN_EXE_volley");
    let shell = |program: &str, before: &[&str], first: &str| {
        let mut command = Command::new(program);
        let script = format!("set -e\nvolley='{volley}'\n{first}\n{script}");
        command.args(before).args(["-c", &script]).current_dir(folder).env_clear().env("USER", "ann");
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
        command.output()
    };
    let mount = "mount -t tmpfs -o size=24m tmpfs disk\nfill() { head -c 22m /dev/zero > disk/filler; }\n\
                 free() { rm disk/filler; }\nlimited() { \"$@\"; }";
    let mounts =
        Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "tmpfs"]).arg(folder.join("disk")).output();
    let is_mounted = mounts.is_ok_and(|mounted| mounted.status.success());
    let output = if is_mounted {
        shell("unshare", &["-rm", "/bin/sh"], mount)
    } else {
        let limit = "fill() { :; }\nfree() { :; }\nlimited() { (trap '' XFSZ; ulimit -f 2048; \"$@\"); }";
        shell("/bin/sh", &[], limit)
    };
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    is_mounted
}

#[test]
#[cfg(unix)]
fn commands_fail_on_a_full_disk_and_succeed_once_there_is_room() {
    let folder = installation();
    let at = folder.path();
    let mut people = String::from("Mobile,FirstName\n");
    for person in 0..PEOPLE {
        writeln!(people, "+{},Ann {person}", number(person)).unwrap();
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(people.repeat(4).as_bytes()).unwrap();
    std::fs::write(at.join("people.csv.gz"), packed.finish().unwrap()).unwrap();
    std::fs::write(at.join("people.csv"), people).unwrap();
    let big = "name = \"big\"\naudience = \"people.csv\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi {{FirstName}}\"\n";
    std::fs::write(at.join("big.toml"), big).unwrap();
    std::fs::create_dir(at.join("disk")).unwrap();
    let script = r#"
        run() { name=$1; shift; code=0; "$@" > $name.out 2> $name.err || code=$?; echo $code > $name.code; }
        export VOLLEY_DATABASE_URL=sqlite://disk/volley.db
        run first "$volley" audience import recipients.csv --name first
        fill
        run import limited "$volley" audience import people.csv --name second
        run launch limited "$volley" campaign launch big.toml --unchecked
        run audiences "$volley" audience list --json
        run campaigns "$volley" campaign list --json
        run doctor "$volley" doctor --json
        export TMPDIR=$PWD/disk
        run unpack limited "$volley" audience check people.csv.gz
        free
        run unpack_again "$volley" audience check people.csv.gz
        run import_again "$volley" audience import people.csv --name second
        run launch_again "$volley" campaign launch big.toml --unchecked --json
    "#;
    let is_full = on_a_small_disk(at, script);
    let read = |name: String| std::fs::read_to_string(at.join(name)).unwrap();
    let ended = |name: &str, code: &str| {
        assert_eq!(read(format!("{name}.code")).trim(), code, "{name}: {}", read(format!("{name}.err")));
        read(format!("{name}.out"))
    };
    ended("first", "0");
    let sentence =
        if is_full { "volley: the disk of the database is full; free some space" } else { "volley: the database" };
    for name in ["import", "launch"] {
        assert_eq!(ended(name, "1"), "");
        let said = read(format!("{name}.err"));
        assert!(said.starts_with(sentence) && said.lines().count() == 1, "{name}: {said}");
    }
    assert_eq!(ended("unpack", "1"), "");
    let said = read("unpack.err".to_owned());
    assert!(
        said.contains("cannot write temporary files") && said.contains("TMPDIR") && said.lines().count() == 1,
        "{said}"
    );
    ended("unpack_again", "0");
    assert_eq!(names(&serde_json::from_str(&ended("audiences", "0")).unwrap()), ["first"]);
    assert_eq!(ended("campaigns", "0").trim(), "[]");
    let doctor: Value = serde_json::from_str(&read("doctor.out".to_owned())).unwrap();
    let disk = doctor["findings"].as_array().unwrap().iter().find(|finding| finding["what"] == "disk").unwrap();
    assert!(!is_full || disk["health"] != "ok", "{disk}");
    ended("import_again", "0");
    let launched: Value = serde_json::from_str(&ended("launch_again", "0")).unwrap();
    assert_eq!(launched["messages"], PEOPLE);
}

/// Its process may write no further than the first page of a file, as on a full disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg(unix)]
async fn commands_promise_no_time_while_the_server_cannot_write() {
    let _alone = ALONE.lock().await;
    let shape = Shape { seed: 47, profile: String::new(), rate: 40, batch: None, connections: 8 };
    let mut site = Installation::new(&shape).await;
    site.write_people("people.csv", 0..3_000);
    let promo =
        "name = \"promo\"\naudience = \"people.csv\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi {{FirstName}}\"\n";
    std::fs::write(site.path("promo.toml"), promo).unwrap();
    site.serve_by(&["/bin/sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).await;
    site.volley(&["campaign", "launch", "promo.toml", "--json"]).await.json();
    assert!(site.provider.wait_until_seen("messages=20", 60).await.is_some());
    assert!(site.show("promo").await["left_by"].is_string());
    let limit = |bytes: &str| {
        let (server, size) = (site.server().id().to_string(), format!("--fsize={bytes}:"));
        assert!(Command::new("prlimit").args(["--pid", &server, &size]).status().unwrap().success());
    };
    limit("4096");
    let is_told = |show: &Value| {
        show["obstacles"].as_array().unwrap().iter().any(|obstacle| obstacle["kind"] == "database not writable")
    };
    let show = until("the campaign says so", PATIENCE, || async {
        let show = site.show("promo").await;
        if is_told(&show) { Ok(show) } else { Err(show) }
    })
    .await;
    assert_eq!((&show["left_by"], &show["finished_by"], &show["server"]), (&Value::Null, &Value::Null, &json!(true)));
    let shown = site.volley(&["campaign", "show", "promo"]).await.stdout;
    assert!(shown.contains("the server cannot write") && !shown.contains("sent by"), "{shown}");
    // It exits as a failed command does.
    let doctor: Value = serde_json::from_str(&site.volley(&["doctor", "--json"]).await.stdout).unwrap();
    let server: Vec<&Value> =
        doctor["findings"].as_array().unwrap().iter().filter(|finding| finding["what"] == "server").collect();
    assert_eq!((&doctor["ok"], server.len(), &server[0]["health"]), (&json!(false), 1, &json!("failed")), "{doctor}");
    assert!(server[0]["text"].as_str().unwrap().contains("nothing is sent"), "{doctor}");
    limit("unlimited");
    until("the campaign goes on", PATIENCE, || async {
        let show = site.show("promo").await;
        if !is_told(&show) && show["left_by"].is_string() { Ok(()) } else { Err(show) }
    })
    .await;
}
