//! A crawl of every page, download and answer of the API: a recipient without a number is shown by its id, and no number is
//! made up for it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::{Browser, first_message};
use crate::base::clock::Clock as _;
use crate::base::domain::{Channel, Keyword, Scope, Span};
use crate::http::api::native::tests::{Bench, caller};
use crate::store::{Inbound, WebhookGroup};

const ANN: &str = "Ua12b345678c1de0fg1a1234567891011";
const BOB: &str = "Ub12b345678c1de0fg1a1234567891011";

/// How numbers began that an earlier version made up for recipients without one.
const MADE_UP: [&str; 2] = ["+999", "%2B999"];

/// Pages and answers of one crawl.
const MOST: usize = 900;

/// A server whose only recipients are two users of LINE: one answered STOP to a message of the API.
async fn server() -> Bench {
    let bench =
        Bench::changed(|text| format!("{text}\n[[lane]]\nname = \"line\"\nchannel = \"LINE\"\nrate = \"10/s\"\n"))
            .await;
    for id in [ANN, BOB] {
        let body = json!({"user": {"lineUserId": id}, "clientMessageId": id, "type": "Text", "content": {"text": "Hi"}, "channels": [{"channel": "Line"}]});
        let request = Request::post("/api/v1/subaccounts/acme/messages").header("content-type", "application/json");
        let request = request.body(Body::from(body.to_string())).unwrap();
        let sent = bench.send(Some(caller("a", &[Scope::Send])), request).await;
        assert!(sent.status.is_success(), "{}", sent.text);
    }
    let at = bench.clock.now();
    let stop = Inbound {
        umid: "in-1".to_owned(),
        received: at,
        written_at: at,
        sub_account: "acme".to_owned(),
        channel: Some(Channel::Line),
        channel_id: String::new(),
        msisdn: None,
        called: Some(ANN.to_owned()),
        kind: "Text".to_owned(),
        choice: None,
        keyword: Some(Keyword::Stop),
        language: None,
        window: None,
        on: None,
        raw: json!({"payload": {"umid": "in-1", "user": {"channelUserId": ANN}, "type": "Text", "content": {"text": "STOP"}}})
            .to_string(),
    };
    bench.store.take(WebhookGroup { written: vec![stop], ..WebhookGroup::default() }).await.unwrap();
    bench
}

/// The addresses of this server that a page leads to, or that it takes a part of itself from.
pub(super) fn links(page: &str) -> BTreeSet<String> {
    let of = |attribute: &'static str| page.split(attribute).skip(1).filter_map(|rest| rest.split('"').next());
    let all = ["href=\"", "src=\"", "data-from=\""].into_iter().flat_map(of);
    let own = all.filter(|link| link.starts_with('/') && !link.starts_with("//"));
    own.map(|link| link.replace("&amp;", "&").split('#').next().unwrap().to_owned()).collect()
}

/// The paths of the operations that only read, with an id of this server for each parameter.
async fn operations(bench: &Bench, ids: &BTreeMap<&str, String>) -> Vec<String> {
    let document = bench.send(None, Request::get("/openapi.json").body(Body::empty()).unwrap()).await.body;
    let reading = document["paths"].as_object().unwrap().iter().filter(|(_, item)| item.get("get").is_some());
    reading
        .map(|(path, _)| {
            let with = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(name) => ids.get(name).cloned().unwrap_or_else(|| "unknown".to_owned()),
                None => part.to_owned(),
            };
            format!("/v1{}", path.split('/').map(with).collect::<Vec<_>>().join("/"))
        })
        // They go on until their client leaves.
        .filter(|path| !path.ends_with("/watch") && !path.ends_with("/stream"))
        .collect()
}

#[tokio::test]
async fn no_page_download_or_answer_makes_up_a_number() {
    let bench = server().await;
    let browser = Browser::of(&bench, "root", Scope::ALL).await;
    let shown = browser.get(&format!("/recipients/{ANN}")).await.text;
    let message = first_message(&shown).trim_start_matches("/messages/").to_owned();
    let replied =
        bench.send(Some(caller("a", &[Scope::Read])), Request::get("/v1/messages").body(Body::empty()).unwrap());
    let batch = replied.await.body["items"][0]["batch"].as_str().unwrap_or("unknown").to_owned();
    let ids = BTreeMap::from([
        ("message", message.clone()),
        ("address", ANN.to_owned()),
        ("batch", batch.clone()),
        ("campaign", batch.clone()),
        ("lane", "line".to_owned()),
    ]);
    let mut waiting: VecDeque<String> = operations(&bench, &ids).await.into();
    waiting.extend([
        "/".to_owned(),
        format!("/messages/{message}"),
        format!("/recipients/{ANN}"),
        format!("/recipients/{BOB}"),
    ]);
    waiting.extend(["/opt-outs", "/replies", "/events", "/lanes"].map(str::to_owned));
    let mut seen: BTreeSet<String> = waiting.iter().cloned().collect();
    let (mut with_an_id, mut looked_at) = (0, 0);
    while let Some(path) = waiting.pop_front() {
        // No rate ends the crawl.
        bench.clock.advance(Span::from_secs(1));
        let answered = if path.starts_with("/v1/") {
            let request = Request::get(&path).body(Body::empty()).unwrap();
            bench.send(Some(caller("a", Scope::ALL)), request).await
        } else {
            browser.get(&path).await
        };
        assert!(!answered.status.is_server_error(), "{path}: {} {}", answered.status, answered.text);
        for made_up in MADE_UP {
            assert!(!answered.text.contains(made_up), "{path} shows {made_up}:\n{}", answered.text);
        }
        with_an_id += usize::from(answered.text.contains(ANN) || answered.text.contains(BOB));
        looked_at += 1;
        assert!(looked_at <= MOST, "the crawl has no end; the last path is {path}");
        let more = if answered.body == Value::Null { links(&answered.text) } else { BTreeSet::new() };
        // The months of the calendar have no end, and a watch waits for one.
        let others = ["/docs", "/assets", "/calendar?"];
        let is_page = |link: &String| !others.iter().any(|begin| link.starts_with(begin)) && !link.contains("watch");
        waiting.extend(more.into_iter().filter(is_page).filter(|link| seen.insert(link.clone())));
    }
    assert!(looked_at > 60 && with_an_id > 12, "{with_an_id} of {looked_at} show an id");
}
