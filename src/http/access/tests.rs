//! Tests callers, keys, operators and the first admin over real stores.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::base::clock::{Clock, ManualClock, RealClock};
use crate::base::domain::{AuditAction, Scope};
use crate::store::{self, AuditActor, AuditRequest, Cursor, KeyLimits, LastUse, PasswordHash};

const PASSWORD: &str = "correct horse battery";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + seconds * 1_000)
}

fn peer() -> IpAddr {
    "10.0.0.7".parse().unwrap()
}

fn ann() -> By {
    By::command("Ann")
}

fn request() -> AuditRequest {
    let (id, method, path) = ("r-1".to_owned(), "POST".to_owned(), "/v1/keys".to_owned());
    AuditRequest { id, peer: peer(), method, path }
}

fn new_key(name: &str, scope: Scope) -> NewKey {
    NewKey { name: name.to_owned(), scopes: Scopes::default().with(scope), limits: KeyLimits::default() }
}

/// A database file, which several processes may open.
struct Installation {
    folder: tempfile::TempDir,
}

impl Installation {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    async fn open(&self) -> Arc<dyn Store> {
        let url = format!("sqlite://{}", self.folder.path().join("volley.db").display());
        // Processes wait for each other by the clock.
        let clock: Arc<dyn Clock> = Arc::new(RealClock::new());
        store::open(&url, clock).await.unwrap()
    }

    /// Access of another process.
    async fn process(&self) -> Access {
        Access::new(self.open().await)
    }
}

async fn in_memory() -> Access {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(at(0)));
    Access::new(store::open("sqlite::memory:", clock).await.unwrap())
}

async fn call(access: &Access, key: &Secret, now: Timestamp) -> Result<Arc<Caller>, Denied> {
    call_from(access, key, peer(), now).await
}

async fn call_from(access: &Access, key: &Secret, peer: IpAddr, now: Timestamp) -> Result<Arc<Caller>, Denied> {
    access.caller(Some(format!("Bearer {}", key.expose()).as_bytes()), peer, now).await
}

#[tokio::test]
async fn a_key_makes_its_caller_with_scopes_and_limits() {
    let access = in_memory().await;
    let limits = KeyLimits {
        sub_accounts: Some(vec!["acme".to_owned()]),
        lanes: Some(vec!["sms".to_owned()]),
        requests_per_s: std::num::NonZeroU32::new(5),
        ..KeyLimits::default()
    };
    let issued = access.create_key(NewKey { limits, ..new_key("shop", Scope::Send) }, &ann(), at(0)).await.unwrap();
    let caller = call(&access, &issued.text, at(1)).await.unwrap();
    assert_eq!((caller.id.as_str(), caller.name.as_str()), (issued.key.id.to_string().as_str(), "shop"));
    assert!(issued.text.expose().starts_with(&format!("{}_", caller.id)));
    assert_eq!((caller.check(Scope::Send), caller.check(Scope::Read)), (Ok(()), Err(Denied::Scope(Scope::Read))));
    assert!(caller.may_use("acme") && !caller.may_use("other"));
    assert_eq!(caller.lanes.as_deref(), Some(&["sms".to_owned()][..]));
    assert_eq!(caller.requests_per_s.map(std::num::NonZeroU32::get), Some(5));
}

#[tokio::test]
async fn a_forged_secret_is_unknown_whether_or_not_its_id_is() {
    let access = in_memory().await;
    let issued = access.create_key(new_key("shop", Scope::Send), &ann(), at(0)).await.unwrap();
    access.revoke_key("shop", &ann(), at(1)).await.unwrap();
    let key = issued.text.expose();
    let last = if key.ends_with('0') { '1' } else { '0' };
    for forged in [
        // The secret of a revoked key differs in one digit, so that not even its revocation is told.
        format!("{}{last}", &key[..key.len() - 1]),
        format!("{}_{}", issued.key.id, "0".repeat(64)),
        format!("vk_0000000000000000_{}", &key[key.len() - 64..]),
    ] {
        assert_eq!(call(&access, &Secret::new(forged), at(2)).await, Err(Denied::Unknown));
    }
    assert_eq!(call(&access, &issued.text, at(2)).await, Err(Denied::Revoked { name: "shop".to_owned() }));
}

#[tokio::test]
async fn a_key_ends_at_its_time_and_is_bound_to_its_networks() {
    let access = in_memory().await;
    let addresses = Some(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
    let limits = KeyLimits { addresses, expires_at: Some(at(60)), ..KeyLimits::default() };
    let issued = access.create_key(NewKey { limits, ..new_key("shop", Scope::Send) }, &ann(), at(0)).await.unwrap();
    let (name, key) = ("shop".to_owned(), &issued.text);
    for (from, is_allowed) in
        [("10.9.9.9", true), ("::ffff:10.9.9.9", true), ("fd12::1", true), ("11.0.0.1", false), ("2001:db8::1", false)]
    {
        let called = call_from(&access, key, from.parse().unwrap(), at(59)).await;
        assert_eq!(
            called.map(drop),
            if is_allowed { Ok(()) } else { Err(Denied::Address { name: name.clone() }) },
            "{from}"
        );
    }
    assert_eq!(call(&access, key, at(60)).await, Err(Denied::Expired { name }), "also while it is in memory");
}

#[tokio::test]
async fn a_revocation_is_in_effect_at_once_and_in_other_processes_within_250_ms() {
    let site = Installation::new();
    let (server, command) = (site.process().await, site.process().await);
    let first = server.create_key(new_key("first", Scope::Send), &ann(), at(0)).await.unwrap();
    let second = server.create_key(new_key("second", Scope::Send), &ann(), at(0)).await.unwrap();
    for key in [&first, &second] {
        call(&server, &key.text, at(1)).await.unwrap();
    }
    server.revoke_key("first", &ann(), at(1)).await.unwrap();
    assert_eq!(call(&server, &first.text, at(1)).await, Err(Denied::Revoked { name: "first".to_owned() }));
    command.revoke_key(&second.key.id.to_string(), &ann(), at(1)).await.unwrap();
    let called = call(&server, &second.text, at(1) + IN_EFFECT).await;
    assert_eq!(called, Err(Denied::Revoked { name: "second".to_owned() }));
}

#[tokio::test]
async fn a_caller_that_was_admitted_is_refused_once_its_key_ends() {
    let access = in_memory().await;
    let limits = KeyLimits { expires_at: Some(at(60)), ..KeyLimits::default() };
    let issued = access.create_key(NewKey { limits, ..new_key("shop", Scope::Read) }, &ann(), at(0)).await.unwrap();
    let caller = call(&access, &issued.text, at(1)).await.unwrap();
    let name = "shop".to_owned();
    assert_eq!(access.recheck(&caller, at(59)).await, Ok(()));
    assert_eq!(access.recheck(&caller, at(60)).await, Err(Denied::Expired { name: name.clone() }));
    access.revoke_key("shop", &ann(), at(2)).await.unwrap();
    assert_eq!(access.recheck(&caller, at(2)).await, Err(Denied::Revoked { name }));
}

#[tokio::test]
async fn a_read_that_began_before_a_revocation_is_not_kept() {
    let access = in_memory().await;
    let issued = access.create_key(new_key("shop", Scope::Send), &ann(), at(0)).await.unwrap();
    let Look::Strange(reading) = access.keys.look(issued.key.id, at(1)) else { panic!("no request came yet") };
    access.revoke_key("shop", &ann(), at(1)).await.unwrap();
    access.keys.keep(issued.key.clone(), reading);
    assert_eq!(call(&access, &issued.text, at(1)).await, Err(Denied::Revoked { name: "shop".to_owned() }));
}

#[tokio::test]
async fn a_rotation_ends_the_former_secret_after_the_overlap() {
    let access = in_memory().await;
    let first = access.create_key(new_key("shop", Scope::Send), &ann(), at(0)).await.unwrap();
    let second = access.rotate_key("shop", Span::from_secs(60), &ann(), at(0)).await.unwrap();
    assert_eq!(first.key.id, second.key.id);
    for (key, now, is_valid) in [(&first, 59, true), (&first, 60, false), (&second, 59, true), (&second, 60, true)] {
        assert_eq!(call(&access, &key.text, at(now)).await.is_ok(), is_valid, "{now}");
    }
    let third = access.rotate_key("shop", Span::ZERO, &ann(), at(60)).await.unwrap();
    assert_eq!(call(&access, &second.text, at(60)).await, Err(Denied::Unknown));
    assert!(call(&access, &third.text, at(60)).await.is_ok());
    access.revoke_key("shop", &ann(), at(61)).await.unwrap();
    let refused = access.rotate_key(&third.key.id.to_string(), Span::ZERO, &ann(), at(62)).await.unwrap_err();
    assert!(matches!(refused, AccessError::Revoked { name } if name == "shop"));
}

#[tokio::test]
async fn the_last_use_is_recorded_beside_the_requests() {
    let access = in_memory().await;
    let issued = access.create_key(new_key("shop", Scope::Send), &ann(), at(0)).await.unwrap();
    let last_use = async || access.store.api_key(issued.key.id).await.unwrap().unwrap().last_use;
    for second in [1, 2, 3] {
        call(&access, &issued.text, at(second)).await.unwrap();
    }
    call(&access, &Secret::new(format!("{}_{}", issued.key.id, "0".repeat(64))), at(4)).await.unwrap_err();
    assert_eq!(last_use().await, None, "no request writes");
    access.uses().record().await.unwrap();
    assert_eq!(last_use().await, Some(LastUse { at: at(3), from: peer() }), "a forged secret is no use");
}

#[tokio::test]
async fn uses_are_recorded_each_minute_and_when_the_server_stops() {
    let clock = Arc::new(ManualClock::at(at(0)));
    let access = Access::new(store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap());
    let issued = access.create_key(new_key("shop", Scope::Send), &ann(), at(0)).await.unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    let (uses, its_clock, its_stop) = (access.uses(), Arc::clone(&clock), stop.clone());
    let recording = tokio::spawn(async move { uses.record_until(its_clock.as_ref(), &its_stop).await });
    let sleeps = async || {
        while clock.next_sleeper().is_none() {
            tokio::task::yield_now().await;
        }
    };
    let used_at = async || access.store.api_key(issued.key.id).await.unwrap().unwrap().last_use.map(|used| used.at);
    sleeps().await;
    call(&access, &issued.text, at(7)).await.unwrap();
    clock.advance(Span::from_secs(60));
    sleeps().await;
    assert_eq!(used_at().await, Some(at(7)));
    call(&access, &issued.text, at(61)).await.unwrap();
    stop.cancel();
    recording.await.unwrap();
    assert_eq!(used_at().await, Some(at(61)));
}

#[tokio::test]
async fn an_invalid_key_is_refused_with_the_reason() {
    let access = in_memory().await;
    let reason = async |new: NewKey| access.create_key(new, &ann(), at(0)).await.unwrap_err().to_string();
    let limited = |limits: KeyLimits| NewKey { limits, ..new_key("shop", Scope::Send) };
    for name in ["", " shop", "two\nlines", &"x".repeat(101)] {
        assert!(reason(new_key(name, Scope::Send)).await.contains("1 to 100 characters"), "{name}");
    }
    let nothing = NewKey { name: "shop".to_owned(), ..NewKey::default() };
    assert!(reason(nothing).await.contains("read, send, manage, admin"));
    let none = KeyLimits { lanes: Some(Vec::new()), ..KeyLimits::default() };
    assert!(reason(limited(none)).await.contains("an empty list of lanes permits nothing"));
    let past = KeyLimits { expires_at: Some(at(0)), ..KeyLimits::default() };
    assert!(reason(limited(past)).await.contains("would have expired already"));
    access.create_key(new_key("shop", Scope::Send), &ann(), at(0)).await.unwrap();
    assert!(reason(new_key("shop", Scope::Read)).await.contains("the key \"shop\" exists already"));
    let unknown = access.revoke_key("other", &ann(), at(0)).await.unwrap_err();
    assert_eq!(unknown.to_string(), "unknown key \"other\"; see `volley key list`");
}

#[tokio::test]
async fn an_operator_signs_in_until_disabled() {
    let access = in_memory().await;
    let new = |name: &str, password: &str| NewOperator {
        name: name.to_owned(),
        scopes: Scopes::default().with(Scope::Manage),
        password: Secret::new(password),
    };
    access.create_operator(new("ann", PASSWORD), &ann(), at(0)).await.unwrap();
    let sign_in = async |name: &str, password: &str| access.sign_in(name, Secret::new(password)).await;
    let caller = sign_in("ann", PASSWORD).await.unwrap();
    assert_eq!((caller.id.as_str(), caller.check(Scope::Manage)), ("operator:ann", Ok(())));
    assert_eq!(sign_in("ann", "wrong password").await, Err(Denied::SignIn));
    assert_eq!(sign_in("ben", PASSWORD).await, Err(Denied::SignIn));

    access.set_password("ann", Secret::new("another battery"), &ann(), at(1)).await.unwrap();
    assert_eq!(sign_in("ann", PASSWORD).await, Err(Denied::SignIn));
    assert!(access.set_disabled("ann", true, &ann(), at(2)).await.unwrap().1);
    assert_eq!(sign_in("ann", "another battery").await, Err(Denied::Disabled { name: "ann".to_owned() }));
    assert_eq!(sign_in("ann", PASSWORD).await, Err(Denied::SignIn), "only the owner of the password learns it");
    assert!(access.set_disabled("ann", false, &ann(), at(3)).await.unwrap().1);
    assert!(sign_in("ann", "another battery").await.is_ok());

    let of = |scopes: &[Scope]| scopes.iter().copied().collect::<Scopes>();
    let steers = NewOperator { scopes: of(&[Scope::Manage]), ..new("carla", PASSWORD) };
    let steers = access.create_operator(steers, &ann(), at(4)).await.unwrap();
    assert_eq!(steers.scopes, of(&[Scope::Read, Scope::Manage]), "who signs in can use the pages, and sign out");
    let sends = access.set_scopes("carla", of(&[Scope::Send]), &ann(), at(4)).await.unwrap().0;
    assert_eq!(sends.scopes, of(&[Scope::Read, Scope::Send]));

    let short = access.create_operator(new("ben", "short"), &ann(), at(4)).await.unwrap_err();
    assert!(short.to_string().contains("at least 12 characters"));
    let taken = access.create_operator(new("ann", PASSWORD), &ann(), at(4)).await.unwrap_err();
    assert!(taken.to_string().contains("the operator \"ann\" exists already"));
    let unknown = access.set_password("carl", Secret::new(PASSWORD), &ann(), at(4)).await.unwrap_err();
    assert!(unknown.to_string().contains("unknown operator \"carl\""));
}

#[tokio::test]
async fn the_setup_token_creates_one_admin_key_within_a_day() {
    let access = in_memory().await;
    let first = |token: &Secret, scope, now| {
        let token = token.clone();
        let access = &access;
        async move { access.create_first_key(&token, new_key("admin", scope), request(), now).await }
    };
    let day = Span::from_secs(86_400);
    let expired = access.offer_setup(at(0)).await.unwrap().unwrap();
    assert_eq!(access.offer_setup(at(1)).await.unwrap().map(drop), None, "it is printed once");
    assert!(matches!(first(&expired, Scope::Admin, at(0) + day).await, Err(AccessError::SetupToken)));

    let token = access.offer_setup(at(0) + day).await.unwrap().unwrap();
    let now = at(1) + day;
    for wrong in [expired, Secret::new(""), Secret::new("vs_"), Secret::new(format!("vs_{}", "0".repeat(64)))] {
        assert!(matches!(first(&wrong, Scope::Admin, now).await, Err(AccessError::SetupToken)));
    }
    let weak = first(&token, Scope::Manage, now).await.unwrap_err();
    assert!(weak.to_string().contains("must have the scope admin"), "{weak}");
    let issued = first(&token, Scope::Admin, now).await.unwrap();
    assert!(call(&access, &issued.text, now).await.unwrap().check(Scope::Admin).is_ok());
    assert!(matches!(first(&token, Scope::Admin, now).await, Err(AccessError::SetupToken)), "it is used up");
    assert_eq!(access.offer_setup(now).await.unwrap().map(drop), None);
    let log = access.store.audit_entries(Cursor::START, 9).await.unwrap();
    let [(_, entry)] = &log[..] else { panic!("{log:?}") };
    assert_eq!((&entry.actor, entry.action), (&AuditActor::SetupToken, AuditAction::KeyCreated));
    assert_eq!(entry.request, Some(request()));
}

#[tokio::test]
async fn concurrent_uses_of_a_setup_token_create_one_key() {
    let site = Installation::new();
    let token = site.process().await.offer_setup(at(0)).await.unwrap().unwrap();
    let created = AtomicUsize::new(0);
    let attempt = async |name: String| {
        let process = site.process().await;
        if process.create_first_key(&token, new_key(&name, Scope::Admin), request(), at(1)).await.is_ok() {
            created.fetch_add(1, Ordering::Relaxed);
        }
    };
    futures_util::future::join_all((0..4).map(|n| attempt(format!("admin {n}")))).await;
    assert_eq!(created.into_inner(), 1);
}

#[tokio::test]
async fn a_request_is_recorded_with_its_caller_and_bounded() {
    let access = in_memory().await;
    let issued = access.create_key(new_key("shop", Scope::Manage), &ann(), at(0)).await.unwrap();
    let caller = call(&access, &issued.text, at(1)).await.unwrap();
    let long = AuditRequest { path: format!("/{}", "é".repeat(9_999)), ..request() };
    access.record_request(&caller, long, Some("promo".to_owned()), 201, at(2)).await.unwrap();
    let log = access.store.audit_entries(Cursor::START, 9).await.unwrap();
    let shown = serde_json::to_value(AuditEntryView::new(&log[1].1)).unwrap();
    assert_eq!(shown["path"].as_str().unwrap().len(), 499, "it ends at a character");
    let wanted = [("action", "request"), ("actor", "caller"), ("actor_name", "shop"), ("object", "promo")];
    assert!(wanted.iter().all(|(key, value)| shown[key] == *value), "{shown}");
    assert_eq!((&shown["actor_id"], &shown["http_status"]), (&caller.id.clone().into(), &201.into()));
    let created = serde_json::to_value(AuditEntryView::new(&log[0].1)).unwrap();
    assert_eq!((&created["action"], &created["actor"]), (&"key created".into(), &"command".into()));
    assert_eq!(created["object"], format!("{} shop", caller.id));
}

#[tokio::test]
async fn no_secret_is_in_debug_output_views_errors_or_the_database() {
    let site = Installation::new();
    let access = site.process().await;
    let token = access.offer_setup(at(0)).await.unwrap().unwrap();
    let issued = access.create_key(new_key("shop", Scope::Send), &ann(), at(0)).await.unwrap();
    let new = NewOperator {
        name: "ann".to_owned(),
        scopes: Scopes::default().with(Scope::Read),
        password: Secret::new(PASSWORD),
    };
    let debug_new = format!("{new:?}");
    let operator = access.create_operator(new, &ann(), at(0)).await.unwrap();
    let caller = call(&access, &issued.text, at(1)).await.unwrap();
    access.uses().record().await.unwrap();
    let taken = access.create_key(new_key("shop", Scope::Send), &ann(), at(0)).await.unwrap_err();
    let printed = [
        format!("{issued:?}"),
        format!("{:?}", IssuedView::new(&issued, at(1))),
        serde_json::to_string(&KeyView::new(&issued.key, at(1))).unwrap(),
        serde_json::to_string(&OperatorView::new(&operator)).unwrap(),
        debug_new,
        format!("{operator:?} {caller:?} {token:?} {taken:?} {taken}"),
        format!("{:?}", access.keys),
        format!("{:?}", PasswordHash(PASSWORD.to_owned())),
    ];
    let secret = issued.text.expose().rsplit('_').next().unwrap().to_owned();
    let digest = format!("{:?}", <sha2::Sha256 as sha2::Digest>::digest(secret.as_bytes()));
    for text in &printed {
        for hidden in [secret.as_str(), digest.as_str(), token.expose(), PASSWORD, "$argon2id$"] {
            assert!(!text.contains(hidden), "{text}");
        }
    }
    let shown = serde_json::to_value(IssuedView::new(&issued, at(1))).unwrap();
    assert_eq!((&shown["id"], &shown["key"]), (&caller.id.clone().into(), &issued.text.expose().into()));

    access.store.close().await;
    let mut files = 0;
    for file in std::fs::read_dir(site.folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        files += 1;
        for hidden in [secret.as_str(), &token.expose()[3..], PASSWORD] {
            assert!(!bytes.windows(hidden.len()).any(|window| window == hidden.as_bytes()));
        }
    }
    assert!(files > 0);
}

#[tokio::test]
async fn a_store_that_cannot_be_read_admits_no_caller() {
    let access = in_memory().await;
    let issued = access.create_key(new_key("shop", Scope::Send), &ann(), at(0)).await.unwrap();
    access.store.close().await;
    assert!(matches!(call(&access, &issued.text, at(1)).await, Err(Denied::Unavailable { .. })));
    assert!(matches!(access.sign_in("ann", Secret::new(PASSWORD)).await, Err(Denied::Unavailable { .. })));
}

/// Ann, who is signed in, with the secret of her browser.
async fn signed_in(access: &Access, now: Timestamp) -> Secret {
    let ann = access.sign_in("ann", Secret::new(PASSWORD)).await.unwrap();
    access.begin_session(&ann, None, request(), now).await.unwrap()
}

async fn with_ann() -> Access {
    let access = in_memory().await;
    let scopes = Scopes::default().with(Scope::Manage);
    let new = NewOperator { name: "ann".to_owned(), scopes, password: Secret::new(PASSWORD) };
    access.create_operator(new, &ann(), at(0)).await.unwrap();
    access
}

#[tokio::test]
async fn a_session_lasts_while_it_is_used_and_a_week_at_most() {
    let access = with_ann().await;
    let hours = |hours: i64| Span::from_secs(hours * 3_600);
    let begun = at(0);
    let secret = signed_in(&access, begun).await;
    let mut now = begun;
    // Eleven hours between two uses.
    while now + hours(11) < begun + SESSION_MAX {
        now = now + hours(11);
        let session = access.session(secret.expose(), now).await.unwrap();
        assert_eq!(session.caller.check(Scope::Manage), Ok(()));
        assert_eq!(access.recheck(&session.caller, now).await, Ok(()));
    }
    assert_eq!(access.session(secret.expose(), begun + SESSION_MAX).await.map(drop), Err(Denied::NoSession));
    let idle = signed_in(&access, now).await;
    assert_eq!(access.session(idle.expose(), now + hours(12)).await.map(drop), Err(Denied::NoSession));
}

#[tokio::test]
async fn a_session_ends_with_its_operator_and_for_answers_that_go_on() {
    let access = with_ann().await;
    let (first, second) = (signed_in(&access, at(0)).await, signed_in(&access, at(0)).await);
    assert_ne!(first, second);
    let session = access.session(first.expose(), at(1)).await.unwrap();
    access.end_session(&session, request(), at(2)).await.unwrap();
    assert_eq!(access.session(first.expose(), at(3)).await.map(drop), Err(Denied::NoSession));
    assert_eq!(access.recheck(&session.caller, at(3)).await, Err(Denied::NoSession));
    let other = access.session(second.expose(), at(3)).await.unwrap();
    access.set_disabled("ann", true, &ann(), at(4)).await.unwrap();
    access.set_disabled("ann", false, &ann(), at(4)).await.unwrap();
    assert_eq!(access.recheck(&other.caller, at(5)).await, Err(Denied::NoSession));
    for wrong in ["", "0", &"0".repeat(64), &"é".repeat(32), &"0".repeat(1 << 20)] {
        assert_eq!(access.session(wrong, at(5)).await.map(drop), Err(Denied::NoSession));
    }
}

#[tokio::test]
async fn new_scopes_apply_to_sessions_from_the_next_request() {
    let access = with_ann().await;
    let secret = signed_in(&access, at(0)).await;
    let before = access.session(secret.expose(), at(1)).await.unwrap().caller;
    let set = async |scopes: &[Scope]| access.set_scopes("ann", scopes.iter().copied().collect(), &ann(), at(2)).await;
    assert!(set(&[Scope::Read]).await.unwrap().1 && !set(&[Scope::Read]).await.unwrap().1);
    let after = access.session(secret.expose(), at(3)).await.unwrap().caller;
    assert_eq!((after.check(Scope::Read), after.check(Scope::Manage)), (Ok(()), Err(Denied::Scope(Scope::Manage))));
    assert_eq!(access.recheck(&before, at(3)).await, Err(Denied::NoSession), "a live page ends");
    assert_eq!(access.recheck(&after, at(3)).await, Ok(()));

    assert!(set(&[]).await.unwrap_err().to_string().contains("without a scope"));
    set(&[Scope::Admin]).await.unwrap();
    let last = set(&[Scope::Read]).await.unwrap_err().to_string();
    assert!(last.contains("\"ann\" is the last operator with the scope admin"), "{last}");
    let unknown = access.set_scopes("carl", Scopes::default().with(Scope::Read), &ann(), at(4)).await.unwrap_err();
    assert!(unknown.to_string().contains("unknown operator \"carl\""));
}

#[tokio::test]
async fn the_form_token_belongs_to_one_session() {
    let access = with_ann().await;
    let (first, second) = (signed_in(&access, at(0)).await, signed_in(&access, at(0)).await);
    let token = async |secret: &Secret| access.session(secret.expose(), at(1)).await.unwrap().form_token;
    let own = token(&first).await;
    assert!(own.matches(own.as_str()) && own == token(&first).await);
    for wrong in [token(&second).await.as_str(), "", first.expose()] {
        assert!(!own.matches(wrong));
    }
}

#[tokio::test]
async fn the_setup_token_creates_one_admin_who_signs_in() {
    let access = in_memory().await;
    let token = access.offer_setup(at(0)).await.unwrap().unwrap();
    assert!(access.awaits_setup(at(1)).await.unwrap());
    let first = async |scope| {
        let new = NewOperator {
            name: "ann".to_owned(),
            scopes: Scopes::default().with(scope),
            password: Secret::new(PASSWORD),
        };
        access.create_first_operator(&token, new, request(), at(1)).await
    };
    assert!(first(Scope::Manage).await.unwrap_err().to_string().contains("must have the scope admin"));
    assert!(first(Scope::Admin).await.is_ok());
    assert!(access.sign_in("ann", Secret::new(PASSWORD)).await.unwrap().check(Scope::Admin).is_ok());
    assert!(matches!(first(Scope::Admin).await, Err(AccessError::SetupToken)));
    assert!(!access.awaits_setup(at(1)).await.unwrap());
}
