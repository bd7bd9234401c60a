//! Tests drafts: they are renamed, started as they were decided on, and removed without a trace.

use super::batches::event_kinds;
use super::*;
use crate::base::events::{EventKind, Origin};
use crate::store::{Amendment, Error};

for_every_store!(
    a_renamed_batch_is_found_by_its_new_name_only,
    a_removed_draft_leaves_nothing_and_frees_its_name,
    only_a_draft_can_be_removed,
    a_draft_is_refused_only_in_the_edition_that_was_decided_on,
    a_draft_starts_only_in_the_edition_that_was_decided_on,
);

/// A draft with two messages.
async fn draft(desk: &Desk, name: &str) -> (BatchId, AudienceId) {
    let audience = desk.audience(None, 2).await;
    let batch = desk.begin_batch_of(Some(name), audience).await;
    let spread = desk.spread_of(batch, audience, 2).await;
    desk.write_messages(spread).await.unwrap();
    desk.publish_batch(batch, BatchState::Draft, Origin::SERVER, desk.now()).await.unwrap();
    (batch, audience)
}

async fn a_renamed_batch_is_found_by_its_new_name_only(desk: Desk) {
    let (batch, _) = draft(&desk, "promo").await;
    let (other, _) = draft(&desk, "autumn").await;
    let rename = async |batch, name: &str| desk.rename_batch(batch, name.to_owned(), Origin::SERVER, at(1)).await;
    let seq = desk.seq().await.unwrap();
    assert!(rename(batch, "winter").await.unwrap().unwrap() > seq);
    assert_eq!(desk.batch_named("winter").await.unwrap().unwrap().id, batch);
    assert!(desk.batch_named("promo").await.unwrap().is_none());
    assert_eq!(event_kinds(&desk).await.pop(), Some(EventKind::Renamed { before: "promo".to_owned() }));
    assert!(matches!(rename(batch, "autumn").await, Err(Error::NameTaken { .. })));
    assert!(rename(other, "promo").await.unwrap().is_some(), "the former name is free");
    let nameless = desk.batch_of(1).await;
    assert_eq!(rename(nameless, "summer").await.unwrap(), None);
    assert_eq!(rename(BatchId(999), "summer").await.unwrap(), None);
}

async fn a_removed_draft_leaves_nothing_and_frees_its_name(desk: Desk) {
    let (batch, audience) = draft(&desk, "promo").await;
    assert!(matches!(desk.remove_audience(audience).await, Err(Error::InUse { .. })));
    let seq = desk.seq().await.unwrap();
    assert!(desk.remove_draft(batch, Origin::operator("Ann", None), at(1)).await.unwrap());
    assert!(desk.seq().await.unwrap() > seq);
    assert!(desk.batch(batch).await.unwrap().is_none() && desk.batches(None).await.unwrap().is_empty());
    assert!(desk.all(batch, 2).await.is_empty());
    assert_eq!(desk.tallies(batch).await.unwrap().messages(), 0);
    assert_eq!(event_kinds(&desk).await, [EventKind::Drafted, EventKind::Deleted]);
    assert!(!desk.remove_draft(batch, Origin::SERVER, at(2)).await.unwrap());
    let (again, _) = draft(&desk, "promo").await;
    assert_ne!(again, batch, "ids are never used twice");
    desk.remove_audience(audience).await.unwrap();
}

async fn only_a_draft_can_be_removed(desk: Desk) {
    let batch = desk.batch_of(2).await;
    let seq = desk.seq().await.unwrap();
    assert!(!desk.remove_draft(batch, Origin::SERVER, at(1)).await.unwrap());
    assert_eq!((desk.all(batch, 2).await.len(), desk.seq().await.unwrap()), (2, seq));
}

async fn a_draft_is_refused_only_in_the_edition_that_was_decided_on(desk: Desk) {
    let (batch, _) = draft(&desk, "promo").await;
    let seq = desk.seq().await.unwrap();
    let refuse = async |edition| {
        let origin = Origin::operator("Ann", Some("wrong price"));
        desk.refuse_draft(batch, edition, origin, at(2)).await.unwrap()
    };
    assert_eq!((refuse(1).await, desk.seq().await.unwrap()), (None, seq));
    assert!(refuse(0).await.unwrap() > seq);
    let found = desk.batch(batch).await.unwrap().unwrap();
    assert_eq!((found.state, found.started_at), (BatchState::Draft, None));
    assert_eq!(event_kinds(&desk).await.pop(), Some(EventKind::Refused));
    let started = desk.start_draft(batch, 0, BatchState::Running, Origin::SERVER, at(3)).await.unwrap();
    assert!(started.is_some() && refuse(0).await.is_none(), "it is no draft any more");
}

async fn a_draft_starts_only_in_the_edition_that_was_decided_on(desk: Desk) {
    let (batch, _) = draft(&desk, "promo").await;
    let origin = Origin::SERVER;
    let amendment =
        Amendment { batch, edition: 0, plan: plan(), starts_at: None, origin, changes: Vec::new(), now: at(1) };
    desk.amend(amendment).await.unwrap().unwrap();
    let seq = desk.seq().await.unwrap();
    let start = async |edition| {
        desk.start_draft(batch, edition, BatchState::Running, Origin::operator("Ann", None), at(2)).await.unwrap()
    };
    assert_eq!((start(0).await, desk.seq().await.unwrap()), (None, seq));
    assert_eq!(desk.batch(batch).await.unwrap().unwrap().state, BatchState::Draft);
    assert!(start(1).await.unwrap() > seq);
    let found = desk.batch(batch).await.unwrap().unwrap();
    assert_eq!((found.state, found.started_at), (BatchState::Running, Some(at(2))));
    assert_eq!(start(1).await, None, "it is no draft any more");
    assert_eq!(event_kinds(&desk).await.pop(), Some(EventKind::Started));
}
