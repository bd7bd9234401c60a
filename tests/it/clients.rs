//! Clients that were written for the provider's API run unchanged against Volley, and get the same answers as from the
//! practice provider.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{Process, free_address};

/// Nothing is reported before the clients have asked, so both servers tell of a message that is queued.
const PROFILE: &str = "[channel.SMS]\nsent_after = { median = \"10m\", spread = 1.0 }\n";

/// A practice provider, and a server that sends to it.
struct Site {
    folder: TempDir,
    provider: String,
    server: String,
    _processes: [Process; 2],
}

impl Site {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path();
        fs::write(path.join("profile.toml"), PROFILE).unwrap();
        let simulate = ["simulate", "--json", "--listen", "127.0.0.1:0", "--seed", "7", "--profile", "profile.toml"];
        let mut simulator = Process::start(path, &simulate);
        let provider = simulator.first_line().await["listen"].as_str().unwrap().to_owned();
        let address = free_address();
        let server = format!("http://{address}");
        let lane =
            |channel: &str| format!("[[lane]]\nname = \"{channel}\"\nchannel = \"{channel}\"\nrate = \"50/s\"\n");
        let config = format!(
            "[server]\nlisten = \"{address}\"\npublic_url = \"{server}\"\n\
             [provider]\nbase_url = \"{provider}\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
             webhook_authorization = \"Bearer hook\"\n{}number = \"+6531234567\"\n{}",
            lane("WhatsApp"),
            lane("SMS")
        );
        fs::write(path.join("volley.toml"), config).unwrap();
        let mut serve = Process::start(path, &["serve", "--json"]);
        serve.first_line().await;
        let create = ["key", "create", "--json", "--name", "shop", "--scope", "read", "--scope", "send"];
        let created = Process::start(path, &create).ended().await.json();
        fs::write(path.join("volley.key"), created["key"].as_str().unwrap()).unwrap();
        Self { folder, provider, server, _processes: [simulator, serve] }
    }

    /// Runs a client, and returns the answers that it prints.
    async fn run(&self, base: &str, command: &[&str]) -> Vec<Value> {
        let mut process = Command::new(command[0]);
        process.args(&command[1..]).current_dir(self.folder.path()).stdin(Stdio::null());
        process.env("BASE_URL", base).env("SUB_ACCOUNT", "acme").env("API_KEY_FILE", "volley.key");
        let output = process.output().await.unwrap_or_else(|error| panic!("{}: {error}", command[0]));
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command:?} at {base}: {stdout} {stderr}");
        stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{stdout}"))).collect()
    }

    /// Runs a client against both, and compares.
    async fn compare(&self, command: &[&str]) -> Vec<Value> {
        let of_provider = self.run(&self.provider, command).await;
        let of_volley = self.run(&self.server, command).await;
        assert_eq!(of_provider.len(), of_volley.len());
        for (theirs, ours) in of_provider.iter().zip(&of_volley) {
            assert_eq!(comparable(theirs), comparable(ours), "\nprovider: {theirs}\nvolley:   {ours}");
        }
        of_volley
    }
}

/// An answer without what is another one at each call: ids and times.
fn comparable(answer: &Value) -> Value {
    const OWN: [&str; 6] = ["umid", "batchId", "errorId", "timestamp", "createdAt", "channelId"];
    match answer {
        Value::Object(keys) => keys
            .iter()
            // Optional; the practice provider tells no country.
            .filter(|(key, _)| *key != "country")
            .map(|(key, value)| {
                let value = if OWN.contains(&key.as_str()) { json!("its own") } else { comparable(value) };
                (key.clone(), value)
            })
            .collect(),
        Value::Array(values) => values.iter().map(comparable).collect(),
        other => other.clone(),
    }
}

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/clients").join(name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs python3, curl, node and tsc; ./check runs it"]
async fn sample_clients_get_the_same_answers_from_volley_and_from_the_practice_provider() {
    let site = Site::new().await;
    let answers = site.compare(&["python3", sample("send.py").to_str().unwrap()]).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 404, 400, 400]);
    assert_eq!(answers[4]["body"], json!({ "cancelledCount": 1 }));

    let text = ["+6591234568", "Quotes \" and\nlines"];
    let answers = site.compare(&["bash", sample("send.sh").to_str().unwrap(), text[0], text[1]]).await;
    assert_eq!(answers[0]["status"]["state"], "queued");

    let compiled = site.folder.path().join("send.js");
    fs::copy(sample("send.ts"), site.folder.path().join("send.ts")).unwrap();
    fs::write(site.folder.path().join("package.json"), "{\"type\": \"module\"}").unwrap();
    let compile = ["tsc", "--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck"];
    let root = Command::new("npm").args(["root", "--global"]).output().await.unwrap();
    let root = String::from_utf8(root.stdout).unwrap();
    let types = format!("{}/@types", root.trim());
    let compile = [&compile[..], &["--typeRoots", &types, "--types", "node", "send.ts"]].concat();
    site.run(&site.server, &compile).await;
    let answers = site.compare(&["node", compiled.to_str().unwrap(), text[0], text[1]]).await;
    assert_eq!(answers[1]["data"][0]["step"], 1);
}
