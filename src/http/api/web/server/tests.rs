//! Tests of the pages about the server, over the whole router.

use axum::http::StatusCode;

use crate::base::domain::{OverridableSetting, Scope, Span};
use crate::base::events::Origin;
use crate::http::api::native::tests::Bench;
use crate::http::api::web::tests::{Browser, place};
use crate::store::Override;

const CONFIG: &str = "[provider]\nbase_url = \"http://127.0.0.1:9\"\nsub_account = \"acme\"\napi_key = \"top-secret\"\n\
                      [[lane]]\nname = \"promo\"\nchannel = \"WhatsApp\"\nrate = \"80/s\"\n";

async fn set_rate(bench: &Bench, in_file: &str) {
    let origin = Origin::operator("ann", Some("a <b>gentle</b> start"));
    let (name, value, in_file) = ("promo".to_owned(), "40/s".to_owned(), in_file.to_owned());
    let since = bench.shared.clock.now();
    let setting = OverridableSetting::Rate;
    let overridden = Override { setting, name, value, in_file, origin, since };
    bench.store.set_override(overridden, since).await.unwrap();
}

#[tokio::test]
async fn the_settings_show_values_and_sources_and_no_secret() {
    let bench = Bench::configured(CONFIG).await;
    set_rate(&bench, "80/s").await;
    let browser = Browser::of(&bench, "rio", &[Scope::Read]).await;
    let shown = browser.get("/settings").await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
    let text = shown.text;
    assert!(!text.contains("top-secret") && text.contains("<em>set, not shown</em>"), "{text}");
    let places = ["volley.toml, line 4</span>", "volley.toml, line 8</span>"];
    assert!(places.iter().all(|place| text.contains(place)), "api_key and rate: {text}");
    assert!(text.contains("Lane promo") && text.contains("volley.toml") && text.contains("default"), "{text}");
    assert!(text.contains("<strong>40/s</strong> <span class=\"tag\">changed</span> <span>80/s</span>"), "{text}");
    assert!(text.contains("by ann: a &#60;b&#62;gentle&#60;/b&#62; start"), "{text}");
    assert!(text.len() < 100_000, "{}", text.len());
}

#[tokio::test]
async fn settings_are_found_by_name_and_by_value_but_not_by_secret() {
    let bench = Bench::configured(CONFIG).await;
    let browser = Browser::of(&bench, "rio", &[Scope::Read]).await;
    let keys = async |query: &str| browser.get(&format!("/settings?{query}")).await.text.matches("<dt><code>").count();
    let all = keys("").await;
    assert!(all > 50, "{all}");
    assert_eq!(keys("find=top-secret").await, 0);
    let (address, key, set) = (keys("find=127.0.0.1%3A9").await, keys("find=API_KEY").await, keys("set=true").await);
    assert!(address > 0 && address < 5 && key > 1 && key < 9, "{address} {key}");
    assert!(set > 3 && set < 12, "{set}");
    assert!(browser.get("/settings?find=nonsense").await.text.contains("No setting matches."));
}

#[tokio::test]
async fn many_settings_come_in_pages() {
    let lane = |n: u32| format!("[[lane]]\nname = \"lane-{n:03}\"\nchannel = \"Viber\"\n");
    let lanes: String = (0..60).map(lane).collect();
    let bench = Bench::configured(&format!("{CONFIG}{lanes}")).await;
    let browser = Browser::of(&bench, "rio", &[Scope::Read]).await;
    let (mut path, mut seen, mut pages) = ("/settings".to_owned(), 0, 0);
    loop {
        let text = browser.get(&path).await.text;
        assert!(text.len() < 100_000, "{path}: {}", text.len());
        (seen, pages) = (seen + text.matches(">Lane lane-").count(), pages + 1);
        let Some((_, rest)) = text.split_once("href=\"/settings?cursor=") else { break };
        path = format!("/settings?cursor={}", rest.split('"').next().unwrap());
        bench.clock.advance(Span::from_secs(1));
    }
    assert_eq!((seen, pages > 3), (60, true));
}

#[tokio::test]
async fn an_override_of_another_file_is_not_shown() {
    let bench = Bench::configured(CONFIG).await;
    set_rate(&bench, "60/s").await;
    let browser = Browser::of(&bench, "rio", &[Scope::Read]).await;
    assert!(!browser.get("/settings").await.text.contains("40/s"));
}

#[tokio::test]
async fn the_health_shows_the_worst_first_with_what_to_do() {
    let bench = Bench::configured("").await;
    let browser = Browser::of(&bench, "rio", &[Scope::Read]).await;
    let text = browser.get("/doctor").await.text;
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} is missing: {text}"));
    assert!(at("No lanes are configured, so nothing can be sent") < at("Not running"), "{text}");
    assert!(
        at("What to do:</strong> add a [[lane]] with a name and a channel.") < at("No lane or template is on hold")
    );
    assert!(text.contains("No server has a recent heartbeat.") && !text.contains("Ask now"), "{text}");
}

#[tokio::test]
async fn the_provider_is_asked_by_a_manager_only_and_its_answer_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("[database]\nurl = \"sqlite://{}/volley.db\"\n", folder.path().display());
    // Nothing listens on this port.
    let bench = Bench::configured(&format!("{database}{CONFIG}")).await;
    let reader = Browser::of(&bench, "rio", &[Scope::Read]).await;
    assert_eq!(reader.post("/doctor/ask", &[]).await.status, StatusCode::FORBIDDEN);
    let browser = Browser::manager(&bench).await;
    assert!(browser.get("/doctor").await.text.contains("Not asked since"));
    let asked = browser.post("/doctor/ask", &[]).await;
    assert_eq!(place(&asked), "/doctor", "{}", asked.text);
    let text = reader.get("/doctor").await.text;
    assert!(text.contains("127.0.0.1:9 cannot be reached") && text.contains("· mia"), "{text}");
    assert!(text.contains("free in the folder of the database"), "{text}");
}

#[tokio::test]
async fn a_running_server_is_listed_with_its_heartbeat() {
    let bench = Bench::configured(CONFIG).await;
    crate::store::started(bench.store.as_ref(), bench.shared.clock.now()).await;
    let browser = Browser::of(&bench, "rio", &[Scope::Read]).await;
    let text = browser.get("/doctor").await.text;
    assert!(text.contains("Last heartbeat") && text.contains("running, last seen"), "{text}");
}
