//! The practice provider as operators use it: with the real commands, and with webhooks that were registered there.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;
use volley::base::domain::Span;

use crate::support::{Process, free_address, numbers, until};

const PATIENCE: Span = Span::from_secs(60);

const PROFILE: &str = r#"
speed = 1000
account_id = "acme-1"
session_window = false
[channel.WhatsApp]
reject = 0.0
undelivered = 0.0
silent = 0.0
delivered = 1.0
[channel.SMS]
reject = 0.0
undelivered = 0.0
silent = 0.0
delivered = 1.0
"#;

const SMS: &str = "[[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n";
const WHATSAPP: &str = "[[step]]\nchannel = \"WhatsApp\"\n[step.template]\nname = \"promo\"\nlanguage = \"en\"\n\
                        category = \"MARKETING\"\n";

/// A folder with a practice provider that runs, and a configuration that uses it.
struct Site {
    folder: TempDir,
    provider: String,
    /// `None` while it restarts.
    simulator: Option<Process>,
    /// How it was started.
    simulate: Vec<String>,
    server: Option<Process>,
}

impl Site {
    /// `lanes` are added to the configuration; with `webhook`, the provider posts to the server from the start.
    async fn new(lanes: &str, more: &str, webhook: bool) -> Self {
        Self::with_profile(PROFILE, lanes, more, webhook).await
    }

    async fn with_profile(profile: &str, lanes: &str, more: &str, webhook: bool) -> Self {
        let folder = TempDir::new().unwrap();
        let server = free_address();
        fs::write(folder.path().join("profile.toml"), profile).unwrap();
        let url = format!("http://{server}/webhooks/8x8");
        let hook = ["--webhook", &url, "--webhook-authorization", "Bearer hook"];
        let simulate = ["simulate", "--json", "--listen", "127.0.0.1:0", "--seed", "7", "--profile", "profile.toml"];
        let mut arguments = [&simulate[..], if webhook { &hook } else { &[] }].concat();
        let mut simulator = Process::start(folder.path(), &arguments);
        let provider = simulator.first_line().await["listen"].as_str().unwrap().to_owned();
        let config = format!(
            "[server]\nlisten = \"{server}\"\npublic_url = \"http://{server}\"\n\
             [provider]\nbase_url = \"{provider}\"\nsub_account = \"acme\"\naccount_id = \"acme-1\"\napi_key = \"k\"\n\
             webhook_authorization = \"Bearer hook\"\n{more}\n{lanes}"
        );
        fs::write(folder.path().join("volley.toml"), config).unwrap();
        volley::provider::client::install_tls();
        let address = provider.trim_start_matches("http://");
        arguments.iter_mut().filter(|argument| **argument == "127.0.0.1:0").for_each(|listen| *listen = address);
        let simulate = arguments.into_iter().map(str::to_owned).collect();
        Self { folder, provider, simulator: Some(simulator), simulate, server: None }
    }

    /// Stops the practice provider, and starts it again with the same line.
    async fn restart_simulator(&mut self) {
        let former = self.simulator.take().unwrap();
        former.interrupt();
        former.ended().await;
        let arguments: Vec<&str> = self.simulate.iter().map(String::as_str).collect();
        let mut simulator = Process::start(self.folder.path(), &arguments);
        simulator.first_line().await;
        self.simulator = Some(simulator);
    }

    async fn serve(&mut self) {
        let mut server = Process::start(self.folder.path(), &["serve", "--json"]);
        server.first_line().await;
        self.server = Some(server);
    }

    async fn volley(&self, arguments: &[&str]) -> String {
        let ended = Process::start(self.folder.path(), arguments).ended().await;
        assert!(ended.status.success(), "{arguments:?}: {} {}", ended.stdout, ended.stderr);
        ended.stdout
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.volley(arguments).await).unwrap()
    }

    async fn launch(&self, recipients: u32, route: &str) {
        let campaign = format!("name = \"promo\"\n{}\n{route}", numbers(0..recipients));
        fs::write(self.folder.path().join("promo.toml"), campaign).unwrap();
        self.volley(&["campaign", "launch", "promo.toml", "--json"]).await;
    }

    async fn until_reached(&self, recipients: u32) {
        self.until_reached_by("promo", recipients).await;
    }

    async fn until_reached_by(&self, campaign: &str, recipients: u32) {
        until("every recipient is reached", PATIENCE, || async {
            let report = self.json(&["campaign", "report", campaign, "--json"]).await;
            if report["steps"][0]["reached"] == recipients { Ok(()) } else { Err(report) }
        })
        .await;
    }

    async fn post(&self, path: &str, body: &Value) {
        let request = reqwest::Client::new().post(format!("{}/simulator/{path}", self.provider));
        let answer = request.body(body.to_string()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// What the provider's own pages say.
    async fn get(&self, path: &str) -> String {
        reqwest::get(format!("{}/simulator/{path}", self.provider)).await.unwrap().text().await.unwrap()
    }

    /// Waits until the lane has so many holds, and returns them.
    async fn until_held(&self, holds: usize) -> Vec<Value> {
        until("the holds of the lane", PATIENCE, || async {
            let lanes = self.json(&["lane", "list", "--json"]).await;
            let of_lane = lanes[0]["holds"].as_array().cloned().unwrap_or_default();
            if of_lane.len() == holds { Ok(of_lane) } else { Err(lanes) }
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_by_hand_holds_a_template_and_another_releases_it() {
    let lanes = "[[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\ntier = \"unlimited\"\n";
    let mut site = Site::new(lanes, "", true).await;
    site.serve().await;
    let status = |status: &str| json!({"template": "promo", "language": "en", "status": status});
    site.post("events/template_status_update", &status("PAUSED")).await;
    let held = site.until_held(1).await;
    assert_eq!((&held[0]["template"], &held[0]["language"]), (&json!("promo"), &json!("en")), "{held:?}");
    site.launch(3, WHATSAPP).await;
    let report = site.json(&["campaign", "report", "promo", "--json"]).await;
    assert_eq!(report["steps"][0]["handed_over"], 0, "{report}");

    site.post("events/template_status_update", &status("APPROVED")).await;
    site.until_held(0).await;
    site.until_reached(3).await;
    let events = site.volley(&["events"]).await;
    assert!(!events.contains("account \"acme-1\""), "it is the account of the lane: {events}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_practice_run_with_the_same_seed_keeps_every_audit_proven() {
    let mut site = Site::new("[[lane]]\nname = \"sms\"\nchannel = \"SMS\"\n", "", true).await;
    site.serve().await;
    site.launch(20, SMS).await;
    site.until_reached(20).await;
    site.restart_simulator().await;
    site.volley(&["campaign", "clone", "promo", "--name", "again", "--json"]).await;
    site.until_reached_by("again", 20).await;
    for campaign in ["promo", "again"] {
        let audit = site.json(&["audit", campaign, "--json"]).await;
        assert_eq!(audit["proven"], true, "{campaign}: {audit}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_are_posted_to_the_webhooks_that_doctor_registered() {
    let mut site = Site::new("[[lane]]\nname = \"sms\"\nchannel = \"SMS\"\n", "", false).await;
    let registered = site.volley(&["doctor", "--register-webhooks", "--yes"]).await;
    assert!(registered.contains("Account acme-1: the provider posts its webhooks to"), "{registered}");
    site.serve().await;
    site.launch(5, SMS).await;
    site.until_reached(5).await;
    let again = site.volley(&["doctor", "--register-webhooks", "--yes"]).await;
    assert!(again.contains("now:  receipts and inbound messages of subaccount acme"), "{again}");
    assert!(again.contains("with an Authorization"), "{again}");
    site.volley(&["doctor", "--remove-webhooks", "--yes"]).await;
    let none = site.volley(&["doctor", "--remove-webhooks", "--yes"]).await;
    assert!(none.contains("no webhook is posted to"), "{none}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_the_sms_api_are_accepted_and_reported() {
    let lanes = "[[lane]]\nname = \"sms\"\nchannel = \"SMS\"\napi = \"sms\"\nsource = \"ACME\"\n";
    let mut site = Site::new(lanes, "send = \"batch\"\nbatch_size = 10\n", true).await;
    site.serve().await;
    site.launch(25, SMS).await;
    site.until_reached(25).await;
    let seen: Value = serde_json::from_str(&site.get("seen").await).unwrap();
    assert_eq!((&seen["messages"], &seen["duplicates"]), (&json!(25), &json!(0)), "{seen}");
    assert!(seen["batches"].as_u64().is_some_and(|batches| batches >= 3), "{seen}");
    for line in site.get("messages").await.lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        let request = &message["request"];
        assert_eq!((&request["destination"], &request["source"]), (&message["msisdn"], &json!("ACME")), "{line}");
    }
}

/// Every message is undelivered on WhatsApp and on Viber, so each recipient gets every step.
const SMS_ALONE_ARRIVES: &str = r#"
speed = 1000
account_id = "acme-1"
[channel.WhatsApp]
reject = 0.0
undelivered = 1.0
silent = 0.0
delivered = 0.0
[channel.Viber]
reject = 0.0
undelivered = 1.0
silent = 0.0
delivered = 0.0
[channel.SMS]
reject = 0.0
undelivered = 0.0
silent = 0.0
delivered = 1.0
"#;

const AUTUMN_TEMPLATE: &str = r#"
name = "autumn"
language = "en"
category = "MARKETING"
[[components]]
type = "HEADER"
format = "IMAGE"
examples = ["https://media.example/a.png"]
[[components]]
type = "BODY"
text = "Hi {{1}}, your code is {{2}}. Reply STOP to opt out."
examples = ["Ann", "A-1"]
"#;

const AUTUMN: &str = r#"
name = "autumn"
audience = "people.csv"
[[step]]
channel = "WhatsApp"
fallback_after = "30s"
[step.template]
name = "autumn"
language = "en"
header = { image = "./a.png" }
body = ["{{Name|there}}", "{{Code}}"]
[[step]]
channel = "Viber"
fallback_after = "30s"
text = "Hi {{Name|there}}, your code is {{Code}}."
image = "./a.png"
button = { caption = "Shop now", url = "https://shop.example/{{Code}}" }
[[step]]
channel = "SMS"
text = "สวัสดี {{Name|คุณ}} รหัสของคุณคือ {{Code}}"
receipt_window = "1m"
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_campaign_of_pictures_buttons_and_thai_goes_from_the_template_to_the_report() {
    let lanes = "[[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\nchannel_id = \"wa-1\"\n\
                 [[lane]]\nname = \"viber\"\nchannel = \"Viber\"\n\
                 [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nsource = \"ACME\"\n";
    let mut site = Site::with_profile(SMS_ALONE_ARRIVES, lanes, "", true).await;
    let at = site.folder.path().to_owned();
    fs::write(at.join("a.png"), b"\x89PNG\r\n\x1A\n\x00\x00\x00\rIHDR").unwrap();
    fs::write(at.join("people.csv"), "Mobile,Name,Code\n+6591000001,Ann,A-1\n+66812345678,สมชาย,C-3\n").unwrap();
    fs::write(at.join("template.toml"), AUTUMN_TEMPLATE).unwrap();
    fs::write(at.join("autumn.toml"), AUTUMN).unwrap();

    site.volley(&["template", "push", "template.toml"]).await;
    let approved = json!({ "template": "autumn", "language": "en", "status": "APPROVED" });
    site.post("events/template_status_update", &approved).await;
    site.volley(&["template", "pull"]).await;

    let preview = site.volley(&["campaign", "plan", "autumn.toml", "--preview", "--html", "page.html"]).await;
    let page = fs::read_to_string(at.join("page.html")).unwrap();
    for (shown, times) in [
        ("Hi Ann, your code is A-1. Reply STOP to opt out.", 1),
        ("https://shop.example/C-3", 1),
        ("สวัสดี สมชาย รหัสของคุณคือ C-3", 1),
        ("1 part, 30 characters in UCS-2", 1),
        ("no limit is broken in 2 messages", 3),
    ] {
        assert_eq!(preview.matches(shown).count(), times, "{shown}: {preview}");
        assert!(page.to_lowercase().contains(&shown.to_lowercase()), "{shown}: {page}");
    }

    site.serve().await;
    site.volley(&["campaign", "launch", "autumn.toml", "--wait", "settled", "--json"]).await;
    let report = site.json(&["campaign", "report", "autumn", "--json"]).await;
    let steps = report["steps"].as_array().unwrap();
    let figures = |key: &str| steps.iter().map(|step| step[key].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!((figures("handed_over"), figures("reached")), (vec![2, 2, 2], vec![0, 0, 2]), "{report}");

    let sent = site.get("messages").await;
    let requests: Vec<Value> =
        sent.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["request"].take()).collect();
    let of_ann = |channel: &str| {
        let is_it = |request: &&Value| {
            request["user"]["msisdn"] == "+6591000001" && request["channels"][0]["channel"] == channel
        };
        let found: Vec<&Value> = requests.iter().filter(is_it).collect();
        let [one] = found[..] else { panic!("{channel}: {found:?}") };
        one.clone()
    };
    let (whatsapp, viber, sms) = (of_ann("WhatsApp"), of_ann("Viber"), of_ann("SMS"));
    let components = &whatsapp["content"]["template"]["components"];
    let image = components[0]["parameters"][0]["url"].as_str().unwrap();
    assert!(image.starts_with(&format!("{}/files/", site.provider)), "{image}");
    assert_eq!(
        *components,
        json!([
            { "type": "header", "parameters": [{ "type": "image", "url": image }] },
            { "type": "body", "parameters": [{ "type": "text", "text": "Ann" }, { "type": "text", "text": "A-1" }] },
        ])
    );
    let button = json!({ "caption": "Shop now", "action": "https://shop.example/A-1" });
    assert_eq!(viber["type"], "buttons");
    assert_eq!(
        viber["content"],
        json!({ "text": "Hi Ann, your code is A-1.", "url": image, "button": button }),
        "the file was uploaded once, for both steps"
    );
    assert_eq!(
        sms["content"],
        json!({ "text": "สวัสดี Ann รหัสของคุณคือ A-1", "sms": { "encoding": "AUTO", "source": "ACME" } })
    );
}
