//! Keys, operators and the audit log by commands, beside a running server.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;

use serde_json::Value;
use volley::base::clock::{Clock, RealClock};
use volley::base::config::Secret;
use volley::base::domain::Scope;
use volley::http::access::{Access, Denied};

use super::cli::{Ran, installation, interrupt, ran, run, serve, volley};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PASSWORD: &str = "correct horse battery";

/// What a server does with a request: checks its key in the same database.
struct Door {
    access: Access,
    clock: Arc<dyn Clock>,
}

impl Door {
    async fn of(folder: &Path) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(RealClock::new());
        let url = format!("sqlite://{}", folder.join("volley.db").display());
        let store = volley::store::open(&url, Arc::clone(&clock)).await.unwrap();
        Self { access: Access::new(store), clock }
    }

    async fn call(&self, key: &str) -> Result<String, Denied> {
        let caller = self.access.caller(Some(format!("Bearer {key}").as_bytes()), PEER, self.clock.now()).await?;
        caller.check(Scope::Send)?;
        Ok(caller.name.clone())
    }
}

fn stop(mut server: Child) -> String {
    interrupt(&server);
    assert_eq!(server.wait().unwrap().code(), Some(0));
    let mut told = String::new();
    server.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    told
}

/// Runs a command that reads this from standard input.
fn fed(folder: &Path, args: &[&str], input: &str) -> Ran {
    let mut command = volley(folder, args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_key_is_printed_once_and_listed_without_its_secret() {
    let folder = installation();
    let at = folder.path();
    let created = run(at, &["key", "create", "--name", "shop", "--scope", "send"]).ended(0);
    let key = created.stdout.trim_end();
    assert!(key.starts_with("vk_") && key.lines().count() == 1, "{key}");
    assert!(created.stderr.contains("shown only this once"), "{}", created.stderr);
    let other = run(at, &["key", "create", "--name", "other", "--scope", "read,manage", "--json"]).ended(0).json();
    let (id, text) = (other["id"].as_str().unwrap(), other["key"].as_str().unwrap());
    assert!(text.starts_with(&format!("{id}_")));
    run(at, &["key", "create", "--name", "shop", "--scope", "read"])
        .ended(1)
        .says(&["the key \"shop\" exists already"]);
    run(at, &["key", "create", "--name", "x", "--scope", "write"]).ended(2).says(&["write"]);
    run(at, &["key", "create", "--name", "x", "--scope", "send", "--lane", "promo-sq"]).ended(1).says(&["promo-sg"]);
    run(at, &["key", "create", "--name", "x", "--scope", "send", "--address", "10.1.0.0/8"])
        .ended(2)
        .says(&["10.0.0.0/8"]);
    run(at, &["key", "create", "--name", "x", "--scope", "send", "--expires", "soon"]).ended(1).says(&["--expires"]);

    let listed = run(at, &["key", "list", "--json"]).ended(0);
    let names: Vec<Value> = listed.json().as_array().unwrap().iter().map(|key| key["name"].clone()).collect();
    assert_eq!(names, ["other", "shop"]);
    let secret = |key: &str| key.rsplit('_').next().unwrap().to_owned();
    for args in [&["key", "list"][..], &["key", "list", "--json"], &["audit-log"], &["audit-log", "--json"]]
        .into_iter()
        .chain([&["config", "show"][..], &["events"], &["doctor"]])
    {
        let Ran { stdout, stderr, .. } = run(at, args);
        for key in [key, text] {
            assert!(!stdout.contains(&secret(key)) && !stderr.contains(&secret(key)), "{args:?}: {stdout}{stderr}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg(unix)]
async fn a_revoked_key_is_refused_once_the_command_has_ended() {
    let folder = installation();
    let at = folder.path();
    let (server, _) = serve(at, &[]);
    let key = run(at, &["key", "create", "--name", "shop", "--scope", "send"]).ended(0).stdout;
    let door = Door::of(at).await;
    assert_eq!(door.call(key.trim_end()).await.as_deref(), Ok("shop"));
    let rotated = run(at, &["key", "rotate", "shop", "--overlap", "1h"]).ended(0).stdout;
    for key in [&key, &rotated] {
        assert_eq!(door.call(key.trim_end()).await.as_deref(), Ok("shop"));
    }
    let revoked = run(at, &["key", "revoke", "shop", "--json"]).ended(0).json();
    for key in [&key, &rotated] {
        assert_eq!(door.call(key.trim_end()).await, Err(Denied::Revoked { name: "shop".to_owned() }));
    }
    assert_eq!(revoked["state"], "revoked");
    run(at, &["key", "revoke", "shop"]).ended(1).says(&["unknown key \"shop\""]);
    run(at, &["key", "rotate", revoked["id"].as_str().unwrap()]).ended(1).says(&["was revoked"]);
    let log = run(at, &["audit-log", "--json"]).ended(0).stdout;
    let actions: Vec<Value> =
        log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["action"].clone()).collect();
    assert_eq!(actions, ["key created", "key rotated", "key revoked"]);
    stop(server);
}

#[test]
#[cfg(unix)]
fn the_first_start_prints_a_setup_token_once() {
    let folder = installation();
    let at = folder.path();
    let (server, _) = serve(at, &[]);
    let told = stop(server);
    assert!(told.contains("volley key create --name admin --scope admin"), "{told}");
    assert_eq!(told.matches("vs_").count(), 1, "{told}");
    let (server, _) = serve(at, &[]);
    assert_eq!(stop(server).matches("vs_").count(), 0);
    run(at, &["key", "create", "--name", "admin", "--scope", "admin"]).ended(0);
    let (server, _) = serve(at, &[]);
    assert_eq!(stop(server).matches("vs_").count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_is_managed_by_commands() {
    let folder = installation();
    let at = folder.path();
    let create = ["operator", "create", "ann", "--scope", "manage"];
    run(at, &create).ended(1).says(&["at least 12 characters"]);
    let created = fed(at, &create, &format!("{PASSWORD}\nanother line\n")).ended(0);
    assert_eq!(created.stdout, "The operator ann is created.\n");
    let door = Door::of(at).await;
    let signed_in = async |password: &str| door.access.sign_in("ann", Secret::new(password)).await.map(drop);
    assert_eq!(signed_in(PASSWORD).await, Ok(()));

    std::fs::write(at.join("ann.password"), "a longer password\r\n").unwrap();
    run(at, &["operator", "password", "ann", "--password-file", "ann.password"]).ended(0);
    run(at, &["operator", "password", "ann", "--password-file", "none"]).ended(1).says(&["password file none"]);
    assert_eq!((signed_in(PASSWORD).await, signed_in("a longer password").await), (Err(Denied::SignIn), Ok(())));

    let scopes = |scope: &'static str| run(at, &["operator", "scopes", "ann", "--scope", scope]);
    assert_eq!(scopes("read,admin").ended(0).stdout, "The operator ann has new scopes.\n");
    scopes("read").ended(1).says(&["is the last operator with the scope admin"]);
    run(at, &["operator", "disable", "ann"]).ended(0);
    assert_eq!(signed_in("a longer password").await, Err(Denied::Disabled { name: "ann".to_owned() }));
    let listed = run(at, &["operator", "list", "--json"]).ended(0);
    assert_eq!(listed.json()[0]["state"], "disabled");
    assert!(!listed.stdout.contains("argon2"), "{}", listed.stdout);
    assert!(run(at, &["operator", "disable", "ann"]).ended(0).stdout.contains("was already disabled"));
    run(at, &["operator", "enable", "ann"]).ended(0);
    assert_eq!(signed_in("a longer password").await, Ok(()));
    run(at, &["operator", "enable", "ben"]).ended(1).says(&["unknown operator \"ben\""]);
    let log = ran(volley(at, &["audit-log"])).ended(0).stdout;
    for action in ["operator created", "password set", "scopes set", "operator disabled", "operator enabled"] {
        assert_eq!(log.matches(&format!("ann: {action}: ann")).count(), 1, "{action} in {log}");
    }
}
