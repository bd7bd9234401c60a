//! Sessions of operators.

use super::keys::{entry, operator};
use super::{Desk, at, for_every_store};
use crate::base::domain::AuditAction;
use crate::store::{Cursor, PasswordHash, SecretDigest, Session};

for_every_store!(
    a_session_is_read_as_it_was_begun_and_changed,
    nobody_without_an_account_begins_a_session,
    a_new_password_and_a_disabled_operator_end_their_sessions,
    old_sessions_are_forgotten,
);

pub(super) fn session(number: u8, operator: &str) -> Session {
    Session {
        secret: SecretDigest([number; 32]),
        operator: operator.to_owned(),
        zone: None,
        begun_at: at(5),
        used_at: at(5),
    }
}

impl Desk {
    async fn with_operators(&self) {
        for name in ["ann", "ben"] {
            self.create_operator(operator(name), None, entry(AuditAction::OperatorCreated, 1)).await.unwrap();
        }
    }

    async fn signed_in(&self, session: Session) -> bool {
        self.begin_session(session, entry(AuditAction::SignedIn, 5)).await.unwrap()
    }

    async fn present(&self, numbers: &[u8]) -> Vec<u8> {
        let mut found = Vec::new();
        for number in numbers {
            found.extend(self.session(SecretDigest([*number; 32])).await.unwrap().map(|_| *number));
        }
        found
    }
}

async fn a_session_is_read_as_it_was_begun_and_changed(desk: Desk) {
    desk.with_operators().await;
    let zone = "Asia/Singapore".parse().unwrap();
    let secret = SecretDigest([1; 32]);
    assert!(desk.signed_in(session(1, "ann")).await && desk.signed_in(session(2, "ben")).await);
    assert_eq!(desk.session(secret).await.unwrap(), Some((session(1, "ann"), operator("ann"))));
    for second in [60, 50] {
        desk.record_session_use(secret, at(second)).await.unwrap();
    }
    desk.set_session_zone(secret, zone).await.unwrap();
    let changed = Session { zone: Some(zone), used_at: at(60), ..session(1, "ann") };
    assert_eq!(desk.session(secret).await.unwrap().unwrap().0, changed);
    assert!(desk.end_session(secret, entry(AuditAction::SignedOut, 70)).await.unwrap());
    assert!(!desk.end_session(secret, entry(AuditAction::SignedOut, 71)).await.unwrap());
    assert_eq!(desk.present(&[1, 2, 3]).await, [2]);
    let log = desk.audit_entries(Cursor::START, 9).await.unwrap();
    let actions: Vec<_> = log.iter().skip(2).map(|(_, entry)| entry.action).collect();
    assert_eq!(actions, [AuditAction::SignedIn, AuditAction::SignedIn, AuditAction::SignedOut]);
}

async fn nobody_without_an_account_begins_a_session(desk: Desk) {
    desk.with_operators().await;
    desk.set_operator_disabled("ben".to_owned(), Some(at(2)), entry(AuditAction::OperatorDisabled, 2)).await.unwrap();
    assert!(!desk.signed_in(session(1, "ben")).await && !desk.signed_in(session(2, "carl")).await);
    assert_eq!(desk.present(&[1, 2]).await, Vec::<u8>::new());
}

async fn a_new_password_and_a_disabled_operator_end_their_sessions(desk: Desk) {
    desk.with_operators().await;
    for (number, name) in [(1, "ann"), (2, "ann"), (3, "ben")] {
        assert!(desk.signed_in(session(number, name)).await);
    }
    let set = desk.set_password("ann".to_owned(), PasswordHash(String::new()), entry(AuditAction::PasswordSet, 6));
    assert!(set.await.unwrap());
    assert_eq!(desk.present(&[1, 2, 3]).await, [3]);
    let disable = |since| desk.set_operator_disabled("ben".to_owned(), since, entry(AuditAction::OperatorDisabled, 7));
    assert!(disable(Some(at(7))).await.unwrap() && disable(None).await.unwrap());
    assert_eq!(desk.present(&[3]).await, Vec::<u8>::new(), "it does not come back");
}

async fn old_sessions_are_forgotten(desk: Desk) {
    desk.with_operators().await;
    for number in 1..=3 {
        assert!(desk.signed_in(session(number, "ann")).await);
        desk.record_session_use(SecretDigest([number; 32]), at(10 * i64::from(number))).await.unwrap();
    }
    desk.forget_sessions(at(20)).await.unwrap();
    assert_eq!(desk.present(&[1, 2, 3]).await, [2, 3]);
}
