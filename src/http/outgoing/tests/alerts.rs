//! What operators are told of by alerts.

use serde_json::Value;

use super::feeds::kinds;
use super::receiver::Target;
use super::*;
use crate::base::domain::BatchId;

#[tokio::test]
async fn an_alert_is_told_with_its_end_by_webhook_and_by_command() {
    let target = Target::new([]).await;
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("alert.sh");
    let told = folder.path().join("told");
    std::fs::write(&script, format!("cat >> '{0}'\necho >> '{0}'\n", told.display())).unwrap();
    let text = format!(
        "[outgoing]\nallow = [\"127.0.0.0/8\"]\n[[alert]]\nname = \"slack\"\nurl = \"{}\"\nformat = \"slack\"\n\
         kinds = [\"lane_held\"]\n[[alert]]\nname = \"pager\"\ncommand = [\"sh\", \"{}\"]\nkinds = [\"lane_held\", \"outage\"]",
        target.url(),
        script.display()
    );
    let site = Site::with(&text).await;
    let server = site.server();
    server.note_start().await.unwrap();
    site.hold("sms").await;
    site.hold("sms").await;
    site.happens(Subject::lane("sms"), EventKind::OutageBegan { in_flight: 1 }).await;
    server.run_once().await.unwrap();
    site.release("sms").await;
    server.run_once().await.unwrap();
    assert_eq!(target.requests().len(), 1, "the end has to last a minute");
    site.wait(60);
    server.run_once().await.unwrap();
    server.run_once().await.unwrap();
    let texts: Vec<String> =
        target.requests().iter().map(|it| it.json()["text"].as_str().unwrap().to_owned()).collect();
    let expected = [
        "Volley: lane sms: held: the key was refused (code 1200)",
        "Volley: resolved after 0s: lane sms: held: the key was refused (code 1200)",
    ];
    assert_eq!(texts, expected);
    let told = std::fs::read_to_string(told).unwrap();
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut states: Vec<(&str, &str)> =
        told.iter().map(|it| (it["kind"].as_str().unwrap(), it["state"].as_str().unwrap())).collect();
    states.sort_unstable();
    assert_eq!(states, [("lane_held", "firing"), ("lane_held", "resolved"), ("outage", "firing")]);
}

/// The alert `ops` for one kind, with a webhook.
fn alerts_to(target: &Target, kind: &str) -> String {
    let url = target.url();
    format!("[outgoing]\nallow = [\"127.0.0.0/8\"]\n[[alert]]\nname = \"ops\"\nurl = \"{url}\"\nkinds = [\"{kind}\"]\n")
}

/// The states that an alert told of, in order.
fn told_states(target: &Target) -> Vec<String> {
    target.requests().iter().map(|request| request.json()["state"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_refused_draft_and_a_reply_that_may_be_an_opt_out_are_told() {
    let (crm, pager) = (Target::new([]).await, Target::new([]).await);
    let site = Site::with(&alerts_to(&pager, "possible_opt_out")).await;
    site.subscribe_to("crm", &crm.url(), &["campaign.refused", "opt_out.possible"]).await;
    let server = site.server();
    server.note_start().await.unwrap();
    site.happens(Subject::campaign(BatchId(1), Some("Winter")), EventKind::Refused).await;
    site.happens(Subject::OptOuts, EventKind::OptOutPossible).await;
    server.run_once().await.unwrap();
    server.run_once().await.unwrap();
    assert_eq!(kinds(&crm), ["campaign.refused", "opt_out.possible"]);
    assert_eq!(pager.requests().len(), 1, "{:?}", pager.requests());
}

#[tokio::test]
async fn a_resumed_template_ends_the_alerts_of_its_languages() {
    let target = Target::new([]).await;
    let site = Site::with(&alerts_to(&target, "lane_held")).await;
    let server = site.server();
    let hold = |second| store::Hold {
        lane: "wa".to_owned(),
        template: "promo".to_owned(),
        language: "en".to_owned(),
        by: store::HeldBy::Event,
        code: None,
        origin: Origin::provider("the template is paused"),
        since: second,
    };
    for _ in 0..2 {
        let now = site.clock.now();
        site.store.hold(hold(now), now).await.unwrap();
        server.run_once().await.unwrap();
        site.wait(1);
        let ann = Origin::operator("Ann", None);
        site.store.release("wa".to_owned(), "promo".to_owned(), site.clock.now(), ann).await.unwrap();
        server.run_once().await.unwrap();
        site.wait(60);
        server.run_once().await.unwrap();
        server.run_once().await.unwrap();
    }
    assert_eq!(told_states(&target), ["firing", "resolved", "firing", "resolved"]);
}

/// The events of a dead server have no end, and a later server may read them first.
#[tokio::test]
async fn an_alert_of_an_earlier_servers_event_ends_unless_it_returns() {
    let began = || EventKind::OutageBegan { in_flight: 1 };
    for returns in [false, true] {
        let target = Target::new([]).await;
        let site = Site::with(&alerts_to(&target, "outage")).await;
        // A backlog of several pages.
        for n in 0..600 {
            site.hold(&format!("lane-{n}")).await;
        }
        site.happens(Subject::lane("sms"), began()).await;
        site.wait(3_600);
        let server = site.server();
        server.note_start().await.unwrap();
        if returns {
            site.happens(Subject::lane("sms"), began()).await;
        }
        for _ in 0..3 {
            server.run_once().await.unwrap();
        }
        site.wait(60);
        server.run_once().await.unwrap();
        server.run_once().await.unwrap();
        let expected: &[&str] = if returns { &["firing"] } else { &["firing", "resolved"] };
        assert_eq!(told_states(&target), expected, "returns: {returns}");
    }
}

#[tokio::test]
async fn an_alert_ends_while_it_is_not_configured() {
    let target = Target::new([]).await;
    let mut site = Site::with(&alerts_to(&target, "lane_held")).await;
    site.subscribe("crm", "https://crm.example/").await;
    site.hold("sms").await;
    site.server().run_once().await.unwrap();
    let configured = std::mem::replace(&mut site.alerts, Arc::from([]));
    site.release("sms").await;
    site.server().run_once().await.unwrap();
    site.wait(60);
    site.alerts = configured;
    let server = site.server();
    server.run_once().await.unwrap();
    site.hold("sms").await;
    for _ in 0..3 {
        server.run_once().await.unwrap();
    }
    assert_eq!(told_states(&target), ["firing", "resolved", "firing"]);
}

#[tokio::test]
async fn a_subscription_is_refused_with_what_is_wrong() {
    let site = Site::new().await;
    let good = || retries::wanted("https://crm.example/hooks");
    let refused = async |wanted: Wanted| site.desk.create(wanted, Origin::SERVER).await.unwrap_err().to_string();
    let types = |kind: &str| vec![kind.to_owned()];
    for (wanted, expected) in [
        (Wanted { name: "a b".to_owned(), ..good() }, "invalid name \"a b\""),
        (
            Wanted { types: types("message.seen"), ..good() },
            "unknown type \"message.seen\"; did you mean \"message.sent\"?",
        ),
        (Wanted { url: "crm.example".to_owned(), ..good() }, "it is no web address"),
        (Wanted { sub_account: Some("acme".to_owned()), ..good() }, "only a subscription with the format 8x8"),
        (Wanted { authorization: Some("a\nb".to_owned()), ..good() }, "characters that are invalid in a header"),
        (Wanted { format: WebhookFormat::Provider, types: types("lane.held"), ..good() }, "messages and replies alone"),
    ] {
        let error = refused(wanted).await;
        assert!(error.contains(expected), "{error}");
    }
    site.desk.create(good(), Origin::SERVER).await.unwrap();
    assert!(refused(good()).await.contains("exists already"));
    let unknown = site.desk.show("crmm").await.unwrap_err().to_string();
    assert_eq!(unknown, "unknown subscription \"crmm\"; did you mean \"crm\"?");
    let again = site.desk.enable("crm", Origin::SERVER).await.unwrap_err().to_string();
    assert_eq!(again, "the subscription \"crm\" is enabled already");
}
