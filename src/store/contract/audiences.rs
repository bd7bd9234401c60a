//! Tests audiences: they are hidden while they are imported, and never change afterwards.

use super::*;
use crate::base::events::Origin;
use crate::store::{Error, RejectedRow, Whom};

for_every_store!(
    an_audience_is_hidden_until_it_is_published,
    a_published_audience_returns_its_properties,
    an_added_file_is_a_part_of_its_audience_once_published,
    a_part_is_removed_with_its_audience_and_is_not_swept,
    a_taken_audience_name_is_refused_at_begin_and_at_publish,
    recipients_are_read_unchanged_from_any_position,
    adding_the_same_recipients_again_changes_nothing,
    an_audience_in_use_cannot_be_removed,
    a_removed_audience_loses_its_recipients_and_frees_its_name,
    a_removed_audience_accepts_no_recipients_and_no_batch,
    a_recipient_is_found_at_every_position_in_every_audience,
    audiences_come_in_pages_in_order_of_their_names,
    the_latest_audiences_come_in_pages_and_by_a_part_of_their_name,
    rejected_rows_are_read_by_reason_from_any_position,
    long_rejected_rows_are_read_in_pieces,
    rejected_rows_go_with_their_audience,
    a_bounded_search_finds_every_place_latest_first,
    the_batches_of_an_audience_come_latest_first,
    a_sweep_removes_abandoned_audiences_and_batches_only,
);

async fn an_audience_is_hidden_until_it_is_published(desk: Desk) {
    let audience = desk.begin(Some("people")).await;
    desk.add_recipients(audience, 0, recipients(0..3)).await.unwrap();
    assert!(desk.audiences().await.unwrap().is_empty());
    assert!(desk.audience_named("people").await.unwrap().is_none());
    desk.publish_audience(audience, 3, "{}".to_owned()).await.unwrap();
    assert_eq!(desk.audience_named("people").await.unwrap().unwrap().id(), audience);
}

async fn a_published_audience_returns_its_properties(desk: Desk) {
    let audience = desk.begin(Some("people")).await;
    desk.publish_audience(audience, 0, "{\"rows\":0}".to_owned()).await.unwrap();
    let unnamed = desk.audience(None, 1).await;
    let listed = desk.audiences().await.unwrap();
    let [people] = &listed[..] else { panic!("{unnamed} has no name to be listed by: {listed:?}") };
    assert_eq!((people.id(), people.name.as_str(), people.recipients()), (audience, "people", 0));
    assert_eq!(people.columns, ["name", "code"]);
    let [part] = &people.parts[..] else { panic!("{people:?}") };
    assert_eq!((part.source.as_str(), part.begun_at), ("people.csv", desk.now()));
    assert_eq!(part.summary.as_deref(), Some("{\"rows\":0}"));
}

async fn begin_part(desk: &Desk, of: AudienceId) -> Result<AudienceId, Error> {
    let (known_as, source) = (KnownAs::PartOf(of), "more.csv".to_owned());
    desk.begin_audience(NewAudience { known_as, source, columns: vec![], now: desk.now() }).await
}

async fn an_added_file_is_a_part_of_its_audience_once_published(desk: Desk) {
    let people = desk.audience(Some("people"), 3).await;
    desk.audience(Some("others"), 1).await;
    let more = begin_part(&desk, people).await.unwrap();
    desk.add_recipients(more, 0, recipients(3..5)).await.unwrap();
    let parts = async || -> Vec<(AudienceId, u32)> {
        let audience = desk.audience_named("people").await.unwrap().unwrap();
        audience.parts.iter().map(|part| (part.id, part.recipients)).collect()
    };
    assert_eq!(parts().await, [(people, 3)], "the part is not published");
    desk.publish_audience(more, 2, "{}".to_owned()).await.unwrap();
    assert_eq!(parts().await, [(people, 3), (more, 2)]);
    let all = desk.audiences().await.unwrap();
    assert_eq!(
        all.iter().map(|one| (one.name.as_str(), one.recipients())).collect::<Vec<_>>(),
        [("people", 5), ("others", 1)]
    );
    // An audience without a name cannot get parts.
    let nameless = desk.audience(None, 1).await;
    assert!(matches!(begin_part(&desk, nameless).await, Err(Error::Gone { .. })));
    assert!(matches!(begin_part(&desk, more).await, Err(Error::Gone { .. })));
}

async fn a_part_is_removed_with_its_audience_and_is_not_swept(desk: Desk) {
    let people = desk.audience(Some("people"), 3).await;
    let more = begin_part(&desk, people).await.unwrap();
    desk.add_recipients(more, 0, recipients(3..5)).await.unwrap();
    desk.publish_audience(more, 2, "{}".to_owned()).await.unwrap();
    let half = begin_part(&desk, people).await.unwrap();
    assert_eq!(desk.sweep_unpublished(desk.now() + Span::from_secs(1)).await.unwrap(), 1, "the unpublished part");
    assert!(matches!(desk.publish_audience(half, 0, String::new()).await, Err(Error::Gone { .. })));
    assert_eq!(desk.audience_named("people").await.unwrap().unwrap().parts.len(), 2);
    // A campaign that uses the part uses the audience.
    let batch = desk.begin_batch_of(None, more).await;
    let parts = desk.parts_of(batch).await.unwrap();
    let parts: Vec<_> = parts.iter().map(|part| (part.id, part.recipients, part.summary.as_deref())).collect();
    assert_eq!(parts, [(more, 2, Some("{}"))]);
    let refused = desk.remove_audience(people).await;
    assert!(matches!(refused, Err(Error::InUse { audience, .. }) if audience == "people"));
    let others = desk.audience(Some("others"), 1).await;
    let late = begin_part(&desk, others).await.unwrap();
    desk.remove_audience(others).await.unwrap();
    assert!(matches!(desk.publish_audience(late, 0, String::new()).await, Err(Error::Gone { .. })));
    assert!(desk.recipients(others, 0, 9).await.unwrap().is_empty());
}

async fn a_taken_audience_name_is_refused_at_begin_and_at_publish(desk: Desk) {
    let (first, second) = (desk.begin(Some("people")).await, desk.begin(Some("people")).await);
    desk.publish_audience(first, 0, String::new()).await.unwrap();
    let late = desk.publish_audience(second, 0, String::new()).await;
    assert!(matches!(late, Err(Error::NameTaken { name }) if name == "people"));
    let new = NewAudience {
        known_as: KnownAs::Name("people".to_owned()),
        source: String::new(),
        columns: vec![],
        now: desk.now(),
    };
    assert!(matches!(desk.begin_audience(new).await, Err(Error::NameTaken { .. })));
    assert_eq!(desk.audiences().await.unwrap().len(), 1);
}

async fn recipients_are_read_unchanged_from_any_position(desk: Desk) {
    let audience = desk.begin(None).await;
    desk.add_recipients(audience, 0, recipients(0..700)).await.unwrap();
    desk.add_recipients(audience, 700, recipients(700..1_201)).await.unwrap();
    desk.publish_audience(audience, 1_201, String::new()).await.unwrap();
    assert_eq!(desk.recipients(audience, 0, 5_000).await.unwrap(), recipients(0..1_201));
    assert_eq!(desk.recipients(audience, 690, 20).await.unwrap(), recipients(690..710));
    assert!(desk.recipients(audience, 1_201, 20).await.unwrap().is_empty());
    assert_eq!(desk.address_keys(audience, 690, 20).await.unwrap(), (690..710).map(msisdn).collect::<Vec<_>>());
    assert!(desk.address_keys(audience, 1_201, 20).await.unwrap().is_empty());
}

async fn adding_the_same_recipients_again_changes_nothing(desk: Desk) {
    let audience = desk.begin(None).await;
    desk.add_recipients(audience, 0, recipients(0..10)).await.unwrap();
    desk.add_recipients(audience, 5, recipients(5..15)).await.unwrap();
    assert_eq!(desk.recipients(audience, 0, 100).await.unwrap(), recipients(0..15));
}

async fn an_audience_in_use_cannot_be_removed(desk: Desk) {
    for name in [Some("people"), None] {
        let audience = desk.audience(name, 2).await;
        desk.begin_batch_of(None, audience).await;
        assert!(matches!(desk.remove_audience(audience).await, Err(Error::InUse { .. })), "{name:?}");
        assert_eq!(desk.recipients(audience, 0, 10).await.unwrap().len(), 2);
    }
}

async fn a_removed_audience_loses_its_recipients_and_frees_its_name(desk: Desk) {
    let audience = desk.audience(Some("people"), 0).await;
    for piece in 0..3 {
        let from = piece * 4_000;
        desk.add_recipients(audience, from, recipients(from..from + 4_000)).await.unwrap();
    }
    desk.remove_audience(audience).await.unwrap();
    assert!(desk.recipients(audience, 0, 10).await.unwrap().is_empty());
    assert!(desk.audience_named("people").await.unwrap().is_none());
    let again = desk.audience(Some("people"), 1).await;
    assert_ne!(again, audience, "an id is never reused");
}

async fn a_removed_audience_accepts_no_recipients_and_no_batch(desk: Desk) {
    let audience = desk.audience(None, 2).await;
    desk.remove_audience(audience).await.unwrap();
    assert!(matches!(desk.add_recipients(audience, 0, recipients(0..2)).await, Err(Error::Gone { .. })));
    assert!(matches!(desk.publish_audience(audience, 2, String::new()).await, Err(Error::Gone { .. })));
    let new = NewBatch {
        tag: tag(),
        plan: plan(),
        name: None,
        audience: String::new(),
        audience_ids: vec![audience],
        starts_at: None,
        open_until: None,
        now: desk.now(),
    };
    assert!(matches!(desk.begin_batch(new).await, Err(Error::Gone { .. })));
}

async fn a_sweep_removes_abandoned_audiences_and_batches_only(desk: Desk) {
    let abandoned = desk.begin(Some("abandoned")).await;
    desk.add_recipients(abandoned, 0, recipients(0..5)).await.unwrap();
    let published = desk.audience(Some("published"), 3).await;
    let (nobodys, a_campaigns) = (desk.audience(None, 3).await, desk.audience(None, 3).await);
    let campaign = desk.begin_batch_of(Some("campaign"), a_campaigns).await;
    desk.publish_batch(campaign, BatchState::Running, Origin::SERVER, desk.now()).await.unwrap();
    let half = desk.begin_batch_of(Some("half"), published).await;
    let spread = desk.spread_of(half, published, 3).await;
    desk.write_messages(spread.clone()).await.unwrap();
    desk.clock.advance(Span::from_secs(60));
    let growing = desk.begin(Some("growing")).await;
    desk.add_recipients(growing, 0, recipients(0..5)).await.unwrap();

    assert_eq!(desk.sweep_unpublished(desk.now()).await.unwrap(), 3);
    assert!(desk.recipients(nobodys, 0, 10).await.unwrap().is_empty());
    assert_eq!(desk.recipients(a_campaigns, 0, 10).await.unwrap().len(), 3);
    assert!(desk.recipients(abandoned, 0, 10).await.unwrap().is_empty());
    assert!(desk.all(half, 3).await.is_empty());
    assert_eq!(desk.tallies(half).await.unwrap(), Tallies::default());
    assert!(matches!(desk.write_messages(spread).await, Err(Error::Gone { .. })));
    assert!(desk.publish_batch(half, BatchState::Running, Origin::SERVER, desk.now()).await.is_err());
    assert_eq!(desk.recipients(growing, 0, 10).await.unwrap().len(), 5);
    assert_eq!(desk.recipients(published, 0, 10).await.unwrap().len(), 3);
    assert_eq!(desk.sweep_unpublished(desk.now()).await.unwrap(), 0);
}

async fn a_recipient_is_found_at_every_position_in_every_audience(desk: Desk) {
    let first = desk.begin(Some("first")).await;
    for n in (0..90).step_by(30) {
        desk.add_recipients(first, n, recipients(n..n + 30)).await.unwrap();
    }
    desk.publish_audience(first, 90, "{}".to_owned()).await.unwrap();
    let second = desk.begin(Some("second")).await;
    let twice = [recipients(40..41), recipients(7..8), recipients(40..41)].concat();
    desk.add_recipients(second, 0, twice).await.unwrap();
    desk.publish_audience(second, 3, "{}".to_owned()).await.unwrap();
    let somebody = recipients(40..41).remove(0);
    let number = || Whom::Address(somebody.address.clone().unwrap());
    let everywhere = desk.find_recipient(number(), None).await.unwrap();
    assert_eq!(everywhere, [(first, 40), (second, 0), (second, 2)]);
    assert_eq!(desk.find_recipient(number(), Some(vec![second])).await.unwrap(), [(second, 0), (second, 2)]);
    let id = Whom::ClientId(somebody.client_message_id.unwrap().to_string());
    assert_eq!(desk.find_recipient(id, None).await.unwrap(), everywhere);
    let nobody = Whom::Address(msisdn(90).into());
    assert_eq!(desk.find_recipient(nobody, None).await.unwrap(), []);
    desk.remove_audience(second).await.unwrap();
    assert_eq!(desk.find_recipient(number(), None).await.unwrap(), [(first, 40)]);
}

async fn audiences_come_in_pages_in_order_of_their_names(desk: Desk) {
    for name in ["c", "a", "b"] {
        desk.audience(Some(name), 1).await;
    }
    // Neither unnamed audiences nor parts are on a page of their own.
    desk.audience(None, 1).await;
    let a = desk.audience_named("a").await.unwrap().unwrap();
    let part = begin_part(&desk, a.id()).await.unwrap();
    desk.publish_audience(part, 0, "{}".to_owned()).await.unwrap();
    let page = async |after: Option<&str>, limit| {
        let page = desk.audience_page(after.map(str::to_owned), limit).await.unwrap();
        page.into_iter().map(|audience| (audience.name, audience.parts.len())).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2).await, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    assert_eq!(page(Some("b"), 2).await, [("c".to_owned(), 1)]);
    assert_eq!(page(Some("c"), 2).await, []);
}

async fn the_latest_audiences_come_in_pages_and_by_a_part_of_their_name(desk: Desk) {
    for name in ["Members", "Guests", "new members"] {
        desk.audience(Some(name), 1).await;
    }
    // It has no page of its own.
    desk.audience(None, 1).await;
    let members = desk.audience_named("Members").await.unwrap().unwrap().id();
    let part = begin_part(&desk, members).await.unwrap();
    desk.publish_audience(part, 0, "{}".to_owned()).await.unwrap();
    let page = async |name: Option<&str>, before, limit| {
        let page = desk.latest_audiences(name.map(str::to_owned), before, limit).await.unwrap();
        page.into_iter().map(|audience| (audience.name, audience.parts.len())).collect::<Vec<_>>()
    };
    let (new, guests) = (("new members".to_owned(), 1), ("Guests".to_owned(), 1));
    assert_eq!(page(None, None, 2).await, [new.clone(), guests.clone()]);
    let before = desk.audience_named("Guests").await.unwrap().unwrap().id();
    assert_eq!(page(None, Some(before), 2).await, [("Members".to_owned(), 2)]);
    assert_eq!(page(Some("MEMB"), None, 9).await, [new, ("Members".to_owned(), 2)]);
    assert_eq!(page(Some("%"), None, 9).await, []);
}

pub(super) fn rejected(line: u64, reason: &'static str, number: Option<u32>) -> RejectedRow {
    let fields = Fields::pack(["12", "An\0n", "<b>"]);
    let other_msisdn = number.filter(|_| reason == "two readings").map(|number| msisdn(number + 1));
    RejectedRow { line, reason: reason.into(), msisdn: number.map(msisdn), other_msisdn, fields, is_cut: line == 9 }
}

async fn rejected_rows_are_read_by_reason_from_any_position(desk: Desk) {
    let audience = desk.begin(Some("people")).await;
    let rows = [rejected(2, "too short", None), rejected(5, "duplicate", Some(1)), rejected(9, "too short", None)];
    desk.add_rejected(audience, 0, rows[..2].to_vec()).await.unwrap();
    // A repeated call changes nothing.
    desk.add_rejected(audience, 0, rows[..2].to_vec()).await.unwrap();
    desk.add_rejected(audience, 2, rows[2..].to_vec()).await.unwrap();
    let read = async |reason: Option<&str>, from, limit| {
        desk.rejected_rows(audience, reason.map(str::to_owned), from, limit).await.unwrap()
    };
    let numbered: Vec<(u32, RejectedRow)> = (0..).zip(rows).collect();
    assert_eq!(read(None, 0, 9).await, numbered);
    assert_eq!(read(None, 1, 1).await, numbered[1..2]);
    assert_eq!(read(Some("too short"), 0, 1).await, numbered[..1]);
    assert_eq!(read(Some("too short"), 1, 9).await, numbered[2..]);
    assert_eq!(read(Some("no number"), 0, 9).await, []);
}

async fn long_rejected_rows_are_read_in_pieces(desk: Desk) {
    let audience = desk.begin(Some("people")).await;
    let fields = Fields::pack(["x".repeat(600_000).as_str()]);
    let rows: Vec<RejectedRow> =
        (0..5).map(|line| RejectedRow { fields: fields.clone(), ..rejected(line, "too short", None) }).collect();
    desk.add_rejected(audience, 0, rows).await.unwrap();
    let read = async |from| {
        let rows = desk.rejected_rows(audience, None, from, 9).await.unwrap();
        rows.into_iter().map(|(n, _)| n).collect::<Vec<_>>()
    };
    assert_eq!((read(0).await, read(2).await, read(4).await), (vec![0, 1], vec![2, 3], vec![4]));
}

async fn rejected_rows_go_with_their_audience(desk: Desk) {
    let (people, others) = (desk.begin(Some("people")).await, desk.audience(Some("others"), 1).await);
    let many: Vec<_> = (0..5_001).map(|line| rejected(line, "too short", None)).collect();
    desk.add_rejected(people, 0, many).await.unwrap();
    desk.add_rejected(others, 0, vec![rejected(1, "duplicate", Some(1))]).await.unwrap();
    desk.remove_audience(people).await.unwrap();
    assert_eq!(desk.rejected_rows(people, None, 0, 9).await.unwrap(), []);
    assert_eq!(desk.rejected_rows(others, None, 0, 9).await.unwrap().len(), 1);
    let late = desk.add_rejected(people, 0, vec![rejected(1, "duplicate", None)]).await;
    assert!(matches!(late, Err(Error::Gone { .. })), "{late:?}");
}

async fn a_bounded_search_finds_every_place_latest_first(desk: Desk) {
    let whom = recipients(2..3).pop().unwrap();
    let mut wanted = Vec::new();
    // More pieces with the recipient than one search reads, some of them in the same audience.
    for _ in 0..10 {
        let audience = desk.begin(None).await;
        for piece in 0..4 {
            desk.add_recipients(audience, piece * 2, recipients(2..4)).await.unwrap();
            wanted.push((audience, piece * 2));
        }
        desk.publish_audience(audience, 8, "{}".to_owned()).await.unwrap();
    }
    wanted.reverse();
    let search = async |whom: Whom| {
        let (mut from, mut found, mut searches) = (None, Vec::new(), 0);
        loop {
            let page = desk.find_recipient_from(whom.clone(), from).await.unwrap();
            found.extend(page.places.iter().map(|place| (place.audience, place.n)));
            searches += 1;
            match page.next {
                Some(next) => from = Some(next),
                None => return (found, searches),
            }
        }
    };
    assert_eq!(search(Whom::Address(whom.address.clone().unwrap())).await, (wanted.clone(), 3));
    assert_eq!(search(Whom::ClientId("theirs-2".to_owned())).await, (wanted.clone(), 3));
    // From a place on, it and the earlier ones.
    let (audience, n) = wanted[5];
    let from = crate::store::RecipientPlace { audience, n };
    let page = desk.find_recipient_from(Whom::Address(whom.address.clone().unwrap()), Some(from)).await.unwrap();
    assert_eq!((page.places[0].audience, page.places[0].n), wanted[5]);
}

async fn the_batches_of_an_audience_come_latest_first(desk: Desk) {
    let (people, others) = (desk.audience(None, 3).await, desk.audience(None, 2).await);
    let first = desk.begin_batch_of(Some("first"), people).await;
    // It is not published.
    desk.begin_batch_of(Some("hidden"), people).await;
    let second = desk.begin_batch_of_all(Some("second"), vec![others, people]).await;
    for batch in [first, second] {
        desk.publish_batch(batch, BatchState::Running, Origin::SERVER, desk.now()).await.unwrap();
    }
    let of = async |audience, before, limit| {
        let found = desk.batches_of_audience(audience, before, limit).await.unwrap();
        found.into_iter().map(|(batch, base)| (batch.id, base)).collect::<Vec<_>>()
    };
    // The messages to its recipients follow those of the audiences before it.
    assert_eq!(of(people, None, 9).await, [(second, 2), (first, 0)]);
    assert_eq!(of(people, None, 1).await, [(second, 2)]);
    assert_eq!(of(people, Some(second), 9).await, [(first, 0)]);
    assert_eq!(of(others, None, 9).await, [(second, 0)]);
}
