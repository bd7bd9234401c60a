//! Links to reports, and repetitions of campaigns.

use super::keys::{entry, operator};
use super::{Desk, at, for_every_store};
use crate::base::domain::{AuditAction, BatchId, BatchState};
use crate::base::events::Origin;
use crate::store::{SecretDigest, SharedReport};

for_every_store!(
    a_link_is_read_until_it_is_ended,
    a_campaign_has_no_more_links_than_wanted,
    links_end_with_their_operator,
    links_of_a_campaign_are_listed_until_they_expire,
    expired_links_are_forgotten,
    a_repetition_and_its_origin_know_each_other,
);

pub(super) fn link(number: u8, batch: BatchId, second: i64) -> SharedReport {
    SharedReport {
        secret: SecretDigest([number; 32]),
        batch,
        made_by: "ann".to_owned(),
        made_at: at(second),
        expires_at: at(second + 100),
    }
}

impl Desk {
    async fn with_operator(&self) {
        self.create_operator(operator("ann"), None, entry(AuditAction::OperatorCreated, 1)).await.unwrap();
    }
}

async fn a_link_is_read_until_it_is_ended(desk: Desk) {
    desk.with_operator().await;
    let (batch, secret) = (BatchId(1), SecretDigest([1; 32]));
    assert!(desk.share_report(link(1, batch, 1), 9).await.unwrap());
    assert_eq!(desk.shared_report(secret).await.unwrap(), Some(link(1, batch, 1)));
    assert!(!desk.end_shared_report(BatchId(2), secret).await.unwrap(), "it is a link of another campaign");
    assert!(desk.end_shared_report(batch, secret).await.unwrap());
    assert!(!desk.end_shared_report(batch, secret).await.unwrap());
    assert_eq!(desk.shared_report(secret).await.unwrap(), None);
}

async fn a_campaign_has_no_more_links_than_wanted(desk: Desk) {
    desk.with_operator().await;
    let share = async |number, batch, second| desk.share_report(link(number, BatchId(batch), second), 2).await.unwrap();
    assert!(share(1, 1, 1).await && share(2, 1, 50).await);
    assert!(!share(3, 1, 60).await, "two links work");
    assert!(share(4, 2, 60).await, "another campaign has its own");
    assert!(share(5, 1, 101).await, "the first has expired");
}

async fn links_end_with_their_operator(desk: Desk) {
    desk.with_operator().await;
    desk.create_operator(operator("ben"), None, entry(AuditAction::OperatorCreated, 1)).await.unwrap();
    let of_ben = SharedReport { made_by: "ben".to_owned(), ..link(2, BatchId(1), 2) };
    assert!(desk.share_report(link(1, BatchId(1), 1), 9).await.unwrap());
    assert!(desk.share_report(of_ben.clone(), 9).await.unwrap());
    let disabled = entry(AuditAction::OperatorDisabled, 3);
    assert!(desk.set_operator_disabled("ann".to_owned(), Some(at(3)), disabled).await.unwrap());
    assert_eq!(desk.shared_reports(BatchId(1), at(4), 9).await.unwrap(), [of_ben]);
    assert!(!desk.share_report(link(3, BatchId(1), 4), 9).await.unwrap(), "a request that was under way");
    desk.set_operator_disabled("ann".to_owned(), None, entry(AuditAction::OperatorEnabled, 5)).await.unwrap();
    assert_eq!(desk.shared_report(SecretDigest([1; 32])).await.unwrap(), None, "it stays ended");
}

async fn links_of_a_campaign_are_listed_until_they_expire(desk: Desk) {
    desk.with_operator().await;
    for (number, batch) in [(1, 1), (2, 1), (3, 2), (4, 1)] {
        desk.share_report(link(number, BatchId(batch), i64::from(number)), 9).await.unwrap();
    }
    let listed = async |second: i64, limit: u32| {
        let links = desk.shared_reports(BatchId(1), at(second), limit).await.unwrap();
        links.iter().map(|link| link.secret.0[0]).collect::<Vec<_>>()
    };
    assert_eq!((listed(50, 9).await, listed(50, 2).await), (vec![4, 2, 1], vec![4, 2]));
    assert_eq!(listed(102, 9).await, [4]);
}

async fn expired_links_are_forgotten(desk: Desk) {
    desk.with_operator().await;
    for number in 1..=3 {
        desk.share_report(link(number, BatchId(1), 10 * i64::from(number)), 9).await.unwrap();
    }
    desk.forget_shared_reports(at(125)).await.unwrap();
    let found = desk.shared_reports(BatchId(1), at(0), 9).await.unwrap();
    assert_eq!(found.iter().map(|link| link.secret.0[0]).collect::<Vec<_>>(), [3]);
}

async fn a_repetition_and_its_origin_know_each_other(desk: Desk) {
    let audience = desk.audience(Some("members"), 1).await;
    let mut batches = Vec::new();
    for name in ["first", "second", "third"] {
        let batch = desk.begin_batch_of(Some(name), audience).await;
        if let Some(origin) = batches.first() {
            desk.note_repetition(batch, *origin).await.unwrap();
        }
        batches.push(batch);
    }
    let names = async |batch: BatchId| {
        let found = desk.repetitions(batch, 9).await.unwrap();
        let later: Vec<_> = found.later.into_iter().filter_map(|batch| batch.name).collect();
        (found.origin.and_then(|origin| origin.name), later.join(", "))
    };
    assert_eq!(names(batches[0]).await, (None, String::new()), "they are hidden before they are published");
    for batch in &batches {
        desk.publish_batch(*batch, BatchState::Running, Origin::SERVER, at(1)).await.unwrap();
    }
    assert_eq!(names(batches[0]).await, (None, "third, second".to_owned()));
    assert_eq!(names(batches[1]).await, (Some("first".to_owned()), String::new()));
}
