//! Keys, operators, the setup token and the audit log.

use std::num::NonZeroU32;

use super::{Desk, at, for_every_store};
use crate::base::domain::{AuditAction, KeyId, Purpose, Scope, Scopes, Span};
use crate::store::{
    ApiKey, AuditActor, AuditEntry, AuditFilter, AuditRequest, AuditWho, Cursor, Error, KeyLimits, LastUse,
    OperatorAccount, PasswordHash, ScopesSet, SecretDigest, SetupToken,
};

for_every_store!(
    a_key_is_read_as_it_was_created,
    the_name_of_a_key_is_free_after_its_revocation,
    a_rotated_key_keeps_its_former_secret_only_for_the_overlap,
    a_revoked_key_stays_revoked,
    keys_are_listed_page_by_page,
    the_last_use_never_goes_back,
    an_operator_is_read_as_created_and_changed,
    the_last_operator_with_admin_who_can_sign_in_keeps_it,
    a_setup_token_is_offered_only_before_the_first_key_or_operator,
    a_setup_token_is_replaced_only_after_its_end,
    a_setup_token_creates_one_key,
    the_setup_token_ends_with_the_first_admin_only,
    every_change_is_in_the_audit_log_once_and_a_failed_one_is_not,
    audit_entries_are_listed_from_any_position,
    audit_entries_are_filtered_by_who_and_action,
    audit_entries_come_in_pages_latest_first,
    an_audit_entry_is_deleted_only_30_days_before_the_latest,
);

const DAY: i64 = 86_400;

pub(super) fn key(number: u8, name: &str) -> ApiKey {
    ApiKey {
        id: KeyId::new(u64::from(number) << 56),
        name: name.to_owned(),
        scopes: [Scope::Read, Scope::Admin].into_iter().collect(),
        limits: KeyLimits {
            sub_accounts: Some(vec!["acme".to_owned()]),
            lanes: Some(vec!["wa".to_owned(), "sms".to_owned()]),
            addresses: Some(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]),
            requests_per_s: NonZeroU32::new(50),
            expires_at: Some(at(90 * DAY)),
            purpose: Some(Purpose::Service),
        },
        secret: SecretDigest([number; 32]),
        former: None,
        created_at: at(1),
        created_by: "Ann".to_owned(),
        revoked_at: None,
        last_use: None,
    }
}

pub(super) fn operator(name: &str) -> OperatorAccount {
    OperatorAccount {
        name: name.to_owned(),
        scopes: Scopes::default().with(Scope::Manage),
        password: PasswordHash("$argon2id$…".to_owned()),
        password_set_at: at(1),
        created_at: at(1),
        created_by: "Ann".to_owned(),
        disabled_at: None,
    }
}

pub(super) fn token(number: u8, until: i64) -> SetupToken {
    SetupToken { secret: SecretDigest([number; 32]), expires_at: at(until) }
}

pub(super) fn entry(action: AuditAction, second: i64) -> AuditEntry {
    AuditEntry {
        at: at(second),
        actor: AuditActor::Command { name: "Ann".to_owned() },
        request: None,
        action,
        object: Some("shop".to_owned()),
        http_status: None,
    }
}

fn request(second: i64) -> AuditEntry {
    AuditEntry {
        actor: AuditActor::Caller { id: "vk_0000000000000001".to_owned(), name: "shop".to_owned() },
        request: Some(AuditRequest {
            id: "r-1".to_owned(),
            peer: "fd00::7".parse().unwrap(),
            method: "POST".to_owned(),
            path: "/v1/campaigns".to_owned(),
        }),
        http_status: Some(201),
        ..entry(AuditAction::Request, second)
    }
}

impl Desk {
    async fn created(&self, number: u8, name: &str) -> ApiKey {
        let new = key(number, name);
        assert!(self.create_api_key(new.clone(), None, entry(AuditAction::KeyCreated, 1)).await.unwrap());
        new
    }

    async fn audited(&self) -> Vec<AuditEntry> {
        self.audit_entries(Cursor::START, 1_000).await.unwrap().into_iter().map(|(_, entry)| entry).collect()
    }
}

async fn a_key_is_read_as_it_was_created(desk: Desk) {
    let limited = desk.created(1, "shop").await;
    // The highest bit of its id is the sign of the row's.
    let free = ApiKey { limits: KeyLimits::default(), ..key(0xff, "free") };
    desk.create_api_key(free.clone(), None, entry(AuditAction::KeyCreated, 1)).await.unwrap();
    for key in [limited, free] {
        assert_eq!(desk.api_key(key.id).await.unwrap(), Some(key.clone()));
        assert_eq!(desk.api_key_named(key.name.clone()).await.unwrap(), Some(key));
    }
    assert_eq!(desk.api_key(KeyId::new(7)).await.unwrap(), None);
    assert_eq!(desk.api_key_named("Shop".to_owned()).await.unwrap(), None);
}

async fn the_name_of_a_key_is_free_after_its_revocation(desk: Desk) {
    let first = desk.created(1, "shop").await;
    let again = || desk.create_api_key(key(2, "shop"), None, entry(AuditAction::KeyCreated, 2));
    assert!(matches!(again().await, Err(Error::NameTaken { name }) if name == "shop"));
    assert!(desk.revoke_api_key(first.id, at(3), entry(AuditAction::KeyRevoked, 3)).await.unwrap());
    assert!(again().await.unwrap());
    assert_eq!(desk.api_key_named("shop".to_owned()).await.unwrap().unwrap().id, key(2, "").id);
    assert_eq!(desk.api_key(first.id).await.unwrap().unwrap().revoked_at, Some(at(3)));
}

async fn a_rotated_key_keeps_its_former_secret_only_for_the_overlap(desk: Desk) {
    let first = desk.created(1, "shop").await;
    let rotate = |secret, until| {
        desk.rotate_api_key(first.id, SecretDigest([secret; 32]), until, entry(AuditAction::KeyRotated, 2))
    };
    for (secret, until, former) in [
        (2, Some(at(60)), Some((SecretDigest([1; 32]), at(60)))),
        (3, Some(at(90)), Some((SecretDigest([2; 32]), at(90)))),
        (4, None, None),
    ] {
        assert!(rotate(secret, until).await.unwrap());
        let rotated = ApiKey { secret: SecretDigest([secret; 32]), former, ..first.clone() };
        assert_eq!(desk.api_key(first.id).await.unwrap(), Some(rotated));
    }
}

async fn a_revoked_key_stays_revoked(desk: Desk) {
    let key = desk.created(1, "shop").await;
    assert!(desk.revoke_api_key(key.id, at(3), entry(AuditAction::KeyRevoked, 3)).await.unwrap());
    assert!(!desk.revoke_api_key(key.id, at(4), entry(AuditAction::KeyRevoked, 4)).await.unwrap());
    let rotated = desk.rotate_api_key(key.id, SecretDigest([2; 32]), None, entry(AuditAction::KeyRotated, 5));
    assert!(!rotated.await.unwrap());
    assert_eq!(desk.api_key(key.id).await.unwrap(), Some(ApiKey { revoked_at: Some(at(3)), ..key }));
    assert!(!desk.revoke_api_key(KeyId::new(7), at(3), entry(AuditAction::KeyRevoked, 3)).await.unwrap());
}

async fn keys_are_listed_page_by_page(desk: Desk) {
    let mut found = Vec::new();
    for number in [3, 1, 0x80, 2] {
        desk.created(number, &number.to_string()).await;
    }
    while let page = desk.api_keys(found.last().copied(), 3).await.unwrap()
        && !page.is_empty()
    {
        found.extend(page.iter().map(|key| key.id));
    }
    found.sort();
    assert_eq!(found, [1, 2, 3, 0x80].map(|number| key(number, "").id));
}

async fn the_last_use_never_goes_back(desk: Desk) {
    let key = desk.created(1, "shop").await;
    let used = |second: i64, from: &str| LastUse { at: at(second), from: from.parse().unwrap() };
    for (second, from) in [(60, "10.0.0.7"), (50, "10.0.0.8"), (120, "fd00::1")] {
        desk.record_key_uses(vec![(key.id, used(second, from)), (KeyId::new(7), used(1, "::1"))]).await.unwrap();
    }
    assert_eq!(desk.api_key(key.id).await.unwrap().unwrap().last_use, Some(used(120, "fd00::1")));
    assert_eq!(desk.api_keys(None, 9).await.unwrap().len(), 1, "no use creates a key");
}

async fn an_operator_is_read_as_created_and_changed(desk: Desk) {
    for name in ["ben", "ann"] {
        desk.create_operator(operator(name), None, entry(AuditAction::OperatorCreated, 1)).await.unwrap();
    }
    let again = desk.create_operator(operator("ann"), None, entry(AuditAction::OperatorCreated, 2)).await;
    assert!(matches!(again, Err(Error::NameTaken { name }) if name == "ann"));
    let ann = || "ann".to_owned();
    let new = PasswordHash("$argon2id$new".to_owned());
    assert!(desk.set_password(ann(), new.clone(), entry(AuditAction::PasswordSet, 5)).await.unwrap());
    let disable = |since| desk.set_operator_disabled(ann(), since, entry(AuditAction::OperatorDisabled, 6));
    assert!(disable(Some(at(6))).await.unwrap());
    assert!(!disable(Some(at(7))).await.unwrap(), "it stays disabled since the first time");
    let changed =
        OperatorAccount { password: new, password_set_at: at(5), disabled_at: Some(at(6)), ..operator("ann") };
    assert_eq!(desk.operator(ann()).await.unwrap(), Some(changed.clone()));
    assert_eq!(desk.operators(None, 9).await.unwrap(), [changed, operator("ben")]);
    assert_eq!(desk.operators(Some(ann()), 9).await.unwrap(), [operator("ben")]);
    assert!(disable(None).await.unwrap() && !disable(None).await.unwrap());
    assert_eq!(desk.operator(ann()).await.unwrap().unwrap().disabled_at, None);
    let nobody = || "carl".to_owned();
    let hash = PasswordHash(String::new());
    assert!(!desk.set_password(nobody(), hash, entry(AuditAction::PasswordSet, 7)).await.unwrap());
    let disabled = desk.set_operator_disabled(nobody(), Some(at(7)), entry(AuditAction::OperatorDisabled, 7));
    assert!(!disabled.await.unwrap());
    assert_eq!(desk.operator(nobody()).await.unwrap(), None);
}

async fn the_last_operator_with_admin_who_can_sign_in_keeps_it(desk: Desk) {
    let admin = Scopes::default().with(Scope::Admin);
    let reader = Scopes::default().with(Scope::Read);
    for name in ["ann", "ben"] {
        let operator = OperatorAccount { scopes: admin, ..operator(name) };
        desk.create_operator(operator, None, entry(AuditAction::OperatorCreated, 1)).await.unwrap();
    }
    let set = async |name: &str, scopes| {
        desk.set_operator_scopes(name.to_owned(), scopes, entry(AuditAction::ScopesSet, 2)).await.unwrap()
    };
    let scopes = async |name: &str| desk.operator(name.to_owned()).await.unwrap().unwrap().scopes;
    desk.set_operator_disabled("ben".to_owned(), Some(at(2)), entry(AuditAction::OperatorDisabled, 2)).await.unwrap();
    assert_eq!(set("ann", reader).await, ScopesSet::NoAdminLeft, "the other admin cannot sign in");
    assert_eq!(scopes("ann").await, admin);
    desk.set_operator_disabled("ben".to_owned(), None, entry(AuditAction::OperatorEnabled, 2)).await.unwrap();
    assert_eq!(set("ann", admin.with(Scope::Read)).await, ScopesSet::Set, "more scopes take nothing away");
    assert_eq!(set("ann", reader).await, ScopesSet::Set);
    assert_eq!(set("ben", reader).await, ScopesSet::NoAdminLeft);
    assert_eq!((set("ann", reader).await, set("carl", reader).await), (ScopesSet::Unchanged, ScopesSet::Unchanged));
    assert_eq!((scopes("ann").await, scopes("ben").await), (reader, admin));
    let log = desk.audited().await;
    assert_eq!(log.iter().filter(|entry| entry.action == AuditAction::ScopesSet).count(), 2, "{log:?}");
}

async fn a_setup_token_is_offered_only_before_the_first_key_or_operator(desk: Desk) {
    let reader = ApiKey { scopes: Scopes::default().with(Scope::Read), ..key(1, "shop") };
    desk.create_api_key(reader.clone(), None, entry(AuditAction::KeyCreated, 1)).await.unwrap();
    assert!(!desk.offer_setup(token(1, DAY), at(0)).await.unwrap());
    desk.revoke_api_key(reader.id, at(3), entry(AuditAction::KeyRevoked, 3)).await.unwrap();
    assert!(!desk.offer_setup(token(1, DAY), at(0)).await.unwrap(), "a revoked key is a key");

    let other = Desk::in_memory().await;
    other.create_operator(operator("ann"), None, entry(AuditAction::OperatorCreated, 1)).await.unwrap();
    assert!(!other.offer_setup(token(1, DAY), at(0)).await.unwrap());
    assert_eq!(other.setup_token().await.unwrap(), None);
}

async fn a_setup_token_is_replaced_only_after_its_end(desk: Desk) {
    assert!(desk.offer_setup(token(1, DAY), at(0)).await.unwrap());
    assert!(!desk.offer_setup(token(2, 2 * DAY), at(DAY - 1)).await.unwrap());
    assert_eq!(desk.setup_token().await.unwrap(), Some(token(1, DAY)));
    assert!(desk.offer_setup(token(2, 2 * DAY), at(DAY)).await.unwrap());
    assert_eq!(desk.setup_token().await.unwrap(), Some(token(2, 2 * DAY)));
}

async fn a_setup_token_creates_one_key(desk: Desk) {
    desk.offer_setup(token(9, DAY), at(0)).await.unwrap();
    let with = |number: u8, secret: u8| {
        let new = key(number, &number.to_string());
        desk.create_api_key(new, Some(SecretDigest([secret; 32])), entry(AuditAction::KeyCreated, 1))
    };
    assert!(!with(1, 8).await.unwrap(), "another token creates nothing");
    assert!(with(2, 9).await.unwrap());
    assert!(!with(3, 9).await.unwrap());
    let created: Vec<KeyId> = desk.api_keys(None, 9).await.unwrap().iter().map(|key| key.id).collect();
    assert_eq!((created, desk.audited().await.len()), (vec![key(2, "").id], 1));
}

async fn the_setup_token_ends_with_the_first_admin_only(desk: Desk) {
    desk.offer_setup(token(9, DAY), at(0)).await.unwrap();
    let sender = ApiKey { scopes: Scopes::default().with(Scope::Send), ..key(1, "shop") };
    desk.create_api_key(sender, None, entry(AuditAction::KeyCreated, 1)).await.unwrap();
    desk.create_operator(operator("ann"), None, entry(AuditAction::OperatorCreated, 1)).await.unwrap();
    assert!(desk.setup_token().await.unwrap().is_some());
    let admin = OperatorAccount { scopes: Scopes::default().with(Scope::Admin), ..operator("ben") };
    desk.create_operator(admin, None, entry(AuditAction::OperatorCreated, 2)).await.unwrap();
    assert_eq!(desk.setup_token().await.unwrap(), None);

    let other = Desk::in_memory().await;
    other.offer_setup(token(9, DAY), at(0)).await.unwrap();
    other.create_operator(operator("ann"), None, entry(AuditAction::OperatorCreated, 1)).await.unwrap();
    let admin = Scopes::default().with(Scope::Admin);
    other.set_operator_scopes("ann".to_owned(), admin, entry(AuditAction::ScopesSet, 2)).await.unwrap();
    assert_eq!(other.setup_token().await.unwrap(), None);
    let late = desk.create_api_key(key(2, "late"), Some(SecretDigest([9; 32])), entry(AuditAction::KeyCreated, 3));
    assert!(!late.await.unwrap());
}

async fn every_change_is_in_the_audit_log_once_and_a_failed_one_is_not(desk: Desk) {
    let first = desk.created(1, "shop").await;
    let taken = desk.create_api_key(key(2, "shop"), None, entry(AuditAction::KeyCreated, 2)).await;
    assert!(taken.is_err());
    desk.rotate_api_key(first.id, SecretDigest([2; 32]), None, entry(AuditAction::KeyRotated, 3)).await.unwrap();
    for _ in 0..2 {
        desk.revoke_api_key(first.id, at(4), entry(AuditAction::KeyRevoked, 4)).await.unwrap();
        let _ = desk.create_operator(operator("ann"), None, entry(AuditAction::OperatorCreated, 5)).await;
        desk.set_operator_disabled("ann".to_owned(), Some(at(6)), entry(AuditAction::OperatorDisabled, 6))
            .await
            .unwrap();
    }
    let wanted = [
        (AuditAction::KeyCreated, 1),
        (AuditAction::KeyRotated, 3),
        (AuditAction::KeyRevoked, 4),
        (AuditAction::OperatorCreated, 5),
        (AuditAction::OperatorDisabled, 6),
    ];
    assert_eq!(desk.audited().await, wanted.map(|(action, second)| entry(action, second)));
}

async fn audit_entries_are_listed_from_any_position(desk: Desk) {
    let setup = AuditEntry { actor: AuditActor::SetupToken, object: None, ..entry(AuditAction::KeyCreated, 3) };
    let unproven = |operator: Option<&str>, second| AuditEntry {
        actor: AuditActor::Unproven { operator: operator.map(str::to_owned) },
        ..AuditEntry { http_status: None, action: AuditAction::SignInFailed, ..request(second) }
    };
    let failed = [unproven(Some("mia"), 4), unproven(None, 5)];
    let written = [vec![entry(AuditAction::PasswordSet, 1), request(2), setup], failed.to_vec()].concat();
    desk.record_audit(written.clone()).await.unwrap();
    desk.record_audit(Vec::new()).await.unwrap();
    assert_eq!(desk.audited().await, written);
    let latest = desk.audit_entries(Cursor::START, 4).await.unwrap();
    assert_eq!(latest.iter().map(|(_, entry)| entry).collect::<Vec<_>>(), written[1..].iter().collect::<Vec<_>>());
    let rest = desk.audit_entries(latest[0].0, 9).await.unwrap();
    assert_eq!(rest, latest[1..]);
}

async fn audit_entries_are_filtered_by_who_and_action(desk: Desk) {
    desk.record_audit(vec![entry(AuditAction::PasswordSet, 1), request(2), entry(AuditAction::KeyCreated, 3)])
        .await
        .unwrap();
    desk.record_audit(vec![request(4), entry(AuditAction::PasswordSet, 5)]).await.unwrap();
    let read = async |who: Option<AuditWho>, action, before: Option<Cursor>, limit| {
        let found = desk.audit_entries_before(AuditFilter { who, action }, before, limit).await.unwrap();
        let seconds: Vec<_> = found.iter().map(|(_, entry)| entry.at).collect();
        (seconds, found.last().map(|(last, _)| *last))
    };
    let name = |name: &str| Some(AuditWho::Name(name.to_owned()));
    let key = || Some(AuditWho::Caller("vk_0000000000000001".to_owned()));
    let (first, last) = read(name("ANN"), None, None, 2).await;
    assert_eq!(first, [at(5), at(3)]);
    assert_eq!(read(name("ANN"), None, last, 2).await.0, [at(1)]);
    assert_eq!(read(name("an"), None, None, 9).await.0, []);
    assert_eq!(read(name("ann"), Some(AuditAction::PasswordSet), None, 9).await.0, [at(5), at(1)]);
    assert_eq!(read(None, Some(AuditAction::KeyCreated), None, 9).await.0, [at(3)]);
    assert_eq!(read(key(), None, None, 9).await.0, [at(4), at(2)]);
    assert_eq!(read(name("shop"), Some(AuditAction::Request), None, 1).await.0, [at(4)]);
    assert_eq!(read(key(), Some(AuditAction::KeyCreated), None, 9).await.0, []);
}

async fn audit_entries_come_in_pages_latest_first(desk: Desk) {
    desk.record_audit((1..=5).map(request).collect()).await.unwrap();
    let page = async |before| {
        let entries = desk.audit_entries_before(AuditFilter::default(), before, 2).await.unwrap();
        let times: Vec<_> = entries.iter().map(|(_, entry)| entry.at).collect();
        (times, entries.last().map(|(position, _)| *position))
    };
    let (first, last) = page(None).await;
    // An entry that is added meanwhile moves no page.
    desk.record_audit(vec![request(6)]).await.unwrap();
    let (second, last) = page(last).await;
    let (third, last) = page(last).await;
    assert_eq!((first, second, third), (vec![at(5), at(4)], vec![at(3), at(2)], vec![at(1)]));
    assert_eq!(page(last).await, (Vec::new(), None));
}

async fn an_audit_entry_is_deleted_only_30_days_before_the_latest(desk: Desk) {
    desk.record_audit([0, 1, 29 * DAY, 31 * DAY].into_iter().map(request).collect()).await.unwrap();
    desk.forget_audit(at(1)).await.unwrap();
    assert_eq!(desk.audited().await.len(), 3, "the first alone is that old");
    // A wrong clock, or a caller without patience.
    desk.forget_audit(at(40 * DAY) + Span::from_secs(9_999 * DAY)).await.unwrap();
    assert_eq!(desk.audited().await, [29 * DAY, 31 * DAY].map(request));
}
