//! Tests of the pages about operators, keys, webhooks and the audit log.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};

use crate::base::domain::{AuditAction, Scope, Span};
use crate::http::access::{By, NewKey};
use crate::http::api::native::tests::{Answered, Bench};
use crate::http::api::web::tests::{Browser, EVIL, PASSWORD, place, sign_in};
use crate::store::{AfterTrial, AuditEntry, AuditFilter, NewDelivery, Receiver, Trial, Tried};

const NEW_PASSWORD: &str = "another horse battery";

async fn admin(bench: &Bench) -> Browser<'_> {
    Browser::of(bench, "ada", &[Scope::Admin]).await
}

/// The shown secret of a page.
fn secret(page: &str) -> &str {
    let (_, rest) = page.split_once("<code id=\"secret\"").unwrap();
    rest.split_once('>').unwrap().1.split('<').next().unwrap()
}

/// Creates a key, and returns the address of its page and the secret.
async fn key(browser: &Browser<'_>, name: &str) -> (String, String) {
    let made = browser.post("/keys/new", &[("name", name), ("scope", "read")]).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text);
    // What asks for the headers alone does not use the secret up.
    let headers = browser.send(Request::head(place(&made)).body(Body::empty()).unwrap()).await;
    assert_eq!(headers.status, StatusCode::METHOD_NOT_ALLOWED);
    let shown = browser.get(place(&made)).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
    (place(&made).strip_suffix("/secret").unwrap().to_owned(), secret(&shown.text).to_owned())
}

async fn works(bench: &Bench, key: &str) -> bool {
    let request = Request::get("/v1/campaigns").header(header::AUTHORIZATION, format!("Bearer {key}"));
    bench.send(None, request.body(Body::empty()).unwrap()).await.status == StatusCode::OK
}

async fn log(bench: &Bench) -> Vec<AuditEntry> {
    bench
        .store
        .audit_entries_before(AuditFilter::default(), None, 500)
        .await
        .unwrap()
        .into_iter()
        .map(|(_, entry)| entry)
        .collect()
}

fn ok(shown: Answered) -> String {
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
    assert!(shown.text.contains("<h1") && shown.text.ends_with("</html>"), "{}", shown.text);
    assert!(shown.text.len() < 100_000, "{} bytes", shown.text.len());
    shown.text
}

#[tokio::test]
async fn only_an_admin_sees_and_changes_access() {
    let bench = Bench::new().await;
    let browser = admin(&bench).await;
    let (path, _) = key(&browser, "shop").await;
    let manager = Browser::manager(&bench).await;
    for page in [
        "/keys",
        "/keys/new",
        &format!("{path}/rotate"),
        &format!("{path}/revoke"),
        &format!("{path}/secret"),
        "/operators",
        "/operators/new",
        "/operators/mia/password",
        "/operators/mia/scopes",
        "/operators/mia/disable",
        "/webhooks",
        "/webhooks/new",
        "/audit-log",
    ] {
        ok(browser.get(page).await);
        assert_eq!(manager.get(page).await.status, StatusCode::FORBIDDEN, "{page}");
    }
    for action in [
        "/keys/new",
        &format!("{path}/rotate"),
        &format!("{path}/revoke"),
        "/operators/new",
        "/operators/ada/password",
        "/operators/ada/scopes",
        "/operators/ada/disable",
        "/operators/ada/enable",
        "/webhooks/new",
        "/webhooks/whk_1/remove",
        "/webhooks/whk_1/test",
    ] {
        let refused = manager.post(action, &[("name", "x"), ("scope", "read"), ("password", PASSWORD)]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{action}");
    }
    assert!(ok(manager.get("/password").await).contains("Current password"));
}

#[tokio::test]
async fn a_new_key_is_shown_once_and_only_to_the_session_that_made_it() {
    let bench = Bench::new().await;
    let browser = admin(&bench).await;
    let other = Browser::of(&bench, "max", &[Scope::Admin]).await;
    assert!(ok(browser.get("/keys").await).contains("There are no keys yet."));
    let fields = [
        ("name", "shop"),
        ("scope", "read"),
        ("scope", "send"),
        ("requests_per_s", "7"),
        ("addresses", "10.0.0.0/8, 127.0.0.1"),
        ("expires_after", "90d"),
    ];
    let made = browser.post("/keys/new", &fields).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text);
    let page = place(&made).to_owned();
    assert!(!page.contains("_0_") && page.ends_with("/secret"), "{page}");
    // The second click on the button, and an admin who follows the link.
    assert_eq!(place(&browser.post("/keys/new", &fields).await), page);
    assert!(!ok(other.get(&page).await).contains("id=\"secret\""));
    let shown = browser.get(&page).await;
    assert_eq!(shown.headers[header::CACHE_CONTROL], "no-store");
    let shown = ok(shown);
    assert!(shown.contains("It is shown only once."), "{shown}");
    let text = secret(&shown).to_owned();
    assert!(text.starts_with("vk_"), "{text}");
    for path in [page.as_str(), "/keys", "/audit-log", "/events"] {
        let later = ok(browser.get(path).await);
        assert!(!later.contains(&text), "{path}");
    }
    assert!(ok(browser.get(&page).await).contains("Volley shows a secret only once."));
    let listed = ok(browser.get("/keys").await);
    assert!(listed.contains("7 requests a second") && listed.contains("from 10.0.0.0/8, 127.0.0.1"), "{listed}");
    assert!(listed.contains("Expires") && listed.contains(">Never<"), "{listed}");
    let entries = log(&bench).await;
    assert!(!format!("{entries:?}").contains(text.rsplit('_').next().unwrap()));
    assert_eq!(entries.iter().filter(|entry| entry.action.as_str() == "key created").count(), 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_new_key_is_beside_its_field() {
    let bench = Bench::new().await;
    let browser = admin(&bench).await;
    key(&browser, "shop").await;
    for (wrong, says) in [
        (vec![("name", ""), ("scope", "read")], "A name is one line of 1 to 100 characters"),
        (vec![("name", ".."), ("scope", "read")], "and not &#34;.&#34; or &#34;..&#34;"),
        (vec![("name", "shop"), ("scope", "read")], "exists already"),
        (vec![("name", "app")], "without a scope may do nothing"),
        (vec![("name", "app"), ("scope", "read"), ("lane", "nowhere")], "nowhere"),
        (vec![("name", "app"), ("scope", "read"), ("requests_per_s", "0")], "a whole number from 1 on"),
        (vec![("name", "app"), ("scope", "read"), ("addresses", "ten")], "ten"),
        (vec![("name", "app"), ("scope", "read"), ("expires_after", "soon")], "soon"),
        (vec![("name", "app"), ("scope", "read"), ("expires_after", "0s")], "expired already"),
    ] {
        let refused = browser.post("/keys/new", &wrong).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong:?}: {}", refused.text);
        assert!(
            refused.text.contains(says) && refused.text.contains("class=\"problem\""),
            "{wrong:?}: {}",
            refused.text
        );
    }
}

#[tokio::test]
async fn a_key_is_rotated_with_an_overlap_and_revoked_for_good() {
    let bench = Bench::new().await;
    let browser = admin(&bench).await;
    let (path, first) = key(&browser, "shop").await;
    assert!(ok(browser.get(&format!("{path}/rotate")).await).contains("Rotate the key shop?"));
    let rotated = browser.post(&format!("{path}/rotate"), &[("overlap", "1h")]).await;
    // A second click rotates nothing, which would end the secret that is in use.
    let again = browser.post(&format!("{path}/rotate"), &[("overlap", "1h")]).await;
    assert_eq!((place(&rotated), place(&again)), (format!("{path}/secret").as_str(), place(&rotated)));
    let shown = ok(browser.get(place(&rotated)).await);
    assert!(shown.contains("Former secret valid until"), "{shown}");
    let second = secret(&shown).to_owned();
    assert!(first != second && works(&bench, &first).await && works(&bench, &second).await);
    assert!(ok(browser.get("/keys").await).contains("former secret valid until"));
    bench.clock.advance(Span::from_secs(3_601));
    assert!(!works(&bench, &first).await && works(&bench, &second).await);
    assert!(ok(browser.get(&format!("{path}/revoke")).await).contains("cannot be restored"));
    let revoked = browser.post(&format!("{path}/revoke"), &[]).await;
    assert_eq!(place(&revoked), "/keys?done=revoked", "{}", revoked.text);
    assert!(!works(&bench, &second).await);
    let shown = ok(browser.get(place(&revoked)).await);
    assert!(shown.contains("The key is revoked.") && shown.contains("No key is valid."), "{shown}");
    assert!(ok(browser.get("/keys?revoked=true").await).contains("Revoked<"));
    assert_eq!(browser.post(&format!("{path}/rotate"), &[]).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn keys_have_pages_and_hostile_names_stay_text() {
    let bench = Bench::new().await;
    let browser = admin(&bench).await;
    for number in 0..51 {
        let new = NewKey {
            name: format!("key {number:02}"),
            scopes: [Scope::Read].into_iter().collect(),
            ..NewKey::default()
        };
        bench.shared.0.access.create_key(new, &By::command("ann"), bench.shared.clock.now()).await.unwrap();
    }
    let first = ok(browser.get("/keys").await);
    assert!(first.contains("key 49") && !first.contains("key 50") && first.contains("rel=\"next\""));
    let (_, next) = first.split_once("class=\"button\" href=\"/keys?cursor=").unwrap();
    let second = ok(browser.get(&format!("/keys?cursor={}", next.split('"').next().unwrap())).await);
    assert!(second.contains("key 50") && !second.contains("key 49"), "{second}");
    let (path, _) = key(&browser, EVIL).await;
    for page in ["/keys", &format!("{path}/rotate"), &format!("{path}/revoke"), &format!("{path}/secret"), "/audit-log"]
    {
        assert!(!ok(browser.get(page).await).contains("<script>alert"), "{page}");
    }
}

#[tokio::test]
async fn an_operator_is_created_disabled_enabled_and_gets_a_password() {
    let bench = Bench::new().await;
    let browser = admin(&bench).await;
    for (wrong, says) in [
        (vec![("name", "mia"), ("password", "short"), ("scope", "read")], "at least 12 characters"),
        (vec![("name", "ada"), ("password", PASSWORD), ("scope", "read")], "exists already"),
        (vec![("name", "mia"), ("password", PASSWORD)], "without a scope"),
    ] {
        let refused = browser.post("/operators/new", &wrong).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.text.contains(says) && !refused.text.contains(PASSWORD), "{}", refused.text);
    }
    let fields = [("name", "mia"), ("password", PASSWORD), ("scope", "read"), ("scope", "manage")];
    let made = browser.post("/operators/new", &fields).await;
    assert_eq!(place(&made), "/operators?done=created", "{}", made.text);
    assert!(ok(browser.get(place(&made)).await).contains("can sign in now"));
    assert_eq!(sign_in(&bench, "mia", PASSWORD).await.status, StatusCode::SEE_OTHER);
    let shown = ok(browser.get("/operators").await);
    assert!(shown.contains("/operators/mia/disable") && !shown.contains("not recently"), "{shown}");
    let asked = ok(browser.get("/operators/mia/disable").await);
    assert!(asked.contains("Disable mia?") && !asked.contains("This is you"), "{asked}");
    let own = ok(browser.get("/operators/ada/disable").await);
    assert!(own.contains("This is you") && own.contains("volley operator enable"), "{own}");
    browser.post("/operators/mia/disable", &[]).await;
    assert_eq!(sign_in(&bench, "mia", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert!(ok(browser.get("/operators").await).contains("Disabled"));
    browser.post("/operators/mia/enable", &[]).await;
    assert_eq!(browser.post("/operators/mia/password", &[("password", "short")]).await.status, 422);
    let set = browser.post("/operators/mia/password", &[("password", NEW_PASSWORD)]).await;
    assert_eq!(place(&set), "/operators?done=password-set", "{}", set.text);
    assert_eq!(sign_in(&bench, "mia", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in(&bench, "mia", NEW_PASSWORD).await.status, StatusCode::SEE_OTHER);
    assert!(!format!("{:?}", log(&bench).await).contains(NEW_PASSWORD));
    assert_eq!(browser.get("/operators/nobody/disable").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_scopes_of_an_operator_are_set_but_the_last_admin_stays() {
    let bench = Bench::new().await;
    let browser = admin(&bench).await;
    let mia = Browser::manager(&bench).await;
    assert_eq!(mia.get("/new").await.status, StatusCode::OK);
    let asked = ok(browser.get("/operators/mia/scopes").await);
    assert!(asked.contains("value=\"manage\" checked") && !asked.contains("value=\"admin\" checked"), "{asked}");
    assert!(!asked.contains("This is you"), "{asked}");
    let set = browser.post("/operators/mia/scopes", &[("scope", "read")]).await;
    assert_eq!(place(&set), "/operators?done=scopes-set", "{}", set.text);
    assert!(ok(browser.get(place(&set)).await).contains("The scopes are set."));
    assert_eq!(mia.post("/new", &[]).await.status, StatusCode::FORBIDDEN, "the session has the new scopes");
    assert_eq!(mia.get("/").await.status, StatusCode::OK);
    let entries = log(&bench).await;
    let by = |entry: &AuditEntry| entry.action == AuditAction::ScopesSet && entry.object.as_deref() == Some("mia");
    assert_eq!(entries.iter().filter(|entry| by(entry)).count(), 1, "{entries:?}");

    let none = browser.post("/operators/mia/scopes", &[]).await;
    assert!(none.status == 422 && none.text.contains("without a scope"), "{}", none.text);
    assert!(ok(browser.get("/operators/ada/scopes").await).contains("This is you"));
    let last = browser.post("/operators/ada/scopes", &[("scope", "read")]).await;
    assert!(last.status == 422 && last.text.contains("last operator with the scope admin"), "{}", last.text);
    browser.post("/operators/mia/scopes", &[("scope", "read"), ("scope", "admin")]).await;
    assert_eq!(place(&browser.post("/operators/ada/scopes", &[("scope", "read")]).await), "/");
    assert_eq!(browser.get("/operators").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_hostile_name_of_an_operator_stays_text_and_has_its_pages() {
    let bench = Bench::new().await;
    let browser = admin(&bench).await;
    let made = browser.post("/operators/new", &[("name", EVIL), ("password", PASSWORD), ("scope", "read")]).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text);
    let shown = ok(browser.get("/operators").await);
    assert!(!shown.contains("<script>alert"), "{shown}");
    let (_, path) = shown.split_once("href=\"/operators/%3C").unwrap();
    let path = format!("/operators/%3C{}", path.split('"').next().unwrap());
    assert!(ok(browser.get(&path).await).contains("Password of &#60;script"));
}

#[tokio::test]
async fn a_new_own_password_ends_the_other_sessions_alone() {
    let bench = Bench::new().await;
    let browser = Browser::of(&bench, "rio", &[Scope::Read]).await;
    let elsewhere = Browser::with(&bench, &sign_in(&bench, "rio", PASSWORD).await).await;
    browser.post("/zone", &[("zone", "Asia/Kolkata")]).await;
    let change = async |present: &str, password: &str, repeated: &str| {
        browser.post("/password", &[("present", present), ("password", password), ("repeated", repeated)]).await
    };
    for (present, password, repeated, says) in [
        (PASSWORD, NEW_PASSWORD, "other", "The two passwords differ"),
        ("wrong", NEW_PASSWORD, NEW_PASSWORD, "This is not your current password"),
        (PASSWORD, "short", "short", "at least 12 characters"),
    ] {
        let refused = change(present, password, repeated).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.text.contains(says), "{}", refused.text);
    }
    let changed = change(PASSWORD, NEW_PASSWORD, NEW_PASSWORD).await;
    assert_eq!(place(&changed), "/password?done=own-password", "{}", changed.text);
    assert!(place(&elsewhere.get("/").await).starts_with("/sign-in"));
    assert!(place(&browser.get("/").await).starts_with("/sign-in"), "its former secret is worth nothing");
    let browser = Browser::with(&bench, &changed).await;
    let shown = ok(browser.get("/password?done=own-password").await);
    assert!(shown.contains("Your password is changed.") && shown.contains("value=\"Asia/Kolkata\""), "{shown}");
    assert_eq!(sign_in(&bench, "rio", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn wrong_present_passwords_are_counted_as_failed_sign_ins() {
    let bench = Bench::new().await;
    let browser = Browser::of(&bench, "rio", &[Scope::Read]).await;
    let fields = |present: &'static str| [("present", present), ("password", NEW_PASSWORD), ("repeated", NEW_PASSWORD)];
    for _ in 0..10 {
        assert_eq!(browser.post("/password", &fields("wrong")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let refused = browser.post("/password", &fields(PASSWORD)).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.text.contains("Too many attempts"), "{}", refused.text);
    assert_eq!(sign_in(&bench, "rio", PASSWORD).await.status, StatusCode::TOO_MANY_REQUESTS);
    bench.clock.advance(Span::from_secs(60));
    assert_eq!(browser.post("/password", &fields(PASSWORD)).await.status, StatusCode::SEE_OTHER);
}

/// Creates a webhook, and returns its address.
async fn webhook(browser: &Browser<'_>) -> String {
    let fields = [("name", "crm"), ("url", "https://crm.example/hooks"), ("type", "message.*"), ("format", "volley")];
    let made = browser.post("/webhooks/new", &fields).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text);
    // The second click on the button.
    assert_eq!(place(&browser.post("/webhooks/new", &fields).await), place(&made));
    let shown = ok(browser.get(place(&made)).await);
    assert!(secret(&shown).starts_with("whsec_"), "{shown}");
    assert!(!ok(browser.get(place(&made)).await).contains("whsec_"));
    place(&made).strip_suffix("/secret").unwrap().to_owned()
}

#[tokio::test]
async fn a_webhook_is_created_disabled_enabled_rotated_and_removed() {
    let bench = Bench::new().await;
    let browser = admin(&bench).await;
    assert!(ok(browser.get("/webhooks").await).contains("There are no webhooks yet."));
    for (wrong, says) in [
        (vec![("name", "a b"), ("url", "https://crm.example/")], "Invalid name"),
        (vec![("name", "crm"), ("url", "http://10.0.0.1/")], "cannot get webhooks"),
        (vec![("name", "crm"), ("url", "https://crm.example/"), ("sub_account", "acme")], "Only a subscription"),
        (vec![("name", "crm"), ("url", "https://crm.example/"), ("type", "no.such")], "Unknown type"),
    ] {
        let refused = browser.post("/webhooks/new", &wrong).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
        assert!(refused.text.contains(says), "{says}: {}", refused.text);
    }
    let path = webhook(&browser).await;
    let listed = ok(browser.get("/webhooks").await);
    assert!(listed.contains("message.*") && listed.contains("https://crm.example/hooks"), "{listed}");
    let disabled = browser.post(&format!("{path}/disable"), &[("reason", EVIL)]).await;
    let shown = ok(browser.get(place(&disabled)).await);
    assert!(shown.contains("by ada") && !shown.contains("<script>alert"), "{shown}");
    assert!(ok(browser.get("/webhooks").await).contains("by ada"));
    assert_eq!(browser.post(&format!("{path}/disable"), &[]).await.status, StatusCode::CONFLICT);
    let enabled = browser.post(&format!("{path}/enable"), &[]).await;
    assert!(ok(browser.get(place(&enabled)).await).contains("The webhook is enabled."));
    assert!(ok(browser.get(&format!("{path}/rotate")).await).contains("Rotate the secret of crm?"));
    let rotated = browser.post(&format!("{path}/rotate"), &[("overlap", "1d")]).await;
    let shown = ok(browser.get(place(&rotated)).await);
    assert!(secret(&shown).starts_with("whsec_") && shown.contains("Former secret valid until"), "{shown}");
    assert!(ok(browser.get(&format!("{path}/remove")).await).contains("Remove the webhook crm?"));
    let removed = browser.post(&format!("{path}/remove"), &[]).await;
    assert_eq!(place(&removed), "/webhooks?done=removed", "{}", removed.text);
    assert_eq!(browser.get(&path).await.status, StatusCode::NOT_FOUND);
    let about = log(&bench).await.into_iter().filter(|entry| entry.object.as_deref() == Some("crm")).count();
    assert!(about >= 5, "{about}");
}

/// Stores deliveries of the first webhook, and gives every second one up.
async fn delivered(bench: &Bench, number: i64) {
    let webhook = bench.store.subscriptions().await.unwrap().remove(0);
    let receiver = Receiver::Subscription(webhook.id);
    let new = |n: i64| NewDelivery {
        receiver: receiver.clone(),
        event: format!("evt_{n}"),
        kind: if n % 2 == 0 { "message.done" } else { "message.read" }.to_owned(),
        order_key: format!("order {n}"),
        url: None,
        body: format!("{{\"text\":\"{EVIL}\"}}"),
    };
    let now = bench.shared.clock.now();
    let ids = bench.store.add_deliveries((0..number).map(new).collect(), now).await.unwrap();
    let tried = |(n, id): (usize, i64)| Tried {
        id,
        receiver: receiver.clone(),
        order_key: format!("order {n}"),
        trial: Trial {
            at: now,
            took: Span::from_millis(12),
            status: Some(if n % 2 == 0 { 500 } else { 200 }),
            error: None,
            answer: Some(format!("answered {EVIL}")),
        },
        then: if n % 2 == 0 { AfterTrial::GiveUp } else { AfterTrial::Delivered },
    };
    bench.store.record_tries(ids.into_iter().enumerate().map(tried).collect()).await.unwrap();
}

#[tokio::test]
async fn deliveries_have_pages_are_filtered_and_sent_again() {
    let bench = Bench::new().await;
    let browser = admin(&bench).await;
    let path = webhook(&browser).await;
    assert!(ok(browser.get(&path).await).contains("Nothing was delivered in the last seven days."));
    delivered(&bench, 120).await;
    let rows = |page: &str| page.matches(&format!("href=\"{path}/deliveries/")).count();
    let first = ok(browser.get(&path).await);
    assert!(rows(&first) == 50 && first.contains("rel=\"next\""), "{first}");
    let failed = ok(browser.get(&format!("{path}?failed=true")).await);
    assert!(rows(&failed) == 50 && !failed.contains("message.read"), "{failed}");
    let (_, next) = failed.split_once(&format!("href=\"{path}?failed=true&#38;cursor=")).unwrap();
    let next = format!("{path}?failed=true&cursor={}", next.split('"').next().unwrap());
    assert_eq!(rows(&ok(browser.get(&next).await)), 10);
    let (_, one) = failed.split_once(&format!("href=\"{path}/deliveries/")).unwrap();
    let one = format!("{path}/deliveries/{}", one.split('"').next().unwrap());
    let shown = ok(browser.get(&one).await);
    assert!(shown.contains("Given up") && shown.contains(">500<") && shown.contains("webhook-id: evt_"), "{shown}");
    assert!(!shown.contains("<script>alert") && shown.contains("\n  &#34;text&#34;"), "{shown}");
    let again = browser.post(&format!("{one}/replay"), &[]).await;
    assert_eq!(place(&again), format!("{one}?done=replayed"), "{}", again.text);
    assert!(ok(browser.get(&one).await).contains("Waiting"));
    assert_eq!(place(&browser.post(&format!("{one}/replay"), &[]).await), format!("{one}?done=waits"));
    let tested = browser.post(&format!("{path}/test"), &[]).await;
    assert!(ok(browser.get(place(&tested)).await).contains("webhook.test"));
    assert_eq!(browser.get(&format!("{path}/deliveries/99999")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get("/webhooks/whk_99").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_audit_log_is_filtered_by_who_what_and_about() {
    let bench = Bench::new().await;
    let browser = admin(&bench).await;
    let manager = Browser::manager(&bench).await;
    key(&browser, "shop").await;
    let lane = bench.shared.config.lanes[0].name.clone();
    for _ in 0..60 {
        manager.post(&format!("/lanes/{lane}/pause"), &[]).await;
    }
    let rows = |page: &str| page.matches("<th scope=\"row\">").count();
    let all = ok(browser.get("/audit-log").await);
    assert!(rows(&all) == 50 && all.contains("rel=\"next\"") && all.contains(&format!("/lanes/{lane}/pause")), "{all}");
    let by_ada = ok(browser.get("/audit-log?who=ada&action=&about=").await);
    assert!(by_ada.contains("Key created") && !by_ada.contains("/pause"), "{by_ada}");
    assert_eq!(rows(&ok(browser.get("/audit-log?action=key+created").await)), 1);
    assert_eq!(rows(&ok(browser.get(&format!("/audit-log?about={lane}&who=mia")).await)), 50);
    assert!(ok(browser.get("/audit-log?who=nobody").await).contains("Nothing was found."));
    // A word that does not exist is no filter.
    assert_eq!(rows(&ok(browser.get("/audit-log?action=nonsense").await)), 50);
}
