//! Secrets and other files are replaced while a server runs.

use reqwest::StatusCode;
use serde_json::{Value, json};
use volley::base::domain::Span;

use super::support::{self, Installation, Shape};

const OLD: &str = "Bearer practice";
const NEW: &str = "Bearer new";

/// How soon a changed file takes effect.
const EFFECT: Span = Span::from_secs(20);

/// How long a campaign of 15 s may take on a busy machine.
#[cfg(unix)]
const SENT: Span = Span::from_secs(240);

async fn post(site: &Installation, authorization: &str) -> StatusCode {
    volley::provider::client::install_tls();
    let url = format!("http://{}/webhooks/8x8", site.webhooks());
    let request = reqwest::Client::new().post(url).header("Authorization", authorization).body("{}");
    request.send().await.unwrap().status()
}

/// Waits until a webhook with this secret gets this status.
async fn until(site: &Installation, authorization: &str, status: StatusCode) {
    let look = async || match post(site, authorization).await {
        found if found == status => Ok(()),
        found => Err(found),
    };
    support::until("the changed file takes effect", EFFECT, look).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_secret_is_rotated_without_a_restart() {
    let shape = Shape { seed: 93, profile: String::new(), rate: 10, batch: None, connections: 1 };
    let mut site = Installation::new(&shape).await;
    let config = std::fs::read_to_string(site.path("volley.toml")).unwrap();
    let direct = format!("webhook_authorization = \"{OLD}\"");
    assert!(config.contains(&direct));
    std::fs::write(site.path("volley.toml"), config.replace(&direct, "webhook_authorization_file = \"hook\"")).unwrap();
    std::fs::write(site.path("hook"), OLD).unwrap();
    site.serve().await;
    assert_eq!(post(&site, OLD).await, StatusCode::OK);
    assert_eq!(post(&site, NEW).await, StatusCode::UNAUTHORIZED);

    std::fs::write(site.path("hook"), format!("{OLD}\n{NEW}\n")).unwrap();
    until(&site, NEW, StatusCode::OK).await;
    assert_eq!(post(&site, OLD).await, StatusCode::OK, "both are valid");

    std::fs::write(site.path("hook"), NEW).unwrap();
    until(&site, OLD, StatusCode::UNAUTHORIZED).await;
    assert_eq!(post(&site, NEW).await, StatusCode::OK);
    let events = site.volley(&["events"]).await.stdout;
    assert!(events.contains("2 secrets are valid now") && events.contains("the new secret is in effect"), "{events}");
}

/// An installation whose server reads its webhook secret in a file, and a price list.
#[cfg(unix)]
async fn site_with_files(seed: u64) -> Installation {
    let shape = Shape { seed, profile: String::new(), rate: 10, batch: None, connections: 4 };
    let mut site = Installation::new(&shape).await;
    let config = std::fs::read_to_string(site.path("volley.toml")).unwrap();
    let direct = format!("webhook_authorization = \"{OLD}\"");
    let config = config.replace(&direct, "webhook_authorization_file = \"hook\"");
    std::fs::write(site.path("volley.toml"), format!("{config}\n[prices]\nfile = \"prices.csv\"\n")).unwrap();
    std::fs::write(site.path("hook"), OLD).unwrap();
    std::fs::write(site.path("prices.csv"), "channel,price\nSMS,0.04\n").unwrap();
    site.serve().await;
    site
}

/// The events that a SIGHUP caused, once there are so many.
#[cfg(unix)]
async fn reloads(site: &Installation, count: usize) -> Vec<Value> {
    let look = async || {
        let events = site.volley(&["events", "--json"]).await;
        let events = serde_json::Deserializer::from_str(&events.stdout).into_iter::<Value>();
        let found: Vec<Value> = events.map(Result::unwrap).filter(|event| event["kind"] == "files_read").collect();
        if found.len() == count { Ok(found) } else { Err(format!("{found:?}")) }
    };
    support::until("the events of SIGHUP", EFFECT, look).await
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hangup_rereads_files_names_what_needs_a_restart_and_sends_on() {
    let mut site = site_with_files(94).await;
    site.write_people("people.csv", 0..150);
    let campaign = "name = \"promo\"\naudience = \"people.csv\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n";
    std::fs::write(site.path("promo.toml"), campaign).unwrap();
    site.volley(&["campaign", "launch", "promo.toml", "--json"]).await.json();

    let config = std::fs::read_to_string(site.path("volley.toml")).unwrap();
    let changed = config.replacen("connections = 4", "connections = 5", 1) + "[retention]\nafter = \"90d\"\n";
    std::fs::write(site.path("volley.toml"), changed).unwrap();
    std::fs::write(site.path("hook"), format!("{OLD}\n{NEW}\n")).unwrap();
    site.server().signal("HUP");
    site.server().wait_for_output("files read again").await;
    assert_eq!(post(&site, NEW).await, StatusCode::OK, "in effect at once");
    let first = reloads(&site, 1).await.remove(0);
    let files = first["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect::<Vec<_>>();
    assert!(
        files[0].starts_with("webhook_authorization_file (") && files[1].starts_with("the price list ("),
        "{first}"
    );
    assert_eq!((files.len(), &first["not_used"]), (2, &json!([])), "{first}");
    assert_eq!(first["needs_restart"], json!(["provider: connections", "retention: after"]), "{first}");

    // Files that cannot be used change nothing, and each is named.
    std::fs::write(site.path("hook"), "").unwrap();
    std::fs::write(site.path("prices.csv"), "nonsense").unwrap();
    std::fs::write(site.path("volley.toml"), config.replacen("[provider]", "[provider", 1)).unwrap();
    site.server().signal("HUP");
    site.server().wait_for_output("what was read before stays in effect").await;
    assert_eq!(post(&site, NEW).await, StatusCode::OK, "the former secrets stay valid");
    std::fs::write(site.path("hook"), NEW).unwrap();
    std::fs::write(site.path("volley.toml"), config).unwrap();
    let second = reloads(&site, 2).await.remove(1);
    let not_used = second["not_used"].as_array().unwrap();
    let named = ["webhook_authorization_file", "prices.csv", "volley.toml"];
    let is_named = |(problem, name): (&Value, &str)| problem.as_str().unwrap().contains(name);
    assert!(not_used.len() == 3 && not_used.iter().zip(named).all(is_named), "{second}");

    let submitted = async || {
        let report = site.report("promo").await;
        if report["steps"][0]["handed_over"] == 150 { Ok(()) } else { Err(report) }
    };
    support::until("the campaign goes on", SENT, submitted).await;
    assert_eq!(site.journal().len(), 150);
    let server = site.take_server();
    server.signal("TERM");
    assert!(server.ended().await.status.success());
}
