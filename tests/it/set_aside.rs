//! A message that alone is refused, as a firewall does it: commands and the API show it, and an operator decides.

use serde_json::{Value, json};
use volley::base::domain::Span;

use crate::support::{Installation, Shape, number, until};

const PEOPLE: u64 = 60;
const REFUSED: u64 = 30;
/// A refused message is retried after some seconds.
const PATIENCE: Span = Span::from_secs(120);

async fn set_aside(site: &Installation) -> Vec<Value> {
    let listed = site.volley(&["message", "list", "promo", "--state", "set-aside", "--json"]).await.stdout;
    listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Waits until the campaign has finished with these counts.
async fn until_finished(site: &Installation, counts: &[(&str, u64)]) -> Value {
    until("the campaign has finished", PATIENCE, || async {
        let shown = site.show("promo").await;
        let is_so = counts.iter().all(|(key, number)| shown["counts"][*key] == *number);
        if is_so && ["finished", "settled"].iter().any(|state| shown["state"] == *state) {
            Ok(shown)
        } else {
            Err(shown.to_string())
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_alone_is_refused_is_listed_and_released() {
    let delivers = "[channel.Viber]\nreject = 0.0\nundelivered = 0.0\nsilent = 0.0\ndelivered = 1.0\n";
    let shape = Shape { seed: 151, profile: delivers.to_owned(), rate: 200, batch: None, connections: 4 };
    let mut site = Installation::new(&shape).await;
    site.provider.faults(&json!({ "forbidden_text": number(REFUSED).to_string() })).await;
    site.write_people("people.csv", 0..PEOPLE);
    site.volley(&["audience", "import", "people.csv", "--name", "people"]).await;
    let promo = "name = \"promo\"\naudience = \"people\"\n[[step]]\nchannel = \"Viber\"\nfallback_after = \"1h\"\n\
                 text = \"Hi {{FirstName}}\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi {{FirstName}}\"\n";
    std::fs::write(site.path("promo.toml"), promo).unwrap();
    site.serve().await;
    site.volley(&["campaign", "launch", "promo.toml", "--json"]).await.json();

    let shown = until_finished(&site, &[("set_aside", 1), ("queued", 0)]).await;
    let obstacles = shown["obstacles"].to_string();
    assert!(obstacles.contains("1 message is set aside"), "{obstacles}");
    let held = site.volley(&["lane", "list", "--json"]).await.stdout;
    assert!(!held.contains("refused alike"), "{held}");
    let [message] = &set_aside(&site).await[..] else { panic!("one message is set aside") };
    assert_eq!((&message["step"], &message["outcome"]), (&json!(1), &Value::Null), "no fallback follows: {message}");
    let id = message["id"].as_str().unwrap();
    let explained = site.volley(&["message", "explain", id]).await.stdout;
    assert!(explained.contains("set aside") && explained.contains("403"), "{explained}");

    let create = ["key", "create", "--name", "shop", "--scope", "read,manage", "--json"];
    let key = site.volley(&create).await.json()["key"].as_str().unwrap().to_owned();
    let (http, api) = (reqwest::Client::new(), format!("http://{}/v1/messages", site.webhooks()));
    let found = http.get(format!("{api}?campaign=promo&state=set_aside")).bearer_auth(&key).send().await.unwrap();
    let found: Value = serde_json::from_str(&found.text().await.unwrap()).unwrap();
    assert_eq!(found["items"][0]["id"], id, "{found}");
    site.provider.faults(&json!({ "forbidden_text": "no such text" })).await;
    let release = http.post(format!("{api}/{id}/release")).bearer_auth(&key).header("Idempotency-Key", "1");
    let released = release.body("{}").header("Content-Type", "application/json").send().await.unwrap();
    assert_eq!(released.status().as_u16(), 200, "{}", released.text().await.unwrap());
    until_finished(&site, &[("set_aside", 0), ("queued", 0), ("sending", 0)]).await;
    assert_eq!(set_aside(&site).await, [] as [Value; 0]);
    let arrived = site.provider.arrived().await;
    let sent = arrived.iter().filter(|arrived| arrived.msisdn.get() == number(REFUSED)).count();
    assert_eq!(sent, 1, "it is sent once it is released");
}
