//! Webhook secrets are replaced while a server runs.

use reqwest::StatusCode;
use volley::domain::Span;

use super::support::{self, Installation, Shape};

const OLD: &str = "Bearer practice";
const NEW: &str = "Bearer new";

/// How soon a changed file takes effect.
const EFFECT: Span = Span::from_secs(20);

async fn post(site: &Installation, authorization: &str) -> StatusCode {
    volley::provider::install_tls();
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
