//! What an operator does before the first campaign on a real account: keys, subaccounts, addresses, proxies, certificates,
//! webhooks, files. The provider here answers as its reference documents it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::cli::{Ran, ran, volley};
use crate::support::Process;
use crate::support::proxy::{AUTHORITY, Proxy};

const ACCOUNT: &str = "0f8b2a3c-1d4e-4f5a-8b6c-7d8e9f0a1b2c";

/// The provider, with one account: the key `good`, the subaccount `acme`, the channel `c1`. The key `busy` is as good, but each
/// second question is asked too soon.
#[derive(Debug, Default)]
struct Reference {
    webhooks: Mutex<BTreeMap<(String, String), Value>>,
    uploads: Mutex<Vec<Bytes>>,
    sends: Mutex<Vec<Value>>,
    has_lost_its_files: AtomicBool,
    asked_with_busy: AtomicU64,
}

type Answer = (StatusCode, String);

fn error(status: u16, code: i64, message: &str) -> Answer {
    let body = json!({
        "code": code, "message": message, "errorId": "91b106f0-c0da-4aba-a43a-7af9c5893a80",
        "timestamp": "2017-04-19T02:31:19.4297387+00:00",
    });
    (StatusCode::from_u16(status).unwrap(), body.to_string())
}

impl Reference {
    async fn start() -> (Arc<Self>, SocketAddr) {
        let provider = Arc::new(Self::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&provider));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (provider, address)
    }

    fn answer(&self, method: &Method, path: &str, body: &Bytes) -> Answer {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (method.as_str(), &parts[..]) {
            (_, ["files", ..]) if self.has_lost_its_files.load(Ordering::SeqCst) => error(404, 1_300, "gone"),
            (_, ["files", ..]) => (StatusCode::OK, String::new()),
            (_, ["api", "v1", "subaccounts", sub_account, ..]) if *sub_account != "acme" => {
                error(400, 1_001, "Provided subAccountId doesn't belongs to your account")
            }
            ("DELETE", ["api", "v1", "subaccounts", _, "messages", "batch", "b1"]) => {
                (StatusCode::OK, r#"{"cancelledCount":10}"#.to_owned())
            }
            ("POST", ["api", "v1", "subaccounts", _, "messages"]) => self.send(body),
            ("GET", ["api", "v1", "subaccounts", _, "messages", _]) => error(404, 4_018, "Invalid jobId"),
            ("POST", ["api", "v1", "subaccounts", _, "files"]) => {
                self.uploads.lock().push(body.clone());
                (StatusCode::CREATED, r#"{"fileName":"f041.png","token":"CfDJ8"}"#.to_owned())
            }
            (_, ["api", "v1", "accounts", account, ..]) if *account != ACCOUNT => {
                error(401, 1_200, "Request was not authenticated properly")
            }
            ("GET", ["api", "v1", "accounts", _, "channels", "c1", "templates"]) => {
                (StatusCode::OK, r#"{"templates":[]}"#.to_owned())
            }
            (_, ["api", "v1", "accounts", _, "webhooks"]) => self.webhooks(method, body),
            _ => error(404, 1_300, "Object wasn't found or is already expired"),
        }
    }

    fn webhooks(&self, method: &Method, body: &Bytes) -> Answer {
        let mut known = self.webhooks.lock();
        let list: Vec<Value> = serde_json::from_slice(body).unwrap_or_default();
        let key = |entry: &Value| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            (text("subAccountId"), text("type"))
        };
        match *method {
            Method::POST => known.extend(list.into_iter().map(|entry| (key(&entry), entry))),
            Method::DELETE => list.iter().for_each(|entry| drop(known.remove(&key(entry)))),
            _ => {
                let masked = known.values().cloned().map(|mut entry| {
                    entry["httpAuthorization"] = "***".into();
                    entry
                });
                return (StatusCode::OK, Value::Array(masked.collect()).to_string());
            }
        }
        (StatusCode::OK, String::new())
    }

    /// The SMS API's own request and answer.
    fn send(&self, body: &Bytes) -> Answer {
        let request: Value = serde_json::from_slice(body).unwrap();
        let answer = json!({
            "umid": "bda3d56d-1424-e711-813c-06ed3428fe67", "clientMessageId": request["clientMessageId"],
            "destination": request["destination"], "encoding": "GSM7",
            "status": { "code": "QUEUED", "description": "SMS is accepted and queued for processing" },
        });
        self.sends.lock().push(request);
        (StatusCode::OK, answer.to_string())
    }
}

async fn answer(
    State(provider): State<Arc<Reference>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap, String) {
    let key = headers.get("authorization").and_then(|value| value.to_str().ok());
    let is_file = uri.path().starts_with("/files/");
    let (status, body) = if is_file || key == Some("Bearer good") {
        provider.answer(&method, uri.path(), &body)
    } else if key == Some("Bearer busy") {
        match provider.asked_with_busy.fetch_add(1, Ordering::SeqCst) % 2 {
            0 => error(429, 429, "Quota exceeded. Please try again in 1 second(s)."),
            _ => provider.answer(&method, uri.path(), &body),
        }
    } else {
        error(401, 1_200, "Request was not authenticated properly")
    };
    let mut answered = HeaderMap::new();
    let kind = if is_file { "image/png" } else { "application/json" };
    answered.insert("content-type", kind.parse().unwrap());
    (status, answered, body)
}

/// A folder with a configuration. `provider` and `lane` are lines of theirs.
fn site(base_url: &str, provider: &str, lane: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\npublic_url = \"https://volley.example\"\n\
         [provider]\nbase_url = \"{base_url}\"\nwebhook_authorization = \"Bearer h00k\"\n{provider}\n\
         [[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\nnumber = \"+6531234567\"\n{lane}\n"
    );
    std::fs::write(folder.path().join("volley.toml"), config).unwrap();
    folder
}

/// Runs a command on a thread of its own, while the provider answers.
async fn run(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Ran {
    let mut command = volley(folder, args);
    command.envs(env.iter().copied());
    tokio::task::spawn_blocking(move || ran(command)).await.unwrap()
}

/// The findings of `doctor` about the provider: health, text, what to do.
async fn doctor(folder: &Path, env: &[(&str, &str)]) -> Vec<(String, String, String)> {
    let found = run(folder, &["doctor", "--json"], env).await.json();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let findings = found["findings"].as_array().unwrap().iter().filter(|finding| finding["what"] == "provider");
    findings.map(|finding| (text(finding, "health"), text(finding, "text"), text(finding, "what_to_do"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_whether_key_subaccount_account_or_channel_is_wrong() {
    let (_, address) = Reference::start().await;
    let url = format!("http://{address}");
    let account = format!("account_id = \"{ACCOUNT}\"\n");
    let good = format!("sub_account = \"acme\"\napi_key = \"good\"\n{account}");
    let channel = "channel_id = \"c1\"";
    let whose = "of wa";
    for (provider, lane, expected) in [
        (good.clone(), "", vec![("ok", format!("accepts the key and the subaccount acme {whose}"), "")]),
        (
            good.clone(),
            channel,
            vec![
                ("ok", format!("accepts the key and the subaccount acme {whose}"), ""),
                ("ok", format!("account_id and channel_id {whose} belong to the API key"), ""),
            ],
        ),
        (
            good.replace("good", "revoked"),
            "",
            vec![(
                "failed",
                format!("refuses the API key {whose} (1200: Request was not"),
                "https://chatapps.8x8.uk (Europe)",
            )],
        ),
        (
            good.replace("good", "busy"),
            channel,
            vec![
                ("ok", format!("accepts the key and the subaccount acme {whose}"), ""),
                ("ok", format!("account_id and channel_id {whose} belong to the API key"), ""),
            ],
        ),
        // The provider refuses the templates with the same words, which say nothing about the account.
        (good.replace("good", "revoked"), channel, vec![("failed", "refuses the API key".to_owned(), "revoked")]),
        (
            good.replace("acme", "theirs"),
            "",
            vec![("failed", format!("the subaccount theirs {whose} does not belong"), "check sub_account")],
        ),
        (
            good.replace(ACCOUNT, "11111111-1111-4111-8111-111111111111"),
            channel,
            vec![
                ("ok", "accepts the key".to_owned(), ""),
                ("warning", "1200".to_owned(), "account_id is of another account"),
            ],
        ),
        (
            good.clone(),
            "channel_id = \"c9\"",
            vec![
                ("ok", "accepts the key".to_owned(), ""),
                ("warning", "channel c9".to_owned(), "copy account_id and channel_id"),
            ],
        ),
    ] {
        let folder = site(&url, &provider, lane);
        let found = doctor(folder.path(), &[]).await;
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((health, text, advice), (expected, part, to_do)) in found.iter().zip(expected) {
            assert!(health == expected && text.contains(&part) && advice.contains(to_do), "{part}: {found:?}");
        }
        assert!(!format!("{found:?}").contains("revoked (") && !format!("{found:?}").contains("good"), "{found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_tells_certificate_proxy_and_network_apart() {
    let (_, address) = Reference::start().await;
    let proxy = Proxy::with_tls(address).await;
    let key = "sub_account = \"acme\"\napi_key = \"good\"";
    let trusting = format!("{key}\nca_file = \"{AUTHORITY}\"");

    let found = doctor(site(&proxy.url(), &trusting, "").path(), &[]).await;
    assert!(found[0].0 == "ok" && found[0].1.contains("accepts the key"), "{found:?}");
    let found = doctor(site(&proxy.url(), key, "").path(), &[]).await;
    assert!(found[0].1.contains("the issuer of its certificate is not trusted"), "{found:?}");
    assert!(found[0].1.contains("`ca_file`"), "{found:?}");

    // A proxy that reads no CONNECT, and nothing that listens.
    let refusing = format!("http://{address}");
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let through = |proxy: &str| format!("{trusting}\nproxy = \"{proxy}\"");
    for (folder, env, part) in [
        (site(&proxy.url(), &through(&refusing), ""), vec![], format!("proxy {address} does not connect to")),
        (
            site(&proxy.url(), &trusting, ""),
            vec![("HTTPS_PROXY", refusing.as_str())],
            format!("proxy {address} does not connect to"),
        ),
        (
            site(&proxy.url(), &through(&format!("http://{unused}")), ""),
            vec![],
            "check `proxy` or HTTPS_PROXY".to_owned(),
        ),
        (site(&format!("http://{unused}"), key, ""), vec![], "check base_url, the network and firewalls".to_owned()),
        (site("http://volley.invalid", key, ""), vec![], "the name volley.invalid cannot be resolved".to_owned()),
    ] {
        let found = doctor(folder.path(), &env).await;
        assert!(found.len() == 1 && found[0].0 == "failed" && found[0].1.contains(&part), "{part}: {found:?}");
    }
    let excepted = [("NO_PROXY", "127.0.0.1")];
    let found = doctor(site(&proxy.url(), &through(&refusing), "").path(), &excepted).await;
    assert!(found[0].0 == "ok", "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_registered_after_a_question_and_removed_again() {
    let (provider, address) = Reference::start().await;
    let lines = format!("sub_account = \"acme\"\napi_key = \"good\"\naccount_id = \"{ACCOUNT}\"");
    let folder = site(&format!("http://{address}"), &lines, "");
    let at = folder.path();
    let other = json!({ "subAccountId": "*", "url": "https://crm.example/8x8", "enabled": true });
    provider.webhooks.lock().insert(("*".to_owned(), String::new()), other);

    // Without a terminal, nobody could answer.
    let asked = run(at, &["doctor", "--register-webhooks"], &[]).await.ended(2);
    assert!(asked.stderr.contains("add --yes"), "{}", asked.stderr);
    assert_eq!(provider.webhooks.lock().len(), 1);

    let done = run(at, &["doctor", "--register-webhooks", "--yes"], &[]).await.ended(0);
    let printed = done.stdout;
    let now = "now:  receipts and inbound messages of all subaccounts to https://crm.example/8x8";
    let then = "then: receipts and inbound messages of subaccount acme to https://volley.example/webhooks/8x8";
    assert!(printed.contains(now) && printed.contains(then) && printed.contains("account events"), "{printed}");
    assert!(!printed.contains("h00k"), "{printed}");
    {
        let known = provider.webhooks.lock();
        let of = |sub_account: &str, kind: &str| known[&(sub_account.to_owned(), kind.to_owned())].clone();
        let ours = json!({
            "subAccountId": "acme", "url": "https://volley.example/webhooks/8x8", "enabled": true,
            "httpAuthorization": "Bearer h00k",
        });
        assert_eq!(of("acme", ""), ours);
        assert_eq!(of("*", "CABM")["url"], "https://volley.example/webhooks/8x8");
        assert_eq!(of("*", "")["url"], "https://crm.example/8x8");
    }

    run(at, &["doctor", "--remove-webhooks", "--yes"], &[]).await.ended(0);
    assert_eq!(provider.webhooks.lock().keys().cloned().collect::<Vec<_>>(), [("*".to_owned(), String::new())]);
    let again = run(at, &["doctor", "--remove-webhooks", "--yes"], &[]).await.ended(0);
    assert!(again.stdout.contains("no webhook is posted to"), "{}", again.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_another_program_scheduled_is_cancelled() {
    let (_, address) = Reference::start().await;
    let folder = site(&format!("http://{address}"), "sub_account = \"acme\"\napi_key = \"good\"", "");
    let at = folder.path();
    let done = run(at, &["lane", "cancel-batch", "wa", "b1"], &[]).await.ended(0);
    assert_eq!(done.stdout, "Batch b1: 10 scheduled messages cancelled\n");
    let done = run(at, &["lane", "cancel-batch", "wa", "b1", "--json"], &[]).await.ended(0);
    assert_eq!(done.json(), json!({ "lane": "wa", "cancelled": 10 }));
    let unknown = run(at, &["lane", "cancel-batch", "wa", "b2"], &[]).await.ended(1);
    assert!(unknown.stderr.contains("the provider does not know it"), "{}", unknown.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_image_is_uploaded_once_and_the_plan_has_its_url() {
    let (provider, address) = Reference::start().await;
    let folder = site(&format!("http://{address}"), "sub_account = \"acme\"\napi_key = \"good\"", "");
    let at = folder.path();
    std::fs::write(at.join("a.png"), b"\x89PNG\r\n\x1A\n\x00\x00\x00\rIHDR").unwrap();
    let campaign = "numbers = [\"+6591234567\"]\n[[step]]\nchannel = \"WhatsApp\"\n[step.template]\nname = \"promo\"\n\
                    language = \"en\"\ncategory = \"MARKETING\"\nheader = { image = \"./a.png\" }\n";
    std::fs::write(at.join("promo.toml"), campaign).unwrap();
    let planned = run(at, &["campaign", "plan", "promo.toml"], &[]).await.ended(0);
    assert!(planned.stdout.contains("a.png is uploaded to the provider at the launch [media]"), "{}", planned.stdout);
    assert_eq!(provider.uploads.lock().len(), 0);
    for name in ["first", "second"] {
        run(at, &["campaign", "launch", "promo.toml", "--name", name], &[]).await.ended(0);
        assert_eq!(provider.uploads.lock().len(), 1, "{name}");
    }
    let planned = run(at, &["campaign", "plan", "promo.toml"], &[]).await.ended(0);
    let hosted = format!("http://{address}/files/f041.png?token=CfDJ8");
    assert!(planned.stdout.contains(&hosted), "{}", planned.stdout);

    run(at, &["campaign", "clone", "first", "--name", "third"], &[]).await.ended(0);
    provider.has_lost_its_files.store(true, Ordering::SeqCst);
    let refused = run(at, &["campaign", "clone", "first"], &[]).await.ended(1);
    assert!(refused.stderr.contains("step 1, template, header image: http"), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("404") && refused.stderr.contains("launch the campaign file"),
        "{}",
        refused.stderr
    );
    // The file is uploaded again.
    run(at, &["campaign", "launch", "promo.toml", "--name", "fourth"], &[]).await.ended(0);
    assert_eq!(provider.uploads.lock().len(), 2);

    std::fs::write(at.join("a.png"), b"GIF89a").unwrap();
    let refused = run(at, &["campaign", "plan", "promo.toml"], &[]).await.ended(1);
    assert!(refused.stderr.contains("step 1, template, header image: ./a.png is a GIF image"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_address_is_checked_by_the_plan_unless_it_is_offline() {
    let (_, address) = Reference::start().await;
    let folder = site(&format!("http://{address}"), "sub_account = \"acme\"\napi_key = \"good\"", "");
    let at = folder.path();
    let campaign = format!(
        "numbers = [\"+6591234567\"]\n[[step]]\nchannel = \"WhatsApp\"\n[step.template]\nname = \"promo\"\n\
         language = \"en\"\ncategory = \"MARKETING\"\nheader = {{ video = \"http://{address}/files/a.png\" }}\n"
    );
    std::fs::write(at.join("promo.toml"), campaign).unwrap();
    let refused = run(at, &["campaign", "plan", "promo.toml"], &[]).await.ended(1);
    assert!(
        refused.stderr.contains("is served as image/png, and WhatsApp takes video/mp4, video/mpeg4, video/3gpp"),
        "{}",
        refused.stderr
    );
    let planned = run(at, &["campaign", "plan", "promo.toml", "--offline"], &[]).await.ended(0);
    assert!(planned.stdout.contains("was not checked (--offline) [media]"), "{}", planned.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_of_the_sms_api_sends_the_sms_apis_own_request() {
    let (provider, address) = Reference::start().await;
    let sms = "[[lane]]\nname = \"sms\"\nchannel = \"SMS\"\napi = \"sms\"\nsource = \"ACME\"";
    let folder = site(&format!("http://{address}"), "sub_account = \"acme\"\napi_key = \"good\"", sms);
    let at = folder.path();
    let campaign =
        "name = \"codes\"\nnumbers = [\"+6591234567\"]\n[[step]]\nchannel = \"SMS\"\ntext = \"Your code is 7.\"\n";
    std::fs::write(at.join("codes.toml"), campaign).unwrap();
    let mut server = Process::start(at, &["serve", "--json"]);
    server.first_line().await;
    run(at, &["campaign", "launch", "codes.toml", "--wait"], &[]).await.ended(0);
    let report = run(at, &["campaign", "report", "codes", "--json"], &[]).await.json();
    assert_eq!(report["steps"][0]["handed_over"], 1, "{report}");
    let mut sent = provider.sends.lock().clone();
    assert!(sent[0]["clientMessageId"].as_str().unwrap().starts_with("att_"), "{sent:?}");
    sent[0]["clientMessageId"].take();
    let expected = json!({
        "destination": "+6591234567", "source": "ACME", "text": "Your code is 7.", "encoding": "AUTO",
        "clientMessageId": null,
    });
    assert_eq!(sent, [expected]);
}
