//! Templates from the request to the plan, with the practice provider.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use volley::base::clock::{Clock, RealClock};
use volley::practice::simulator::{self, Model, Profile, SimulatorOptions};

use crate::cli::{Ran, run};
use crate::documents::json::check;

const REQUEST: &str = r#"
name = "shipped"
language = "en"
category = "UTILITY"
[[components]]
type = "BODY"
text = "Hi {{1}}, your order is on its way."
examples = ["Ann"]
[[components]]
type = "BUTTONS"
buttons = [{ type = "URL", text = "Track", url = "https://shop.example/t/{{1}}", examples = ["A-1"] }]
"#;

const CAMPAIGN: &str = r#"
name = "shipped"
numbers = ["+6591234567"]
[[step]]
channel = "WhatsApp"
[step.template]
name = "shipped"
language = "en"
body = ["Ann"]
buttons = [{ index = 0, url = "A-1" }]
"#;

/// A practice provider, and a folder whose WhatsApp lane uses it.
async fn site() -> (tempfile::TempDir, String, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let clock = Arc::new(RealClock::new());
    let (model, options) = (Model::new(Profile::perfect(), 1, clock.now()), SimulatorOptions::default());
    tokio::spawn(simulator::serve(listener, model, options, clock, stop.clone()));
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "[provider]\nbase_url = \"{url}\"\nsub_account = \"acme\"\naccount_id = \"acme-1\"\napi_key = \"k\"\n[[lane]]\nname = \
         \"wa\"\nchannel = \"WhatsApp\"\nchannel_id = \"wa-1\"\n"
    );
    fs::write(folder.path().join("volley.toml"), config).unwrap();
    fs::write(folder.path().join("shipped.toml"), REQUEST).unwrap();
    fs::write(folder.path().join("campaign.toml"), CAMPAIGN).unwrap();
    (folder, url, stop)
}

async fn approve(url: &str, template: &str) {
    volley::provider::client::install_tls();
    let event = json!({"template": template, "language": "en", "status": "APPROVED"}).to_string();
    let post = reqwest::Client::new().post(format!("{url}/simulator/events/template_status_update"));
    let posted = post.body(event).send().await.unwrap();
    assert!(posted.status().is_success(), "{}", posted.text().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_is_created_planned_with_and_removed() {
    let (folder, url, stop) = site().await;
    let at = folder.path();
    let template = |args: &[&str]| run(at, &[&["template"], args].concat());
    let plan = |args: &[&str]| run(at, &[&["campaign", "plan", "campaign.toml"], args].concat());

    assert!(template(&["pull"]).ended(0).stdout.contains("wa: 0 templates"), "an empty list was fetched");
    plan(&[]).ended(1).says(&["step 1", "the provider has no template \"shipped\" for lane wa"]);
    template(&["check", "shipped.toml"]).ended(0);
    template(&["push", "shipped.toml"]).ended(0);
    let listed = template(&["list", "--status", "pending", "--json"]).ended(0).json();
    assert_eq!(listed[0]["at_provider"][0]["category"], "UTILITY", "{listed}");
    plan(&[]).ended(1).says(&["step 1, template", "is PENDING at the provider"]);

    approve(&url, "shipped").await;
    let pulled = template(&["pull"]).ended(0).stdout;
    assert!(pulled.contains("shipped (en): APPROVED instead of PENDING"), "{pulled}");
    let planned = plan(&[]).ended(0).stdout;
    for said in ["Hi Ann, your order is on its way.", "Track", "https://shop.example/t/A-1", "UTILITY"] {
        assert!(planned.contains(said), "{said}: {planned}");
    }
    let shown = template(&["show", "shipped"]).ended(0).stdout;
    for said in ["APPROVED", "Hi {{1}}, your order", "button 0", "A-1"] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    template(&["show", "shiped"]).ended(1).says(&["did you mean \"shipped\"?"]);

    let kept = template(&["remove", "shipped"]).ended(0);
    assert!(kept.stderr.contains("Nothing was removed"), "{}", kept.stderr);
    template(&["remove", "shipped", "--yes"]).ended(0);
    template(&["push", "shipped.toml"]).ended(1).says(&["the name \"shipped\" is locked"]);
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sample_campaign_has_its_template_among_the_samples() {
    let (folder, url, stop) = site().await;
    let (at, samples) = (folder.path(), Path::new(env!("CARGO_MANIFEST_DIR")).join("samples"));
    // As the comment of the sample configuration says: with both ids, the lane's templates are fetched.
    let config = fs::read_to_string(samples.join("volley.toml")).unwrap();
    let config = config.replace("# account_id", "account_id").replace("# channel_id", "channel_id");
    fs::write(at.join("volley.toml"), config.replace("http://127.0.0.1:8690", &url)).unwrap();
    for file in ["promo.toml", "promo-template.toml", "recipients.csv"] {
        fs::copy(samples.join(file), at.join(file)).unwrap();
    }
    run(at, &["template", "pull"]).ended(0);
    let plan = || run(at, &["campaign", "plan", "promo.toml"]);
    plan().ended(1).says(&["the provider has no template \"promo\""]);
    run(at, &["template", "check", "promo-template.toml"]).ended(0);
    run(at, &["template", "push", "promo-template.toml", "--lane", "promo-sg"]).ended(0);
    approve(&url, "promo").await;
    run(at, &["template", "pull"]).ended(0);
    let planned = plan().ended(0).stdout;
    assert!(planned.contains("your code is SPRING001") && planned.contains("https://shop.example/"), "{planned}");
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_key_of_a_template_is_documented() {
    let (folder, url, stop) = site().await;
    let at = folder.path();
    let printed = |args: &[&str]| {
        let Ran { stdout, stderr, .. } = run(at, &[args, &["--json"]].concat());
        assert!(!stdout.is_empty(), "{args:?}: {stderr}");
        check(&stdout);
    };
    printed(&["template", "check", "shipped.toml"]);
    printed(&["template", "push", "shipped.toml"]);
    approve(&url, "shipped").await;
    printed(&["template", "pull"]);
    printed(&["template", "list"]);
    printed(&["template", "show", "shipped"]);
    printed(&["campaign", "plan", "campaign.toml"]);
    printed(&["doctor"]);
    printed(&["template", "remove", "shipped"]);
    printed(&["template", "remove", "shipped", "--yes"]);
    stop.cancel();
}

#[test]
fn a_pull_names_the_keys_that_are_missing_in_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let pull = |config: &str| {
        write(folder.path(), config);
        run(folder.path(), &["template", "pull"]).ended(1).stderr
    };
    let lane = "[[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\nsub_account = \"acme\"\n";
    assert!(pull(lane).contains("add account_id under [provider]"));
    assert!(pull(&format!("{lane}account_id = \"acme-1\"\n")).contains("add channel_id to the lane"));
    let complete = format!("{lane}account_id = \"acme-1\"\nchannel_id = \"wa-1\"\n");
    assert!(pull(&complete).contains("add api_key_file"));
    assert!(pull("").contains("no lane is on WhatsApp"));
}

fn write(folder: &Path, config: &str) {
    fs::write(folder.join("volley.toml"), config).unwrap();
}

#[test]
fn a_new_template_that_breaks_rules_is_refused_with_each_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let broken = REQUEST.replace("\"shipped\"", "\"Shipped\"").replace("[\"Ann\"]", "[]");
    fs::write(folder.path().join("broken.toml"), broken).unwrap();
    let refused = run(folder.path(), &["template", "check", "broken.toml"]).ended(1).stderr;
    assert!(refused.contains("broken.toml, name: \"Shipped\" is not allowed"), "{refused}");
    assert!(refused.contains("components 1 (BODY), examples: there are 0 examples"), "{refused}");
}

#[test]
fn a_label_that_only_some_documents_allow_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("long.toml"), REQUEST.replace("\"Track\"", "\"Track your parcel here\"")).unwrap();
    let noted = run(folder.path(), &["template", "check", "long.toml"]).ended(0).stderr;
    assert!(noted.contains("long.toml, components 2 (BUTTONS), button 0, text: has 22 characters"), "{noted}");
}
