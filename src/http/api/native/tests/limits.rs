//! Tests of keys that are limited to lanes or subaccounts, and of their rates.

use super::*;

/// Two subaccounts, each with an SMS lane of its own. Both lanes share an account.
const TWO: &str = r#"
[provider]
base_url = "http://127.0.0.1:8690"
sub_account = "acme"
api_key = "practice"

[[account]]
name = "shared"
rate = "100/s"

[[lane]]
name = "acme-sms"
channel = "SMS"
source = "ACME"
account = "shared"

[[lane]]
name = "other-sms"
channel = "SMS"
source = "ACME"
sub_account = "other"
account = "shared"
"#;

fn two() -> Arc<Config> {
    Arc::new(Config::read(Some((Path::new("volley.toml"), TWO)), std::iter::empty(), []).unwrap().config)
}

fn names(of: &str) -> Option<Vec<String>> {
    Some(vec![of.to_owned()])
}

/// A key of the subaccount acme.
fn of_acme() -> Caller {
    Caller { sub_accounts: names("acme"), ..caller("acme", Scope::ALL).as_ref().clone() }
}

impl Bench {
    async fn by(&self, caller: &Caller, method: Method, path: &str, body: &str) -> Answered {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        self.send(Some(Arc::new(caller.clone())), request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// Launches a campaign on a lane.
    async fn launch_on(&self, by: &Caller, lane: &str, name: &str) -> Answered {
        let body = CAMPAIGN.replace("LANE", lane).replace("Promo", name);
        self.by(by, Method::POST, "/v1/campaigns", &body).await
    }
}

#[tokio::test]
async fn a_key_of_one_subaccount_reaches_nothing_of_another() {
    let bench = Bench::with(two()).await;
    let unlimited = caller("root", Scope::ALL).as_ref().clone();
    let theirs = bench.launch_on(&unlimited, "other-sms", "Theirs").await;
    let id = theirs.body["id"].as_str().unwrap();
    let messages = bench.by(&unlimited, Method::GET, "/v1/messages?campaign=Theirs", "").await;
    let message = messages.body["items"][0]["id"].as_str().unwrap();
    for limited in [of_acme(), Caller { sub_accounts: None, lanes: names("acme-sms"), ..of_acme() }] {
        for (method, path) in [
            (Method::GET, format!("/v1/messages/{message}")),
            (Method::GET, format!("/v1/messages?umid={message}")),
            (Method::GET, "/v1/messages?campaign=Theirs&number=%2B6591234567".to_owned()),
            (Method::GET, "/v1/campaigns/Theirs".to_owned()),
            (Method::GET, format!("/v1/campaigns/{id}/report")),
            (Method::GET, format!("/v1/campaigns/{id}/events")),
            (Method::GET, format!("/v1/campaigns/{id}/watch")),
            (Method::GET, format!("/v1/batches/{id}")),
            (Method::GET, "/v1/replies?campaign=Theirs".to_owned()),
            (Method::GET, "/v1/replies?from=%2B6591234567".to_owned()),
            (Method::GET, "/v1/lanes/other-sms".to_owned()),
            (Method::GET, "/v1/opt-outs/%2B6591234567".to_owned()),
            (Method::POST, "/v1/campaigns/Theirs/cancel".to_owned()),
            (Method::POST, "/v1/campaigns/Theirs/clone".to_owned()),
            (Method::POST, "/v1/campaigns/Theirs/steps/1/pause".to_owned()),
            (Method::POST, format!("/v1/batches/{id}/pause")),
            (Method::POST, format!("/v1/messages/{message}/cancel")),
            (Method::POST, format!("/v1/messages/{message}/release")),
            (Method::POST, "/v1/lanes/other-sms/pause".to_owned()),
            (Method::DELETE, "/v1/campaigns/Theirs".to_owned()),
        ] {
            let refused = bench.by(&limited, method.clone(), &path, "").await;
            assert_eq!(code(&refused), (403, "forbidden"), "{method} {path}: {}", refused.text);
        }
        for list in ["/v1/campaigns", "/v1/batches"] {
            assert_eq!(bench.by(&limited, Method::GET, list, "").await.body["items"], json!([]), "{list}");
        }
        for path in ["/v1/campaigns", "/v1/campaigns/plan"] {
            let body = CAMPAIGN.replace("LANE", "other-sms");
            let refused = bench.by(&limited, Method::POST, path, &body).await;
            assert_eq!(code(&refused), (403, "forbidden"), "{path}: {}", refused.text);
        }
    }
    let state = bench.by(&unlimited, Method::GET, "/v1/campaigns/Theirs", "").await;
    assert_eq!(state.body["state"], theirs.body["state"]);
}

#[tokio::test]
async fn a_limited_key_uses_its_own_lanes_and_campaigns() {
    let bench = Bench::with(two()).await;
    bench.launch_on(&caller("root", Scope::ALL), "other-sms", "Theirs").await;
    let own = bench.launch_on(&of_acme(), "acme-sms", "Own").await;
    assert_eq!(own.status, StatusCode::CREATED, "{}", own.text);
    let listed = bench.by(&of_acme(), Method::GET, "/v1/campaigns", "").await;
    let listed: Vec<&Value> = listed.body["items"].as_array().unwrap().iter().map(|item| &item["name"]).collect();
    assert_eq!(listed, ["Own"]);
    assert_eq!(bench.by(&of_acme(), Method::GET, "/v1/campaigns/Own/report", "").await.body["audience"], 2);
    assert_eq!(bench.by(&of_acme(), Method::GET, "/v1/replies?campaign=Own", "").await.status, StatusCode::OK);
    let lanes = bench.by(&of_acme(), Method::GET, "/v1/lanes", "").await;
    assert_eq!(
        (lanes.body["items"].as_array().unwrap().len(), &lanes.body["items"][0]["name"]),
        (1, &json!("acme-sms"))
    );
    let change = async |by: &Caller, change: &str| {
        let request = Request::patch("/v1/lanes/acme-sms").header("content-type", "application/json");
        let request = request.header("if-match", "*").body(Body::from(change.to_owned())).unwrap();
        bench.send(Some(Arc::new(by.clone())), request).await
    };
    assert_eq!(change(&of_acme(), r#"{"rate": "7/s"}"#).await.status, StatusCode::OK);
    // The rate of the account limits the lane of the other subaccount too.
    assert_eq!(code(&change(&of_acme(), r#"{"account_rate": "7/s"}"#).await), (403, "forbidden"));
    assert_eq!(change(&caller("root", Scope::ALL), r#"{"account_rate": "7/s"}"#).await.status, StatusCode::OK);
}

#[tokio::test]
async fn both_limits_must_permit_a_lane() {
    let bench = Bench::with(two()).await;
    let neither = Caller { lanes: names("other-sms"), ..of_acme() };
    assert_eq!(bench.by(&neither, Method::GET, "/v1/lanes", "").await.body["items"], json!([]));
    for lane in ["acme-sms", "other-sms"] {
        assert_eq!(code(&bench.launch_on(&neither, lane, lane).await), (403, "forbidden"));
    }
}

#[tokio::test]
async fn a_limited_key_calls_no_operation_that_checks_no_lane() {
    let bench = Bench::new().await;
    let about_lanes = ["/v1/campaigns", "/v1/batches", "/v1/messages", "/v1/lanes", "/v1/replies"];
    let mut refused = 0;
    for (method, path, scope, _) in all_operations(&document(&bench).await) {
        if scope.is_none() || about_lanes.iter().any(|prefix| path.starts_with(prefix)) {
            continue;
        }
        bench.clock.advance(crate::base::domain::Span::from_secs(1));
        let answered = bench.by(&of_acme(), method.clone(), &path, "{}").await;
        assert_eq!(code(&answered), (403, "forbidden"), "{method} {path}");
        assert!(answered.body["detail"].as_str().unwrap().contains("is limited to some lanes"), "{}", answered.text);
        refused += 1;
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn a_key_has_its_own_rate() {
    let bench = Bench::new().await;
    let slow = Caller { requests_per_s: NonZeroU32::new(2), ..caller("slow", &[Scope::Read]).as_ref().clone() };
    for (wanted, left) in [(200, 1), (200, 0), (429, 0)] {
        let answered = bench.by(&slow, Method::GET, "/v1/events", "").await;
        assert_eq!(answered.status.as_u16(), wanted);
        assert_eq!(answered.headers["ratelimit-policy"], "\"key\";q=2;w=1");
        assert_eq!(answered.headers["ratelimit"].to_str().unwrap(), format!("\"key\";r={left};t=1"));
    }
}
