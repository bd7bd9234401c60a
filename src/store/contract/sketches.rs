//! Campaigns that operators are writing.

use super::{Desk, at, for_every_store};
use crate::base::domain::SketchId;
use crate::store::Sketch;

for_every_store!(
    a_sketch_is_read_as_it_was_written,
    of_two_changes_of_one_version_one_is_refused,
    sketches_are_listed_latest_first,
    sketches_not_changed_since_then_are_removed
);

pub(super) fn sketch(number: u64, second: i64) -> Sketch {
    Sketch {
        // The highest bit of its id is the sign of the row's.
        id: SketchId::new(number << 56),
        campaign: r#"{"name":"Promo"}"#.to_owned(),
        version: 1,
        created_at: at(second),
        changed_at: at(second),
        changed_by: "ann".to_owned(),
        launch: None,
    }
}

async fn a_sketch_is_read_as_it_was_written(desk: Desk) {
    let new = sketch(0xff, 1);
    desk.create_sketch(new.clone()).await.unwrap();
    assert_eq!(desk.sketch(new.id).await.unwrap(), Some(new.clone()));
    assert!(desk.remove_sketch(new.id).await.unwrap() && !desk.remove_sketch(new.id).await.unwrap());
    assert_eq!(desk.sketch(new.id).await.unwrap(), None);
}

async fn of_two_changes_of_one_version_one_is_refused(desk: Desk) {
    let new = sketch(1, 1);
    desk.create_sketch(new.clone()).await.unwrap();
    let changed = |by: &str| Sketch {
        campaign: format!(r#"{{"name":"{by}"}}"#),
        version: 2,
        changed_at: at(2),
        changed_by: by.to_owned(),
        launch: Some("Promo".to_owned()),
        ..new.clone()
    };
    assert!(desk.change_sketch(changed("ben")).await.unwrap());
    assert!(!desk.change_sketch(changed("carl")).await.unwrap());
    assert_eq!(desk.sketch(new.id).await.unwrap(), Some(changed("ben")));
    assert!(!desk.change_sketch(Sketch { version: 2, ..sketch(2, 1) }).await.unwrap(), "no change creates one");
}

async fn sketches_are_listed_latest_first(desk: Desk) {
    for (number, second) in [(1, 10), (2, 30), (3, 20)] {
        desk.create_sketch(sketch(number, second)).await.unwrap();
    }
    desk.create_sketch(sketch(4, 20)).await.unwrap();
    let listed = desk.sketches(None, 2).await.unwrap();
    assert_eq!(listed, [sketch(2, 30), sketch(4, 20)]);
    let last = |sketches: &[Sketch]| sketches.last().map(|sketch| (sketch.changed_at, sketch.id));
    let listed = desk.sketches(last(&listed), 1).await.unwrap();
    assert_eq!(listed, [sketch(3, 20)], "of one time, each is listed once");
    assert_eq!(desk.sketches(last(&listed), 9).await.unwrap(), [sketch(1, 10)]);
}

async fn sketches_not_changed_since_then_are_removed(desk: Desk) {
    for (number, second) in [(1, 10), (2, 30), (3, 20)] {
        desk.create_sketch(sketch(number, second)).await.unwrap();
    }
    desk.forget_sketches(at(20)).await.unwrap();
    assert_eq!(desk.sketches(None, 9).await.unwrap(), [sketch(2, 30), sketch(3, 20)]);
}
